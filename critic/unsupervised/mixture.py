"""From what a model says to a probability, without a label: a mixture of two normal distributions, good and bad.

Davison et al. 2019, section 3: a triple's value is `weight * conditional - marginal`, with the weight at which two
components fit the values best, by Akaike's criterion. Values of each relation are put on one scale first, since
sentences of some relations are likelier than those of others, whatever they say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from critic.features import Floats
from kg.model import OVERALL

WEIGHTS = tuple(float(weight) for weight in np.arange(0.5, 5.0, 0.05).round(2))
"""Of the conditional log-probability, as the paper tries them; at 1 the value is the pointwise mutual information."""

_MIN_ROWS = 20  # of a relation below which it has the scale of all


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two components of values of triples.

    Attributes:
        scales: relation to mean and standard deviation of its values; `OVERALL` for all others.
        slope: of the logit by the standardised value, not negative.
        intercept: of the logit.
        aic: Akaike's criterion; lower is a better fit.
    """

    scales: Mapping[str, tuple[float, float]]
    slope: float
    intercept: float
    aic: float

    @classmethod
    def fit(cls, values: Floats, relations: Sequence[str], seed: int = 0) -> "Mixture":
        """Fit both components, of one width, so that a higher value is never a smaller probability.

        Args:
            values: (n,), n at least 2.
            relations: n names.
            seed: of the start.
        """
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415 - takes a second

        scales = _scales(values, relations)
        standard = _standardised(values, relations, scales)
        mixture = GaussianMixture(2, covariance_type="tied", random_state=seed).fit(standard[:, None])
        (low, high), spread = sorted(mixture.means_.ravel().tolist()), float(mixture.covariances_.ravel()[0])
        shares = mixture.weights_[np.argsort(mixture.means_.ravel())]
        slope = (high - low) / spread
        intercept = float(np.log(shares[1] / shares[0])) - slope * (high + low) / 2
        return cls(scales, slope, intercept, float(mixture.aic(standard[:, None])))

    def probabilities(self, values: Floats, relations: Sequence[str]) -> Floats:
        """Return the probability that each triple is of the better component; NaN where its value is."""
        from scipy.special import expit  # noqa: PLC0415 - takes a second

        standard = _standardised(values, relations, self.scales)
        return np.asarray(expit(self.slope * standard + self.intercept), dtype=np.float64)


def choose_weight(
    conditional: Floats, marginal: Floats, relations: Sequence[str], seed: int = 0
) -> tuple[float, Mixture]:
    """Return the weight of the conditional log-probability whose mixture fits best, and that mixture.

    Args:
        conditional: (n,) log-probabilities of phrases with the other phrase.
        marginal: (n,) the same without it.
        relations: n names.
        seed: of the mixtures' starts.
    """
    fitted = [(weight, Mixture.fit(weight * conditional - marginal, relations, seed)) for weight in WEIGHTS]
    return min(fitted, key=lambda one: one[1].aic)


def _scales(values: Floats, relations: Sequence[str]) -> dict[str, tuple[float, float]]:
    names = np.array(relations)
    rows = {OVERALL: np.ones(len(values), dtype=np.bool_)}
    rows |= {name: mine for name in sorted(set(relations)) if (mine := names == name).sum() >= _MIN_ROWS}
    return {name: (float(values[mine].mean()), float(values[mine].std()) or 1.0) for name, mine in rows.items()}


def _standardised(values: Floats, relations: Sequence[str], scales: Mapping[str, tuple[float, float]]) -> Floats:
    own = np.array([scales.get(name, scales[OVERALL]) for name in relations]).reshape(-1, 2)
    return np.asarray((values - own[:, 0]) / own[:, 1], dtype=np.float64)
