"""The roles of critics, as data: the half of the training events that each learns from, and the scores that it goes by.

Training, thresholds and the report each take another share of the judgements: the train split, divided between the
critic that filters and the one that judges the student; the validation split; the test split.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Role:
    """The purpose of a critic.

    Attributes:
        half: the half of the training events (`kg.model.half_of`) whose judgements it learns from.
        parts: names of the scores it goes by (`critic.features.PARTS`).
        all_triples: whether it learns from the teacher's triples of all events that are no test events, or only
            from those of its half.
        scores_edges: whether it scores the edges of the graph.
    """

    half: Literal[0, 1]
    parts: tuple[str, ...]
    all_triples: bool
    scores_edges: bool


FILTER, JUDGE = "filter", "judge"

ROLES: dict[str, Role] = {
    FILTER: Role(0, ("TailTypicality", "Expectation", "Match"), all_triples=True, scores_edges=True),
    JUDGE: Role(1, ("TailTypicality",), all_triples=False, scores_edges=False),
}
"""The filter chooses what the student learns from, the judge estimates how good the student is. `Expectation` and
`Match` compare head and tail as the student's ranker does: a judge that had them would applaud itself. Two roles with
one half share their judgements."""
