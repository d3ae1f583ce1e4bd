"""The likelihood critic: the blend's scores and a language model's view, and a fast critic that does without the model.

Both are logistic regressions on scores, their products, the relation and the embeddings of tail and head times tail.
The full one reads the language model's numbers and states, too (`view`). The fast one learnt the full one's
probabilities, and its own are put on the full one's scale, so that one threshold keeps the same share of the good
triples of both.

A triple is always scored by what was fitted without its event's fold, the regressions included. So a verdict never
raises or lowers a full score of its own event, and thresholds may be read from events that the critic learnt from. Of
the fast critic only the scale, one map for all triples, saw every verdict.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.features import Floats, Indices, Part, Vectors
from critic.interface import Encode
from critic.kinds import KINDS, LIKELIHOOD
from critic.likelihood.view import View, answers_in
from critic.likelihood.view import arrays_of as answers_as_arrays
from critic.model import cross_scores, design, folds_of, vectors_of
from critic.roles import ROLES
from critic.saved import arrays_of, folds_in, opening, pages, read_arrays, write
from kg.model import Triple

_PAGE_TRIPLES = 10_000  # scored at a time: their inputs take 65 MB with 384 dimensions
_DECIMALS = 6  # of a score
_EMBEDDED = 0.1  # weight of an embedding's direction beside that of a score
_SEEN = 0.25  # weight of a state's direction
_ARRAYS = ("seen_mean", "seen_deviation", "mean", "deviation", "full", "fast", "fast_scale", "full_scale")


class Likelihood:
    """A critic that asks a language model, and has a fast critic for triples by the million.

    Attributes:
        role: a name in `critic.roles`.
        relations: the relations that it knows; a triple of any other gets about the base rate of the judgements.
        view: the language model that it asks.
    """

    def __init__(
        self,
        role: str,
        relations: Sequence[str],
        folds: Sequence[Sequence[Part]],
        arrays: dict[str, Floats],
        view: View,
        encode: Encode,
    ) -> None:
        """Put a critic together; `critic.likelihood.training.train_likelihood` and `load` do.

        Args:
            role: a name in `critic.roles`.
            relations: R names; a score knows them by their indices.
            folds: `FOLDS` times the blend's scores of the role, each fitted without the events of its fold.
            arrays: `mean` and `deviation`, (S + 7,), of the scores and the view's numbers; `seen_mean` and
                `seen_deviation`, (width,), of its states; `full` and `fast`,
                (FOLDS, P) each, the weights of the regressions, the intercept last; `fast_scale` and `full_scale`, (K,)
                each, probabilities of the fast critic and what the full one has in their place.
            view: the language model.
            encode: the sentence encoder that the scores were fitted with.
        """
        self.role = role
        self.relations = tuple(relations)
        self._folds = folds
        self._arrays = arrays
        self.view = view
        self._encode = encode

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase; or the language model is another one.
            NotReady: the language model is not installed.
        """
        return self._paged(triples, fast=False)

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the same as the fast critic has it, without the language model.

        Raises:
            InputError: a tail is `NOTHING`.
        """
        return self._paged(triples, fast=True)

    def _paged(self, triples: Sequence[Triple], *, fast: bool) -> NDArray[np.float64]:
        result = np.empty(len(triples))
        for place, page in pages(triples, _PAGE_TRIPLES):
            rows, folds = vectors_of(page, self.relations, self._encode), folds_of(page)
            scores = cross_scores(self._folds, rows, folds)
            found = probabilities(logits(self._inputs(page, scores, rows, fast), self._weights(fast), folds))
            if fast:
                found = np.interp(found, self._arrays["fast_scale"], self._arrays["full_scale"])
            result[place] = found.round(_DECIMALS)
        return result

    def _inputs(self, page: Sequence[Triple], scores: Floats, rows: Vectors, fast: bool) -> Floats:
        mean, deviation = self._arrays["mean"], self._arrays["deviation"]
        if fast:
            return inputs_of(scores, rows, self.role, len(self.relations), mean, deviation)
        numbers, states = self.view.look(page)
        inputs = inputs_of(
            np.concatenate([scores, numbers], axis=1), rows, self.role, len(self.relations), mean, deviation
        )
        return with_states(inputs, states, self._arrays["seen_mean"], self._arrays["seen_deviation"])

    def _weights(self, fast: bool) -> Floats:
        return self._arrays["fast" if fast else "full"]

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder: two files, numbers and names only."""
        known = {f"known.{name}": array for name, array in answers_as_arrays(list(self.view.known.values())).items()}
        about = {
            "kind": LIKELIHOOD, "role": self.role, "format": KINDS[LIKELIHOOD].format, "relations": self.relations,
            "phrases": self.view.phrases, "model": self.view.digest, "known": list(self.view.known),
        }  # fmt: skip
        write(folder, about, self._arrays | arrays_of(self._folds) | known)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Likelihood":
        """Open a folder that `save` wrote; `encode` has to be the encoder of the training.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        with opening(folder, about, KINDS[LIKELIHOOD].format):
            stored = read_arrays(folder)
            view = View(about["phrases"], str(about["model"]))
            known = {name: stored[f"known.{name}"] for name in ("numbers", "states")}
            view.known = dict(zip(about["known"], answers_in(known), strict=True))
            arrays = {name: stored[name] for name in _ARRAYS}
            return cls(about["role"], about["relations"], folds_in(stored, about["role"]), arrays, view, encode)


def inputs_of(scores: Floats, rows: Vectors, role: str, known: int, mean: Floats, deviation: Floats) -> Floats:
    """Return the inputs of a regression: `critic.model.design` of the scores, and embeddings at a small weight.

    Embeddings weigh little, so that few verdicts leave them at rest. Products of head and tail are there for roles
    that compare these.

    Args:
        scores: (n, S) or more columns; of `mean` and `deviation` as many are taken.
        rows: the same triples as vectors.
        role: a name in `critic.roles`.
        known: how many relations there are.
        mean: of the scores in training.
        deviation: likewise.
    """
    columns, size = scores.shape[1], rows.tails.shape[1]
    designed = design(scores, rows.relations, known, mean[:columns], deviation[:columns])
    embedded = [np.sqrt(size) * rows.tails]  # entries of about 1, as the scores have
    if "Match" in ROLES[role].parts:
        embedded.append(size * rows.heads * rows.tails)
    return np.concatenate([designed, *(_EMBEDDED * block for block in embedded)], axis=1)


def with_states(inputs: Floats, states: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Return the inputs of the full regression, the states behind the others; one that is not known is average."""
    known = states if states.shape[1] else np.full((len(states), len(mean)), np.nan)
    return np.concatenate([inputs, _SEEN * np.nan_to_num((known - mean) / deviation)], axis=1)


def logits(inputs: Floats, weights: Floats, folds: Indices) -> Floats:
    """Return each row's logit by the weights of its fold: (n,)."""
    found = inputs @ weights[:, :-1].T + weights[:, -1]  # (n, FOLDS); all of them, in one pass over the inputs
    return np.asarray(found[np.arange(len(folds)), folds])


def probabilities(logits: Floats) -> Floats:
    """Return the probabilities of logits."""
    return np.exp(-np.logaddexp(0, -logits))
