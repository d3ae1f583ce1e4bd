"""The ways to come to what is to be judged, a row each."""

from dataclasses import dataclass

from kg.model import Split

DEFAULT_SPLIT: Split = "test"
"""Whose events are judged where nothing else is said, as for `kg student evaluate` and `kg query to_judge`."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way.

    Attributes:
        does: which triples come of it.
        drawn: whether chance decides, so that each triple has a known probability and an estimate of all edges can be
            made; otherwise triples that nobody judged are chosen.
        nothing: what an edge lacks where there is none, and what to do.
    """

    does: str
    drawn: bool
    nothing: str


WAYS = {
    "random": Way(
        "each as likely as any other", drawn=True,
        nothing="with a tail; choose another --split or --where, or load some with kg ingest load",
    ),
    "stratified": Way(
        "as many of each relation and decile of its scores", drawn=True,
        nothing="with a tail; choose another --split or --where, or load some with kg ingest load",
    ),
    "uncertain": Way(
        "scores nearest to their thresholds", drawn=False,
        nothing="with a score and a threshold that nobody judged; run kg critic calibrate and kg critic score",
    ),
    "teacher-student": Way(
        "best tails of both where their mean scores differ most", drawn=False,
        nothing="that nobody judged where both a teacher and a student have scored tails; run kg student predict and "
        "kg critic score",
    ),
    "critics": Way(
        "scored most differently by two critics", drawn=False,
        nothing="that nobody judged and both critics have scored; run kg critic use ID and kg critic score",
    ),
}  # fmt: skip
