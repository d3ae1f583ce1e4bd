"""Thresholds: from which score on a triple is accepted, chosen for a recall on the validation judgements.

A threshold for recall r is the largest score that keeps at least the share r of the good triples. Each relation
gets its own, because scores of different relations are not equally sharp. Where a relation has few good triples
its own quantile is mostly chance, so it is drawn towards the overall threshold:

    threshold = w * own + (1 - w) * overall,   w = n / (n + 20),   n = good triples judged of the relation

Both parts fall as the recall rises and w does not depend on it, so a higher recall never accepts less.

Scores of what one teacher writes are not as sharp as another's either. So where several teachers wrote what was judged,
each with enough good triples has thresholds of its own: its relations are drawn towards its overall threshold, and that
towards the one of all teachers, by the same rule.
"""

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kg.errors import InputError, NotReady
from kg.model import OVERALL

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The recalls that SKD's release publishes a field for (West et al. 2021, table 4)."""

_PRIOR_ROWS = 20  # good triples at which a relation's own threshold and the overall one count alike
_RESAMPLES = 300  # of the intervals; 1,000 move their ends by a tenth of their width at most


def choose_thresholds(
    scores: ArrayLike, good: ArrayLike, relations: Sequence[str], recall: float, prior: float | None = None
) -> dict[str, float]:
    """Return relation to threshold, and `OVERALL` for relations that have no good triple here.

    The overall threshold keeps at least the share `recall` of the good triples given.

    Args:
        scores: (n,) in [0, 1].
        good: (n,) booleans.
        relations: n names.
        recall: in (0, 1].
        prior: the threshold towards which the overall one is drawn; None leaves it.

    Raises:
        InputError: a recall or score out of its range or NaN, or lengths that differ.
        NotReady: no triple is good.

    >>> choose_thresholds([0.9, 0.8, 0.4], [True, True, False], ["xWant"] * 3, recall=1.0)
    {'*': 0.8, 'xWant': 0.8}
    """
    values, is_good = _checked(scores, good, relations)
    if not 0 < recall <= 1:
        raise InputError(f"recall {recall} is not above 0 and at most 1")
    overall = _drawn(values[is_good], recall, prior)
    thresholds = {OVERALL: overall}
    names = np.asarray(relations)[is_good]
    for relation in sorted(set(names.tolist())):
        thresholds[relation] = _drawn(values[is_good][names == relation], recall, overall)
    return thresholds


def thresholds_by_recall(
    scores: ArrayLike, good: ArrayLike, relations: Sequence[str], recall: float
) -> dict[str, dict[str, float]]:
    """Return the thresholds of each of `RECALLS` and of the chosen recall, keyed by the recall as text ("0.8").

    Raises:
        InputError, NotReady: as `choose_thresholds`.
    """
    wanted = sorted({*RECALLS, recall})
    return {f"{wish:g}": choose_thresholds(scores, good, relations, wish) for wish in wanted}


def thresholds_by_teacher(
    scores: ArrayLike, good: ArrayLike, relations: Sequence[str], wrote: Sequence[Collection[str]], recall: float
) -> dict[str, dict[str, dict[str, float]]]:
    """Return teacher to thresholds as `thresholds_by_recall` has them, for teachers that have some of their own.

    These are teachers of whose triples at least 20 are judged good, where another one wrote what was judged, too: the
    overall thresholds are those of a single teacher already.

    Args:
        scores: (n,) in [0, 1].
        good: (n,) booleans.
        relations: n names.
        wrote: for each triple the teachers that wrote it, maybe none.
        recall: in (0, 1].

    Raises:
        InputError, NotReady: as `choose_thresholds`.
    """
    values, is_good = _checked(scores, good, relations)
    overall = thresholds_by_recall(values, is_good, relations, recall)
    teachers = sorted({teacher for names in wrote for teacher in names})
    found: dict[str, dict[str, dict[str, float]]] = {}
    for teacher in teachers if len(teachers) > 1 else ():
        mine = np.array([teacher in names for names in wrote])
        if is_good[mine].sum() >= _PRIOR_ROWS:
            names = [relation for relation, is_mine in zip(relations, mine, strict=True) if is_mine]
            found[teacher] = {
                f"{wish:g}": choose_thresholds(
                    values[mine], is_good[mine], names, wish, prior=overall[f"{wish:g}"][OVERALL]
                )
                for wish in sorted({*RECALLS, recall})
            }
    return found


