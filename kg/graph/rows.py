"""Rows become records; and while this process works on one page, the server works on the next."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kg.model import Edge, Triple, head_id, tail_id

T = TypeVar("T")
EdgeRow = Sequence[Any]

EDGE_COLUMNS = (
    "edge", "head_id", "tail_id",
    "head", "relation", "tail", "lang", "tail_lang", "head_uri", "tail_uri",
    "split", "runs", "predicted", "logprob", "score", "critic", "accepted", "weight", "sources", "details",
)  # fmt: skip
"""What a row of `graph/edges` holds: the element's id, the ends' keys, the fields of `Triple`, those of `Edge`."""


def triple_of(row: EdgeRow) -> Triple:
    """Return the triple of a row."""
    return Triple(*row[3:10])


def edge_of(row: EdgeRow) -> Edge:
    """Return the edge of a row."""
    split, runs, predicted, logprob, score, critic, accepted, weight, sources, details = row[10:]
    return Edge(
        Triple(*row[3:10]), split, tuple(runs), predicted, logprob, score, critic, accepted, weight, tuple(sources),
        details,
    )  # fmt: skip


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, the next of which is fetched in another thread meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def behind(works: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Yield what each of some calls returns; it runs in another thread while the next is made in this one.

    One runs at a time, in their order. An error ends it; what runs then is waited for.
    """
    with ThreadPoolExecutor(1) as thread:
        running = None
        for work in works:
            if running:
                yield running.result()
            running = thread.submit(work)
        if running:
            yield running.result()


def row_of(edge: Edge, element: str = "") -> EdgeRow:
    """Return an edge as a row."""
    triple = edge.triple
    return (
        element, head_id(triple), tail_id(triple), *(getattr(triple, name) for name in EDGE_COLUMNS[3:10]),
        *(getattr(edge, name) for name in EDGE_COLUMNS[10:]),
    )  # fmt: skip
