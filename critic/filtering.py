"""What a critic's thresholds make of what each origin wrote, on verdicts that nothing was trained or tuned on.

An origin is a teacher, or a student. The thresholds come from verdicts on validation events; how good is what they let
pass is said by verdicts on test events, which reports alone read.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from critic.metrics import measure
from critic.verdicts import Verdicts
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import EdgeRow, triple_of
from kg.graph.scores import read_scores, thresholds_in
from kg.model import Acceptance, Split, Triple

Origins = Mapping[str, str]
"""Id of a run to the name of its origin; several runs may be one origin's."""


def by_recall(
    graph: KnowledgeGraph, verdicts: Mapping[Triple, bool], origins: Origins, acceptance: Acceptance | None = None
) -> list[dict[str, Any]]:
    """Return how much of each origin's edges a critic accepts at each recall, and how good that is.

    This is table 4 of West et al. 2021. An edge that several wrote counts for each of them.

    Args:
        graph: whose edges of all splits count, but for those that students alone predicted.
        verdicts: whether a triple is acceptable, of test events.
        origins: of the runs that count.
        acceptance: thresholds, whose critic's kept scores are read; None takes the current ones of the current critic.

    Returns:
        For each origin, by name, a row for everything and one for each calibrated recall, the highest first: `origin`,
        `recall` (None for everything), `edges`, `distinct` (different relation-tail pairs among them), `judged` and
        `good` (of these edges, by the verdicts), and `kept` (share of the origin's good judged edges; None where there
        is none). Nothing where no critic has thresholds.
    """
    try:
        acceptance = acceptance or graph.current_acceptance(str(graph.current_critic()["id"]))
    except NotReady:
        return []
    runs = graph.runs()
    recalls = sorted(acceptance.thresholds, key=float, reverse=True)
    rules = [thresholds_in(acceptance, runs, recall) for recall in recalls]
    limits: dict[tuple[str, tuple[str, ...]], list[float]] = {}  # of a relation and runs: of no filter, and each recall
    found: dict[str, _Tally] = defaultdict(lambda: _Tally(1 + len(recalls)))
    for page in graph.edge_pages(where="r.score IS NOT NULL AND NOT r.predicted"):
        for row in page:
            score = read_scores(row.score, row.critic, row.scores).get(acceptance.critic)
            wrote = {origins[run] for run in row.runs if run in origins}
            if score is None or not wrote:
                continue
            key = row.relation, tuple(row.runs)
            if key not in limits:
                own = [rule.of(*key) for rule in rules]
                limits[key] = [0.0, *(np.inf if limit is None else limit for limit in own)]
            reached = [place for place, limit in enumerate(limits[key]) if score >= limit]
            for origin in wrote:
                found[origin].add(row, reached, verdicts.get(triple_of(row)))
    return [
        {
            "origin": origin, "recall": recall and float(recall), "edges": tally.edges[place],
            "distinct": tally.distinct(place), "judged": tally.judged[place], "good": tally.good[place],
            "kept": tally.good[place] / tally.good[0] if tally.good[0] else None,
        }
        for origin, tally in sorted(found.items())
        for place, recall in enumerate([None, *recalls])
    ]  # fmt: skip


class _Tally:
    """What was counted of an origin's edges, at each of some places: without a filter, and at each recall.

    Attributes:
        edges: how many edges there are at each place.
        judged: how many of them are judged.
        good: how many of them are judged good.
    """

    def __init__(self, places: int) -> None:
        self.edges, self.judged, self.good = ([0] * places for _ in range(3))
        self._tails: dict[tuple[str, str], int] = {}  # of a relation: a bit for each place

    def add(self, row: EdgeRow, places: Sequence[int], verdict: bool | None) -> None:
        """Count an edge at some places, with the verdict on it, if there is one."""
        bits = 0
        for place in places:
            self.edges[place] += 1
            self.judged[place] += verdict is not None
            self.good[place] += bool(verdict)
            bits |= 1 << place
        tail = row.relation, row.tail_id
        self._tails[tail] = self._tails.get(tail, 0) | bits

    def distinct(self, place: int) -> int:
        """Return how many different tails the edges at a place have."""
        return sum(bits >> place & 1 for bits in self._tails.values())


