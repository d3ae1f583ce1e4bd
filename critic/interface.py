"""The interface of every critic, whatever its kind: the only view that the rest of the software has of a critic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from critic.verdicts import Verdicts
from kg.model import Triple
from kg.vocabulary import Vocabulary

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors: (len(texts), d)."""

ABOUT = "critic.json"
"""The file of a critic's folder that names at least its `kind` and its `role`; all else is the kind's own."""


class Critic(Protocol):
    """A trained critic.

    Attributes:
        role: a name in `critic.roles`.
    """

    role: str

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return the probability that each triple is acceptable: (len(triples),), in [0, 1].

        Raises:
            InputError: a tail is `NOTHING`, which is a fact and no phrase.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the critic's files into an existing folder, `ABOUT` among them."""
        ...


@runtime_checkable
class FastCritic(Critic, Protocol):
    """A critic that has a cheaper way to score, too, on the same scale: for what teachers write by the million."""

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return about the same as `score`, at a fraction of its cost."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The data that a critic is trained on, with encoder, role and seed.

    Attributes:
        verdicts: judged triples, at least ten of them good and ten bad; none for a kind that needs none.
        corpus: the teacher's triples, whatever their quality.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        role: a name in `critic.roles`.
        seed: same seed, same critic on the same machine.
        base: name or path of a pre-trained model to fine-tune or to ask, for kinds that take one; None is the kind's
            own choice.
        progress: file that may keep the state of an unfinished training; the caller removes it.
    """

    verdicts: Verdicts
    corpus: Sequence[Triple]
    vocabulary: Vocabulary
    encode: Encode
    role: str
    seed: int
    base: str | None = None
    progress: Path | None = None
