"""`kg student answer`, and `kg student evaluate --outputs`, of which `kg.cli` has the command itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kg.errors import InputError
from kg.terminal import data, say, say_json
from kg.workspace import Workspace

_SHOWN_RELATIONS = 10


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
    outputs: Sequence[Path], references: Path | None, *, bert: str | None, as_json: bool, by_relation: bool = True
) -> None:
    """Measure systems by their files of outputs, all on the prefixes that each of them answers, and print it.

    Args:
        outputs: a file for each system.
        references: of the prefixes; without it, the tails that come with the outputs.
        bert: the model for BERTScore.
        as_json: an object a line, one for each system, instead of tables.
        by_relation: whether tables of relations follow that of all.

    Raises:
        InputError: a file is not in its form, or an output has no references.
    """
    from student.metrics.files import Answer, in_common, match, read_outputs, read_references
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
    with open_metrics(bert) as metrics:
        found = {str(path): metrics.measure(answers) for path, answers in zip(outputs, systems, strict=True)}
    for name, content in found.items():
        if references:
            content["references"] = len(known or ())
        if as_json:
            say_json({"outputs": name} | content)
    if not as_json:
        _print(found, by_relation=by_relation)


def _print(found: Mapping[str, Mapping[str, Any]], *, by_relation: bool) -> None:
    from kg.commands.query import print_table

    rows = [(name, content["prefixes"], content["exact"], content["overall"]) for name, content in found.items()]
    columns = list(rows[0][3])
    heading = ["prefixes", *columns, "exact"]
    print_table(["outputs", *heading], [_row(*row, columns) for row in rows])
    for name, content in found.items() if by_relation else ():
        say("", f"{name} by relation; CIDEr depends on the prefixes, so compare it between systems only")
        some = content["relations"].items()
        print_table(
            ["relation", *heading],
            [_row(relation, row["prefixes"], row["exact"], row, columns) for relation, row in some],
        )
    first = next(iter(found.values()))
    if "references" in first and first["references"] != first["prefixes"]:
        say("", f"Measured on {first['prefixes']:,} of the {first['references']:,} prefixes of the references.")
    for metric, reason in first["absent"].items():
        say(f"No {metric}: {reason}")


def _row(name: str, prefixes: int, exact: float, figures: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
    return [name, f"{prefixes:,}", *(f"{figures[column]:.4f}" for column in columns), f"{exact:.4f}"]
