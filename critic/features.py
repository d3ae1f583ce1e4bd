"""Three scores of a triple that cost no judgement: each is learnt from the teacher's own triples.

| score | asks | learnt as |
|---|---|---|
| `TailTypicality` | does the tail look like a tail of its relation? | linear discriminant on tails |
| `Expectation` | does the head make the tail likelier than it is anyway? | mutual information of two Gaussians |
| `Match` | do head and tail belong together? | linear discriminant on their products, real pairs or swapped |

All are closed forms over the encoder's vectors (scikit-learn's), so that fitting takes seconds and has no step size.
A fitted score is a tuple of arrays and nothing else: it is saved as such.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_DIMENSIONS = 64  # principal axes that `Expectation` keeps; on the starter corpus 128 cost 0.8 points of AUC
_SHRINKAGE = 0.3  # share of a covariance that is taken as spherical
_POOLING_ROWS = 1_000  # rows of a relation at which its own covariance and the common one count alike
_LEAST_VARIANCE = 1e-12  # of each direction, where an encoder gives all tails the same vector
_HEAD_RIDGE = 10.0  # on the map from heads to tails that all relations share
_RELATION_RIDGE = 10.0  # on what a relation's own map adds


class Vectors(NamedTuple):
    """Triples as the encoder sees them.

    Attributes:
        heads: (n, d).
        tails: (n, d).
        relations: (n,) indices into the relations that the scores know.
    """

    heads: Floats
    tails: Floats
    relations: Indices

    def of(self, rows: NDArray[np.bool_]) -> "Vectors":
        """Return the rows of a mask, (n,) booleans."""
        return Vectors(self.heads[rows], self.tails[rows], self.relations[rows])


class TailTypicality(NamedTuple):
    """Log-probability of the relation given the tail alone, with one covariance for all relations.

    Attributes:
        weights: (d, R).
        biases: (R,).
    """

    weights: Floats
    biases: Floats

    @classmethod
    def fit(cls, rows: Vectors, _random: np.random.Generator) -> "TailTypicality":
        """Learn from triples that have every relation 0 to R - 1."""
        if not rows.relations.any():  # one relation: no tail tells it from another
            return cls(np.zeros((rows.tails.shape[1], 1)), np.zeros(1))
        fitted = _discriminant(rows.tails, rows.relations)
        weights, biases = fitted.coef_.T, fitted.intercept_  # (d, R), (R,)
        if len(biases) == 1:  # of two classes, the first has the logit 0
            weights, biases = np.hstack([0 * weights, weights]), np.append(0, biases)
        return cls(np.asarray(weights), np.asarray(biases))

    def score(self, rows: Vectors) -> Floats:
        """Return (n,) log-probabilities, at most 0."""
        logits = rows.tails @ self.weights + self.biases  # (n, R)
        total = np.logaddexp.reduce(logits, axis=1)
        return np.asarray(logits[np.arange(len(logits)), rows.relations] - total)


class Expectation(NamedTuple):
    """log p(tail | head, relation) - log p(tail | relation), both Gaussian, on the first principal axes.

    Attributes:
        axes: (d, k).
        head_mean: (k,).
        tail_means: (R, k).
        maps: (R, k, k), from a centred head to what its tails are expected to add to the relation's mean.
        whiten: (R, k, k), the inverse Cholesky factor of the covariance of the relation's tails.
        whiten_rest: (R, k, k), the same of what the expectation leaves unexplained.
    """

    axes: Floats
    head_mean: Floats
    tail_means: Floats
    maps: Floats
    whiten: Floats
    whiten_rest: Floats

    @classmethod
    def fit(cls, rows: Vectors, _random: np.random.Generator) -> "Expectation":
        """Learn from triples that have every relation 0 to R - 1."""
        phrases = rows.tails - rows.tails.mean(axis=0)
        axes = np.linalg.eigh(phrases.T @ phrases)[1][:, ::-1][:, :_DIMENSIONS]
        heads, tails = rows.heads @ axes, rows.tails @ axes
        head_mean, tail_means = heads.mean(axis=0), _means(tails, rows.relations)
        heads, tails = heads - head_mean, tails - tail_means[rows.relations]
        shared = _ridge(heads, tails, _HEAD_RIDGE)
        maps, rest = np.empty((len(tail_means), *shared.shape)), np.empty_like(tails)
        for relation in range(len(tail_means)):
            own = rows.relations == relation
            unexplained = tails[own] - heads[own] @ shared
            maps[relation] = shared + _ridge(heads[own], unexplained, _RELATION_RIDGE)
            rest[own] = tails[own] - heads[own] @ maps[relation]
        return cls(
            axes, head_mean, tail_means, maps, _whitening(tails, rows.relations), _whitening(rest, rows.relations)
        )

    def score(self, rows: Vectors) -> Floats:
        """Return (n,) natural logarithms of the ratio of the two densities."""
        result = np.empty(len(rows.relations))
        for relation in np.unique(rows.relations):
            own = rows.relations == relation
            tails = rows.tails[own] @ self.axes - self.tail_means[relation]
            expected = (rows.heads[own] @ self.axes - self.head_mean) @ self.maps[relation]
            anyway = _log_density(tails, self.whiten[relation])
            result[own] = _log_density(tails - expected, self.whiten_rest[relation]) - anyway
        return result


class Match(NamedTuple):
    """How much the products of head and tail look like those of real pairs, whatever the relation.

    Attributes:
        weights: (d,).
    """

    weights: Floats

    @classmethod
    def fit(cls, rows: Vectors, random: np.random.Generator) -> "Match":
        """Learn to tell triples from those with the tail of another row of the same relation."""
        other = np.arange(len(rows.relations))
        for relation in np.unique(rows.relations):
            own = np.flatnonzero(rows.relations == relation)
            other[own] = random.permutation(own)
        real, swapped = rows.heads * rows.tails, rows.heads * rows.tails[other]
        is_real = np.repeat([False, True], len(real))
        return cls(np.asarray(_discriminant(np.concatenate([swapped, real]), is_real).coef_[0]))

    def score(self, rows: Vectors) -> Floats:
        """Return (n,) logits up to a constant."""
        return np.asarray((rows.heads * rows.tails) @ self.weights)


Part = TailTypicality | Expectation | Match

PARTS: dict[str, type[Part]] = {part.__name__: part for part in (TailTypicality, Expectation, Match)}
"""Name to score; `critic.roles` says which of them a role goes by."""


def _means(values: Floats, groups: Indices) -> Floats:
    """Return the mean of each group: (groups, d)."""
    return np.stack([values[groups == group].mean(axis=0) for group in range(groups.max() + 1)])


def _discriminant(values: Floats, classes: Indices | NDArray[np.bool_]) -> Any:
    """Return a fitted linear discriminant with one covariance for all classes, shrunk towards a sphere."""
    from sklearn.covariance import ShrunkCovariance  # noqa: PLC0415 - takes a second
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: PLC0415

    shrunk = ShrunkCovariance(shrinkage=_SHRINKAGE, store_precision=False)
    return LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=shrunk).fit(values, classes)


def _whitening(centred: Floats, groups: Indices) -> Floats:
    """Return each group's inverse Cholesky factor, its covariance being drawn towards the common one."""
    from sklearn.covariance import ShrunkCovariance  # noqa: PLC0415 - takes a second

    common = (
        ShrunkCovariance(shrinkage=_SHRINKAGE, store_precision=False, assume_centered=True).fit(centred).covariance_
    )
    factors = []
    for group in range(groups.max() + 1):
        own = centred[groups == group]
        covariance = (own.T @ own + _POOLING_ROWS * common) / (len(own) + _POOLING_ROWS)
        covariance[np.diag_indices_from(covariance)] += _LEAST_VARIANCE
        factors.append(np.linalg.inv(np.linalg.cholesky(covariance)))
    return np.stack(factors)


def _ridge(inputs: Floats, outputs: Floats, ridge: float) -> Floats:
    """Return the map (k, k) of ridge regression from inputs to outputs, both (n, k)."""
    from sklearn.linear_model import Ridge  # noqa: PLC0415 - takes a second

    return np.asarray(Ridge(ridge, fit_intercept=False, solver="cholesky").fit(inputs, outputs).coef_.T)


def _log_density(centred: Floats, whiten: Floats) -> Floats:
    """Return log N(0, covariance) of each row, without the constant of pi."""
    return np.asarray(np.log(np.diag(whiten)).sum() - ((centred @ whiten.T) ** 2).sum(axis=1) / 2)
