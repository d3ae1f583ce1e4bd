"""What a long step says of itself where stderr is no terminal."""

import io
import re
import subprocess
import sys
import time

import pytest

from kg import progress

STEP = """
import time
from kg import progress
progress._LINE_SECONDS = 0.2
with progress.Bar(total=100, desc="train", unit="step", leave=False) as bar:
    for _ in range(100):
        time.sleep(0.01)
        bar.update()
"""


def test_a_pipe_gets_lines_that_say_how_much_is_done_and_left() -> None:
    begun = time.monotonic()
    said = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=True).stderr
    assert "\r" not in said
    lines = said.splitlines()
    assert 2 <= len(lines) <= 2 + (time.monotonic() - begun) / 0.2
    form = r"train: \d+ of 100 step, \d\d:\d\d passed, (\d\d:\d\d|\?) left"
    assert all(re.fullmatch(form, line) for line in lines), said


def test_what_is_over_at_once_says_nothing_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in progress.Bar(range(1000), desc="quick"):
        pass
    assert capfd.readouterr().err == ""


def test_a_bar_that_does_not_say_what_it_counts_is_drawn_on_a_terminal_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    for options in ({"unit": "edges"}, {}):
        for _ in progress.Bar(range(3), desc="quick", **options):
            pass
    assert "3/3" in terminal.getvalue()
    assert "edges/s" in terminal.getvalue()


def test_a_count_without_an_end_has_no_time_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with progress.Bar(desc="score", unit="edges") as bar:
        bar.update(1500)
    last = capfd.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"score: 1500 edges, \d\d:\d\d passed", last)


def test_a_pipe_gets_the_last_state_once(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with progress.Bar(total=2, unit="requests") as bar:
        for _ in range(2):
            bar.update()
    for _ in progress.Bar(range(2), unit="requests"):
        pass
    said = capfd.readouterr().err
    assert said.count("2 of 2 requests") == 2, said  # once for each bar


def test_what_changed_since_the_last_line_is_said_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with progress.Bar(total=2, unit="requests") as bar:
        bar.update(2)
        bar.set_postfix_str("1 failed", refresh=False)
    assert capfd.readouterr().err.splitlines()[-1].endswith(", 1 failed")


WAIT = """
import time
from kg import progress
progress._LINE_SECONDS = 0.2
with progress.showing("unpack") as show:
    time.sleep(0.5)
    show("wri\x1bte")
"""


def test_a_step_that_counts_nothing_says_at_once_what_it_is_and_then_that_it_goes_on() -> None:
    begun = time.monotonic()
    said = subprocess.run([sys.executable, "-c", WAIT], capture_output=True, text=True, check=True).stderr
    lines = [line.split(", ")[0] for line in said.splitlines()]
    assert lines[0] == "unpack"
    assert 2 <= lines.count("unpack") <= 2 + (time.monotonic() - begun) / 0.2
    assert lines[-1] == r"wri\x1bte"
    assert all(re.fullmatch(r".*, \d\d:\d\d passed", line) for line in said.splitlines())


def test_a_bar_within_another_moves_no_cursor_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with progress.Bar(desc="accept", unit="edges") as outer, progress.Bar(desc="embed", unit="phrases") as inner:
        inner.update(3)
        outer.update(2)
    said = capfd.readouterr().err
    assert "embed: 3 phrases" in said
    assert "x1b" not in said
