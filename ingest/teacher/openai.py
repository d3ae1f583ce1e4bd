"""A teacher behind an OpenAI-compatible address: OpenAI, Azure-style gateways, vLLM, llama.cpp, Ollama and others.

The `openai` SDK (asynchronous, over aiohttp) sends; its retries are off, since `ingest.teacher.asking` bounds them and
counts the money. Servers differ in what they accept: what one refuses (a JSON schema, a name for the limit of tokens,
sampling parameters) it names in the `param` of its refusal. The request is said otherwise then; when that succeeds, the
word is learnt: said so from then on, and kept in the cache as the server's dialect.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import combinations
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

from ingest.teacher.blotting import blot, one_line, split_address
from ingest.teacher.messages import Interface, Reply, Request
from ingest.teacher.replies import read_reply
from kg.errors import KGError, MalformedReply, RefusedReply, TeacherError, TeacherUnavailable

_CHAT_TOKENS = 512  # of a chat message besides its texts: JSON, and some thinking aloud
_CHAT_TEXT_TOKENS = 24
_LONGEST_SECONDS = 86400.0 * 366  # more than this is no time that anybody asks to be left alone for
_STATUS_OF_KEY = (401, 403)
_STATUS_OF_MONEY = 402
_STATUS_OF_MODEL = 404
_STATUS_OF_REQUEST = (400, 413, 422)
_STATUS_BUSY = (408, 409, 425, 429)
_DIALECT: dict[str, frozenset[str]] = {
    "no-schema": frozenset({"response_format", "json_schema", "guided_json", "grammar"}),
    "max-completion-tokens": frozenset({"max_tokens"}),
    "no-sampling": frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"}),
    "no-logprobs": frozenset({"logprobs", "top_logprobs"}),
}
"""What may be learnt of a server, and the parameters that it names when it refuses them."""
_CODE_OF_SIZE = re.compile(r"length|above|too_|exceed|maximum|filter|polic|quota", re.IGNORECASE)  # means the prompt
_FILTERED = re.compile(r"content_filter|content management policy|moderation|flagged", re.IGNORECASE)
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "items",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"items": {"type": "array", "items": {"type": "string"}}},
            "required": ["items"],
            "additionalProperties": False,
        },
    },
}


class Teacher(Protocol):
    """A provider below, prompting above.

    Attributes:
        model: the name it is asked for by.
        interface: completions, chat or local.
        dialect: what was learnt of it.
    """

    model: str
    interface: Interface
    server: str
    dialect: set[str]

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text."""
        ...

    def speak(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:
        """Return a request in the dialect learnt so far, and in further words of it."""
        ...

    def forms(self, request: Request) -> list[Request]:
        """Return all ways in which a request may have been said and paid for: as now, as first made, and between."""
        ...

    async def ask(self, request: Request) -> Reply:
        """Return the reply, or raise what `kg.errors` has below `TeacherError`."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def resolve(base_url: str | None) -> str:
    """Return the address that is meant: the given one, `OPENAI_BASE_URL`, or OpenAI's own.

    Raises:
        TeacherError: it is no address, or has a secret in it.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    split_address(address)
    return address.strip()


class NotUnderstoodError(Exception):
    """The server does not know a parameter of a request that can be said otherwise.

    Attributes:
        word: of the dialect in which it can.
    """

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class OpenAITeacher:
    """A model behind an OpenAI-compatible address."""

    def __init__(
        self,
        model: str,
        interface: Interface = "chat",
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_seconds: float = 120,
        in_flight: int = 64,
    ) -> None:
        """Describe it; nothing is sent yet.

        Args:
            model: its name at the provider.
            interface: completions or chat.
            base_url: with `/v1` or what the server has for it; a query (`?api-version=…`) is sent with every request,
                as Azure-style gateways want; None takes `OPENAI_BASE_URL`, else OpenAI's own.
            api_key: None takes `OPENAI_API_KEY`; a server on this machine needs none.
            timeout_seconds: of one request from its first byte to the last of the answer.
            in_flight: most connections.

        Raises:
            TeacherError: the address is none, or has a secret in it; there is no key, or it cannot be one.
        """
        parts = split_address(resolve(base_url))
        key = (api_key or os.environ.get("OPENAI_API_KEY", "")).strip()
        if not all("!" <= one <= "~" for one in key):
            raise TeacherError("OPENAI_API_KEY has a space or another character that no key has")
        if not key and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise TeacherError(f"{parts.hostname} wants a key; set OPENAI_API_KEY")
        self.model = model
        self.interface: Interface = interface
        self.dialect: set[str] = set()
        self._query = dict(parse_qsl(parts.query))
        self._base = parts._replace(query="", fragment="").geturl().rstrip("/")
        self.server = f"{self._base} {model} {interface}"
        self._key = key or "none"
        self._timeout_seconds = timeout_seconds
        self._in_flight = in_flight
        self._client: Any = None

    async def __aenter__(self) -> Self:
        import openai  # noqa: PLC0415 - takes a second

        from ingest.teacher.transport import BoundedAsyncClient  # noqa: PLC0415 - imports the SDK

        self._openai = openai
        self._client = openai.AsyncOpenAI(
            api_key=self._key, base_url=self._base, max_retries=0, timeout=self._timeout_seconds,
            default_query=self._query, default_headers={"api-key": self._key} if self._query else None,
            http_client=BoundedAsyncClient(self._in_flight),
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    @property
    def url(self) -> str:
        """Where its requests go."""
        return f"{self._base}/{'completions' if self.interface == 'completions' else 'chat/completions'}"

    def batch_client(self) -> Any:
        """Return a plain client for files and batches, with the SDK's own retries."""
        import openai  # noqa: PLC0415 - takes a second

        from ingest.teacher.transport import BoundedClient  # noqa: PLC0415 - imports the SDK

        self._openai = openai
        return openai.OpenAI(
            api_key=self._key, base_url=self._base, default_query=self._query,
            default_headers={"api-key": self._key} if self._query else None, http_client=BoundedClient(),
        )  # fmt: skip

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Translate what the SDK, and the libraries below it, raise inside."""
        try:
            yield
        except (KGError, OSError):
            raise
        except self._openai.APIStatusError as error:
            raise self._redirected(error) or TeacherError(
                f"{self._base} refuses ({error.status_code}): {self._said(error.message)}"
            ) from None
        except self._openai.APIConnectionError as error:
            reason = self._said(error.__cause__ or error)
            raise TeacherError(f"the connection to {self._base} failed: {reason}") from None
        except Exception as error:  # noqa: BLE001 - what else a parser of answers raises
            raise TeacherError(f"the answer of {self._base} cannot be read: {self._said(error)}") from None

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text, as it is said to a server that knows all."""
        body: dict[str, Any] = {"model": self.model, **settings}
        if self.interface == "completions":
            body |= {"prompt": text, "n": count, "logprobs": 1}
        else:
            body |= {
                "messages": [{"role": "user", "content": text}],
                "max_tokens": _CHAT_TOKENS + count * max(_CHAT_TEXT_TOKENS, int(settings.get("max_tokens", 0))),
                "response_format": _SCHEMA,
            }
            body.pop("stop", None)
        return Request(name, self.url, body, count)

    def speak(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:
        """Return a request in the dialect learnt so far, and in further words of it."""
        return _said(request, self.dialect | words)

    def forms(self, request: Request) -> list[Request]:
        """Return all ways in which a request may have been said and paid for: as now, as first made, and between."""
        words = sorted(self.dialect)
        parts = (part for size in range(len(words), -1, -1) for part in combinations(words, size))
        return list({said.key: said for said in (_said(request, set(part)) for part in parts)}.values())

    async def ask(self, request: Request) -> Reply:
        """Return the reply to one request.

        Raises:
            NotUnderstoodError: the server wants it said otherwise.
            TeacherUnavailable: it is busy, failing, out of reach, or too slow.
            MalformedReply: the answer cannot be read.
            RefusedReply: it will not answer this prompt.
            TeacherError: key, model or account are at fault; no other request would do better.
        """
        import httpx2  # noqa: PLC0415 - comes with the SDK

        try:
            async with asyncio.timeout(self._timeout_seconds):  # the SDK's own does not end a slow drip
                response = await self._client.post(
                    request.url.removeprefix(self._base), cast_to=httpx2.Response, body=request.body,
                    options={"headers": {"Idempotency-Key": request.key}},
                )  # fmt: skip
            reply = read_reply(
                self.blotted(response.content), request.count, chat=self.interface == "chat", kind=request.kind
            )
            return replace(reply, wait_seconds=wait_seconds(response.headers))
        except KGError:
            raise
        except self._openai.APIStatusError as error:
            raise self._refused(error, request) from None
        except Exception as error:  # noqa: BLE001 - of any library between the wire and the reply: one request fails
            raise self._failed(error) from None

    def blotted(self, content: bytes) -> str:
        """Return the body of an answer as text, without the key if it says that back."""
        return blot(content.decode("utf-8", "replace"), self._key)

    def _failed(self, error: Exception) -> TeacherError:
        """Return what it means that an answer did not come, or not whole."""
        import aiohttp  # noqa: PLC0415 - comes with the SDK

        from ingest.teacher.transport import BodyError  # noqa: PLC0415 - imports the SDK

        if isinstance(error, BodyError):
            return MalformedReply(str(error))
        cause = error.__cause__ or error
        # the SDK's transport says ConnectTimeout also of a connection that broke after the request was sent
        sent = not isinstance(cause.__cause__ or cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        if sent and isinstance(error, TimeoutError | self._openai.APITimeoutError):
            return TeacherUnavailable(f"no answer within {self._timeout_seconds:g} s", billed=True)
        reason = self._said(cause)[:200] or type(cause).__name__
        return TeacherUnavailable(f"the connection to {self._base} failed: {reason}", billed=sent)

    def _said(self, text: object) -> str:
        return one_line(blot(str(text), self._key))

    def _redirected(self, error: Any) -> TeacherError | None:
        """Return the fault of a server that sends us elsewhere, if it does."""
        if not error.response.has_redirect_location and not 300 <= error.status_code < 400:  # noqa: PLR2004
            return None
        target = urljoin(self._base, error.response.headers.get("location", ""))
        with contextlib.suppress(ValueError):
            target = urlsplit(target).hostname or target
        return TeacherError(
            f"{self._base} redirects ({error.status_code}) to {self._said(target)[:100]}, where nothing is sent; "
            "if you trust it, give its address with --base-url"
        )

    def _refused(self, error: Any, request: Request) -> Exception:  # noqa: PLR0911 - one a case
        status = int(error.status_code)
        message = self._said(error.message)
        code = str(getattr(error, "code", None) or "")
        if redirected := self._redirected(error):
            return redirected
        if _FILTERED.search(f"{code} {message}"):
            return RefusedReply(f"the provider's content filter refuses the prompt: {message}")
        if status in _STATUS_OF_KEY:
            return TeacherError(f"{self._base} refuses the key ({status}); set OPENAI_API_KEY: {message}")
        if status == _STATUS_OF_MONEY or code == "insufficient_quota":
            return TeacherError(f"{self._base} says that the account has no money left: {message}")
        if status == _STATUS_OF_MODEL:
            return TeacherError(f"{self._base} has no model {self.model!r}, or no such interface: {message}")
        if status in _STATUS_OF_REQUEST:
            if word := self.not_understood(error.body, request):
                return NotUnderstoodError(word)
            return RefusedReply(f"the request was refused ({status}): {message}")
        wait = wait_seconds(error.response.headers)
        return TeacherUnavailable(f"status {status}: {message}", wait_seconds=wait, busy=status in _STATUS_BUSY)

    @staticmethod
    def not_understood(body: Any, request: Request) -> str | None:
        """Return the word of the dialect that says a refused request otherwise, if the refusal names a parameter.

        Args:
            body: what the server says: an object with `param` and `code`, or FastAPI's `detail`.
            request: as it was said.
        """
        said = body if isinstance(body, Mapping) else {}
        if _CODE_OF_SIZE.search(str(said.get("code") or "")):
            return None
        named = {said["param"]} if isinstance(said.get("param"), str) else set()
        detail = said.get("detail")
        for fault in detail if isinstance(detail, list) else []:
            place = fault.get("loc") if isinstance(fault, Mapping) else None
            if isinstance(place, list) and len(place) > 1 and place[0] == "body" and isinstance(place[1], str):
                named.add(place[1])
        names = {re.split(r"[.\[]", name, maxsplit=1)[0] for name in named}
        words = (word for word, known in _DIALECT.items() if known & names)
        return next((word for word in words if _said(request, {word}).key != request.key), None)


def _said(request: Request, words: AbstractSet[str]) -> Request:
    """Return a request in words of the dialect."""
    body = dict(request.body)
    if "no-schema" in words:
        body.pop("response_format", None)
    if "max-completion-tokens" in words and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if "no-sampling" in words:
        body = {name: value for name, value in body.items() if name not in _DIALECT["no-sampling"]}
    if "no-logprobs" in words:
        body.pop("logprobs", None)
    return replace(request, body=body)


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to be left alone, from its headers; None if it does not say.

    >>> wait_seconds({"retry-after": "3"}), wait_seconds({"x-ratelimit-remaining-requests": "0",
    ...     "x-ratelimit-reset-requests": "1m0.5s"})
    (3.0, 60.5)
    """
    waits = [_seconds(headers.get("retry-after-ms", ""), 0.001), _after(headers.get("retry-after", ""))]
    waits += [
        _duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    first, second, *resets = waits
    known = [wait for wait in resets if wait is not None]
    return first if first is not None else second if second is not None else max(known, default=None)


def _seconds(text: str, unit: float) -> float | None:
    """Return a number of units as seconds; None if it is no number that a clock can have."""
    try:
        seconds = float(text) * unit
    except ValueError:
        return None
    return seconds if 0 <= seconds < _LONGEST_SECONDS else None


def _after(text: str) -> float | None:
    """Return the seconds of `retry-after`: a number, or a date."""
    if (seconds := _seconds(text, 1)) is not None or not text:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _duration(text: str) -> float | None:
    """Return the seconds of a duration like `1m0.5s`; None if it is none."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|[smhd]))+", text, re.ASCII):
        return None
    parts = re.findall(r"([\d.]+)(ms|[smhd])", text, re.ASCII)
    return sum(float(number) * units[unit] for number, unit in parts)
