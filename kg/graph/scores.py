"""The scores of every critic on an edge, which of them shows, and whether the edge is accepted.

An edge shows one critic's score (`score`, `critic`, `accepted`) and keeps those of others in `scores`, each as
`0.25 critic-id`. The order of critics decides: the one that was used or scored with last comes first.

An edge is accepted where its score reaches the threshold of any teacher that wrote it. So a run that comes to an edge,
or goes, may change that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg.graph.rows import acceptance_of
from kg.model import Acceptance, threshold_of
from kg.run import STUDENT_KIND, teachers_of
from kg.store import queries
from kg.store.bolt import Row


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The smallest accepted scores of one critic, in [0, 1], at one recall, by relation and by who wrote an edge.

    Attributes:
        overall: those of teachers that have none of their own, of other sources, and of edges that students alone
            predicted; by relation.
        own: id of a run to those of its teacher, for teachers that have some of their own.
        students: ids of the runs whose assertions are predictions; empty where no teacher has thresholds of its own.
    """

    overall: Mapping[str, float]
    own: Mapping[str, Mapping[str, float]]
    students: frozenset[str]

    def of(self, relation: str, runs: Iterable[str]) -> float | None:
        """Return the smallest accepted score of an edge, the lowest of its teachers'; None where there is none.

        Args:
            relation: of the edge.
            runs: ids of the runs that asserted the edge.
        """
        wrote = [self.own.get(run, self.overall) for run in runs if run not in self.students] if self.own else ()
        found = [threshold_of(thresholds, relation) for thresholds in wrote or (self.overall,)]
        return min((threshold for threshold in found if threshold is not None), default=None)

    def accepts(self, score: float, relation: str, runs: Iterable[str]) -> bool | None:
        """Return whether an edge with this score is accepted; None where there is no threshold."""
        threshold = self.of(relation, runs)
        return None if threshold is None else score >= threshold


ByCritic = Mapping[str, Thresholds]
"""Critic to its current thresholds, for critics that have some."""


def thresholds_in(acceptance: Acceptance, runs: Iterable[Row], recall: str | None = None) -> Thresholds:
    """Return the thresholds of an acceptance.

    Args:
        acceptance: the acceptance.
        runs: all runs of the graph, as maps.
        recall: as text; None takes the chosen one.
    """
    overall = acceptance.by_relation(recall=recall)
    if not acceptance.teachers:
        return Thresholds(overall, {}, frozenset())
    runs = list(runs)
    own = {run: acceptance.by_relation(model, recall) for run, model in teachers_of(runs).items()
           if model in acceptance.teachers}  # fmt: skip
    return Thresholds(overall, own, frozenset(run["id"] for run in runs if run.get("kind") == STUDENT_KIND))


def read_thresholds(read: Callable[..., list[Row]]) -> dict[str, Thresholds]:
    """Return the current thresholds of each critic that has some.

    Args:
        read: runs a statement: a store's `read`, or a transaction's `run`.
    """
    rows = read(queries.load("graph/records").text)
    found = [acceptance_of(row["properties"]) for row in rows
             if row["label"] == "Acceptance" and row["properties"].get("current")]  # fmt: skip
    by_teacher = any(acceptance.teachers for acceptance in found)
    runs = [row["run"] for row in read(queries.load("graph/runs").text, id=None)] if by_teacher else []
    return {acceptance.critic: thresholds_in(acceptance, runs) for acceptance in found}


def accepted_again(properties: Row, relation: str, by_critic: ByCritic) -> Row:
    """Return the property `accepted` of an edge whose runs have changed; nothing where it stays as it is.

    Args:
        properties: of the edge, with its present runs.
        relation: of the edge.
        by_critic: the current thresholds.
    """
    thresholds = by_critic.get(properties.get("critic") or "")
    if thresholds is None or not thresholds.own:
        return {}
    accepted = thresholds.accepts(properties["score"], relation, properties["runs"])
    return {} if accepted == properties.get("accepted") else {"accepted": accepted}


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


def shown_properties(
    scores: Mapping[str, float], order: Sequence[str], relation: str, runs: Iterable[str], by_critic: ByCritic
) -> Row:
    """Return the properties of an edge that has these scores.

    Args:
        scores: by critic.
        order: critics, the one whose score shows before all others first; those not named come last.
        relation: of the edge.
        runs: ids of the runs that asserted the edge.
        by_critic: the current thresholds.
    """
    named = next((critic for critic in order if critic in scores), None)
    shown = named or min(scores, default=None)
    score = None if shown is None else scores[shown]
    thresholds = by_critic.get(shown or "")
    accepted: Any = None if score is None or thresholds is None else thresholds.accepts(score, relation, runs)
    return {"score": score, "critic": shown, "accepted": accepted, "scores": other_scores(scores, shown)}