def by_origin(
    graph: KnowledgeGraph, verdicts: Mapping[Triple, bool], origins: Origins, *, split: Split = "test", seed: int = 0
) -> list[dict[str, Any]]:
    """Return how well the current critic tells good from bad in what each origin says of the events of a split.

    Args:
        graph: whose scores are read; no model runs.
        verdicts: whether a triple is acceptable.
        origins: of the runs that count, teachers' and students'.
        split: whose events.
        seed: of the bootstrap.

    Returns:
        For each origin, by name, `origin`, the number of `judged` edges that have a score, the share of these that is
        `good`, the critic's `estimate` of it (mean score), and `auc` with its `auc_interval`; None where nothing is
        judged, or the judged ones are all good or all bad. Without a trained critic the scores that show count.
    """
    found: dict[str, dict[Triple, float]] = {name: {} for name in sorted(set(origins.values()))}
    critic = next((row["id"] for row in graph.critics() if row.get("current")), None)
    for edge in graph.edges(split=split, where="r.score IS NOT NULL"):
        given = read_scores(edge.score, edge.critic, edge.scores)
        score = edge.score if critic is None else given.get(critic)
        if edge.triple in verdicts and score is not None:
            for origin in {origins[run] for run in edge.runs if run in origins}:
                found[origin][edge.triple] = score
    rows = []
    for origin, scored in found.items():
        triples = sorted(scored)
        good = np.array([verdicts[triple] for triple in triples], dtype=np.bool_)
        scores = np.array([scored[triple] for triple in triples])
        row: dict[str, Any] = {"origin": origin, "judged": len(triples)}
        row |= dict.fromkeys(("good", "estimate", "auc", "auc_interval"))
        if triples:
            row |= {"good": float(good.mean()), "estimate": float(scores.mean())}
        if 0 < good.sum() < len(good):
            measured = measure(scores, Verdicts(tuple(triples), good), seed=seed)
            row |= {name: measured[name] for name in ("auc", "auc_interval")}
        rows.append(row)
    return rows


def format_by_recall(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of `by_recall` as a Markdown table with a sentence on what stands in it; nothing without rows."""
    if not rows:
        return ""
    lines = [
        "## What the filter lets pass, by recall",
        "",
        "| teacher | recall | accepted | of all | distinct | judged | good of these | good kept |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    whole = {row["origin"]: row["edges"] for row in rows if row["recall"] is None}
    for row in rows:
        recall = "no filter" if row["recall"] is None else f"{row['recall']:g}"
        of_all = f"{100 * row['edges'] / whole[row['origin']]:.0f} %"
        kept = "" if row["kept"] is None else f" {100 * row['kept']:.0f} %"
        lines.append(
            f"| {row['origin']} | {recall} | {row['edges']:,} | {of_all} | {row['distinct']:,} | {row['judged']:,} |"
            f" {_precision(row['good'], row['judged'])} |{kept} |"
        )
    judged = any(row["judged"] for row in rows)
    return "\n".join([
        *lines,
        "",
        "Accepted are edges of all events, by thresholds that verdicts on validation events chose; distinct are their"
        " tails. How many are good, and how many of the good ones are kept, verdicts on test events say."
        if judged
        else "No edge of a test event is judged, so nothing is known of how good these are: kg query unjudged --param"
        " split=test draws some.",
    ])  # fmt: skip


def format_by_origin(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of `by_origin` as a Markdown table; nothing where nothing is judged."""
    if not any(row["judged"] for row in rows):
        return ""
    lines = [
        "## The filter against verdicts on test events, by origin",
        "",
        "| origin | judged | good | its estimate | AUC |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        good, estimate = ("" if row[name] is None else f" {100 * row[name]:.1f} %" for name in ("good", "estimate"))
        auc = ""
        if row["auc"] is not None:
            low, high = row["auc_interval"]
            auc = f" {row['auc']:.3f}" + (f" ({low:.3f} to {high:.3f})" if low < high else "")
        lines.append(f"| {row['origin']} | {row['judged']:,} |{good} |{estimate} |{auc} |")
    return "\n".join(lines)


def _precision(good: int, judged: int) -> str:
    """Return a share with its 95 % interval (Wilson 1927), which is never without width."""
    if not judged:
        return "not judged"
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a second

    found = binomtest(good, judged).proportion_ci(method="wilson")
    return f"{100 * good / judged:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"
