"""ATOMIC 2019's CSV: an event, a column a relation holding a JSON list of answers, prefix, split.

Answers that were read from such a file come out in the rows they came from, one annotator's or all of an event's in a
row, if that file's run was the first to assert them; other edges in one row an event. Languages, runs and all that a
critic said are left out.

Source: Sap et al. 2019, the published files.
"""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from kg.errors import InputError
from kg.exchange.rows import (
    Rows,
    as_details,
    cells_of,
    csv_cells,
    make_triple,
    parse_rows,
    read_header,
    read_split,
    text_list,
)
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Line, Rejected
from kg.model import Assertion, Edge
from kg.vocabulary import Vocabulary

_SPLITS = {"train": "trn", "validation": "dev", "test": "tst"}
_OTHERS = ("event", "prefix", "split")  # columns that are no relation
_ANSWER = re.compile(r"(\d+)\.(\d+)")  # a source: the number of its row and its place in the list


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

    Raises:
        InputError: the first line does not name the columns, each once.
    """
    header, rest = read_header(lines, csv_cells, ("event", "split"))

    def parse(line: Line) -> Iterator[Assertion]:
        row = cells_of(line, header, csv_cells)
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

    return parse_rows(rest, parse)


def export_atomic2019(edges: Iterable[Edge], path: Path, graph: KnowledgeGraph) -> int:
    """Write edges as `write_atomic2019` does, with columns for ATOMIC's relations and all others of the graph."""
    names = {*Vocabulary.load("atomic").names, *graph.statistics()["relations"]}
    return write_atomic2019(edges, path, relations=sorted(names))


def write_atomic2019(edges: Iterable[Edge], path: Path, *, relations: Sequence[str]) -> int:
    """Write edges as rows of answers.

    Args:
        edges: what to write; all edges of an event together, as `KnowledgeGraph.edges` gives them.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        relations: the columns, in this order; no edge has another relation.

    Returns:
        The number of edges written.

    Raises:
        InputError: an event has a line break, a relation is called like another column, or the file cannot be written.
    """
    if taken := sorted({*relations} & {*_OTHERS}):
        raise InputError(
            f"ATOMIC's CSV has another column called {taken[0]}, as a relation is here; export tsv or jsonl"
        )
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["event", *relations, "prefix", "split"])
        for (event, split), group in groupby(edges, lambda edge: (edge.triple.head, edge.split)):
            if BREAK.search(event):
                raise InputError(f"the event {event[:80]!r} has a tab or line break; export jsonl or parquet")
            rows: dict[tuple[str, int], dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
            prefix: object = []
            for edge in group:
                count += 1
                prefix = edge.detail_map.get("prefix", prefix)
                for run, row, place in _answers(edge):
                    rows[run, row][edge.triple.relation].append((place, edge.triple.tail))
            for key in sorted(rows):
                cells = (json.dumps([tail for _, tail in sorted(rows[key][name])]) for name in relations)
                table.writerow([event, *cells, json.dumps(prefix), _SPLITS[split]])
    return count


def _answers(edge: Edge) -> list[tuple[str, int, int]]:
    found = [(edge.runs[0], int(match[1]), int(match[2])) for match in map(_ANSWER.fullmatch, edge.sources) if match]
    return found or [("", 0, 0)]
