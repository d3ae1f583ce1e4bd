"""Templates become pages. All that comes from outside is escaped, and what hides or turns text is shown.

A text of the graph goes through the macro `text` of `parts.html`: `kg.terminal.visible` shows controls and what steers
the direction of writing, and `<bdi>` keeps a text of the other direction from turning what stands beside it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from kg.lettering import apart, direction
from kg.terminal import visible
from kg.web.guard import OWNER

STATIC = Path(__file__).with_name("static")

PAGES = (
    ("/", "Home"),
    ("/browse", "Browse"),
    ("/cypher", "Cypher"),
    ("/sparql", "SPARQL"),
    ("/tradeoff", "Trade-off"),
    ("/models", "Critics and students"),
    ("/judge", "Judge"),
)
"""Paths of the pages in the navigation, with their names."""

OF_ANNOTATORS = (("/judge", "Judge"), ("/judge/mine", "What you said"))
"""The same for those who only judge."""

OF_ALL = (("/", "Home"),)
"""The same on a page that is open to all."""

_BESIDE = {"/batch": "/judge", "/batches": "/judge"}
"""Paths of pages that belong to another one of the navigation."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def render(
    request: Request, template: str, /, *, status: int = 200, reload_seconds: int = 0, **values: Any
) -> HTMLResponse:
    """Return a page.

    Args:
        request: whose answer it is.
        template: its name, without the ending.
        status: of the answer.
        reload_seconds: after which a browser loads it again; 0 is never.
        values: what stands in it.
    """
    state = request.scope.get("state", {})
    is_owner = state.get("who") == OWNER
    pages = PAGES if is_owner else OF_ANNOTATORS if "who" in state else OF_ALL
    about = {
        "here": _here(request.url.path, [path for path, _ in pages]), "csrf": state.get("csrf", ""), "pages": pages,
        "is_owner": is_owner, "reload_seconds": reload_seconds,
    }  # fmt: skip
    text = _TEMPLATES.get_template(f"{template}.html").render(**about, **values)
    return HTMLResponse(text, status, {"refresh": str(reload_seconds)} if reload_seconds else None)


def sentence(request: Request, status: int, title: str, text: str, *, reload_seconds: int = 0) -> HTMLResponse:
    """Return a page that says one thing, as one about an error does."""
    return render(request, "sentence", status=status, reload_seconds=reload_seconds, title=title, text=text)


def refusal(text: str) -> HTMLResponse:
    """Return the page of a refusal, which stands alone: whoever is refused gets no style sheet either."""
    return HTMLResponse(_TEMPLATES.get_template("refusal.html").render(text=text), 403)


def address(path: str, **parameters: object) -> str:
    """Return an address with those parameters that have a value.

    >>> address("/browse", relation="xWant", text="", split=None)
    '/browse?relation=xWant'
    """
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def ago(seconds: float) -> str:
    """Return how long ago something was.

    >>> ago(3), ago(150), ago(7300)
    ('3 seconds ago', '2 minutes ago', '2 hours ago')
    """
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second")):
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def _here(path: str, pages: Sequence[str]) -> str:
    """Return the page of the navigation that a path belongs to: the longest that it begins with; empty if none.

    >>> _here("/judge/ask/0", ["/", "/judge"]), _here("/batch", ["/", "/judge"]), _here("/reply", ["/"])
    ('/judge', '/judge', '')
    """
    path = _BESIDE.get(path, path)
    found = (page for page in pages if path == page or (page != "/" and path.startswith(f"{page}/")))
    return max(found, key=len, default="")


def _since(text: str | None) -> str:
    """Return how long ago a time was, in the form that runs have; nothing where there is none."""
    try:
        return ago((datetime.now(UTC) - datetime.fromisoformat(text or "")).total_seconds())
    except (ValueError, TypeError):
        return ""


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "apart": lambda text: apart(str(text)), "direction": lambda text: direction(str(text)),
    "visible": lambda text: visible(str(text)), "visible_lines": lambda text: visible(str(text), "\n"),
    "score": _score, "percent": _percent, "number": _number, "since": _since, "ago": ago,
    "part": lambda text: quote(str(text), safe=""),
}  # fmt: skip
_TEMPLATES.globals["address"] = address
