"""Scores on a graph: written a page at a time, and shown by the order of critics, without a model."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from more_itertools import chunked

from kg.errors import NotReady, StoreError
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
from kg.wide import Spread, here

if TYPE_CHECKING:
    from kg.graph.knowledge import KnowledgeGraph, Progress

_ROWS = 20_000  # rows of one transaction
_SCORED = 10_000  # triples scored at once

Score = Callable[[Sequence[Triple]], Iterable[float]]


class Question(NamedTuple):
    """Triples that are scored at once: what teachers wrote about training events, or others."""

    is_taught: bool
    triples: list[Triple]


class Scores(NamedTuple):
    """What scores triples: those that teachers wrote about training events, and all others.

    Attributes:
        others: triples to scores.
        taught: the same of what teachers wrote about training events.
        spread: what computes them, page by page as `Question`s.
    """

    others: Score
    taught: Score
    spread: Spread = here

    def of(
        self, pages: Iterable[Sequence[EdgeRow]], lang: str | None = None
    ) -> Iterator[tuple[Sequence[EdgeRow], list[tuple[EdgeRow, float]]]]:
        """Yield pages of edges, each with those of its edges that are no `NOTHING`, and their scores.

        Args:
            pages: the edges.
            lang: the language of those that are scored; None scores all.
        """
        read: deque[tuple[Sequence[EdgeRow], list[list[EdgeRow]]]] = deque()  # and not yet scored

        def questions() -> Iterator[Question]:
            for page in pages:
                parts = _parts([row for row in page if lang in (None, row.lang)])
                read.append((page, [rows for _, rows in parts]))
                for is_taught, rows in parts:
                    yield Question(is_taught, [triple_of(row) for row in rows])

        found: list[tuple[EdgeRow, float]] = []
        done = 0
        for values in self.spread(questions(), partial(_score, self.others, self.taught)):
            while not read[0][1]:
                yield read.popleft()[0], []
            page, parts = read[0]
            found += zip(parts[done], values, strict=True)
            done += 1
            if done == len(parts):
                yield page, found
                read.popleft()
                found, done = [], 0
        yield from ((page, []) for page, _ in read)


def _parts(page: Sequence[EdgeRow]) -> list[tuple[bool, list[EdgeRow]]]:
    """Return what is scored at once: whether teachers wrote it about training events, and the edges."""
    parts = []
    for is_taught in (False, True):
        mine = [
            row for row in page
            if row.tail_id != NOTHING and (row.split == "train" and not row.predicted) == is_taught
        ]  # fmt: skip
        parts += [(is_taught, some) for some in chunked(mine, _SCORED)]
    return parts


def _score(others: Score, taught: Score, question: Question) -> list[float]:
    return list(map(float, (taught if question.is_taught else others)(question.triples)))


class Reached(NamedTuple):
    """How far a run has come that goes through all edges; both are empty where it has not begun.

    Attributes:
        event: the key of the last event that is done.
        doing: what is done there.
    """

    event: str
    doing: str


def record_scores(
    graph: "KnowledgeGraph",
    critic: str,
    scores: Scores,
    acceptance: Acceptance,
    run: str,
    before: Reached,
    *,
    every: bool,
    lang: str | None,
    progress: "Progress",
) -> int:
    """Write the scores of a critic (see `KnowledgeGraph.record_scores`).

    Where `every` edge is scored, the run keeps how far it has come, `before` being what an interrupted one kept.
    """
    thresholds = thresholds_in(acceptance, graph.runs())
    if len(_order(graph)) > 1:  # what this critic has scored before shows again
        show_scores(graph)
    doing = None if not every else "all" if scores.others == scores.taught else "all, fast where that will do"
    reached = before.event if doing == before.doing else ""
    writer = _Writer(graph, critic, run, thresholds, doing)

    def pages() -> Iterator[Callable[[], int]]:
        if every:
            for page, scored in scores.of(graph.edge_pages(after=reached), lang):
                yield partial(writer.write, scored, page[-1].head_id)
        if reached or not every:  # after an interrupted run, what came meanwhile to events that it had done
            missing = "(r.critic IS NULL OR r.critic <> $critic) AND ($lang IS NULL OR head.lang = $lang)"
            left = graph.edge_pages(where=missing, parameters={"critic": critic, "lang": lang})
            for _, scored in scores.of(left, lang):
                yield partial(writer.write, scored)

    count = 0
    for written in write_behind(pages()):
        count += written
        progress(written)
    if every:
        graph.write("graph/reach", run=run, reached=None, doing=None)
    return count


class _Writer:
    """Writes scores page by page, and never over what another command has written since.

    Where another run scores or chose a critic since this one began, its critic's scores go on showing, and this
    critic's stay beside them. Where another run began with the same critic, this one ends. New thresholds count at
    once.
    """

    def __init__(
        self, graph: "KnowledgeGraph", critic: str, run: str, thresholds: Thresholds, doing: str | None
    ) -> None:
        self._graph = graph
        self._critic = critic
        self._run = run
        self._thresholds = thresholds
        self._doing = doing
        self._selected = selecting.selections(graph.store.read)
        self._number = self._selected.numbers.get(run)

    def write(self, scored: list[tuple[EdgeRow, float]], until: str | None = None) -> int:
        """Write the scores of a page; return how many.

        Args:
            scored: edges with their scores.
            until: the key of the page's last event, kept with the page's last transaction.

        Raises:
            NotReady: the run is being undone, or another command scores with the same critic.
            StoreError: edges went away.
        """
        batches = list(chunked(scored, _ROWS)) or [[]]
        for place, batch in enumerate(batches, 1):
            reached = until if place == len(batches) else None
            self._graph.commit(partial(self._write, batch=batch, reached=reached))
        return len(scored)

    def _write(self, transaction: Transaction, batch: Sequence[tuple[EdgeRow, float]], reached: str | None) -> None:
        writing.check_standing(transaction, self._run)
        now = selecting.selections(transaction.run)
        if now.numbers.get(self._run) != self._number:
            raise NotReady(
                f"another command has begun to score with {self._critic} meanwhile, and goes on; this one has stopped"
            )
        if now.acceptances.get(self._critic) != self._selected.acceptances.get(self._critic):
            self._thresholds = read_thresholds(transaction.run).get(self._critic, Thresholds({}, {}, frozenset()))
            self._selected = now
        late = batch
        if not now.scoring or now.scoring[0] == self._critic:
            late = self._put(transaction, batch)
        if late:
            self._put_beside(transaction, late, now.scoring)
        if reached:
            transaction.run(queries.load("graph/reach").text, run=self._run, reached=reached, doing=self._doing)

    def _put(self, transaction: Transaction, batch: Sequence[tuple[EdgeRow, float]]) -> list[tuple[EdgeRow, float]]:
        """Show scores on edges that are as they were read; return the other ones."""
        rows = []
        for row, value in batch:
            others = None
            if row.scores or row.critic not in (None, self._critic):
                others = other_scores(read_scores(row.score, row.critic, row.scores), self._critic)
            accepted = self._thresholds.accepts(value, row.relation, row.runs)
            as_read = [row.critic or "", -1.0 if row.score is None else row.score, list(row.scores)]
            rows.append([row.element, row.head_id, row.tail_id, value, accepted, others, *as_read])
        done = transaction.run(queries.load("graph/record_scores").text, rows=rows, critic=self._critic)[0]
        _check_all_there(done["written"], len(rows))
        changed = set(done["changed"])
        return [pair for pair in batch if pair[0].element in changed]

    def _put_beside(
        self, transaction: Transaction, batch: Sequence[tuple[EdgeRow, float]], order: Sequence[str]
    ) -> None:
        """Add scores to those that the edges have now; the order of critics says which show."""
        ends = [[row.element, row.head_id, row.tail_id] for row, _ in batch]
        by_element = {row["element"]: row for row in transaction.run(queries.load("graph/scores_of").text, rows=ends)}
        _check_all_there(len(by_element), len(ends))
        thresholds = dict(read_thresholds(transaction.run)) | {self._critic: self._thresholds}
        changes = []
        for row, value in batch:
            now = by_element[row.element]
            known = read_scores(now["score"], now["critic"], now["scores"]) | {self._critic: value}
            shown = shown_properties(known, order, row.relation, now["runs"], thresholds)
            changes.append([row.element, row.head_id, row.tail_id, shown])
        transaction.run(queries.load("graph/set_edges").text, rows=changes)


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
        for batch in chunked(changes, _ROWS):
            graph.commit(partial(_set_edges, rows=batch))
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
    return selecting.selections(graph.store.read).scoring


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


def _set_edges(transaction: Transaction, rows: list[list[Any]]) -> None:
    _check_all_there(transaction.run(queries.load("graph/set_edges").text, rows=rows)[0]["written"], len(rows))


def _check_all_there(found: int, expected: int) -> None:
    if found != expected:
        raise StoreError(
            f"{expected - found:,} of {expected:,} edges went away while they were scored: another command deletes "
            "edges; repeat this when it is done (kg runs list)"
        )
