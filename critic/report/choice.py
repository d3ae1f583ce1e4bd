"""Which critic to use, and how sure that is: figures from resampled events, and what they mean in words.

Critics are compared on the judged triples that all of them scored. Whole events are resampled, since triples of one
event err together, and the same events for every critic, so that what is hard for all does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from critic.report.evidence import Scored

_RESAMPLES = 1_000
_ENDS = (0.025, 0.975)
_ECE_BINS = 15  # of equal mass
_SHOWN_BINS = 10
_COVERED = 0.5  # share of the judged triples of the best covered critic below which one is left out
_SURE, _LIKELY = 0.975, 0.9  # shares of resamples
_FEW_EVENTS = 20  # below which resampled events say little

_MORE = (
    "For more verdicts: kg query unjudged --param split=validation --tsv, then kg critic import-judgements FILE; for "
    "the scores of another critic: kg critic use ID, then kg critic score."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rank:
    """How well one critic puts good triples before bad ones.

    Attributes:
        critic: its id.
        auc: on the triples that all scored.
        interval: 95 %.
        best: share of resamples in which no other critic is better; ties are shared.
    """

    critic: str
    auc: float
    interval: tuple[float, float]
    best: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Critics in their order, the best first.

    Attributes:
        ranks: of the critics compared; empty where these verdicts cannot tell.
        rows: judged triples that all of them scored.
        events: events of these.
        good: how many of them are good.
        left_out: ids of critics that scored too few of the judged triples.
        lead: how much the first is ahead of the second: the difference of their AUC and its 95 % interval; None of one.
    """

    ranks: list[Rank]
    rows: int
    events: int
    good: int
    left_out: list[str]
    lead: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether a critic's scores are shares of good triples.

    Attributes:
        error: expected calibration error, 15 bins of equal mass.
        expected: the 95 % range of that of a perfectly calibrated critic with the same scores.
        mean: mean score.
        good: share of good triples.
        bins: for each of 10 bins of equal mass its mean score, share of good triples, the ends of the 95 % range of
            that share if the critic were perfectly calibrated, and its number of triples.
    """

    error: float
    expected: tuple[float, float]
    mean: float
    good: float
    bins: list[tuple[float, float, float, float, int]]


def choose(critics: Sequence[Scored], seed: int = 0) -> Choice:
    """Compare critics by their AUC.

    Args:
        critics: in any order; the current one wins a tie.
        seed: of the resampling.
    """
    most = max((len(one.verdicts) for one in critics), default=0)
    compared = [one for one in critics if len(one.verdicts) >= _COVERED * most]
    left_out = [one.critic for one in critics if one not in compared]
    common = sorted(set.intersection(*(set(one.verdicts.triples) for one in compared))) if compared else []
    places = [{triple: row for row, triple in enumerate(one.verdicts.triples)} for one in compared]
    scores = np.array([[one.scores[place[triple]] for triple in common] for one, place in zip(compared, places,
                                                                                           strict=True)])  # fmt: skip
    good = np.array([compared[0].verdicts.good[places[0][triple]] for triple in common], dtype=np.bool_)
    events = np.unique([triple.head for triple in common], return_inverse=True)[1] if common else np.zeros(0, np.intp)
    number = int(events.max()) + 1 if common else 0
    if not 0 < good.sum() < len(good):
        return Choice([], len(common), number, int(good.sum()), left_out, None)
    found = np.array([_auc(row, good) for row in scores])
    resampled = _resampled(scores, good, events, number, seed)  # (resamples, critics)
    wins = resampled == resampled.max(axis=1, keepdims=True)
    best = (wins / wins.sum(axis=1, keepdims=True)).mean(axis=0)
    order = sorted(range(len(compared)), key=lambda place: (-found[place], not compared[place].is_current))
    ranks = [
        Rank(compared[place].critic, float(found[place]), _ends(resampled[:, place]), float(best[place]))
        for place in order
    ]
    lead = None
    if len(order) > 1:
        first, second = order[:2]
        lead = (float(found[first] - found[second]), *_ends(resampled[:, first] - resampled[:, second]))
    return Choice(ranks, len(common), number, int(good.sum()), left_out, lead)


def calibration(scores: Floats, good: NDArray[np.bool_], seed: int = 0) -> Calibration:
    """Return how far scores are from shares, beside what chance alone does to a perfectly calibrated critic.

    Args:
        scores: (n,) in [0, 1], n at least 1.
        good: (n,).
        seed: of the simulation.
    """
    order = np.argsort(scores, kind="stable")
    scores, truth = scores[order], good[order].astype(np.float64)
    drawn = np.random.default_rng(seed).random((_RESAMPLES, len(scores))) < scores  # (resamples, n)
    simulated = drawn.astype(np.float64)
    fine, coarse = (np.array_split(np.arange(len(scores)), min(count, len(scores))) for count in
                    (_ECE_BINS, _SHOWN_BINS))  # fmt: skip

    def error(truths: Floats) -> Floats:  # (..., n) -> (...)
        gaps = [np.abs((truths[..., rows] - scores[rows]).sum(axis=-1)) for rows in fine]
        return np.asarray(np.sum(gaps, axis=0) / len(scores))

    bins = []
    for rows in coarse:
        low, high = _ends(simulated[:, rows].mean(axis=1))
        bins.append((float(scores[rows].mean()), float(truth[rows].mean()), low, high, len(rows)))
    return Calibration(
        float(error(truth)), _ends(error(simulated)), float(scores.mean()), float(truth.mean()), bins
    )  # fmt: skip


def answer(choice: Choice, current: str) -> list[str]:
    """Return which critic to use and how sure that is, in sentences for somebody who is new to it."""
    if not choice.ranks:
        known = (
            f"Which critic is best cannot be said: of validation events {choice.rows:,} triples are judged that the "
            f"critics scored, {choice.good:,} of them good, and it takes good and bad ones."
        )
        return [known, _MORE]
    first = choice.ranks[0]
    low, high = first.interval
    best = (
        f"Use {first.critic}: of a good and a bad triple it puts the good one first in {_percent(first.auc)} of all "
        f"cases (95 % range {_percent(low)} to {_percent(high)}; a coin has 50 %)."
    )
    lines = [best, _how_sure(choice)]
    if low <= 0.5:  # noqa: PLR2004 - a coin's
        lines.append("That it is better than a coin at all is not shown.")
    if first.critic != current:
        lines.append(f"The graph shows the scores of {current} now; kg critic use {first.critic} changes that.")
    if choice.events < _FEW_EVENTS:
        lines.append(f"All of it rests on {choice.events} events, which is little; judge more before relying on it.")
    if choice.left_out:
        lines.append(
            f"Not compared, since they scored too few of the judged triples: {', '.join(choice.left_out)} (kg critic "
            "use ID, then kg critic score)."
        )
    return lines


def calibration_words(found: Calibration) -> str:
    """Return whether scores can be read as shares, in a sentence."""
    low, high = found.expected
    figures = (
        f"its calibration error is {_percent(found.error)}, where a perfectly calibrated critic with the same scores "
        f"has {_percent(low)} to {_percent(high)}"
    )
    if found.error <= high:
        return f"Its scores can be read as shares of good triples: {figures}."
    way = "too high" if found.mean > found.good else "too low"
    return (
        f"Do not read its scores as shares of good triples: {figures}; in the mean they are {way} "
        f"({_percent(found.mean)}, where {_percent(found.good)} are good)."
    )


def _how_sure(choice: Choice) -> str:
    if choice.lead is None:
        return "There is no other critic to compare it with."
    first, second = choice.ranks[:2]
    ahead, low, high = choice.lead
    figures = (
        f"it is ahead of all others in {_percent(first.best)} of {_RESAMPLES:,} resamples of the {choice.events:,} "
        f"events, and ahead of {second.critic} by {100 * ahead:.1f} points (95 % range {100 * low:.1f} to "
        f"{100 * high:.1f})"
    )
    if first.best >= _SURE:
        return f"That is sure: {figures}."
    if first.best >= _LIKELY:
        return f"That is likely, not sure: {figures}."
    return f"That is open: {figures}; take the cheaper one, or judge more."


def _resampled(scores: Floats, good: NDArray[np.bool_], events: NDArray[np.intp], number: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(_RESAMPLES):
        times = np.bincount(random.integers(0, number, number), minlength=number)
        rows = np.repeat(np.arange(len(events)), times[events])
        if 0 < good[rows].sum() < len(rows):
            found.append([_auc(row[rows], good[rows]) for row in scores])
    return np.array(found or [[_auc(row, good) for row in scores]])


def _auc(scores: Floats, good: NDArray[np.bool_]) -> float:
    """Return the probability that a good triple has a higher score than a bad one, ties for a half."""
    from scipy.stats import rankdata  # noqa: PLC0415 - takes a second

    wins = int(good.sum())
    return float((rankdata(scores)[good].sum() - wins * (wins + 1) / 2) / (wins * (len(good) - wins)))


def _ends(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, _ENDS) if len(values) else (0.0, 1.0)
    return float(low), float(high)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
