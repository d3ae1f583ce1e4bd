"""Ctrl-C at several moments of each command that asks a teacher: one line, with the command that goes on."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg import interrupts
from kg.store.bolt import Store
from tests import command as commands
from tests.conftest import empty
from tests.repeats import only_thorough, spread
from tests.teacher.provider import Provider

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("graph")]
MOMENTS = spread((0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 1.8), 2)
"""Seconds after the first sign of the work."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(0.15) as opened:
        yield opened


def interrupted(
    arguments: list[str], environment: dict[str, str], folder: Path, provider: Provider, moment: float
) -> str | None:
    """What a command says that is interrupted a while after its first word to the provider; None if it was over."""
    before = len(provider.asked)
    process = commands.start(arguments, environment, folder, folder / ".said")
    deadline = time.monotonic() + 120
    while len(provider.asked) == before and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(moment)
    os.kill(process.pid, signal.SIGINT) if process.is_alive() else None
    process.join(120)
    said = (folder / ".said.err").read_text(encoding="utf-8")
    assert "Traceback" not in said, (moment, said)
    assert "Error" not in said, (moment, said)
    assert "never retrieved" not in said, (moment, said)
    if process.exitcode == 0:
        return None
    assert process.exitcode == interrupts.STATUS, (moment, said)
    lines = [line for line in re.split(r"[\r\n]", said) if line.startswith("kg: ")]
    assert len(lines) == 1, (moment, said)
    return lines[0]


@only_thorough
@pytest.mark.parametrize("what", ["events", "inferences"])
def test_an_interrupt_while_a_teacher_is_asked_is_a_line_with_the_command_that_goes_on(
    provider: Provider, environment: dict[str, str], tmp_path: Path, what: str
) -> None:
    (tmp_path / "events.txt").write_text("\n".join(provider.events[:200]), encoding="utf-8")
    told = []
    for place, moment in enumerate(MOMENTS):
        own = ["--count", "4000", "--samples", "5"] if what == "events" else ["--events", "events.txt"]
        arguments = ["ingest", what, *own, "--model", "gpt-4o-mini", "--base-url", provider.url, "--yes"]
        limits = ["--in-flight", "8", "--seed", str(place), "--budget", "5"]
        told.append(interrupted([*arguments, *limits], environment, tmp_path, provider, moment))
    assert sum(line is not None for line in told) >= len(MOMENTS) - 1
    for line in filter(None, told):
        assert re.fullmatch(
            rf"kg: interrupted; kg ingest resume {what}-[0-9a-f]{{12}} --budget 5 goes on where it stopped", line
        )


@only_thorough
def test_an_interrupt_while_a_batch_is_collected_is_a_line_with_the_command_that_goes_on(
    provider: Provider, environment: dict[str, str], tmp_path: Path, store: Store
) -> None:
    (tmp_path / "events.txt").write_text("\n".join(provider.events[:300]), encoding="utf-8")

    def kg(*arguments: str) -> str:
        done = commands.run(arguments, environment, tmp_path, tmp_path / ".said")
        assert done.returncode == 0, done.stderr
        return done.stdout

    asked = ("--events", "events.txt", "--model", "m", "--base-url", provider.url, "--samples", "10", "--dry-run")
    run = kg("ingest", "inferences", *asked).split("Run ", 1)[1].split(":", 1)[0]
    kg("ingest", "batch", "submit", run, "--yes")
    told = []
    for moment in MOMENTS:
        home = shutil.copytree(environment["KG_HOME"], tmp_path / f"home-{moment}")  # nothing of it is collected
        empty(store)
        mine = environment | {"KG_HOME": str(home)}
        told.append(interrupted(["ingest", "batch", "collect", run], mine, tmp_path, provider, moment))
    goes_on = f"kg: interrupted; kg ingest batch collect {run} goes on where it stopped"
    assert set(told) <= {None, goes_on}
    assert told.count(goes_on) >= len(MOMENTS) // 2
    environment["KG_HOME"] = str(home)
    kg("ingest", "batch", "collect", run)
