"""How many threads are chosen, for machines that are made up, and once for this one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from kg import threads
from tests.repeats import only_thorough


class Machine:
    """A machine whose clock and use are set by hand."""

    def __init__(self) -> None:
        self.clock, self.busy, self.mine = 100.0, 0.0, 0.0

    def run(self, seconds: float, others: float, mine: float) -> None:
        """Let time pass in which others and this process use so many processors."""
        self.clock += seconds
        self.busy += seconds * (others + mine)
        self.mine += seconds * mine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine of four processors; the first look takes as long as it really would, and finds nobody."""
    made = Machine()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")
    monkeypatch.setattr("kg.threads._Last.at", 0.0)
    monkeypatch.setattr(threads, "allowed", lambda: 4)
    monkeypatch.setattr(threads, "_used", lambda: (made.clock, made.busy, made.mine))
    clock = SimpleNamespace(monotonic=lambda: made.clock, sleep=lambda seconds: made.run(seconds, 0, 1))
    monkeypatch.setattr(threads, "time", clock)
    before = torch.get_num_threads()
    with threadpool_limits():  # what is changed inside is restored
        yield made
    torch.set_num_threads(before)


def test_an_idle_machine_is_used_whole(machine: Machine) -> None:
    assert threads.adapt() == 4
    machine.run(6, others=0.1, mine=4)
    assert threads.adapt() == 4
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("others", "left"), [(0.4, 4), (1.0, 3), (2.0, 2), (2.9, 1), (4.0, 1), (9.0, 1)])
def test_what_others_use_is_left_to_them(others: float, left: int, machine: Machine) -> None:
    threads.adapt()
    machine.run(6, others=others, mine=1)
    assert threads.adapt() == left
    assert torch.get_num_threads() == left
    assert {pool["num_threads"] for pool in threadpool_info()} == {left}
    assert os.environ["RAYON_NUM_THREADS"] == str(left)


def test_the_machine_is_looked_at_again_but_not_all_the_time(machine: Machine) -> None:
    assert threads.adapt() == 4
    machine.run(3, others=4, mine=1)
    assert threads.adapt() == 4
    machine.run(3, others=4, mine=1)
    assert threads.adapt() == 1
    machine.run(6, others=0, mine=1)
    assert threads.adapt() == 4


def test_what_the_user_says_is_obeyed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    threads.adapt()
    machine.run(6, others=4, mine=1)
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.adapt() == 3
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("content", "most"), [("max 100000", 3), ("200000 100000", 2), ("50000 100000", 1), ("", 3)])
def test_a_quota_and_an_affinity_are_limits(
    content: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(content)
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(threads, "_processors", lambda: [0, 2, 5])
    assert threads.allowed() == most


def test_this_machine_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    script = "from kg import threads; print(1 <= threads.adapt() <= threads.allowed(), threads._Last.used[2] > 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


_DUPLICATES = "from ingest.duplicates.near import first_alike; first_alike(['a', 'A'])"
_RDF = (
    "from pathlib import Path; from kg.exchange.rdf.writing import write_rdf; from kg.vocabulary import Vocabulary; "
    "write_rdf([], [], Path('nothing.nt'), relations=Vocabulary.load('skd'), runs=[])"
)


@only_thorough
@pytest.mark.parametrize("step", [_DUPLICATES, _RDF], ids=["duplicates", "rdf"])
@pytest.mark.parametrize(("asked", "have"), [("3", 3), ("", 1)])
def test_polars_gets_as_many_threads_as_the_others(asked: str, have: int, step: str, tmp_path: Path) -> None:
    script = (
        "import sys; from kg import threads; threads._free = lambda *_: 1; assert 'polars' not in sys.modules; "
        f"{step}; import polars; print(polars.thread_pool_size())"
    )
    variables = {name: value for name, value in os.environ.items() if name != "POLARS_MAX_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=variables | {"OMP_NUM_THREADS": asked, "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) == have
