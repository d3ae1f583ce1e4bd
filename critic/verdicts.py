"""One verdict a triple, from the judgements of a share of the events.

Which share is whose: see `critic.roles`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from critic.roles import ROLES
from kg.identity import half_of, head_id, split_of
from kg.model import Judgement, Split, Triple

Splits = Mapping[str, Split]
"""Key of an event (`kg.identity.head_id`) to its split; an event that is not named follows `split_of`."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Distinct triples and whether more than half of their annotators accepted them; ordered by triple.

    Attributes:
        triples: the triples.
        good: (len(triples),) booleans.
        annotators: of each triple, by name; empty where nobody says who they were.
        weights: (len(triples),) in (0, 1], how much each counts in a training; empty where all count 1.
    """

    triples: tuple[Triple, ...]
    good: NDArray[np.bool_]
    annotators: tuple[tuple[str, ...], ...] = ()
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.triples)

    @property
    def counts(self) -> NDArray[np.float64]:
        """How much each triple counts in a training: (len(triples),) in (0, 1]."""
        return self.weights if len(self.weights) else np.ones(len(self.triples))

    @property
    def relations(self) -> tuple[str, ...]:
        """The relation of each triple."""
        return tuple(triple.relation for triple in self.triples)

    @property
    def events(self) -> tuple[str, ...]:
        """The key of each triple's event."""
        return tuple(head_id(triple) for triple in self.triples)


def split_in(triple: Triple, splits: Splits | None = None) -> Split:
    """Return the split of a triple's event: the one in `splits`, otherwise that of `kg.identity.split_of`."""
    event = head_id(triple)
    return (splits or {}).get(event) or split_of(event)


def training_verdicts(
    judgements: Sequence[Judgement], role: str, splits: Splits | None = None, *, in_folds: bool = False
) -> Verdicts:
    """Return the verdicts that a critic may learn from: of its role's half of the training events.

    Args:
        judgements: any judgements.
        role: a name in `critic.roles`.
        splits: splits of events that do not follow from their key.
        in_folds: whether no score will depend on a verdict about its own event. Then the verdicts on validation events
            teach, too, and one that scores edges learns from both halves.
    """
    both = in_folds and ROLES[role].scores_edges
    mine = [one for one in judgements if both or half_of(head_id(one.triple)) == ROLES[role].half]
    if in_folds:
        return verdicts_on([judgement for judgement in mine if split_in(judgement.triple, splits) != "test"])
    return split_verdicts(mine, "train", splits)


def unseen_verdicts(
    judgements: Sequence[Judgement], role: str, splits: Splits | None = None, *, in_folds: bool = False
) -> Verdicts:
    """Return the verdicts on train and validation events that a critic's scores owe nothing to; arguments likewise."""
    known = [one for one in judgements if split_in(one.triple, splits) != "test"]
    if in_folds:
        return verdicts_on(known)
    learnt = set(training_verdicts(judgements, role, splits).triples)
    return verdicts_on([one for one in known if one.triple not in learnt])


def split_verdicts(judgements: Sequence[Judgement], split: Split, splits: Splits | None = None) -> Verdicts:
    """Return the verdicts on the events of a split, as `verdicts_on`."""
    return verdicts_on([judgement for judgement in judgements if split_in(judgement.triple, splits) == split])


def verdicts_on(judgements: Sequence[Judgement]) -> Verdicts:
    """Return the verdicts that judgements come to; judgements of the tail `NOTHING` are left out.

    A tie of the annotators is no acceptance, as "unfamiliar" (-9) is none.
    """
    votes: dict[Triple, list[bool]] = defaultdict(list)
    annotators: dict[Triple, set[str]] = defaultdict(set)
    for judgement in judgements:
        if not judgement.triple.says_nothing:
            votes[judgement.triple].append(judgement.is_good)
            annotators[judgement.triple].add(judgement.annotator)
    triples = tuple(sorted(votes))
    good = [2 * sum(votes[triple]) > len(votes[triple]) for triple in triples]
    names = tuple(tuple(sorted(annotators[triple])) for triple in triples)
    return Verdicts(triples, np.array(good, dtype=np.bool_), names)


def missing(judgements: Sequence[Judgement], splits: Splits | None, split: Split, half: int | None = None) -> str:
    """Return, for an error's end, how many judged triples each split has, and how to get more of the split and half."""
    found = Counter(split_in(triple, splits) for triple in {judgement.triple for judgement in judgements})
    counts = ", ".join(f"{found[name]:,} of {name} events" for name in ("train", "validation", "test"))
    halves = "" if half is None else f" --param half={half}"
    return (
        f"judged triples there are {counts}; for more: kg query unjudged --param split={split}{halves} --tsv, "
        "then kg critic import-judgements FILE"
    )
