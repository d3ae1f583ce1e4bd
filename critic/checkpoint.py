"""Critics of any kind: trained for a role on its share of the judgements, and opened again.

critics/<id>/
├── critic.json            kind and role, and what else the kind needs to be opened
├── manifest.json          what the critic was trained on: role, kind, encoder, seed, hashes of judgements and triples
├── report.json            its figures on the test events, by the judgements there were when it was asked for last
├── critic.safetensors     its arrays
└── calibration.json       the map of its scores to probabilities, where it needs one
"""

import json
from collections.abc import Sequence
from pathlib import Path

from critic.calibrated import read_calibration, with_calibration
from critic.interface import ABOUT, Critic, Encode, TrainingSet
from critic.kinds import BLEND, KINDS
from critic.roles import ROLES
from critic.verdicts import Splits, missing, split_in, training_verdicts
from kg.errors import InputError, NotFound, NotReady
from kg.identity import half_of, head_id
from kg.model import Judgement, Triple
from kg.vocabulary import Vocabulary

_MIN_VERDICTS = 10  # good ones, and bad ones


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
    base: str | None = None,
    progress: Path | None = None,
) -> Critic:
    """Train a critic on its role's share of the judgements; the order of judgements and triples does not matter.

    The share is that of train-split events in the half that belongs to the role, so that filter and judge learn from
    different events; a kind `in_folds` takes more (`critic.verdicts.training_verdicts`). Of the corpus nothing of test
    events is learnt from.

    Args:
        judgements: any judgements.
        corpus: the teacher's triples, whatever their quality.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        seed: same seed, same critic on the same machine.
        role: a name in `critic.roles`.
        kind: a name in `KINDS`.
        splits: splits of events that do not follow from their key.
        base: a pre-trained model to fine-tune or to ask, for kinds that take one.
        progress: file that may keep the state of an unfinished training, for kinds that take long.

    Raises:
        NotReady: too few judgements or triples; the message says which there are, and how to get others.
        InputError: a base for a kind that takes none, or one that cannot be used.
    """
    if base is not None and not (KINDS[kind].takes_base or KINDS[kind].any_model):
        others = " or ".join(name for name, row in KINDS.items() if row.takes_base or row.any_model)
        raise InputError(f"a critic of the kind {kind} goes by no model that is named; --kind {others} does")
    known = judgements if KINDS[kind].needs_verdicts else []
    verdicts = training_verdicts(known, role, splits, in_folds=KINDS[kind].in_folds)
    good = int(verdicts.good.sum())
    if KINDS[kind].needs_verdicts and min(good, len(verdicts) - good) < _MIN_VERDICTS:
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
    return KINDS[kind].train(TrainingSet(verdicts, usable, vocabulary, encode, role, seed, base, progress))


def load_critic(folder: Path, encode: Encode) -> Critic:
    """Open the folder of a critic of any kind; `encode` has to be the encoder of its training.

    Raises:
        NotFound: there is no critic in the folder.
        InputError: the critic is damaged or of another version.
    """
    if not (folder / ABOUT).is_file():
        raise NotFound(f"there is no critic in {folder}")
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the critic in {folder} is damaged ({error}); train it again") from error
    if (
        isinstance(about, dict) and about.get("format") == 1 and "role" not in about
    ):  # version 0.1.0 had one kind, and called the role so
        about = about | {"kind": BLEND, "role": about.get("kind")}
    if not isinstance(about, dict) or about.get("kind") not in list(KINDS) or about.get("role") not in list(ROLES):
        raise InputError(f"{folder} has a critic of another version; train it again")
    return with_calibration(KINDS[about["kind"]].load(folder, about, encode), read_calibration(folder))
