"""The kinds of student: a table. A new kind is a folder with its training and its model, and a row here."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from kg.errors import InputError

if TYPE_CHECKING:  # numpy has no part in a help page
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kg.model import Triple
    from student.interface import Encode, Recipe, Student


@dataclass(frozen=True, slots=True)
class StudentKind:
    """One kind of student.

    Attributes:
        does: what such a student does, in a few words.
        training: `module:name` of its training, a function from triples, relations and a `Recipe` to a student. Named
            rather than imported, since it brings torch in.
        loading: `module:name` of a function from the folder of a checkpoint and the sentence encoder to the student.
        perplexity: the report's sentence on its perplexity, with `{token}`, `{word}` and `{covered}`.
        takes_base: whether it can start from a pre-trained language model.
        seconds: of training on a corpus of the starter's size, on two cores; for the estimate of the time left.
    """

    does: str
    training: str
    loading: str
    perplexity: str
    takes_base: bool = False
    seconds: float = 60

    def train(self, triples: Sequence[Triple], relations: Sequence[str], recipe: Recipe) -> Student:
        """Train a student of this kind on triples, at least one, of the relations given.

        Raises:
            InputError: the triples or the recipe do not fit the kind.
        """
        training: Callable[[Sequence[Triple], Sequence[str], Recipe], Student] = resolve_name(self.training)
        return training(triples, relations, recipe)

    def load(self, folder: Path, encode: Encode) -> Student:
        """Open the checkpoint of a student of this kind.

        Raises:
            Exception: whatever safetensors, tokenizers and transformers raise on damaged files.
        """
        loading: Callable[[Path, Encode], Student] = resolve_name(self.loading)
        return loading(folder, encode)


KINDS: dict[str, StudentKind] = {
    "generator": StudentKind(
        does="writes new tails",
        training="student.generator.training:train_generator",
        loading="student.generator.model:Generator.load",
        perplexity="Perplexity of held-out tails: {token:,.1f} a token, {word:,.1f} a word ({covered} of the tails).",
        takes_base=True,
        seconds=280,
    ),
    "ranker": StudentKind(
        does="ranks known ones",
        training="student.ranker.training:train_ranker",
        loading="student.ranker.model:Ranker.load",
        perplexity=("Perplexity of held-out tails among the tails it knows: {token:,.0f}; it knows {covered} of them."),
    ),
}
"""Name to kind, in the order in which `kg distill` trains one of each."""


def kind_named(name: str) -> StudentKind:
    """Return the kind of a name.

    Raises:
        InputError: there is no such kind.
    """
    if name not in KINDS:
        raise InputError(f"no student of kind {name[:40]!r}; there are {' and '.join(KINDS)}")
    return KINDS[name]
