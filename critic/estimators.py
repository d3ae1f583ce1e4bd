"""Estimates of a share from verdicts on a probability sample, and from these and a critic's scores of all.

Weights are inverse probabilities of inclusion. Nothing is corrected for how large a part of all was drawn, so intervals
are a little wide where that is much. Triples of one event err together, so what they add to the variance is summed by
event (linearised, as Särndal et al. 1992, s5.5), and is never taken for less than they would add one by one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Events = NDArray[np.int64]
"""The number of each triple's event; triples of one event have the same."""

_NORMAL = 1.959963984540054  # standard errors of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval, all in [0, 1]."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Powered:
    """A share by prediction-powered inference.

    Attributes:
        value: the share, in [0, 1].
        interval: 95 %.
        tuning: how much the scores count, from 0 (not at all) to 1; lambda in the paper.
    """

    value: float
    interval: tuple[float, float]
    tuning: float


def share_of(good: NDArray[np.bool_], weights: Floats, events: Events | None = None) -> Share:
    """Return the weighted share of good ones (Hájek 1971), with Wilson's interval at the effective size of the sample.

    The effective size is that at which a simple random sample would have the variance of the share (linearised), but
    never more than Kish's, which does not depend on the verdicts. With equal weights and one triple of each event both
    are the sample's own, and the interval is Wilson's (1927), which has a width even where all verdicts are alike: then
    each event counts once, since how alike its triples are is not known.

    Args:
        good: (n,) verdicts, at least one.
        weights: (n,) above 0.
        events: (n,) None takes each triple for one of an event of its own.
    """
    total = weights.sum()
    value = float(np.average(good, weights=weights))
    size = total**2 / (weights**2).sum()
    variance = _squares(weights * (good - value), events) / total**2
    if variance > 0:
        size = min(size, value * (1 - value) / variance)
    elif events is not None:
        size = total**2 / _squares(weights, events)
    return Share(value, wilson(value, float(size)))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share in a sample, whose size need not be whole.

    >>> [round(end, 4) for end in wilson(0.9, 10)]
    [0.5958, 0.9821]
    """
    square = _NORMAL**2
    middle = (share + square / (2 * size)) / (1 + square / size)
    half = _NORMAL / (1 + square / size) * np.sqrt(share * (1 - share) / size + square / (4 * size**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def prediction_powered(
    good: NDArray[np.bool_] | Floats,
    scores: Floats,
    of_all: Floats,
    weights: Floats | None = None,
    events: Events | None = None,
) -> Powered | None:
    """Return the share of good ones among all, by verdicts on some and scores of all (PPI++, Angelopoulos et al. 2023).

    The estimate is the mean score of all, plus the weighted mean of verdict minus score, with scores multiplied by the
    tuning that makes the variance smallest. Equal to `ppi_mean_ci` of the package ppi-python, but for ends in [0, 1].

    Args:
        good: (n,) verdicts.
        scores: (n,) the scores of the same triples.
        of_all: (N,) the scores of all.
        weights: (n,) above 0; None for equal ones.
        events: (n,) None takes each triple for one of an event of its own.

    Returns:
        None where there are fewer than two verdicts, or all are alike, so that their spread is not known.
    """
    verdicts = np.asarray(good, dtype=np.float64)
    few, many = len(verdicts), len(of_all)
    if few < 2 or (verdicts == verdicts[0]).all():  # noqa: PLR2004 - a spread needs two
        return None
    own = np.ones(few) if weights is None else weights / weights.mean()
    first = of_all.mean() + (own * (verdicts - scores)).mean()
    with_verdicts, with_scores, others = own * (verdicts - first), own * (scores - first), of_all - first
    spread = np.concatenate([with_scores, others]).var(ddof=1)
    common = ((with_verdicts - with_verdicts.mean()) * (with_scores - with_scores.mean())).mean()
    tuning = float(np.clip(common / ((1 + few / many) * spread), 0, 1)) if spread > 0 else 0.0
    errors = own * (verdicts - tuning * scores)
    value = float(tuning * of_all.mean() + errors.mean())
    variance = (tuning * of_all).var() / many + _squares(errors - errors.mean(), events) / few**2
    half = _NORMAL * float(np.sqrt(variance))
    low, high = (min(1.0, max(0.0, end)) for end in (value - half, value + half))
    return Powered(min(1.0, max(0.0, value)), (low, high), tuning)


def _squares(parts: Floats, events: Events | None) -> float:
    """Return the sum of the squares of the sums by event, and at least the sum of the squares."""
    alone = float((parts**2).sum())
    return alone if events is None else max(alone, float((np.bincount(events, weights=parts) ** 2).sum()))
