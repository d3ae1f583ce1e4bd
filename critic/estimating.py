"""Which share of a set of edges is acceptable: by its judgements, by the critic, and by both.

Judgements say it where they are on all of the set, or on a probability sample; else they only say between which ends
the share must lie. People's judgements outrank those of machines (`critic.machines`).
"""

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from critic.draws import Drawn, find_draws, rows_of
from critic.estimators import Events, Powered, Share, prediction_powered, share_of
from critic.machines import machines_among
from critic.verdicts import verdicts_on
from kg.errors import InputError, NotReady
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import triple_of
from kg.graph.scores import read_scores
from kg.identity import head_id
from kg.model import Judgement, Triple

Who = Literal["people", "machines"]
Basis = Literal["all", "drawn", "as told", "some", "none"]

_ALIKE = "it takes two verdicts that differ"
NO_SCORES = "no edge has a score; run kg critic score"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Which share of a set of edges is acceptable.

    Attributes:
        edges: how many the set has; those that say that there is no effect do not count.
        who: whose judgements count: people's where they judged any of the set, else machines'.
        others: triples of the set that only the others judged.
        read: triples of the set whose verdicts count.
        good: how many of these are accepted, by more than half of their annotators.
        used: how many of them are of the sample.
        basis: what was read: "all" of the set, a probability sample that was "drawn", a random sample "as told", "some"
            or "none".
        events: of how many events these are; intervals are by event.
        batches: the batches that were drawn, that with the most verdicts first.
        why: why the verdicts are no estimate; empty if they are one.
        note: what may make the sample less than one.
        judged: the share by verdicts; None for "some" and "none".
        bounds: the ends between which it lies, were all others bad, or good, whatever the basis.
        critic: the critic whose scores count.
        scored: how many edges have a score of it.
        mean: the mean score; None without scores.
        off: the mean score of the edges that were read minus the share of these that is good, weighted as they were
            drawn; None where nothing with a score was read.
        both: the share by prediction-powered inference.
        why_not_both: why there is none; empty if there is one.
    """

    edges: int
    who: Who
    others: int
    read: int
    good: int
    used: int
    basis: Basis
    events: int
    batches: tuple[str, ...]
    why: str
    note: str
    judged: Share | None
    bounds: tuple[float, float]
    critic: str | None
    scored: int
    mean: float | None
    off: float | None
    both: Powered | None
    why_not_both: str


class _Set(NamedTuple):
    """A set of edges.

    Attributes:
        edges: how many there are.
        scores: of those that have one.
        members: those triples of interest that are of the set, with the score, or NaN.
    """

    edges: int
    scores: NDArray[np.float64]
    members: Mapping[Triple, float]


def estimate_in(
    graph: KnowledgeGraph,
    *,
    where: str | None = None,
    by: Who | None = None,
    batch: str | None = None,
    at_random: bool = False,
    machines: Collection[str] = (),
    people: Collection[str] = (),
) -> tuple[Estimate, list[str]]:
    """Estimate which share of some edges of a graph is acceptable; return notes on the condition, too.

    Args:
        graph: whose edges and judgements.
        where: a Cypher condition over `head`, `r` and `tail`; None takes all edges.
        by: whose judgements count; None takes people's where they judged any of the edges, else machines'.
        batch: the batch that is the probability sample; None takes all that are one together.
        at_random: whether those that are judged are as good as drawn at random, each as likely as any other.
        machines: annotators that are machines, though nothing in the graph says so.
        people: annotators that are people, whatever the graph says.

    Raises:
        NotReady: there is no such edge.
        NotFound: there is no such batch or annotator.
        InputError: that batch is no sample of these edges.
        UnsafeQuery: the condition does more than read.
    """
    if batch is not None and at_random:
        raise InputError("a batch says with which probability each was drawn; leave out --at-random or --batch")
    notes = [] if where is None else Selection(graph, where=where).notes
    taken_for_machines = machines_among(graph, machines, people)
    judgements = graph.judgements()
    drawn = graph.drawn()
    of_interest = {one.triple for one in judgements}.union(*drawn.values())
    critic = next((str(row["id"]) for row in graph.critics() if row.get("current")), None)
    chosen = _read(graph, where, critic, of_interest)
    if not chosen.edges:
        raise NotReady(
            "there is no edge with a tail to estimate" + ("" if where is None else " that meets the condition")
        )
    mine = [one for one in judgements if one.triple in chosen.members]
    sides: dict[Who, list[Judgement]] = {"people": [], "machines": []}
    for one in mine:
        sides["machines" if one.annotator in taken_for_machines else "people"].append(one)
    who: Who = by or ("people" if sides["people"] or not sides["machines"] else "machines")
    others = {one.triple for one in mine} - {one.triple for one in sides[who]}
    verdicts = verdicts_on(sides[who])
    of_set = {name: {t: p for t, p in some.items() if t in chosen.members} for name, some in drawn.items()}
    sample = _sample(graph, where, chosen.edges, of_set, verdicts.triples, batch, at_random=at_random)
    return _estimate(
        chosen, dict(zip(verdicts.triples, verdicts.good.tolist(), strict=True)), sample, who, len(others), critic
    ), notes


class _Sample(NamedTuple):
    """A sample: on what it rests, its batches, what its triples weigh, why it is none, what is odd about it."""

    basis: Basis
    batches: tuple[str, ...]
    weights: Mapping[Triple, float]
    why: str
    note: str


def _read(graph: KnowledgeGraph, where: str | None, critic: str | None, of_interest: Collection[Triple]) -> _Set:
    edges, scores = 0, array("d")
    members: dict[Triple, float] = {}
    for row in rows_of(graph, where):
        given = row.score if critic is None else read_scores(row.score, row.critic, row.scores).get(critic)
        edges += 1
        if given is not None:
            scores.append(given)
        if (triple := triple_of(row)) in of_interest:
            members[triple] = np.nan if given is None else given
    return _Set(edges, np.array(scores), members)


def _sample(
    graph: KnowledgeGraph,
    where: str | None,
    edges: int,
    drawn: Drawn,
    judged: Sequence[Triple],
    batch: str | None,
    *,
    at_random: bool,
) -> _Sample:
    if len(judged) == edges and batch is None:
        return _Sample("all", (), dict.fromkeys(judged, 1.0), "", "")
    if at_random and judged:
        return _Sample("as told", (), dict.fromkeys(judged, 1.0), "", "")
    if not judged and batch is None:
        return _Sample("none", (), {}, "nothing is judged", "")
    draws, why = find_draws(graph, where, edges, drawn, {*judged}, batch)
    if draws is None:
        return _Sample("some", (), {}, why, "")
    return _Sample("drawn", draws.batches, draws.weights, "", draws.note)


def _estimate(
    chosen: _Set, verdicts: Mapping[Triple, bool], sample: _Sample, who: Who, others: int, critic: str | None
) -> Estimate:
    used = [triple for triple in verdicts if triple in sample.weights]
    good = np.array([verdicts[triple] for triple in used], dtype=np.bool_)
    weights = np.array([sample.weights[triple] for triple in used])
    events = numbers_of([head_id(triple) for triple in used])
    accepted, unread = sum(verdicts.values()), chosen.edges - len(verdicts)
    both, why_not = _both(chosen, used, good, weights, events, sample.why)
    return Estimate(
        edges=chosen.edges,
        who=who,
        others=others,
        read=len(verdicts),
        good=accepted,
        used=len(used),
        basis=sample.basis,
        events=len({*events.tolist()}),
        batches=sample.batches,
        why=sample.why,
        note=sample.note,
        judged=share_of(good, weights, events) if used else None,
        bounds=(accepted / chosen.edges, (accepted + unread) / chosen.edges),
        critic=critic,
        scored=len(chosen.scores),
        mean=float(chosen.scores.mean()) if len(chosen.scores) else None,
        off=_off(chosen, verdicts, sample.weights),
        both=both,
        why_not_both=why_not,
    )


def _both(
    chosen: _Set,
    used: Sequence[Triple],
    good: NDArray[np.bool_],
    weights: NDArray[np.float64],
    events: Events,
    why: str,
) -> tuple[Powered | None, str]:
    unscored = chosen.edges - len(chosen.scores)
    if why or unscored:
        return None, why or (
            f"{unscored:,} edges have no score; run kg critic score" if len(chosen.scores) else NO_SCORES
        )
    scores = np.array([chosen.members[triple] for triple in used])
    found = prediction_powered(good, scores, chosen.scores, weights, events)
    return found, "" if found else _ALIKE


def _off(chosen: _Set, verdicts: Mapping[Triple, bool], weights: Mapping[Triple, float]) -> float | None:
    known = [t for t in verdicts if not np.isnan(chosen.members[t]) and (not weights or t in weights)]
    if not known:
        return None
    errors = [chosen.members[triple] - verdicts[triple] for triple in known]
    return float(np.average(errors, weights=[weights.get(triple, 1.0) for triple in known]))


def numbers_of(names: Sequence[str]) -> Events:
    """Return a number for each name, the same for the same name."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.int64)
