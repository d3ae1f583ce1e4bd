"""`/sparql`: SPARQL 1.1's protocol over the kept store, and a page with a form for who comes with a browser.

A query comes in the address, in a form or as the body; the answer has the form that `Accept` wants, or the parameter
`format`. The header `kg-content-hash` says of which state of the graph the answer is: while the store is filled anew
for longer than a request waits, the one before answers. An error is `{"error": {"status", "details"}}`, or a page.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from kg.errors import (
    GraphChanged,
    InputError,
    KGError,
    NotReady,
    QueryError,
    QueryTooLong,
    ServerError,
    StoreUnavailable,
    Unacceptable,
)
from kg.sparql.asking import Answer, ask
from kg.sparql.forms import FORMS, PAGE, TABLE, accepted
from kg.sparql.kept import current, refresh
from kg.sparql.words import check_reading
from kg.web.pages import render
from kg.web.reading import Reading
from kg.web.site import Site

CONTENT_HASH = "kg-content-hash"
"""Header that says of which state of the graph an answer is."""

EXAMPLES = {
    "The best edges": """SELECT ?head ?relation ?tail ?score {
  ?triple rdf:subject ?h ; rdf:predicate ?relation ; rdf:object ?t ; property:score ?score .
  ?h skos:prefLabel ?head .
  ?t skos:prefLabel ?tail .
} ORDER BY DESC(?score) LIMIT 20""",
    "Who claimed how much": """SELECT ?run ?model (COUNT(?triple) AS ?edges) {
  ?triple a rdf:Statement ; prov:wasGeneratedBy ?run .
  OPTIONAL { ?run prov:wasAssociatedWith/rdfs:label ?model }
} GROUP BY ?run ?model ORDER BY DESC(?edges)""",
    "Texts of two heads as triples": """CONSTRUCT { ?one skos:related ?other }
WHERE {
  ?one ?relation ?tail .
  ?other ?relation ?tail .
  ?relation a rdf:Property .
  ?tail a skos:Concept .
  FILTER(STR(?one) < STR(?other))
} LIMIT 50""",
}
"""What an example asks, to its query."""

_FORM, _QUERY, _UPDATE = "application/x-www-form-urlencoded", "application/sparql-query", "application/sparql-update"
_DATA_SETS = ("default-graph-uri", "named-graph-uri", "using-graph-uri", "using-named-graph-uri")
_MOST_BYTES, _MOST_FIELDS = 200_000, 100
_ROWS = 200  # of the page's table
_SECONDS = 20.0  # after which a query is ended
_FIRST_SECONDS, _PATIENCE_SECONDS = 20.0, 5.0  # that a request waits for the first store, and for one anew
_RETRY_SECONDS = 5
_PIECE_BYTES = 1 << 16

Pairs = list[tuple[str, str]]


class _Refused(Exception):  # noqa: N818 - reads as what happened
    """A request is not one of the protocol, or not one for this graph."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def routes(site: Site) -> APIRouter:
    """Return the address."""
    router = APIRouter()

    @router.api_route("/sparql", methods=["GET", "HEAD", "POST"], include_in_schema=False)
    async def sparql(request: Request) -> Response:
        wanted = accepted(request.headers.get("accept", ""))
        query = ""
        try:
            given = await _given(request)
            query, form = _only(given, "query"), _only(given, "format")
            wanted = [form] if form else wanted
            if PAGE in wanted and not given and request.method != "POST":
                wanted = [PAGE]  # with its form, for who asks nothing
            _check(given, wanted)
            return await run_in_threadpool(_answer, site, request, query, wanted)
        except (StoreUnavailable, ServerError):
            raise  # the application opens the graph again
        except (KGError, _Refused) as error:
            return _failed(request, error, query, as_page=wanted[:1] == [PAGE])

    return router


