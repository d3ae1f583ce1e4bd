"""The interface of every student, whatever its kind: the only view that the rest of the software has of a student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError
from kg.model import Triple
from student.objective import Objective

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""A sentence encoder: n texts to an array (n, d) whose rows have length 1."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a student is trained: all but its triples.

    Attributes:
        encode: the sentence encoder.
        seed: of initial weights, order, dropout and whatever else is random.
        epochs: passes over the data, at least 1; None derives them from its size.
        base: name or path of a pre-trained causal language model to start from.
        phrases: relation to the words between head and tail that make a sentence of a triple.
        progress: file that may keep the state of an unfinished training; the caller removes it.
        form: in which a language model is asked, a name in `student.generator.forms.NAMES`; None is the usual one.
        objective: what a language model's training makes small.
        weights: of the triples, where the objective weighs them.
        held_out: triples of validation events, where the objective has patience.
    """

    encode: Encode
    seed: int
    epochs: int | None
    base: str | None
    phrases: Mapping[str, str]
    progress: Path
    form: str | None = None
    objective: Objective = field(default_factory=Objective)
    weights: Mapping[Triple, float] = field(default_factory=dict)
    held_out: Sequence[Triple] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One tail that a student gives for an event and a relation.

    Attributes:
        tail: its text, never blank and never `kg.model.NOTHING`.
        logprob: at most 0. The generator's is the mean over the tail's tokens, the end included; the ranker's is
            the log-softmax over all tails known for the relation. The two do not compare.
    """

    tail: str
    logprob: float


class Student(Protocol):
    """A trained model of triples.

    Attributes:
        kind: its name in `student.kinds`.
        relations: the relations that it was trained on, in the vocabulary's order.
        metrics: figures of its training.
        manifest: description of its training data, as handed to `train_checkpoint`.
        derived_from: right after training, what the weights that it started from are derived from, as
            `kg.language_model.terms` has it.
    """

    kind: str
    relations: tuple[str, ...]
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    derived_from: str | None

    def predict(self, pairs: Sequence[tuple[str, str]], count: int) -> list[list[Prediction]]:
        """Return, for each (event, relation), up to `count` distinct tails, best first: the ranker's by probability.

        Raises:
            InputError: a relation that the student was not trained on, or `count` below 1.
        """
        ...

    def logprobs(self, triples: Sequence[Triple]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return how probable the tails are: the summed log-probability and the number of tokens, both (n,).

        A tail that the student cannot express (unknown to the ranker, too long for the generator) has 0 tokens. For
        the ranker a tail is one token.

        Raises:
            InputError: a relation that the student was not trained on.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the model's own files into an existing folder."""
        ...


def check_request(student: Student, relations: Sequence[str], count: int = 1) -> None:
    """Refuse a request that a student cannot answer.

    Raises:
        InputError: a relation that the student was not trained on, or `count` below 1.
    """
    if count < 1:
        raise InputError(f"a student gives at least 1 tail, not {count}")
    for relation in dict.fromkeys(relations):
        if relation not in student.relations:
            raise InputError(
                f"the {student.kind} was not trained on relation {relation[:80]!r}; "
                f"it knows {', '.join(student.relations[:30])}"
            )
