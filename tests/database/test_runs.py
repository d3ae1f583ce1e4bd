"""Undoing one run leaves what the others wrote; runs end as what they were."""

import json
import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest

from critic.comparison import compare, format_comparison
from ingest.load import load_file
from kg.errors import NotFound, NotReady, StoreUnavailable
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, phrase_id, split_of
from kg.model import SPLITS, Acceptance, Assertion, Edge, Judgement, Phrase, Split, Triple
from kg.run import Run
from kg.snapshot.folder import open_snapshot, write_snapshot
from kg.snapshot.hashing import hash_graph
from kg.snapshot.restoring import restore_snapshot
from kg.store import queries
from kg.store.bolt import Store
from kg.workspace import Workspace
from student.runs import train_student
from tests import command
from tests.conftest import Kg, empty
from tests.repeats import only_thorough

NAP = Triple("PersonX naps", "xWant", "to rest")
WAKE = Triple("PersonX naps", "xEffect", "wakes up")
SLEEP = Triple("PersonX sleeps", "xWant", "to dream")
NAP_ID = phrase_id(NAP.head)


def begun_as(graph: KnowledgeGraph, kind: str, name: str) -> Run:
    run = Run(kind, dataset=name)
    graph.begin(run)
    return run


def loaded(graph: KnowledgeGraph, name: str, *assertions: Assertion) -> Run:
    run = begun_as(graph, "load", name)
    graph.add(assertions, run)
    graph.finish(run)
    return run


def judged(graph: KnowledgeGraph, name: str, value: int) -> Run:
    run = begun_as(graph, "judgements", name)
    graph.record_judgements([Judgement(NAP, "rater1", value)], run)
    return run


def critic(graph: KnowledgeGraph, name: str, value: float, threshold: float = 0.5) -> tuple[Run, Run, Run]:
    """Train, calibrate and score with a critic that gives one score to all; return the runs."""
    train, calibrate = Run("train-critic", model=name), Run("calibrate", model=name)
    graph.begin(train)
    graph.record_critic(name, run=train.id)
    graph.finish(train, critic=name)
    acceptance = Acceptance(f"acceptance-{name}", name, 0.8, {"0.8": {"overall": threshold}})
    graph.begin(calibrate)
    graph.record_acceptance(acceptance, run=calibrate.id)
    graph.finish(calibrate)
    graph.record_scores(name, lambda triples: [value] * len(triples), acceptance)
    score = Run("score", model=name)
    graph.finish(score)
    return train, calibrate, score


def edge(graph: KnowledgeGraph, triple: Triple = NAP) -> Edge:
    return next(edge for edge in graph.edges() if edge.triple == triple)


def view(graph: KnowledgeGraph) -> tuple[float | None, str | None, bool | None]:
    found = edge(graph)
    return found.score, found.critic, found.accepted


def test_a_verdict_that_another_run_replaced_comes_back(graph: KnowledgeGraph) -> None:
    first = judged(graph, "a", 2)
    before = hash_graph(graph)
    second = judged(graph, "b", -1)
    assert graph.judgements() == [Judgement(NAP, "rater1", -1)]
    graph.undo(second.id)
    assert graph.judgements() == [Judgement(NAP, "rater1", 2)]
    assert hash_graph(graph) == before
    judged(graph, "b", -1)
    graph.undo(first.id)
    assert graph.judgements() == [Judgement(NAP, "rater1", -1)]


@pytest.mark.parametrize("order", [("test", "validation"), ("validation", "test")])
def test_a_published_split_goes_with_its_run(graph: KnowledgeGraph, order: tuple[Split, Split]) -> None:
    own = loaded(graph, "own", Assertion(NAP))
    derived = graph.splits_of([head_id(NAP)])
    runs = [loaded(graph, split, Assertion(NAP, split=split)) for split in order]
    assert graph.splits_of([head_id(NAP)]) == {head_id(NAP): order[0]}
    graph.undo(runs[0].id)
    assert graph.splits_of([head_id(NAP)]) == {head_id(NAP): order[1]}
    graph.undo(runs[1].id)
    assert graph.splits_of([head_id(NAP)]) == derived
    graph.undo(own.id)
    assert not list(graph.phrases(every=True))


