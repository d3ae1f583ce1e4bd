"""The application: its pages put together, behind the guard, and every error a sentence on a page."""

import traceback
from collections.abc import Callable, Collection

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from kg.errors import GraphChanged, InputError, KGError, NotFound, NotReady, ServerError, StoreUnavailable
from kg.terminal import say
from kg.web import (
    asking,
    batches,
    browse,
    critics,
    history,
    home,
    judging,
    models,
    phrases,
    searching,
    sparql,
    students,
    tradeoff,
)
from kg.web.guard import Guard, Who
from kg.web.pages import STATIC, refusal, sentence
from kg.web.site import Site

_RETURN_SECONDS = 3  # after which a page whose database is gone is loaded again

_STATUS: dict[type[KGError], tuple[int, str]] = {
    NotFound: (404, "Not found"),
    InputError: (400, "That cannot be done"),
    NotReady: (409, "Something else comes first"),
    GraphChanged: (409, "The graph changed meanwhile"),
}


def make_app(
    site: Site,
    *,
    hosts: Collection[str],
    who: Who,
    cookie: str = "kg",
    unguarded: tuple[ASGIApp, Callable[[str], bool]] | None = None,
) -> Guard:
    """Return the application.

    Args:
        site: the graph, and what the stages do.
        hosts: what a Host header may be, with the port.
        who: whose a token is.
        cookie: name of the cookie that a token is exchanged for.
        unguarded: an application that needs no token, and which paths are its own.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    pages = (
        home,
        searching,
        phrases,
        browse,
        asking,
        sparql,
        tradeoff,
        models,
        critics,
        students,
        judging,
        history,
        batches,
    )
    for page in pages:
        app.include_router(page.routes(site))

    @app.exception_handler(KGError)
    def tell(request: Request, error: KGError) -> Response:
        if isinstance(error, StoreUnavailable | ServerError):
            site.link.lost()
            title = "Neo4j does not answer"
            text = f"{error}. This page tries again by itself."
            return sentence(request, 503, title, text, reload_seconds=_RETURN_SECONDS if request.method == "GET" else 0)
        status, title = next((of for kind, of in _STATUS.items() if isinstance(error, kind)), (500, "It did not work"))
        return sentence(request, status, title, f"{error}.")

    @app.exception_handler(HTTPException)
    def tell_of_address(request: Request, error: HTTPException) -> Response:
        return sentence(request, error.status_code, error.detail, "There is no such page here.")

    @app.exception_handler(Exception)
    def tell_unforeseen(request: Request, error: Exception) -> Response:
        say(*"".join(traceback.format_exception(error)).splitlines(), err=True)
        text = f"An error that nobody foresaw, {type(error).__name__}; the terminal of kg serve shows where."
        return sentence(request, 500, "It did not work", text)

    return Guard(app, hosts=hosts, who=who, refusal=refusal, cookie=cookie, unguarded=unguarded)
