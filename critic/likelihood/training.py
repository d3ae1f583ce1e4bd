"""Training of the likelihood critic: regressions on verdicts, and a fast critic distilled from them."""

import numpy as np
from numpy.typing import NDArray

from critic.features import Floats
from critic.interface import TrainingSet
from critic.likelihood.model import Likelihood, inputs_of, logits, probabilities, with_states
from critic.likelihood.view import View
from critic.model import cross_scores, folds_of, vectors_of
from critic.saved import FOLDS
from critic.training import learn_parts, no_relation_judged
from critic.verdicts import Verdicts
from kg.errors import NotReady

_INVERSE_RIDGE = 0.03  # scikit-learn's C, of the full critic
_FAST_INVERSE_RIDGE = 0.03  # of the fast one
_STRICTNESS = 10.0  # of an annotator: an intercept that is hardly held back
_TEMPERATURE = 2.0  # at which the fast critic learns the full one's probabilities
_UNJUDGED = 1_000  # triples without a verdict that it learns them of, too; each costs a question
_KNOTS = 21  # quantiles that put the fast critic on the full one's scale


def train_likelihood(given: TrainingSet) -> Likelihood:
    """Fit the full critic to the verdicts, and the fast one to the full one's probabilities.

    The fast critic learns softened probabilities at a temperature T, weighted by T² (Hinton, Vinyals & Dean 2015), of
    judged triples and of a sample of others that the teacher wrote.

    Annotators differ in how strict they are, and in whose triples they were given. So each has an intercept of its own
    in the full critic's training, and scores are those of the average annotator: a tail is not good for looking like
    those that a mild one was given.

    Raises:
        NotReady: too few triples, or the language model is not installed.
    """
    random = np.random.default_rng(given.seed)
    corpus, relations, folds = learn_parts(given, random)
    judged = set(given.verdicts.triples)
    others = [triple for triple in corpus if triple not in judged]
    drawn = np.sort(random.choice(len(others), min(_UNJUDGED, len(others)), replace=False))
    triples = [*given.verdicts.triples, *(others[row] for row in drawn)]
    good, verdicts = given.verdicts.good, len(given.verdicts)
    view = View({name: given.vocabulary[name].phrase for name in relations})
    view.learn(triples)

    rows, dealt = vectors_of(triples, relations, given.encode), folds_of(triples)
    scores = cross_scores(folds, rows, dealt)
    numbers, states = view.look(triples)
    scored = np.concatenate([scores, numbers], axis=1)
    is_known = rows.relations[:verdicts] >= 0
    if not is_known.any():
        raise no_relation_judged(relations)
    known = scored[:verdicts][is_known]
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
    seen = states[:verdicts][is_known]
    seen_mean, seen_deviation = seen.mean(axis=0), seen.std(axis=0) + 1e-9
    full_inputs, fast_inputs = (
        inputs_of(columns, rows, given.role, len(relations), mean, deviation) for columns in (scored, scores)
    )
    full_inputs = with_states(full_inputs, states, seen_mean, seen_deviation)
    strictness = _annotators(given.verdicts)
    full, fast = [], []
    for fold in range(FOLDS):
        others_of = dealt != fold
        full.append(_regression(full_inputs[:verdicts], strictness, given.verdicts, others_of[:verdicts]))
        taught = full_inputs[others_of] @ full[-1][:-1] + full[-1][-1]
        fast.append(_distilled(fast_inputs[others_of], taught))
    weights = {"full": np.stack(full), "fast": np.stack(fast)}
    ends = [
        probabilities(logits(inputs[:verdicts], weights[name], dealt[:verdicts]))[good]
        for name, inputs in (("fast", fast_inputs), ("full", full_inputs))
    ]
    fast_scale, full_scale = (
        np.concatenate([[0], np.quantile(values, np.linspace(0, 1, _KNOTS)), [1]]) for values in ends
    )
    arrays = {
        "mean": mean, "deviation": deviation, "seen_mean": seen_mean, "seen_deviation": seen_deviation,
        "fast_scale": fast_scale, "full_scale": full_scale, **weights,
    }  # fmt: skip
    return Likelihood(given.role, relations, folds, arrays, view, given.encode)


def _annotators(verdicts: Verdicts) -> Floats:
    """Return who judged each triple: (n, annotators), each row's sum `_STRICTNESS`."""
    names = sorted({name for some in verdicts.annotators for name in some})
    result = np.zeros((len(verdicts), len(names)))
    for row, some in enumerate(verdicts.annotators):
        result[row, [names.index(name) for name in some]] = _STRICTNESS / len(some)
    return result


def _regression(inputs: Floats, strictness: Floats, verdicts: Verdicts, rows: NDArray[np.bool_]) -> Floats:
    """Return the weights of a logistic regression on some rows, the intercept of the average annotator last."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    good, counts = verdicts.good[rows], verdicts.counts[rows]
    if good.all() or not good.any():
        raise NotReady("nearly all good judged triples, or nearly all bad ones, are of one event; judge others, too")
    both = np.concatenate([inputs, strictness], axis=1)[rows]
    fitted = LogisticRegression(C=_INVERSE_RIDGE, max_iter=3_000).fit(both, good, counts)
    weights, own = np.split(fitted.coef_[0], [inputs.shape[1]])
    return np.append(weights, fitted.intercept_ + np.average(strictness[rows], axis=0, weights=counts) @ own)


def _distilled(inputs: Floats, taught: Floats) -> Floats:
    """Return the weights of a logistic regression on soft targets, the intercept last.

    Args:
        inputs: (n, P).
        taught: (n,) logits of the full critic.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - takes a second

    targets = probabilities(taught / _TEMPERATURE)

    def loss(weights: Floats) -> tuple[float, Floats]:
        soft = (inputs @ weights[:-1] + weights[-1]) / _TEMPERATURE
        value = np.logaddexp(0, soft).sum() - targets @ soft
        slope = (probabilities(soft) - targets) / _TEMPERATURE
        square = _TEMPERATURE**2 * _FAST_INVERSE_RIDGE
        gradient = np.append(inputs.T @ slope, slope.sum()) * square
        gradient[:-1] += weights[:-1]
        return float(square * value + weights[:-1] @ weights[:-1] / 2), gradient

    start = np.zeros(inputs.shape[1] + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)
