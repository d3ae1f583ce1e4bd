"""Tokens of many sequences, and batches of them, in so little memory that a corpus of any size can be trained on.

A tuple of numbers takes ten times the room of the numbers, and a corpus has millions of them. So tokens are written to
a file of the system's, which reads of it what a step needs, and batches are kept as one array.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np

from kg.language_model.packing import Sequence_

_BUFFERED = 1 << 12  # tokens written at once


class Rows(Sequence[Sequence_]):
    """What is given and the tail of many sequences, in tokens, in a file that is gone when nobody has it any more."""

    def __init__(self, sequences: Iterable[Sequence_]) -> None:
        self._tokens: Any = np.zeros(0, dtype=np.int32)
        ends, some, total = [np.zeros(1, dtype=np.int64)], [], 0
        own: list[int] = []
        with tempfile.TemporaryFile() as file:
            for given, tail in sequences:
                some += [*given, *tail]
                own += [total + len(given), total := total + len(given) + len(tail)]
                if len(some) > _BUFFERED:
                    file.write(np.array(some, dtype=np.int32).tobytes())
                    ends.append(np.array(own, dtype=np.int64))
                    some, own = [], []
            file.write(np.array(some, dtype=np.int32).tobytes())
            file.flush()
            self._ends = np.concatenate([*ends, np.array(own, dtype=np.int64)])
            if total:
                self._tokens = np.memmap(file, dtype=np.int32, mode="r", shape=(total,))

    def __len__(self) -> int:
        return len(self._ends) // 2

    @overload
    def __getitem__(self, place: int) -> Sequence_: ...
    @overload
    def __getitem__(self, place: slice) -> list[Sequence_]: ...
    def __getitem__(self, place: int | slice) -> Sequence_ | list[Sequence_]:
        """Return the tokens of one sequence, or of some, as tuples."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        start, middle, end = self._ends[2 * (place % len(self)) :][:3].tolist()
        found = self._tokens[start:end].tolist()
        return tuple(found[: middle - start]), tuple(found[middle - start :])


class Batches(Sequence[list[int]]):
    """The batches of an epoch, as one array of the numbers of their sequences."""

    def __init__(self, batches: Sequence[Sequence[int]]) -> None:
        self._ends = np.cumsum([0, *map(len, batches)])
        self._numbers = np.fromiter((number for batch in batches for number in batch), np.int32, int(self._ends[-1]))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> list[int]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[int]]: ...
    def __getitem__(self, place: int | slice) -> list[int] | list[list[int]]:
        """Return one batch, or some."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        start, end = self._ends[place % len(self) :][:2].tolist()
        found: list[int] = self._numbers[start:end].tolist()
        return found

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in pairwise(self._ends.tolist()):
            yield self._numbers[start:end].tolist()
