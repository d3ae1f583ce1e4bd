"""The blend: a critic that makes a probability of a few cheap scores.

The scores (`critic.features`) are learnt from the teacher's triples. A score that has seen a triple's own event
finds that triple too good, be it good or not. So the events are dealt into folds by their key, and a triple is
always scored by what was fitted without its event's fold: in training, on validation events and in the graph,
whether or not the triple was there to learn from. So thresholds chosen on one set hold on another.

A logistic regression, fitted on judgements, turns the scores, their products and the relation into the probability.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.features import Floats, Indices, Part, Vectors
from critic.interface import Encode
from critic.kinds import BLEND
from critic.saved import FOLDS, arrays_of, folds_in, opening, pages, read_arrays, write
from kg.identity import head_id
from kg.model import Triple

_FORMAT = 2  # of the saved files
_PAGE_TRIPLES = 20_000  # scored at a time: their vectors take 120 MB with 384 dimensions
_DECIMALS = 6  # of a score: what the order of embedding changes beyond that, no threshold and no id may see
_MAX_DEVIATION = 3.0  # standard deviations; products of outliers would run away with the probability


class Blend:
    """A critic that scores triples by a regression on a few cheap scores.

    Attributes:
        role: a name in `critic.roles`.
        relations: the relations that it knows; a triple of any other gets the base rate of the judgements.
    """

    def __init__(
        self,
        role: str,
        relations: Sequence[str],
        folds: Sequence[Sequence[Part]],
        blend: dict[str, Floats],
        encode: Encode,
    ) -> None:
        """Put a critic together; `critic.training.train_blend` and `load` do.

        Args:
            role: a name in `critic.roles`.
            relations: R names; a score knows them by their indices.
            folds: `FOLDS` times the scores of the role, each fitted without the events of its fold.
            blend: `mean` and `deviation` of the scores, (S,) each, and `weights`, (P,), of the regression on what
                `design` makes of them, the intercept last.
            encode: the sentence encoder that the scores were fitted with.
        """
        self.role = role
        self.relations = tuple(relations)
        self._folds = folds
        self._blend = blend
        self._encode = encode

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the calibrated probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase.
        """
        result = np.empty(len(triples))
        for place, page in pages(triples, _PAGE_TRIPLES):
            rows = vectors_of(page, self.relations, self._encode)
            scores = cross_scores(self._folds, rows, folds_of(page))
            inputs = design(scores, rows.relations, len(self.relations), self._blend["mean"], self._blend["deviation"])
            logits = inputs @ self._blend["weights"][:-1] + self._blend["weights"][-1]
            result[place] = np.exp(-np.logaddexp(0, -logits)).round(_DECIMALS)
        return result

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder: two files, numbers and names only."""
        arrays = {f"blend.{name}": array for name, array in self._blend.items()} | arrays_of(self._folds)
        write(folder, {"kind": BLEND, "role": self.role, "format": _FORMAT, "relations": self.relations}, arrays)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Blend":
        """Open a folder that `save` wrote; `encode` has to be the encoder of the training.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        with opening(folder, about, 1, _FORMAT):
            arrays = read_arrays(folder)
            if about["format"] == 1:
                arrays = {name.replace(".Typer.", ".TailTypicality."): array for name, array in arrays.items()}
            blend = {name: arrays[f"blend.{name}"] for name in ("mean", "deviation", "weights")}
            return cls(about["role"], about["relations"], folds_in(arrays, about["role"]), blend, encode)


def folds_of(triples: Sequence[Triple]) -> Indices:
    """Return the fold of each triple's event, which follows from its key and is independent of split and half."""
    return np.array([int(head_id(triple)[16:24], 16) % FOLDS for triple in triples], dtype=np.intp)


def vectors_of(triples: Sequence[Triple], relations: Sequence[str], encode: Encode) -> Vectors:
    """Embed triples; a relation that is not among `relations` has the index -1."""
    known = {relation: index for index, relation in enumerate(relations)}
    return Vectors(
        encode([triple.head for triple in triples]).astype(np.float64),
        encode([triple.tail for triple in triples]).astype(np.float64),
        np.array([known.get(triple.relation, -1) for triple in triples], dtype=np.intp),
    )


def cross_scores(scores: Sequence[Sequence[Part]], rows: Vectors, folds: Indices) -> Floats:
    """Return each row's scores by what was fitted without its fold, (n, S); NaN where the relation is not known."""
    result = np.full((len(folds), len(scores[0])), np.nan)
    for fold, fitted in enumerate(scores):
        mine = (folds == fold) & (rows.relations >= 0)
        for column, score in enumerate(fitted):
            result[mine, column] = score.score(rows.of(mine))
    return result


def design(scores: Floats, relations: Indices, known: int, mean: Floats, deviation: Floats) -> Floats:
    """Return the inputs of the regression: standardised scores, products of any two, one column a relation.

    A score that is not known counts as average.

    Args:
        scores: (n, S).
        relations: (n,), -1 for one that is not known.
        known: how many relations there are.
        mean: (S,) of the scores in training.
        deviation: (S,) likewise.
    """
    standard = np.nan_to_num(np.clip((scores - mean) / deviation, -_MAX_DEVIATION, _MAX_DEVIATION))
    first, second = np.triu_indices(standard.shape[1], 1)
    is_relation = relations[:, None] == np.arange(known)  # (n, R)
    return np.concatenate([standard, standard[:, first] * standard[:, second], is_relation], axis=1)
