"""What an older version left is opened by this one: its store, critic, students, replies and runs."""

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kg.errors import KGError
from kg.graph.connection import open_graph
from kg.server.server import Server
from kg.workspace import Workspace
from tests import command
from tests.repeats import only_thorough

FIXTURES = sorted((Path(__file__).parents[1] / "data").glob("workspace-*"))
ASSERTING = ("load", "inferences", "judgements", "predict")  # kinds of runs without which the graph is empty
JUDGED = "PersonX plants the garden"

Ask = Callable[..., str]


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param / "workspace.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    (tmp_path / "stats.json").write_bytes((request.param / "stats.json").read_bytes())
    return tmp_path


@pytest.fixture
def kg(jars: None, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:  # noqa: ARG001
    """Run `kg` in the project, on the private server that its workspace brings along."""
    monkeypatch.setenv("KG_HOME", str(project / "home"))

    def run(*arguments: str) -> str:
        done = command.run(arguments, dict(os.environ), project, project / ".said")
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    yield run
    Server(project / "home" / "server").stop()


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def scores(kg: Ask) -> dict[str, float]:
    """The score of each edge, by its ends and relation."""
    asked = "MATCH (e)-[r]->(t) WHERE r.score IS NOT NULL RETURN e.id + type(r) + t.id AS edge, r.score AS score"
    return {row["edge"]: row["score"] for row in rows(kg("query", asked, "--limit", "1000", "--json"))}


def test_there_is_a_workspace_of_an_older_version() -> None:
    assert "workspace-0.1.0" in {path.name for path in FIXTURES}


@only_thorough
def test_an_older_workspace_still_works(kg: Ask, project: Path) -> None:
    then = json.loads((project / "stats.json").read_text(encoding="utf-8"))
    now = json.loads(kg("stats", "--hash", "--json"))
    assert {name: now[name] for name in then} == then

    runs = rows(kg("runs", "list", "--json"))
    assert len(runs) == then["runs"]
    assert {run["status"] for run in runs} == {"finished"}
    by_kind = {run["kind"]: run for run in runs}
    shown = json.loads(kg("runs", "show", by_kind["evaluate"]["id"]))
    assert {name: shown[name] for name in by_kind["evaluate"] if name != "parameters"} == {
        name: value for name, value in by_kind["evaluate"].items() if name != "parameters"
    }

    why = rows(kg("query", "why", "--param", f"event={JUDGED}", "--param", "relation=xWant", "--json"))
    taught = {row["tail"]: row for row in why if row["model"] == "teacher"}
    best = taught["to finish the garden"]
    assert (sorted(best["judged"]), best["critic"]) == ([1, 2], by_kind["calibrate"]["model"])
    assert 0 < best["threshold"] < 1
    assert best["accepted"] == (best["score"] >= best["threshold"])
    assert [row["judged"] for tail, row in taught.items() if "sell" in tail] == [[-1]]
    review = rows(kg("query", "review", "--json"))
    assert 0 < len(review) <= then["predicted"]

    (said,) = {run["id"] for run in runs if run["kind"] == "inferences"}
    asked = "MATCH (e)-[r]->(t) WHERE $run IN r.runs RETURN e.text AS head, type(r) AS relation, t.text AS tail"
    triple = rows(kg("query", asked, "--param", f"run={said}", "--limit", "1", "--json"))[0].values()
    assert '"choices"' in kg("runs", "show", said, "--triple", *triple)

    before = scores(kg)
    assert len(before) == then["scored"]
    assert f"{then['scored']} edges scored; {then['accepted']} of" in kg("critic", "score", "--all")
    assert scores(kg) == pytest.approx(before, abs=1e-4)

    students = [run["student"] for run in runs if run["kind"] == "train-student"]
    assert {student.partition("-")[0] for student in students} == {"generator", "ranker"}
    for student in students:
        kg("student", "predict", "--student", student, "--split", "validation", "--count", "3")
    kg("critic", "score")
    assert json.loads(kg("stats", "--json"))["predicted"] > then["predicted"]
    for student in students:
        assert f"\n## {student}\n" in kg("student", "evaluate", "--student", student, "--encoder", "encoder")

    edges = json.loads(kg("stats", "--json"))["edges"]
    for format_name, file in (("jsonl", "out.jsonl"), ("rdf", "out.nt"), ("snapshot", "out")):
        assert f"{edges} edges written" in kg("export", format_name, file)

    undo_every_run(Workspace(project / "home"))


def undo_every_run(workspace: Workspace) -> None:
    """Each kind of run is taken back, or refused with a reason; without those that assert, nothing is left."""
    with open_graph(workspace) as graph:
        for run in graph.runs():
            try:
                graph.undo(run["id"])
            except KGError:
                assert run["kind"] not in (*ASSERTING, "score"), run
                continue
            if run["kind"] == "score":
                assert graph.statistics()["scored"] == 0
        left = graph.statistics()
    assert {name: left[name] for name in ("phrases", "edges", "judgements")} == {
        "phrases": 0, "edges": 0, "judgements": 0,
    }  # fmt: skip
