"""The API as an application: routes, parameters, pages of edges, errors, and headers for clients of every kind.

It only reads, knows no session and takes no token: `kg.web.guard` lets its routes pass, whoever asks, where the Host
header is right. Every answer is JSON-LD but for `/docs`; an error is `{"error": {"status", "details"}}`.
"""

import hashlib
import traceback
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from kg import __version__
from kg.errors import InputError, KGError, NotFound, NotReady, ServerError, StoreUnavailable
from kg.exchange.conceptnet import plain_uri
from kg.service.context import CONTEXT, CONTEXT_PATH
from kg.service.docs import page_of
from kg.service.lookups import Criteria, Known, Lookups
from kg.service.manners import Manners
from kg.service.uris import parameters_of, read_assertion, standard_uri, uri_of
from kg.terminal import say
from kg.web import sparql
from kg.web.site import Site

ROUTES = ("c", "r", "a", "s", "d", "query", "uri", "related", "relatedness", "ld", "docs", "openapi.json",
          "sparql")  # fmt: skip
"""First parts of the paths that are the API's."""

MOST_EDGES, MOST_RELATED, MOST_TERMS = 1_000, 100, 50
_MOST_OFFSET = 10_000_000

_Limit = Annotated[int, Query(ge=1, description="Most edges; from 1,001 on it is 1,000.")]
_Offset = Annotated[int, Query(ge=0, le=_MOST_OFFSET, description="Edges before the page.")]
_After = Annotated[str, Query(max_length=200, description="Where the page begins, as nextPage says.")]
_Grouped = Annotated[bool, Query(description="By feature, limit edges of each.")]
_URI = Annotated[str, Query(max_length=20_000, description="A URI, or the beginning of one up to a slash.")]


def is_api(path: str) -> bool:
    """Tell whether a path is one of the API's.

    >>> is_api("/c/en/cat"), is_api("/query"), is_api("/critics"), is_api("/browse")
    (True, True, False, False)
    """
    return path.lstrip("/").partition("/")[0] in ROUTES and not path.startswith("//")


