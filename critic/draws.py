"""Which of the batches that were drawn to be judged are probability samples of a set of edges, and what each weighs.

A batch was drawn from the edges of a split that met a condition, as its run says. It is a sample of a set if all of the
set are among these: a triple that could not be drawn has no probability, and of it nothing is known.

Several batches make one sample. Each gives an estimate of its own, with inverse probabilities as weights; the mean of
these, each counted by how many equally likely verdicts it is worth (Kish), is an estimate again, whatever the draws
have in common. So a triple weighs the sum of its parts in them. That wants the chance of a triple in the batches that
drew it only; the chance to be in any of them, which would want all batches' chances of all triples, is not kept.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kg import strict_json
from kg.errors import InputError, NotFound, QueryError
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import EdgeRow
from kg.model import NOTHING, Triple

Drawn = Mapping[str, Mapping[Triple, float]]
"""Batch (id of the run that drew it) to triple to the probability in (0, 1] with which it was drawn."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Batches that are probability samples of a set, as one sample.

    Attributes:
        batches: ids of the runs that drew them, that with the most judged triples first.
        weights: of each judged triple, above 0.
        note: what may make the sample less than one; empty if nothing.
    """

    batches: tuple[str, ...]
    weights: Mapping[Triple, float]
    note: str


def rows_of(graph: KnowledgeGraph, *conditions: str | None, split: str | None = None) -> Iterator[EdgeRow]:
    """Yield the edges that meet all of some checked conditions, but for those that say that there is no effect."""
    every = " AND ".join(f"(\n{one}\n)" for one in conditions if one is not None) or None
    for page in graph.edge_pages(where=every, parameters={"split": split}):
        yield from (row for row in page if row.tail_id != NOTHING)


def find_draws(
    graph: KnowledgeGraph,
    where: str | None,
    edges: int,
    drawn: Drawn,
    judged: Collection[Triple],
    batch: str | None = None,
) -> tuple[Draws | None, str]:
    """Return the batches with judged triples that are probability samples of a set, as one; or None, and why.

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
    found: list[str] = []
    odd: list[str] = []
    frames = _Frames(graph, where)
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        if not counts[name]:
            break
        outside, note = frames.outside(edges, graph.run(name))
        if not outside:
            found.append(name)
            odd += [note] if note else []
        elif not found:
            reason = f"batch {name} was drawn from other edges, and {outside} of these were not among them"
    if found:
        of_all = sum(len(drawn[name]) for name in found)
        left = of_all - sum(counts[name] for name in found)
        unjudged = f"{left:,} of the {of_all:,} drawn are not judged yet, and taken to be no different"
        weights = weights_of([{t: p for t, p in drawn[name].items() if t in judged} for name in found])
        return Draws(tuple(found), weights, "; ".join([*([unjudged] if left else []), *dict.fromkeys(odd)])), ""
    if batch is not None:
        raise InputError(f"batch {batch} is no sample of these edges: {reason}")
    return None, reason


def weights_of(samples: Sequence[Mapping[Triple, float]]) -> dict[Triple, float]:
    """Return what each triple of some samples of one set weighs in the sample that they make.

    Args:
        samples: of each the probabilities in (0, 1] of its triples, of which there is at least one.

    Returns:
        Weights that add up to the equally likely verdicts that all samples are worth.
    """
    weights: defaultdict[Triple, float] = defaultdict(float)
    for probabilities in samples:
        own = 1 / np.array(list(probabilities.values()))
        worth = own.sum() ** 2 / (own**2).sum()
        for triple, part in zip(probabilities, own / own.sum(), strict=True):
            weights[triple] += float(worth * part)
    return dict(weights)


class _Frames:
    """What batches were drawn from, beside a set; each condition is counted once."""

    def __init__(self, graph: KnowledgeGraph, where: str | None) -> None:
        self._graph = graph
        self._where = where
        self._counts: dict[tuple[str | None, str | None], tuple[int, int]] = {}

    def outside(self, edges: int, run: Mapping[str, Any]) -> tuple[str, str]:
        """Return how many of a set a batch could not draw, as text, empty if none; and a note, or an empty one.

        Args:
            edges: how many the set has.
            run: that drew the batch.
        """
        parameters = strict_json.read(run.get("parameters") or "{}")
        condition, split = parameters.get("where"), parameters.get("split")
        if condition is not None:
            condition = str(condition)
            try:
                Selection(self._graph, where=condition)
            except (InputError, QueryError):
                return "nobody can say how many", ""  # the run comes from elsewhere, or the graph has other names now
        among, now = self._count(condition, split)
        if among < edges:
            return f"{edges - among:,}", ""
        before = run.get("edges")
        is_same = before in (None, now)
        return "", "" if is_same else f"the batch was drawn from {before:,} edges, where there are {now:,} now"

    def _count(self, condition: str | None, split: str | None) -> tuple[int, int]:
        """Return how many edges of the set meet a condition, and how many of all do."""
        if (condition, split) not in self._counts:
            among = sum(1 for _ in rows_of(self._graph, self._where, condition, split=split))
            now = sum(1 for _ in rows_of(self._graph, condition, split=split))
            self._counts[condition, split] = among, now
        return self._counts[condition, split]
