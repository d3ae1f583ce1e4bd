"""What a student says to published prefixes, as an output of its own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from more_itertools import chunked

from kg.errors import InputError
from student.interface import Student
from student.metrics.files import Output, Pair

_PREFIXES = 256  # answered at once; all are one batch of the model


@runtime_checkable
class Searches(Protocol):
    """A student that writes tails token by token, and so has a greedy one and beams as the papers mean them."""

    def search(self, pairs: Sequence[Pair], beams: int) -> list[tuple[str, list[str]]]:
        """Return the greedy tail for each (event, relation), and up to `beams` of a beam search, best first."""
        ...


def answer(
    student: Student,
    prefixes: Sequence[tuple[Pair, tuple[str, ...]]],
    beams: int,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Output]:
    """Yield the outputs of a student to the prefixes of relations that it knows, in their order.

    A student without a search of its own, such as the ranker, gives its best tails for the beams and the first of these
    for the greedy one.

    Args:
        student: any kind.
        prefixes: as `read_prefixes` returns them; references go along.
        beams: candidates for each prefix, at least 1.
        progress: called with numbers of prefixes.

    Raises:
        InputError: the student knows not one of the relations.
    """
    known = [(pair, tails) for pair, tails in prefixes if pair[1] in student.relations]
    if not known:
        raise InputError(
            f"the {student.kind} knows not one of the prefixes' relations; it knows {', '.join(student.relations[:30])}"
        )
    for some in chunked(known, _PREFIXES):
        found = _said(student, [pair for pair, _ in some], beams)
        for ((head, relation), tails), (greedy, generations) in zip(some, found, strict=True):
            yield Output(head, relation, greedy, tuple(generations), tails)
        progress(len(some))


def unknown_relations(student: Student, prefixes: Sequence[tuple[Pair, tuple[str, ...]]]) -> dict[str, int]:
    """Return the relations of prefixes that a student was not trained on, each with how many prefixes it has."""
    found: dict[str, int] = {}
    for (_, relation), _ in prefixes:
        if relation not in student.relations:
            found[relation] = found.get(relation, 0) + 1
    return found


def _said(student: Student, pairs: Sequence[Pair], beams: int) -> list[tuple[str, list[str]]]:
    distinct = list(dict.fromkeys(pairs))
    if isinstance(student, Searches):
        found = student.search(distinct, beams)
    else:
        tails = [[one.tail for one in some] for some in student.predict(distinct, beams)]
        found = [(some[0] if some else "", some) for some in tails]
    table = dict(zip(distinct, found, strict=True))
    return [table[pair] for pair in pairs]
