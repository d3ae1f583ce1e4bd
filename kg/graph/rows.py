"""Rows become records; and while this process works on one page, the server works on the next."""

import gc
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from kg.identity import head_id, tail_id
from kg.model import EDGE_FIELDS, Acceptance, Edge, Split, Triple
from kg.store.bolt import Row

T = TypeVar("T")

_YOUNG_OBJECTS = 500_000  # more than two pages of rows are


class EdgeRow(NamedTuple):
    """A row of `graph/edges`: the element's id, the ends' keys, the fields of `Triple`, those of `Edge`.

    Fields are as `Triple` and `Edge` have them, in their order, but lists where these have tuples.
    """

    element: str
    head_id: str
    tail_id: str
    head: str
    relation: str
    tail: str
    lang: str
    tail_lang: str
    head_uri: str
    tail_uri: str
    split: Split
    runs: Sequence[str]
    predicted: bool
    logprob: float | None
    score: float | None
    critic: str | None
    accepted: bool | None
    weight: float | None
    sources: Sequence[str]
    details: str | None
    published: float | None
    scores: Sequence[str]
    statements: Sequence[str]

    @property
    def properties(self) -> tuple[Any, ...]:
        """The values of `kg.model.EDGE_FIELDS`."""
        return self[-len(EDGE_FIELDS) :]


_LISTS = [name for name, kind in EDGE_FIELDS.items() if kind == "texts"]


def triple_of(row: EdgeRow) -> Triple:
    """Return the triple of a row."""
    return Triple(row.head, row.relation, row.tail, row.lang, row.tail_lang, row.head_uri, row.tail_uri)


def edge_of(row: EdgeRow) -> Edge:
    """Return the edge of a row."""
    values: dict[str, Any] = dict(zip(EDGE_FIELDS, row.properties, strict=True))
    for name in _LISTS:
        values[name] = tuple(values[name])
    return Edge(triple_of(row), row.split, **values)


def acceptance_of(properties: Row) -> Acceptance:
    """Return an acceptance from the properties of its node."""
    thresholds, teachers, ends = (
        json.loads(properties.get(name) or "{}") for name in ("thresholds", "teacher_thresholds", "intervals")
    )
    intervals = {relation: (low, high) for relation, (low, high) in ends.items()}
    return Acceptance(properties["id"], properties["critic"], properties["recall"], thresholds, teachers, intervals)


class _Pages:
    """How many streams of pages are under way, and what held of Python's search for cycles before the first began."""

    lock = threading.Lock()
    under_way = 0
    thresholds = (0, 0, 0)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let Python look for cycles of objects seldom: a page is some 100,000 objects, none of them in a cycle.

    By default all that a page has are looked at again with every 700 that come, which took half of the time.
    """
    with _Pages.lock:
        if not _Pages.under_way:
            _Pages.thresholds = gc.get_threshold()
            gc.set_threshold(max(_YOUNG_OBJECTS, _Pages.thresholds[0]), *_Pages.thresholds[1:])
        _Pages.under_way += 1
    try:
        yield
    finally:
        with _Pages.lock:
            _Pages.under_way -= 1
            if not _Pages.under_way:
                gc.set_threshold(*_Pages.thresholds)


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, the next of which is fetched in another thread meanwhile."""
    with _seldom_collected(), ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def write_behind(works: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Yield the results of calls; each call runs in another thread while the next one is made in this thread.

    One call runs at a time, in their order. After an error no further call begins; one that runs is waited for.
    """
    with _seldom_collected(), ThreadPoolExecutor(1) as thread:
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
    return EdgeRow._make([
        element, head_id(triple), tail_id(triple), *(getattr(triple, name) for name in Triple.__slots__), edge.split,
        *(getattr(edge, name) for name in EDGE_FIELDS),
    ])  # fmt: skip
