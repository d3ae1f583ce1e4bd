"""Three scores of a triple that cost no judgement: each is learnt from the teacher's own triples.

| score | asks | learnt as |
|---|---|---|
| `Typer` | does the tail look like a tail of its relation? | linear discriminant on tails |
| `Expectation` | does the head make the tail likelier than it is anyway? | mutual information of two Gaussians |
| `Match` | do head and tail belong together? | linear discriminant on their products, real pairs or swapped |

All are closed forms over the encoder's vectors, so that fitting takes seconds and has no step size. A fitted score
is a tuple of arrays and nothing else: it is saved as such.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from critic.verdicts import Kind

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_DIMENSIONS = 64  # principal axes that `Expectation` keeps; on the starter corpus 128 cost 0.8 points of AUC
_SHRINKAGE = 0.3  # share of a covariance that is taken as spherical
_POOLING_ROWS = 1_000  # rows of a relation at which its own covariance and the common one count alike
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


class Typer(NamedTuple):
    """Log-probability of the relation given the tail alone, with one covariance for all relations.

    Attributes:
        weights: (d, R).
        biases: (R,).
    """

    weights: Floats
    biases: Floats

    @classmethod
    def fit(cls, rows: Vectors, _random: np.random.Generator) -> "Typer":
        """Learn from triples that have every relation 0 to R - 1."""
        means = _means(rows.tails, rows.relations)  # (R, d)
        weights = np.linalg.solve(_covariance(rows.tails - means[rows.relations]), means.T)  # (d, R)
        shares = np.bincount(rows.relations) / len(rows.relations)
        return cls(np.asarray(weights, dtype=np.float64), np.log(shares) - (means * weights.T).sum(axis=1) / 2)

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
        difference = real.mean(axis=0) - swapped.mean(axis=0)
        centred = np.concatenate([real - real.mean(axis=0), swapped - swapped.mean(axis=0)])
        return cls(np.linalg.solve(_covariance(centred), difference))

    def score(self, rows: Vectors) -> Floats:
        """Return (n,) logits up to a constant."""
        return np.asarray((rows.heads * rows.tails) @ self.weights)


Score = Typer | Expectation | Match

SCORES: dict[Kind, tuple[type[Score], ...]] = {"filter": (Typer, Expectation, Match), "judge": (Typer,)}
"""What each kind of critic goes by. `Expectation` and `Match` compare head and tail as the student's ranker does: a
judge that had them would applaud itself."""


def _means(values: Floats, groups: Indices) -> Floats:
    """Return the mean of each group: (groups, d)."""
    return np.stack([values[groups == group].mean(axis=0) for group in range(groups.max() + 1)])


def _covariance(centred: Floats) -> Floats:
    """Return the covariance of centred rows, shrunk towards a sphere so that it can be inverted."""
    width = centred.shape[1]
    covariance = centred.T @ centred / len(centred)
    sphere = np.trace(covariance) / width * np.eye(width)
    return np.asarray((1 - _SHRINKAGE) * covariance + _SHRINKAGE * sphere)


def _whitening(centred: Floats, groups: Indices) -> Floats:
    """Return each group's inverse Cholesky factor, its covariance being drawn towards the common one."""
    common = _covariance(centred)
    factors = []
    for group in range(groups.max() + 1):
        own = centred[groups == group]
        covariance = (own.T @ own + _POOLING_ROWS * common) / (len(own) + _POOLING_ROWS)
        factors.append(np.linalg.inv(np.linalg.cholesky(covariance)))
    return np.stack(factors)


def _ridge(inputs: Floats, outputs: Floats, ridge: float) -> Floats:
    """Return the map (k, k) of ridge regression from inputs to outputs, both (n, k)."""
    gram = inputs.T @ inputs + ridge * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs), dtype=np.float64)


def _log_density(centred: Floats, whiten: Floats) -> Floats:
    """Return log N(0, covariance) of each row, without the constant of pi."""
    return np.asarray(np.log(np.diag(whiten)).sum() - ((centred @ whiten.T) ** 2).sum(axis=1) / 2)
