"""The evaluation on a real Neo4j: each student by its own query, language and predictions."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kg.entrants
import kg.evaluate
from critic.kinds import KINDS, CriticKind
from critic.runs import TrainedCritic
from kg.errors import InputError, NotReady
from kg.evaluate import evaluate
from kg.graph.knowledge import KnowledgeGraph
from kg.model import NOTHING, Assertion, Judgement, Triple
from kg.readings import Readings
from kg.run import Run
from kg.store import queries
from kg.workspace import Workspace
from student import evaluation
from student.interface import Encode
from student.runs import predict, train_student
from tests.student.conftest import fake_encode

EVENTS = ["PersonX naps", "PersonX eats", "PersonX runs", "PersonX sings"]
Train = Callable[..., str]
JUDGES = ("sentence encoder", "language model")


class FakeEncoder:
    """Stands for the sentence encoder, whose weights are not needed here."""

    description = {"name": None, "sha256": "none"}  # noqa: RUF012
    encode = staticmethod(fake_encode)

    def speaking(self, _: str) -> "FakeEncoder":
        return self


class Judge:
    """Finds good what says so."""

    def score(self, triples: Sequence[Triple]) -> np.ndarray:
        return np.array([0.9 if "good" in triple.tail else 0.1 for triple in triples])


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A judge and an encoder that need no training."""
    report = {
        "systems": {"critic": {"auc": 0.9, "auc_interval": [0.8, 0.95]}, "relation prior": {"auc": 0.5}},
        "trained_rows": 10, "rows": 10, "events": 5,
    }  # fmt: skip
    (folder := tmp_path / "judge").mkdir()
    trained = TrainedCritic("judge-1", folder, Judge(), report)  # type: ignore[arg-type]
    monkeypatch.setattr(kg.evaluate, "train_critic", lambda *_, **__: trained)
    monkeypatch.setattr("student.runs.Encoder.described", lambda *_: FakeEncoder())


