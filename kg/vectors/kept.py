"""Vectors in the graph: written, read, and the index over them, which Neo4j keeps.

One run's vectors stand at a time, as the property `vector` of phrases.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from more_itertools import chunked
from numpy.typing import NDArray

from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.run import VECTORS_KIND
from kg.store import queries
from kg.store.bolt import Row, Transaction

_ROWS = 1_000  # vectors of one transaction, or of one page: 3 MB
_INDEX_SECONDS = 3_600


class Term(NamedTuple):
    """A phrase with its vector, of length 1."""

    id: str
    text: str
    lang: str
    uri: str
    vector: Sequence[float]


def find_standing(graph: KnowledgeGraph) -> Row | None:
    """Return the run whose vectors stand, if there is one; a graph that came from a snapshot has the run alone."""
    found = next((run for run in graph.runs() if run.get("kind") == VECTORS_KIND and run["status"] == "finished"), None)
    return found if found and next(terms(graph), None) else None


def standing(graph: KnowledgeGraph) -> Row:
    """Return the run whose vectors stand.

    Raises:
        NotReady: there is none.
    """
    if found := find_standing(graph):
        return found
    raise NotReady("the graph has no vectors; kg vectors build makes some")


def put(graph: KnowledgeGraph, ids: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[int]:
    """Write vectors; yield after each transaction how many it wrote. Rows of zeros are left out."""
    places = np.flatnonzero(vectors.any(axis=1))
    for some in chunked(places.tolist(), _ROWS):
        rows = [{"id": ids[place], "vector": vectors[place].tolist()} for place in some]
        graph.commit(partial(_put, rows=rows))
        yield len(rows)


def _put(transaction: Transaction, rows: list[dict[str, Any]]) -> None:
    transaction.run(queries.load("vectors/put").text, rows=rows)


def index(graph: KnowledgeGraph) -> None:
    """Make the index over the vectors, and wait until all are in it."""
    for statement in queries.schema("vectors"):
        graph.store.run(statement)
    graph.store.run(f"CALL db.awaitIndex('phrase_vector', {_INDEX_SECONDS})")


def terms(graph: KnowledgeGraph) -> Iterator[Term]:
    """Yield the phrases that have a vector, in the order of keys."""
    text, last = queries.load("vectors/page").text, ""
    while rows := graph.store.read(text, last=last, count=_ROWS):
        yield from (Term(**row) for row in rows)
        last = rows[-1]["id"]


def vectors_of(graph: KnowledgeGraph, words: Sequence[str], lang: str) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of those words that a phrase of the graph is, or is but for upper and lower case."""
    forms = {word: [phrase_id(form, lang) for form in (word, word.lower(), word.capitalize())] for word in words}
    ids = sorted({key for found in forms.values() for key in found})
    found: dict[str, Any] = {}
    for some in chunked(ids, _ROWS):
        rows = graph.store.read(queries.load("vectors/of").text, ids=some)
        found |= {row["id"]: np.asarray(row["vector"], dtype=np.float32) for row in rows}
    return {
        word: found[key] for word, keys in forms.items() if (key := next((one for one in keys if one in found), ""))
    }
