"""The file that an export writes, and the file that an import reads: also a pipe, a device, stdin and stdout (`-`)."""

import gzip
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from kg.errors import InputError
from kg.workspace import STANDARD, is_stream, new_file, new_folder


@contextmanager
def import_file(path: Path) -> Iterator[Path]:
    """Yield a file that can be read more than once: `path`, or for a pipe a temporary copy of the pipe's content.

    A device, which may have no end, is yielded as it is, for `kg.lines` to refuse.

    Raises:
        InputError: the pipe cannot be read, or the disk is full.
    """
    if not is_stream(path) or path.is_char_device() or path.is_block_device():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / ("stdin" if path == STANDARD else path.name)
        try:
            with copy.open("wb") as file:
                if path == STANDARD:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                else:
                    with path.open("rb") as stream:
                        shutil.copyfileobj(stream, file)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        yield copy


@contextmanager
def export_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` when the block ends well, and vanishes when it does not.

    A stream is sent the whole file then.

    Raises:
        InputError: the file cannot be made there, or the disk is full.
    """
    try:
        with new_file(path, shared=True) as draft:
            yield draft
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def open_bytes(draft: Path, path: Path) -> Iterator[IO[bytes]]:
    """Open a draft for bytes; it is packed if the file it becomes ends in `.gz`."""
    with draft.open("wb") as raw:
        if path.suffix.lower() != ".gz":
            yield raw
            return
        with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:  # no name and no time: same content, same file
            yield cast("IO[bytes]", packed)


@contextmanager
def open_text(draft: Path, path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a draft for UTF-8 text with plain line feeds; it is packed if the file it becomes ends in `.gz`."""
    with open_bytes(draft, path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def export_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path`, in place of an older one, when the block ends well.

    Raises:
        InputError: the folder cannot be made there, or the disk is full.
    """
    try:
        with new_folder(path, shared=True) as draft:
            yield draft
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
