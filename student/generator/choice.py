"""Which of several tails a student gives: the best, but not the same thing twice in other words.

>>> choose(["to pay her fine", "to pay a fine", "to read another book"], [-1.0, -1.1, -2.0], 2)
[0, 2]
"""

import re
from collections.abc import Sequence

ALIKE = 0.6  # share of the words of the shorter tail from which on two tails are alike
_WORDS = re.compile(r"\w+")


def choose(tails: Sequence[str], values: Sequence[float], count: int) -> list[int]:
    """Return the places of up to `count` tails, best first.

    A tail of which most words are those of a better one is taken only when there are too few others.

    Args:
        tails: distinct texts.
        values: how good each is; of equal ones the first text by the alphabet comes first.
        count: how many are wanted.
    """
    order = sorted(range(len(tails)), key=lambda place: (-values[place], tails[place]))
    words = [set(_WORDS.findall(tail.casefold())) for tail in tails]
    chosen: list[int] = []
    for place in order:
        if all(_common(words[place], words[other]) < ALIKE for other in chosen):
            chosen.append(place)
    rest = [place for place in order if place not in chosen]
    return sorted((chosen + rest)[:count], key=order.index)


def _common(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
