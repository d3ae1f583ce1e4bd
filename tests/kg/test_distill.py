"""What the loop says while it runs: a line at once, and a line a step with the time left."""

import re
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kg.distill
from critic.kinds import BLEND, LIKELIHOOD
from kg.cli import app
from kg.distill import Step, distill, take
from kg.recorded import NAMES, STRONG


def test_the_first_line_comes_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys\n"
        "sys.modules['kg.distill'] = None  # the first heavy import fails\n"
        "from kg.cli import app\n"
        "app(['distill'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("The whole loop: about half an hour on two idle cores")
    assert "import of kg.distill halted" in done.stderr


def test_each_step_says_its_number_and_the_time_left_by_the_pace_so_far() -> None:
    said: list[str] = []
    done: list[str] = []
    steps = [
        Step("load", 0.5, lambda: (time.sleep(1.5), done.append("load"))),
        Step("train", 60, lambda: done.append("train")),
        Step("evaluate", 20, lambda: done.append("evaluate")),
    ]
    take(steps, said.append)
    assert done == ["load", "train", "evaluate"]
    assert said[0] == "1/3 load (about 1 minute left)"
    minutes = re.fullmatch(r"2/3 train \(about (\d+) minutes left\)", said[1])
    assert minutes  # the first step took three times as long as usual
    assert 3 <= int(minutes[1]) <= 6
    assert said[2].startswith("3/3 evaluate (about 10 seconds left)")


def seconds(monkeypatch: pytest.MonkeyPatch, kind: str, *teachers: str) -> dict[str, float]:
    """Seconds of each step of the loop, by the first words of its label."""
    told: list[Step] = []

    def stop(steps: list[Step], _: object) -> None:
        told.extend(steps)
        raise InterruptedError

    monkeypatch.setattr(kg.distill, "take", stop)
    monkeypatch.setattr(kg.distill, "noisy_kind", lambda: kind)
    with pytest.raises(InterruptedError):
        distill(None, None, None, teachers=teachers)  # type: ignore[arg-type]
    assert len({step.label for step in told}) == len(told)
    return {step.label: step.seconds for step in told}


def test_a_critic_that_asks_the_language_model_has_the_seconds_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    train, say = "train the critic on the judgements", "score what the students say"
    asking, plain = (seconds(monkeypatch, kind, "strong", "weak") for kind in (LIKELIHOOD, BLEND))
    assert (asking[train], asking[say]) == (250, 100)
    assert (plain[train], plain[say]) == (50, 5)
    assert seconds(monkeypatch, LIKELIHOOD, "strong")[train] == 50, "no critic asks where no teacher is noisy"
    weak = seconds(monkeypatch, LIKELIHOOD, "weak")
    assert (weak[train], weak[say]) == (250, 50)
    assert weak["evaluate"] < asking["evaluate"], "only a ranker is judged by the language model"
    assert seconds(monkeypatch, LIKELIHOOD, "local").keys() - weak.keys() == {
        "write 250 events and the local teacher's tails",
        *(f"train the generator on {what} of the local teacher's tails, and let it infer"
          for what in ("what was accepted", "all")),
    }  # fmt: skip


IN_MINUTES = {"eight minutes": 8, "fifteen minutes": 15, "half an hour": 30, "three quarters of an hour": 45}
TEACHERS_ASKED = [some for count in (0, 1, 2, 3) for some in combinations(NAMES, count)]
UNASKED = (STRONG, "weak")


@pytest.mark.parametrize("teachers", TEACHERS_ASKED, ids=" and ".join)
def test_the_first_line_says_how_long_the_steps_take_together(
    teachers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path))
    monkeypatch.setattr("ingest.teacher.local.make_ready", lambda _: None)
    monkeypatch.setattr("kg.graph.connection.open_graph", lambda _: 1 / 0)
    done = CliRunner().invoke(app, ["distill", *(part for name in teachers for part in ("--teacher", name))])
    assert isinstance(done.exception, ZeroDivisionError)
    words = re.search(r"about (.*) on two idle cores", done.stderr)
    assert words
    minutes = sum(seconds(monkeypatch, LIKELIHOOD, *(teachers or UNASKED)).values()) / 60
    assert IN_MINUTES[words[1]] == pytest.approx(minutes, rel=0.2)
