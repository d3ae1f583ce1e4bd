"""Killing client or server at any moment, and running again, ends with the same graph as an undisturbed run."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import Loop

pytestmark = pytest.mark.timeout(900)  # a dozen runs of the loop

Loops = Callable[[], Loop]


@pytest.fixture(scope="module")
def undisturbed(loops: Loops) -> Iterator[dict[str, object]]:
    loop = loops()
    try:
        loop.run()
        first = loop.picture()
        loop.run()
        assert loop.picture() == first, "a second run changes nothing"
        yield first
    finally:
        loop.server.stop()


@pytest.fixture
def loop(loops: Loops) -> Iterator[Loop]:
    loop = loops()
    try:
        yield loop
    finally:
        loop.server.stop()


def run_until(loop: Loop, step: str, delay_seconds: float, victim: str) -> str:
    """Start the loop, kill client or server a moment after it says a step; return what the client said last."""
    process = loop.start()
    while process.is_alive() and not any(line.startswith(step) for line in loop.said.splitlines()):
        time.sleep(0.02)
    time.sleep(delay_seconds)
    if victim == "client":
        process.kill()
    else:
        os.kill(loop.server.status().pid, signal.SIGKILL)
    process.join(200)
    return loop.errors


def test_a_client_that_is_killed_again_and_again_ends_with_the_same_graph(
    loop: Loop, undisturbed: dict[str, object]
) -> None:
    for step, delay_seconds in (
        ("1/7", 0.05),
        ("1/7", 0.8),
        ("2/7", 0.5),
        ("3/7", 0.3),
        ("4/7", 2.0),
        ("5/7", 0.5),
        ("7/7", 0.1),
    ):
        run_until(loop, step, delay_seconds, "client")
    loop.run()
    assert loop.picture() == undisturbed


def test_a_server_that_is_killed_is_one_line_and_costs_nothing(loop: Loop, undisturbed: dict[str, object]) -> None:
    for step, delay_seconds in (("1/7", 0.5), ("3/7", 0.1)):
        errors = run_until(loop, step, delay_seconds, "server").strip().splitlines()
        assert not errors or (errors[-1].startswith("kg: ") and "Traceback" not in "\n".join(errors)), errors
    loop.run()
    assert loop.picture() == undisturbed
