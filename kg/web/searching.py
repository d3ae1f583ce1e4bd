"""Search: phrases by their words, in Neo4j's own full-text index."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg.web.pages import render
from kg.web.site import Site

MOST_LETTERS = 200
"""Of what is searched for."""

_FOUND = 50  # phrases shown
_SPECIAL = frozenset('+-&|!(){}[]^"~*?:\\/')  # what means something in the index's language


def routes(site: Site) -> APIRouter:
    """Return the page's address."""
    router = APIRouter()

    @router.get("/search")
    def show(request: Request) -> Response:
        text = request.query_params.get("text", "")[:MOST_LETTERS]
        query = query_of(text)
        found = site.reading().rows("web/search", query=query, count=_FOUND + 1) if query else []
        return render(
            request, "search", text=text, searched=text, found=found[:_FOUND], cut=len(found) > _FOUND, most=_FOUND
        )

    return router


def query_of(text: str) -> str:
    r"""Return a query of the full-text index: all words, each of which may also be the beginning of one.

    A text without a letter or a digit gives no query, an empty text. Words that mean something in the index's language
    lose their meaning.

    >>> query_of("fires the b")
    '+("fires" fires*) +("the" the*) +("b" b*)'
    >>> query_of('AND (a" *')
    '+("and" and*) +("\\(a\\"" \\(a\\"*)'
    """
    words = [word.lower() for word in text.split() if any(letter.isalnum() for letter in word)]
    escaped = ["".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in word) for word in words]
    return " ".join(f'+("{word}" {word}*)' for word in escaped)
