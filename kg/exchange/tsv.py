"""Triples alone, a line each: `head TAB relation TAB tail` as ATOMIC-2020, or the relation first as ConceptNet 100K.

There is no header and no quoting: quotation marks are ordinary characters (read it with `csv.QUOTE_NONE`). `none` is
kept. The form has no escape for a tab or a line break, so that a text with one cannot be written in it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kg.errors import InputError
from kg.exchange.rows import Rows, make_triple, parse_rows, tab_cells
from kg.exchange.target import export_file, open_text
from kg.lines import Line, Rejected
from kg.model import Assertion, Edge, Triple
from kg.vocabulary import Vocabulary

BREAK = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # a tab, and all that `str.splitlines` takes for an end

MARK = "\ufeff"


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


def write_tsv(edges: Iterable[Edge], path: Path, *, relation_first: bool = False) -> int:
    """Write triples, and nothing else.

    Args:
        edges: what to write, in this order.
        path: file to make; an older one is replaced.
        relation_first: write relation, head, tail.

    Returns:
        The number of triples written.

    Raises:
        InputError: some texts have a tab or a line break, or the file cannot be written. All edges are
            looked at, so that the message can say how many there are; no file is made.
    """
    count = unfit = 0
    first_unfit: Triple | None = None
    with export_file(path) as draft:
        with open_text(draft, path) as file:
            for edge in edges:
                triple = edge.triple
                count += 1
                if BREAK.search(triple.head) or BREAK.search(triple.tail):
                    unfit += 1
                    first_unfit = first_unfit or triple
                elif not unfit:
                    if count == 1 and not relation_first and triple.head.startswith(MARK):
                        file.write(MARK)  # or a reader would take the text's own for the file's
                    ends = (triple.relation, triple.head) if relation_first else (triple.head, triple.relation)
                    file.write(f"{ends[0]}\t{ends[1]}\t{triple.tail}\n")
        if first_unfit:
            raise InputError(
                f"{unfit:,} of {count:,} triples have a tab or line break, which TSV cannot hold; the first "
                f"is ({first_unfit.head[:80]!r}, {first_unfit.relation}, {first_unfit.tail[:80]!r}); "
                "export jsonl or parquet, or leave them out"
            )
    return count


def write_cn100k(edges: Iterable[Edge], path: Path) -> int:
    """Write triples in ConceptNet 100K's order; else as `write_tsv`."""
    return write_tsv(edges, path, relation_first=True)


def _cells(line: Line, names: str) -> list[str]:
    cells = tab_cells(line.text)
    if len(cells) != 3:  # noqa: PLR2004 - head, relation, tail
        raise InputError(f"{len(cells)} columns where 3 are expected: {names}, parted by tabs")
    return cells