@pytest.fixture
def world(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """Events to learn from, with good and bad tails in both relations, and others to be asked about."""
    words = [("xWant", "good"), ("xWant", "bad"), ("xReact", "good"), ("xReact", "bad")]
    taught = [Triple(event, relation, f"{word} {relation}") for event in EVENTS for relation, word in words]
    graph.add([Assertion(triple, split="train") for triple in taught], begun)
    asked = [Triple(f"PersonX asks {n}", "xWant", "good answer") for n in range(5)]
    graph.add([Assertion(triple, split="test") for triple in asked], begun)
    return graph


@pytest.fixture
def learn(world: KnowledgeGraph, workspace: Workspace) -> Train:
    """Train a ranker by a condition, let it infer, and accept what it says; return its id."""

    def call(where: str, count: int = 2) -> str:
        query = queries.load("training").where(where)
        trained = train_student(world, workspace, "ranker", query, FakeEncoder(), epochs=1)  # type: ignore[arg-type]
        _, student = kg.entrants.open_student(world, workspace, trained.id)
        predict(world, student, trained.id, count=count)
        world.store.run("MATCH ()-[r]->() WHERE r.predicted SET r.score = 0.5, r.accepted = true")
        return trained.id

    return call


def evaluated(graph: KnowledgeGraph, workspace: Workspace, students: list[str], **options: object) -> dict:
    _, folder = evaluate(graph, workspace, FakeEncoder(), students, **options)  # type: ignore[arg-type]
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_a_student_is_compared_with_what_it_was_trained_on(
    world: KnowledgeGraph, workspace: Workspace, learn: Train
) -> None:
    student = learn('tail.text STARTS WITH "bad"')
    rows = {row["name"]: row for row in evaluated(world, workspace, [student])["sets"]}
    assert rows["most frequent tail"]["acceptance"] == pytest.approx(0.1)  # "bad xWant", of its own training
    assert rows[f"{student}, raw"]["novel"] == 0
    assert rows["teacher, raw"]["novel"] == 1


def test_perplexity_is_of_none_too_where_a_student_learnt_it(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add([Assertion(Triple("PersonX asks 0", "xReact", NOTHING), split="test")], begun)
    asked: list[list[Triple]] = []

    def perplexity(_: object, held_out: Sequence[Triple]) -> dict[str, Any]:
        asked.append(list(held_out))
        return {"per_token": None, "per_word": None, "covered": 0.0}

    monkeypatch.setattr(evaluation, "perplexity", perplexity)
    find = kg.evaluate.find_entrant
    for learnt, word in ((False, "bad"), (True, "good")):

        def found(*given: Any, learnt: bool = learnt) -> Any:
            entrant = find(*given)
            entrant.student.manifest["objective"] = {"nothing": learnt}
            return entrant

        monkeypatch.setattr(kg.evaluate, "find_entrant", found)
        evaluated(world, workspace, [learn(f'tail.text STARTS WITH "{word}"')])
    assert [len(some) for some in asked] == [5, 6]
    assert asked[1][-1].tail == NOTHING


def test_the_report_draws_the_loss_of_the_training(world: KnowledgeGraph, workspace: Workspace, learn: Train) -> None:
    report, folder = evaluate(world, workspace, FakeEncoder(), [learn("true")])  # type: ignore[arg-type]
    assert "\nLoss of the training: " in report == (folder / "report.md").read_text(encoding="utf-8").rstrip("\n")


def test_two_students_of_one_kind_stand_side_by_side(world: KnowledgeGraph, workspace: Workspace, learn: Train) -> None:
    bad, good = learn('tail.text STARTS WITH "bad"'), learn('tail.text STARTS WITH "good"')
    content = evaluated(world, workspace, [bad, good, bad])
    rows = {row["name"]: row for row in content["sets"]}
    assert list(content["students"]) == [bad, good]
    assert rows[f"{bad}, raw"]["acceptance"] == pytest.approx(0.1)
    assert rows[f"{good}, raw"]["acceptance"] == pytest.approx(0.9)
    assert rows[f"most frequent tail (training of {bad})"]["acceptance"] == pytest.approx(0.1)
    assert rows[f"most frequent tail (training of {good})"]["acceptance"] == pytest.approx(0.9)
    assert rows["teacher, raw"]["novel"] is None


def test_a_training_query_that_returns_something_else_now_is_mentioned_and_one_that_returns_nothing_is_refused(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run
) -> None:
    student = learn('tail.text STARTS WITH "bad"')
    assert not evaluated(world, workspace, [student])["students"][student]["training_changed"]
    world.add([Assertion(Triple("PersonX naps", "xNeed", "bad luck"), split="train")], begun)
    assert evaluated(world, workspace, [student])["students"][student]["training_changed"]
    world.store.run("MATCH (:Event {split: 'train'})-[r]->() DELETE r")
    with pytest.raises(NotReady, match=f"the query that {student} was trained with returns nothing any more"):
        evaluate(world, workspace, FakeEncoder(), [student])  # type: ignore[arg-type]


def test_what_readers_accept_is_said_by_people_where_they_judged(
    world: KnowledgeGraph, workspace: Workspace, learn: Train
) -> None:
    student = learn('tail.text STARTS WITH "bad"')
    said = [edge.triple for edge in world.edges(where="r.predicted")]
    for model, value in (("some/model", 2), (None, -2)):
        run = Run("judgements", model=model, parameters={"value": value})
        with world.running(run):
            world.record_judgements([Judgement(triple, f"of {model}", value) for triple in said], run)
            world.finish(run)
    content = evaluated(world, workspace, [student])
    (row,) = [row for row in content["sets"] if row["name"] == f"{student}, raw"]
    assert row["readers"]["share"] == 0
    (judge,) = content["judges"].values()
    assert f"People judged {len(said)} of the {len(said)} triples" in judge["sources"]["notes"][-1]


def test_what_was_measured_of_the_same_evidence_is_not_measured_again(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, measured = learn("true"), []
    measure = evaluation.perplexity
    monkeypatch.setattr(evaluation, "perplexity", lambda *given: measured.append(1) or measure(*given))

    def report() -> tuple[str, int]:
        text, _ = evaluate(world, workspace, FakeEncoder(), [student])  # type: ignore[arg-type]
        return text, len(measured)

    first, _ = report()
    assert report() == (first, 1)
    world.record_judgements([Judgement(Triple(EVENTS[0], "xWant", "good xWant"), "somebody", 2)], begun)
    assert report()[1] == 2
    world.store.run("MATCH ()-[r:xWant]->() WHERE r.predicted SET r.accepted = false")
    changed, _ = report()
    assert changed != first
    assert len(measured) == 3
    (folder,) = (workspace.root / "runs").glob("evaluate-*")
    for number, damage in enumerate(("{", "{}", "null", '{"evidence": 1}'), start=4):
        (folder / "report.json").write_text(damage)
        assert report() == (changed, number)
    (folder / "sets.tsv").unlink()
    assert report() == (changed, 8)
    others = Readings({Triple("PersonX asks 1", "xWant", "good answer"): True}, {}, {}, {})
    monkeypatch.setattr(kg.evaluate, "load_readings", lambda: others)
    assert report()[1] == 9
    shutil.rmtree(workspace.root / "students" / student)
    learn("true")
    world.store.run("MATCH ()-[r:xWant]->() WHERE r.predicted SET r.accepted = false")
    assert report()[1] == 9  # the same student, to the bit
    manifest = workspace.root / "students" / student / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"saved": "other weights"}))
    assert report()[1] == 10


