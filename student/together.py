"""Processes that train one student together, seen from the command line: who this one is, and who is started.

Under `accelerate launch` (or `torchrun`, or `mpirun`) every process runs the same command. The first one does what
the command does; the others train along and know nothing of the graph. `--processes N` starts the others on this
machine: they find the first one by a file in a folder of its owner's, speak over the loopback interface alone, and
end with it.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kg.errors import InputError, ProcessLost
from kg.terminal import say
from kg.threads import allowed

_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_NUMBERS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # as accelerate looks for them
_MEETING = "meeting"
_START_SECONDS = 300.0  # until a process has imported its libraries
_LOOK_SECONDS = 0.05
_PROGRAM = "import sys; sys.path[:] = {path!r}; from student.together import main; main(*sys.argv[1:])"


def launched() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many a launcher started: 0 and 1 without one."""
    found = [next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), None)
             for names in (_NUMBERS, _SIZES)]  # fmt: skip
    number, size = found
    return (number, size) if number is not None and size is not None and size > 1 else (0, 1)


def train_along() -> None:
    """Be a process that a launcher started beside the first one; end with status 1 where something went wrong."""
    from student.generator import lesson, team, training  # noqa: PLC0415 - takes seconds

    with team.joined(None, *launched()):
        fine = lesson.train_along(training.train_generator)
    if not fine:
        sys.exit(1)


@contextmanager
def together(processes: int) -> Iterator[None]:
    """Train in several processes what is trained meanwhile: as many as a launcher started, or as are started here.

    Args:
        processes: to be started on this machine, with this one; 1 starts none.

    Raises:
        InputError: a launcher has started some already.
        ProcessLost: one of them has ended.
    """
    _, size = launched()
    if processes > 1 and size > 1:
        raise InputError("a launcher has started several processes already; leave out --processes")
    if max(processes, size) == 1:
        yield
        return
    if size > 1:
        with _taught(None, size):
            yield
        return
    with TemporaryDirectory(prefix="kg-") as folder, _set(environment(0, processes)):
        others = [_start(Path(folder), other, processes) for other in range(1, processes)]
        try:
            _wait(Path(folder), others)
            with _taught(Path(folder) / _MEETING, processes):
                yield
            for other in others:
                other.wait()
        except ProcessLost as error:
            raise ProcessLost(f"{_who(others)}; {str(error).partition('; ')[2]}") from error
        finally:
            for other in others:
                other.kill()
                other.communicate()


def main(folder: str, number: str, processes: str) -> None:
    """Be a process that `--processes` started: train along, and end with the first one."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        from student.generator import lesson, team, training  # noqa: PLC0415 - takes seconds

        (Path(folder) / number).touch()
        with team.joined(Path(folder) / _MEETING, int(number), int(processes)):
            fine = lesson.train_along(training.train_generator)
    except Exception as error:  # noqa: BLE001 - whatever it is, one line says it
        why = next(iter(str(error).splitlines()), "")
        say(f"kg: process {int(number) + 1} of {processes}: {type(error).__name__}: {why}", err=True)
        fine = False
    if not fine:
        sys.exit(1)


@contextmanager
def _taught(meeting: Path | None, processes: int) -> Iterator[None]:
    """Be the first of the processes, which has lessons for the others."""
    from student.generator import lesson, team  # noqa: PLC0415 - takes seconds

    with team.joined(meeting, 0, processes):
        yield
        lesson.end()


def environment(number: int, processes: int) -> dict[str, str]:
    """Return what a process has to know of itself, as launchers tell it."""
    threads = str(max(1, allowed() // processes))
    return {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or threads,
    }


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start(folder: Path, number: int, processes: int) -> "subprocess.Popen[bytes]":
    code = _PROGRAM.format(path=sys.path)
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-I", "-c", code, str(folder), str(number), str(processes)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=os.environ | environment(number, processes),
        start_new_session=True,
    )  # fmt: skip


def _wait(folder: Path, others: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Wait until the others have imported their libraries.

    Raises:
        ProcessLost: one has ended, or takes too long.
    """
    began = time.monotonic()
    while not all((folder / str(other)).exists() for other in range(1, len(others) + 1)):
        if any(other.poll() is not None for other in others) or time.monotonic() - began > _START_SECONDS:
            raise ProcessLost("a process did not begin; see what it said, or leave out --processes")
        time.sleep(_LOOK_SECONDS)


def _who(others: "Sequence[subprocess.Popen[bytes]]") -> str:
    """Return which of the processes has ended, and how."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:  # it is gone a moment before the system says so
        for number, other in enumerate(others, 2):
            if (status := other.poll()) is not None:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                return f"process {number} of {len(others) + 1}, which trained along, has ended {how}"
        time.sleep(_LOOK_SECONDS)
    return "a process that trains along is out of reach"


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by `sys.stdin`, whose lock would still be held when the interpreter ends
        pass
    os._exit(1)
