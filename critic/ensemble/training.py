"""Training of the ensemble: the likelihood critic, a linear system for each part of the events, and regressions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.calibration import logit_of
from critic.ensemble.model import PARTS, Ensemble, Reading, nearness, parts_of
from critic.features import Floats
from critic.interface import TrainingSet
from critic.kernel.model import Judged
from critic.kernel.training import drawn, pulls_of
from critic.likelihood.training import train_likelihood
from critic.model import vectors_of
from kg.threads import adapt

_RIDGE = 2.0  # on the diagonal of nearness, whose entries there are 7


def train_ensemble(given: TrainingSet) -> Ensemble:
    """Fit an ensemble to the verdicts; very many are compared with by a sample.

    The fast critic's verdicts are what the full one's kernel says of them, by the weights of the part (distillation on
    real values): less noisy than the verdicts themselves.

    Raises:
        NotReady: too few triples, or the language model is not installed.
    """
    likelihood = train_likelihood(given)
    chosen = drawn(given.verdicts, np.random.default_rng(given.seed))
    triples, good = [given.verdicts.triples[row] for row in chosen], given.verdicts.good[chosen]
    counts = given.verdicts.counts[chosen]
    ridge = _RIDGE / counts
    dealt = parts_of(triples)
    judged = Judged.of(vectors_of(triples, likelihood.relations, given.encode))
    numbers, states = likelihood.view.look(triples)  # asked in the likelihood critic's training
    arrays: dict[str, Any] = dict(zip(("number_mean", "number_deviation"), _measures(numbers), strict=True))
    arrays |= zip(("state_mean", "state_deviation"), _measures(states), strict=True)
    reading = Reading.of((numbers, states), arrays)
    adapt()
    near, fast_near = nearness(judged, reading, judged, reading), judged.nearness(judged)
    targets = np.where(good, 1, -1).astype(np.float32)
    others = [dealt != part for part in range(PARTS)]
    pulls = np.stack([pulls_of(near, targets, rows, ridge) for rows in others])
    fast_pulls = np.stack([pulls_of(fast_near, near @ pulls[part], rows, ridge) for part, rows in enumerate(others)])
    every = np.arange(len(triples))
    scales = {
        name: _regressions(np.stack([logit_of(scores), (one @ weights.T)[every, dealt]], axis=1), good, counts, others)
        for name, scores, one, weights in (
            ("scale", likelihood.score(triples), near, pulls),
            ("fast_scale", likelihood.score_fast(triples), fast_near, fast_pulls),
        )
    }
    arrays |= {
        "heads": judged.heads, "tails": judged.tails, "own": judged.own, "states": reading.states,
        "numbers": reading.numbers, "pulls": pulls, "fast_pulls": fast_pulls, **scales,
    }  # fmt: skip
    return Ensemble(likelihood, arrays, given.encode)


def _measures(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each column, of the rows that are known."""
    known = values[np.isfinite(values).all(axis=1)]
    return known.mean(axis=0), known.std(axis=0) + 1e-9


def _regressions(
    inputs: Floats, good: NDArray[np.bool_], counts: Floats, others: Sequence[NDArray[np.bool_]]
) -> Floats:
    """Return the weights of a logistic regression on each choice of rows, (len(others), P), the intercept last."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    fitted = [LogisticRegression(max_iter=1_000).fit(inputs[rows], good[rows], counts[rows]) for rows in others]
    return np.stack([np.append(one.coef_[0], one.intercept_) for one in fitted])
