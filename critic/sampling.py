"""Draws from edges: which are to be judged, and with which probability each came to be.

All are functions of rows of edges, and of a seed where chance decides. Each edge has a number in [0, 1) that follows
from the seed and its triple alone, so that a draw does not depend on the order of the rows, and holds no more rows than
it draws.

| draw | what | probability |
|---|---|---|
| `draw_random` | each edge as likely as any other | how many are drawn of how many |
| `draw_stratified` | as many of each relation and decile of its scores | that of its stratum |
| `draw_uncertain` | scores nearest to their thresholds | none: they are chosen, not drawn |
| `draw_between_teacher_and_student` | best tails where mean scores of both differ most | none |
| `draw_between_critics` | edges that two critics score most differently | none |
"""

import hashlib
import heapq
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from kg.graph.rows import EdgeRow
from kg.graph.scores import ByCritic, read_scores
from kg.graph.turns import Drawn
from kg.identity import triple_key

Stratum = tuple[str, int]
"""A relation, and the decile of its scores from 0 to 9; -1 for edges without a score."""

_DECILES = 10


def number_of(row: EdgeRow, seed: int) -> float:
    """Return the number of an edge, in [0, 1): the same for the same seed and triple, otherwise as good as random."""
    content = f"{seed} {key_of(row)}".encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") / 2**64


def chance_of(seed: int) -> np.random.Generator:
    """Return random numbers of a seed, which may be any whole number."""
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=16).digest(), "big"))


def key_of(row: EdgeRow) -> str:
    """Return the identity of an edge's triple."""
    return triple_key(row.head_id, row.relation, row.tail_id)


def draw_random(rows: Iterable[EdgeRow], size: int, seed: int) -> tuple[list[Drawn], int]:
    """Return a simple random sample without replacement, in random order, and the number of edges drawn from."""
    count = 0

    def counted() -> Iterator[EdgeRow]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    drawn = heapq.nsmallest(size, counted(), key=lambda row: number_of(row, seed))
    return [_drawn(row, len(drawn) / count) for row in drawn], count


def draw_stratified(rows: Callable[[], Iterable[EdgeRow]], size: int, seed: int) -> tuple[list[Drawn], int]:
    """Return a sample with as many edges of each stratum as there may be, and the number of edges drawn from.

    Where strata are more than `size`, or it is no multiple of them, chance decides which get one more; the probability
    of an edge, over all seeds, is the expected number of its stratum by the number of edges there.

    Args:
        rows: gives the same edges each time it is called, twice.
        size: how many to draw.
        seed: of everything random.
    """
    scores: dict[str, array[float]] = defaultdict(lambda: array("d"))
    unscored: dict[str, int] = defaultdict(int)
    for row in rows():
        if row.score is None:
            unscored[row.relation] += 1
        else:
            scores[row.relation].append(row.score)
    ends = {relation: _deciles(np.array(found)) for relation, found in scores.items()}
    sizes: dict[Stratum, int] = {(relation, -1): count for relation, count in unscored.items()}
    for relation, found in scores.items():
        places, counts = np.unique(np.searchsorted(ends[relation], found, side="right"), return_counts=True)
        sizes |= {(relation, int(place)): int(count) for place, count in zip(places, counts, strict=True)}
    strata = sorted(sizes)
    total = sum(sizes.values())
    shares = _shares(np.array([sizes[one] for one in strata], np.float64), min(size, total))
    chance = chance_of(seed)
    numbers = dict(zip(strata, _rounded(shares, chance), strict=True))
    expected = dict(zip(strata, shares.tolist(), strict=True))
    waiting: dict[Stratum, list[tuple[float, str, EdgeRow]]] = {one: [] for one in strata}
    for row in rows():
        stratum = _stratum(row, ends)
        heap, most = waiting[stratum], numbers[stratum]
        entry = (-number_of(row, seed), key_of(row), row)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        elif most and entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    drawn = [
        _drawn(row, expected[stratum] / sizes[stratum])
        for stratum in strata
        for *_, row in sorted(waiting[stratum], reverse=True)
    ]
    return [drawn[place] for place in chance.permutation(len(drawn))], total


