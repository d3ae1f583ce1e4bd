"""Training of the kernel critic: a linear system for each fold, and a regression that has seen nothing of the fold.

The regression of a fold learns from triples of the other folds, whose kernel scores come from fits without their own
fold and without this one: a fit for each pair of folds. So no score depends on a verdict about its own event.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from critic.features import Floats, Indices
from critic.interface import TrainingSet
from critic.kernel.model import Judged, Kernel, Singles
from critic.model import cross_scores, design, folds_of, vectors_of
from critic.saved import FOLDS
from critic.training import learn_parts, no_relation_judged
from critic.verdicts import Verdicts
from kg.errors import NotReady
from kg.threads import adapt

_RIDGE = 1.0  # on the diagonal of nearness, whose entries there are 2.3
_INVERSE_RIDGE = 0.1  # scikit-learn's C, of the regression
_DEVIATION = 0.5  # of a kernel score, which is between -1 and 1 by and large
MOST_ROWS = 8_000  # verdicts that are learnt from: their nearness takes 256 MB


def train_kernel(given: TrainingSet) -> Kernel:
    """Fit a kernel critic to the verdicts, or to a sample of very many.

    Raises:
        NotReady: too few triples.
    """
    random = np.random.default_rng(given.seed)
    _, relations, parts = learn_parts(given, random)
    chosen = drawn(given.verdicts, random)
    triples, good = [given.verdicts.triples[row] for row in chosen], given.verdicts.good[chosen]
    counts = given.verdicts.counts[chosen]
    ridge = _RIDGE / counts
    rows, dealt = vectors_of(triples, relations, given.encode), folds_of(triples)
    if not (rows.relations >= 0).any():
        raise no_relation_judged(relations)
    adapt()
    judged = Judged.of(rows)
    nearness = judged.nearness(judged)
    targets = np.where(good, 1, -1).astype(np.float32)
    pulls = np.stack([pulls_of(nearness, targets, dealt != fold, ridge) for fold in range(FOLDS)])
    scores = cross_scores(parts, rows, dealt)
    nested = _nested(nearness, targets, dealt, ridge)
    known = scores[rows.relations >= 0]
    mean = np.append(known.mean(axis=0), 0.0)  # of the kernel's a constant, or each fold would see the others' verdicts
    deviation = np.append(known.std(axis=0) + 1e-9, _DEVIATION)
    weights = [
        _regression(
            design(
                np.concatenate([scores, nested[fold][:, None]], axis=1)[dealt != fold], rows.relations[dealt != fold],
                len(relations), mean, deviation,
            ),
            good[dealt != fold], counts[dealt != fold],
        )
        for fold in range(FOLDS)
    ]  # fmt: skip
    arrays = {
        "mean": mean, "deviation": deviation, "weights": np.stack(weights), "heads": judged.heads,
        "tails": judged.tails, "own": judged.own, "pulls": pulls,
    }  # fmt: skip
    return Kernel(given.role, relations, parts, arrays, given.encode)


def drawn(verdicts: Verdicts, random: np.random.Generator) -> Indices:
    """Return the rows that are learnt from, rising, at most `MOST_ROWS`: those that count most, of equal ones any."""
    order = random.permutation(len(verdicts))
    most = order[np.argsort(-verdicts.counts[order], kind="stable")][:MOST_ROWS]
    return np.sort(most)


def pulls_of(nearness: Singles, targets: Singles, rows: NDArray[np.bool_], ridge: Floats) -> Singles:
    """Return the dual weights of verdicts, (n,), 0 for those that are not learnt from.

    Args:
        nearness: (n, n).
        targets: (n,), 1 for a good triple and -1 for a bad one, or between.
        rows: (n,) which to learn from.
        ridge: (n,), added to the diagonal of nearness: the less, the more a verdict counts.
    """
    from scipy.linalg import solve  # noqa: PLC0415 - takes a second

    result = np.zeros(len(targets), dtype=np.float32)
    if rows.any():
        system = nearness[np.ix_(rows, rows)]
        system[np.diag_indices_from(system)] += ridge[rows]
        result[rows] = solve(system, targets[rows], assume_a="pos", overwrite_a=True)
    return result


def _nested(nearness: Singles, targets: Singles, dealt: Indices, ridge: Floats) -> Floats:
    """Return kernel scores (FOLDS, n): of each triple by a fit without its own fold and without the first index's."""
    found = np.zeros((FOLDS, len(dealt)))
    for one, other in combinations(range(FOLDS), 2):
        pulls = pulls_of(nearness, targets, (dealt != one) & (dealt != other), ridge)
        for fold, mine in ((one, dealt == other), (other, dealt == one)):
            found[fold, mine] = nearness[mine] @ pulls
    return found


def _regression(inputs: Floats, good: NDArray[np.bool_], counts: Floats) -> Floats:
    """Return the weights of a logistic regression, the intercept last."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    if good.all() or not good.any():
        raise NotReady("nearly all good judged triples, or nearly all bad ones, are of one event; judge others, too")
    fitted = LogisticRegression(C=_INVERSE_RIDGE, max_iter=1_000).fit(inputs, good, counts)
    return np.concatenate([fitted.coef_[0], fitted.intercept_])
