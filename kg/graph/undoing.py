"""Undo: the graph as the recorded writes of the other runs make it, or a refusal that names those that rest on the run.

A run that is being undone is marked first, so that nothing is added to it any more. Then its evidence goes, a page in a
transaction: an undoing that is interrupted is completed by the next one.
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from more_itertools import chunked

from kg.errors import NotReady
from kg.graph import scoring, selecting, statements, writing
from kg.graph.scores import ByCritic, accepted_again, read_thresholds
from kg.run import JUDGE_KIND, PROBE_KIND, SAMPLE_KIND, STUDENT_KIND, VECTORS_KIND, round_of
from kg.store import queries
from kg.store.bolt import Row, Transaction

if TYPE_CHECKING:
    from kg.graph.knowledge import KnowledgeGraph, Progress

_ROWS = 2_000  # judgements, tasks, events or duplicates of one transaction
_ASSERT_NOTHING = {
    "train-critic", "calibrate", "score", "use-critic", "train-student", "use-student", "evaluate", "rules", PROBE_KIND,
}  # fmt: skip
_RANKS = {
    "train-critic": 0,
    "train-student": 0,
    "calibrate": 1,
    "score": 2,
}  # undone last; others first


def undo(graph: "KnowledgeGraph", run_id: str, progress: "Progress") -> int:
    """Undo a run (see `KnowledgeGraph.undo`)."""
    run = graph.run(run_id)
    kind = run.get("kind")
    if run["status"] != "undone":
        graph.commit(partial(_mark, run=run))
    if kind in ("train-critic", "calibrate", "train-student"):
        graph.write("graph/forget_made", run=run_id)
    graph.commit(selecting.settle)
    touched = 0
    if kind in ("score", "use-critic"):
        touched += scoring.show_scores(graph, run["model"] if kind == "score" else None, progress)
    elif kind == "calibrate":
        touched += scoring.accept(graph, run["model"], progress)
    elif kind == SAMPLE_KIND:
        while found := graph.commit(partial(_delete_tasks, batch=run_id)):
            touched += found
            progress(found)
    elif kind == JUDGE_KIND:
        graph.write("graph/reopen_tasks", batch=run["dataset"], run=run_id)
        touched += _in_order(graph, _undo_judgements, run_id, progress)
    elif kind not in _ASSERT_NOTHING:
        touched += (_undo_vectors if kind == VECTORS_KIND else _undo_evidence)(graph, run, progress)
    if kind == "dedupe":
        touched += _bring_back(graph, run_id, progress)
    graph.write("graph/mark_undone", id=run_id, at=writing.now())
    return touched


def resting_on(run: Row, runs: Iterable[Row], acceptances: Iterable[Row]) -> list[str]:
    """Return the runs that rest on a run, in the order in which they can be undone."""
    made, kind = run.get("critic") or run.get("student"), run.get("kind")
    standing = [row for row in runs if row["id"] != run["id"] and row.get("status") not in ("undone", "new")]
    found = []
    for row in standing:
        own, of = row.get("kind"), row.get("model")
        rests = False
        if kind == "train-critic":
            rests = own in ("calibrate", "score", "use-critic") and of == made
            rests = rests or (own == "evaluate" and made in str(_parameter(row, "judge")).split(", "))
        elif kind == "train-student":
            rests = own in (STUDENT_KIND, "use-student") and of == made
            rests = rests or (own == "evaluate" and made in str(of).split(", "))
        elif kind == "calibrate":
            others = [one for one in acceptances if one["critic"] == run["model"] and one.get("run") != run["id"]]
            rests = own == "score" and of == run["model"] and not others
        elif kind == SAMPLE_KIND:
            rests = own == JUDGE_KIND and row.get("dataset") == run["id"]
        elif kind == STUDENT_KIND:
            rests = run["id"] in round_of(row)[1]
        if rests and made_something(row):
            found.append(row)
    found.sort(
        key=lambda row: (
            -round_of(row)[0], -_RANKS.get(row["kind"], 3), -(row.get("order") or 0), row.get("started") or "",
        )
    )  # fmt: skip
    return [row["id"] for row in found]


def made_something(run: Row) -> bool:
    """Tell whether a run has left anything in the graph: a run of a single write that failed has not."""
    return run.get("status") != "failed" or run.get("kind") in ("score", STUDENT_KIND)


def _parameter(run: Row, name: str) -> Any:
    try:
        return json.loads(run.get("parameters") or "{}").get(name)
    except (ValueError, AttributeError):
        return None


def _mark(transaction: Transaction, run: Row) -> None:
    runs = [row["run"] for row in transaction.run(queries.load("graph/runs").text, id=None)]
    records = transaction.run(queries.load("graph/records").text)
    acceptances = [row["properties"] for row in records if row["label"] == "Acceptance"]
    if run.get("status") != "undoing" and (rests := resting_on(run, runs, acceptances)):
        raise NotReady(
            f"run {run['id']} cannot be undone while others rest on it; undo these first, in this order: "
            + ", ".join(f"kg runs undo {other}" for other in rests)
        )
    transaction.run(queries.load("graph/mark_undoing").text, id=run["id"])


def _undo_vectors(graph: "KnowledgeGraph", run: Row, progress: "Progress") -> int:
    if run["status"] == "undone":
        return 0  # what stands now is another run's
    for statement in queries.schema("without_vectors"):
        graph.store.run(statement)
    return _in_order(graph, _remove_vectors, run["id"], progress)


def _undo_evidence(graph: "KnowledgeGraph", run: Row, progress: "Progress") -> int:
    run_id = run["id"]
    students = {run["id"] for run in graph.runs() if run.get("kind") == STUDENT_KIND}
    thresholds = read_thresholds(graph.store.read)
    touched = 0

    def count(found: int) -> int:
        nonlocal touched
        touched += found
        progress(found)
        return found

    for last, until in graph.pages():
        work = partial(_undo_edges, run=run_id, students=students, thresholds=thresholds, last=last, until=until)
        count(graph.commit(work))
    while count(graph.commit(partial(_undo_duplicates, run=run_id, students=students, thresholds=thresholds))):
        pass
    return touched + sum(_in_order(graph, step, run_id, progress) for step in (_undo_events, _undo_judgements))


def _in_order(graph: "KnowledgeGraph", step: Callable[..., tuple[int, str]], run_id: str, progress: "Progress") -> int:
    """Repeat a step, each time from the key on that it ended with, until nothing is left; return how much there was."""
    touched, last = 0, ""
    while True:
        found, last = graph.commit(partial(step, run=run_id, last=last))
        if not found:
            return touched
        touched += found
        progress(found)


def _undo_edges(
    transaction: Transaction, run: str, students: set[str], thresholds: ByCritic, last: str, until: str
) -> int:
    found = transaction.run(queries.load("graph/undo_edges").text, run=run, last=last, until=until)
    changes = []
    for row in found:
        if row["kept"]:
            element, properties, relation = row["kept"]
            changes.append([element, row["head"], row["tail"], _left(properties, relation, run, students, thresholds)])
    if changes:
        written = transaction.run(queries.load("graph/set_edges").text, rows=changes)[0]["written"]
        writing.check_written(written, len(changes), "graph/set_edges")
    writing.withdraw_splits(transaction, {row["head"] for row in found}, run)
    writing.tidy(transaction, {row[end] for row in found for end in ("head", "tail")})
    return len(found)


def _left(properties: Row, relation: str, run: str, students: set[str], thresholds: ByCritic) -> Row:
    left = statements.without_run(properties, run, statements.EDGE)
    left |= {"predicted": all(other in students for other in left["runs"])}
    return left | accepted_again(properties | left, relation, thresholds)


def _undo_duplicates(transaction: Transaction, run: str, students: set[str], thresholds: ByCritic) -> int:
    found = transaction.run(queries.load("graph/duplicates").text, ids=None, taken=None, run=run)[:_ROWS]
    gone = [row for row in found if len(row["properties"]["runs"]) == 1]
    transaction.run(queries.load("graph/delete_duplicates").text, ids=[row["properties"]["id"] for row in gone])
    changes = [
        [row["properties"]["id"], _left(row["properties"], row["properties"]["relation"], run, students, thresholds)]
        for row in found
        if len(row["properties"]["runs"]) > 1
    ]
    transaction.run(queries.load("graph/set_duplicates").text, rows=changes)
    writing.withdraw_splits(transaction, {row["head"] for row in found}, run)
    writing.tidy(transaction, {row[end] for row in gone for end in ("head", "tail")})
    return len(found)


def _undo_events(transaction: Transaction, run: str, last: str) -> tuple[int, str]:
    found = transaction.run(queries.load("graph/undo_events").text, run=run, last=last, limit=_ROWS)
    changes = [[row["id"], statements.without_run(row["kept"], run, statements.EVENT)] for row in found if row["kept"]]
    transaction.run(queries.load("graph/set_phrases").text, rows=changes)
    ids = {row["id"] for row in found}
    writing.withdraw_splits(transaction, ids, run)
    writing.tidy(transaction, ids)
    return len(found), max(ids, default=last)


def _undo_judgements(transaction: Transaction, run: str, last: str) -> tuple[int, str]:
    found = transaction.run(queries.load("graph/undo_judgements").text, run=run, last=last, limit=_ROWS)
    ends = {row[end] for row in found for end in ("head", "tail")}
    transaction.run(queries.load("graph/delete_unused").text, ids=sorted(ends))
    return len(found), max((row["id"] for row in found), default=last)


def _delete_tasks(transaction: Transaction, batch: str) -> int:
    found = transaction.run(queries.load("graph/delete_tasks").text, batch=batch, limit=_ROWS)
    ends = {row[end] for row in found for end in ("head", "tail")}
    transaction.run(queries.load("graph/delete_unused").text, ids=sorted(ends))
    return len(found)


def _remove_vectors(transaction: Transaction, run: str, last: str) -> tuple[int, str]:  # noqa: ARG001 - one run's stand
    found = transaction.run(queries.load("vectors/remove").text, last=last, count=_ROWS)
    return len(found), max((row["id"] for row in found), default=last)


def _bring_back(graph: "KnowledgeGraph", run_id: str, progress: "Progress") -> int:
    vocabulary = graph.vocabulary()
    rows = graph.store.read(queries.load("graph/duplicates").text, ids=None, taken=run_id, run=None)
    for batch in chunked(rows, _ROWS):
        ids = [row["properties"]["id"] for row in batch]
        work: Callable[[Transaction], None] = partial(writing.bring_back, ids=ids, run=run_id, vocabulary=vocabulary)
        graph.commit(work)
        progress(len(batch))
    return len(rows)
