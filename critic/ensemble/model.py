"""The ensemble: the likelihood critic, and what the verdicts say on triples that a language model reads alike.

Nearness is the kernel critic's, that of heads and of tails, beside that of the states of the language model and that of
its numbers (`critic.likelihood.view`). Heads and tails apart do not know the sentence that they make; states do. Kernel
ridge regression on verdicts gives a score, and a logistic regression puts it together with the likelihood critic's
logit.

A triple is always scored by what was fitted without its event's fold, or its smaller part of the events: the
regression, too, though what it learns from of other events has heard of these. It has three weights.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from critic.calibration import logit_of
from critic.features import Floats, Indices
from critic.interface import ABOUT, Encode
from critic.kernel.model import Judged, Singles
from critic.kinds import ENSEMBLE, KINDS, LIKELIHOOD
from critic.likelihood.model import Likelihood, probabilities
from critic.likelihood.view import NUMBERS, shared
from critic.model import vectors_of
from critic.saved import opening, pages, read_arrays, write
from kg import strict_json
from kg.errors import InputError
from kg.identity import head_id
from kg.model import Triple

_PAGE_TRIPLES = 2_000  # scored at a time: nearness to 8,000 judged triples takes 64 MB, some five times at once
_DECIMALS = 6  # of a score
PARTS = 16  # of the events; a verdict more or less is much to what is near, and a fit takes seconds
_ARRAYS = (
    "heads", "tails", "own", "states", "numbers", "state_mean", "state_deviation", "number_mean", "number_deviation",
    "pulls", "fast_pulls", "scale", "fast_scale",
)  # fmt: skip


class Reading(NamedTuple):
    """Triples as a language model reads them, beside others.

    Attributes:
        states: (n, width) unit vectors, or zeros where the relation has no phrase.
        numbers: (n, `NUMBERS`), standardised.
    """

    states: Singles
    numbers: Singles

    @classmethod
    def of(cls, looked: tuple[Floats, Floats], arrays: Mapping[str, NDArray[Any]]) -> "Reading":
        """Return what `View.look` says, in the measures of the training; what is not known is average."""
        numbers, states = looked
        if not states.shape[1]:
            states = np.full((len(states), len(arrays["state_mean"])), np.nan)
        states = np.nan_to_num((states - arrays["state_mean"]) / arrays["state_deviation"])
        states /= np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-9)
        numbers = np.nan_to_num((numbers - arrays["number_mean"]) / arrays["number_deviation"])
        return cls(states.astype(np.float32), numbers.astype(np.float32))

    def nearness(self, others: "Reading") -> Singles:
        """Return how near these are to others: (n, m), in (0, 2]."""
        squares = (self.numbers**2).sum(axis=1)[:, None] + (others.numbers**2).sum(axis=1)
        numbers = np.exp((2 * self.numbers @ others.numbers.T - squares) / (2 * NUMBERS))
        return np.asarray(np.exp(self.states @ others.states.T - 1) + numbers, dtype=np.float32)


def nearness(judged: Judged, reading: Reading, others: Judged, other_reading: Reading) -> Singles:
    """Return how near triples are to others, read: (n, m), above 0; more where the relation is the same."""
    same = (judged.own[:, None] == others.own).astype(np.float32)
    return np.asarray((judged.closeness(others) + reading.nearness(other_reading)) * (1 + same) + same)


def parts_of(triples: Sequence[Triple]) -> Indices:
    """Return the part of each triple's event, which follows from its key; events of a part are of one fold."""
    return np.array([int(head_id(triple)[16:24], 16) % PARTS for triple in triples], dtype=np.intp)


class Ensemble:
    """A critic that asks a language model and compares with verdicts, with a fast critic that does without the model.

    Attributes:
        role: a name in `critic.roles`.
    """

    def __init__(self, likelihood: Likelihood, arrays: dict[str, Any], encode: Encode) -> None:
        """Put a critic together; `critic.ensemble.training.train_ensemble` and `load` do.

        Args:
            likelihood: the likelihood critic, which has the view of the language model.
            arrays: `heads`, `tails` and `own`, as `Judged` has them; `states` and `numbers`, as `Reading` has them;
                mean and deviation of the states, (width,), and of the numbers, (`NUMBERS`,); `pulls` and `fast_pulls`,
                (PARTS, n), the dual weights of the judged triples; `scale` and `fast_scale`, (PARTS, 3), the weights
                of logit and score, and the intercept.
            encode: the sentence encoder that the scores were fitted with.
        """
        self.role = likelihood.role
        self._likelihood = likelihood
        self._arrays = arrays
        self._judged = Judged(arrays["heads"], arrays["tails"], arrays["own"])
        self._reading = Reading(arrays["states"], arrays["numbers"])
        self._encode = encode

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase; or the language model is another one.
            NotReady: the language model is not installed.
        """
        return self._paged(triples, fast=False)

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return about the same by head and tail alone, without the language model.

        Raises:
            InputError: a tail is `NOTHING`.
        """
        return self._paged(triples, fast=True)

    def _paged(self, triples: Sequence[Triple], *, fast: bool) -> NDArray[np.float64]:
        result = np.empty(len(triples))
        for place, page in pages(triples, _PAGE_TRIPLES):
            rows = Judged.of(vectors_of(page, self._likelihood.relations, self._encode))
            if fast:
                logits, near = logit_of(self._likelihood.score_fast(page)), rows.nearness(self._judged)
            else:
                with shared():  # one question a triple
                    logits = logit_of(self._likelihood.score(page))
                    reading = Reading.of(self._likelihood.view.look(page), self._arrays)
                near = nearness(rows, reading, self._judged, self._reading)
            pulls, scale = (self._arrays[f"fast_{name}" if fast else name] for name in ("pulls", "scale"))
            parts = parts_of(page)
            both = np.stack([logits, (near @ pulls.T)[np.arange(len(page)), parts]], axis=1)
            result[place] = probabilities((both * scale[parts, :-1]).sum(axis=1) + scale[parts, -1]).round(_DECIMALS)
        return result

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder, numbers and names only, the likelihood critic in a folder there."""
        write(
            folder,
            {"kind": ENSEMBLE, "role": self.role, "format": KINDS[ENSEMBLE].format},
            {name: self._arrays[name] for name in _ARRAYS},
        )
        (folder / LIKELIHOOD).mkdir()
        self._likelihood.save(folder / LIKELIHOOD)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Ensemble":
        """Open a folder that `save` wrote; `encode` has to be the encoder of the training.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        with opening(folder, about, KINDS[ENSEMBLE].format):
            stored = read_arrays(folder)
            arrays = {name: stored[name] for name in _ARRAYS}
            other = strict_json.read((folder / LIKELIHOOD / ABOUT).read_bytes())
            likelihood = Likelihood.load(folder / LIKELIHOOD, other, encode)
        if likelihood.role != about["role"] or len(arrays["pulls"]) != PARTS:
            raise InputError(f"the critic in {folder} is damaged (its parts do not fit together); train it again")
        return cls(likelihood, arrays, encode)