async def _given(request: Request) -> Pairs:
    """Return the parameters of a request, from its address and its body; the query is one of them."""
    pairs = _pairs(request.scope["query_string"].decode("latin-1"))
    if request.method != "POST":
        return pairs
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _UPDATE:
        raise _Refused(400, "this graph is only read: no updates")
    if kind not in (_FORM, _QUERY):
        raise _Refused(415, f"a POST is {_FORM} or {_QUERY}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise _Refused(413, f"a query is sent in at most {_MOST_BYTES:,} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _Refused(400, "the body is not UTF-8") from error
    return [*pairs, *(_pairs(text) if kind == _FORM else [("query", text)])]


def _pairs(text: str) -> Pairs:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise _Refused(400, "the parameters cannot be read: they are percent-encoded UTF-8") from error


def _only(given: Pairs, name: str) -> str:
    values = [value for key, value in given if key == name]
    if len(values) > 1:
        raise _Refused(400, f"{name} is given {len(values)} times")
    return values[0] if values else ""


def _check(given: Pairs, wanted: Sequence[str]) -> None:
    names = {name for name, _ in given}
    if unknown := set(wanted) - {PAGE, *FORMS}:
        raise _Refused(400, f"format is one of {', '.join(FORMS)}, not {unknown.pop()[:40]!r}")
    if "update" in names:
        raise _Refused(400, "this graph is only read: no updates")
    if other := sorted(names & set(_DATA_SETS)):
        raise _Refused(400, f"{other[0]}: there is only this graph")
    if not wanted:
        raise _Refused(406, f"an answer is one of {PAGE}, {', '.join(form.media for form in FORMS.values())}")
    if "query" not in names and wanted[0] != PAGE:
        raise _Refused(400, "give a query: in the address (?query=), in a form, or as the body")


def _answer(site: Site, request: Request, query: str, wanted: Sequence[str]) -> Response:
    is_page = wanted[0] == PAGE
    if is_page and not query.strip():
        return _page(request, query)
    check_reading(query)
    folder = site.stages.rdf
    found = site.kept.get(
        "sparql", site.reading(), partial(_refresh, folder=folder), wait=_FIRST_SECONDS, wait_if_old=_PATIENCE_SECONDS
    )
    kept = current(folder)
    if kept is None or found.failed:
        raise NotReady(found.failed or "the graph is copied as RDF for the first time; ask again in a few seconds")
    headers = {"vary": "Accept", "cache-control": "no-cache", CONTENT_HASH: kept.content_hash}
    tag = _tag(kept.content_hash, query, wanted)
    if request.method in ("GET", "HEAD") and not is_page and tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers | {"etag": tag})
    forms = [TABLE] if is_page else [name for name in wanted if name != PAGE]
    answer = ask(folder, query, forms, timeout_seconds=_SECONDS, most_rows=_ROWS)
    headers[CONTENT_HASH] = answer.kept.content_hash
    if is_page:
        with answer.file as file:
            page = _page(request, query, table=json.load(file), answer=answer)
        page.headers[CONTENT_HASH] = answer.kept.content_hash
        return page
    if request.method != "POST":
        headers["etag"] = _tag(answer.kept.content_hash, query, wanted)
    headers["content-length"] = str(os.fstat(answer.file.fileno()).st_size)
    if request.method == "HEAD":
        answer.file.close()
        return Response(None, 200, headers, media_type=FORMS[answer.form].media)
    return StreamingResponse(_pieces(answer.file), 200, headers, media_type=FORMS[answer.form].media)


def _refresh(reading: Reading, folder: Path) -> None:
    """Bring the store up to date; where a run writes all the time, stay with the state that is kept."""
    try:
        refresh(reading.graph, folder)
    except GraphChanged:
        if current(folder) is None:
            raise


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _tag(content_hash: str, query: str, wanted: Sequence[str]) -> str:
    said = orjson.dumps([content_hash, query, list(wanted)])
    return f'"{hashlib.blake2b(said, digest_size=12).hexdigest()}"'


def _page(
    request: Request, query: str, *, status: int = 200, table: dict[str, Any] | None = None,
    answer: Answer | None = None, failed: str = "", reload_seconds: int = 0,
) -> Response:  # fmt: skip
    return render(
        request, "sparql", status=status, reload_seconds=reload_seconds, query=query, table=table, most=_ROWS,
        failed=failed, examples=EXAMPLES,
        forms=[] if answer is None else _downloads(answer), content_hash=answer.kept.content_hash if answer else "",
    )  # fmt: skip


def _downloads(answer: Answer) -> list[str]:
    """Return the forms that the answer of a page could have had."""
    return [name for name, form in FORMS.items() if form.of_triples == answer.of_triples]


def _failed(request: Request, error: KGError | _Refused, query: str, *, as_page: bool) -> Response:
    status = _status(error)
    wait = _RETRY_SECONDS if isinstance(error, NotReady) else 0
    if as_page:  # which says it beside its form, and comes again by itself where that helps
        return _page(request, query, status=status if wait else 200, failed=str(error), reload_seconds=wait)
    headers = {"retry-after": str(wait)} if wait else {}
    body = orjson.dumps({"error": {"status": status, "details": str(error)}})
    return Response(body, status, headers, media_type="application/json")


def _status(error: KGError | _Refused) -> int:
    if isinstance(error, _Refused):
        return error.status
    if isinstance(error, Unacceptable):
        return 406
    if isinstance(error, QueryTooLong | NotReady):
        return 503
    return 400 if isinstance(error, InputError | QueryError) else 500
