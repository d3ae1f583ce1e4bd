"""How well vectors tell what people find similar: rank correlation on files of word pairs.

A file has two words and a number a line, parted by tabs, commas, semicolons or blanks; a first line without a number is
a header.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError
from kg.lines import Rejected, read_lines

_PARTS = re.compile(r"\t|[,;]|\s+")
_COLUMNS = 3
_FEWEST = 3  # pairs of which a correlation says anything

Vectors = Mapping[str, NDArray[np.float32]]


class Pair(NamedTuple):
    """Two words, and how similar people find them."""

    one: str
    other: str
    similarity: float


class Correlation(NamedTuple):
    """What vectors come to on a file.

    Attributes:
        pairs: in the file.
        covered: of which both words have a vector.
        spearman: of cosine and people's number over these, in [-1, 1]; None where there are too few, or all alike.
    """

    pairs: int
    covered: int
    spearman: float | None

    @property
    def coverage(self) -> float:
        """Share of the pairs that are covered, in [0, 1]."""
        return self.covered / self.pairs


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file.

    Raises:
        InputError: a line has no two words and a number, or there is none.
    """
    found = []
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        separator = "\t" if "\t" in line.text else _PARTS
        parts = line.text.strip().split(separator) if isinstance(separator, str) else separator.split(line.text.strip())
        try:
            one, other, number = (part.strip() for part in parts[:_COLUMNS])
            pair = Pair(one, other, float(number))
        except ValueError as error:
            if line.number == 1 and len(parts) >= _COLUMNS:
                continue
            raise InputError(f"{path}, line {line.number}: not two words and a number") from error
        if not np.isfinite(pair.similarity) or not one or not other:
            raise InputError(f"{path}, line {line.number}: not two words and a number")
        found.append(pair)
    if not found:
        raise InputError(f"{path} has no pairs of words")
    return found


def words_of(pairs: Iterable[Pair]) -> list[str]:
    """Return the words of pairs, each once, sorted."""
    return sorted({word for pair in pairs for word in (pair.one, pair.other)})


def correlate(pairs: Sequence[Pair], vectors: Vectors, also: Callable[[str], bool] = lambda _: True) -> Correlation:
    """Return the rank correlation of cosines with what people say.

    Args:
        pairs: at least one.
        vectors: of words; a pair of which one word has none is not covered.
        also: what else a word must fulfil to be covered, so that two sets of vectors are compared on the same pairs.
    """
    from scipy.stats import spearmanr  # noqa: PLC0415 - half a second

    covered = [pair for pair in pairs if all(word in vectors and also(word) for word in pair[:2])]
    ours = [_cosine(vectors[pair.one], vectors[pair.other]) for pair in covered]
    theirs = [pair.similarity for pair in covered]
    if len(covered) < _FEWEST or len(set(ours)) == 1 or len(set(theirs)) == 1:
        return Correlation(len(pairs), len(covered), None)
    return Correlation(len(pairs), len(covered), float(spearmanr(ours, theirs).statistic))


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
