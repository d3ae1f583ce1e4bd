"""What a report on critics rests on: the scores that the graph keeps, and verdicts on validation events.

Verdicts on test events are not looked at: a report that helps to choose a critic would wear them out. Thresholds are
chosen on the same validation events, and a kind that learns in folds has learnt from them, too, each without its own.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.aspects import PLAUSIBLE, in_aspect
from critic.filtering import by_recall
from critic.machines import people_first
from critic.verdicts import Verdicts, split_verdicts
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import triple_of
from kg.graph.scores import read_scores
from kg.identity import head_id
from kg.model import Split, Triple

SPLIT: Split = "validation"
"""Whose verdicts a report reads."""

BINS = 20
"""Of the score, in histograms."""

_WRITING = ("load", "events", "inferences")  # kinds of runs whose edges are a teacher's


@dataclass(frozen=True, slots=True)
class Scored:
    """One critic on the judged edges that it scored.

    Attributes:
        critic: its id.
        kind: how it is made, as far as this workspace knows; else empty.
        is_current: whether its scores show in the graph.
        verdicts: what was judged, ordered by triple.
        scores: (len(verdicts),) in [0, 1].
    """

    critic: str
    kind: str
    is_current: bool
    verdicts: Verdicts
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Filter:
    """One critic on the edges of all splits that it scored, but for those that students alone predicted.

    Attributes:
        critic: its id.
        histograms: relation to the number of edges whose score is in each of `BINS` bins of equal width.
        thresholds: relation to its current threshold; empty without thresholds.
        recall: the share of good triples that these are to keep; None without thresholds.
        trade_off: rows of `critic.filtering.by_recall`, on the same verdicts.
    """

    critic: str
    histograms: Mapping[str, list[int]]
    thresholds: Mapping[str, float]
    recall: float | None
    trade_off: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the critics of a graph.

    Attributes:
        judged: triples of validation events with a verdict.
        critics: those of the current one's aspect that scored some of these, the current one first, then by id.
        aspect: what their scores are the probability of, a name in `critic.aspects.ASPECTS`.
        others: how many critics are of another aspect.
        current: id of the current critic.
        filters: the current critic, and then the others of its aspect that scored an edge, by id.
    """

    judged: int
    critics: list[Scored]
    aspect: str
    others: int
    current: str
    filters: list[Filter]


Score = Callable[[str, Sequence[Triple]], NDArray[np.float64]]
"""The scores that a critic, given by its id, gives to triples."""


def collect(graph: KnowledgeGraph, kinds: Mapping[str, str], score: Score | None = None) -> Evidence:
    """Read what a report needs: a pass over the scored edges, and one more for each critic with thresholds.

    Args:
        graph: whose kept scores are read.
        kinds: id of a critic to its kind, where it is known.
        score: asks a critic of those with a kind about judged triples whose score the graph does not keep, such as bad
            ones that are no edges; without it, these do not count.

    Raises:
        NotReady: no critic has been trained.
    """
    about = graph.current_critic()
    current, aspect = str(about["id"]), str(about.get("aspect", PLAUSIBLE))
    judgements = in_aspect(people_first(graph), aspect)
    splits = graph.splits_of(sorted({head_id(judgement.triple) for judgement in judgements}))
    verdicts = split_verdicts(judgements, SPLIT, splits)
    good = dict(zip(verdicts.triples, map(bool, verdicts.good), strict=True))
    given: dict[str, dict[Triple, float]] = {}
    histograms: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    for page in graph.edge_pages(where="r.score IS NOT NULL AND NOT r.predicted"):
        for row in page:
            scores = read_scores(row.score, row.critic, row.scores)
            for critic, value in scores.items():
                bins = histograms[critic].setdefault(row.relation, [0] * BINS)
                bins[min(BINS - 1, int(value * BINS))] += 1
            if (triple := triple_of(row)) in good:
                for critic, kept in scores.items():
                    given.setdefault(critic, {})[triple] = kept
    every = graph.critics()
    known = [str(one["id"]) for one in every if one.get("aspect", PLAUSIBLE) == aspect]
    for critic in (critic for critic in known if critic in kinds):
        own = given.get(critic, {})
        lacking = [triple for triple in good if triple not in own]
        if score and lacking:
            given[critic] = own | dict(zip(lacking, map(float, score(critic, lacking)), strict=True))
    in_order = sorted(known, key=lambda name: (name != current, name))
    wrote = {run["id"]: run.get("model") or "data" for run in graph.runs() if run.get("kind") in _WRITING}
    return Evidence(
        len(verdicts),
        [
            _scored(critic, kinds.get(critic, ""), critic == current, given[critic], good)
            for critic in in_order if critic in given
        ],
        aspect, len(every) - len(known), current,
        [
            _filter(graph, critic, histograms[critic], good, wrote)
            for critic in in_order if critic == current or critic in histograms
        ],
    )  # fmt: skip


def _filter(
    graph: KnowledgeGraph, critic: str, histograms: Mapping[str, list[int]], good: Mapping[Triple, bool],
    wrote: Mapping[str, str],
) -> Filter:  # fmt: skip
    sorted_histograms = dict(sorted(histograms.items()))
    try:
        found = graph.current_acceptance(critic)
    except NotReady:
        return Filter(critic, sorted_histograms, {}, None, [])
    rows = by_recall(graph, good, wrote, found)
    return Filter(critic, sorted_histograms, dict(found.by_relation()), found.recall, rows)


def _scored(
    critic: str, kind: str, is_current: bool, given: Mapping[Triple, float], good: Mapping[Triple, bool]
) -> Scored:
    triples = tuple(sorted(given))
    verdicts = Verdicts(triples, np.array([good[triple] for triple in triples], dtype=np.bool_))
    return Scored(critic, kind, is_current, verdicts, np.array([given[triple] for triple in triples]))