def make_api(site: Site) -> ASGIApp:  # noqa: C901 - a function a route
    """Return the application: the API's routes, and SPARQL's.

    Args:
        site: the graph.
    """
    app = FastAPI(
        title="skd-graph", version=__version__, docs_url=None, redoc_url=None, openapi_url=None,
        description="ConceptNet 5's read API over this graph. URIs are ConceptNet's.", redirect_slashes=False,
        dependencies=[Depends(_check_names)],
    )  # fmt: skip
    app.include_router(sparql.routes(site))
    known = Known()

    def lookups() -> Lookups:
        return Lookups(site.reading(), known)

    def listed(request: Request, uri: str, asked: Criteria, **paging: Any) -> Response:
        found = _page(lookups(), request, asked, **paging)
        if not found["edges"] and not paging["offset"] and not paging["after"]:
            raise NotFound(f"{uri[:500]} is in no edge of this graph")
        return _answer(request, {"@id": uri} | found)

    @app.get("/c/{rest:path}", summary="Edges around a term, or of a language.")
    def concept(
        request: Request, rest: str, limit: _Limit = 20, offset: _Offset = 0, after: _After = "",
        grouped: _Grouped = False,
    ) -> Response:  # fmt: skip
        uri = _asked(request, rest)
        if grouped:
            return _answer(request, {"@id": uri, "features": _features(lookups(), uri, min(limit, MOST_EDGES))})
        return listed(request, uri, Criteria(node=uri), limit=limit, offset=offset, after=after)

    @app.get("/r/{rest:path}", summary="Edges of a relation.")
    def relation(request: Request, rest: str, limit: _Limit = 20, offset: _Offset = 0, after: _After = "") -> Response:
        uri = _asked(request, rest)
        return listed(request, uri, Criteria(rel=uri), limit=limit, offset=offset, after=after)

    @app.get("/s/{rest:path}", summary="Edges of a source, or of a run.")
    def source(request: Request, rest: str, limit: _Limit = 20, offset: _Offset = 0, after: _After = "") -> Response:
        uri = _asked(request, rest)
        return listed(request, uri, Criteria(source=uri), limit=limit, offset=offset, after=after)

    @app.get("/d/{rest:path}", summary="Edges of a data set.")
    def dataset(request: Request, rest: str, limit: _Limit = 20, offset: _Offset = 0, after: _After = "") -> Response:
        uri = _asked(request, rest)
        return listed(request, uri, Criteria(dataset=uri), limit=limit, offset=offset, after=after)

    @app.get("/a/{rest:path}", summary="One edge, by its URI.")
    def assertion(request: Request, rest: str) -> Response:
        return _answer(request, lookups().assertion(_asked(request, rest)))

    @app.get("/query", summary="Edges that fulfil all that is given.")
    def query(
        request: Request, rel: _URI = "", start: _URI = "", end: _URI = "", node: _URI = "", other: _URI = "",  # noqa: ARG001
        source: _URI = "", dataset: _URI = "", uri: _URI = "", limit: _Limit = 50, offset: _Offset = 0,  # noqa: ARG001
        after: _After = "",
    ) -> Response:  # fmt: skip
        given = {name: value for name, value in parameters_of(request.scope["query_string"]).items() if value != "/"}
        asked = _criteria(given)
        found = _page(lookups(), request, asked, limit=limit, offset=offset, after=after)
        return _answer(request, {"@id": found["view"]["@id"]} | found)

    @app.get("/uri", summary="The URI of a text.")
    def uri_of_text(request: Request, language: Annotated[str, Query(max_length=40)], text: str) -> Response:
        if not language.strip() or not text.strip() or "/" in language:
            raise InputError("language and text must not be empty")
        language = language.strip() if "-" in language else language.strip().lower()  # pt-BR is as its graph has it
        exact = plain_uri(text.strip(), language)
        found = exact if lookups().has(exact) else standard_uri(text, language)
        return _answer(request, {"@id": found})

    @app.get("/related/{rest:path}", summary="Terms whose vectors are near; /related/list/en/cat,dog@-0.5 for several.")
    def related(
        request: Request, rest: str, filter: _URI = "",  # noqa: A002, ARG001
        limit: Annotated[int, Query(ge=1, description="Most terms; from 101 on it is 100.")] = 50,
    ) -> Response:  # fmt: skip
        given = _asked(request, rest)
        terms = _terms(given.removeprefix("/related"))
        within = parameters_of(request.scope["query_string"]).get("filter", "")
        near = lookups().related(terms, within=within, count=min(limit, MOST_RELATED))
        own = given if given.startswith("/related/list/") else next(iter(terms))
        return _answer(request, {"@id": own, "related": near})

    @app.get("/relatedness", summary="How near the vectors of two terms are, from -1 to 1.")
    def relatedness(request: Request, node1: _URI, node2: _URI) -> Response:  # noqa: ARG001
        given = parameters_of(request.scope["query_string"])
        value = lookups().relatedness(given["node1"], given["node2"])
        own = f"/relatedness?{_encoded({name: given[name] for name in ('node1', 'node2')})}"
        return _answer(request, {"@id": own, "value": value})

    @app.get(CONTEXT_PATH, include_in_schema=False)
    def context(request: Request) -> Response:
        return _respond(request, orjson.dumps(CONTEXT), 200)

    @app.get("/openapi.json", include_in_schema=False)
    def described(request: Request) -> Response:
        return _respond(request, orjson.dumps(app.openapi()), 200)

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return _respond(request, page_of(app.openapi()).encode(), 200, media="text/html; charset=utf-8")

    @app.exception_handler(KGError)
    def tell(request: Request, error: KGError) -> Response:
        if isinstance(error, StoreUnavailable | ServerError):
            site.link.lost()
            return _error(request, 503, "Neo4j does not answer; ask again in a few seconds")
        return _error(request, 404 if isinstance(error, NotFound | NotReady) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    def tell_of_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _error(request, 400, f"{first['loc'][-1]}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def tell_of_address(request: Request, error: HTTPException) -> Response:
        return _error(request, error.status_code, f"{error.detail}: {request.url.path[:200]}; /docs names the routes")

    @app.exception_handler(Exception)
    def tell_unforeseen(request: Request, error: Exception) -> Response:
        say(*"".join(traceback.format_exception(error)).splitlines(), err=True)
        return _error(request, 500, f"an error that nobody foresaw, {type(error).__name__}")

    return Manners(app)


def _check_names(request: Request) -> None:
    """Check that no parameter of the address is given twice: whichever counts, a client may have meant the other."""
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{twice[0][:40]} is given more than once")


def _page(
    lookups: Lookups, request: Request, asked: Criteria, *, limit: int, offset: int, after: str
) -> dict[str, Any]:
    """Return `edges` and `view` of a page."""
    count = min(limit, MOST_EDGES)
    found = lookups.page(asked, offset=offset, count=count, after=after)
    path = quote(uri_of(_raw_path(request)), safe="/[],")
    own = parameters_of(request.scope["query_string"])
    kept = {name: value for name, value in own.items() if name not in ("offset", "limit", "after")}

    def link(begin: int, mark: str = "") -> str:
        return f"{path}?{_encoded(kept | {'offset': begin, 'limit': count} | ({'after': mark} if mark else {}))}"

    view: dict[str, Any] = {
        "@id": link(offset, after), "@type": "PartialCollectionView", "paginatedProperty": "edges",
        "firstPage": link(0),
    }  # fmt: skip
    if offset:
        view["previousPage"] = link(max(0, offset - count))
    if found.following is not None:
        view["nextPage"] = link(offset + count, found.following)
    return {"edges": found.edges, "view": view}


def _features(lookups: Lookups, uri: str, count: int) -> list[dict[str, Any]]:
    groups = []
    for feature, symmetric, total, edges in lookups.features(uri, count=count):
        first = f"/query?{_encoded(feature | {'offset': 0, 'limit': count})}"
        view = {"@id": first, "@type": "PartialCollectionView", "paginatedProperty": "edges", "firstPage": first}
        if total > count:
            view["nextPage"] = f"/query?{_encoded(feature | {'offset': count, 'limit': count})}"
        groups.append({"feature": feature, "symmetric": symmetric, "total": total, "edges": edges, "view": view})
    return groups


def _criteria(given: dict[str, str]) -> Criteria:
    """Return what a query asks for; `uri` stands for any of them, by how it begins."""
    names = [name for name in Criteria.__slots__ if given.get(name)]
    found = {name: given[name] for name in names}
    if uri := given.get("uri"):
        if uri.startswith("/a/"):
            found |= dict(zip(("rel", "start", "end"), read_assertion(uri), strict=True))
        else:
            name = {"/r/": "rel", "/s/": "source", "/d/": "dataset"}.get(uri[:3], "node")
            if found.get(name, uri) != uri:
                raise InputError(f"uri and {name} are both given, and differ")
            found[name] = uri
    if not found:
        raise InputError("give at least one of rel, start, end, node, other, source, dataset, uri")
    for name in ("start", "end", "node", "other"):
        if name in found and not (found[name].startswith("/") or "://" in found[name]):
            raise InputError(f"{name} {found[name][:200]} is not a URI like /c/en/cat")
    return Criteria(**found)


def _terms(given: str) -> dict[str, float]:
    """Return the terms of `/c/en/cat`, or of `/list/en/cat,dog@-0.5`, with their weights."""
    parts = given.split("/", 3)
    if parts[1:2] != ["list"]:
        return {given: 1.0}
    if len(parts) < 4 or not parts[3]:  # noqa: PLR2004
        raise InputError("a list is /related/list/LANGUAGE/TERM,TERM@WEIGHT")
    found: dict[str, float] = {}
    for part in parts[3].split(","):
        term, _, weight = part.rpartition("@") if "@" in part else (part, "", "1")
        try:
            number = float(weight)
        except ValueError as error:
            raise InputError(f"weight {weight[:40]!r} is not a number") from error
        if not term or not abs(number) <= 1e6:  # noqa: PLR2004 - NaN, too
            raise InputError(f"{part[:100]!r} is not TERM or TERM@WEIGHT")
        uri = f"/c/{parts[2]}/{term}"
        found[uri] = found.get(uri, 0.0) + number
    if len(found) > MOST_TERMS:
        raise InputError(f"a list has at most {MOST_TERMS} terms")
    return found


def _asked(request: Request, rest: str) -> str:
    """Return the URI that the path of a request is; `rest` is what follows its first part, to be documented."""
    if not rest.strip("/"):
        raise InputError("the address ends where a URI should go on; /docs names the routes")
    return uri_of(_raw_path(request))


def _raw_path(request: Request) -> str:
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return str(raw.partition(b"?")[0].decode("latin-1"))


def _encoded(parameters: dict[str, Any]) -> str:
    return urlencode(parameters, safe="/[],", quote_via=quote)


def _answer(request: Request, content: dict[str, Any]) -> Response:
    about = {"@context": [f"{str(request.base_url).rstrip('/')}{CONTEXT_PATH}"], "version": __version__}
    return _respond(
        request, orjson.dumps(about | content), 200, media="application/ld+json" if _wants_ld(request) else ""
    )


def _wants_ld(request: Request) -> bool:
    return "application/ld+json" in request.headers.get("accept", "")


def _error(request: Request, status: int, details: str) -> Response:
    return _respond(request, orjson.dumps({"error": {"status": status, "details": details}}), status)


def _respond(request: Request, body: bytes, status: int, *, media: str = "") -> Response:
    """Return an answer that any page may read, and that a client need not load again while it is the same."""
    headers = {"vary": "Accept", "cache-control": "no-cache"}
    if status == 200:  # noqa: PLR2004
        tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers["etag"] = tag
        known = request.headers.get("if-none-match", "")
        if known == "*" or tag in [one.strip().removeprefix("W/") for one in known.split(",")]:
            return Response(None, 304, headers)
    return Response(body, status, headers, media_type=media or "application/json")
