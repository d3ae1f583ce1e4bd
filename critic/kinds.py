"""The kinds of critic: a table. A new kind is a file, and a row here.

The seam is `score`: triples to probabilities. What a critic is for is its role (`critic.roles`), whatever its kind.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from critic.roles import ROLES
from critic.verdicts import Splits, Verdicts, missing, split_in, training_verdicts
from kg.errors import InputError, NotFound, NotReady
from kg.identity import half_of, head_id
from kg.model import Judgement, Triple
from kg.vocabulary import Vocabulary

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors: (len(texts), d)."""

ABOUT = "critic.json"
"""The file of a critic's folder that names at least its `kind` and its `role`; all else is the kind's own."""

_MIN_VERDICTS = 10  # good ones, and bad ones


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


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a critic is trained on, and how.

    Attributes:
        verdicts: judged triples, at least ten of them good and ten bad.
        corpus: the teacher's triples, whatever their quality.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        role: a name in `critic.roles`.
        seed: same seed, same critic on the same machine.
    """

    verdicts: Verdicts
    corpus: Sequence[Triple]
    vocabulary: Vocabulary
    encode: Encode
    role: str
    seed: int


@dataclass(frozen=True, slots=True)
class CriticKind:
    """One kind of critic.

    Attributes:
        training: `module:name` of its training, a function from a `Lesson` to a critic. Named rather than imported,
            so that a kind may bring in what it likes.
        loading: `module:name` of what opens its folder, a function from the folder, its `ABOUT` and the encoder.
    """

    training: str
    loading: str


BLEND = "blend"

KINDS: dict[str, CriticKind] = {
    BLEND: CriticKind("critic.training:fit_blend", "critic.model:Blend.load"),
}
"""Name to kind."""


def train_role(
    judgements: Sequence[Judgement],
    corpus: Sequence[Triple],
    vocabulary: Vocabulary,
    encode: Encode,
    *,
    seed: int,
    role: str,
    kind: str = BLEND,
    splits: Splits | None = None,
) -> Critic:
    """Train a critic on its role's share of the judgements; the order of what is given does not matter.

    The share is that of train-split events in the half that belongs to the role, so that filter and judge learn from
    different events. Of the corpus nothing of test events is learnt from.

    Args:
        judgements: any judgements.
        corpus: the teacher's triples, whatever their quality.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        seed: same seed, same critic on the same machine.
        role: a name in `critic.roles`.
        kind: a name in `KINDS`.
        splits: splits of events that do not follow from their key.

    Raises:
        NotReady: too few judgements or triples; the message says which there are, and how to get others.
    """
    verdicts = training_verdicts(judgements, role, splits)
    good = int(verdicts.good.sum())
    if min(good, len(verdicts) - good) < _MIN_VERDICTS:
        raise NotReady(
            f"the {role} critic needs at least {_MIN_VERDICTS} good and {_MIN_VERDICTS} bad judged triples of its half "
            f"of the training events; there are {good} and {len(verdicts) - good}; "
            f"{missing(judgements, splits, 'train', ROLES[role].half)}"
        )
    usable = [
        triple
        for triple in sorted(set(corpus))
        if not triple.says_nothing
        and split_in(triple, splits) != "test"
        and (ROLES[role].all_triples or half_of(head_id(triple)) == ROLES[role].half)
    ]
    training: Callable[[Lesson], Critic] = resolve_name(KINDS[kind].training)
    return training(Lesson(verdicts, usable, vocabulary, encode, role, seed))


def load_critic(folder: Path, encode: Encode) -> Critic:
    """Open the folder of a critic of any kind; `encode` has to be the encoder of its training.

    Raises:
        NotFound: there is no critic in the folder.
        InputError: what is there is damaged or of another version.
    """
    if not (folder / ABOUT).is_file():
        raise NotFound(f"there is no critic in {folder}")
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the critic in {folder} is damaged ({error}); train it again") from error
    if isinstance(about, dict) and about.get("format") == 1:  # version 0.1.0 had one kind, and called the role so
        about = about | {"kind": BLEND, "role": about.get("kind")}
    if not isinstance(about, dict) or about.get("kind") not in list(KINDS) or about.get("role") not in list(ROLES):
        raise InputError(f"{folder} has a critic of another version; train it again")
    loading: Callable[[Path, dict[str, Any], Encode], Critic] = resolve_name(KINDS[about["kind"]].loading)
    return loading(folder, about, encode)