def test_a_report_is_of_the_evidence_that_its_own_folder_names(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run, tmp_path: Path
) -> None:
    student = learn("true")
    other = Workspace(tmp_path / "other")  # of somebody who shares the graph
    shutil.copytree(workspace.root / "students", other.root / "students")
    first, _ = evaluate(world, workspace, FakeEncoder(), [student])  # type: ignore[arg-type]
    asked = [Judgement(Triple(f"PersonX asks {n}", "xWant", "good answer"), "somebody", 2) for n in range(5)]
    world.record_judgements(asked, begun)
    there, _ = evaluate(world, other, FakeEncoder(), [student])  # type: ignore[arg-type]
    here, _ = evaluate(world, workspace, FakeEncoder(), [student])  # type: ignore[arg-type]
    assert here == there != first


def test_a_report_on_a_graph_that_changes_meanwhile_is_not_kept(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, written = learn("true"), []

    def controls(*given: object) -> dict[str, list[Triple]]:
        written.append(Judgement(Triple("PersonX asks 1", "xWant", "good answer"), f"reader {len(written)}", 2))
        world.record_judgements(written, begun)
        return found(*given)  # type: ignore[arg-type]

    found = evaluation.controls
    monkeypatch.setattr(evaluation, "controls", controls)
    for _ in range(2):
        assert evaluated(world, workspace, [student])["evidence"] is None
    assert len(written) == 2


def test_languages_are_not_mixed(world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run) -> None:
    japanese = [Triple("Xが寝る", "xWant", "休む", "ja"), Triple("Xが走る", "xWant", "勝つ", "ja")]
    world.add([Assertion(triple, split="train") for triple in japanese], begun)
    english, other = learn('head.lang = "en"'), ""
    world.add([Assertion(Triple("Xが歌う", "xWant", "good", "ja"), split="test")], begun)
    rows = {row["name"]: row for row in evaluated(world, workspace, [english])["sets"]}
    assert rows["teacher, raw"]["rows"] == 5
    other = learn('head.lang = "ja"')
    rows = {row["name"]: row for row in evaluated(world, workspace, [other])["sets"]}
    assert rows["teacher, raw"]["rows"] == 1
    with pytest.raises(InputError, match=rf"different languages: {english} \(en\), {other} \(ja\)"):
        evaluate(world, workspace, FakeEncoder(), [english, other])  # type: ignore[arg-type]


def test_verdicts_about_anything_else_are_counted_by_reason(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run
) -> None:
    student = learn('tail.text STARTS WITH "bad"')
    world.add([Assertion(Triple("PersonX waits", "xWant", "to go"), split="validation")], begun)
    triples = {
        Triple("PersonX asks 0", "xWant", "bad xWant"), Triple("PersonX asks 1", "xWant", "bad xWant"),
        Triple("PersonX waits", "xWant", "to go"), Triple("PersonX asks 0", "xWant", "good answer"),
        Triple("PersonX is nowhere", "xWant", "to be"),
    }  # fmt: skip
    verdicts = [Judgement(triple, "me", -1) for triple in sorted(triples)]
    content = evaluated(world, workspace, [student], verdicts=[*verdicts, Judgement(min(triples), "you", 2)])
    assert content["verdicts"]["used"] == 3
    assert content["verdicts"]["left_out"] == {
        "about validation events, while this is about test events": 1,
        "about triples that none of these students predicted last": 1,
        "about events that the graph does not have": 1,
    }
    assert content["students"][student]["corrected"]["judged"] == 2  # triples, however many annotators
    with pytest.raises(InputError, match=r"fewer than two of the 1 verdicts .* 1 are about validation events"):
        evaluate(
            world, workspace, FakeEncoder(), [student],  # type: ignore[arg-type]
            verdicts=[Judgement(Triple("PersonX waits", "xWant", "to go"), "me", 2)],
        )  # fmt: skip


def test_what_is_drawn_to_be_judged_is_what_evaluate_reads(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, begun: Run
) -> None:
    world.add([Assertion(Triple("PersonX waits", "xWant", "to go"), split="validation")], begun)
    student = learn("true", 1)
    _, model = kg.entrants.open_student(world, workspace, student)
    predict(world, model, student, split="validation", count=2)
    predict(world, model, student, split="test", count=3)
    world.store.run("MATCH ()-[r]->() WHERE r.predicted SET r.score = 0.5, r.accepted = true")
    query = queries.load("to_judge")
    drawn = {
        split: {
            Triple(row["head"], row["relation"], row["tail"])
            for row in world.store.read(query.text, **(query.defaults | {"split": split, "student": student}))
        }
        for split in ("test", "validation")
    }
    assert {triple.head for triple in drawn["validation"]} == {"PersonX waits"}
    rows = {row["name"]: row for row in evaluated(world, workspace, [student])["sets"]}
    assert len(drawn["test"]) == rows[f"{student}, raw"]["rows"] == 20  # of the newest predictions alone
    assert not {triple.head for triple in drawn["test"]} & {"PersonX waits"}


def test_review_begins_with_what_is_nearest_to_its_threshold(world: KnowledgeGraph, begun: Run, encode: Encode) -> None:
    assert encode
    prediction = Run("predict", model="student-1", parameters={"split": "test"})
    world.begin(prediction)
    scores = {"a": 0.9, "b": 0.46, "c": 0.55, "d": 0.05}
    world.add([Assertion(Triple("PersonX asks 0", "xWant", tail)) for tail in scores], prediction)
    for tail, score in scores.items():
        world.store.run(
            "MATCH ()-[r:xWant]->(t:Phrase {text: $tail}) SET r.score = $score, r.accepted = $score > 0.5",
            tail=tail, score=score,
        )  # fmt: skip
    world.store.run(
        "CREATE (:Acceptance {id: 'x', current: true, relations: ['xReact', 'xWant'], cutoffs: [0.9, 0.5]})"
    )
    query = queries.load("review")
    rows = world.store.read(query.text, **query.defaults)
    assert [row["tail"] for row in rows] == ["b", "c", "a", "d"]
    assert {row["threshold"] for row in rows} == {0.5}
    world.store.run("MATCH (n:Acceptance) SET n.cutoffs = [0.5, 0.9]")
    assert [row["tail"] for row in world.store.read(query.text, **query.defaults)] == ["a", "c", "b", "d"]
    world.record_judgements([Judgement(Triple("PersonX asks 0", "xWant", "a"), "me", 2)], begun)
    assert [row["tail"] for row in world.store.read(query.text, **query.defaults)] == ["c", "b", "d"]
    assert world.store.read(query.text, split="validation") == []


def test_each_student_is_judged_by_the_judge_on_the_other_model(
    world: KnowledgeGraph, workspace: Workspace, learn: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = learn('tail.text STARTS WITH "bad"')
    asked = []

    class Sceptic:
        def score(self, triples: Sequence[Triple]) -> np.ndarray:
            return np.full(len(triples), 0.05)

    first = kg.evaluate.train_critic

    def train(*_: object, kind: str, **__: object) -> TrainedCritic:
        asked.append(kind)
        trained = first(kind=kind)  # type: ignore[call-arg]
        return replace(trained, critic=Sceptic(), id="judge-2") if kind == "likelihood" else trained

    monkeypatch.setattr(kg.evaluate, "train_critic", train)
    monkeypatch.setitem(
        KINDS, "likelihood", CriticKind("a language model's view", "x:y", "x:y", on_language_model=True)
    )
    assert evaluated(world, workspace, [student])["students"][student]["judge"] == "sentence encoder", (
        "as its filter is"
    )
    monkeypatch.setattr(kg.entrants, "_filter_kind", lambda *_: "likelihood")
    for installed, judge, kinds in ((None, "sentence encoder", ["blend"]), (Path(), "language model", ["likelihood"])):
        monkeypatch.setattr(kg.entrants, "find_package", lambda found=installed: found)
        asked.clear()
        content = evaluated(world, workspace, [student])
        assert asked == kinds
        assert content["students"][student]["judge"] == judge
        assert list(content["judges"]) == [judge]
        assert {tuple(row["estimates"]) for row in content["sets"]} == {(judge,)}

    monkeypatch.setattr(kg.entrants.Entrant, "judge", property(lambda one: JUDGES[one.id == student]))
    other = learn('tail.text STARTS WITH "good"')
    asked.clear()
    text, folder = evaluate(world, workspace, FakeEncoder(), [student, other])  # type: ignore[arg-type]
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text(encoding="utf-8"))["sets"]}
    assert sorted(asked) == ["blend", "likelihood"]
    assert rows[f"{student}, raw"]["estimates"] == {"language model": pytest.approx(0.05)}
    assert rows[f"{other}, raw"]["estimates"] == {"sentence encoder": pytest.approx(0.9)}
    assert rows["teacher, raw"]["estimates"].keys() == set(JUDGES)
    assert "| estimate by language model | estimate by sentence encoder |" in text
    assert "Judge by the language model: " in text
    assert "Students of different judges are compared by verdicts only." in text
    (run,) = [run for run in world.runs() if run["kind"] == "evaluate" and "judge-2" in run["parameters"]
              and "judge-1" in run["parameters"]]  # fmt: skip
    assert json.loads(run["parameters"])["judge"] == "judge-2, judge-1"


