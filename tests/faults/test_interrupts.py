"""Ctrl-C and odd ends of a command: one line, whatever the moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_core import SchemaError

from kg import cli, interrupts
from kg.server.server import Server
from tests.conftest import Kg
from tests.repeats import IS_THOROUGH, often, only_thorough, spread

pytestmark = pytest.mark.timeout(900)
KG = [sys.executable, "-c", "from kg.cli import main; main()"]
LASTING = (
    ["critic", "train", "--kind", "blend", "--encoder", "encoder"],
    ["ingest", "load", "many.tsv", "--format", "atomic2020"],
    ["export", "rdf", "out.ttl"],  # of what the loads before have left
)
FRACTIONS = spread((0.2, 0.35, 0.5, 0.65, 0.8, 0.9), 1)
"""Of the time that a command takes on this machine as it is now, or of the first seconds of one that takes longer."""
LONGEST = often(1, 2)


class Interrupted:
    """A command, and an interrupt after some seconds.

    Attributes:
        seconds: how long it took.
        hit: whether the interrupt came while it ran, and not while Python itself was still starting.
    """

    def __init__(self, arguments: list[str], after: float, environment: dict[str, str], folder: Path) -> None:
        begun = time.monotonic()
        command = subprocess.Popen(
            [*KG, *arguments], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            _, err = command.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            command.send_signal(signal.SIGINT)
            _, err = command.communicate(timeout=300)
        self.seconds = time.monotonic() - begun
        self.hit = "kg: interrupted" in err
        if "Traceback" in err:  # Python itself was still starting
            assert not self.hit
            assert "kg/" not in err, (arguments, after, err)
        elif self.hit:
            assert command.returncode == interrupts.STATUS
            assert err.count("kg: ") == 1
        else:
            assert command.returncode in (0, -signal.SIGINT), (arguments, after, err)  # over, or not yet Python


@pytest.mark.usefixtures("graph")
@only_thorough
def test_an_interrupt_is_a_line_at_any_moment_of_any_command(
    kg: Kg, environment: dict[str, str], tmp_path: Path, encoder: Path
) -> None:
    few = [f"PersonX sees thing {place}\txReact\tto act on {place}" for place in range(240)]
    many = (f"PersonX sees thing {place}\txWant\tto do {place}" for place in range(200_000))
    judged = (f"{row}\t{2 if place % 5 else -1}\trater" for place, row in enumerate(few))
    for name, rows in (("few", few), ("many", many), ("judged", ["head\trelation\ttail\tvalue\tannotator", *judged])):
        (tmp_path / f"{name}.tsv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "encoder").symlink_to(encoder)
    kg("ingest", "load", "few.tsv", "--format", "atomic2020")
    kg("critic", "import-judgements", "judged.tsv")
    hits = []
    for arguments in LASTING:
        seconds = min(LONGEST, Interrupted(arguments, LONGEST, environment, tmp_path).seconds)
        hits.append(sum(Interrupted(arguments, part * seconds, environment, tmp_path).hit for part in FRACTIONS))
    assert sum(hits) >= 0.5 * len(LASTING) * len(FRACTIONS)
    assert all(hits) or not IS_THOROUGH, hits


def test_an_error_that_a_library_made_of_an_interrupt_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        try:
            raise KeyboardInterrupt  # noqa: TRY301
        except KeyboardInterrupt as error:
            raise ImportError("cannot import torch") from error

    monkeypatch.setattr(cli, "guard", lambda: None)  # these streams are pytest's
    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == interrupts.STATUS
    assert capsys.readouterr().err == "kg: interrupted; the same command does what is left, or all of it again\n"


def test_a_second_interrupt_ends_what_waits_for_the_first() -> None:
    code = (
        "import signal\nfrom kg.interrupts import put_off\nwith put_off():\n"
        "    signal.raise_signal(signal.SIGINT)\n    print('goes on', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n    print('never', flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (interrupts.STATUS, "goes on\n", "kg: interrupted\n")


def test_an_interrupt_waits_for_a_native_library_that_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(interrupts, "_NATIVE", {"native_library"})
    monkeypatch.syspath_prepend(tmp_path)
    lines = (
        "import os, signal",
        "os.kill(os.getpid(), signal.SIGINT)",
        "sum(range(1000))",
        "whole = open(__file__ + '.whole', 'w').close()",
    )
    (tmp_path / "native_library.py").write_text("\n".join(lines))
    with interrupts.none_lost(), pytest.raises(KeyboardInterrupt):
        import native_library  # type: ignore[import-not-found] # noqa: F401, PLC0415
    assert (tmp_path / "native_library.py.whole").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)


def test_an_interrupt_that_pydantic_made_a_text_of_is_one() -> None:
    def fails(words: str) -> Exception:
        error = RuntimeError("the answer cannot be read")
        error.__context__ = SchemaError(f"Error building `literal` serializer: {words}:")
        return error

    assert interrupts.is_interrupt(fails("KeyboardInterrupt"))
    assert not interrupts.is_interrupt(fails("ValueError"))
    assert not interrupts.is_interrupt(RuntimeError("KeyboardInterrupt"))


def test_an_interrupt_in_a_destructor_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Tidied:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def works() -> None:
        Tidied()
        time.sleep(200)

    monkeypatch.setattr(cli, "guard", lambda: None)  # these streams are pytest's
    monkeypatch.setattr(cli, "app", works)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a process of pytest-xdist ignores
    begun = time.monotonic()
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert stop.value.code == interrupts.STATUS
    assert capsys.readouterr().err == "kg: interrupted; the same command does what is left, or all of it again\n"
    assert time.monotonic() - begun < 100


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/w/runs/x/run.json"),
         "cannot use /w/runs/x/run.json: No space left on device; make room there"),
        (OSError(28, "No space left on device"), "cannot use a file below"),
        (OSError(30, "Read-only file system", "/w"), "cannot use /w: Read-only file system"),
        (OSError(36, "File name too long", "/w/a"), "cannot use /w/a: File name too long"),
        (MemoryError(), "too little memory"),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError: maximum recursion depth"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "is no Unicode"),
        (ZeroDivisionError("first\nsecond"), "ZeroDivisionError: first (kg --debug shows where"),
    ],
)  # fmt: skip
def test_any_error_is_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "guard", lambda: None)  # these streams are pytest's
    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    line = capsys.readouterr().err
    assert line.startswith("kg: ")
    assert said in line
    assert line.count("\n") == 1
    monkeypatch.setenv("KG_DEBUG", "1")
    with pytest.raises(type(error)):
        cli.main()


def test_a_reader_that_wants_no_more_ends_the_command_quietly(environment: dict[str, str]) -> None:
    command = subprocess.Popen(
        [*KG, "query"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout
    command.stdout.close()
    assert command.stderr
    assert command.stderr.read() == ""
    command.wait(60)


@only_thorough
@pytest.mark.usefixtures("graph")
def test_a_text_that_is_no_unicode_is_one_line(kg: Kg) -> None:
    for arguments in (["query", "MATCH (n {text: '\udcff'}) RETURN n"], ["query", "why", "--param", "event=\udcff"]):
        assert "half of a surrogate pair" in kg(*arguments, status=1).stderr


@pytest.fixture
def full_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home" / "runs"
    folder.mkdir(parents=True)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        (folder / "ballast").write_bytes(b"x" * 60_000)
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


@pytest.mark.usefixtures("graph")
@only_thorough
def test_a_full_disk_below_runs_is_one_line_with_the_path(kg: Kg, tmp_path: Path, full_folder: Path) -> None:
    (tmp_path / "rows.tsv").write_text("PersonX naps\txWant\tto rest\n" + f"{'bad ' * 80}\n" * 400)
    done = kg("ingest", "load", "rows.tsv", "--format", "atomic2020", status=1)
    said = [line for line in done.stderr.splitlines() if line.startswith("kg: ")]
    assert len(said) == 1
    assert str(full_folder) in said[0]
    assert "No space left on device; make room there" in said[0]


@only_thorough
def test_the_server_survives_the_interrupt_of_the_command_that_started_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "server")
    try:
        environment = os.environ | {"KG_HOME": str(tmp_path)}
        command = subprocess.Popen([*KG, "stats"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while server.status().state == "stopped":
            assert command.poll() is None, command.communicate()
            time.sleep(0.1)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=300)
        assert b"Traceback" not in err
        assert command.returncode == interrupts.STATUS, err
        assert not server.start().started
    finally:
        server.stop()
