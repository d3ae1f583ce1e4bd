"""KnowledgeGraph: the domain's verbs, written once.

Between the stages, which speak in records (`kg.model`), and the store, which speaks in rows. Writes are grouped by
relation, sorted, counted against what was sent, and safe to repeat; reads come in pages, so that memory does not
grow with the graph.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from kg import strict_json
from kg.errors import GraphChanged, NotFound, NotReady
from kg.graph import writing
from kg.graph.rows import EdgeRow, ahead, behind, edge_of, triple_of
from kg.model import (
    NOTHING,
    Acceptance,
    Assertion,
    Edge,
    Judgement,
    Phrase,
    Split,
    Triple,
)
from kg.run import STUDENT_KIND, Run
from kg.store import queries
from kg.store.bolt import Row, Store, Transaction
from kg.vocabulary import Relation, Vocabulary

T = TypeVar("T")
Progress = Callable[[int], object]

_WRITE_ROWS = 20_000  # rows of one transaction, over all relations; 5,000 a relation are the usual optimum
_KNOWN_PHRASES = 200_000  # keys remembered while a run is written; 20 MB
_PAGE_EVENTS = 500  # events of one page when edges are read; ATOMIC has 10 to 60 edges an event
_PAGE_PHRASES = 10_000


class Added(NamedTuple):
    """What a run offered and what was new: numbers of rows, and of edges or judgements created."""

    offered: int
    added: int


class KnowledgeGraph:
    """Events, inferences and what was said about them, in one Neo4j database.

    Attributes:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def prepare(self) -> None:
        """Make constraints and indexes that are not there yet."""
        for statement in queries.schema():
            self.store.run(statement)
        self.store.run("CALL db.awaitIndexes(300)")

    # Relations

    def add_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Keep the relations of a vocabulary in the graph, so that later commands know them."""
        rows = [
            {"place": place, **{name: getattr(relation, name) for name in Relation.__slots__}}
            for place, relation in enumerate(vocabulary)
        ]
        self._write("graph/add_relations", rows=rows)

    def vocabulary(self) -> Vocabulary:
        """Return the relations that were used so far.

        Raises:
            NotReady: nothing has been loaded yet.
        """
        rows = self._read("graph/relations")
        if not rows:
            raise NotReady("the graph is empty; load something first: kg distill, or kg ingest load FILE")
        return Vocabulary(Relation(**row) for row in rows)

    # Runs

    def begin(self, run: Run) -> None:
        """Record that a run begins. Beginning it again continues it, or repeats it harmlessly."""
        self._write("graph/begin_run", id=run.id, properties=run.properties(), at=writing.now())

    def finish(self, run: Run, **numbers: Any) -> None:
        """Record that a run is done, with numbers to keep on it."""
        self._write("graph/finish_run", id=run.id, properties=numbers, at=writing.now())

    def pause(self, run: Run, **numbers: Any) -> None:
        """Record that a run ended before all was done, with numbers to keep on it."""
        self._write("graph/pause_run", id=run.id, properties=numbers)

    def runs(self) -> list[Row]:
        """Return all runs as maps, the newest first."""
        return [row["run"] for row in self._read("graph/runs", id=None)]

    def run(self, run_id: str) -> Row:
        """Return one run as a map.

        Raises:
            NotFound: there is none.
        """
        rows = self._read("graph/runs", id=run_id)
        if not rows:
            raise NotFound(f"no run {run_id!r}; see `kg runs list`")
        return dict(rows[0]["run"])

    # Writing

    def add(self, assertions: Iterable[Assertion], run: Run, progress: Progress = lambda _: None) -> Added:
        """Write what a run asserts as phrases and edges; return how much was offered and how much was new.

        Each 20,000 rows are one transaction: a run that is killed leaves whole rows, and running it again
        completes them.

        Args:
            assertions: in any order, with duplicates if need be; relations must be in the graph's vocabulary.
            run: a run that has begun.
            progress: called with the number of rows after each transaction.
        """
        vocabulary = self.vocabulary()
        again = self.run(run.id).get("added", 0) > 0
        known: set[str] = set()

        def batches() -> Iterator[Callable[[], Added]]:
            for batch in _batches(assertions, _WRITE_ROWS):
                if len(known) > _KNOWN_PHRASES:
                    known.clear()
                yield partial(write, len(batch), writing.prepare(batch, run, known))

        def write(size: int, prepared: writing.Prepared) -> Added:
            work = partial(writing.add, prepared=prepared, run=run, vocabulary=vocabulary, again=again)
            return Added(size, self.commit(work))

        offered = added = 0
        for done in behind(batches()):
            offered += done.offered
            added += done.added
            progress(done.offered)
        return Added(offered, added)

    def add_events(self, events: Iterable[tuple[Phrase, float | None]], run: Run) -> Added:
        """Write events that a run asserts by themselves, each with its log-probability or None.

        They stay when nothing is inferred from them, until the run is undone.
        """
        offered = added = 0
        for batch in _batches(events, _WRITE_ROWS):
            added += self.commit(partial(writing.assert_events, batch=batch, run=run))
            offered += len(batch)
        return Added(offered, added)

    def delete(self, triples: Iterable[Triple]) -> int:
        """Delete edges, whoever asserted them, and phrases that nothing needs then; return how many were there."""
        vocabulary = self.vocabulary()
        return sum(
            self.commit(partial(writing.delete, batch=batch, vocabulary=vocabulary))
            for batch in _batches(triples, _WRITE_ROWS)
        )

    def record_judgements(self, judgements: Iterable[Judgement], run: Run) -> Added:
        """Write verdicts of annotators; return how many were offered and how many were new."""
        offered = added = 0
        for batch in _batches(judgements, _WRITE_ROWS):
            added += self.commit(partial(writing.judge, batch=batch, run=run))
            offered += len(batch)
        return Added(offered, added)

    def record_scores(
        self,
        critic: str,
        score: Callable[[Sequence[Triple]], Iterable[float]],
        acceptance: Acceptance,
        *,
        every: bool = False,
        progress: Progress = lambda _: None,
    ) -> int:
        """Score edges and accept those that reach their threshold; return how many were scored.

        Args:
            critic: id of the critic.
            score: triples to probabilities in [0, 1], in the same order.
            acceptance: thresholds of this critic.
            every: also edges that this critic scored before.
            progress: called with the number of edges after each page.
        """
        condition = None if every else "r.critic IS NULL OR r.critic <> $critic"
        threshold = cache(acceptance.threshold)

        def pages() -> Iterator[Callable[[], int]]:
            for page in self.edge_pages(where=condition, parameters={"critic": critic}):
                rows = [row for row in page if row[2] != NOTHING]
                triples = [triple_of(row) for row in rows]
                writes = [
                    [*row[:3], float(value), bool(value >= threshold(row[4]))]
                    for row, value in zip(rows, score(triples) if triples else (), strict=True)
                ]
                yield partial(write, writes)

        def write(writes: list[list[Any]]) -> int:
            for batch in _batches(writes, _WRITE_ROWS):
                self._write_counted("graph/record_scores", batch, critic=critic)
            return len(writes)

        scored = 0
        for count in behind(pages()):
            scored += count
            progress(count)
        return scored

    def record_critic(self, critic_id: str, **properties: Any) -> None:
        """Make a critic the current one."""
        self._write("graph/record_critic", id=critic_id, properties=_flat(properties), at=writing.now())

    def current_critic(self) -> Row:
        """Return the current critic as a map.

        Raises:
            NotReady: no critic has been trained.
        """
        rows = self._read("graph/current_critic")
        if not rows:
            raise NotReady("no critic has been trained; run kg critic import-judgements FILE, then kg critic train")
        return dict(rows[0]["critic"])

    def record_acceptance(self, acceptance: Acceptance, progress: Progress = lambda _: None, **properties: Any) -> None:
        """Make thresholds the current ones, and accept the edges that the critic has scored by them."""
        names = self.vocabulary().names
        thresholds = {name: acceptance.threshold(name) for name in names}
        content = {
            "critic": acceptance.critic,
            "recall": acceptance.recall,
            "thresholds": acceptance.thresholds,
            "relations": list(names),  # with `cutoffs`, what Cypher can read of the thresholds
            "cutoffs": list(thresholds.values()),
        }
        self._write(
            "graph/record_acceptance", id=acceptance.id, properties=_flat(content | properties), at=writing.now()
        )
        for last, until in self._pages():
            page = {"last": last, "until": until}
            progress(
                self._write("graph/accept", critic=acceptance.critic, thresholds=thresholds, **page)[0]["accepted"]
            )

    def current_acceptance(self, critic: str) -> Acceptance:
        """Return the current thresholds of a critic.

        Raises:
            NotReady: the critic has not been calibrated.
        """
        rows = self._read("graph/current_acceptance", critic=critic)
        if not rows:
            raise NotReady("the critic has no thresholds yet; run kg critic calibrate")
        found = rows[0]["acceptance"]
        return Acceptance(found["id"], critic, found["recall"], json.loads(found["thresholds"]))

    def undo(self, run_id: str, progress: Progress = lambda _: None) -> int:
        """Take back what a run asserted; return the number of edges, events or judgements that lost its evidence.

        Edges left without evidence go, then phrases left without edges. Undoing twice is harmless, and so is
        undoing a run that never finished.

        Raises:
            NotFound: there is no such run.
        """
        run = self.run(run_id)
        students = [other["id"] for other in self.runs() if other.get("kind") == STUDENT_KIND]
        touched = 0
        for last, until in self._pages():
            if run.get("kind") == "score":
                self._write("graph/forget_scores", critic=run["model"], last=last, until=until)
            parameters = {
                "last": last,
                "until": until,
                "run": run_id,
                "students": students,
                "dataset": run.get("dataset"),
            }
            found = self.commit(partial(writing.undo, name="graph/undo_edges", parameters=parameters))
            touched += found
            progress(found)
        for name in ("graph/undo_events", "graph/undo_judgements"):
            touched += self.commit(partial(writing.undo, name=name, parameters={"run": run_id}))
        self._write("graph/mark_undone", id=run_id, at=writing.now())
        return touched

    def commit(self, work: Callable[[Transaction], T]) -> T:
        """Return what some statements return, committed together and counted as one write (see `watermark`)."""

        def counted(transaction: Transaction) -> T:
            result = work(transaction)
            transaction.run(queries.load("graph/count_write").text)
            return result

        return self.store.write(counted)

    # Reading

    def watermark(self) -> int:
        """Return a number that grows with every transaction that writes, from whatever process."""
        return int(self._read("graph/writes")[0]["writes"])

    def unchanged_since(self, watermark: int, items: Iterable[T]) -> Iterator[T]:
        """Yield items that are read from the graph, then make sure that they were all of one state.

        Raises:
            GraphChanged: something was written since the watermark; raised after the last item.
        """
        yield from items
        self.check_unchanged(watermark)

    def check_unchanged(self, watermark: int) -> None:
        """Make sure that nothing was written since a watermark.

        Raises:
            GraphChanged: something was.
        """
        if (now := self.watermark()) != watermark:
            raise GraphChanged(
                f"the graph was written to {now - watermark:,} times while it was read, so that this would mix old and "
                "new; repeat it when no run is writing (kg runs list)"
            )

    def edges(
        self,
        *,
        split: Split | None = None,
        min_score: float | None = None,
        accepted: bool | None = None,
        where: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Iterator[Edge]:
        """Yield edges in the order of heads' keys, relations and tails' keys.

        There is no snapshot: edges written meanwhile may or may not be among them.

        Args:
            split: only edges of these events.
            min_score: only edges with at least this score.
            accepted: only edges that are accepted, or that are not.
            where: a Cypher condition over `head`, `r` and `tail`; check a user's own with `kg.store.adhoc.check`.
            parameters: values of the condition's own parameters.
        """
        filters = {"split": split, "min_score": min_score, "accepted": accepted}
        for page in self.edge_pages(where=where, parameters=filters | dict(parameters or {})):
            yield from map(edge_of, page)

    def edge_pages(
        self, *, where: str | None = None, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[list[EdgeRow]]:
        """Yield pages of edges as rows (`kg.graph.rows.EDGE_COLUMNS`), in the order of `edges`."""
        text = queries.load("graph/edges").where(where).text
        filters = {"split": None, "min_score": None, "accepted": None, **(parameters or {})}
        pages = (self.store.read(text, last=last, until=until, **filters)[0]["rows"] for last, until in self._pages())
        return filter(None, ahead(pages))

    def phrases(
        self,
        *,
        split: Split | None = None,
        min_score: float | None = None,
        accepted: bool | None = None,
        where: str | None = None,
        every: bool = False,
    ) -> Iterator[Phrase]:
        """Yield the phrases that the edges with the same filters use, or `every` phrase, in the order of their keys."""
        text = queries.load("graph/phrases").where(where).text
        filters = {"split": split, "min_score": min_score, "accepted": accepted, "every": every}

        def pages() -> Iterator[list[list[Any]]]:
            last = ""
            while rows := self.store.read(text, last=last, phrases=_PAGE_PHRASES, **filters)[0]["rows"]:
                yield rows
                last = rows[-1][0]

        for rows in ahead(pages()):
            for _, words, lang, labels, of_split, uri, runs, logprob in rows:
                yield Phrase(words, lang, tuple(labels), of_split, uri, tuple(runs), logprob)

    def events(self, split: Split | None = None) -> list[Phrase]:
        """Return the events of a split, in the order of their keys."""
        rows = self._read("graph/events", split=split)
        return [Phrase(row["text"], row["lang"], ("Event",), row["split"]) for row in rows]

    def splits_of(self, ids: Sequence[str]) -> dict[str, Split]:
        """Return the splits of those phrases that are events."""
        return {row["id"]: row["split"] for row in self._read("graph/splits_of", ids=list(ids))}

    def judgements(self) -> list[Judgement]:
        """Return all judgements, in the order of their keys."""
        return [
            Judgement(Triple(*list(row.values())[:7]), row["annotator"], row["value"])
            for row in self._read("graph/judgements")
        ]

    def judgement_rows(self) -> list[Row]:
        """Return all judgements as they are kept, in the order of their keys."""
        return self._read("graph/judgement_rows")

    def descriptions(self) -> dict[str, list[Row]]:
        """Return the properties of all relations, runs, critics and acceptances."""
        others = self._read("graph/critics_and_acceptances")
        return {
            "relations": self._read("graph/relations"),
            "runs": self.runs(),
            "critics": [row["properties"] for row in others if row["label"] == "Critic"],
            "acceptances": [row["properties"] for row in others if row["label"] == "Acceptance"],
        }

    def teacher_triples(self) -> dict[str, int]:
        """Return how many triples that are no predictions each split has."""
        return {row["split"]: row["triples"] for row in self._read("graph/teacher_triples")}

    def statistics(self) -> dict[str, Any]:
        """Return counts of phrases, events, inferences, edges, judgements and runs, and of edges by relation."""
        relations = self._read("graph/relation_statistics")
        totals = {name: sum(row[name] for row in relations) for name in ("edges", "scored", "accepted", "predicted")}
        by_name = {row["relation"]: row["edges"] for row in relations}
        return {**self._read("graph/statistics")[0], **totals, "relations": by_name}

    def _pages(self) -> Iterator[tuple[str, str]]:
        last = ""
        while until := self._read("graph/event_page", last=last, events=_PAGE_EVENTS)[0]["until"]:
            yield last, until
            last = until

    def _read(self, name: str, /, **parameters: Any) -> list[Row]:
        return self.store.read(queries.load(name).text, **parameters)

    def _write(self, name: str, /, **parameters: Any) -> list[Row]:
        text = queries.load(name).text
        return self.commit(lambda transaction: transaction.run(text, **parameters))

    def _write_counted(self, name: str, rows: Sequence[Any], **parameters: Any) -> None:
        written = self._write(name, rows=rows, **parameters)[0]["written"]
        writing.check_written(written, len(rows), name)


def _flat(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: strict_json.write(value) if isinstance(value, dict) else value for name, value in properties.items()}


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
