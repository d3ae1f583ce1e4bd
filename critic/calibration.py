"""Whether scores are probabilities, and how they become ones.

The calibration error is the mean distance of score and share of good triples, over 15 bins with as many triples each
(Nixon et al. 2019; equal scores stay in one bin). It is above 0 by chance alone, so it stands beside the range that it
has for a critic with the same scores that is perfectly calibrated: verdicts are drawn by the scores, many times.

A calibration is a rising map of scores: by temperature (Guo et al. 2017), by Platt's line of logits (Platt 1999), or
isotonic, with straight lines between the middles of its steps, so that scores keep their order. The one is taken whose
log-loss out of fold is least, and none where the error of the scores as they are is within that range.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 15
_DRAWS = 1_000  # of the verdicts of a perfect critic; 10,000 move the ends by 0.03 points
_FOLDS = 5  # of the choice
_LEAST_ROWS = 40  # good and bad ones together, below which there is nothing to choose by
_EDGE = 1e-6  # how near to 0 and 1 a score may be to have a logit


class Calibration(NamedTuple):
    """A rising map of scores to probabilities; `score` at `scores` becomes `probabilities`, with lines between.

    Attributes:
        method: "none", "temperature", "platt" or "isotonic".
        slope: of the logit, of temperature and Platt; 1 otherwise.
        shift: what is added to it, of Platt; 0 otherwise.
        scores: (k,), rising, of isotonic; empty otherwise.
        probabilities: (k,), in the same places.
    """

    method: str = "none"
    slope: float = 1.0
    shift: float = 0.0
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()

    def of(self, scores: Floats) -> Floats:
        """Return calibrated scores, (n,) in [0, 1], in the order of the scores (n,) given."""
        if self.method == "none":
            return scores
        if self.method == "isotonic":
            return np.interp(scores, self.scores, self.probabilities)
        return _sigmoid(self.slope * logit_of(scores) + self.shift)


def calibration_error(scores: Floats, good: NDArray[np.bool_]) -> float:
    """Return the expected calibration error of scores (n,) in [0, 1] by verdicts (n,): 0 to 1."""
    bins = _bins(scores)
    return float(np.abs(np.bincount(bins, scores - good, _BINS)).sum() / len(scores))


def perfect_range(scores: Floats, seed: int = 0) -> tuple[float, float]:
    """Return the ends between which lie 95 % of the calibration errors that these scores have if they are right."""
    random = np.random.default_rng(seed)
    order = np.argsort(_bins(scores), kind="stable")
    starts = np.flatnonzero(np.diff(_bins(scores)[order], prepend=-1))
    sorted_scores = scores[order]
    found = [
        np.abs(np.add.reduceat(sorted_scores - (random.random(len(scores)) < sorted_scores), starts)).sum()
        for _ in range(_DRAWS)
    ]
    low, high = np.quantile(found, [0.025, 0.975]) / len(scores)
    return float(low), float(high)


def reliability(scores: Floats, good: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return mean score, share of good ones and number of rows of each of the bins, the lowest scores first."""
    bins = _bins(scores)
    return [
        {"score": float(scores[mine].mean()), "good": float(good[mine].mean()), "rows": int(mine.sum())}
        for mine in (bins == place for place in range(_BINS))
        if mine.any()
    ]


def choose_calibration(scores: Floats, good: NDArray[np.bool_], events: Sequence[str], seed: int = 0) -> Calibration:
    """Return the calibration that these verdicts ask for, chosen out of fold by event and fitted to all of them.

    None is chosen where the scores may well be right (`perfect_range`), or where no map gains log-loss; a map of few
    parameters over one of more that gains less than the standard error of that gain, over events.

    Args:
        scores: (n,) in [0, 1], of a critic that did not learn from these verdicts.
        good: (n,) verdicts.
        events: n keys; verdicts of one event stay in one fold.
        seed: of the folds.
    """
    if len(scores) < _LEAST_ROWS or min(good.sum(), (~good).sum()) < _LEAST_ROWS // 4:
        return Calibration()
    _, event = np.unique(events, return_inverse=True)
    if event.max() + 1 < _FOLDS or calibration_error(scores, good) <= perfect_range(scores, seed)[1]:
        return Calibration()
    folds = np.random.default_rng(seed).permutation(event.max() + 1)[event] % _FOLDS
    best, least = Calibration(), _losses(scores, good)
    for fit in (_temperature, _platt, _isotonic):
        found = np.empty(len(scores))
        for fold in range(_FOLDS):
            mine = folds == fold
            if not 0 < good[~mine].sum() < (~mine).sum():
                return Calibration()
            found[mine] = fit(scores[~mine], good[~mine]).of(scores[mine])
        losses = _losses(found, good)
        gains = np.bincount(event, least - losses)  # of each event
        if gains.sum() > (0.0 if best.method == "none" else gains.std(ddof=1) * len(gains) ** 0.5):
            best, least = fit(scores, good), losses
    return best


def _temperature(scores: Floats, good: NDArray[np.bool_]) -> Calibration:
    return Calibration("temperature", slope=max(_EDGE, float(_regression(logit_of(scores), good, intercept=False)[0])))


def _platt(scores: Floats, good: NDArray[np.bool_]) -> Calibration:
    slope, shift = _regression(logit_of(scores), good, intercept=True)
    return Calibration("platt", slope=max(_EDGE, float(slope)), shift=float(shift))


def _isotonic(scores: Floats, good: NDArray[np.bool_]) -> Calibration:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - takes a second

    least = 1 / (len(scores) + 2)  # no certainty from a finite number of verdicts
    steps = IsotonicRegression(y_min=least, y_max=1 - least).fit_transform(scores, good.astype(float))
    heights, step = np.unique(steps, return_inverse=True)
    rows = np.bincount(step)
    middles = np.bincount(step, scores) / rows
    return Calibration(
        "isotonic", scores=(0.0, *middles.tolist(), 1.0), probabilities=(least, *heights.tolist(), 1 - least)
    )


def _regression(logits: Floats, good: NDArray[np.bool_], *, intercept: bool) -> Any:
    """Return slope and intercept of the logistic regression of verdicts on logits, held back as good as not at all."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    fitted = LogisticRegression(C=1e3, fit_intercept=intercept, max_iter=1_000).fit(logits[:, None], good)
    return np.concatenate([fitted.coef_[0], np.atleast_1d(fitted.intercept_)])


def _bins(scores: Floats) -> NDArray[np.intp]:
    """Return the bin of each score, equal ones in one bin."""
    below = np.searchsorted(np.sort(scores), scores, side="left")
    return np.asarray(below * _BINS // len(scores), dtype=np.intp)


def _losses(scores: Floats, good: NDArray[np.bool_]) -> Floats:
    kept = np.clip(scores, _EDGE, 1 - _EDGE)
    return -np.where(good, np.log(kept), np.log1p(-kept))


def logit_of(scores: Floats) -> Floats:
    """Return the logits of probabilities, of 0 and 1 those of what is next to them."""
    kept = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))
