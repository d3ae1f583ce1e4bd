"""The guard: who may ask, from where, and what a browser may do with the answer.

A request must name a host of ours (a page of another site whose name was made to point here does not), and come with a
session, which a token is exchanged for once; annotators see their own pages only. What changes something is a POST from
one of our own pages: by its Origin, and by a token in the form that only our pages know. Everything else is refused
with 403, and every answer, a refusal too, has the headers that keep scripts, frames and addresses of others out.

What is open, as the API that only reads is, needs the right host and nothing else; it is another application, which
knows no session.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWNER = "\0owner"
"""Who started the application; everybody else is an annotator, by name, and no name has this character."""

Who = Callable[[str], str | None]
"""Token to whose it is: `OWNER`, the name of an annotator, or None of nobody."""

ANNOTATORS_MAY = ("/judge/", "/static/")
"""Beginnings of the paths that annotators may open; a last slash may be missing."""

MOST_BYTES = 1_000_000
"""Of a form."""

MOST_SESSIONS = 10_000
"""Kept at once; the oldest ends."""

CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


_OWN_HEADERS = ("cache-control", "cross-origin-resource-policy")  # which an answer may have as it wants


class _Refused(Exception):  # noqa: N818 - reads as what happened
    """A request goes no further; the message is a sentence for a person."""


class Guard:
    """Stands before an application.

    Requests that pass have in their `state`: `who` (see `Who`), `csrf` (the value of a form's field `csrf`) and `form`
    (names and values of a posted form, each name once).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        who: Who,
        refusal: Callable[[str], Response],
        cookie: str,
        unguarded: tuple[ASGIApp, Callable[[str], bool]] | None = None,
    ) -> None:
        """Stand before an application.

        Args:
            app: the application.
            hosts: what a Host header may be, with the port, in lower case.
            who: whose a token is. It is asked with each request, so a token that is withdrawn ends its sessions.
            refusal: a sentence to the answer that says it, with status 403.
            cookie: name of the cookie; applications on other ports of this host have the same cookies.
            unguarded: an application that is open to all, which only reads, and which paths are its own.
        """
        self._app = app
        self._hosts = frozenset(hosts)
        self._who = who
        self._refusal = refusal
        self._cookie = cookie
        self._unguarded = unguarded
        self._key = secrets.token_bytes(32)
        self._sessions: dict[str, str] = {}  # to the token that each was opened with

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    if name not in _OWN_HEADERS or name not in headers:
                        headers[name] = value
            await send(message)

        answer, receive = await self._choose(Request(scope, receive))
        await answer(scope, receive, guarded)

    async def _choose(self, request: Request) -> tuple[ASGIApp, Receive]:
        """Return what answers a request, and where that finds the body."""
        try:
            self._check_host(request.headers)
            if self._unguarded and self._unguarded[1](request.scope["path"]):
                return self._unguarded[0], request.receive
            if request.method == "GET" and "token" in request.query_params:
                return self._exchange(request), request.receive
            request.scope.setdefault("state", {}).update(self._recognise(request))
            again = request.receive if request.method in ("GET", "HEAD") else await self._check_post(request)
        except _Refused as error:
            return self._refusal(str(error)), request.receive
        return self._app, again

    def _check_host(self, headers: Headers) -> None:
        named = headers.getlist("host")
        if len(named) != 1 or named[0].lower() not in self._hosts:
            raise _Refused("This application does not go by that name: open the address that kg serve printed.")

    def _exchange(self, request: Request) -> Response:
        """Return the redirect that drops the token from the address, with a session in its place."""
        token = request.query_params["token"]
        if self._who(token) is None:
            raise _Refused("That token is not valid: open the address that kg serve printed last.")
        session = secrets.token_urlsafe(32)
        self._sessions[session] = token
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        path = "/" + quote(request.url.path.lstrip("/\\"))  # no second slash, or it would lead to another host
        answer = RedirectResponse(path + (f"?{urlencode(others)}" if others else ""), 303)
        answer.set_cookie(self._cookie, session, httponly=True, samesite="strict", path="/")
        return answer

    def _recognise(self, request: Request) -> dict[str, object]:
        session = request.cookies.get(self._cookie, "")
        who = self._who(self._sessions[session]) if session in self._sessions else None
        if who is None:
            self._sessions.pop(session, None)
            raise _Refused("This needs a token: open the address that kg serve printed when it started.")
        if who != OWNER and not f"{request.scope['path']}/".startswith(ANNOTATORS_MAY):
            raise _Refused("This page is not for annotators.")
        csrf = hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()
        return {"who": who, "csrf": csrf, "form": {}}

    async def _check_post(self, request: Request) -> Receive:
        """Check that one of our pages sent this; return what gives the body again to who reads it next."""
        self._check_origin(request.headers)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise _Refused("That form is too long.")
        given = request.headers.get(CSRF_HEADER, "")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            try:
                form = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1_000))
            except ValueError as error:
                raise _Refused("That form cannot be read.") from error
            given = given or form.pop(CSRF_FIELD, "")
            request.state.form = form
        if not hmac.compare_digest(given.encode(), request.state.csrf.encode()):
            raise _Refused("That form is not one of this session's: go back, load the page again and repeat it.")

        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await request.receive()  # which says that the client is gone

        return again

    def _check_origin(self, headers: Headers) -> None:
        """Check by its Origin that a page of ours sent a form.

        A browser that was told to send no referrer says `null`, and tells by another header, which no page can set,
        whether that was one of ours.
        """
        origin = headers.get("origin")
        own = origin is not None and origin.lower() == f"http://{headers['host']}".lower()
        unsaid = origin == "null" and headers.get("sec-fetch-site") == "same-origin"
        if not own and not unsaid:
            raise _Refused("That form was not sent from a page of this application.")


def owner_and(token: str, annotator: Who) -> Who:
    """Return what tells the owner by a token, and annotators by a function."""

    def who(given: str) -> str | None:
        is_owner = hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())
        return OWNER if is_owner else annotator(given)

    return who
