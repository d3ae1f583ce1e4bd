"""What people wrote, as tables: ATOMIC's CSV (Sap et al. 2019), and TSVs of head, relation and tail."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ingest.readers.rows import Rows, as_details, csv_cells, make_triple, parse_rows, read_split, text_list
from kg.errors import InputError
from kg.lines import Line, Rejected
from kg.model import Assertion
from kg.vocabulary import Vocabulary


def read_atomic2020(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of a headerless TSV: head, relation, tail (Hwang et al. 2021)."""

    def parse(line: Line) -> Iterator[Assertion]:
        head, relation, tail = _cells(line, "head, relation, tail")
        yield Assertion(make_triple(head, relation, tail, vocabulary, lang))

    return parse_rows(lines, parse)


def read_cn100k(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of a headerless TSV in ConceptNet 100K's order: relation, head, tail (Li et al. 2016)."""

    def parse(line: Line) -> Iterator[Assertion]:
        relation, head, tail = _cells(line, "relation, head, tail")
        yield Assertion(make_triple(head, relation, tail, vocabulary, lang))

    return parse_rows(lines, parse)


def read_atomic2019(
    lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str, dropped: Counter[str] | None = None
) -> Rows:
    """Yield the answers in ATOMIC's CSV: an event, one column a relation holding a JSON list, prefix, split.

    Rows are read one by one, so that an open quote spoils its own row only. Each answer has the number of its row and
    its place in the list as its source, so that the rows can be made again and show how many annotators said so.

    Args:
        lines: of a file with one annotator's answers, or all of an event's, in a row.
        vocabulary: relations that may occur.
        lang: language of the texts.
        dropped: where rows without any answer are counted.
    """
    header: list[str] = []

    def parse(line: Line) -> Iterator[Assertion]:
        cells = csv_cells(line.text)
        if not header:
            if "event" not in cells or "split" not in cells:
                raise InputError("the first line must name the columns: event, one for each relation, prefix, split")
            header.extend(cells)
            return
        if len(cells) != len(header):
            raise InputError(f"{len(cells)} columns where the header has {len(header)}")
        row = dict(zip(header, cells, strict=True))
        split = read_split(row.pop("split"))
        event = row.pop("event")
        details = as_details({"prefix": text_list(row.pop("prefix"), "prefix")} if "prefix" in row else {})
        assertions = [
            Assertion(
                make_triple(event, relation, tail, vocabulary, lang),
                split=split, sources=(f"{line.number}.{place}",), details=details,
            )
            for relation, cell in row.items()
            for place, tail in enumerate(text_list(cell, relation))
        ]  # fmt: skip
        if not assertions and dropped is not None:
            dropped["a row without an answer"] += 1
        yield from assertions

    return parse_rows(lines, parse)


def _cells(line: Line, names: str) -> list[str]:
    cells = line.text.split("\t")
    if len(cells) != 3:  # noqa: PLR2004 - head, relation, tail
        raise InputError(f"{len(cells)} columns where 3 are expected: {names}, parted by tabs")
    return cells