def test_a_teacher_is_compared_with_its_own_students_and_what_passes_with_what_was_written(
    world: KnowledgeGraph, workspace: Workspace, learn: Train
) -> None:
    other = Run("load", model="other", dataset="other")
    world.begin(other)
    asked = [Triple(f"PersonX asks {n}", "xWant", f"{'good' if n % 2 else 'bad'} other") for n in range(5)]
    world.add([Assertion(Triple(event, "xWant", "bad lesson"), split="train") for event in EVENTS], other)
    world.add([Assertion(triple, split="test") for triple in asked], other)
    learnt = {name: learn(f'"{run["id"]}" IN r.runs') for run in world.runs() if run["kind"] == "load"
              for name in [run["model"]]}  # fmt: skip
    world.store.run("MATCH ()-[r]->(t) WHERE NOT r.predicted SET r.score = 0.5, r.accepted = t.text STARTS WITH 'good'")
    people = Run("judgements", dataset="people")
    world.begin(people)
    world.record_judgements([Judgement(triple, "me", 2 if "good" in triple.tail else -1) for triple in asked], people)
    content = evaluated(world, workspace, list(learnt.values()))
    rows = {row["name"]: row for row in content["sets"]}
    assert {name: row["rows"] for name, row in rows.items() if name.startswith(("teacher", "other"))} == {
        "teacher, raw": 5, "teacher, accepted": 5, "other, raw": 5, "other, accepted": 2,
    }  # fmt: skip
    assert {rows[f"{student}, raw"]["teacher"] for student in learnt.values()} == {"teacher", "other"}
    assert "nearest training event, other" in rows
    paid = {one["teacher"]: one for one in content["paid"]}
    assert paid["teacher"]["filter"] is None
    assert (paid["other"]["filter"]["shares"], paid["other"]["filter"]["rows"]) == ([1, 0.4], [2, 5])
    assert paid["other"]["students"][learnt["other"]]["learnt"] == "chosen"
    assert {row["origin"]: row["judged"] for row in content["by_origin"]}["other"] == 5
