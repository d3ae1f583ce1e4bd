"""Which of several tails a student gives: the best, but not the same thing twice in other words.

>>> choose(["to pay her fine", "to pay a fine", "to read another book"], [-1.0, -1.1, -2.0], 2)
[0, 2]
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from kg.languages import has_unspaced
from kg.languages import words as cut

ALIKE = 0.6  # share of the words of the shorter tail from which on two tails are alike


def choose(tails: Sequence[str], values: Sequence[float], count: int) -> list[int]:
    """Return the places of up to `count` tails, best first.

    A tail of which most words are those of a better one is taken only when there are too few others.

    Args:
        tails: distinct texts.
        values: how good each is; of equal ones the first text by the alphabet comes first.
        count: how many are wanted.
    """
    order = sorted(range(len(tails)), key=lambda place: (-values[place], tails[place]))
    words = [_words(tail) for tail in tails]
    chosen: list[int] = []
    for place in order:
        if all(_common(words[place], words[other]) < ALIKE for other in chosen):
            chosen.append(place)
    rest = [place for place in order if place not in chosen]
    return sorted((chosen + rest)[:count], key=order.index)


def _words(tail: str) -> set[str]:
    """Return the words of a tail; pairs of letters where its script has no blanks, since single ones say little.

    >>> sorted(_words("to pay")), sorted(_words("傘を買う"))
    (['pay', 'to'], ['を買', '傘を', '買う'])
    """
    found = re.findall(r"\w+", tail.casefold())
    if not has_unspaced(tail):
        return set(found)
    return {pair for word in found for pair in ("".join(two) for two in pairwise(cut(word)))} or set(found)


def _common(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
