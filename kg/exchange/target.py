"""The file that an export becomes."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from kg.errors import InputError
from kg.workspace import new_file, new_folder


@contextmanager
def export_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` when the block ends well, and vanishes when it does not.

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
