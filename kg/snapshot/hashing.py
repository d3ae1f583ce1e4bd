"""The content hash: 32 hex characters over what a graph says, the same on every machine and from every file.

Each phrase, edge, judgement and task is one line of JSON, and the hash is the sum of the lines' 128-bit BLAKE2b, so
that the order does not matter and one streaming pass is enough. An edge's runs are a set of which only the first stands
out, its sources a set. What came later than the first format stands at the end of a line, and only where it is known:
graphs without it keep their hash. What runs, critics and acceptances are is not content: they have times in them.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import orjson

from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.rows import EdgeRow, row_of
from kg.model import EDGE_FIELDS, Edge, FieldType, Phrase
from kg.store.bolt import Row

_FIELDS = list(EDGE_FIELDS.items())
_LATER = _FIELDS[9:]  # fields that the first format did not have; those that it had are written out below, for good


class ContentHash:
    """A hash that grows with what is added to it."""

    def __init__(self) -> None:
        self._total = 0

    def __str__(self) -> str:
        """The hash so far."""
        return f"{self._total % (1 << 128):032x}"

    def add_phrase(self, phrase: Phrase) -> None:
        """Add a phrase."""
        line = [phrase.id, sorted(phrase.labels), phrase.split, *_set(phrase.runs), _number(phrase.logprob)]
        later = {name: list(value) for name in ("splits", "statements") if (value := getattr(phrase, name))}
        self._add([*line, later] if later else line)

    def add_edge(self, edge: Edge) -> None:
        """Add an edge."""
        self.add_edge_row(row_of(edge))

    def add_edge_row(self, row: EdgeRow) -> None:
        """Add an edge as a row."""
        line = [
            row.head_id, row.relation, row.tail_id, *_set(row.runs), row.predicted, _number(row.logprob),
            _number(row.score), row.critic, row.accepted, _number(row.weight), sorted(row.sources), row.details,
        ]  # fmt: skip
        later = {
            name: _value(value, kind)
            for (name, kind), value in zip(_LATER, row[-len(_LATER) :], strict=True)
            if value is not None and value not in ([], ())
        }
        self._add([*line, later] if later else line)

    def add_judgement(self, row: Row) -> None:
        """Add a judgement, with what each run says where they differ."""
        line = [row["id"], row["value"], sorted(row["runs"])]
        verdicts = row["values"]
        self._add([*line, list(zip(row["runs"], verdicts, strict=True))] if len(set(verdicts)) > 1 else line)

    def add_duplicate(self, row: Row) -> None:
        """Add a duplicate that was set aside."""
        properties = row["properties"]
        known = {name: _value(properties[name], kind) for name, kind in _FIELDS if name in properties}
        first, others = _set(properties["runs"])
        named = {name: properties[name] for name in ("id", "relation", "run")}
        self._add([row["head"], row["tail"], named, known | {"runs": [first, others]}])

    def add_task(self, row: Row) -> None:
        """Add a task, with who judged and who skipped it; when they did is not content."""
        asked = [row[name] for name in ("run", "place", "wanted")]
        drawn = [_number(row["probability"]), row["control"]]
        self._add([row["id"], asked, drawn, sorted(row["judged"]), sorted(row["skipped"])])

    def _add(self, line: list[Any]) -> None:
        digest = hashlib.blake2b(orjson.dumps(line), digest_size=16).digest()
        self._total += int.from_bytes(digest, "big")


def hash_assertions(graph: KnowledgeGraph, progress: Progress = lambda _: None) -> ContentHash:
    """Return the hash of a graph's phrases and edges, to which judgements, duplicates and tasks are to be added."""
    content = ContentHash()
    for phrase in graph.phrases(every=True):
        content.add_phrase(phrase)
    for page in graph.edge_pages():
        for row in page:
            content.add_edge_row(row)
        progress(len(page))
    return content


def hash_graph(graph: KnowledgeGraph, progress: Progress = lambda _: None) -> str:
    """Return the content hash of a graph.

    Raises:
        GraphChanged: something was written to it meanwhile.
    """
    watermark = graph.watermark()
    content = hash_assertions(graph, progress)
    add_opinions(content, graph)
    graph.check_unchanged(watermark)
    return str(content)


def add_opinions(content: ContentHash, graph: KnowledgeGraph) -> None:
    """Add a graph's judgements, duplicates and tasks to the hash of its phrases and edges."""
    for judgement in graph.judgement_rows():
        content.add_judgement(judgement)
    for duplicate in graph.duplicate_rows():
        content.add_duplicate(duplicate)
    for task in graph.task_rows():
        content.add_task(task)


def _set(runs: Sequence[str]) -> tuple[str | None, list[str]]:
    return (runs[0], sorted(runs[1:])) if runs else (None, [])


def _value(value: Any, kind: FieldType) -> Any:
    if kind == "number":
        return _number(value)
    return sorted(value) if kind == "texts" else value


def _number(value: float | None) -> float | str | None:
    if value is None:
        return None
    return float(value) if math.isfinite(value) else str(value)
