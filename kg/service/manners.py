"""What every answer of the API does, whatever its route: HEAD, OPTIONS, and headers for pages of other sites.

A browser asks with OPTIONS before a page of another site may send what is no simple request (Fetch Standard, 4.8).
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS, _OF_SPARQL = "GET, HEAD, OPTIONS", "GET, HEAD, POST, OPTIONS"
_DAY_SECONDS = 86_400
_OPEN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag, allow, retry-after, kg-content-hash",
    "cross-origin-resource-policy": "cross-origin",
}


class Manners:
    """Stands before the routes, which know GET only, and that of SPARQL POST, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS; answer HEAD as GET without its body; give every answer its headers."""
        is_sparql = scope["path"].strip("/") == "sparql"
        allowed = _OF_SPARQL if is_sparql else _METHODS
        is_head = scope["method"] == "HEAD"

        async def mannered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_OPEN)
                if message["status"] == 405:  # noqa: PLR2004
                    headers["allow"] = allowed
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        if scope["method"] == "OPTIONS":
            await _told(Headers(scope=scope), allowed)(scope, receive, mannered)
        else:
            await self._app({**scope, "method": "GET"} if is_head else scope, receive, mannered)


def _told(asked: Headers, allowed: str) -> Response:
    """Return the answer to OPTIONS: what may be sent, with whatever headers the browser asks for."""
    headers = {
        "allow": allowed,
        "access-control-allow-methods": allowed,
        "access-control-allow-headers": asked.get("access-control-request-headers", "accept, if-none-match"),
        "access-control-max-age": str(_DAY_SECONDS),
        "cache-control": "no-cache",
        "vary": "Access-Control-Request-Headers",
    }
    return Response(None, 204, headers)
