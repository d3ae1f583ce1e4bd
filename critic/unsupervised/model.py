"""The unsupervised critic: what language models say of a triple in words, made a probability by a mixture.

| kind | values of a triple | source |
|---|---|---|
| `unsupervised` | weighted pointwise mutual information of head and tail | Davison et al. 2019 |
| | mean log-probability of a token of one phrase with the other; cosine of both for the sentence encoder | our own |
| `nll` | summed log-probability of its sentence | a baseline of West et al. 2021 |
| `mean-nll` | mean log-probability of a token of it | the other one |
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.features import Floats
from critic.interface import Encode
from critic.kinds import MEAN_NLL, NLL, UNSUPERVISED
from critic.saved import opening, refuse_nothing, write
from critic.unsupervised.likelihoods import Likelihoods
from critic.unsupervised.mixture import Mixture
from kg.model import Triple

_FORMAT = 1  # of the saved file
_DECIMALS = 6  # of a score
_UNKNOWN = 0.5  # of a triple whose relation the critic does not know


class Unsupervised:
    """A critic that learnt from no verdict.

    Attributes:
        role: a name in `critic.roles`.
        kind: a name in the table above.
        weight: of the conditional log-probability, in `critic.unsupervised.mixture.WEIGHTS`; 1 for the baselines.
    """

    def __init__(
        self, role: str, kind: str, likelihoods: Likelihoods, weight: float, mixture: Mixture, encode: Encode
    ) -> None:
        """Put a critic together; `critic.unsupervised.training` and `load` do."""
        self.role = role
        self.kind = kind
        self.weight = weight
        self._likelihoods = likelihoods
        self._mixture = mixture
        self._encode = encode

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase; or a language model is another one.
            NotReady: the language model is not installed.
        """
        refuse_nothing(triples)
        measured, like = self._likelihoods.measure(triples), similarity(self.kind, triples, self._encode)
        values = values_of(self.kind, measured, like, self.weight)
        found = self._mixture.probabilities(values, [triple.relation for triple in triples])
        return np.where(np.isnan(found), _UNKNOWN, found).round(_DECIMALS)

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder: one file, numbers and names only."""
        about = {
            "kind": self.kind, "role": self.role, "format": _FORMAT, "templates": self._likelihoods.templates,
            "models": self._likelihoods.models, "digests": self._likelihoods.digests, "weight": self.weight,
            "scales": self._mixture.scales, "slope": self._mixture.slope, "intercept": self._mixture.intercept,
            "aic": self._mixture.aic,
        }  # fmt: skip
        write(folder, about)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Unsupervised":
        """Open a folder that `save` wrote; `encode` has to be the encoder of the training.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        with opening(folder, about, _FORMAT):
            model, ranker = map(str, about["models"])
            digest, other = map(str, about["digests"])
            likelihoods = Likelihoods(about["templates"], (model, ranker), (digest, other))
            scales = {
                str(name): [(float(mean), float(spread)) for mean, spread in some]
                for name, some in about["scales"].items()
            }
            mixture = Mixture(scales, float(about["slope"]), float(about["intercept"]), float(about["aic"]))
            return cls(str(about["role"]), str(about["kind"]), likelihoods, float(about["weight"]), mixture, encode)


def values_of(kind: str, measured: Floats, like: Floats, weight: float = 1.0) -> Floats:
    """Return the values of each triple, as the module's table has them: (n, 3) or (n, 1).

    Args:
        kind: a name in the table.
        measured: (n, `critic.unsupervised.likelihoods.COLUMNS`).
        like: (n,) as `similarity` has it.
        weight: of the conditional log-probability.
    """
    conditional, marginal, tokens, whole, length = measured.T
    by_kind: dict[str, Sequence[Floats]] = {
        UNSUPERVISED: (weight * conditional - marginal, conditional / tokens, like),
        NLL: (whole,),
        MEAN_NLL: (whole / length,),
    }
    return np.column_stack(by_kind[kind])


def similarity(kind: str, triples: Sequence[Triple], encode: Encode) -> Floats:
    """Return the cosine of head and tail of each triple: (n,); zeros for the baselines, which do not look at it."""
    if kind != UNSUPERVISED or not triples:
        return np.zeros(len(triples))
    heads, tails = (encode([getattr(triple, part) for triple in triples]) for part in ("head", "tail"))
    return np.asarray((heads * tails).sum(axis=1), dtype=np.float64)
