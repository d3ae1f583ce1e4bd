"""Rounds of students that learn from the students before, on a real Neo4j: runs, undoing, verdicts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from critic.batches import draw_batch
from critic.estimating import Estimate
from critic.estimators import Share
from kg import improve_cli
from kg.cli import app
from kg.commands import runs as runs_command
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.improve import VERDICTS, Round, claims, improve, verdict
from kg.model import Acceptance, Assertion, Judgement, Split, Triple
from kg.run import Run
from kg.snapshot.hashing import hash_graph
from kg.workspace import Workspace
from student.files import read_manifest
from tests.student.conftest import fake_encode

WORDS = ("good", "fine", "bad", "odd")
ACCEPTANCE = Acceptance("acceptance-1", "critic-1", 0.8, {"0.8": {"overall": 0.5}})
ROUND = Round(1, "ranker-1", "predict-1", 'r.predicted AND "predict-1" IN r.runs', 10, 400, 300, 5, None)

Rounds = Callable[..., list[Round]]


class FakeEncoder:
    """Stands for the sentence encoder, whose weights are not needed here."""

    description = {"name": None, "sha256": "none"}  # noqa: RUF012
    encode = staticmethod(fake_encode)

    def speaking(self, _: str) -> "FakeEncoder":
        return self


def score(triples: Sequence[Triple]) -> np.ndarray:
    """Find good what says so, but nothing about every fifth event."""
    return np.array([
        0.9 if one.tail.startswith(("good", "fine")) and int(one.head.split()[-1]) % 5 else 0.1 for one in triples
    ])  # fmt: skip


def score_all(graph: KnowledgeGraph, *_: object, **__: object) -> int:
    return graph.record_scores("critic-1", score, ACCEPTANCE)


@pytest.fixture
def world(graph: KnowledgeGraph, begun: Run, monkeypatch: pytest.MonkeyPatch) -> KnowledgeGraph:
    """Training events with a tail each, some held-out ones, and a critic that has scored all."""
    monkeypatch.setattr("student.runs.Encoder.described", lambda *_: FakeEncoder())
    monkeypatch.setattr("kg.improve.score_edges", score_all)
    splits: tuple[tuple[Split, int], ...] = (("train", 40), ("validation", 3), ("test", 3))
    for split, count in splits:
        taught = [
            Triple(f"PersonX does {split} {n}", relation, f"{WORDS[n % 4]} {relation} {n % 11}")
            for n in range(count)
            for relation in ("xWant", "xReact")
        ]
        graph.add([Assertion(triple, split=split) for triple in taught], begun)
    graph.finish(begun)
    run = Run("train-critic", model="critic-1")
    graph.begin(run)
    graph.record_critic("critic-1", run=run.id)
    graph.finish(run, critic="critic-1")
    graph.record_acceptance(ACCEPTANCE)
    score_all(graph)
    return graph


@pytest.fixture
def run_rounds(world: KnowledgeGraph, workspace: Workspace) -> Rounds:
    def call(count: int) -> list[Round]:
        return improve(world, workspace, "ranker", FakeEncoder(), rounds=count, count=4, epochs=1)  # type: ignore[arg-type]

    return call


def test_a_round_teaches_what_the_critic_accepts_of_the_rounds_before_and_nothing_of_held_out_events(
    world: KnowledgeGraph, workspace: Workspace, run_rounds: Rounds
) -> None:
    other = Run("predict", model="student-of-nobody", parameters={"split": "train"})
    world.begin(other)
    world.add([Assertion(Triple("PersonX does train 0", "xWant", "good for nothing"), split="train")], other)
    world.add([Assertion(Triple("PersonX does test 0", "xWant", "good for nothing"), split="test")], other)
    world.finish(other)
    score_all(world)
    first, second = run_rounds(2)
    accepted = [one.triple for one in world.edges(where='head.split = "train" AND r.accepted AND NOT r.predicted')]
    added = [one for one in world.edges(where=first.where) if one.accepted]
    assert first.triples == len(accepted)
    assert second.triples == len(accepted) + len(added) == first.triples + first.accepted
    assert first.new > first.accepted > 0
    assert first.tails == len({one.triple.tail for one in world.edges(where=first.where)})
    assert second.new > 0
    assert not {one.triple for one in world.edges(where=first.where)} & {
        one.triple for one in world.edges(where=second.where)
    }
    for number, (one, before) in enumerate(((first, []), (second, [first.run])), 1):
        manifest = read_manifest(workspace.place("students", one.student))
        assert (manifest["round"], manifest["rounds"], manifest["parameters"]["rounds"]) == (number, before, before)
        assert set(before) <= set(manifest["runs"])
        assert other.id not in manifest["runs"]
        assert json.loads(world.run(one.run)["parameters"])["round"] == number
        assert {edge.split for edge in world.edges(where=f'"{one.run}" IN r.runs')} == {"train"}
    with pytest.raises(InputError, match="at least 1 round"):
        run_rounds(0)


def test_rounds_that_were_cut_short_go_on_and_undoing_them_newest_first_leaves_the_graph_as_it_was(
    world: KnowledgeGraph, workspace: Workspace, run_rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_graph(world)
    calls = []

    def stop(*_: object, **__: object) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return score_all(world)

    with monkeypatch.context() as patch:
        patch.setattr("kg.improve.score_edges", stop)
        with pytest.raises(KeyboardInterrupt):
            run_rounds(2)
    resumed = run_rounds(2)
    with monkeypatch.context() as patch:
        patch.setattr("student.ranker.model.Ranker.predict", lambda *_: pytest.fail("inferred again"))
        assert run_rounds(2) == resumed
    *_, third = run_rounds(3)
    runs = world.runs()
    assert [sum(run["kind"] == kind for run in runs) for kind in ("train-student", "predict")] == [3, 3]
    trained = {run["student"]: run["id"] for run in runs if run["kind"] == "train-student"}
    rests = [third.run, trained[third.student], resumed[1].run, trained[resumed[1].student]]
    with pytest.raises(NotReady, match=", ".join(f"kg runs undo {run}" for run in rests)):
        world.undo(resumed[0].run)
    for run in [*rests, resumed[0].run, trained[resumed[0].student]]:
        world.undo(run)
    assert hash_graph(world) == before
    assert world.students() == []
    for folder in workspace.folder("students").iterdir():
        folder.rename(folder.with_name(f"old-{folder.name}"))
    assert run_rounds(2) == resumed, "a straight run comes to the same"


def test_a_round_is_not_judged_until_enough_of_what_it_added_has_verdicts(
    world: KnowledgeGraph, run_rounds: Rounds
) -> None:
    first, second = run_rounds(2)
    assert verdict(first) == verdict(second) == "not judged"
    said = "\n".join(claims([first, second], "kg student improve"))
    draw = f"kg critic sample --size 200 --split train --where '{first.where}'"
    assert draw in said
    assert "No gain is claimed" in said
    batch = draw_batch(world, size=200, split="train", where=first.where)
    assert batch.tasks == VERDICTS
    drawn = sorted(world.drawn()[batch.run])
    people = Run("judgements", dataset="people")
    world.begin(people)
    world.record_judgements([Judgement(one, "ann", 2) for one in drawn[:150]], people)
    assert verdict(run_rounds(2)[0]) == "not judged"
    world.record_judgements([Judgement(one, "ann", -1) for one in drawn[150:]], people)
    first, second = run_rounds(2)
    assert first.judged is not None
    assert verdict(first).startswith("75.0% (")
    assert verdict(first).endswith("), 200 by people")
    assert verdict(second) == "not judged"


def estimate(good: float, interval: tuple[float, float] | None, who: str = "people") -> Estimate:
    judged = interval and Share(good, interval)
    return Estimate(400, who, 0, 200, round(200 * good), 200, "drawn" if judged else "some", 50, (), "", "", judged,  # type: ignore[arg-type]
                    (0, 1), None, 0, None, None, None, "")  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "claim"),
    [
        ((0.6, (0.55, 0.65)), (0.8, (0.76, 0.84)), "+20.0 points are good beside round 1 (+13.6 to +26.4): more"),
        ((0.8, (0.76, 0.84)), (0.6, (0.55, 0.65)), "-20.0 points are good beside round 1 (-26.4 to -13.6): fewer"),
        ((0.6, (0.55, 0.65)), (0.62, (0.57, 0.67)), "no difference is shown"),
        ((0.6, None), (0.8, (0.76, 0.84)), "No gain is claimed"),
    ],
)
def test_a_gain_is_claimed_by_random_samples_of_both_rounds_only(
    first: tuple[float, None], last: tuple[float, None], claim: str
) -> None:
    rounds = [replace(ROUND, judged=estimate(*first)), replace(ROUND, number=2, judged=estimate(*last, "machines"))]
    assert claim in claims(rounds, "kg student improve")[-1]
    assert verdict(rounds[0]).endswith("by people" if first[1] else "not drawn at random")


def test_a_single_round_claims_nothing_and_one_without_new_triples_need_not_be_judged() -> None:
    said = "\n".join(claims([replace(ROUND, new=0)], "kg student improve"))
    assert "gain" not in said
    assert "critic sample" not in said
    assert "kg student evaluate --student ranker-1" in said


def test_an_interrupt_names_the_command_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["kg", "student", "improve", "--rounds", "3"])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kg.graph.connection.open_graph", stop)
    with pytest.raises(KeyboardInterrupt, match="kg student improve --rounds 3"):
        improve_cli.improve(rounds=3)
    assert "--rounds" in CliRunner().invoke(app, ["student", "improve", "--help"]).output


def test_a_list_of_runs_tells_which_round_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    about = {"status": "finished", "added": 3, "model": "ranker-1"}
    parameters = ('{"round": 2, "rounds": ["predict-1"]}', "{}", "[]")
    runs_command._print_runs([about | {"id": f"predict-{text[:3]}", "parameters": text} for text in parameters])  # noqa: SLF001
    _, *lines = capsys.readouterr().out.splitlines()
    assert ["round 2, ranker-1" in line for line in lines] == [True, False, False]
