"""`kg student answer`, and `kg student evaluate --outputs`, of which `kg.cli` has the command itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kg.errors import InputError
from kg.terminal import data, say, say_json
from kg.workspace import Workspace

if TYPE_CHECKING:
    from student.interface import Encode
    from student.metrics.files import Answer

_SHOWN_RELATIONS = 10
_NEW = ("N/T sro", "N/T o", "N/U o")
_GOLD = "gold against gold"


def answer(
    prefixes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Lines of 'head @@ relation', a tab and references behind it or not."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the outputs go; without it, to stdout.")
    ] = None,
    beams: Annotated[int, typer.Option(min=1, help="Candidates for each prefix, beside the greedy tail.")] = 10,
    student: Annotated[
        str | None, typer.Option(metavar="ID", help="Which student; without it, the current one.")
    ] = None,
) -> None:
    """Write what a student says to prefixes in COMET-ATOMIC-2020's form, which kg student evaluate --outputs reads."""
    from kg.exchange.target import export_file
    from kg.progress import Bar
    from student.metrics import answering
    from student.metrics.files import format_output, read_prefixes
    from student.runs import open_student, student_in

    asked = read_prefixes(prefixes)
    workspace = Workspace.default()
    if student is None:
        from kg.graph.connection import open_graph

        with open_graph(workspace) as graph:
            _, model = open_student(graph, workspace)
    else:
        model = student_in(workspace, student)
    unknown = answering.unknown_relations(model, asked)
    total = len(asked) - sum(unknown.values())
    with Bar(total=total, unit="prefixes", desc="answer") as bar:
        outputs = answering.answer(model, asked, beams, bar.update)
        lines = (format_output(output) + "\n" for output in outputs)
        if out is None:
            data().writelines(lines)
        else:
            with export_file(out) as draft, draft.open("w", encoding="utf-8") as file:
                file.writelines(lines)
    if unknown:
        names = ", ".join(list(unknown)[:_SHOWN_RELATIONS])
        say(f"{sum(unknown.values()):,} prefixes left out, of relations that it was not trained on: {names}", err=True)


def evaluate_files(
    outputs: Sequence[Path],
    references: Path | None,
    training: Path | None,
    conceptnet: Path | None = None,
    labelled: Path | None = None,
    *,
    bert: str | None,
    encoder: str | None,
    as_json: bool,
) -> None:
    """Measure systems by their files of outputs, all on the prefixes that each of them answers, and print it.

    Args:
        outputs: a file for each system.
        references: of the prefixes; without it, the tails that come with the outputs.
        training: the triples that the systems were trained on, also for what retrieval would have said.
        conceptnet: triples that the classifier of ConceptNet's tails is trained on.
        labelled: good and bad triples that this classifier is held against, and its threshold chosen by.
        bert: the model for BERTScore.
        encoder: the sentence encoder by which events are near.
        as_json: an object a line, one for each system, instead of tables.

    Raises:
        InputError: a file is not in its form, or an output has no references.
    """
    from kg.encoder import Encoder
    from student.metrics.controls import controls, gold_against_gold
    from student.metrics.files import Answer, in_common, match, read_outputs, read_references, read_training
    from student.metrics.measuring import open_metrics

    known = read_references(references) if references else None
    systems = []
    for path in outputs:
        said = read_outputs(path)
        if known is None and not all(output.tails for output in said):
            raise InputError(f"{path} has outputs without tails to compare with; give --references FILE")
        systems.append(
            match(said, known)
            if known
            else [Answer(one.head, one.relation, one.greedy, one.generations, one.tails) for one in said]
        )
    systems = in_common(systems) if len(systems) > 1 else systems
    triples = read_training(training, {answer.relation for answer in systems[0]}) if training else None
    beside = {}
    if triples:
        encode = Encoder(encoder, Workspace.default().folder("embeddings")).encode
        beside = controls(systems[0], triples, encode)
    beside[_GOLD] = gold_against_gold(systems[0])
    with open_metrics(bert) as metrics:
        found = {str(path): metrics.measure(answers, triples) for path, answers in zip(outputs, systems, strict=True)}
        others = {name: metrics.measure(answers, triples) for name, answers in beside.items() if answers}
    for content in found.values():
        if references:
            content["references"] = len(known or ())
    if conceptnet:
        encode = Encoder(encoder, Workspace.default().folder("embeddings")).encode
        for content, score in zip(found.values(), _classified(systems, conceptnet, labelled, encode), strict=True):
            content["conceptnet"] = score
    if as_json:
        for name, content in found.items():
            say_json({"outputs": name} | content | {"controls": others})
    else:
        _print(found, others)


