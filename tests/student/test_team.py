"""Several processes that train one generator: as one process does, or not at all."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from accelerate import PartialState
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import student.together
from kg.errors import InputError, ProcessLost
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from student.generator import lesson, team, training
from student.generator.team import shares
from student.interface import Student
from student.objective import Objective
from student.together import environment, launched, together
from tests.conftest import Kg
from tests.repeats import only_thorough
from tests.student import along

Train = Callable[..., Student]


@pytest.fixture
def still(base: Path, tmp_path: Path) -> Path:
    """The base without dropout, whose places depend on how a batch is laid out."""
    folder = tmp_path / "still"
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0))
    )
    return folder


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """The loss of every step, a list for each training."""
    real, found = training.fit, []

    def keeping(*arguments: Any, **options: Any) -> Any:
        losses = real(*arguments, **options)
        found.append([loss for epoch in losses for loss in epoch])
        return losses

    monkeypatch.setattr(training, "fit", keeping)
    return found


@contextmanager
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Any]:
    """Be the first of two processes."""
    meeting = tmp_path / f"meeting-{len(list(tmp_path.iterdir()))}"
    other = along.begin(meeting, **options)
    with monkeypatch.context() as patch:
        for name, value in environment(0, 2).items():
            patch.setenv(name, value)
        try:
            with team.joined(meeting, 0, 2):
                yield other
                lesson.end()
        finally:
            other.join(60)
            PartialState._reset_state()  # noqa: SLF001 - or this process would be one of two for good


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True), st.integers(1, 5))
def test_shares_have_the_whole_batch_in_order_and_never_part_a_pair(batch: list[int], count: int) -> None:
    sequences = [([number // 3, 1], [2] * (number % 4 + 1)) for number in range(31)]
    found = shares(batch, sequences, count)
    assert len(found) == count
    assert [number for share in found for number in share] == batch
    for left, right in pairwise(batch):
        if left // 3 == right // 3:
            assert any(left in share and right in share for share in found)


def test_shares_are_of_like_work() -> None:
    sequences = [([number] * 5, [1] * 3) for number in range(8)]
    assert [len(share) for share in shares(range(8), sequences, 4)] == [2, 2, 2, 2]
    assert shares([0], sequences, 3) == [[], [0], []]


OBJECTIVES: dict[str, Objective] = {
    "tail": Objective(),
    "whole": Objective(whole=True),
    "weight": Objective(weight="score"),
    "patience": Objective(patience=2, schedule="constant"),
}


def test_two_processes_have_the_losses_and_the_weights_of_one_whatever_is_made_small(
    still: Path, train: Train, eight: list[Triple], curves: list[list[float]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    weights = {triple: number / 4 for number, triple in enumerate(eight)}
    options: dict[str, Any] = {"base": str(still), "weights": weights, "held_out": eight[:3], "epochs": 4}
    alone = [train("generator", tmp_path / f"{name}-1", objective=one, **options) for name, one in OBJECTIVES.items()]
    with two(tmp_path, monkeypatch) as other:
        both = [
            train("generator", tmp_path / f"{name}-2", objective=one, **options) for name, one in OBJECTIVES.items()
        ]
    assert other.exitcode == 0
    assert {student.metrics.get("processes") for student in alone} == {None}
    assert {student.metrics.get("processes") for student in both} == {2}
    assert both[-1].metrics["held_out_loss"] == pytest.approx(alone[-1].metrics["held_out_loss"], abs=1e-4)
    for left, right in zip(curves, curves[len(OBJECTIVES) :], strict=False):
        np.testing.assert_allclose(left, right, atol=1e-5)
    for name in OBJECTIVES:
        found, wanted = (load_file(tmp_path / f"{name}-{count}" / "model.safetensors") for count in (2, 1))
        for key, weight in wanted.items():
            np.testing.assert_allclose(found[key].numpy(), weight.numpy(), atol=2e-4)


def test_a_process_that_dies_ends_the_training_in_one_line_and_two_others_go_on_to_the_same_end(
    still: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"base": str(still), "epochs": 8}
    with pytest.raises(ProcessLost, match=r"^a process that trains along has ended; the same command goes on"):  # noqa: SIM117
        with two(tmp_path, monkeypatch, steps=5):
            train("generator", tmp_path / "resumed", **options)
    assert (tmp_path / ".resumed.progress").is_file()
    assert not (tmp_path / "resumed").exists()
    with two(tmp_path, monkeypatch):
        resumed = train("generator", tmp_path / "resumed", **options)
        straight = train("generator", tmp_path / "straight", **options)
    assert resumed.metrics["steps"] > 5
    assert resumed.metrics["loss"] == straight.metrics["loss"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "resumed")]
    assert weights[0] == weights[1]


def test_what_keeps_every_process_from_beginning_is_said_once_by_the_first(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no-such-base"):  # noqa: SIM117
        with two(tmp_path, monkeypatch) as other:
            train("generator", tmp_path / "student", base=str(tmp_path / "no-such-base"))
    assert other.exitcode == 1


def test_processes_that_start_from_other_weights_do_not_train_together(
    still: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "__version__", "99")
    with pytest.raises(InputError, match="process 2 of 2 starts from other weights"), two(tmp_path, monkeypatch):
        train("generator", tmp_path / "student", base=str(still))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "4"}, (1, 4)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}, (2, 3)),
        ({"PMI_RANK": "0", "PMI_SIZE": "2"}, (0, 2)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 1)),
        ({"WORLD_SIZE": "4"}, (0, 1)),  # of something else: no launcher leaves a process without a number
        ({"RANK": "", "WORLD_SIZE": "many"}, (0, 1)),
    ],
)
def test_what_a_launcher_says_of_a_process_is_understood(
    variables: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched() == expected


def test_processes_are_started_by_a_launcher_or_by_us_and_not_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="a launcher has started several"), together(2):
        pass


def test_a_gpu_has_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="there are 1 GPUs here"), team.joined(tmp_path / "meeting", 0, 2):
        pass


def test_one_process_starts_none_and_changes_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    before = dict(os.environ)
    with together(1):
        assert team.size() == 1
        assert dict(os.environ) == before


def test_a_process_of_ours_shares_the_processors_and_speaks_over_the_loopback_interface_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(student.together, "allowed", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = environment(1, 3)
    assert (found["RANK"], found["WORLD_SIZE"], found["OMP_NUM_THREADS"]) == ("1", "3", "2")
    assert found["GLOO_SOCKET_IFNAME"].startswith("lo")
    assert "MASTER_ADDR" not in found  # they meet at a file


@pytest.fixture
def filled(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    graph.add([Assertion(triple, split="train") for triple in eight], begun)


def command(still: Path, *options: str) -> list[str]:
    return ["student", "train", "--kind", "generator", "--base", str(still), "--where", "true", *options]


@only_thorough
@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_processes_of_this_machine_or_of_a_launcher_train_as_one_does(
    filled: None, still: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    assert filled is None
    kg = [str(Path(sys.executable).with_name("kg")), *command(still, "--epochs", "3")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", *kg]
    found = {}
    for name, start in {"one": kg, "two": [*kg, "--processes", "2"], "launched": launcher}.items():
        own = environment | {"KG_HOME": str(tmp_path / name)}
        done = subprocess.run(start, env=own, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Student generator-") == 1
        (metrics,) = (tmp_path / name / "students").glob("*/metrics.json")
        found[name] = json.loads(metrics.read_text())
    assert [one.get("processes", 1) for one in found.values()] == [1, 2, 2]
    for one in found.values():
        assert one["loss"] == pytest.approx(found["one"]["loss"], abs=2e-4)


@only_thorough
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["the first", "the other"])
def test_a_kill_leaves_no_process_and_the_same_command_goes_on(
    victim: str, filled: None, still: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    assert filled is None
    kg = [str(Path(sys.executable).with_name("kg")), *command(still, "--epochs", "200", "--processes", "2")]
    begun = psutil.Popen(kg, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    kept = Path(environment["KG_HOME"]) / "students"
    while not list(kept.glob(".*.progress")):
        assert begun.poll() is None, begun.stderr.read()
        time.sleep(0.1)
    (other,) = begun.children()
    (begun if victim == "the first" else other).kill()
    _, said = begun.communicate(timeout=60)
    psutil.wait_procs([other], timeout=60)
    assert not other.is_running()
    if victim == "the other":
        assert begun.returncode == 1
        (line,) = [line for line in said.splitlines() if line.startswith("kg: ")]
        assert "process 2 of 2, which trained along, has ended by signal 9; the same command goes on" in line
    done = subprocess.run(kg, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert not list(kept.glob(".*.progress"))


def test_a_ranker_is_trained_in_one_process(kg: Kg) -> None:
    done = kg("student", "train", "--processes", "2", status=1)
    assert "a ranker is trained in one process; leave out --processes" in done.stderr
