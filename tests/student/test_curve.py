"""The loss of a training: while it goes on, in the report and on the card."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kg import progress
from kg.model import Triple
from student.card import model_card
from student.curve import blocks, in_parts, loss_lines
from student.files import read_json
from student.interface import Student
from student.kinds import KINDS
from student.metrics import bilinear

Train = Callable[..., Student]
LINE = r"{}: \d+ of \d+ steps, \d\d:\d\d passed, (\d\d:\d\d|\?) left, [\d,]+ {}/s, loss \d+\.\d{{3}}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_how_fast_it_learns_with_which_loss_and_how_long_yet(
    kind: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    train(kind, tmp_path / "student", epochs=4)
    counted = {"generator": "tokens"}.get(kind, "tails")
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("train the")]
    assert re.fullmatch(LINE.format(f"train the {kind}", counted), said[-1])


def test_a_classifier_of_triples_says_it_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], eight: list[Triple]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    bilinear.train_bilinear([(one.head, one.relation, one.tail) for one in eight], epochs=2)
    assert re.fullmatch(LINE.format("train the classifier", "triples"), capfd.readouterr().err.splitlines()[-1])


def test_the_shown_loss_is_of_the_last_steps_and_the_rate_of_all(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    clock = iter([0.0, *range(10, 100)])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.Bar(total=2, desc="train", unit="steps") as bar:
        bar.learn(5_000, 4.0)
        bar.learn(17_000, 2.0)
    assert capfd.readouterr().err.splitlines()[-1].endswith(", 2,000 tokens/s, loss 3.900")


def test_parts_are_means_of_steps_and_none_is_lost() -> None:
    assert in_parts([]) == []
    assert in_parts([float(number // 2) for number in range(48)]) == [float(number) for number in range(24)]
    losses = [float(number) for number in range(100)]
    assert len(in_parts(losses)) == 24
    assert in_parts(losses) == sorted(in_parts(losses))


def test_a_line_of_blocks_falls_as_the_loss_does() -> None:
    assert blocks([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]) == "█▇▆▅▄▃▂▁"


def test_passes_are_a_table_with_the_best_one_and_not_too_many() -> None:
    held = [9.0 - number if number < 20 else number for number in range(30)]
    found = loss_lines(
        {"loss": [float(30 - n) for n in range(30)], "curve": [3.0, 1.0], "held_out_loss": held, "best": 20}
    )
    assert found[0] == "Loss of the training: 3.000 █▁ 1.000"
    rows = found[4:]
    assert rows[0] == "| 1 | 30.000 | 9.000 |"
    assert rows[-1].startswith("| 30 | 1.000 |")
    assert "| 20 | 11.000 | -10.000, the best |" in rows
    assert 8 <= len(rows) <= 9


@pytest.mark.parametrize(
    "metrics", [{}, {"loss": [2.0]}, {"loss": "much", "curve": [None]}, {"loss": [], "curve": [1.0]}]
)
def test_a_student_that_knows_no_curve_has_none(metrics: dict[str, object]) -> None:
    assert loss_lines(metrics) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_draws_the_loss(kind: str, memorised: dict[str, tuple[Student, Path]]) -> None:
    _, folder = memorised[kind]
    curve = read_json(folder / "metrics.json")["curve"]
    assert f"Loss of the training: {curve[0]:.3f} {blocks(curve)} {curve[-1]:.3f}" in model_card(folder, name="mine")
