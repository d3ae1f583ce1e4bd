"""Lines of text files, with the bad ones named instead of lost.

Every reader of a file builds on `read_lines`: a line that is no valid text becomes a `Rejected`, and the lines
around it are read all the same.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from kg.errors import InputError
from kg.workspace import naming, private_file

_MAX_LINE_BYTES = 512 * 1024  # the longest published row, an aggregated ATOMIC event, has a few dozen kB
_BOM = b"\xef\xbb\xbf"
_SHOWN_CHARACTERS = 500
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
    """Yield the lines of a UTF-8 file, plain or gzip, that are not blank; a byte-order mark and CRLF are taken off.

    Raises:
        InputError: the file cannot be opened.
    """
    with _opened(path) as file:
        number = 0
        while True:
            number += 1
            try:
                raw = file.readline(_MAX_LINE_BYTES + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                yield Rejected(number, f"the gzip file is damaged or was cut short here: {error}")
                return
            if not raw:
                return
            if number == 1:
                raw = raw.removeprefix(_BOM)
            if len(raw) > _MAX_LINE_BYTES:
                shown = raw[:_SHOWN_CHARACTERS].decode(errors="replace")
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(_MAX_LINE_BYTES)
                yield Rejected(number, f"the line is longer than {_MAX_LINE_BYTES // 1024} kB", shown)
                continue
            try:
                text = raw.rstrip(b"\r\n").decode()
            except UnicodeDecodeError as error:
                shown = raw[:_SHOWN_CHARACTERS].decode(errors="replace")
                yield Rejected(number, f"invalid UTF-8 at byte {error.start + 1} of the line", shown)
                continue
            if "\0" in text:
                yield Rejected(number, "the line has a NUL character", text[:_SHOWN_CHARACTERS])
            elif text.strip():
                yield Line(number, text)


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
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _opened(path: Path, *, unpack: bool = True) -> BufferedIOBase:
    try:
        file = path.open("rb")
        if not unpack or file.peek(2)[:2] != _GZIP:
            return file
        file.close()
        return gzip.open(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
