"""What the verdicts on a batch say: how good the edges are that it was drawn from, and how far annotators agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from critic.agreement import Agreement, agreement_in
from critic.estimating import Estimate, estimate_in, numbers_of
from critic.estimators import share_of
from kg import strict_json
from kg.errors import InputError, NotReady
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import read_turns
from kg.model import SPLITS
from kg.store import queries

_STEPS = 25  # of a course at most


@dataclass(frozen=True, slots=True)
class Step:
    """An estimate after some verdicts: the share that is good and the ends of its 95 % interval, all in [0, 1]."""

    verdicts: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the verdicts on a batch say.

    Attributes:
        split: of the events that it was drawn from.
        drawn: whether chance drew the batch, so that its verdicts are an estimate.
        estimate: of the edges that it was drawn from, by all batches that are samples of them.
        agreement: of all annotators on these edges; None where nobody judged.
        course: the estimate by the verdicts on this batch alone, as they came; empty where it is no sample.
        last: when the last of these came, in UTC as ISO 8601; empty where none did.
    """

    split: str
    drawn: bool
    estimate: Estimate
    agreement: Agreement | None
    course: Sequence[Step]
    last: str


def evidence_of(graph: KnowledgeGraph, run: Mapping[str, Any]) -> Evidence:
    """Return what the verdicts on a batch say.

    Args:
        graph: where the batch is.
        run: that drew it.

    Raises:
        InputError: the run came from elsewhere and does not say from what it drew.
        QueryError: its condition is none of this graph.
        NotReady: no edge meets it any more.
    """
    about = strict_json.read(run.get("parameters") or "{}")
    split, condition = about.get("split"), about.get("where")
    if split not in SPLITS or not isinstance(condition, str | None):
        raise InputError(f"run {run['id']} does not say from which edges it drew")
    if condition is not None:
        Selection(graph, where=condition)  # alone, or it could end the brackets that are put around it
    where = f"head.split = '{split}'" + ("" if condition is None else f" AND (\n{condition}\n)")
    try:
        agreement = agreement_in(graph, where=where)[0]
    except NotReady:
        agreement = None
    course, last, drawn = course_of(graph, run["id"])
    return Evidence(split, drawn, estimate_in(graph, where=where)[0], agreement, course, last)


def course_of(graph: KnowledgeGraph, batch: str) -> tuple[list[Step], str, bool]:
    """Return how the estimate by the verdicts on a batch came to be.

    A triple counts from when it got the first of the verdicts that hold, by what these come to.

    Returns:
        At most 25 steps, the last one with all verdicts; when the last of these came, empty if none did; and whether
        chance drew the batch.
    """
    rows = graph.store.read(queries.load("graph/task_rows").text, batch=batch)
    drawn = [row for row in rows if row["probability"] is not None]
    found = []
    for row in drawn:
        standing = {turn.run: turn for turn in read_turns(row["log"]) if turn.run in row["judged"]}
        values = [turn.value for turn in standing.values() if turn.value is not None]
        if values:
            is_good = 2 * sum(value > 0 for value in values) > len(values)
            found.append((min(turn.at for turn in standing.values()), row["head"], is_good, 1 / row["probability"]))
    if not found:
        return [], "", bool(drawn)
    found.sort()
    events = numbers_of([head for _, head, _, _ in found])
    good, weights = np.array([one[2] for one in found]), np.array([one[3] for one in found])
    steps = []
    for count in np.unique(np.linspace(1, len(found), min(_STEPS, len(found)), dtype=np.int64)).tolist():
        share = share_of(good[:count], weights[:count], events[:count])
        steps.append(Step(count, share.value, *share.interval))
    return steps, found[-1][0], True
