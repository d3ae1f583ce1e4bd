"""From what models say to a probability, without a label: a mixture of two normal distributions, good and bad.

A triple has some values (`critic.unsupervised.model`). Those of each relation are put on one scale first, since
sentences of some relations are likelier than those of others, whatever they say; their sum is what is parted in two.

The weight of the conditional log-probability is chosen as Davison et al. 2019 have it, section 3: the one of which the
mixture has the *largest* Akaike criterion. The smallest, which is the best fit, would choose what is most skewed, and
sums of log-probabilities are skewed by their lengths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from critic.features import Floats
from kg.model import OVERALL

WEIGHTS = tuple(float(weight) for weight in np.arange(0.5, 5.0, 0.05).round(2))
"""Of the conditional log-probability, as the paper tries them; at 1 the value is the pointwise mutual information."""

_MIN_ROWS = 20  # of a relation below which it has the scale of all

Scales = Mapping[str, Sequence[tuple[float, float]]]
"""Relation to mean and standard deviation of each of its values; `OVERALL` for all others."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two components of triples.

    Attributes:
        scales: of the values.
        slope: of the logit by the sum of the values, not negative.
        intercept: of the logit.
        aic: Akaike's criterion of the sum at a deviation of 1; lower is a better fit.
    """

    scales: Scales
    slope: float
    intercept: float
    aic: float

    @classmethod
    def fit(cls, values: Floats, relations: Sequence[str], seed: int = 0) -> "Mixture":
        """Fit both components, of one width, so that a higher value is never a smaller probability.

        Args:
            values: (n, V), n at least 2.
            relations: n names.
            seed: of the start.
        """
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415 - takes a second

        scales = _scales(values, relations)
        summed = _summed(values, relations, scales)
        width = float(summed.std()) or 1.0
        standard = (summed / width)[:, None]
        mixture = GaussianMixture(2, covariance_type="tied", random_state=seed).fit(standard)
        order = np.argsort(mixture.means_.ravel())
        low, high = mixture.means_.ravel()[order].tolist()
        shares, spread = mixture.weights_[order], float(mixture.covariances_.ravel()[0])
        slope = (high - low) / spread
        intercept = float(np.log(shares[1] / shares[0])) - slope * (high + low) / 2
        return cls(scales, slope / width, intercept, float(mixture.aic(standard)))

    def probabilities(self, values: Floats, relations: Sequence[str]) -> Floats:
        """Return the probability that each triple is of the better component: (n, V) to (n,); NaN where a value is."""
        from scipy.special import expit  # noqa: PLC0415 - takes a second

        return np.asarray(expit(self.slope * _summed(values, relations, self.scales) + self.intercept), np.float64)


def choose_weight(conditional: Floats, marginal: Floats, relations: Sequence[str], seed: int = 0) -> float:
    """Return the weight of the conditional log-probability, in `WEIGHTS`.

    Args:
        conditional: (n,) log-probabilities of phrases with the other phrase.
        marginal: (n,) the same without it.
        relations: n names.
        seed: of the mixtures' starts.
    """
    return max(WEIGHTS, key=lambda weight: Mixture.fit((weight * conditional - marginal)[:, None], relations, seed).aic)


def _scales(values: Floats, relations: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    names = np.array(relations)
    rows = {OVERALL: np.ones(len(values), dtype=np.bool_)}
    rows |= {name: mine for name in sorted(set(relations)) if (mine := names == name).sum() >= _MIN_ROWS}
    return {
        name: [(float(column.mean()), float(column.std()) or 1.0) for column in values[mine].T]
        for name, mine in rows.items()
    }


def _summed(values: Floats, relations: Sequence[str], scales: Scales) -> Floats:
    """Return the sum of each row's values on its relation's scale: (n, V) to (n,)."""
    own = np.array([scales.get(name, scales[OVERALL]) for name in relations]).reshape(len(relations), -1, 2)
    return np.asarray(((values - own[..., 0]) / own[..., 1]).sum(axis=1), dtype=np.float64)
