"""The file that an export becomes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kg.errors import InputError
from kg.workspace import new_file


@contextmanager
def export_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` when the block ends well, and vanishes when it does not.

    Raises:
        InputError: the file cannot be made there, or the disk is full.
    """
    try:
        with new_file(path) as draft:
            yield draft
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
