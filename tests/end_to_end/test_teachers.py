"""The loop with two recorded teachers, and without the verdicts on test events, on a small world."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import kg.distill
from critic.kinds import BLEND
from critic.runs import train_critic
from kg.cli import app
from kg.distill import distill
from kg.encoder import Encoder
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id, split_of
from kg.recorded import TEACHERS, RecordedTeacher
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from student.files import read_manifest
from tests.conftest import empty
from tests.repeats import only_thorough
from tests.student.conftest import fake_encode

EVENTS = [f"PersonX does thing {number}" for number in range(140)]
TEST_EVENTS = {event for event in EVENTS if split_of(phrase_id(event)) == "test"}
RELATIONS = ("xWant", "xReact")
GEMMA = "google/gemma-3-270m"


class FakeEncoder:
    """Stands for the sentence encoder, whose weights are not needed here."""

    description = {"name": None, "sha256": "none"}  # noqa: RUF012
    identity = "none"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return fake_encode(texts)

    def speaking(self, _: str) -> "FakeEncoder":
        return self


@pytest.fixture(autouse=True)
def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "described", lambda *_: FakeEncoder())


def write(folder: Path, tails: dict[str, list[str]], number: str = "") -> Path:
    """Write a corpus: tails of each event, whose verdict is good where a tail says so."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"event": event, "relation": relation, "tails": [f"{tail} {relation}" for tail in said]}
        for event, said in tails.items()
        for relation in RELATIONS
    ]
    lines = ["head\trelation\ttail\tannotator\tvalue"]
    for row in rows:
        lines += [f"{row['event']}\t{row['relation']}\t{t}\tme\t{2 if 'good' in t else -1}" for t in row["tails"]]
    (folder / f"completions{number}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / f"judgements{number}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def strike_test_verdicts(folder: Path) -> Path:
    """Take the verdicts on test events out of a corpus."""
    path = folder / "judgements.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition("\t")[0] not in TEST_EVENTS]
    assert len(kept) < len(lines)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder


def run(graph: KnowledgeGraph, workspace: Workspace, **options: object) -> str:
    report, _ = distill(graph, workspace, FakeEncoder(), kinds=("ranker",), epochs=1, **options)  # type: ignore[arg-type]
    return report


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One teacher's good, bad and mixed tails of all events."""
    tails = {
        event: [f"good {n}", f"good again {n % 7}", f"bad {n}", f"bad again {n % 5}"] for n, event in enumerate(EVENTS)
    }
    return write(tmp_path / "corpus", tails)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small teachers in place of those of the starter corpus; both wrote a tail of the events that both know."""
    strong = {event: [f"good {n}", f"bad {n}", f"good shared {n}"] for n, event in enumerate(EVENTS)}
    weak = {event: [f"good weak {n}", f"bad weak {n}", f"good shared {n}"] for n, event in enumerate(EVENTS[:100])}
    for name, tails, model in (("strong", strong, "teacher"), ("weak", weak, GEMMA)):
        write(tmp_path, tails, name)
        teacher = RecordedTeacher(
            tmp_path / f"completions{name}.jsonl", tmp_path / f"judgements{name}.tsv", model, is_noisy=name == "weak"
        )
        monkeypatch.setitem(TEACHERS, name, teacher)
    monkeypatch.setattr(kg.distill, "noisy_kind", lambda: BLEND)  # a real language model has no part here


@pytest.mark.usefixtures("two")
@only_thorough
def test_each_of_two_teachers_has_runs_and_students_of_its_own(graph: KnowledgeGraph, workspace: Workspace) -> None:
    report = run(graph, workspace, teachers=("weak", "strong"))
    loads = {run["model"]: run["id"] for run in graph.runs() if run["kind"] == "load"}
    strong, weak = loads["teacher"], loads[GEMMA]
    taught = [edge for edge in graph.edges() if not edge.predicted]
    both = [edge for edge in taught if {strong, weak} <= set(edge.runs)]
    assert len(both) == 100 * len(RELATIONS)
    assert all("shared" in edge.triple.tail for edge in both)
    assert {edge.runs[0] for edge in both} == {strong}, "in the order of the table, whatever the order of the options"

    students = {}
    for row in graph.students():
        manifest = read_manifest(workspace.place("students", row["id"]))
        what = "all" if "r.accepted" not in manifest["cypher"] else "what was accepted"
        (source,) = manifest["runs"]
        students[graph.run(source)["model"], what] = row["id"], manifest
        assert f"{row['id']}, raw" in report
        assert f"- {row['id']}: {row['triples']:,} triples, {what} of the " in report
    assert students.keys() == {
        ("teacher", "what was accepted"), (GEMMA, "what was accepted"), (GEMMA, "all"),
    }  # fmt: skip
    for (teacher, what), (student, manifest) in students.items():
        own = [edge for edge in taught if loads[teacher] in edge.runs and edge.split == "train"]
        own = [edge for edge in own if edge.accepted or what == "all"]
        assert manifest["triples"] == len(own) > 0
        assert manifest["runs"] == [loads[teacher]]
        (predictions,) = [run["id"] for run in graph.runs() if run["kind"] == "predict" and run["model"] == student]
        written = {edge.triple.tail for edge in graph.edges(split="test") if predictions in edge.runs}
        assert written <= {edge.triple.tail for edge in own}
        assert len(written) > 3
        assert manifest.get("derived_from") == ("gemma" if teacher == GEMMA else None), "though both wrote some of it"
    raw, accepted = (students[GEMMA, what][1]["triples"] for what in ("all", "what was accepted"))
    assert raw > accepted
    for teacher in ("strong", "weak"):
        assert f"| {teacher} teacher, raw | " in report
        assert f"| {teacher} teacher | no filter | " in report

    before = list(graph.edges())
    assert run(graph, workspace, teachers=("weak", "strong", "weak")) == report
    assert list(graph.edges()) == before


@only_thorough
@pytest.mark.usefixtures("two")
def test_a_teacher_alone_teaches_what_it_wrote_even_where_the_other_was_there_before(
    graph: KnowledgeGraph, workspace: Workspace
) -> None:
    run(graph, workspace, teachers=("weak",))
    report = run(graph, workspace, teachers=("strong",))
    (student,) = [row for row in graph.students() if row["id"] in report]
    manifest = read_manifest(workspace.place("students", student["id"]))
    (source,) = manifest["parameters"]["runs"]
    assert graph.run(source)["model"] == "teacher"


@only_thorough
def test_the_students_of_a_folder_learn_from_all_that_was_accepted(
    graph: KnowledgeGraph, workspace: Workspace, corpus: Path
) -> None:
    run(graph, workspace, corpus=corpus)
    (student,) = graph.students()
    manifest = read_manifest(workspace.place("students", student["id"]))
    assert manifest["parameters"] == {"lang": "en"}
    accepted = [edge for edge in graph.edges(split="train") if edge.accepted and not edge.predicted]
    assert manifest["triples"] == len(accepted)


def test_verdicts_on_test_events_change_nothing_but_the_report(
    graph: KnowledgeGraph, store: Store, tmp_path: Path, corpus: Path
) -> None:
    def outcome(name: str) -> tuple[object, ...]:
        empty(store)
        graph.add_vocabulary(Vocabulary.load("skd"))
        report = run(graph, Workspace(tmp_path / name), corpus=corpus)
        acceptances = [(row["id"], row["thresholds"]) for row in graph.descriptions()["acceptances"]]
        ids = sorted(row["id"] for row in (*graph.critics(), *graph.students()))
        return report, list(graph.edges()), acceptances, ids, list(graph.phrases())

    with_verdicts, *first = outcome("with")
    strike_test_verdicts(corpus)
    without, *second = outcome("without")
    assert any(edge.predicted for edge in first[0])  # type: ignore[attr-defined]
    assert first == second
    assert "relation prior" in str(with_verdicts)
    assert "how good it is cannot be said: of test events there are 0 good and 0 bad" in str(without)


def test_a_critics_report_follows_the_verdicts_on_test_events_and_the_critic_does_not(
    graph: KnowledgeGraph, workspace: Workspace, corpus: Path
) -> None:
    full = (corpus / "judgements.tsv").read_text(encoding="utf-8")
    run(graph, workspace, corpus=strike_test_verdicts(corpus))
    before = train_critic(graph, workspace, FakeEncoder())  # type: ignore[arg-type]
    weights = (before.folder / "critic.safetensors").stat()
    assert before.report["rows"] == 0
    (corpus / "judgements.tsv").write_text(full, encoding="utf-8")
    run(graph, workspace, corpus=corpus)
    after = train_critic(graph, workspace, FakeEncoder())  # type: ignore[arg-type]
    assert (after.id, after.report["rows"]) == (before.id, 4 * len(RELATIONS) * len(TEST_EVENTS))
    assert (after.folder / "critic.safetensors").stat() == weights, "not trained again"
    assert json.loads((after.folder / "report.json").read_text(encoding="utf-8")) == after.report


def test_a_folder_has_a_teacher_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path / "home"))
    for options in (["--teacher", "weak"], ["--teacher", "strong", "--teacher", "weak"]):
        failed = CliRunner().invoke(app, ["distill", str(corpus), *options]).exception
        assert isinstance(failed, InputError)
        assert str(failed) == (
            f"--teacher is for the starter corpus, and {corpus} brings a teacher of its own; leave out one"
        )
    unknown = CliRunner().invoke(app, ["distill", "--teacher", "middling"])
    assert unknown.exit_code == 2
    assert "'strong', 'weak'" in unknown.output
    assert not (tmp_path / "home").exists()
