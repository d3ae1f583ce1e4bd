"""Lines of text files, with the bad ones named instead of lost.

Every reader of a file builds on `read_lines`: a line that is no valid text becomes a `Rejected`, and the lines
around it are read all the same.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from kg import strict_json
from kg.errors import InputError
from kg.workspace import naming, private_file

_MAX_LINE_BYTES = 512 * 1024  # the longest published row, an aggregated ATOMIC event, has a few dozen kB
_BOM = b"\xef\xbb\xbf"
_SHOWN_CHARACTERS = 500
_CHUNK_BYTES = 256 * 1024
_GARBAGE = "what follows the gzip content here is no gzip"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; `number` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be used: its line number, the reason, and how it begins."""

    line: int
    reason: str
    text: str = ""


def read_lines(path: Path) -> Iterator[Line | Rejected]:
    """Yield the lines of a UTF-8 file, plain or gzip, that are not blank, without a byte-order mark and line ends.

    Lines end in LF or CRLF; in CR where the file begins with such lines only. A line of empty cells is not blank.

    Raises:
        InputError: the file cannot be opened, or is none that can be read again.
    """
    with _opened(path) as file:
        for number, raw in enumerate(_raw_lines(file), 1):
            if isinstance(raw, str):
                yield Rejected(number, raw)
                continue
            shown = raw[:_SHOWN_CHARACTERS].decode(errors="replace")
            if len(raw) > _MAX_LINE_BYTES:
                yield Rejected(number, f"the line is longer than {_MAX_LINE_BYTES // 1024} kB", shown)
                continue
            try:
                text = raw.rstrip(b"\r\n").decode()
            except UnicodeDecodeError as error:
                yield Rejected(number, f"invalid UTF-8 at byte {error.start + 1} of the line", shown)
                continue
            if "\0" in text:
                yield Rejected(number, "the line has a NUL character", text[:_SHOWN_CHARACTERS])
            elif text.strip(" "):
                yield Line(number, text)


def _raw_lines(file: BufferedIOBase) -> Iterator[bytes | str]:
    """Yield lines as bytes, of long ones the beginning; last of all what is wrong with the file, if something is."""
    rest, end = b"", b""
    for chunk in _chunks(file):
        if isinstance(chunk, str):
            if chunk.startswith(_GARBAGE) and rest:  # the content before has its check sum, and is whole
                yield rest
            yield chunk
            return
        end = end or _line_end(chunk)
        first, *others = chunk.split(end or b"\n")
        rest = (rest + first)[: _MAX_LINE_BYTES + 1]
        if others:
            yield rest
            yield from others[:-1]
            rest = others[-1]
    if rest:
        yield rest


def _chunks(file: BufferedIOBase) -> Iterator[bytes | str]:
    """Yield the bytes of a file without a byte-order mark, and why there are no more if that is not its end."""
    mark = _BOM
    while True:
        try:
            chunk = file.read1(_CHUNK_BYTES)
        except gzip.BadGzipFile as error:
            yield f"{_GARBAGE}: {error}" if "Not a gzipped" in str(error) else f"the gzip file is damaged: {error}"
            return
        except (EOFError, zlib.error) as error:
            yield f"the gzip file is damaged or was cut short here: {error}"
            return
        except OSError as error:
            yield f"the file cannot be read on from here: {error.strerror or error}"
            return
        if not chunk:
            return
        yield chunk.removeprefix(mark)
        mark = b""


def _line_end(chunk: bytes) -> bytes:
    """Return what ends lines, where a chunk tells it."""
    return b"\n" if b"\n" in chunk else b"\r" if b"\r" in chunk.rstrip(b"\r") else b""


def read_document(path: Path) -> str:
    """Return the text of a UTF-8 file, plain or gzip, that is read as a whole, without a byte-order mark.

    Raises:
        InputError: the file cannot be opened or read, or is no UTF-8.
    """
    with _opened(path) as file:
        try:
            return file.read().removeprefix(_BOM).decode()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {path}: {error}") from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        InputError: the file cannot be opened.
    """
    with _opened(path, unpack=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class RejectedFile:
    """The file of a run that lists its rejected rows; it appears with the first one.

    Attributes:
        path: where it is.
        count: how many rows were rejected.
        first: the first of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: Rejected | None = None
        path.unlink(missing_ok=True)
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            with naming(self.path):
                self._file.close()

    def add(self, rejected: Rejected) -> None:
        """Append a row."""
        self.first = self.first or rejected
        self.count += 1
        if self._file is None:
            self._file = private_file(self.path).open("w", encoding="utf-8")
        row = {"line": rejected.line, "reason": rejected.reason, "text": rejected.text[:_SHOWN_CHARACTERS]}
        with naming(self.path):
            self._file.write(strict_json.write(row) + "\n")


def _opened(path: Path, *, unpack: bool = True) -> BufferedIOBase:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"cannot read {path}: it is a pipe or a device, and is read more than once; make it a file")
    try:
        file = path.open("rb")
        if not unpack or file.peek(2)[:2] != _GZIP:
            return file
        file.close()
        return gzip.open(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