def test_a_published_score_outlives_a_critics(graph: KnowledgeGraph, tmp_path: Path) -> None:
    row = '{"head": "PersonX naps", "relation": "xWant", "tail": "to rest", "p_valid_model": 0.91, "split": "train"}\n'
    (tmp_path / "skd.jsonl").write_text(row)
    load_file(graph, Workspace(tmp_path / "w"), tmp_path / "skd.jsonl", "skd")
    before = edge(graph)
    assert (before.published, before.score, before.critic) == (0.91, None, None)
    *_, score = critic(graph, "critic-1", 0.25)
    assert (edge(graph).published, *view(graph)) == (0.91, 0.25, "critic-1", False)
    graph.undo(score.id)
    assert edge(graph) == before


def test_what_a_later_source_says_is_kept_and_fills_what_is_missing(graph: KnowledgeGraph) -> None:
    first = loaded(graph, "a", Assertion(NAP, logprob=-1.0))
    second = loaded(graph, "b", Assertion(NAP, logprob=-2.0, score=0.5))
    third = loaded(graph, "c", Assertion(NAP, weight=3.0, score=0.75))
    assert (edge(graph).logprob, edge(graph).published, edge(graph).weight) == (-1.0, 0.5, 3.0)
    graph.undo(second.id)
    assert (edge(graph).logprob, edge(graph).published, edge(graph).weight) == (-1.0, 0.75, 3.0)
    loaded(graph, "b", Assertion(NAP, logprob=-2.0, score=0.5))
    graph.undo(first.id)
    assert (edge(graph).logprob, edge(graph).published) == (-2.0, 0.75)
    graph.undo(third.id)
    assert (edge(graph).runs, edge(graph).published, edge(graph).statements) == ((second.id,), 0.5, ())


def test_what_a_second_run_says_of_an_event_holds_when_the_first_is_undone(graph: KnowledgeGraph) -> None:
    one, two = begun_as(graph, "events", "a"), begun_as(graph, "events", "b")
    graph.add_events([(Phrase("PersonX naps"), -1.0)], one)
    graph.add_events([(Phrase("PersonX naps"), -2.0)], two)
    graph.undo(one.id)
    assert [(phrase.runs, phrase.logprob) for phrase in graph.phrases(every=True)] == [((two.id,), -2.0)]


def test_the_split_that_a_run_gave_an_event_goes_with_the_run(graph: KnowledgeGraph) -> None:
    derived = split_of(NAP_ID)
    first, second = [split for split in SPLITS if split != derived]
    one, two, plain = (begun_as(graph, "events", name) for name in ("a", "b", "c"))
    for run, split in ((one, first), (two, second), (plain, None)):
        graph.add_events([(Phrase("PersonX naps", split=split), None)], run)
    for run, left in ((one, second), (two, derived)):
        graph.undo(run.id)
        assert [event.split for event in graph.phrases(every=True)] == [left]


def test_scores_of_all_critics_are_kept_and_shown_without_a_model(graph: KnowledgeGraph) -> None:
    loaded(graph, "a", Assertion(NAP))
    critic(graph, "critic-1", 0.9)
    before = hash_graph(graph)
    train, calibrate, score = critic(graph, "critic-2", 0.1)
    assert view(graph) == (0.1, "critic-2", False)
    use = graph.use_critic("critic-1")
    assert view(graph) == (0.9, "critic-1", True)
    assert graph.current_critic()["id"] == "critic-1"
    graph.undo(use)
    assert view(graph) == (0.1, "critic-2", False)
    assert graph.current_critic()["id"] == "critic-2"
    for run in (score, calibrate, train):
        graph.undo(run.id)
    assert view(graph) == (0.9, "critic-1", True)
    assert graph.current_critic()["id"] == "critic-1"
    assert hash_graph(graph) == before
    with pytest.raises(NotFound, match="critic-2"):
        graph.use_critic("critic-2")


def test_undoing_a_calibration_brings_the_thresholds_before_it_back(graph: KnowledgeGraph) -> None:
    loaded(graph, "a", Assertion(NAP))
    critic(graph, "critic-1", 0.6, threshold=0.5)
    run = Run("calibrate", model="critic-1", parameters={"recall": 0.5})
    graph.begin(run)
    graph.record_acceptance(Acceptance("other", "critic-1", 0.5, {"0.5": {"overall": 0.7}}), run=run.id)
    assert view(graph) == (0.6, "critic-1", False)
    graph.undo(run.id)
    assert view(graph) == (0.6, "critic-1", True)
    assert graph.current_acceptance("critic-1").recall == 0.8


