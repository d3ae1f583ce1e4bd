"""How far annotators agree: people among themselves, machines among themselves, and each machine with people.

Machines (`critic.machines`) are never counted as people.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from critic.consensus import MAJORITIES, UNFAMILIAR, DawidSkene, Majority, dawid_skene, majority
from critic.machines import machines_among
from critic.reliability import Figure, Judged, Reliability, reliability, reliability_of_two
from kg.errors import NotReady
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Judgement, Triple

SIDE = 0.5
"""The probability above which a consensus is that the triple is acceptable."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one group of annotators, people or machines, said.

    Attributes:
        annotators: their names, with how many triples each judged, and how many of these were unfamiliar.
        triples: triples that one or more of them judged.
        judged: those that two or more judged, with each annotator's value; all that follows is about these.
        reliability: None where there are none.
        majorities: how many triples have each majority.
        dawid_skene: None where all verdicts are alike, or there are none.
    """

    annotators: Mapping[str, tuple[int, int]]
    triples: int
    judged: Judged
    reliability: Reliability | None
    majorities: Mapping[Majority, int]
    dawid_skene: DawidSkene | None

    @property
    def contradicted(self) -> int:
        """How many majorities the consensus of Dawid and Skene contradicts."""
        good = self.dawid_skene.good if self.dawid_skene else {}
        sides = {triple: "accepted" if share > SIDE else "rejected" for triple, share in good.items()}
        found = {triple: majority(self.judged[triple].values()) for triple in sides}
        return sum({side, found[triple]} == {"accepted", "rejected"} for triple, side in sides.items())


@dataclass(frozen=True, slots=True)
class WithPeople:
    """A machine beside the majority of the people who judged the same triples.

    Attributes:
        annotator: the machine's name.
        triples: triples that it judged, and on which people have a majority.
        alike: share of these on which both say the same, in [0, 1].
        kappa: Cohen's.
        bias: share that the machine accepts minus share that people accept, in [-1, 1].
    """

    annotator: str
    triples: int
    alike: Figure
    kappa: Figure
    bias: Figure


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far annotators agree; `why` says of each machine what makes it one."""

    people: Group
    machines: Group
    with_people: Sequence[WithPeople]
    why: Mapping[str, str]


def agreement_in(
    graph: KnowledgeGraph,
    *,
    where: str | None = None,
    machines: Collection[str] = (),
    people: Collection[str] = (),
    seed: int = 0,
) -> tuple[Agreement, list[str]]:
    """Return how far the annotators of a graph agree, and notes on the condition.

    Args:
        graph: whose judgements.
        where: only judgements of the edges that this Cypher condition over `head`, `r` and `tail` leaves.
        machines: annotators that are machines, though nothing in the graph says so.
        people: annotators that are people, whatever the graph says.
        seed: of the bootstrap.

    Raises:
        NotReady: there is no judgement.
        NotFound: there is no such annotator.
        UnsafeQuery: the condition does more than read.
    """
    why = machines_among(graph, machines, people)
    judgements = graph.judgements()
    notes: list[str] = []
    if where is not None:
        notes = Selection(graph, where=where).notes
        chosen = {edge.triple for edge in graph.edges(where=where)}
        judgements = [judgement for judgement in judgements if judgement.triple in chosen]
    if not judgements:
        whose = "" if where is None else " of an edge that the condition leaves"
        raise NotReady(f"there is no judgement{whose}; bring some with kg critic import-judgements FILE")
    return agreement(judgements, why, seed=seed), notes


def agreement(judgements: Iterable[Judgement], machines: Mapping[str, str], *, seed: int = 0) -> Agreement:
    """Return how far annotators agree.

    Args:
        judgements: any, one of an annotator on a triple.
        machines: the annotators that are no people, each with what says so.
        seed: of the bootstrap.
    """
    by_people: dict[Triple, dict[str, int]] = {}
    by_machines: dict[Triple, dict[str, int]] = {}
    for one in judgements:
        side = by_machines if one.annotator in machines else by_people
        side.setdefault(one.triple, {})[one.annotator] = one.value
    between = _with_people(by_machines, by_people, seed)
    used = {name for by in by_machines.values() for name in by}
    why = {name: said for name, said in machines.items() if name in used}
    return Agreement(_group(by_people, seed), _group(by_machines, seed), between, why)


def beside_people(graph: KnowledgeGraph, annotator: str, *, seed: int = 0) -> WithPeople | None:
    """Return how far a machine agrees with people; None where no triple has its verdict and a majority of people.

    Args:
        graph: whose judgements.
        annotator: the machine's name.
        seed: of the bootstrap.
    """
    machines = machines_among(graph)
    said: dict[Triple, dict[str, int]] = {}
    by_people: dict[Triple, dict[str, int]] = {}
    for one in graph.judgements():
        if one.annotator == annotator:
            said[one.triple] = {annotator: one.value}
        elif one.annotator not in machines:
            by_people.setdefault(one.triple, {})[one.annotator] = one.value
    return next(iter(_with_people(said, by_people, seed)), None)


def _group(judged: Judged, seed: int) -> Group:
    counts = Counter(name for by in judged.values() for name in by)
    unfamiliar = Counter(name for by in judged.values() for name, value in by.items() if value == UNFAMILIAR)
    twice = {triple: by for triple, by in sorted(judged.items()) if len(by) > 1}
    found = Counter(majority(by.values()) for by in twice.values())
    return Group(
        {name: (counts[name], unfamiliar[name]) for name in sorted(counts)},
        len(judged),
        twice,
        reliability(twice, seed=seed) if twice else None,
        {name: found[name] for name in MAJORITIES},
        dawid_skene(twice) if twice else None,
    )


def _with_people(by_machines: Judged, by_people: Judged, seed: int) -> list[WithPeople]:
    verdicts: dict[str, list[tuple[bool, bool]]] = {}
    for triple, by in sorted(by_machines.items()):
        said = majority(by_people[triple].values()) if triple in by_people else "tied"
        if said in ("accepted", "rejected"):
            for name, value in by.items():
                verdicts.setdefault(name, []).append((value > 0, said == "accepted"))
    return [
        WithPeople(name, len(pairs), *reliability_of_two(*zip(*pairs, strict=True), seed=seed))
        for name, pairs in sorted(verdicts.items())
    ]
