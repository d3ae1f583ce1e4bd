"""`kg critic judge`: by keys on a terminal and by characters from a pipe; nothing lost at any end."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg import interrupts
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import put_tasks
from kg.graph.turns import Drawn, read_turns
from kg.identity import head_id, tail_id
from kg.model import Assertion, Triple
from kg.run import Run

KG = [sys.executable, "-c", "from kg.cli import main; main()"]
BATCH = Run("sample", dataset="b")
TRIPLES = [
    Triple("PersonX naps", "xWant", "to rest"),
    Triple("PersonX naps", "xAttr", "\x1b[2Jtired\u202e"),
    Triple("PersonX wakes up.", "xWant", "to eat"),
    Triple("PersonX eats", "HinderedBy", "there is no food."),
]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def drawn(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """A graph with a batch of four triples, in their order."""
    graph.add([Assertion(one) for one in TRIPLES], begun)
    put_tasks(graph, BATCH, [Drawn(head_id(one), one.relation, tail_id(one)) for one in TRIPLES], wanted=1)
    return graph


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> tuple[dict[str, str], Path]:
    return environment | {"PYTHONPATH": str(Path(__file__).parents[2])}, tmp_path


def judge(
    command: tuple[dict[str, str], Path], keys: str, *options: str, name: str = "ann"
) -> subprocess.CompletedProcess[str]:
    environment, folder = command
    words = [*KG, "critic", "judge", "--annotator", name, *options]
    return subprocess.run(
        words, input=keys, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def said(graph: KnowledgeGraph) -> dict[Triple, int]:
    return {one.triple: one.value for one in graph.judgements()}


def test_keys_from_a_pipe_are_verdicts_in_the_order_of_the_batch(
    drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]
) -> None:
    done = judge(command, "1\n2 3\n5")
    assert (done.returncode, done.stderr) == (0, "")
    assert said(drawn) == dict(zip(TRIPLES, (2, 1, -1, -9), strict=True))
    lines = done.stdout.splitlines()
    assert "  PersonX naps and afterwards PersonX would like to rest." in lines
    assert "  What would PersonX like to do next? to rest" in lines
    assert "  PersonX wakes up and afterwards PersonX would like to eat." in lines
    assert "  PersonX eats unless it is prevented because there is no food." in lines
    assert lines[-1] == "4 judged by you, 0 left for you; 4 of 4 by all"
    assert "\x1b" not in done.stdout
    assert r"\x1b[2Jtired\u202e" in done.stdout


def test_skip_undo_note_and_quit(drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]) -> None:
    done = judge(command, "us1nnot quite: 1 of 2\n2u1u3xq4")
    assert done.returncode == 0
    assert said(drawn) == {TRIPLES[1]: 2, TRIPLES[2]: -1}
    assert "nothing to undo" in done.stdout
    assert "no such key" in done.stdout
    found = tasks.progress(drawn, BATCH.id, "ann")
    assert (found.mine, found.skipped, found.left) == (2, 1, 1)
    logs = [[(turn.what, turn.note) for turn in read_turns(row["log"])]
            for row in sorted(drawn.task_rows(), key=lambda row: row["place"])]  # fmt: skip
    assert logs == [
        [("skipped", "")],
        [("2", "")],
        [("1", "not quite: 1 of 2"), ("back", ""), ("2", ""), ("back", ""), ("-1", "")],
        [],
    ]
    assert tasks.next_task(drawn, BATCH.id, "bob") is not None, "nothing is held after quitting"


def test_what_was_judged_is_not_asked_again_and_the_last_can_be_undone(
    drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]
) -> None:
    assert judge(command, "11").returncode == 0
    done = judge(command, "22u4", "--batch", "b")
    assert "Nothing is left for you" in done.stdout
    assert said(drawn) == dict(zip(TRIPLES, (2, 2, 1, -2), strict=True))
    again = judge(command, "")
    assert again.returncode == 1
    assert "kg: all that was drawn is judged or skipped for ann" in again.stderr
    other = judge(command, "1", "--batch", BATCH.id, name="bob")
    assert "Nothing is left for you" in other.stdout


def test_nobody_sees_what_would_tell_how_a_triple_came_here(
    drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]
) -> None:
    drawn.store.run("MATCH ()-[r:xWant]->() SET r.score = 0.123, r.critic = 'critic-1', r.accepted = true")
    drawn.store.run("MATCH (t:Task) SET t.probability = 0.0625, t.control = 'gold'")
    done = judge(command, "1234")
    for word in ("0.123", "critic-1", "accepted", "0.0625", "gold", "teacher", "load"):
        assert word not in done.stdout, word


def test_a_note_that_cannot_be_kept_is_asked_for_again(
    drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]
) -> None:
    done = judge(command, f"n{'x' * 2000}\n1nfine\n2q")
    assert "at most 1,000 are kept; once more" in done.stdout
    assert said(drawn) == {TRIPLES[0]: 1}


@pytest.mark.parametrize("options", [["--batch", "nothing"], ["--annotator", "a\tb"]])
def test_what_is_not_there_is_named_in_a_line(
    drawn: KnowledgeGraph, command: tuple[dict[str, str], Path], options: list[str]
) -> None:
    done = judge(command, "1", *options)
    assert done.returncode == 1
    assert done.stderr.startswith("kg: ")
    assert done.stderr.count("\n") == 1
    assert not said(drawn)


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, command: tuple[dict[str, str], Path]) -> None:
        environment, folder = command
        self._ours, theirs = pty.openpty()
        words = [*KG, "critic", "judge", "--annotator", "ann"]
        self.process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until a text is shown, from what was not read yet on."""
        end = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < end, (text, self.shown)
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self._ours, 10_000).decode("utf-8", "replace")
                except OSError:
                    break
        assert text in self.shown, self.shown
        self.shown = self.shown.partition(text)[2]

    def press(self, keys: str) -> None:
        for _ in range(600):  # until the terminal listens to single keys
            if not termios.tcgetattr(self._ours)[3] & termios.ICANON:
                break
            time.sleep(0.1)
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Wait for the end; return the status."""
        try:
            return self.process.wait(60)
        finally:
            os.close(self._ours)


@pytest.fixture
def terminal(drawn: KnowledgeGraph, command: tuple[dict[str, str], Path]) -> Iterator[Terminal]:
    assert drawn
    opened = Terminal(command)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
            opened.process.wait()


def test_on_a_terminal_a_key_is_a_verdict_at_once_and_arrows_are_none(
    terminal: Terminal, drawn: KnowledgeGraph
) -> None:
    terminal.wait_for("would like to rest.")
    terminal.press("1")
    terminal.wait_for("tired")
    assert said(drawn) == {TRIPLES[0]: 2}, "it is in the graph before the next triple is shown"
    terminal.press("\x1b[A")
    terminal.wait_for("no such key")
    terminal.press("2")
    terminal.wait_for("would like to eat.")
    terminal.press("q")
    assert terminal.end() == 0
    assert said(drawn) == {TRIPLES[0]: 2, TRIPLES[1]: 1}


@pytest.mark.parametrize("how", ["key", "signal", "kill"])
def test_an_interrupt_or_a_kill_between_two_verdicts_loses_nothing(
    terminal: Terminal, drawn: KnowledgeGraph, command: tuple[dict[str, str], Path], how: str
) -> None:
    terminal.wait_for("would like to rest.")
    terminal.press("1")
    terminal.wait_for("tired")
    if how == "key":
        terminal.press("\x03")
    else:
        terminal.process.send_signal(signal.SIGINT if how == "signal" else signal.SIGKILL)
    if how != "kill":
        terminal.wait_for("interrupted")
    assert terminal.end() == (-signal.SIGKILL if how == "kill" else interrupts.STATUS)
    assert said(drawn) == {TRIPLES[0]: 2}
    assert judge(command, "345").returncode == 0
    assert said(drawn) == dict(zip(TRIPLES, (2, -1, -2, -9), strict=True))