def test_what_others_rest_on_is_refused_before_anything_is_touched(graph: KnowledgeGraph) -> None:
    loaded(graph, "a", Assertion(NAP))
    train, calibrate, score = critic(graph, "critic-1", 0.6)
    use = graph.use_critic("critic-1")
    before = hash_graph(graph), graph.descriptions()["critics"]
    with pytest.raises(NotReady) as raised:
        graph.undo(train.id)
    named = str(raised.value).split("in this order: ")[1]
    assert named == ", ".join(f"kg runs undo {run}" for run in (use, score.id, calibrate.id))
    with pytest.raises(NotReady, match=score.id):
        graph.undo(calibrate.id)
    assert (hash_graph(graph), graph.descriptions()["critics"]) == before
    assert graph.run(train.id)["status"] == "finished"
    for run_id in (use, score.id, calibrate.id, train.id):
        graph.undo(run_id)
    with pytest.raises(NotReady, match="no critic"):
        graph.current_critic()


def test_a_student_is_current_until_its_run_is_undone(graph: KnowledgeGraph) -> None:
    runs = []
    for name in ("student-1", "student-2"):
        run = Run("train-student", model=name)
        graph.begin(run)
        graph.record_student(name, run=run.id)
        graph.finish(run, student=name)
        runs.append(run)
    assert graph.current_student()["id"] == "student-2"
    use = graph.use_student("student-1")
    assert [student["id"] for student in graph.students()] == ["student-1", "student-2"]
    graph.undo(use)
    predict = Run("predict", model="student-2")
    graph.begin(predict)
    graph.add([Assertion(SLEEP)], predict)
    with pytest.raises(NotReady, match=f"kg runs undo {predict.id}"):
        graph.undo(runs[1].id)
    graph.undo(predict.id)
    graph.undo(runs[1].id)
    assert graph.current_student()["id"] == "student-1"


def test_duplicates_come_back_with_what_was_added_to_them_meanwhile(graph: KnowledgeGraph) -> None:
    one = loaded(graph, "a", Assertion(NAP, logprob=-1.0, split="test"), Assertion(SLEEP))
    critic(graph, "critic-1", 0.9)
    before, content = edge(graph), hash_graph(graph)
    dedupe = begun_as(graph, "dedupe", "d")
    assert graph.set_aside([NAP], dedupe) == 1
    assert [found.triple for found in graph.edges()] == [SLEEP]
    assert [event.text for event in graph.events()] == ["PersonX sleeps"]
    two = loaded(graph, "b", Assertion(NAP, weight=2.0), Assertion(WAKE))
    assert {found.triple for found in graph.edges()} == {SLEEP, WAKE}
    graph.undo(dedupe.id)
    assert (edge(graph).runs, edge(graph).weight, edge(graph).split) == ((one.id, two.id), 2.0, "test")
    graph.undo(two.id)
    assert edge(graph) == before
    assert hash_graph(graph) == content
    again = begun_as(graph, "dedupe", "d")
    graph.set_aside([NAP], again)
    graph.undo(one.id)
    graph.undo(again.id)
    assert not list(graph.edges())
    assert not list(graph.phrases(every=True))


def test_all_of_it_is_in_a_snapshot(graph: KnowledgeGraph, store: Store, tmp_path: Path) -> None:
    one = loaded(graph, "a", Assertion(NAP, logprob=-1.0, split="test"), Assertion(SLEEP), Assertion(WAKE))
    two = loaded(graph, "b", Assertion(NAP, logprob=-2.0, score=0.5, split="train"), Assertion(WAKE))
    verdicts = [judged(graph, name, value) for name, value in (("a", 2), ("b", -1))]
    critic(graph, "critic-1", 0.9)
    *_, score = critic(graph, "critic-2", 0.1)
    dedupe = begun_as(graph, "dedupe", "d")
    graph.set_aside([WAKE], dedupe)
    snapshot = write_snapshot(graph, tmp_path / "snapshot")
    runs = (one, score, dedupe, verdicts[1])

    def undone() -> list[str]:
        hashes = [hash_graph(graph)]
        for run in runs:
            graph.undo(run.id)
            hashes.append(hash_graph(graph))
        return hashes

    before = undone()
    assert len(set(before)) == 5
    empty(store)
    restore_snapshot(graph, open_snapshot(tmp_path / "snapshot"))
    assert before[0] == snapshot.manifest["content_hash"]
    assert undone() == before
    assert edge(graph).runs == (two.id,)


