"""Tasks: the triples of a batch that annotators are to judge, and where each annotator stands with each.

A batch is what a run of kind `sample` drew. An annotator judges it in one run of kind `judge`, whose verdicts are
judgements like any other, so that undoing either is undoing a run. Each function here is one transaction: what it says
is in the graph when it returns, saying it again changes nothing, and a process that is killed leaves all of it or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kg.errors import InputError, NotFound, NotReady
from kg.graph import turns
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Drawn, Said, Task, judge_run, read_turns
from kg.model import JUDGEMENT_VALUES, clean_text
from kg.run import SAMPLE_KIND, Run
from kg.store import queries
from kg.store.bolt import Row

RESERVED_SECONDS = 600.0
"""How long a task is held for an annotator who does not answer."""

MAX_NOTE = 1_000
"""Longest note, in characters."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is, and how far one annotator is with it.

    Attributes:
        tasks: triples of the batch.
        wanted: verdicts that it asks for.
        done: those that it has, of all annotators.
        mine: triples that this annotator judged.
        skipped: those that this annotator skipped.
        left: those that this annotator may still judge; some may be held for others now.
    """

    tasks: int
    wanted: int
    done: int
    mine: int
    skipped: int
    left: int


def put_tasks(graph: KnowledgeGraph, run: Run, drawn: Sequence[Drawn], *, wanted: int, **numbers: Any) -> bool:
    """Write the tasks of a batch, all or none; return whether they are new.

    Args:
        graph: where they go.
        run: of kind `sample`, whose id follows from what was drawn.
        drawn: in the order in which they are to be judged.
        wanted: how many annotators each is for, from 1 on.
        numbers: to keep on the run.

    Raises:
        NotReady: the run is being undone.
        StoreError: a phrase is not there any more.
    """
    with graph.running(run):
        new = graph.commit(partial(turns.put, run=run.id, drawn=drawn, wanted=wanted))
        graph.finish(run, offered=len(drawn), **numbers)
    return new


def next_task(graph: KnowledgeGraph, batch: str, annotator: str, *, seconds: float = RESERVED_SECONDS) -> Task | None:
    """Return what an annotator is to judge next, and hold it for that annotator; None where nothing is left.

    Asked again before an answer, it is the same task. An annotator never gets what they judged or skipped, and no task
    goes to more annotators at once than it is for.

    Args:
        graph: where the tasks are.
        batch: id of the run that drew them.
        annotator: their name.
        seconds: for how long it is held.

    Raises:
        NotReady: the batch was undone.
    """
    return graph.store.write(partial(turns.hold_next, batch=batch, run=judge_run(batch, annotator).id, seconds=seconds))


def find_task(graph: KnowledgeGraph, task: str) -> Task:
    """Return a task, whoever it is held for.

    Raises:
        NotFound: there is no such task.
    """
    return turns.read_task(graph.store.read(queries.load("graph/task_triple").text, id=task), task)


def give_verdict(graph: KnowledgeGraph, task: str, annotator: str, value: int, note: str = "") -> None:
    """Record an annotator's verdict on a task, in place of what that annotator said of it before.

    The same verdict with the same note again changes nothing. What comes after the hold has ended counts, too, even
    where another annotator has judged the task meanwhile: no verdict is lost.

    Raises:
        InputError: the value is no verdict, or the note is too long, or no text.
        NotFound: there is no such task.
        NotReady: the batch, or this annotator's run, is being undone.
    """
    if isinstance(value, bool) or value not in JUDGEMENT_VALUES:
        raise InputError(f"value {str(value)[:40]!r} is not one of {', '.join(map(str, JUDGEMENT_VALUES))}")
    graph.commit(partial(turns.answer, task=task, annotator=annotator, value=value, note=_clean_note(note)))


def skip(graph: KnowledgeGraph, task: str, annotator: str) -> None:
    """Record that an annotator gives no verdict on a task. A verdict that they gave before is taken back.

    Raises:
        NotFound: there is no such task.
        NotReady: the batch, or this annotator's run, is being undone.
    """
    graph.commit(partial(turns.skip, task=task, annotator=annotator))


def take_back(
    graph: KnowledgeGraph, batch: str, annotator: str, task: str | None = None, *, seconds: float = RESERVED_SECONDS
) -> Task | None:
    """Take back what an annotator said last, verdict or skip, and hold that task for them: it comes next again.

    What was held for them is not any more. What another run of the annotator said of the triple holds again. None where
    there is nothing to take back.

    Args:
        graph: where the tasks are.
        batch: id of the run that drew them.
        annotator: their name.
        task: take this one back, and nothing where it is taken back already; None takes the last one.
        seconds: for how long it is held.

    Raises:
        NotFound: there is no such task.
        NotReady: the batch, or this annotator's run, is being undone.
    """
    return graph.commit(partial(turns.take_back, batch=batch, annotator=annotator, task=task, seconds=seconds))


def turns_by(
    graph: KnowledgeGraph, annotator: str, *, task: str | None = None, before: str | None = None, count: int = 50
) -> list[Said]:
    """Return what an annotator said through tasks, in batches that were not undone, the task of the last word first.

    Args:
        graph: where the tasks are.
        annotator: their name; what others said is not looked at.
        task: the only task that counts; None takes all.
        before: only tasks whose last word was said before this time, as `Turn.at` has it.
        count: most tasks returned.
    """
    runs = [{"batch": run["id"], "run": judge_run(run["id"], annotator).id} for run in batches(graph)]
    rows = graph.store.read(queries.load("graph/turns_by").text, runs=runs, task=task, before=before, count=count)
    return [Said(turns.task_in(row), (row["head_id"], row["tail_id"]), read_turns(row["said"])) for row in rows]


def release(graph: KnowledgeGraph, task: str, annotator: str) -> None:
    """Hold a task no longer for an annotator who goes away without an answer.

    Raises:
        NotFound: there is no such task.
    """
    graph.store.write(partial(turns.release, task=task, annotator=annotator))


def progress(graph: KnowledgeGraph, batch: str, annotator: str | None = None) -> Progress:
    """Return how far a batch is, and how far an annotator is with it."""
    run = None if annotator is None else judge_run(batch, annotator).id
    return Progress(**graph.store.read(queries.load("graph/task_progress").text, batch=batch, run=run)[0])


def tasks_of(graph: KnowledgeGraph, batch: str) -> list[Task]:
    """Return all tasks of a batch, in the order in which they are judged, whoever judged them."""
    return [turns.task_in(row) for row in graph.store.read(queries.load("graph/tasks_of").text, batch=batch)]


def batches(graph: KnowledgeGraph) -> list[Row]:
    """Return the runs that drew tasks and were not undone, as maps, the newest first."""
    return [run for run in graph.runs() if run.get("kind") == SAMPLE_KIND and run.get("status") == "finished"]


def find_batch(graph: KnowledgeGraph, name: str | None = None, annotator: str | None = None) -> Row:
    """Return a batch: the one of an id, or the newest of a name.

    Args:
        graph: where it is.
        name: its run's id, or the name that it was drawn with; None takes the newest one that is not done.
        annotator: who must have something left to judge in it, where no batch is named; None asks for no one's.

    Raises:
        NotFound: there is no such batch.
        NotReady: none was named, and there is none, or none is left to judge.
    """
    found = batches(graph)
    if name is not None:
        for run in found:
            if name in (run["id"], run.get("dataset")):
                return run
        raise NotFound(f"no batch of tasks {name[:80]!r}; there are {', '.join(run['id'] for run in found) or 'none'}")
    if not found:
        raise NotReady("there is nothing to judge; draw triples first: kg critic sample --size 100")
    for run in found:
        if progress(graph, run["id"], annotator).left:
            return run
    whose = f" for {annotator}" if annotator else ""
    raise NotReady(f"all that was drawn is judged or skipped{whose}; draw more: kg critic sample --seed 1")


def _clean_note(note: str) -> str:
    if len(note) > MAX_NOTE:
        raise InputError(f"the note has {len(note):,} characters; at most {MAX_NOTE:,} are kept")
    return clean_text(note).strip() if note.strip() else ""
