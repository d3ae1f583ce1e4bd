"""What critics of several kinds share: their folders, the scores that were fitted in folds, and pages of triples."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.features import PARTS, Part
from critic.interface import ABOUT
from critic.roles import ROLES
from kg import strict_json
from kg.errors import InputError
from kg.model import NOTHING, Triple
from kg.threads import adapt

FOLDS = 4
WEIGHTS = "critic.safetensors"
"""The file of a critic's folder with its numbers."""

Arrays = Mapping[str, NDArray[Any]]


def refuse_nothing(triples: Sequence[Triple]) -> None:
    """Refuse triples of which one says that there is no effect.

    Raises:
        InputError: a tail is `NOTHING`, which is a fact and no phrase.
    """
    if any(triple.says_nothing for triple in triples):
        raise InputError(f"the tail {NOTHING!r} says that there is no effect; only phrases are scored")


def pages(triples: Sequence[Triple], size: int) -> Iterator[tuple[slice, Sequence[Triple]]]:
    """Yield triples to be scored by pages, each with its place; the threads are chosen anew for each.

    Raises:
        InputError: a tail is `NOTHING`.
    """
    for start in range(0, len(triples), size):
        place = slice(start, start + size)
        refuse_nothing(triples[place])
        adapt()
        yield place, triples[place]


def write(folder: Path, about: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write a critic's two files into an existing folder; without arrays, one."""
    from safetensors.numpy import save_file  # noqa: PLC0415

    if arrays is not None:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)
    (folder / ABOUT).write_text(strict_json.write(about, indent=1) + "\n", encoding="utf-8")


@contextmanager
def opening(folder: Path, about: Mapping[str, Any], *formats: int) -> Iterator[None]:
    """Make one sentence of what goes wrong while a critic's folder is opened.

    Raises:
        InputError: the critic is of another version than the formats, or damaged.
    """
    from safetensors import SafetensorError  # noqa: PLC0415

    if about.get("format") not in formats:
        raise InputError(f"{folder} has a critic of another version; train it again")
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(f"the critic in {folder} is damaged ({error}); train it again") from error


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the numbers of a critic's folder."""
    from safetensors.numpy import load_file  # noqa: PLC0415

    return load_file(folder / WEIGHTS)


def arrays_of(folds: Sequence[Sequence[Part]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of scores that were fitted in folds, each by its fold, its score and its own name."""
    return {
        f"{fold}.{type(score).__name__}.{name}": array
        for fold, scores in enumerate(folds)
        for score in scores
        for name, array in score._asdict().items()
    }


def folds_in(arrays: Arrays, role: str) -> list[list[Part]]:
    """Return the scores of a role that `arrays_of` made arrays of.

    Raises:
        KeyError: an array is missing.
    """
    return [
        [
            PARTS[part](**{name: arrays[f"{fold}.{part}.{name}"] for name in PARTS[part]._fields})
            for part in ROLES[role].parts
        ]
        for fold in range(FOLDS)
    ]