def test_a_student_is_not_trained_on_what_another_critic_accepted(graph: KnowledgeGraph, workspace: Workspace) -> None:
    loaded(graph, "a", Assertion(NAP, split="train"))
    critic(graph, "critic-1", 0.9)
    graph.record_critic("critic-2")
    with pytest.raises(NotReady, match=r"critic-2 has not scored .* run kg critic score"):
        train_student(graph, workspace, "ranker", queries.load("training"), None)  # type: ignore[arg-type]


def test_adding_to_a_run_that_is_undone_meanwhile_is_refused(graph: KnowledgeGraph) -> None:
    run = begun_as(graph, "load", "a")
    graph.add([Assertion(NAP)], run)
    graph.undo(run.id)
    with pytest.raises(NotReady, match="start it again"):
        graph.add([Assertion(SLEEP)], run)
    with pytest.raises(NotReady, match="start it again"):
        graph.record_judgements([Judgement(NAP, "rater1", 2)], run)
    assert not list(graph.edges())


def test_an_undo_that_was_cut_short_is_completed(graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.graph.reading._PAGE_EVENTS", 1)
    run = loaded(graph, "a", Assertion(NAP), Assertion(SLEEP), Assertion(Triple("to rest", "xWant", "a bed")))

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graph.undo(run.id, stop)
    assert graph.statistics()["edges"] == 2
    assert graph.run(run.id)["status"] == "undoing"
    with pytest.raises(NotReady, match="is being undone"):
        graph.begin(run)
    assert graph.undo(run.id) == 2
    assert graph.run(run.id)["status"] == "undone"
    assert not list(graph.phrases(every=True))


@only_thorough
def test_two_writers_at_once_lose_nothing(store: Store, graph: KnowledgeGraph) -> None:
    triples = [Triple(f"PersonX does {number % 7}", "xWant", f"thing {number}") for number in range(60)]
    runs = [begun_as(graph, "load", name) for name in ("a", "b")]

    def write(run: Run, weight: float) -> None:
        other = KnowledgeGraph(store)
        for triple in triples:
            other.add([Assertion(triple, weight=weight)], run)

    threads = [Thread(target=write, args=(run, weight)) for weight, run in enumerate(runs, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(found.triple, frozenset(found.runs)) for found in graph.edges()} == {
        (triple, frozenset(run.id for run in runs)) for triple in triples
    }
    graph.undo(runs[0].id)
    assert {(found.runs, found.weight) for found in graph.edges()} == {((runs[1].id,), 2.0)}


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no\nroom"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_run_that_ends_badly_says_so(graph: KnowledgeGraph, error: BaseException, status: str) -> None:
    run = Run("load", dataset="a")
    with pytest.raises(type(error)), graph.running(run):
        raise error
    assert graph.run(run.id)["status"] == status
    assert graph.run(run.id)["reason"] == ("no" if status == "failed" else "KeyboardInterrupt")
    graph.begin(run)
    assert graph.run(run.id)["status"] == "running"
    assert "reason" not in graph.run(run.id)


def test_a_server_that_is_gone_is_not_told_how_the_run_ended(
    graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver would try for as long again as it tried the statement that failed."""
    run = begun_as(graph, "load", "a")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", lambda *_: pytest.fail("it is told"))
        graph.end_open_runs(StoreUnavailable("the server is gone"))
    assert graph.run(run.id)["status"] == "running", "until the next command finds that its process is gone"


def test_a_run_that_no_code_ends_is_ended_by_the_command(
    environment: dict[str, str], graph: KnowledgeGraph, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD"):
        monkeypatch.setenv(name, environment[name])
    run = Run("inferences", model="teacher")

    def teach() -> None:
        with open_graph(workspace) as opened:
            opened.begin(run)
            raise NotReady("the budget is spent")

    with pytest.raises(NotReady):
        teach()
    assert (graph.run(run.id)["status"], graph.run(run.id)["reason"]) == ("failed", "the budget is spent")


@only_thorough
def test_a_run_whose_process_was_killed_is_interrupted(
    kg: Kg, environment: dict[str, str], graph: KnowledgeGraph, tmp_path: Path
) -> None:
    rows = "".join(f"PersonX does {number // 30}\txWant\tthing {number}\n" for number in range(150_000))
    (tmp_path / "rows.tsv").write_text(rows)
    arguments = ["ingest", "load", "rows.tsv", "--format", "atomic2020"]
    process = command.start(arguments, environment, tmp_path, tmp_path / ".killed")
    end = time.monotonic() + 200
    while not graph.statistics()["edges"]:
        assert process.is_alive()
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [run["status"] for run in graph.runs()] == ["running"]
    os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
    process.join()
    (run,) = graph.runs()
    assert graph.statistics()["edges"] < 150_000, "the kill came too late"
    listed = kg("runs", "list").stdout
    assert "interrupted" in listed
    assert graph.run(run["id"])["reason"] == "its process is gone"
    kg("runs", "undo", run["id"], "--yes")
    assert graph.statistics()["phrases"] == 0


def test_ids_of_runs_can_be_copied_at_80_columns(kg: Kg, environment: dict[str, str], graph: KnowledgeGraph) -> None:
    environment["COLUMNS"] = "80"
    model = "a/very/long/name/of/a/model/that/does/not/fit/into/eighty/columns\x1b[2J"
    runs = [Run("train-student", model=model), Run("load", dataset="x" * 100)]
    for run in runs:
        graph.begin(run)
    lines = kg("runs", "list").stdout.splitlines()
    assert len(lines) == 3
    assert {line.split()[0] for line in lines[1:]} == {run.id for run in runs}
    assert all(len(line) <= 80 and "\x1b" not in line for line in lines)


def test_critics_and_students_are_listed_used_and_compared(kg: Kg, graph: KnowledgeGraph) -> None:
    loaded(graph, "a", Assertion(NAP), Assertion(SLEEP))
    judged(graph, "people", -1)
    critic(graph, "critic-1", 0.9)
    critic(graph, "critic-2", 0.1)
    graph.record_student("student-1", kind="ranker", triples=2)
    assert [line.split()[0] for line in kg("critic", "list").stdout.splitlines()[1:]] == ["*", "critic-1"]
    used = kg("critic", "use", "critic-1").stdout
    assert "2 of 2 edges" in used
    assert graph.current_critic()["id"] == "critic-1"
    compared = kg("critic", "compare", "critic-1", "critic-2").stdout
    assert "2 edges have a score of both" in compared
    assert "Accepted by critic-1 only: 2; by critic-2 only: 0" in compared
    assert "0.900 against -1 (rater1): PersonX naps | xWant | to rest" in compared
    assert kg("student", "list").stdout.splitlines()[1].split()[:2] == ["*", "student-1"]
    assert "student-1" in kg("student", "use", "student-1").stdout
    assert "no critic 'nobody'" in kg("critic", "use", "nobody", status=1).stderr


def test_comparing_finds_how_scores_go_together(graph: KnowledgeGraph) -> None:
    triples = [Triple(f"PersonX does {number}", "xWant", "to rest") for number in range(10)]
    loaded(graph, "a", *map(Assertion, triples))
    acceptance = Acceptance("one", "critic-1", 0.8, {"0.8": {"overall": 0.5}})
    graph.record_critic("critic-1")
    graph.record_critic("critic-2")
    graph.record_scores("critic-1", lambda some: [int(one.head[-1]) / 10 for one in some], acceptance)
    graph.record_scores("critic-2", lambda some: [1 - int(one.head[-1]) / 10 for one in some], acceptance)
    compared = compare(graph, "critic-1", "critic-2")
    assert (compared.edges, compared.correlation, compared.sides) == (10, pytest.approx(-1), None)
    assert "need thresholds" in format_comparison(compared)


def test_what_an_older_version_made_current_stays_current(store: Store, graph: KnowledgeGraph) -> None:
    store.run(
        "CREATE (:Critic {id: 'old-1', current: false, at: '2026-01-01'}), "
        "(:Critic {id: 'old-2', current: true, at: '2026-01-01', run: 'train-critic-2'}), "
        "(:Run {id: 'train-critic-2', kind: 'train-critic', critic: 'old-2', status: 'finished'}), "
        "(:Run {id: 'train-student-1', kind: 'train-student', student: 'ranker-1', status: 'finished'})"
    )
    graph.adopt()
    assert graph.current_critic()["id"] == "old-2"
    assert graph.current_student()["id"] == "ranker-1"
    graph.undo("train-critic-2")
    assert graph.current_critic()["id"] == "old-1"
    graph.undo("train-student-1")
    assert graph.students() == []


def test_many_judgements_are_undone_in_seconds(graph: KnowledgeGraph) -> None:
    run = begun_as(graph, "judgements", "many")
    verdicts = [Judgement(Triple(f"PersonX does {number % 900}", "xWant", "to rest"), f"rater{number % 11}", 2)
                for number in range(9_900)]  # fmt: skip
    assert graph.record_judgements(verdicts, run).added == 9_900
    start = time.monotonic()
    assert graph.undo(run.id) == 9_900
    assert time.monotonic() - start < 60, "a quadratic undo takes minutes"
    assert phrase_id("to rest") not in {phrase.id for phrase in graph.phrases(every=True)}


HALVES = {"high": {"0.8": {"*": 0.8}}, "low": {"0.8": {"*": 0.2}}}
"""Thresholds of two teachers; all others have 0.5."""


def written(graph: KnowledgeGraph, model: str | None, *triples: Triple, kind: str = "load") -> Run:
    run = Run(kind, model=model, dataset=f"of {model}")
    graph.begin(run)
    graph.add(map(Assertion, triples), run)
    graph.finish(run)
    return run


def calibrated(graph: KnowledgeGraph, value: float) -> Acceptance:
    """A critic that gives one score to all, with thresholds for each of two teachers."""
    acceptance = Acceptance("halves", "critic-1", 0.8, {"0.8": {"*": 0.5}}, HALVES)
    graph.record_critic("critic-1")
    graph.record_acceptance(acceptance)
    graph.record_scores("critic-1", lambda triples: [value] * len(triples), acceptance)
    return acceptance


def accepted(graph: KnowledgeGraph) -> dict[str, bool | None]:
    return {found.triple.tail: found.accepted for found in graph.edges()}


def test_an_edge_is_accepted_by_the_threshold_of_any_teacher_that_wrote_it(graph: KnowledgeGraph) -> None:
    of = {name: Triple("PersonX naps", "xWant", name) for name in ("low", "high", "both", "other", "student", "shared")}
    written(graph, "high", of["high"], of["both"])
    written(graph, "low", of["low"], of["both"])
    written(graph, None, of["other"])
    written(graph, "low", of["student"], of["high"], kind="predict")  # a student of that name is no teacher
    written(graph, "teacher", of["shared"])
    for value, expected in (
        (0.1, set()),
        (0.3, {"low", "both"}),
        (0.6, {"low", "both", "other", "student", "shared"}),
        (0.9, set(of)),
    ):
        acceptance = calibrated(graph, value)
        graph.record_scores("critic-1", lambda triples, value=value: [value] * len(triples), acceptance, every=True)
        assert {tail for tail, is_accepted in accepted(graph).items() if is_accepted} == expected, "as it was scored"
        graph.store.run("MATCH (:Event)-[r]->() SET r.accepted = null")
        graph.record_acceptance(acceptance)
        assert {tail for tail, is_accepted in accepted(graph).items() if is_accepted} == expected, (
            "as it was calibrated"
        )
    assert graph.current_acceptance("critic-1") == acceptance


def test_a_teacher_that_comes_to_an_edge_or_goes_changes_whether_it_is_accepted(graph: KnowledgeGraph) -> None:
    written(graph, "high", NAP)
    calibrated(graph, 0.3)
    assert accepted(graph) == {NAP.tail: False}
    low = written(graph, "low", NAP)
    assert accepted(graph) == {NAP.tail: True}
    graph.undo(low.id)
    assert accepted(graph) == {NAP.tail: False}


def test_why_shows_the_threshold_of_who_claimed_it_and_an_export_goes_by_it(
    graph: KnowledgeGraph, kg: Kg, tmp_path: Path
) -> None:
    for model in ("high", "low"):
        written(graph, model, NAP)
    written(graph, "low", NAP, kind="predict")
    calibrated(graph, 0.3)
    asked = kg("query", "why", "--param", f"event={NAP.head}", "--json").stdout.splitlines()
    rows = [json.loads(row) for row in asked]
    assert sorted((row["claimed_by"].partition("-")[0], row["model"], row["threshold"]) for row in rows) == [
        ("load", "high", 0.8), ("load", "low", 0.2), ("predict", "low", 0.5),
    ]  # fmt: skip
    kg("export", "jsonl", "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["rec_0.8"] is True


def test_critics_are_compared_by_the_thresholds_of_who_wrote_what(graph: KnowledgeGraph) -> None:
    written(graph, "low", NAP)
    calibrated(graph, 0.3)
    plain = Acceptance("plain", "critic-2", 0.8, {"0.8": {"*": 0.5}})
    graph.record_critic("critic-2")
    graph.record_acceptance(plain)
    graph.record_scores("critic-2", lambda triples: [0.3] * len(triples), plain)
    assert compare(graph, "critic-1", "critic-2").sides == (1, 0)
