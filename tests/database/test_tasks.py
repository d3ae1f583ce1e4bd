"""Tasks on a real graph: who gets which, and that a verdict is there before the next triple, once, with its history."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from kg.errors import InputError, NotFound, NotReady
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import Progress, put_tasks
from kg.graph.turns import Drawn, Task, judge_run, read_turns
from kg.identity import head_id, tail_id
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.server.server import Address
from kg.snapshot.hashing import hash_graph
from kg.store.bolt import Store

CONTEXT = multiprocessing.get_context("forkserver")
WHEN = 60.0


def triples(count: int) -> list[Triple]:
    return [Triple(f"PersonX does thing {number}", "xWant", f"to do thing {number + 1}") for number in range(count)]


def drawn(items: list[Triple]) -> list[Drawn]:
    return [Drawn(head_id(one), one.relation, tail_id(one), 0.5) for one in items]


def batch_of(graph: KnowledgeGraph, begun: Run, items: list[Triple], wanted: int = 1, name: str = "b") -> str:
    graph.add([Assertion(one) for one in items], begun)
    run = Run("sample", dataset=name)
    assert put_tasks(graph, run, drawn(items), wanted=wanted)
    return run.id


def judge_all(graph: KnowledgeGraph, batch: str, annotator: str, value: int = 1) -> list[Triple]:
    given = []
    while task := tasks.next_task(graph, batch, annotator):
        given.append(task.triple)
        tasks.give_verdict(graph, task.id, annotator, value)
    return given


def taken(graph: KnowledgeGraph, batch: str, annotator: str) -> Task:
    found = tasks.next_task(graph, batch, annotator)
    assert found is not None
    return found


def verdicts(graph: KnowledgeGraph) -> dict[tuple[Triple, str], int]:
    return {(one.triple, one.annotator): one.value for one in graph.judgements()}


def test_an_annotator_gets_every_triple_once_in_the_order_of_the_draw(graph: KnowledgeGraph, begun: Run) -> None:
    items = triples(5)
    batch = batch_of(graph, begun, items)
    assert judge_all(graph, batch, "ann") == items
    assert tasks.next_task(graph, batch, "ann") is None
    assert verdicts(graph) == {(one, "ann"): 1 for one in items}
    assert tasks.progress(graph, batch, "ann") == Progress(5, 5, 5, 5, 0, 0)
    assert graph.run(judge_run(batch, "ann").id)["status"] == "finished"


def test_language_uri_and_sense_of_a_triple_come_back_as_they_were(graph: KnowledgeGraph, begun: Run) -> None:
    items = [
        Triple("chat", "xWant", "cat", "fr", "en", "/c/fr/chat/n", "/c/en/cat/n/wn/animal"),
        Triple("PersonX naps", "xWant", "none", "en", "", "", "/c/en/none"),
        Triple("PersonX naps", "xWant", "<script>alert(1)</script>"),
    ]
    batch = batch_of(graph, begun, items)
    assert judge_all(graph, batch, "ann") == items
    assert verdicts(graph) == {(one, "ann"): 1 for one in items}


def test_a_triple_goes_to_as_many_annotators_as_it_is_for(graph: KnowledgeGraph, begun: Run) -> None:
    items = triples(3)
    batch = batch_of(graph, begun, items, wanted=2)
    names = ["ann", "bob", "cid"]
    first = [taken(graph, batch, name).triple for name in names]
    assert first == [items[0], items[0], items[1]]
    given = Counter(triple for name in names for triple in judge_all(graph, batch, name))
    assert given == dict.fromkeys(items, 2)
    assert tasks.progress(graph, batch).done == 6


def test_what_is_held_for_another_comes_when_the_hold_has_ended(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(1))
    held = tasks.next_task(graph, batch, "ann", seconds=2)
    assert held is not None
    assert tasks.next_task(graph, batch, "ann", seconds=2) == held
    assert tasks.next_task(graph, batch, "bob") is None
    time.sleep(2.1)
    assert tasks.next_task(graph, batch, "bob") == held
    assert tasks.next_task(graph, batch, "ann") is None
    tasks.give_verdict(graph, held.id, "ann", 2)  # late, and not lost
    tasks.give_verdict(graph, held.id, "bob", 1)
    assert len(verdicts(graph)) == 2
    assert tasks.progress(graph, batch).done == 1


def test_what_is_released_goes_to_another_at_once(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(1))
    task = taken(graph, batch, "ann")
    tasks.release(graph, task.id, "ann")
    assert tasks.next_task(graph, batch, "bob") == task


def test_the_same_verdict_twice_is_one_and_another_one_replaces_it_with_history(
    graph: KnowledgeGraph, begun: Run
) -> None:
    batch = batch_of(graph, begun, triples(2))
    task = taken(graph, batch, "ann")
    for value, note in ((2, ""), (2, ""), (-1, "on second thought:\n no"), (-1, "on second thought:\n no")):
        tasks.give_verdict(graph, task.id, "ann", value, note)
    assert verdicts(graph) == {(task.triple, "ann"): -1}
    run = judge_run(batch, "ann").id
    (row,) = [row for row in graph.task_rows(batch) if row["id"] == task.id]
    turns = read_turns(row["log"])
    assert [(turn.run, turn.value, turn.note) for turn in turns] == [
        (run, 2, ""), (run, -1, "on second thought:\n no"),
    ]  # fmt: skip
    assert turns[0].at < turns[1].at
    assert (graph.run(run)["added"], graph.run(run)["offered"]) == (1, 1)


def test_the_last_word_of_an_annotator_holds_whichever_run_it_is_of(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(1))
    task = taken(graph, batch, "ann")
    tasks.give_verdict(graph, task.id, "ann", 2)
    file = Run("judgements", dataset="file")
    graph.begin(file)
    graph.record_judgements([Judgement(task.triple, "ann", -2)], file)
    assert verdicts(graph) == {(task.triple, "ann"): -2}
    for value in (2, 1):  # the first is what this run said before
        tasks.give_verdict(graph, task.id, "ann", value)
        assert verdicts(graph) == {(task.triple, "ann"): value}
    graph.undo(judge_run(batch, "ann").id)
    assert verdicts(graph) == {(task.triple, "ann"): -2}


def test_what_is_skipped_never_comes_again_unless_it_is_taken_back(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(3))
    first = taken(graph, batch, "ann")
    tasks.skip(graph, first.id, "ann")
    tasks.skip(graph, first.id, "ann")
    assert taken(graph, batch, "ann") != first
    assert tasks.progress(graph, batch, "ann") == Progress(3, 3, 0, 0, 1, 2)
    assert taken(graph, batch, "bob") == first
    tasks.release(graph, first.id, "bob")
    assert tasks.take_back(graph, batch, "ann") == first
    assert taken(graph, batch, "ann") == first
    assert not graph.judgements()


def test_verdicts_are_taken_back_one_by_one_the_last_first(graph: KnowledgeGraph, begun: Run) -> None:
    items = triples(3)
    batch = batch_of(graph, begun, items)
    given = []
    for value in (2, 1, -1):
        task = taken(graph, batch, "ann")
        tasks.give_verdict(graph, task.id, "ann", value)
        given.append(task)
    assert tasks.take_back(graph, batch, "ann", given[2].id) == given[2]
    assert tasks.take_back(graph, batch, "ann", given[2].id) is None, "a retry takes back nothing more"
    assert tasks.take_back(graph, batch, "ann") == given[1]
    assert verdicts(graph) == {(items[0], "ann"): 2}
    assert tasks.progress(graph, batch, "ann").done == 1
    assert {taken(graph, batch, "ann").triple} < set(items[1:])
    tasks.give_verdict(graph, given[1].id, "ann", -2)
    (row,) = [row for row in graph.task_rows(batch) if row["id"] == given[1].id]
    assert [turn.what for turn in read_turns(row["log"])] == ["1", "back", "-2"]
    assert tasks.take_back(graph, batch, "bob") is None


def test_asking_for_a_task_changes_nothing_that_an_export_reads(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(2))
    before = hash_graph(graph), graph.watermark(), graph.task_rows(), graph.runs()
    task = taken(graph, batch, "ann")
    tasks.release(graph, task.id, "ann")
    taken(graph, batch, "bob")
    assert (hash_graph(graph), graph.watermark(), graph.task_rows(), graph.runs()) == before


def test_a_run_counts_the_verdicts_that_stand(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(3))
    run = judge_run(batch, "ann").id
    counts = []
    for value in (2, 1, None):
        task = taken(graph, batch, "ann")
        if value is None:
            tasks.skip(graph, task.id, "ann")
        else:
            tasks.give_verdict(graph, task.id, "ann", value)
            tasks.give_verdict(graph, task.id, "ann", -value)
        counts.append((graph.run(run)["offered"], graph.run(run)["added"]))
    for _ in range(3):
        tasks.take_back(graph, batch, "ann")
        counts.append((graph.run(run)["offered"], graph.run(run)["added"]))
    assert counts == [(1, 1), (2, 2), (2, 2), (2, 2), (1, 1), (0, 0)]
    assert tasks.take_back(graph, batch, "ann") is None


def test_what_is_taken_back_comes_before_what_was_held(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(3))
    first = taken(graph, batch, "bob")
    second = taken(graph, batch, "ann")
    tasks.give_verdict(graph, second.id, "ann", 1)
    tasks.release(graph, first.id, "bob")
    assert taken(graph, batch, "ann") == first
    assert tasks.take_back(graph, batch, "ann") == second
    assert taken(graph, batch, "ann") == second
    assert taken(graph, batch, "bob") == first


@pytest.mark.parametrize("value", [0, 3, True, "2", None])
def test_what_is_no_verdict_is_refused(graph: KnowledgeGraph, begun: Run, value: object) -> None:
    batch = batch_of(graph, begun, triples(1))
    task = taken(graph, batch, "ann")
    with pytest.raises(InputError, match="is not one of 2, 1, -1, -2, -9"):
        tasks.give_verdict(graph, task.id, "ann", value)  # type: ignore[arg-type]
    assert not graph.judgements()


@pytest.mark.parametrize("note", ["x" * 1001, "a\0b", "\ud800"])
def test_a_note_that_cannot_be_kept_is_refused(graph: KnowledgeGraph, begun: Run, note: str) -> None:
    batch = batch_of(graph, begun, triples(1))
    task = taken(graph, batch, "ann")
    with pytest.raises(InputError):
        tasks.give_verdict(graph, task.id, "ann", 1, note)
    assert not graph.judgements()


def test_a_batch_that_was_undone_takes_no_verdict_any_more(graph: KnowledgeGraph, begun: Run) -> None:
    batch = batch_of(graph, begun, triples(2))
    task = taken(graph, batch, "ann")
    graph.undo(batch)
    with pytest.raises(NotFound, match="may have been undone"):
        tasks.give_verdict(graph, task.id, "ann", 1)
    with pytest.raises(NotReady, match="was undone"):
        tasks.next_task(graph, batch, "ann")
    assert not graph.judgements()
    assert graph.statistics()["tasks"] == 0


def test_a_batch_that_was_judged_is_undone_after_its_judges(graph: KnowledgeGraph, begun: Run) -> None:
    items = triples(3)
    before = hash_graph(graph)
    batch = batch_of(graph, begun, items, wanted=2)
    drawn_hash = hash_graph(graph)
    for name in ("ann", "bob"):
        judge_all(graph, batch, name)
    runs = [judge_run(batch, name).id for name in ("ann", "bob")]
    with pytest.raises(NotReady) as raised:
        graph.undo(batch)
    assert all(f"kg runs undo {run}" in str(raised.value) for run in runs)
    assert graph.statistics()["judgements"] == 6
    graph.undo(runs[0])
    assert {one.annotator for one in graph.judgements()} == {"bob"}
    assert judge_all(graph, batch, "ann") == items, "the tasks are open again"
    for run in runs:
        graph.undo(run)
    assert hash_graph(graph) == drawn_hash
    graph.undo(batch)
    graph.undo(begun.id)
    assert hash_graph(graph) == before


def test_phrases_of_a_task_stay_until_the_batch_is_undone(graph: KnowledgeGraph, begun: Run) -> None:
    items = triples(2)
    batch = batch_of(graph, begun, items)
    graph.undo(begun.id)
    assert not list(graph.edges())
    assert judge_all(graph, batch, "ann") == items
    for run in (judge_run(batch, "ann").id, batch):
        graph.undo(run)
    assert not list(graph.phrases(every=True))


def test_the_newest_batch_with_something_left_is_the_one_that_is_meant(graph: KnowledgeGraph, begun: Run) -> None:
    with pytest.raises(NotReady, match="kg critic sample"):
        tasks.find_batch(graph)
    one = batch_of(graph, begun, triples(2), name="one")
    assert tasks.find_batch(graph)["id"] == tasks.find_batch(graph, "one")["id"] == tasks.find_batch(graph, one)["id"]
    judge_all(graph, one, "ann")
    with pytest.raises(NotReady, match="for ann"):
        tasks.find_batch(graph, annotator="ann")
    with pytest.raises(NotFound, match=one):
        tasks.find_batch(graph, "two")


def work(address: Address, batch: str, annotator: str, seconds: float) -> None:
    """Judge all that comes, as a person with a browser of their own would, at a verdict every few milliseconds."""
    with Store(address.uri, address.username, address.password) as store:
        graph = KnowledgeGraph(store)
        while task := tasks.next_task(graph, batch, annotator):
            time.sleep(seconds)
            tasks.give_verdict(graph, task.id, annotator, 1)


def start(function: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def test_two_at_once_in_two_processes_share_a_batch_and_judge_each_triple_once(
    graph: KnowledgeGraph, begun: Run, address: Address
) -> None:
    items = triples(60)
    batch = batch_of(graph, begun, items)
    workers = [start(work, address, batch, name, 0.001) for name in ("ann", "bob")]
    for worker in workers:
        worker.join(WHEN)
    assert [worker.exitcode for worker in workers] == [0, 0]
    by_annotator = Counter(one.annotator for one in graph.judgements())
    assert sum(by_annotator.values()) == len(items)
    assert len({one.triple for one in graph.judgements()}) == len(items)
    assert min(by_annotator.values()) > 5, "both were at work"


def test_a_kill_between_two_verdicts_loses_nothing_and_says_nothing_twice(
    graph: KnowledgeGraph, begun: Run, address: Address
) -> None:
    items = triples(80)
    batch = batch_of(graph, begun, items)
    kills = 0
    while tasks.progress(graph, batch, "ann").left:
        before = tasks.progress(graph, batch, "ann").mine
        worker = start(work, address, batch, "ann", 0.002)
        while worker.is_alive() and tasks.progress(graph, batch, "ann").mine < before + 12:
            time.sleep(0.005)
        if worker.is_alive():
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            kills += 1
        worker.join(WHEN)
        found = tasks.progress(graph, batch, "ann")
        assert found.mine == len(graph.judgements()), "a verdict and its task go together"
    assert kills > 2
    assert verdicts(graph) == {(one, "ann"): 1 for one in items}
    for row in graph.task_rows(batch):
        assert len(row["log"]) == 1
