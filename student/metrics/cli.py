"""`kg student evaluate --outputs` on files in the published form. `kg.cli` has the command itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.terminal import say, say_json


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
