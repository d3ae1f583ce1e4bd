"""The scores of every critic on an edge, and which of them shows.

An edge shows one critic's score (`score`, `critic`, `accepted`) and keeps those of others in `scores`, each as
`0.25 critic-id`. The order of critics decides: the one that was used or scored with last comes first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kg.store.bolt import Row

Thresholds = Mapping[str, Mapping[str, float]]
"""Critic to relation to the smallest accepted score, in [0, 1]."""


def read_scores(score: float | None, critic: str | None, others: Sequence[str] | None) -> dict[str, float]:
    """Return the score of each critic from the properties of an edge."""
    parts = (text.partition(" ") for text in others or ())
    scores = {name: float(number) for number, _, name in parts}
    if score is not None and critic is not None:
        scores[critic] = score
    return scores


def other_scores(scores: Mapping[str, float], shown: str | None) -> list[str] | None:
    """Return the property `scores`: all scores but the one that shows; None if there is no other."""
    return [f"{scores[critic]!r} {critic}" for critic in sorted(scores) if critic != shown] or None


def shown_properties(scores: Mapping[str, float], order: Sequence[str], relation: str, thresholds: Thresholds) -> Row:
    """Return the properties of an edge that has these scores.

    Args:
        scores: by critic.
        order: critics, the one whose score shows before all others first; those not named come last.
        relation: of the edge.
        thresholds: of the critics that have any.
    """
    named = next((critic for critic in order if critic in scores), None)
    shown = named or min(scores, default=None)
    score = None if shown is None else scores[shown]
    threshold = thresholds.get(shown or "", {}).get(relation)
    accepted: Any = None if score is None or threshold is None else score >= threshold
    return {"score": score, "critic": shown, "accepted": accepted, "scores": other_scores(scores, shown)}
