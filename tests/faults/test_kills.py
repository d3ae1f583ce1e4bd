"""Killing client or server at any moment, and running again, ends with the same graph as an undisturbed run."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from kg.server.server import Address
from kg.store.bolt import Store
from tests.conftest import empty
from tests.faults.conftest import Loop
from tests.repeats import only_thorough

pytestmark = [only_thorough, pytest.mark.timeout(1800)]  # a dozen runs of the loop

Loops = Callable[..., Loop]
STEPS = tuple(f"{number}/7" for number in range(1, 8))


class Undisturbed(NamedTuple):
    """What the loop comes to, and how many seconds each step takes."""

    picture: dict[str, object]
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def undisturbed(loops: Loops, address: Address, store: Store) -> Undisturbed:
    """What the loop comes to, on the server that all tests of this process share."""
    empty(store)
    loop = loops(address)
    seconds = loop.run()
    first = loop.picture()
    loop.run()
    assert loop.picture() == first, "a second run changes nothing"
    assert all(first.values())
    return Undisturbed(first, seconds)


@pytest.fixture
def private(loops: Loops) -> Iterator[Loop]:
    loop = loops()
    try:
        yield loop
    finally:
        loop.server.stop()


def kill_in(loop: Loop, step: str, delay_seconds: float, victim: str) -> bool:
    """Start the loop, kill client or server a moment after it says a step; tell whether that hit it in this step."""
    process = loop.start()
    while process.is_alive() and loop.step not in (step, "done"):
        time.sleep(0.005)
    deadline = time.monotonic() + delay_seconds
    while loop.step == step and time.monotonic() < deadline:
        time.sleep(0.005)
    if victim == "client":
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"it had ended before: {loop.errors}"
    else:
        os.kill(loop.server.status().pid, signal.SIGKILL)
        process.join(600)
        assert process.exitcode == 1, "the client noticed"
    return loop.step == step


def test_a_client_that_is_killed_again_and_again_ends_with_the_same_graph(
    loops: Loops, address: Address, store: Store, undisturbed: Undisturbed
) -> None:
    empty(store)
    loop = loops(address)
    draw = random.Random(3)
    hits = 0
    for step in STEPS:
        hits += kill_in(loop, step, draw.uniform(0, 0.2) * undisturbed.seconds[step], "client")
        assert loop.picture() != undisturbed.picture, "something is missing yet"
    assert hits >= len(STEPS) - 1, "on a busy machine a step may be over sooner than it was before"
    loop.run()
    assert loop.picture() == undisturbed.picture


def test_a_server_that_is_killed_is_one_line_and_costs_nothing(private: Loop, undisturbed: Undisturbed) -> None:
    for step in ("1/7", "3/7"):
        assert kill_in(private, step, 0.2 * undisturbed.seconds[step], "server")
        errors = private.errors.strip().splitlines()
        assert errors[-1].startswith("kg: ")
        assert "Traceback" not in "\n".join(errors)
    private.run()
    assert private.picture() == undisturbed.picture
