"""Which of the batches that were drawn to be judged is a probability sample of a set of edges.

A batch was drawn from the edges of a split that met a condition, as its run says. It is a sample of a set if all of the
set are among these: a triple that could not be drawn has no probability, and of it nothing is known.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kg import strict_json
from kg.errors import InputError, NotFound, QueryError
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import EdgeRow
from kg.model import NOTHING, Triple

Drawn = Mapping[str, Mapping[Triple, float]]
"""Batch (id of the run that drew it) to triple to the probability in (0, 1] with which it was drawn."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A batch that is a probability sample of a set.

    Attributes:
        batch: id of the run that drew it.
        probabilities: of each triple of the set that was drawn, in (0, 1].
        note: what may make the batch less than that; empty if nothing.
    """

    batch: str
    probabilities: Mapping[Triple, float]
    note: str


def rows_of(graph: KnowledgeGraph, *conditions: str | None, split: str | None = None) -> Iterator[EdgeRow]:
    """Yield the edges that meet all of some checked conditions, but for those that say that there is no effect."""
    every = " AND ".join(f"(\n{one}\n)" for one in conditions if one is not None) or None
    for page in graph.edge_pages(where=every, parameters={"split": split}):
        yield from (row for row in page if row.tail_id != NOTHING)


def find_draw(
    graph: KnowledgeGraph,
    where: str | None,
    edges: int,
    drawn: Drawn,
    judged: Collection[Triple],
    batch: str | None = None,
) -> tuple[Draw | None, str]:
    """Return the batch with the most judged triples that is a probability sample of a set; or None, and why.

    Args:
        graph: whose batches.
        where: the checked condition of the set.
        edges: how many the set has, "no effect" apart.
        drawn: of each batch the triples that are of the set.
        judged: the triples of the set that have a verdict.
        batch: the only batch that counts, by the run that drew it or by its name.

    Raises:
        NotFound: there is no such batch.
        InputError: that batch is no sample of the set, or nothing of the two is judged.
    """
    if batch is not None and batch not in drawn:
        named = [name for name in drawn if graph.run(name).get("dataset") == batch]
        if len(named) != 1:
            many = f"{len(named)} batches are" if named else "no batch is"
            known = f"those drawn with known probabilities are {', '.join(drawn) or 'none'}"
            raise NotFound(f"{many} called {batch!r}; {known}")
        (batch,) = named
    counts = {name: len(triples.keys() & judged) for name, triples in drawn.items() if batch in (None, name)}
    reason = "nothing of it that is among them is judged" if batch else "the judged ones are no random sample of them"
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        if not counts[name]:
            break
        outside, note = _outside(graph, where, edges, graph.run(name))
        if not outside:
            left = len(drawn[name]) - counts[name]
            unjudged = f"{left:,} of the {len(drawn[name]):,} drawn are not judged yet, and taken to be no different"
            return Draw(name, drawn[name], "; ".join(filter(None, [unjudged if left else "", note]))), ""
        reason = f"batch {name} was drawn from other edges, and {outside} of these were not among them"
    if batch is not None:
        raise InputError(f"batch {batch} is no sample of these edges: {reason}")
    return None, reason


def _outside(graph: KnowledgeGraph, where: str | None, edges: int, run: Mapping[str, Any]) -> tuple[str, str]:
    """Return how many of a set a batch could not draw, as text, empty if none; and a note, or an empty one."""
    parameters = strict_json.read(run.get("parameters") or "{}")
    condition, split = parameters.get("where"), parameters.get("split")
    if condition is not None:
        condition = str(condition)
        try:
            Selection(graph, where=condition)
        except (InputError, QueryError):
            return "nobody can say how many", ""  # the run comes from elsewhere, or the graph has other names now
    among = sum(1 for _ in rows_of(graph, where, condition, split=split))
    if among < edges:
        return f"{edges - among:,}", ""
    before, now = run.get("edges"), sum(1 for _ in rows_of(graph, condition, split=split))
    return "", "" if before in (
        None,
        now,
    ) else f"the batch was drawn from {before:,} edges, where there are {now:,} now"
