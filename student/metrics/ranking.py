"""Where a ranker puts held-out tails: MRR and Hits@k, filtered, as link prediction measures them.

The rank of a tail is among all tails known for its relation, but for other right ones (Bordes et al. 2013, "filtered");
among equal scores the mean of the best and the worst rank counts, PyKEEN's "realistic" one.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from more_itertools import chunked
from numpy.typing import NDArray

from kg.model import Triple

HITS = (1, 3, 10)
_EVENTS = 256  # ranked at once


@runtime_checkable
class Ranks(Protocol):
    """A student that scores every tail that it knows."""

    relations: tuple[str, ...]

    def candidates(self, relation: str) -> list[str]:
        """Return the tails known for a relation."""
        ...

    def table(self, events: Sequence[str], relation: str) -> NDArray[np.float32]:
        """Return the scores (n, m) of n events and the m candidates, the higher the better."""
        ...


def link_prediction(student: Ranks, held_out: Sequence[Triple], known: Collection[Triple]) -> dict[str, Any]:
    """Return how high a ranker puts held-out tails.

    Args:
        student: a ranker.
        held_out: triples that it was not trained on, each once.
        known: other right triples, such as those of its training; none of these, nor of the held-out ones, counts
            against another.

    Returns:
        `rows`, the held-out triples of relations that it knows; `covered`, the share of them whose tail it knows; of
        these `mrr`, the mean of one over the rank, and `hits` by k, the shares at rank k or better, each in [0, 1]
        (None where there are none). A tail that it does not know has no rank.
    """
    right: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for triple in (*known, *held_out):
        right[triple.head, triple.relation].add(triple.tail)
    mine = [triple for triple in dict.fromkeys(held_out) if triple.relation in student.relations]
    ranks = [
        rank
        for relation in student.relations
        for rank in _ranks(student, relation, [triple for triple in mine if triple.relation == relation], right)
    ]
    found = np.array(ranks)
    return {
        "rows": len(mine),
        "covered": len(ranks) / len(mine) if mine else 0.0,
        "mrr": float((1 / found).mean()) if ranks else None,
        "hits": {str(k): float((found <= k).mean()) if ranks else None for k in HITS},
    }


def _ranks(
    student: Ranks, relation: str, held_out: Sequence[Triple], right: dict[tuple[str, str], set[str]]
) -> list[float]:
    """Return the rank of each held-out tail of a relation that is among its candidates."""
    places = {tail: place for place, tail in enumerate(student.candidates(relation))}
    asked: defaultdict[str, list[int]] = defaultdict(list)
    for triple in held_out:
        if triple.tail in places:
            asked[triple.head].append(places[triple.tail])
    ranks = []
    for heads in chunked(asked, _EVENTS):
        for head, scores in zip(heads, student.table(heads, relation), strict=True):
            others = np.ones(len(scores), dtype=bool)
            others[[places[tail] for tail in right[head, relation] if tail in places]] = False
            for place in asked[head]:
                better, equal = (int((compared & others).sum()) for compared in _compared(scores, place))
                ranks.append(1 + better + equal / 2)
    return ranks


def _compared(scores: NDArray[np.float32], place: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which scores are higher than that of a place, and which are equal."""
    return scores > scores[place], scores == scores[place]
