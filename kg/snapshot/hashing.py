"""The content hash: 32 hex characters over what a graph says, the same on every machine and from every file.

Each phrase, edge and judgement is one line of JSON, and the hash is the sum of the lines' 128-bit BLAKE2b, so that the
order does not matter and one streaming pass is enough. An edge's runs are a set of which only the first stands out,
its sources a set. What runs, critics and acceptances are is not content: they have times in them.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import orjson

from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.model import Edge, Phrase, head_id, tail_id

SAID = ("runs", "predicted", "logprob", "score", "critic", "accepted", "weight", "sources", "details")
"""What is said about an edge: the fields of `Edge` from `runs` on, in their order."""


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
        self._add(line)

    def add_edge(self, edge: Edge) -> None:
        """Add an edge."""
        triple = edge.triple
        said = [getattr(edge, name) for name in SAID]
        self.add_edge_row(head_id(triple), triple.relation, tail_id(triple), said)

    def add_edge_row(self, head: str, relation: str, tail: str, said: Sequence[Any]) -> None:
        """Add an edge between two keys, with the fields of `Edge` from `runs` on."""
        runs, predicted, logprob, score, critic, accepted, weight, sources, details = said
        self._add([
            head, relation, tail, *_set(runs), predicted, _number(logprob), _number(score), critic, accepted,
            _number(weight), sorted(sources), details,
        ])  # fmt: skip

    def add_judgement(self, key: str, value: int, runs: Sequence[str]) -> None:
        """Add a judgement."""
        self._add([key, value, sorted(runs)])

    def _add(self, line: list[Any]) -> None:
        digest = hashlib.blake2b(orjson.dumps(line), digest_size=16).digest()
        self._total += int.from_bytes(digest, "big")


def hash_assertions(graph: KnowledgeGraph, progress: Progress = lambda _: None) -> ContentHash:
    """Return the hash of a graph's phrases and edges, to which its judgements are still to be added."""
    content = ContentHash()
    for phrase in graph.phrases(every=True):
        content.add_phrase(phrase)
    for page in graph.edge_pages():
        for row in page:
            content.add_edge_row(row[1], row[4], row[2], row[11:])
        progress(len(page))
    return content


def hash_graph(graph: KnowledgeGraph, progress: Progress = lambda _: None) -> str:
    """Return the content hash of a graph.

    Raises:
        GraphChanged: something was written to it meanwhile.
    """
    watermark = graph.watermark()
    content = hash_assertions(graph, progress)
    for judgement in graph.judgement_rows():
        content.add_judgement(judgement["id"], judgement["value"], judgement["runs"])
    graph.check_unchanged(watermark)
    return str(content)


def _set(runs: Sequence[str]) -> tuple[str | None, list[str]]:
    return (runs[0], sorted(runs[1:])) if runs else (None, [])


def _number(value: float | None) -> float | str | None:
    if value is None:
        return None
    return float(value) if math.isfinite(value) else str(value)
