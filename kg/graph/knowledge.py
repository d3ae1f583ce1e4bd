"""KnowledgeGraph: the domain's verbs, written once.

Between the stages, which speak in records (`kg.model`), and the store, which speaks in rows. Writes are grouped by
relation, sorted, counted against what was sent, and safe to repeat; reads come in pages, so that memory does not
grow with the graph.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from more_itertools import chunked

from kg import strict_json
from kg.errors import GraphChanged, NotFound, NotReady, StoreError
from kg.graph import scoring, selecting, undoing, writing
from kg.graph.rows import EdgeRow, edge_of, read_ahead, write_behind
from kg.model import Acceptance, Assertion, Edge, Judgement, Phrase, Split, Triple
from kg.run import Run, is_lost, this_process
from kg.store import queries
from kg.store.bolt import Row, Store, Transaction
from kg.vocabulary import Relation, Vocabulary

T = TypeVar("T")
Progress = Callable[[int], object]

_WRITE_ROWS = 20_000  # rows of one transaction, over all relations; 5,000 a relation are the usual optimum
_SET_ASIDE_ROWS = 2_000
_REASON = 500  # letters of the reason why a run failed
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
        self._open: set[str] = set()  # runs that this process has begun and not ended

    def prepare(self) -> None:
        """Make constraints and indexes that are not there yet."""
        for statement in queries.schema():
            self.store.run(statement)
        self.store.run("CALL db.awaitIndexes(300)")
        self.adopt()
        self.end_lost_runs()

    def adopt(self) -> None:
        """Number what an older version made current, and find the students that only its runs know."""
        if self._read("graph/older")[0]["older"]:
            self.write("graph/adopt_students")
            self.commit(selecting.settle)

    # Relations

    def add_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Keep the relations of a vocabulary in the graph, so that later commands know them."""
        rows = [
            {"place": place, **{name: getattr(relation, name) for name in Relation.__slots__}}
            for place, relation in enumerate(vocabulary)
        ]
        self.write("graph/add_relations", rows=rows)

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
        """Record that a run begins. Beginning it again continues it, or repeats it harmlessly.

        Raises:
            NotReady: the run is being undone.
        """
        parameters = {"properties": run.properties(), "process": this_process()}
        status = self.write("graph/begin_run", id=run.id, at=writing.now(), **parameters)[0]["status"]
        if status == "undoing":
            raise NotReady(f"run {run.id} is being undone; finish that with kg runs undo {run.id}, then start it again")
        self._open.add(run.id)

    def finish(self, run: Run, **numbers: Any) -> None:
        """Record that a run is done, with numbers to keep on it."""
        self.write("graph/finish_run", id=run.id, properties=numbers, at=writing.now())
        self._open.discard(run.id)

    def pause(self, run: Run, **numbers: Any) -> None:
        """Record that a run ended before all was done, with numbers to keep on it."""
        self.write("graph/pause_run", id=run.id, properties=numbers)
        self._open.discard(run.id)

    @contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """Begin a run, and record how it ended where the block does not end well."""
        self.begin(run)
        try:
            yield
        except BaseException as error:
            self.end_open_runs(error)
            raise

    def end_open_runs(self, error: BaseException) -> None:
        """Record that the runs that this process has begun ended by an error, or by an interrupt."""
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
        reason = (str(error).splitlines() or [""])[0][:_REASON] or type(error).__name__
        status = "interrupted" if interrupted else "failed"
        while self._open:
            run_id = self._open.pop()
            with suppress(StoreError):  # the error that is under way says more
                self.write("graph/end_run", id=run_id, status=status, reason=reason, at=writing.now())

    def end_lost_runs(self) -> None:
        """Record that runs are interrupted whose process, on this machine, is gone."""
        for run in self.runs():
            if run.get("status") == "running" and run["id"] not in self._open and is_lost(run):
                reason = "its process is gone"
                self.write("graph/end_run", id=run["id"], status="interrupted", reason=reason, at=writing.now())

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
            for batch in chunked(assertions, _WRITE_ROWS):
                if len(known) > _KNOWN_PHRASES:
                    known.clear()
                yield partial(write, len(batch), writing.prepare(batch, known))

        def write(size: int, prepared: writing.Prepared) -> Added:
            work = partial(writing.add, prepared=prepared, run=run, vocabulary=vocabulary, again=again)
            return Added(size, self.commit(work))

        offered = added = 0
        for done in write_behind(batches()):
            offered += done.offered
            added += done.added
            progress(done.offered)
        return Added(offered, added)

    def add_events(self, events: Iterable[tuple[Phrase, float | None]], run: Run) -> Added:
        """Write events that a run asserts by themselves, each with its log-probability or None.

        They stay when nothing is inferred from them, until the run is undone.
        """
        offered = added = 0
        for batch in chunked(events, _WRITE_ROWS):
            added += self.commit(partial(writing.assert_events, batch=batch, run=run))
            offered += len(batch)
        return Added(offered, added)

    def set_aside(self, triples: Iterable[Triple], run: Run) -> int:
        """Take duplicates out of the graph, and phrases that nothing needs then; return how many were there.

        They are kept, and come back when the run is undone. What asserts one meanwhile is kept with it.
        """
        vocabulary = self.vocabulary()
        return sum(
            self.commit(partial(writing.set_aside, batch=batch, run=run, vocabulary=vocabulary))
            for batch in chunked(triples, _SET_ASIDE_ROWS)
        )

    def record_judgements(self, judgements: Iterable[Judgement], run: Run) -> Added:
        """Write verdicts of annotators; return how many were offered and how many were new."""
        offered = added = 0
        for batch in chunked(judgements, _WRITE_ROWS):
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
        run = Run("score", model=critic)
        self.begin(run)
        self.commit(partial(_put_last, run=run.id))
        return scoring.record_scores(self, critic, score, acceptance, run.id, every=every, progress=progress)

    def record_critic(self, critic_id: str, **properties: Any) -> None:
        """Make a critic the current one."""
        self._record("graph/record_critic", critic_id, properties)

    def critics(self) -> list[Row]:
        """Return all critics as maps, the one that became current last first."""
        return self._records("Critic")

    def use_critic(self, critic_id: str, progress: Progress = lambda _: None) -> str:
        """Make a critic the current one again, and show its scores where it gave some; return the run that did.

        Raises:
            NotFound: there is no such critic.
        """
        return self._use("critic", critic_id, self.critics(), progress)

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
        """Make thresholds the current ones of their critic, and accept by them the edges that show its score."""
        names = self.vocabulary().names
        content = {
            "critic": acceptance.critic,
            "recall": acceptance.recall,
            "thresholds": acceptance.thresholds,
            "relations": list(names),  # with `cutoffs`, what Cypher can read of the thresholds
            "cutoffs": [acceptance.threshold(name) for name in names],
        }
        self._record("graph/record_acceptance", acceptance.id, content | properties)
        scoring.accept(self, acceptance.critic, progress)

    def current_acceptance(self, critic: str) -> Acceptance:
        """Return the current thresholds of a critic.

        Raises:
            NotReady: the critic has not been calibrated.
        """
        rows = self._read("graph/current_acceptance", critic=critic)
        if not rows:
            raise NotReady("the critic has no thresholds yet; run kg critic calibrate")
        return scoring.acceptance_of(rows[0]["acceptance"])

    def record_student(self, student_id: str, **properties: Any) -> None:
        """Make a student the current one."""
        self._record("graph/record_student", student_id, properties)

    def students(self) -> list[Row]:
        """Return all students as maps, the one that became current last first."""
        return self._records("Student")

    def use_student(self, student_id: str) -> str:
        """Make a student the current one again; return the run that did.

        Raises:
            NotFound: there is no such student.
        """
        return self._use("student", student_id, self.students(), lambda _: None)

    def current_student(self) -> Row:
        """Return the current student as a map.

        Raises:
            NotReady: no student has been trained.
        """
        rows = self._read("graph/current_student")
        if not rows:
            raise NotReady("no student has been trained; run kg student train")
        return dict(rows[0]["student"])

    def undo(self, run_id: str, progress: Progress = lambda _: None) -> int:
        """Leave the graph as the other runs make it; return the number of edges, events or judgements that changed.

        Edges left without evidence go, then phrases left without edges. What another run said of the same things holds
        again. Nothing is computed anew. Undoing twice is harmless, and so is undoing a run that never finished.

        Raises:
            NotFound: there is no such run.
            NotReady: others rest on it; the message names them in the order in which to undo them.
        """
        return undoing.undo(self, run_id, progress)

    def commit(self, work: Callable[[Transaction], T]) -> T:
        """Return what some statements return, committed together and counted as one write (see `watermark`).

        All that write wait for one another, so that what a transaction has read stays so until it ends.
        """

        def counted(transaction: Transaction) -> T:
            transaction.run(queries.load("graph/count_write").text)
            return work(transaction)

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
        """Yield pages of edges as rows (`kg.graph.rows.EdgeRow`), in the order of `edges`."""
        text = queries.load("graph/edges").where(where).text
        filters = {"split": None, "min_score": None, "accepted": None, **(parameters or {})}
        pages = (self.store.read(text, last=last, until=until, **filters)[0]["rows"] for last, until in self.pages())
        return ([EdgeRow._make(row) for row in page] for page in read_ahead(pages) if page)

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

        for rows in read_ahead(pages()):
            for _, words, lang, labels, of_split, uri, runs, logprob, splits, texts in rows:
                yield Phrase(
                    words, lang, tuple(labels), of_split, uri, tuple(runs), logprob, tuple(splits), tuple(texts)
                )

    def events(self, split: Split | None = None) -> list[Phrase]:
        """Return the events of a split, in the order of their keys."""
        rows = self._read("graph/events", split=split)
        return [Phrase(row["text"], row["lang"], ("Event",), row["split"], row["uri"]) for row in rows]

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

    def duplicate_rows(self) -> list[Row]:
        """Return the duplicates that were set aside, in the order of their keys: keys of head and tail, properties."""
        return self._read("graph/duplicates", ids=None, taken=None, run=None)

    def descriptions(self) -> dict[str, list[Row]]:
        """Return the properties of all relations, runs, critics, acceptances and students."""
        records = self._read("graph/records")
        by_label = {
            name: [row["properties"] for row in records if row["label"] == label]
            for name, label in (("critics", "Critic"), ("acceptances", "Acceptance"), ("students", "Student"))
        }
        return {"relations": self._read("graph/relations"), "runs": self.runs(), **by_label}

    def teacher_triples(self) -> dict[str, int]:
        """Return how many triples that are no predictions each split has."""
        return {row["split"]: row["triples"] for row in self._read("graph/teacher_triples")}

    def statistics(self) -> dict[str, Any]:
        """Return counts of phrases, events, inferences, edges, judgements and runs, and of edges by relation."""
        relations = self._read("graph/relation_statistics")
        totals = {name: sum(row[name] for row in relations) for name in ("edges", "scored", "accepted", "predicted")}
        by_name = {row["relation"]: row["edges"] for row in relations}
        return {**self._read("graph/statistics")[0], **totals, "relations": by_name}

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield pages of events: the key after which each begins, and its last one."""
        last = ""
        while until := self._read("graph/event_page", last=last, events=_PAGE_EVENTS)[0]["until"]:
            yield last, until
            last = until

    def _read(self, name: str, /, **parameters: Any) -> list[Row]:
        return self.store.read(queries.load(name).text, **parameters)

    def write(self, name: str, /, **parameters: Any) -> list[Row]:
        """Return the rows of one writing statement of `cypher/`, in a transaction of its own."""
        text = queries.load(name).text
        return self.commit(lambda transaction: transaction.run(text, **parameters))

    def _record(self, name: str, key: str, properties: Mapping[str, Any]) -> None:
        parameters = {"id": key, "properties": _flat(properties), "at": writing.now()}

        def work(transaction: Transaction) -> None:
            order = selecting.next_order(transaction)
            transaction.run(queries.load(name).text, order=order, **parameters)
            if "run" in properties:
                writing.check_standing(transaction, properties["run"])
                transaction.run(queries.load("graph/order_run").text, id=properties["run"], order=order)
            selecting.settle(transaction)

        self.commit(work)

    def _records(self, label: str) -> list[Row]:
        rows = [row["properties"] for row in self._read("graph/records") if row["label"] == label]
        return sorted(rows, key=lambda row: (row.get("current", False), row.get("order") or 0), reverse=True)

    def _use(self, what: Literal["critic", "student"], key: str, known: list[Row], progress: Progress) -> str:
        if key not in {row["id"] for row in known}:
            raise NotFound(f"no {what} {key!r}; see kg {what} list")
        run = Run(f"use-{what}", model=key)
        with self.running(run):
            self.commit(partial(_put_last, run=run.id))
            self.commit(selecting.settle)
            if what == "critic":
                scoring.show_scores(self, progress=progress)
            self.finish(run)
        return run.id


def _put_last(transaction: Transaction, run: str) -> None:
    order = selecting.next_order(transaction)
    transaction.run(queries.load("graph/order_run").text, id=run, order=order)


def _flat(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: strict_json.write(value) if isinstance(value, dict) else value for name, value in properties.items()}
