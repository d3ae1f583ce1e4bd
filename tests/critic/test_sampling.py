"""Draws: what comes of each, and that a probability is what it says, which estimates of all edges rest on."""

import math
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from critic.sampling import (
    draw_between_critics,
    draw_between_teacher_and_student,
    draw_random,
    draw_stratified,
    draw_uncertain,
)
from kg.graph.rows import EdgeRow, row_of
from kg.graph.scores import Thresholds
from kg.graph.turns import Drawn
from kg.identity import triple_key
from kg.model import Edge, Triple

SEEDS = 400
Draw = Callable[[list[EdgeRow], int, int], list[Drawn]]
DRAWS: dict[str, Draw] = {
    "random": lambda rows, size, seed: draw_random(rows, size, seed)[0],
    "stratified": lambda rows, size, seed: draw_stratified(lambda: rows, size, seed)[0],
}


def row(number: int, relation: str = "xWant", score: float | None = None, **more: object) -> EdgeRow:
    triple = Triple(f"PersonX does thing {number}", relation, f"to do thing {number}")
    values = {"runs": ("load-1",), "predicted": False, "critic": None if score is None else "critic-1"} | more
    return row_of(Edge(triple, "test", score=score, **values))  # type: ignore[arg-type]


def population() -> list[EdgeRow]:
    """300 edges of uneven relations; the better a score, the likelier the edge is good, and some have none."""
    rows = [row(number, "xWant", number % 97 / 97) for number in range(200)]
    rows += [row(number, "xNeed", (number % 10) ** 2 / 100) for number in range(200, 270)]
    rows += [row(number, "xAttr") for number in range(270, 293)]
    return rows + [row(number, "xReact", 0.5) for number in range(293, 300)]


def is_good(one: EdgeRow) -> bool:
    number = int(one.head.rpartition(" ")[2])
    return number % 3 == 0 if one.score is None else (one.score > 0.6) != (number % 11 == 0)


def by_ends(rows: Iterable[EdgeRow]) -> dict[tuple[str, str, str], EdgeRow]:
    return {(one.head_id, one.relation, one.tail_id): one for one in rows}


@pytest.mark.parametrize("way", DRAWS)
@pytest.mark.parametrize("size", [7, 40, 120])
def test_weighting_by_the_probabilities_recovers_what_is_true_of_all(way: str, size: int) -> None:
    rows = population()
    known = by_ends(rows)
    truth = sum(map(is_good, rows)) / len(rows)
    estimates = []
    for seed in range(SEEDS):
        drawn = DRAWS[way](rows, size, seed)
        assert len({one.ends for one in drawn}) == size
        estimates.append(sum(is_good(known[one.ends]) / (one.probability or math.nan) for one in drawn) / len(rows))
    mean = sum(estimates) / SEEDS
    spread = math.sqrt(sum((one - mean) ** 2 for one in estimates) / (SEEDS - 1))
    assert abs(mean - truth) < 3.5 * spread / math.sqrt(SEEDS)
    assert spread < 0.5


@pytest.mark.parametrize("way", DRAWS)
def test_each_edge_is_drawn_as_often_as_its_probability_says(way: str) -> None:
    rows = population()[150:]
    seen: Counter[tuple[str, str, str]] = Counter()
    probabilities: dict[tuple[str, str, str], float] = {}
    for seed in range(SEEDS):
        for one in DRAWS[way](rows, 45, seed):
            seen[one.ends] += 1
            assert one.probability is not None
            assert probabilities.setdefault(one.ends, one.probability) == pytest.approx(one.probability)
    assert len(probabilities) == len(rows), "no edge is out of reach"
    assert sum(probabilities.values()) == pytest.approx(45)
    off = [
        (seen[ends] - SEEDS * chance) / math.sqrt(SEEDS * chance * (1 - chance))
        for ends, chance in probabilities.items()
        if chance < 0.999
    ]
    assert max(map(abs, off)) < 4.5
    assert sum(one * one for one in off) / len(off) < 1.5