def _classified(
    systems: Sequence[Sequence["Answer"]], conceptnet: Path, labelled: Path | None, encode: "Encode"
) -> list[dict[str, Any]]:
    """Return the score of ConceptNet's tails of each system, and with labelled triples how good the classifier is."""
    from student.metrics.bilinear import check, score_of_greedy, train_bilinear
    from student.metrics.files import read_labelled, read_training

    known = read_labelled(labelled) if labelled else []
    classifier = train_bilinear(read_training(conceptnet, {answer.relation for answer in systems[0]}), encode)
    if not known:
        return [score_of_greedy(classifier, answers) for answers in systems]
    checked = check(classifier, known)
    return [score_of_greedy(classifier, answers, checked["threshold"]) | {"classifier": checked} for answers in systems]


def _print(found: Mapping[str, Mapping[str, Any]], others: Mapping[str, Mapping[str, Any]]) -> None:
    from kg.commands.query import print_table

    everything = dict(found) | dict(others)
    first = next(iter(found.values()))
    columns = list(first["overall"])
    heading = ["prefixes", *columns, "exact"]
    print_table(["outputs", *heading], [_row(name, row, row["overall"], columns) for name, row in everything.items()])
    new = [name for name in _NEW if name in first["comet"]]
    say("", "COMET's protocol: BLEU-2 over all beams; which greedy tails, triples and different tails are new")
    print_table(
        ["outputs", "BLEU-2, beams", "BLEU-2, greedy", *new],
        [
            [name, *(_figure(row["comet"][column]) for column in ("beams", "greedy", *new))]
            for name, row in everything.items()
        ],
    )
    say("", "Diversity of greedy tails, entropy in bits")
    names = list(first["diversity"])
    print_table(
        ["outputs", *names],
        [[name, *(_figure(row["diversity"][one]) for one in names)] for name, row in everything.items()],
    )
    for name, content in found.items():
        say("", f"{name} by relation; CIDEr depends on the prefixes, so compare it between systems only")
        some = content["relations"].items()
        print_table(["relation", *heading], [_row(relation, row, row, columns) for relation, row in some])
    say("")
    if "references" in first and first["references"] != first["prefixes"]:
        say(f"Measured on {first['prefixes']:,} of the {first['references']:,} prefixes of the references.")
    if left_out := first["comet"]["left_out"]:
        say(f"{left_out:,} prefixes are left out of COMET's protocol: over a third of their references say none.")
    for name, content in found.items():
        if score := content.get("conceptnet"):
            tuned = f", {_figure(score['tuned'])} at the tuned threshold" if "tuned" in score else ""
            taken = f"{_figure(score['score'])} of {score['prefixes']:,} triples"
            say(f"{name}: the classifier takes {taken} for true{tuned}.")
    if checked := (first.get("conceptnet") or {}).get("classifier"):
        say(
            f"Of {checked['labelled']:,} labelled triples it tells {_figure(checked['accuracy'])} right, and "
            f"{_figure(checked['tuned'])} where one half chooses the threshold of the other; the best on all is "
            f"{checked['threshold']:.3f}."
        )
    if len(others) <= 1:
        say("Nothing here says what retrieval and guessing would have reached: give --training FILE.")
    for metric, reason in first["absent"].items():
        say(f"No {metric}: {reason}")


def _row(name: str, counted: Mapping[str, Any], figures: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
    values = [_figure(figures[column]) for column in columns]
    return [name, f"{counted['prefixes']:,}", *values, _figure(counted["exact"])]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
