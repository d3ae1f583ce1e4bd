"""Scores on a graph: written a page at a time, and shown by the order of critics, without a model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from more_itertools import chunked

from kg.errors import StoreError
from kg.graph import selecting, writing
from kg.graph.rows import EdgeRow, triple_of, write_behind
from kg.graph.scores import (
    ByCritic,
    Thresholds,
    other_scores,
    read_scores,
    read_thresholds,
    shown_properties,
    thresholds_in,
)
from kg.model import NOTHING, Acceptance, Triple, threshold_of
from kg.store import queries
from kg.store.bolt import Row, Transaction

if TYPE_CHECKING:
    from kg.graph.knowledge import KnowledgeGraph, Progress

_ROWS = 20_000  # rows of one transaction


class Scores(NamedTuple):
    """What scores triples: those that teachers wrote about training events, and all others."""

    others: Callable[[Sequence[Triple]], Iterable[float]]
    taught: Callable[[Sequence[Triple]], Iterable[float]]

    def of(self, rows: Sequence[EdgeRow]) -> list[tuple[EdgeRow, float]]:
        """Return edges with their scores."""
        found: list[tuple[EdgeRow, float]] = []
        for is_taught, score in enumerate((self.others, self.taught)):
            mine = [row for row in rows if (row.split == "train" and not row.predicted) == bool(is_taught)]
            if mine:
                found += zip(mine, map(float, score([triple_of(row) for row in mine])), strict=True)
        return found


def record_scores(
    graph: "KnowledgeGraph",
    critic: str,
    scores: Scores,
    acceptance: Acceptance,
    run: str,
    *,
    every: bool,
    progress: "Progress",
) -> int:
    """Write the scores of a critic (see `KnowledgeGraph.record_scores`)."""
    thresholds = thresholds_in(acceptance, graph.runs())
    if len(_order(graph)) > 1:  # what this critic has scored before shows again
        show_scores(graph)

    def pages() -> Iterator[Callable[[], int]]:
        for page in graph.edge_pages(where=None if every else "r.critic IS NULL OR r.critic <> $critic",
                                     parameters={"critic": critic}):  # fmt: skip
            yield partial(write, scores.of([row for row in page if row.tail_id != NOTHING]))

    def write(scored: list[tuple[EdgeRow, float]]) -> int:
        changes = []
        for row, value in scored:
            others = None
            if row.scores or row.critic not in (None, critic):
                others = other_scores(read_scores(row.score, row.critic, row.scores), critic)
            accepted = thresholds.accepts(value, row.relation, row.runs)
            changes.append([row.element, row.head_id, row.tail_id, value, accepted, others])
        _write(graph, changes, "graph/record_scores", run=run, critic=critic)
        return len(scored)

    count = 0
    for written in write_behind(pages()):
        count += written
        progress(written)
    return count


def show_scores(graph: "KnowledgeGraph", forget: str | None = None, progress: "Progress" = lambda _: None) -> int:
    """Show on each edge the score that the order of critics says; return how many edges changed.

    Args:
        graph: where the edges are.
        forget: a critic whose scores go.
        progress: called with numbers of edges.
    """
    order = _order(graph)
    thresholds = read_thresholds(graph.store.read)
    where = "r.scores IS NOT NULL OR r.critic = $forget"
    changed = 0
    for page in graph.edge_pages(where=where, parameters={"forget": forget}):
        changes = []
        for row in page:
            before = {"score": row.score, "critic": row.critic, "accepted": row.accepted, "scores": list(row.scores)}
            after = _shown(before, row.relation, row.runs, order, thresholds, forget)
            if after | {"scores": after["scores"] or []} != before:
                changes.append([row.element, row.head_id, row.tail_id, after])
        _write(graph, changes, "graph/set_edges")
        changed += len(changes)
        progress(len(changes))
    graph.commit(partial(_show_on_duplicates, order=order, thresholds=thresholds, forget=forget))
    return changed


def accept(graph: "KnowledgeGraph", critic: str, progress: "Progress" = lambda _: None) -> int:
    """Accept the edges that show a critic's score by its current thresholds, where it has any; return their number."""
    thresholds = read_thresholds(graph.store.read)
    chosen = thresholds.get(critic, Thresholds({}, {}, frozenset()))
    names = graph.vocabulary().names
    parameters = {
        "critic": critic,
        "thresholds": {name: threshold_of(chosen.overall, name) for name in names},
        "own": {run: {name: threshold_of(own, name) for name in names} for run, own in chosen.own.items()},
        "students": sorted(chosen.students),
    }
    count = 0
    for last, until in graph.pages():
        found = graph.write("graph/accept", **parameters, last=last, until=until)[0]["accepted"]
        count += found
        progress(found)
    order = _order(graph)
    graph.commit(partial(_show_on_duplicates, order=order, thresholds=thresholds, forget=None))
    return count


def _order(graph: "KnowledgeGraph") -> list[str]:
    """Return the critics in the order in which their scores show."""
    return selecting.select(graph.store.read(queries.load("graph/selections").text)).scoring


def _shown(
    before: Row, relation: str, runs: Sequence[str], order: Sequence[str], thresholds: ByCritic, forget: str | None
) -> Row:
    scores = read_scores(before.get("score"), before.get("critic"), before.get("scores"))
    scores.pop(forget or "", None)
    return shown_properties(scores, order, relation, runs, thresholds)


def _show_on_duplicates(
    transaction: Transaction, order: Sequence[str], thresholds: ByCritic, forget: str | None
) -> None:
    rows = transaction.run(queries.load("graph/duplicates").text, ids=None, taken=None, run=None)
    changes: list[list[Any]] = []
    for row in rows:
        properties = row["properties"]
        if properties.get("critic"):
            relation, runs = properties["relation"], properties["runs"]
            changes.append([properties["id"], _shown(properties, relation, runs, order, thresholds, forget)])
    transaction.run(queries.load("graph/set_duplicates").text, rows=changes)


def _write(
    graph: "KnowledgeGraph", changes: list[list[Any]], name: str, run: str | None = None, **parameters: Any
) -> None:
    for batch in chunked(changes, _ROWS):
        graph.commit(partial(_write_batch, rows=batch, name=name, run=run, parameters=parameters))


def _write_batch(transaction: Transaction, rows: list[list[Any]], name: str, run: str | None, parameters: Row) -> None:
    if run:
        writing.check_standing(transaction, run)
    written = transaction.run(queries.load(name).text, rows=rows, **parameters)[0]["written"]
    if written != len(rows):
        raise StoreError(
            f"{len(rows) - written:,} of {len(rows):,} edges went away while they were scored: another command deletes "
            "edges; repeat this when it is done (kg runs list)"
        )