@pytest.mark.parametrize("way", DRAWS)
def test_a_draw_follows_from_seed_and_triples_not_from_their_order(way: str) -> None:
    rows = population()
    drawn = DRAWS[way](rows, 30, 5)
    assert DRAWS[way](rows[::-1], 30, 5) == drawn
    assert {one.ends for one in DRAWS[way](rows, 30, 6)} != {one.ends for one in drawn}
    everything = DRAWS[way](rows, 1000, 5)
    assert len(everything) == len(rows)
    assert {one.probability for one in everything} == {1.0}


@pytest.mark.parametrize("way", DRAWS)
def test_the_first_of_a_draw_are_no_other_than_the_rest(way: str) -> None:
    rows = population()
    known = by_ends(rows)
    first: Counter[str] = Counter()
    for seed in range(SEEDS):
        first[known[DRAWS[way](rows, 120, seed)[0].ends].relation] += 1
    share = {"random": 200 / 300, "stratified": 0.5}[way]
    assert abs(first["xWant"] / SEEDS - share) < 0.12


def test_no_edges_make_no_draw() -> None:
    assert draw_random([], 5, 0) == ([], 0)
    assert draw_stratified(list, 5, 0) == ([], 0)
    assert draw_uncertain([], 5, {}) == []


def test_strata_are_relations_and_tenths_of_their_scores_as_equal_as_they_may_be() -> None:
    rows = population()
    drawn, count = draw_stratified(lambda: rows, 200, 0)
    known = by_ends(rows)
    assert count == len(rows)
    of = [known[one.ends] for one in drawn]
    relations = Counter(one.relation for one in of)
    assert relations["xReact"] == 7, "all of one that has but a few"
    scores = sorted(one.score for one in rows if one.relation == "xWant" and one.score is not None)
    tenths = Counter(
        sum(one.score >= scores[20 * place] for place in range(1, 10))
        for one in of
        if one.relation == "xWant" and one.score is not None
    )
    assert len(tenths) == 10
    assert max(tenths.values()) - min(tenths.values()) <= 2


def test_the_most_uncertain_are_nearest_to_the_threshold_of_their_relation() -> None:
    rows = [row(1, "xWant", 0.5), row(2, "xWant", 0.31), row(3, "xNeed", 0.5), row(4, "xNeed", 0.9), row(5, "xWant")]
    rows.append(row(6, "xWant", 0.3, critic="critic-2"))
    rule = Thresholds({"xWant": 0.3, "xNeed": 0.88}, {}, frozenset())
    drawn = draw_uncertain(rows, 3, {"critic-1": rule})
    assert [one.ends for one in drawn] == [(r.head_id, r.relation, r.tail_id) for r in (rows[1], rows[3], rows[0])]
    assert {one.probability for one in drawn} == {None}


def test_critics_disagree_by_the_scores_that_are_kept_of_both() -> None:
    rows = [row(1, score=0.5, scores=("0.1 critic-2",)), row(2, score=0.1, scores=("0.9 critic-2", "0.1 critic-3"))]
    rows += [row(3, score=0.9, scores=("0.1 critic-3",)), row(4)]
    drawn = draw_between_critics(rows, 5, ("critic-1", "critic-2"))
    assert [one.head for one in drawn] == [rows[1].head_id, rows[0].head_id]


def test_teacher_and_student_meet_where_their_means_differ_most_each_with_its_best_tail() -> None:
    def said(event: int, tail: str, score: float, *, predicted: bool) -> EdgeRow:
        triple = Triple(f"PersonX does thing {event}", "xWant", tail)
        return row_of(Edge(triple, "test", ("load-1",), predicted, score=score, critic="critic-1"))

    rows = [
        said(1, "to a", 0.9, predicted=False),
        said(1, "to b", 0.5, predicted=False),
        said(1, "to c", 0.6, predicted=True),
        said(2, "to a", 0.9, predicted=False),
        said(2, "to b", 0.2, predicted=True),
        said(2, "to c", 0.1, predicted=True),
        said(3, "to a", 0.9, predicted=False),
    ]
    wanted = [triple_key(one.head_id, one.relation, one.tail_id) for one in (rows[3], rows[4], rows[0], rows[2])]
    found = [triple_key(*one.ends) for one in draw_between_teacher_and_student(rows, 5)]
    assert found == wanted
    assert [triple_key(*one.ends) for one in draw_between_teacher_and_student(rows, 3)] == wanted[:3]
