"""Transport: the SDK's HTTP clients, with a bound on the size of an answer, and without redirects.

A server may send without end, or a little that unpacks to a lot. So bodies are counted as they come and unpacked here,
a piece at a time: no answer takes more memory than its bound, whatever its headers say.
"""

import contextlib
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import openai

MOST_REPLY_BYTES = 4 * 1024**2
"""Of one answer, unpacked: a hundred completions with their log-probabilities have about 1 MB."""
MOST_FILE_BYTES = 4 * 1024**3
"""Of the results of one batch, which go to disk: 50,000 requests of 80 kB."""
_PIECE_BYTES = 64 * 1024
_PACKED = ("gzip", "x-gzip", "deflate")
_ACCEPTED = "gzip"


class BodyError(Exception):
    """The body of an answer is too large, or cannot be unpacked."""


class _Unpacking:
    """Unpacks and counts one body."""

    def __init__(self, response: httpx2.Response, most: int) -> None:
        coding = response.headers.pop("content-encoding", "").strip().lower()
        if coding not in ("", "identity", *_PACKED):
            raise BodyError(f"the answer is packed as {coding[:40]!r}, which nobody asked for")
        self._unpacker = zlib.decompressobj(wbits=47) if coding in _PACKED else None  # zlib's and gzip's headers
        self._most = most
        self._came = self._made = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the unpacked pieces of a chunk."""
        self._came += len(chunk)
        if self._unpacker is None:
            yield self._counted(chunk)
            return
        while True:
            try:
                piece = self._unpacker.decompress(chunk, _PIECE_BYTES)
            except zlib.error as error:
                raise BodyError(f"the answer cannot be unpacked: {error}") from None
            yield self._counted(piece)
            chunk = self._unpacker.unconsumed_tail
            if not chunk and len(piece) < _PIECE_BYTES:
                return

    def _counted(self, piece: bytes) -> bytes:
        self._made += len(piece)
        if max(self._came, self._made) > self._most:
            raise BodyError(f"the answer has more than {self._most // 1024**2:,} MB")
        return piece


class _Body(httpx2.SyncByteStream):
    def __init__(self, stream: Any, unpacking: _Unpacking) -> None:
        self._stream, self._unpacking = stream, unpacking

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield from self._unpacking.pieces(chunk)

    def close(self) -> None:
        self._stream.close()


class _AsyncBody(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, unpacking: _Unpacking) -> None:
        self._stream, self._unpacking = stream, unpacking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for piece in self._unpacking.pieces(chunk):
                yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class BoundedAsyncClient(openai.DefaultAioHttpClient):
    """The client for completions and chat."""

    def __init__(self, in_flight: int) -> None:
        limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        super().__init__(limits=limits, follow_redirects=False)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request; the answer's body raises `BodyError` beyond its bound."""
        request.headers["accept-encoding"] = _ACCEPTED
        response = await super().send(request, stream=True, **options)
        try:
            response.stream = _AsyncBody(response.stream, _Unpacking(response, MOST_REPLY_BYTES))
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


class BoundedClient(openai.DefaultHttpxClient):
    """The client for files and batches; a body that is streamed may be larger."""

    def __init__(self) -> None:
        super().__init__(follow_redirects=False)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the interpreter's end there may be little left
            self.close()

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request; the answer's body raises `BodyError` beyond its bound."""
        request.headers["accept-encoding"] = _ACCEPTED
        response = super().send(request, stream=True, **options)
        try:
            most = MOST_FILE_BYTES if stream and response.is_success else MOST_REPLY_BYTES
            response.stream = _Body(response.stream, _Unpacking(response, most))
            if not stream:
                response.read()
        except BaseException:
            response.close()
            raise
        return response
