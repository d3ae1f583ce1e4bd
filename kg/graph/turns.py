"""What is said through tasks, and the bodies of the transactions that say it (`kg.graph.tasks` has the verbs).

A task keeps who judged and who skipped it (`judged`, `skipped`: those annotators' runs), for whom it is held
(`reserved`: run, blank, seconds since 1970) and, in `log`, all that was ever said through it and not undone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from kg.errors import NotFound, NotReady
from kg.graph import writing
from kg.identity import judgement_key, task_key
from kg.model import TURNS, Triple
from kg.run import JUDGE_KIND, Run
from kg.store import queries
from kg.store.bolt import Row, Transaction

_SKIPPED, _BACK = TURNS


class Drawn(NamedTuple):
    """A triple that was drawn to be judged.

    Attributes:
        head: key of the head.
        relation: its relation.
        tail: key of the tail.
        probability: the probability in (0, 1] with which it came into the batch; None where that is not known.
        control: `gold` for a triple that is judged good, `other` for a tail of another event; None for all others.
    """

    head: str
    relation: str
    tail: str
    probability: float | None = None
    control: str | None = None

    @property
    def ends(self) -> tuple[str, str, str]:
        """Keys of head and tail, with the relation between them."""
        return self.head, self.relation, self.tail


@dataclass(frozen=True, slots=True)
class Task:
    """A triple that an annotator is to judge; whatever else is known of it stays hidden.

    Attributes:
        id: key of the task.
        batch: id of the run that drew it.
        triple: the triple.
    """

    id: str
    batch: str
    triple: Triple


class Turn(NamedTuple):
    """What was said through a task once.

    Attributes:
        run: id of the run in which the annotator judges.
        at: when, in UTC, as ISO 8601 to the microsecond.
        value: the verdict, one of `JUDGEMENT_VALUES`; None where the task was skipped, or a verdict taken back.
        what: the verdict as text, `skipped` or `back`.
        note: the annotator's note.
    """

    run: str
    at: str
    value: int | None
    what: str
    note: str


class Said(NamedTuple):
    """What one annotator said through a task.

    Attributes:
        task: the task.
        ends: keys of its head and its tail.
        turns: all that they said, the first thing first; the last one holds.
    """

    task: Task
    ends: tuple[str, str]
    turns: Sequence[Turn]


def judge_run(batch: str, annotator: str) -> Run:
    """Return the run in which an annotator judges a batch."""
    return Run(JUDGE_KIND, dataset=batch, parameters={"annotator": annotator})


def read_turns(log: Sequence[str]) -> list[Turn]:
    """Return what was said through a task, the first thing first, from its property `log`.

    >>> read_turns(["judge-1 2026-11-27T16:00:00.000001+00:00 -1 odd, but so"])[0][2:]
    (-1, '-1', 'odd, but so')
    """
    turns = []
    for entry in log:
        run, at, what, *note = entry.split(" ", 3)
        turns.append(Turn(run, at, None if what in (_SKIPPED, _BACK) else int(what), what, "".join(note)))
    return turns


def read_task(rows: Sequence[Row], task: str) -> Task:
    """Return the task that the rows of `graph/task_triple` have.

    Raises:
        NotFound: there are none.
    """
    return task_in(_found(rows, task))


def task_in(row: Row) -> Task:
    """Return a task from a row that has its id, its run and its triple."""
    triple = Triple(*(row[name] for name in Triple.__slots__))
    return Task(row["id"], row["run"], triple)


def put(transaction: Transaction, run: str, drawn: Sequence[Drawn], wanted: int) -> bool:
    """Write the tasks of a batch; return whether they are new."""
    writing.check_standing(transaction, run)
    if transaction.run(queries.load("graph/task_progress").text, batch=run, run=None)[0]["tasks"]:
        return False
    rows = [{"id": task_key(run, *one.ends), "place": place, **one._asdict()} for place, one in enumerate(drawn)]
    found = transaction.run(queries.load("graph/add_tasks").text, rows=rows, run=run, wanted=wanted)
    writing.check_written(found[0]["written"], len(rows), "graph/add_tasks")
    transaction.run(queries.load("graph/count_added").text, id=run, added=len(rows))
    return True


def hold_next(transaction: Transaction, batch: str, run: str, seconds: float) -> Task | None:
    """Hold the next task for the annotator who judges in a run, and return it; None where nothing is left."""
    now = time.time()
    found = transaction.run(queries.load("graph/reserve_task").text, batch=batch, run=run, now=now, until=now + seconds)
    if found:
        return task_in(found[0])
    rows = transaction.run(queries.load("graph/status_of_run").text, run=batch)
    _check_batch(batch, rows[0]["status"] if rows else None)
    return None


def answer(transaction: Transaction, task: str, annotator: str, value: int, note: str) -> None:
    """Record a verdict as the annotator's last word on the triple; the log has it once, however often it comes."""
    row = _opened(transaction, task)
    run = _begin(transaction, row, annotator)
    last = next((turn for turn in reversed(read_turns(row["log"])) if turn.run == run), None)
    judged = run in row["judged"]
    known = judged and last is not None and (last.value, last.note) == (value, note)
    found = transaction.run(
        queries.load("graph/put_verdict").text, id=task, judgement=_judgement(row, annotator), annotator=annotator,
        run=run, value=value, at=writing.now(),
    )  # fmt: skip
    entry = None if known else _entry(run, str(value), note)
    _turn(transaction, task, run, "judged", entry, judged=int(not judged), added=int(found[0]["added"]))


