"""KnowledgeGraph: the domain's verbs, written once; those that only read stand in `kg.graph.reading`.

Between the stages, which speak in records (`kg.model`), and the store, which speaks in rows. Writes are grouped by
relation, sorted, counted against the number of rows sent, and safe to repeat.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from more_itertools import chunked

from kg import strict_json
from kg.errors import NotFound, NotReady, StoreError, StoreUnavailable
from kg.graph import scoring, selecting, undoing, writing
from kg.graph.reading import GraphReading
from kg.graph.rows import write_behind
from kg.model import Acceptance, Assertion, Judgement, Phrase, Triple
from kg.run import Run, is_lost, this_process
from kg.store import queries
from kg.store.bolt import Row, Store, Transaction
from kg.vocabulary import Relation, Vocabulary
from kg.wide import Spread, here

T = TypeVar("T")
Progress = Callable[[int], object]

_WRITE_ROWS = 20_000  # rows of one transaction, over all relations; 5,000 a relation are the usual optimum
_SET_ASIDE_ROWS = 2_000
_REASON = 500  # letters of the reason why a run failed
_KNOWN_PHRASES = 200_000  # keys remembered while a run is written; 20 MB


class Added(NamedTuple):
    """Counts of a run: rows that it offered, and edges or judgements that were created."""

    offered: int
    added: int


class KnowledgeGraph(GraphReading):
    """Events, inferences and what was said about them, in one Neo4j database, to be read and written.

    Attributes:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._open: set[str] = set()  # runs that this process has begun and not ended
        self._reached: dict[str, scoring.Reached] = {}  # how far those of them had come that were interrupted

    def prepare(self) -> None:
        """Make constraints and indexes that are not there yet."""
        for statement in queries.schema():
            self.store.run(statement)
        self.store.run("CALL db.awaitIndexes(300)")
        self.adopt()
        self.end_lost_runs()

    def adopt(self) -> None:
        """Give critics, thresholds and students of an older version their numbers; find students in its runs."""
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

    # Runs

    def begin(self, run: Run) -> None:
        """Record that a run begins. Beginning it again continues it, or repeats it harmlessly.

        Raises:
            NotReady: the run is being undone.
        """
        before = [row["run"] for row in self._read("graph/runs", id=run.id)]
        keep = run.id in self._open or any(one["status"] in ("interrupted", "failed") or is_lost(one) for one in before)
        parameters = {"properties": run.properties(), "process": this_process(), "keep": keep}
        found = self.write("graph/begin_run", id=run.id, at=writing.now(), **parameters)[0]
        if found["status"] == "undoing":
            raise NotReady(f"run {run.id} is being undone; finish that with kg runs undo {run.id}, then start it again")
        self._open.add(run.id)
        self._reached[run.id] = scoring.Reached(found["reached"] or "", found["doing"] or "")

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
        """Record that the runs that this process has begun ended by an error, or by an interrupt.

        A server that is gone is not told, which would be tried for as long as the failed statement was; the next
        command finds that the runs' process is gone.
        """
        if isinstance(error, StoreUnavailable):
            self._open.clear()
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

    # Writing

    def add(self, assertions: Iterable[Assertion], run: Run, progress: Progress = lambda _: None) -> Added:
        """Write what a run asserts as phrases and edges; return the numbers of rows offered and of edges created.

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

        The events stay when nothing is inferred from them, until the run is undone.
        """
        offered = added = 0
        for batch in chunked(events, _WRITE_ROWS):
            added += self.commit(partial(writing.assert_events, batch=batch, run=run))
            offered += len(batch)
        return Added(offered, added)

    def set_aside(self, triples: Iterable[Triple], run: Run) -> int:
        """Take duplicates out of the graph, and phrases that nothing needs then; return how many were there.

        The duplicates are kept, and come back when the run is undone. A run that asserts one meanwhile is kept with it.
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
        fast: Callable[[Sequence[Triple]], Iterable[float]] | None = None,
        every: bool = False,
        lang: str | None = None,
        progress: Progress = lambda _: None,
        spread: Spread = here,
    ) -> int:
        """Score edges and accept those that reach their threshold; return how many were scored.

        Args:
            critic: id of the critic.
            score: triples to probabilities in [0, 1], in the same order.
            acceptance: thresholds of this critic.
            fast: what scores the edges of training events that not only students wrote; None is `score`.
            every: also edges that this critic scored before.
            lang: only edges whose heads are in this language; None takes all.
            progress: called with the number of edges after each page.
            spread: what computes the scores; its pages are `kg.graph.scoring.Question`s.
        """
        run = Run("score", model=critic)
        self.begin(run)
        self.commit(partial(_put_last, run=run.id))
        scores = scoring.Scores(score, fast or score, spread)
        return scoring.record_scores(
            self, critic, scores, acceptance, run.id, self._reached[run.id], every=every, lang=lang, progress=progress
        )

    def record_critic(self, critic_id: str, **properties: Any) -> None:
        """Make a critic the current one."""
        self._record("graph/record_critic", critic_id, properties)

    def use_critic(self, critic_id: str, progress: Progress = lambda _: None) -> str:
        """Make a critic the current one again, and show its scores where it gave some; return the run that did.

        Raises:
            NotFound: there is no such critic.
        """
        return self._use("critic", critic_id, self.critics(), progress)

    def record_acceptance(self, acceptance: Acceptance, progress: Progress = lambda _: None, **properties: Any) -> None:
        """Make thresholds the current ones of their critic, and accept by them the edges that show its score."""
        names = self.vocabulary().names
        content: dict[str, Any] = {
            "critic": acceptance.critic,
            "recall": acceptance.recall,
            "thresholds": acceptance.thresholds,
            "relations": list(names),  # with `cutoffs`, what Cypher can read of the thresholds
            "cutoffs": [acceptance.threshold(name) for name in names],
        }
        if teachers := acceptance.teachers:
            content |= {
                "teacher_thresholds": teachers,
                "teachers": list(teachers),  # and what Cypher can read: the cutoffs of one teacher after another
                "teacher_cutoffs": [acceptance.threshold(name, one) for one in teachers for name in names],
            }
        if acceptance.intervals:
            content["intervals"] = acceptance.intervals
        self._record("graph/record_acceptance", acceptance.id, content | properties)
        scoring.accept(self, acceptance.critic, progress)

    def record_student(self, student_id: str, **properties: Any) -> None:
        """Make a student the current one."""
        self._record("graph/record_student", student_id, properties)

    def use_student(self, student_id: str) -> str:
        """Make a student the current one again; return the run that did.

        Raises:
            NotFound: there is no such student.
        """
        return self._use("student", student_id, self.students(), lambda _: None)

    def undo(self, run_id: str, progress: Progress = lambda _: None) -> int:
        """Leave the graph as the other runs make it; return the number of edges, events or judgements that changed.

        Edges left without evidence go, then phrases left without edges. Where another run gave the same edge a
        property, its value holds again. Nothing is computed anew. Undoing twice is harmless, and so is undoing a run
        that never finished.

        Raises:
            NotFound: there is no such run.
            NotReady: other runs rest on this one; the message names them in the order in which to undo them.
        """
        return undoing.undo(self, run_id, progress)

    def commit(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, counted as one write (see `watermark`); return its result after the commit.

        Writers wait for one another, so that the rows which a transaction has read stay the same until it ends.
        """

        def counted(transaction: Transaction) -> T:
            transaction.run(queries.load("graph/count_write").text)
            return work(transaction)

        return self.store.write(counted)

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
