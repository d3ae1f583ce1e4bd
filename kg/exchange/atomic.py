"""ATOMIC 2019's CSV: an event, a column a relation holding a JSON list of answers, prefix, split.

Answers that were read from such a file come out in the rows they came from, one annotator's or all of an event's in a
row, if that file's run was the first to assert them; other edges in one row an event. Languages, runs and all that a
critic said are left out.

Source: Sap et al. 2019, the published files.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from kg.errors import InputError
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK
from kg.model import Edge

_SPLITS = {"train": "trn", "validation": "dev", "test": "tst"}
_ANSWER = re.compile(r"(\d+)\.(\d+)")  # a source: the number of its row and its place in the list


def write_atomic2019(edges: Iterable[Edge], path: Path, *, relations: Sequence[str]) -> int:
    """Write edges as rows of answers.

    Args:
        edges: what to write; all edges of an event together, as `KnowledgeGraph.edges` gives them.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        relations: the columns, in this order; no edge has another relation.

    Returns:
        The number of edges written.

    Raises:
        InputError: an event has a line break, or the file cannot be written.
    """
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
