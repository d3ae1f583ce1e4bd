"""Ranks of held-out tails, against a direct and slow computation."""

from collections.abc import Sequence

import numpy as np
import pytest

from kg.model import Triple
from student.metrics.ranking import HITS, link_prediction


class Table:
    """A ranker whose scores are given: many of them are equal."""

    relations = ("a", "b")

    def __init__(self, events: int, tails: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.scores = {name: random.integers(6, size=(events, tails)).astype(np.float32) for name in self.relations}
        self.tails = tails

    def candidates(self, relation: str) -> list[str]:
        return [f"{relation}{number}" for number in range(self.tails)]

    def table(self, events: Sequence[str], relation: str) -> np.ndarray:
        return self.scores[relation][[int(event) for event in events]]


def slow(student: Table, held_out: list[Triple], known: list[Triple]) -> list[float]:
    """The ranks: candidate by candidate, each compared with the held-out tail alone."""
    values = []
    for triple in held_out:
        tails = student.candidates(triple.relation)
        if triple.tail not in tails:
            continue
        scores = dict(zip(tails, student.table([triple.head], triple.relation)[0].tolist(), strict=True))
        best, worst = 1, 1
        for tail, score in scores.items():
            if tail == triple.tail or Triple(triple.head, triple.relation, tail) in [*known, *held_out]:
                continue
            best += score > scores[triple.tail]
            worst += score >= scores[triple.tail]
        values.append((best + worst) / 2)
    return values


@pytest.mark.parametrize("seed", range(3))
def test_filtered_ranks_are_those_of_a_direct_computation(seed: int) -> None:
    student, random = Table(20, 12, seed), np.random.default_rng(seed + 10)
    drawn = [
        Triple(str(random.integers(20)), name, f"{name}{random.integers(15)}")  # some of them not known
        for name in ("a", "b")
        for _ in range(60)
    ]
    held_out, known = list(dict.fromkeys(drawn[::2])), drawn[1::2]
    ranks = np.array(slow(student, held_out, known))
    found = link_prediction(student, held_out, known)
    assert found["rows"] == len(held_out)
    assert found["covered"] == pytest.approx(len(ranks) / len(held_out))
    assert 0 < found["covered"] < 1
    assert found["mrr"] == pytest.approx((1 / ranks).mean())
    assert found["hits"] == {str(k): pytest.approx((ranks <= k).mean()) for k in HITS}


def test_another_right_tail_does_not_count_against_one() -> None:
    student = Table(1, 3, 0)
    student.scores["a"] = np.array([[3, 2, 1]], dtype=np.float32)
    held_out = [Triple("0", "a", "a1")]
    assert link_prediction(student, held_out, [])["mrr"] == 1 / 2
    assert link_prediction(student, held_out, [Triple("0", "a", "a0")])["mrr"] == 1
    assert link_prediction(student, [*held_out, Triple("0", "a", "a2")], [])["mrr"] == pytest.approx(
        (1 / 2 + 1 / 2) / 2
    )


def test_equal_scores_share_their_ranks() -> None:
    student = Table(1, 3, 0)
    student.scores["a"] = np.zeros((1, 3), dtype=np.float32)
    assert link_prediction(student, [Triple("0", "a", "a1")], [])["mrr"] == 1 / 2  # of ranks 1 to 3


def test_nothing_that_it_knows_has_no_rank() -> None:
    found = link_prediction(Table(1, 3, 0), [Triple("0", "a", "unheard"), Triple("0", "c", "c1")], [])
    assert found == {"rows": 1, "covered": 0, "mrr": None, "hits": {"1": None, "3": None, "10": None}}
