"""Judgements dealt into training and test sets by head, whatever file they are from.

Heads are the same whatever their case, their blanks and the blank in "Person X": published sets repeat them so.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from critic.verdicts import Verdicts
from kg.errors import InputError
from kg.model import Triple

T = TypeVar("T")

OWN_OF_EACH = 20
"""Good and bad rows, of those that are tested in other legs, that are enough to calibrate by."""

_PERSON = re.compile(r"\bperson ([xyz])\b")


@dataclass(frozen=True, slots=True)
class Leg:
    """A training and a test set without a common head.

    Attributes:
        trained: what is learnt from, maybe nothing.
        own: (len(trained),) booleans, what of it is judged as the tested rows are; all where little is.
        tested: what is measured on.
        left_out: how many rows were not learnt from since their head is tested.
    """

    trained: Verdicts
    own: NDArray[np.bool_]
    tested: Verdicts
    left_out: int = 0


def head_key(triple: Triple) -> str:
    """Return what two heads have in common that are the same.

    >>> head_key(Triple("Person X  naps", "xWant", "to rest")) == head_key(Triple("PersonX naps", "xNeed", "a bed"))
    True
    """
    return _PERSON.sub(r"person\1", " ".join([triple.lang, *triple.head.casefold().split()]))


def legs_of(
    tested: Verdicts, trained: Verdicts, *, folds: int | None = None, train_rows: int | None = None, seed: int = 0
) -> list[Leg]:
    """Return the legs of an evaluation.

    Args:
        tested: the judgements to measure on.
        trained: others to learn from; rows of tested heads are left out of each leg. Where tested rows teach, too,
            these together count no more than they do: they may be judged by others, and of another kind. That is so
            from `OWN_OF_EACH` good and bad ones on; fewer teach like any other rows.
        folds: deal the tested ones by head into so many folds, each of which the others teach.
        train_rows: learn from the tested ones too, head by head in the order of a hash until there are so many rows;
            the rest is measured on.
        seed: of that hash.

    Raises:
        InputError: both are given, or there are too few heads or rows.
    """
    heads = [head_key(triple) for triple in tested.triples]
    order = sorted(set(heads), key=lambda head: hashlib.blake2b(f"{seed}\0{head}".encode()).digest())
    if folds is not None and train_rows is not None:
        raise InputError("either folds, or rows to train, not both")
    if folds is not None and not 1 < folds <= len(order):
        raise InputError(f"{len(order):,} heads cannot be dealt into {folds} folds; 2 to {len(order):,} can be")
    if train_rows is not None and not 0 < train_rows < len(tested):
        raise InputError(f"{train_rows:,} of {len(tested):,} rows to train leave nothing to train on, or to test")
    place = {head: number for number, head in enumerate(order)}
    places = np.array([place[head] for head in heads], dtype=np.intp)
    before = np.cumsum(np.bincount(places, minlength=len(order)))  # rows up to and with each head
    dealt = np.zeros(len(order), dtype=np.intp)
    if folds is not None:
        fold = -1
        for number, wanted in enumerate(((before - 1) * folds // len(tested)).tolist()):
            fold = min(fold + 1, max(fold, wanted, folds - len(order) + number))  # no fold without a head
            dealt[number] = fold
    elif train_rows is not None:
        dealt = np.concatenate([[1], before[:-1] < train_rows]).astype(np.intp)[: len(order)]
    groups = dealt[places]
    legs = []
    for fold in range(folds or 1):
        mine = groups == fold
        if not mine.any():
            raise InputError("one head has nearly all rows, so that nothing is left to test on")
        hidden = {head for head, is_mine in zip(heads, mine, strict=True) if is_mine}
        known = np.array([head_key(triple) not in hidden for triple in trained.triples], dtype=np.bool_)
        own, others = rows_of(tested, ~mine), rows_of(trained, known)
        if is_much := min(own.good.sum(), (~own.good).sum()) >= OWN_OF_EACH:
            others = replace(others, weights=others.counts * min(1.0, len(own) / max(1, len(others))))
        taught, known_own = joined(own, others), set(own.triples)
        is_own = np.array([triple in known_own for triple in taught.triples], dtype=np.bool_)
        legs.append(
            Leg(taught, is_own if is_much else np.ones_like(is_own), rows_of(tested, mine), int((~known).sum()))
        )
    return legs


def rows_of(verdicts: Verdicts, mask: NDArray[np.bool_]) -> Verdicts:
    """Return the rows of a mask, (len(verdicts),) booleans."""
    names = verdicts.annotators
    return Verdicts(
        tuple(chosen(verdicts.triples, mask)), verdicts.good[mask], tuple(chosen(names, mask)) if names else (),
        verdicts.counts[mask],
    )  # fmt: skip


def joined(first: Verdicts, second: Verdicts) -> Verdicts:
    """Return the verdicts of two sets, ordered by triple; on a triple of both the first one's counts."""
    known = set(first.triples)
    rest = rows_of(second, np.array([triple not in known for triple in second.triples], dtype=np.bool_))
    both = concatenated([first, rest])
    order = sorted(range(len(both)), key=both.triples.__getitem__)
    names = tuple(both.annotators[row] for row in order) if both.annotators else ()
    return Verdicts(tuple(both.triples[row] for row in order), both.good[order], names, both.counts[order])


def chosen(values: Sequence[T], mask: NDArray[np.bool_]) -> list[T]:
    """Return the values of a mask, (len(values),) booleans."""
    return [value for value, is_chosen in zip(values, mask, strict=True) if is_chosen]


def concatenated(parts: Sequence[Verdicts]) -> Verdicts:
    """Return the verdicts of sets, one after the other."""
    names = [part.annotators or ((),) * len(part) for part in parts]
    return Verdicts(
        tuple(triple for part in parts for triple in part.triples),
        np.concatenate([part.good for part in parts]),
        tuple(one for some in names for one in some),
        np.concatenate([part.counts for part in parts]),
    )
