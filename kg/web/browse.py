"""Edges by filters: each choice is an address, each page begins after the last edge of the one before.

A page looks at the edges of some hundred events at a time, until it is full or its time is up; then it says how to go
on. So no filter, however few edges pass it, makes a page slow on a large graph.
"""

import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from kg.errors import InputError
from kg.exchange.formats import writable
from kg.exchange.selection import Selection
from kg.model import SPLITS
from kg.store.bolt import Row
from kg.web.filters import PHRASES, Filters
from kg.web.pages import address, render
from kg.web.reading import Reading
from kg.web.site import Site

DOWNLOADS = {"jsonl": "edges.jsonl", "tsv": "edges.tsv", "rdf": "edges.ttl"}
"""Formats of a selection, with the name of the file."""

_ROWS = 50  # of a page
_EVENTS = 200  # events looked at at once
_SECONDS = 0.04  # after which a page with an edge on it looks no further
_EMPTY_SECONDS = 3.0  # after which an empty page looks no further


class Place(NamedTuple):
    """Where a page begins: after the edge of these keys; all are empty at the beginning."""

    head: str = ""
    relation: str = ""
    tail: str = ""


BEGINNING = Place()


class Page(NamedTuple):
    """A page of edges, and where the next one begins; None after the last.

    Attributes:
        rows: as of `web/browse`.
        following: where the next page begins.
        cut: whether the text has more phrases than were looked at.
    """

    rows: list[Row]
    following: Place | None
    cut: bool = False


def routes(site: Site) -> APIRouter:
    """Return the addresses of the page and of its downloads."""
    router = APIRouter()

    @router.get("/browse")
    def show(request: Request) -> Response:
        given = request.query_params
        filters = Filters.parse(given)
        begin = Place(*(given.get(name, "") for name in ("head", "after", "tail")))
        reading = site.reading()
        page = find(reading, filters, begin)
        ours = filters.address()
        following = None
        if page.following:
            following = address("/browse", **ours, **dict(zip(("head", "after", "tail"), page.following, strict=True)))
        condition = filters.shown_condition()
        where = f" --where {shlex.quote(' '.join(condition.split()))}" if condition else ""
        return render(
            request, "browse", filters=filters, given=ours, rows=page.rows, following=following, cut=page.cut,
            full=len(page.rows) == _ROWS, first=begin == BEGINNING, splits=SPLITS,
            relations=_relations(reading, filters.relation), downloads=DOWNLOADS, most=PHRASES,
            cypher=filters.shown_statement(), command="" if filters.query else f"kg export jsonl edges.jsonl{where}",
        )  # fmt: skip

    @router.get("/browse/download")
    def download(request: Request) -> Response:
        name = DOWNLOADS.get(format_name := request.query_params.get("format", ""))
        if name is None:
            raise InputError(f"format {format_name[:40]!r} is not one of {', '.join(DOWNLOADS)}")
        filters = Filters.parse(request.query_params)
        reading = site.reading()
        condition, values = filters.condition(), {n: v for n, v in filters.values().items() if v is not None}
        if filters.query:
            values["ids"] = ids_of(reading, filters)[0]
            condition = "\nAND ".join(filter(None, [condition, "(head.id IN $ids OR tail.id IN $ids)"]))
        part = Selection(reading.graph, where=condition or None, parameters=values)
        folder = Path(tempfile.mkdtemp(prefix="kg-"))
        done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        try:
            writable()[format_name](part, path=folder / name, base=None, form=None)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return FileResponse(folder / name, filename=name, media_type="application/octet-stream", background=done)

    return router


def find(reading: Reading, filters: Filters, begin: Place = BEGINNING, *, count: int = _ROWS) -> Page:
    """Return a page of the edges that pass filters.

    Args:
        reading: the graph.
        filters: which edges.
        begin: where the page begins.
        count: most edges of it.
    """
    values = filters.values()
    split = values.pop("split")
    ids, cut = ids_of(reading, filters) if filters.query else (None, False)
    rows: list[Row] = []
    start = time.monotonic()
    place = begin
    while True:
        heads = _heads(reading, ids, place.head, split, values["judged"])
        window = heads[:_EVENTS]
        rows += reading.rows(
            "web/browse", heads=window, head=place.head, after=place.relation, tail=place.tail, ids=ids,
            count=count + 1 - len(rows), **values,
        )  # fmt: skip
        if len(rows) > count:
            last = rows[count - 1]
            return Page(rows[:count], Place(last["head_id"], last["relation"], last["tail_id"]), cut)
        if len(heads) <= _EVENTS:
            return Page(rows, None, cut)
        place = Place(heads[_EVENTS])
        if time.monotonic() - start > (_SECONDS if rows else _EMPTY_SECONDS):
            return Page(rows, place, cut)


def ids_of(reading: Reading, filters: Filters) -> tuple[list[str], bool]:
    """Return the keys of the phrases that have the text of filters, and whether there are more."""
    found = reading.rows("web/search", query=filters.query, count=PHRASES + 1)
    return [row["id"] for row in found[:PHRASES]], len(found) > PHRASES


def _relations(reading: Reading, chosen: str) -> list[str]:
    """Return the names of all relations, and the chosen one, known or not."""
    return list(dict.fromkeys([*(row["name"] for row in reading.rows("graph/relations")), *filter(None, [chosen])]))


def _heads(reading: Reading, ids: Sequence[str] | None, head: str, split: Any, judged: Any) -> list[str]:
    """Return the keys of the events that are looked at next, and of one more."""
    if ids is None:
        name = "web/judged_heads" if judged else "web/heads"
        found = reading.rows(name, head=head, split=split, count=_EVENTS + 1)
    else:
        found = reading.rows("web/heads_of", ids=ids, head=head, split=split, count=_EVENTS + 1)
    return [row["id"] for row in found]
