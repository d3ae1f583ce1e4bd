"""Two critics side by side, by the scores that a graph keeps of them; no model runs."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kg.errors import NotFound, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import triple_of
from kg.graph.scores import read_scores, read_thresholds
from kg.model import Triple

_WORST = 5  # disagreements with verdicts that are shown of each critic
_UNFAMILIAR = -9


class Disagreement(NamedTuple):
    """A judged triple, the verdict on it, and the score that contradicts it."""

    triple: Triple
    annotator: str
    value: int
    score: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two critics differ.

    Attributes:
        critics: their ids.
        edges: how many edges both have scored.
        correlation: Pearson's, of the scores, from -1 to 1; None where one of them gave but one score.
        sides: edges that only the first accepts, and that only the second accepts, by their current thresholds; None
            where one of them has none.
        worst: of each critic, the judged edges whose score is farthest from the verdict.
    """

    critics: tuple[str, str]
    edges: int
    correlation: float | None
    sides: tuple[int, int] | None
    worst: tuple[list[Disagreement], list[Disagreement]]


def compare(graph: KnowledgeGraph, one: str, other: str) -> Comparison:
    """Compare two critics on the edges that both have scored.

    Raises:
        NotFound: there is no such critic.
        NotReady: no edge has a score of both.
    """
    known = {critic["id"] for critic in graph.critics()}
    if unknown := [critic for critic in (one, other) if critic not in known]:
        raise NotFound(f"no critic {unknown[0]!r}; see kg critic list")
    thresholds = read_thresholds(graph.store.read)
    judged: dict[Triple, list[tuple[str, int]]] = {}
    for judgement in graph.judgements():
        if judgement.value != _UNFAMILIAR:
            judged.setdefault(judgement.triple, []).append((judgement.annotator, judgement.value))
    pairs: list[tuple[float, float]] = []
    worst: tuple[list[Disagreement], list[Disagreement]] = ([], [])
    sides = [0, 0]
    for page in graph.edge_pages(where="r.score IS NOT NULL"):
        for row in page:
            given = read_scores(row.score, row.critic, row.scores)
            if one not in given or other not in given:
                continue
            pairs.append((given[one], given[other]))
            accepts = [
                critic in thresholds and bool(thresholds[critic].accepts(given[critic], row.relation, row.runs))
                for critic in (one, other)
            ]
            sides[0] += accepts[0] and not accepts[1]
            sides[1] += accepts[1] and not accepts[0]
            triple = triple_of(row)
            for annotator, value in judged.get(triple, ()):
                for found, critic in zip(worst, (one, other), strict=True):
                    found.append(Disagreement(triple, annotator, value, given[critic]))
    if not pairs:
        raise NotReady(f"no edge has a score of both {one} and {other}; kg critic use ID, then kg critic score")
    calibrated = {one, other} <= thresholds.keys()
    return Comparison(
        (one, other), len(pairs), _correlation(pairs), (sides[0], sides[1]) if calibrated else None,
        (_worst(worst[0]), _worst(worst[1])),
    )  # fmt: skip


def format_comparison(comparison: Comparison) -> str:
    """Return a comparison as text."""
    one, other = comparison.critics
    lines = [f"{comparison.edges:,} edges have a score of both {one} and {other}"]
    if comparison.correlation is not None:
        lines.append(f"Correlation of the scores: {comparison.correlation:.3f}")
    if comparison.sides is None:
        lines.append("Who accepts what cannot be compared: both need thresholds (kg critic calibrate)")
    else:
        lines.append(f"Accepted by {one} only: {comparison.sides[0]:,}; by {other} only: {comparison.sides[1]:,}")
    for critic, worst in zip(comparison.critics, comparison.worst, strict=True):
        lines.append(f"Verdicts that {critic} contradicts most:" if worst else f"No verdict on what {critic} scored")
        lines += [
            f"  {found.score:.3f} against {found.value} ({found.annotator}): "
            f"{found.triple.head} | {found.triple.relation} | {found.triple.tail}"
            for found in worst
        ]
    return "\n".join(lines)


def _correlation(pairs: list[tuple[float, float]]) -> float | None:
    columns = np.array(pairs).T
    return None if (columns.std(axis=1) == 0).any() else float(np.corrcoef(columns)[0, 1])


def _worst(found: list[Disagreement]) -> list[Disagreement]:
    return sorted(found, key=lambda one: (-abs((one.value > 0) - one.score), one.triple, one.annotator))[:_WORST]