def draw_uncertain(rows: Iterable[EdgeRow], size: int, thresholds: ByCritic) -> list[Drawn]:
    """Return the edges whose score is nearest to the smallest accepted one, the nearest first."""

    def near() -> Iterator[tuple[float, str, EdgeRow]]:
        for row in rows:
            rule = thresholds.get(row.critic or "")
            limit = None if rule is None else rule.of(row.relation, row.runs)
            if row.score is not None and limit is not None:
                yield abs(row.score - limit), key_of(row), row

    return [_drawn(row) for *_, row in heapq.nsmallest(size, near(), key=lambda one: one[:2])]


def draw_between_critics(rows: Iterable[EdgeRow], size: int, critics: tuple[str, str]) -> list[Drawn]:
    """Return the edges that two critics score most differently, the widest gap first."""

    def far() -> Iterator[tuple[float, str, EdgeRow]]:
        for row in rows:
            given = read_scores(row.score, row.critic, row.scores)
            if all(critic in given for critic in critics):
                yield -abs(given[critics[0]] - given[critics[1]]), key_of(row), row

    return [_drawn(row) for *_, row in heapq.nsmallest(size, far(), key=lambda one: one[:2])]


def draw_between_teacher_and_student(rows: Iterable[EdgeRow], size: int) -> list[Drawn]:
    """Return tails of teachers and students where these differ most, a teacher's and a student's by turns.

    Of each event and relation about which both have scored tails it is the best-scored one of each side; those whose
    mean scores differ most come first (as `kg query disagreement` has them).

    Args:
        rows: in the order of heads and relations, as `KnowledgeGraph.edges` has them.
        size: how many to return.
    """

    def pairs() -> Iterator[tuple[float, str, EdgeRow, EdgeRow]]:
        scored = (row for row in rows if row.score is not None)
        for _, group in groupby(scored, key=lambda row: (row.head_id, row.relation)):
            told: tuple[list[EdgeRow], list[EdgeRow]] = ([], [])
            for row in group:
                told[row.predicted].append(row)
            if all(told):
                teacher, student = (float(np.mean([row.score for row in side])) for side in told)
                best = [max(side, key=lambda row: (row.score, row.tail_id)) for side in told]
                yield -abs(teacher - student), key_of(best[0]), best[0], best[1]

    found = heapq.nsmallest((size + 1) // 2, pairs(), key=lambda one: one[:2])
    return [_drawn(row) for *_, teacher, student in found for row in (teacher, student)][:size]


def _drawn(row: EdgeRow, probability: float | None = None) -> Drawn:
    return Drawn(row.head_id, row.relation, row.tail_id, probability)


def _deciles(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nine scores that part ten equal groups; a score that equals one belongs to the group above it."""
    return np.quantile(scores, np.arange(1, _DECILES) / _DECILES)


def _stratum(row: EdgeRow, ends: Mapping[str, NDArray[np.float64]]) -> Stratum:
    if row.score is None:
        return row.relation, -1
    return row.relation, int(np.searchsorted(ends[row.relation], row.score, side="right"))


def _shares(sizes: NDArray[np.float64], wanted: int) -> NDArray[np.float64]:
    """Return how many to draw of each stratum, in fractions that add up to `wanted`: as equal as sizes let them be."""
    shares = np.zeros_like(sizes)
    left, places = float(wanted), np.argsort(sizes)
    for done, place in enumerate(places):
        shares[place] = min(sizes[place], left / (len(sizes) - done))
        left -= shares[place]
    return shares


def _rounded(shares: NDArray[np.float64], chance: np.random.Generator) -> Sequence[int]:
    """Return whole numbers with the same sum, each the share's floor or ceiling, and the share on average."""
    order = chance.permutation(len(shares))
    ends = np.floor(np.round(np.cumsum(shares[order]), 9) + chance.random()).astype(np.int64)
    found = np.zeros(len(shares), np.int64)
    found[order] = np.diff(ends, prepend=0)
    return found.tolist()