def skip(transaction: Transaction, task: str, annotator: str) -> None:
    """Record that the annotator gives no verdict; one that they gave before goes."""
    row = _opened(transaction, task)
    run = _begin(transaction, row, annotator)
    if run not in row["skipped"]:
        gone = _withdraw(transaction, row, annotator, run)
        _turn(transaction, task, run, "skipped", _entry(run, _SKIPPED), judged=-(run in row["judged"]), added=-gone)


def take_back(transaction: Transaction, batch: str, annotator: str, task: str | None, seconds: float) -> Task | None:
    """Take back a verdict or a skip, the last one where none is named; return its task, which is held again."""
    run = judge_run(batch, annotator).id
    if task is None:
        last = transaction.run(queries.load("graph/last_turn").text, batch=batch, run=run)
        if not last:
            return None
        task = str(last[0]["id"])
    row = _opened(transaction, task)
    if row["run"] != batch or run not in row["judged"] + row["skipped"]:
        return None
    _begin(transaction, row, annotator)
    gone = _withdraw(transaction, row, annotator, run)
    transaction.run(queries.load("graph/release_tasks").text, batch=batch, run=run)
    held = f"{run} {time.time() + seconds}"
    _turn(transaction, task, run, None, _entry(run, _BACK), held, judged=-(run in row["judged"]), added=-gone)
    return task_in(row)


def release(transaction: Transaction, task: str, annotator: str) -> None:
    """Hold nothing of the batch of a task for an annotator any more; what they said stays."""
    batch = _opened(transaction, task)["run"]
    transaction.run(queries.load("graph/release_tasks").text, batch=batch, run=judge_run(batch, annotator).id)


def _begin(transaction: Transaction, row: Row, annotator: str) -> str:
    """Begin the run in which an annotator judges a batch, and return its id; each turn ends it, and it may go on.

    Raises:
        NotReady: the batch, or the run, is being undone.
    """
    _check_batch(row["run"], row["status"])
    run = judge_run(row["run"], annotator)
    parameters = {"properties": run.properties(), "process": {}, "keep": False, "at": writing.now()}
    found = transaction.run(queries.load("graph/begin_run").text, id=run.id, **parameters)[0]
    if found["status"] == "undoing":
        raise NotReady(f"run {run.id} is being undone; finish that with kg runs undo {run.id}, then judge again")
    return run.id


def _withdraw(transaction: Transaction, row: Row, annotator: str, run: str) -> int:
    """Take a run's verdict from a judgement; return how many judgements went with it, none or one."""
    text = queries.load("graph/take_verdict").text
    return int(transaction.run(text, judgement=_judgement(row, annotator), run=run)[0]["gone"])


def _turn(
    transaction: Transaction,
    task: str,
    run: str,
    state: str | None,
    entry: str | None,
    held: str | None = None,
    *,
    judged: int,
    added: int,
) -> None:
    transaction.run(
        queries.load("graph/turn_task").text, id=task, run=run, state=state, held=[held] if held else [], entry=entry,
        judged=judged, added=added, at=writing.now(),
    )  # fmt: skip


def _check_batch(batch: str, status: str | None) -> None:
    if status != "finished":
        raise NotReady(f"batch {batch[:80]} was undone, or is not drawn; kg critic sample draws another one")


def _opened(transaction: Transaction, task: str) -> Row:
    return _found(transaction.run(queries.load("graph/open_task").text, id=task), task)


def _found(rows: Sequence[Row], task: str) -> Row:
    if not rows:
        raise NotFound(f"no task {task[:80]!r}; its batch may have been undone")
    return rows[0]


def _judgement(row: Row, annotator: str) -> str:
    return judgement_key(row["head_id"], row["relation"], row["tail_id"], annotator)


def _entry(run: str, what: str, note: str = "") -> str:
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    return f"{run} {at} {what} {note}" if note else f"{run} {at} {what}"