def recall_of(scores: ArrayLike, good: ArrayLike, threshold: float) -> float:
    """Return the share of the good triples whose score reaches a threshold, in (0, 1], to four digits.

    Args:
        scores: (n,) in [0, 1].
        good: (n,) booleans.
        threshold: in [0, 1].

    Raises:
        InputError: the threshold is out of its range, or none of the good triples reaches it.
        NotReady: no triple is good.

    >>> recall_of([0.9, 0.8, 0.4], [True, True, False], 0.85)
    0.5
    """
    values, is_good = _checked(scores, good, [""] * np.size(scores))
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold {threshold} is not in [0, 1]")
    if not (values[is_good] >= threshold).any():
        raise InputError(f"no good triple of a validation event has a score of {threshold:g}; choose a lower one")
    return max(1e-4, round(float((values[is_good] >= threshold).mean()), 4))


def threshold_intervals(
    scores: ArrayLike, good: ArrayLike, relations: Sequence[str], events: Sequence[str], recall: float, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each of the thresholds that `choose_thresholds` gives, over resampled events.

    Args:
        scores: (n,) in [0, 1].
        good: (n,) booleans.
        relations: n names.
        events: n keys; triples of one event are drawn together.
        recall: in (0, 1].
        seed: of the resampling.

    Raises:
        InputError, NotReady: as `choose_thresholds`.
    """
    values, is_good = _checked(scores, good, relations)
    names = choose_thresholds(values, is_good, relations, recall)
    random = np.random.default_rng(seed)
    _, event = np.unique(events, return_inverse=True)
    size = int(event.max()) + 1
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(_RESAMPLES):
        times = np.bincount(random.integers(0, size, size), minlength=size)[event]
        rows = np.repeat(np.arange(len(event)), times * is_good).tolist()  # no threshold depends on bad ones
        if rows:
            drawn = choose_thresholds(values[rows], is_good[rows], [relations[row] for row in rows], recall)
            for name, some in found.items():
                some.append(drawn.get(name, drawn[OVERALL]))
    ends = {name: np.quantile(some, [0.025, 0.975]) for name, some in found.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _drawn(good_scores: NDArray[np.float64], recall: float, prior: float | None) -> float:
    """Return the threshold of some scores, drawn towards another one the more, the fewer they are."""
    own = _quantile(good_scores, recall)
    if prior is None:
        return own
    weight = len(good_scores) / (len(good_scores) + _PRIOR_ROWS)
    return weight * own + (1 - weight) * prior


def _quantile(good_scores: NDArray[np.float64], recall: float) -> float:
    """Return the largest threshold that keeps at least the share `recall` of the scores."""
    count = max(1, math.ceil(recall * len(good_scores) - 1e-9))  # 0.7 * 10 is a little above 7
    return float(np.sort(good_scores)[-count])


def _checked(
    scores: ArrayLike, good: ArrayLike, relations: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, is_good = np.asarray(scores, dtype=np.float64), np.asarray(good, dtype=np.bool_)
    if not values.shape == is_good.shape == (len(relations),):
        raise InputError(f"{values.size} scores, {is_good.size} verdicts and {len(relations)} relations do not match")
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("a score is not in [0, 1], or not a number")
    if not is_good.any():
        raise NotReady(
            "none of the judged validation triples is good, so no threshold can be chosen; judge more of them"
        )
    return values, is_good
