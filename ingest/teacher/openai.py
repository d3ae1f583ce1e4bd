"""A teacher behind an OpenAI-compatible address: OpenAI, Azure-style gateways, vLLM, llama.cpp, Ollama and others.

The `openai` SDK (asynchronous, over aiohttp) sends; its retries are off, since `ingest.teacher.asking` bounds them and
counts the money. Whatever the SDK and the libraries below it raise becomes an error of ours here. A parameter that the
server refuses is left out or named otherwise (`ingest.teacher.dialect`).
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

from ingest.teacher.blotting import blot, one_line, split_address
from ingest.teacher.dialect import possible_words, refused_word, reword, wordings
from ingest.teacher.messages import Interface, NotUnderstoodError, Reply, Request
from ingest.teacher.replies import read_reply
from ingest.teacher.waits import wait_seconds
from kg.errors import KGError, MalformedReply, RefusedReply, TeacherError, TeacherUnavailable

_CHAT_TOKENS = 512  # of a chat message besides its texts: JSON, and some thinking aloud
_CHAT_TEXT_TOKENS = 24
_STATUS_OF_KEY = (401, 403)
_STATUS_OF_MONEY = 402
_STATUS_OF_MODEL = 404
_STATUS_OF_REQUEST = (400, 413, 422)
_STATUS_BUSY = (408, 409, 425, 429)
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


def resolve(base_url: str | None) -> str:
    """Return the address that is meant: the given one, `OPENAI_BASE_URL`, or OpenAI's own.

    Raises:
        TeacherError: the text is no address, or has a secret in it.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    split_address(address)
    return address.strip()


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
        """Describe the teacher; nothing is sent yet.

        Args:
            model: its name at the provider.
            interface: completions or chat.
            base_url: with `/v1` or what the server has for it; a query (`?api-version=…`) is sent with every request,
                as Azure-style gateways want; None takes `OPENAI_BASE_URL`, else OpenAI's own.
            api_key: None takes `OPENAI_API_KEY`; a server on this machine needs none, and a description no server's.
            timeout_seconds: of one request from its first byte to the last of the answer.
            in_flight: most connections.

        Raises:
            TeacherError: the address is none, or has a secret in it, or the key cannot be one.
        """
        parts = split_address(resolve(base_url))
        key = (api_key or os.environ.get("OPENAI_API_KEY", "")).strip()
        if not all("!" <= one <= "~" for one in key):
            raise TeacherError("OPENAI_API_KEY has a space or another character that no key has")
        self.model = model
        self.interface: Interface = interface
        self.dialect: set[str] = set()
        self._query = dict(parse_qsl(parts.query))
        self._base = parts._replace(query="", fragment="").geturl().rstrip("/")
        self.server = f"{self._base} {model} {interface}"
        self._host = parts.hostname
        self._key = key or "none"
        self._timeout_seconds = timeout_seconds
        self._in_flight = in_flight
        self._client: Any = None

    async def __aenter__(self) -> Self:
        self.check_key()
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

    def check_key(self) -> None:
        """Make sure that there is a key, or that the server is one of this machine.

        Raises:
            TeacherError: there is no key.
        """
        if self._key == "none" and self._host not in ("localhost", "127.0.0.1", "::1"):
            raise TeacherError(f"{self._host} wants a key; set OPENAI_API_KEY")

    @property
    def url(self) -> str:
        """The address to which the requests go."""
        return f"{self._base}/{'completions' if self.interface == 'completions' else 'chat/completions'}"

    def batch_client(self) -> Any:
        """Return a plain client for files and batches, with the SDK's own retries.

        Raises:
            TeacherError: there is no key.
        """
        self.check_key()
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
                f"{self._base} refuses ({error.status_code}): {self._shown(error.message)}"
            ) from None
        except self._openai.APIConnectionError as error:
            reason = self._shown(error.__cause__ or error)
            raise TeacherError(f"the connection to {self._base} failed: {reason}") from None
        except Exception as error:  # noqa: BLE001 - what else a parser of answers raises
            raise TeacherError(f"the answer of {self._base} cannot be read: {self._shown(error)}") from None

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text, worded for a server that knows all."""
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

    def reword(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:
        """Return a request in the dialect learnt so far, and in further words."""
        return reword(request, self.dialect | words)

    def wordings(self, request: Request) -> list[Request]:
        """Return all wordings in which a request may have been paid for: as now, as first made, and between."""
        return wordings(request, self.dialect)

    async def ask(self, request: Request) -> Reply:
        """Return the reply to one request.

        Raises:
            NotUnderstoodError: the server wants the request worded otherwise.
            TeacherUnavailable: the server is busy, failing, out of reach, or too slow.
            MalformedReply: the answer cannot be read.
            RefusedReply: the model will not answer this prompt.
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
        """Return the body of an answer as text, without the key, which a server may send back."""
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
        reason = self._shown(cause)[:200] or type(cause).__name__
        return TeacherUnavailable(f"the connection to {self._base} failed: {reason}", billed=sent)

    def _shown(self, text: object) -> str:
        return one_line(blot(str(text), self._key))

    def _redirected(self, error: Any) -> TeacherError | None:
        """Return the fault of a server that sends us elsewhere, if it does."""
        if not error.response.has_redirect_location and not 300 <= error.status_code < 400:  # noqa: PLR2004
            return None
        target = urljoin(self._base, error.response.headers.get("location", ""))
        with contextlib.suppress(ValueError):
            target = urlsplit(target).hostname or target
        return TeacherError(
            f"{self._base} redirects ({error.status_code}) to {self._shown(target)[:100]}, where nothing is sent; "
            "if you trust it, give its address with --base-url"
        )

    def _refused(self, error: Any, request: Request) -> Exception:  # noqa: PLR0911 - one a case
        status = int(error.status_code)
        message = self._shown(error.message)
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
            refused = f"the request was refused ({status}): {message}"
            if word := refused_word(error.body, request):
                return NotUnderstoodError((word,), named=True, message=refused)
            if words := possible_words(error.body, request):
                return NotUnderstoodError(words, named=False, message=refused)
            return RefusedReply(refused)
        wait = wait_seconds(error.response.headers)
        return TeacherUnavailable(f"status {status}: {message}", wait_seconds=wait, busy=status in _STATUS_BUSY)
