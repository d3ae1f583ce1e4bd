"""A server that dies, runs out of memory or of disk: what the commands say, and that the next one goes on."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.server.server import Server
from tests import command
from tests.repeats import only_thorough
from tests.server.test_server import pid_of

pytestmark = pytest.mark.timeout(900)
DISK_MB = 1150


def kg(home: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as said:  # the disk of the home may be full
        done = command.run(arguments, os.environ | {"KG_HOME": str(home)}, home.parent, Path(said) / "said")
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def edges(home: Path) -> int:
    out, _ = kg(home, "query", "MATCH ()-[r]->() WHERE r.runs IS NOT NULL RETURN count(r) AS n", "--json")
    return int(out.split(":")[1].strip(" }\n"))


def rows(path: Path, number: int) -> Path:
    lines = (f"PersonX sees thing {place // 4}\txWant\tto do {place} {place % 4}\n" for place in range(number))
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose server each test brings to an end that is not its own."""
    home = tmp_path_factory.mktemp("ended") / "home"
    yield home
    Server(home / "server").stop()


@only_thorough
def test_a_server_that_dies_in_the_middle_of_a_command_is_one_sentence_and_the_next_one_starts_it(
    home: Path, tmp_path: Path
) -> None:
    file = str(rows(tmp_path / "rows.tsv", 300_000))
    kg(home, "stats")
    server = Server(home / "server")
    environment = os.environ | {"KG_HOME": str(home)}
    load = command.start(
        ["ingest", "load", file, "--format", "atomic2020"], environment, tmp_path, tmp_path / ".killed"
    )
    while not (home / "runs").exists():
        assert load.is_alive()
        time.sleep(0.05)
    time.sleep(2)
    os.kill(pid_of(server), signal.SIGKILL)
    load.join(300)
    err = (tmp_path / ".killed.err").read_text(encoding="utf-8")
    assert load.exitcode == 1
    said = [line for line in err.splitlines() if line.startswith("kg:")]
    assert said == [
        "kg: the private Neo4j ended in the middle of this command; run the same command again, which starts it again"
    ], err
    assert "Traceback" not in err
    _, err = kg(home, "stats")
    assert "Started the private Neo4j" in err


@only_thorough
def test_a_server_that_ran_out_of_memory_says_so_and_comes_back(home: Path) -> None:
    kg(home, "stats")
    hungry = "RETURN size(reduce(s = 'xxxxxxxx', i IN range(1, 28) | s + s)) AS n"
    _, err = kg(home, "query", hungry, "--timeout", "120", status=1)
    assert err.count("kg: ") == 1
    if Server(home / "server").status().state == "stopped":
        assert "ran out of memory; run the same command again" in err
        assert "Started the private Neo4j" in kg(home, "stats")[1]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if not mount or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        Server(folder / "home" / "server").stop()
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - found beside mount


def fill(disk: Path, left_mb: int) -> Path:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - left_mb * 2**20))
    return ballast


@only_thorough
def test_a_full_disk_is_said_and_with_room_again_nothing_acknowledged_is_lost(disk: Path, tmp_path: Path) -> None:
    home = disk / "home"
    kg(home, "ingest", "load", str(rows(tmp_path / "few.tsv", 1_000)), "--format", "atomic2020")
    file = str(rows(tmp_path / "many.tsv", 400_000))
    ballast = fill(disk, 25)
    _, err = kg(home, "ingest", "load", file, "--format", "atomic2020", status=1)
    assert f"the disk of the private Neo4j is full: Neo4j needs 200 MB of free disk and {home / 'server'} has" in err
    _, err = kg(home, "stats", status=1)
    assert "needs 200 MB of free disk" in err
    ballast.unlink()
    assert edges(home) >= 1_000
    _, err = kg(home, "stats")
    assert err == "", "it is as it was"
