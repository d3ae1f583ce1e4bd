"""The kernel critic: the blend's scores, and what the verdicts on triples that are near in meaning say.

A triple's nearness to a judged one is a product of Gaussians of the distances of their heads and of their tails, more
of the same relation than of others. Kernel ridge regression on verdicts as 1 and -1 (least squares; Rifkin, Yeo &
Poggio 2003) gives the score, a closed form; a logistic regression puts it together with the blend's.

A triple is always scored by what was fitted without its event's fold, so that no verdict moves a score of its own
event.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.features import Indices, Part, Vectors
from critic.interface import Encode
from critic.kinds import KERNEL
from critic.model import cross_scores, design, folds_of, vectors_of
from critic.saved import arrays_of, folds_in, opening, pages, read_arrays, write
from kg.model import Triple

Singles = NDArray[np.float32]

_FORMAT = 1  # of the saved files
_PAGE_TRIPLES = 2_000  # scored at a time: nearness to 8,000 judged triples takes 64 MB
_DECIMALS = 6  # of a score
_HEADS, _TAILS = 2.0, 2.0  # how fast nearness falls with 1 - cosine
_OTHER_RELATION = 0.3  # of the nearness of triples of one relation, for triples of two
_ARRAYS = ("mean", "deviation", "weights", "heads", "tails", "own", "pulls")


class Judged:
    """Judged triples, as new ones are compared with them.

    Attributes:
        heads: (n, d).
        tails: (n, d).
        own: (n,) indices of relations, -1 for none that is known.
    """

    def __init__(self, heads: Singles, tails: Singles, own: Indices) -> None:
        self.heads, self.tails, self.own = heads, tails, own

    @classmethod
    def of(cls, rows: Vectors) -> "Judged":
        """Return triples as they are kept."""
        return cls(rows.heads.astype(np.float32), rows.tails.astype(np.float32), rows.relations)

    def nearness(self, others: "Judged") -> Singles:
        """Return how near these are to others: (n, m), above 0."""
        same = (self.own[:, None] == others.own).astype(np.float32)
        return np.asarray(self.closeness(others) * (_OTHER_RELATION + same) + same)

    def closeness(self, others: "Judged") -> Singles:
        """Return how near heads and tails are to those of others, whatever the relation: (n, m), in (0, 1]."""
        distances = _HEADS * (1 - self.heads @ others.heads.T) + _TAILS * (1 - self.tails @ others.tails.T)
        return np.asarray(np.exp(-distances), dtype=np.float32)


class Kernel:
    """A critic by verdicts on near triples.

    Attributes:
        role: a name in `critic.roles`.
        relations: the relations that it knows; a triple of any other goes by its nearness alone.
    """

    def __init__(
        self,
        role: str,
        relations: Sequence[str],
        folds: Sequence[Sequence[Part]],
        arrays: dict[str, Any],
        encode: Encode,
    ) -> None:
        """Put a critic together; `critic.kernel.training.train_kernel` and `load` do.

        Args:
            role: a name in `critic.roles`.
            relations: R names; a score knows them by their indices.
            folds: `FOLDS` times the blend's scores of the role, each fitted without the events of its fold.
            arrays: `mean` and `deviation`, (S + 1,), of the scores, the kernel's last; `weights`, (FOLDS, P), of the
                regressions, the intercept last; `heads`, `tails` and `own`, as `Judged` has them; `pulls`,
                (FOLDS, n), the dual weights of the judged triples.
            encode: the sentence encoder that the scores were fitted with.
        """
        self.role = role
        self.relations = tuple(relations)
        self._folds = folds
        self._arrays = arrays
        self._judged = Judged(arrays["heads"], arrays["tails"], arrays["own"])
        self._encode = encode

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase.
        """
        result = np.empty(len(triples))
        for place, page in pages(triples, _PAGE_TRIPLES):
            rows, dealt = vectors_of(page, self.relations, self._encode), folds_of(page)
            pulled = (Judged.of(rows).nearness(self._judged) @ self._arrays["pulls"].T)[np.arange(len(page)), dealt]
            scores = np.concatenate([cross_scores(self._folds, rows, dealt), pulled[:, None]], axis=1)
            inputs = design(
                scores, rows.relations, len(self.relations), self._arrays["mean"], self._arrays["deviation"]
            )
            weights = self._arrays["weights"][dealt]
            logits = (inputs * weights[:, :-1]).sum(axis=1) + weights[:, -1]
            result[place] = np.exp(-np.logaddexp(0, -logits)).round(_DECIMALS)
        return result

    def save(self, folder: Path) -> None:
        """Write the critic into an existing folder: two files, numbers and names only."""
        about = {"kind": KERNEL, "role": self.role, "format": _FORMAT, "relations": self.relations}
        write(folder, about, {name: self._arrays[name] for name in _ARRAYS} | arrays_of(self._folds))

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any], encode: Encode) -> "Kernel":
        """Open a folder that `save` wrote; `encode` has to be the encoder of the training.

        Raises:
            InputError: the critic is damaged or of another version.
        """
        with opening(folder, about, _FORMAT):
            stored = read_arrays(folder)
            arrays = {name: stored[name] for name in _ARRAYS}
            return cls(about["role"], about["relations"], folds_in(stored, about["role"]), arrays, encode)
