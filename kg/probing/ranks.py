"""Ranks of the right tails, what they come to, and what needs no model at all.

A tail's rank is 1 and the number of other candidates that score as high or higher: a model that finds all alike gets
no rank by luck. The filtered rank leaves out other tails that are right, too. Precision at k is the share of ranks up
to k; a mean over relations counts each alike, as LAMA's does. Intervals are percentiles of a bootstrap over the facts
of each relation.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CUTS = (1, 10, 100)
_DRAWS = 1_000
_TIE = 1e-6  # log-probabilities that are no further apart are equal

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answer of a model to one cloze.

    Attributes:
        relation: of the fact.
        tail: the right one.
        raw: its rank among all candidates.
        filtered: its rank without other right tails.
        best: the candidate that scores best.
    """

    relation: str
    tail: str
    raw: int
    filtered: int
    best: str


def rank(scores: Array, candidates: Sequence[str], relation: str, tail: str, right: Collection[str]) -> Ranked:
    """Return the ranks of a tail.

    Args:
        scores: one for each candidate; those that are surely below the tail's may be minus infinity.
        candidates: each once, the tail among them.
        relation: of the fact.
        tail: the right one.
        right: all tails that are right.
    """
    place = candidates.index(tail)
    above = scores >= scores[place] - _TIE
    above[place] = False
    others = sum(bool(above[candidates.index(one)]) for one in right if one != tail and one in candidates)
    raw = 1 + int(above.sum())
    return Ranked(relation, tail, raw, raw - others, candidates[int(scores.argmax())])


def summary(ranked: Sequence[Ranked], seed: int = 0) -> dict[str, Any]:
    """Return precisions and mean reciprocal ranks, by relation, over relations and over facts.

    Args:
        ranked: at least one.
        seed: of the bootstrap.

    Returns:
        `relations`, each with `facts`; `relations_mean` and `facts_mean`. Each of them has `filtered` and `raw`, with
        P@1, P@10, P@100 and MRR as `[value, lowest, highest]` of 95 %.
    """
    by_relation: defaultdict[str, list[Ranked]] = defaultdict(list)
    for one in ranked:
        by_relation[one.relation].append(one)
    rng = np.random.default_rng(seed)
    draws = {name: rng.integers(len(rows), size=(_DRAWS, len(rows))) for name, rows in by_relation.items()}
    parts: dict[str, Any] = {name: {"facts": len(rows)} for name, rows in by_relation.items()}
    means: dict[str, Any] = {"facts": len(ranked), "relations_mean": {}, "facts_mean": {}}
    weights = np.array([len(rows) for rows in by_relation.values()], dtype=float)
    for kind in ("filtered", "raw"):
        figures: dict[str, list[tuple[float, Array]]] = defaultdict(list)
        for name, rows in by_relation.items():
            own = _figures(np.array([getattr(one, kind) for one in rows]))
            each = {figure: (float(values.mean()), values[draws[name]].mean(1)) for figure, values in own.items()}
            parts[name][kind] = {figure: _interval(*value) for figure, value in each.items()}
            for figure, value in each.items():
                figures[figure].append(value)
        for key, share in (("relations_mean", np.ones_like(weights)), ("facts_mean", weights)):
            means[key][kind] = {
                figure: _interval(
                    float(np.average([value for value, _ in values], weights=share)),
                    np.average([drawn for _, drawn in values], axis=0, weights=share),
                )
                for figure, values in figures.items()
            }
    return {**means, "relations": parts}


def most_frequent(facts: Iterable[tuple[str, str]]) -> list[bool]:
    """Tell for each (relation, tail) whether the tail is the relation's most frequent one, the first of several."""
    rows = list(facts)
    counts = Counter(rows)
    best: dict[str, str] = {}
    for relation, tail in rows:
        if relation not in best or counts[relation, tail] > counts[relation, best[relation]]:
            best[relation] = tail
    return [best[relation] == tail for relation, tail in rows]


def lead(ranked: Sequence[Ranked], seed: int = 0) -> list[float]:
    """Return by how much P@1 over facts, filtered, is above that of the most frequent tail, with its 95 % interval.

    The same facts are drawn for both, so the interval is narrower than that of either.
    """
    frequent = np.array(most_frequent((one.relation, one.tail) for one in ranked), dtype=float)
    gain = np.array([one.filtered == 1 for one in ranked]) - frequent
    drawn = np.random.default_rng(seed).integers(len(gain), size=(_DRAWS, len(gain)))
    return _interval(float(gain.mean()), gain[drawn].mean(1))


def by_prior(facts: Sequence[tuple[str, str]], right: Sequence[Collection[str]], candidates: int) -> list[Ranked]:
    """Rank tails by how often they come with their relation in the other facts: what a relation alone tells.

    Args:
        facts: relations and tails.
        right: of each fact, all tails that are right.
        candidates: how many there are; those that never come have a frequency of 0.
    """
    counts: Mapping[str, Counter[str]] = defaultdict(Counter)
    for relation, tail in facts:
        counts[relation][tail] += 1
    found = []
    for (relation, tail), also in zip(facts, right, strict=True):
        own = counts[relation]
        frequency = own[tail] - 1
        above = {other for other, number in own.items() if number >= frequency and other != tail}
        unseen = candidates - len(own) if frequency == 0 else 0
        raw = 1 + len(above) + unseen
        best = max(own, key=lambda other: own[other] - (other == tail))
        found.append(Ranked(relation, tail, raw, raw - len(above & set(also)), best))
    return found


def _figures(ranks: Array) -> dict[str, Array]:
    return {**{f"P@{cut}": (ranks <= cut).astype(float) for cut in CUTS}, "MRR": 1 / ranks}


def _interval(value: float, drawn: Array) -> list[float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return [value, float(low), float(high)]
