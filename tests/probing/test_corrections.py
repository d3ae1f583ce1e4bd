from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np
import pytest

from kg.model import Triple
from kg.probing.clozes import Cloze
from kg.probing.corrections import Correction, corrected
from kg.probing.ranks import Array
from kg.probing.wording import Blank

WORDS = ["a", "b", "c"]
SCORES = {"Kai is _.": [-1, -2, -3], "Pia is _.": [-3, -2, -4], "Una likes _.": [-5, -1, -1], "is _.": [-1, -1, -2],
          "likes _.": [-4, -1, -2]}  # fmt: skip
ROWS = [Cloze(Triple(head, verb, tail), Blank(f"{head} {verb} ", "."), Blank(f"{verb} ", "."), None)
        for head, verb, tail in (("Kai", "is", "b"), ("Pia", "is", "b"), ("Una", "likes", "c"))]  # fmt: skip


class Table:
    candidates = WORDS

    def scores(self, blanks: Sequence[Blank], tails: Sequence[str] | None = None) -> Iterator[Array]:  # noqa: ARG002
        for blank in blanks:
            yield np.array(SCORES[blank.fill("_")], dtype=float)


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("none", [[-1, -2, -3], [-3, -2, -4], [-5, -1, -1]]),
        ("headless", [[0, -1, -1], [-2, -1, -2], [-1, 0, 1]]),
        ("heads", [[1, 0, 0.5], [-1, 0, -0.5], [0, 0, 0]]),
        ("posterior", [[1 + np.log(0.5), np.log(1.5), 0.5 + np.log(0.5)],
                       [-1 + np.log(0.5), np.log(1.5), -0.5 + np.log(0.5)], [np.log(0.5)] * 3]),
    ],
)  # fmt: skip
def test_what_is_likely_anyway_is_taken_off(correction: Correction, expected: list[list[float]]) -> None:
    found = corrected(Table(), ROWS, [row.blank for row in ROWS], correction)
    assert [list(one) for one in found] == [pytest.approx(one) for one in expected]


@pytest.mark.parametrize("correction", get_args(Correction))
def test_progress_is_told_when_the_model_answers(correction: Correction) -> None:
    happened: list[str] = []

    class Slow(Table):
        def scores(self, blanks: Sequence[Blank], tails: Sequence[str] | None = None) -> Iterator[Array]:
            for answer in super().scores(blanks, tails):
                happened.append("answer")
                yield answer

    blanks = [row.blank for row in ROWS]
    list(corrected(Slow(), ROWS, blanks, correction, lambda _: happened.append("told")))
    assert happened[-2 * len(ROWS) :] == ["answer", "told"] * len(ROWS)
