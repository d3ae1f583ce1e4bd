"""What a language model's training is to make small, as data; `student.generator.objectives` computes it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kg.errors import InputError
from kg.model import Triple

SCHEDULES = ("linear", "cosine", "constant")
WEIGHTS = ("equal", "score", "frequency")


@dataclass(frozen=True, slots=True)
class Objective:
    """What is made small.

    Attributes:
        whole: whether the tokens of what is given count, too.
        weight: of a triple, one of `WEIGHTS`.
        soft: a language model, by folder or name, or a file of stored probabilities, as
            `student.generator.objectives.read_stored` reads it, whose distributions are learnt beside the tails.
        temperature: of these distributions, above 0.
        share: of the softened targets in the loss, from 0 to 1; the tails have the rest.
        schedule: of the learning rate after its warm-up, one of `SCHEDULES`.
        patience: passes over the data without a better loss on held-out tails after which training ends, with the
            weights of the best pass; 0 trains to the end, and takes the last.
        nothing: whether the tail `NOTHING` is learnt, too; a search may give it then.
    """

    whole: bool = False
    weight: str = "equal"
    soft: str | None = None
    temperature: float = 1.0
    share: float = 0.5
    schedule: str = "linear"
    patience: int = 0
    nothing: bool = False

    def check(self) -> None:
        """Make sure that the values are in their ranges.

        Raises:
            InputError: one is not.
        """
        if self.weight not in WEIGHTS:
            raise InputError(f"no weight {self.weight[:40]!r}; there are {', '.join(WEIGHTS)}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"no schedule {self.schedule[:40]!r}; there are {', '.join(SCHEDULES)}")
        if self.patience < 0:
            raise InputError(f"patience is at least 0 passes, not {self.patience}")
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"a temperature is above 0, not {self.temperature}")
        if not 0 <= self.share <= 1:
            raise InputError(f"the share of softened targets is from 0 to 1, not {self.share}")
        if self.nothing and self.weight == "score":
            raise InputError("no critic scores the tail none; weigh by frequency, or leave out --nothing")
        if self.whole and self.soft:
            raise InputError("softened targets are of tails; leave out the loss on whole sequences")

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of the objective: nothing of the usual one."""
        return {} if self == Objective() else {"objective": asdict(self)}


def frequencies(counts: Mapping[Triple, int]) -> dict[Triple, float]:
    """Return the share of each tail in what was said of its event and relation.

    >>> nap, rest = Triple("naps", "xWant", "to nap"), Triple("naps", "xWant", "to rest")
    >>> list(frequencies({nap: 3, rest: 1}).values())
    [0.75, 0.25]
    """
    totals: defaultdict[tuple[str, str], int] = defaultdict(int)
    for triple, count in counts.items():
        totals[triple.head, triple.relation] += count
    return {triple: count / totals[triple.head, triple.relation] for triple, count in counts.items()}
