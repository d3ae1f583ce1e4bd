"""What is wide: pages that are computed by this process, or by Ray's workers, with the same results in the same order.

    pages ──▶ spread(pages, compute) ──▶ results, in the order of the pages

`here` computes one page after another in this process. `workers` gives a function of the same form that hands the pages
to a cluster of Ray, as blocks of a Ray Data set. Where a page begins and ends is never Ray's choice, and each worker
computes with one thread: so the results are those of one process with one thread, byte for byte. A page whose worker
died is computed again. Whoever takes the results is the only one that writes them anywhere, and while they are not
taken, no more than `_WINDOW_PAGES` pages are read or computed.
"""

import hashlib
import logging
import os
import pickle  # only between this process and workers of its own cluster, behind Ray's token
import secrets
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer
from more_itertools import chunked

from kg import __version__
from kg.errors import InputError, KGError, NotReady
from kg.interrupts import is_interrupt
from kg.workspace import Workspace

LOCAL = "local"
"""In the place of an address: a cluster of this machine, which begins and ends with the command."""

RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar=f"HOST:PORT|{LOCAL}", help="Let workers of Ray compute: of a cluster, or of this machine.",
        show_default=False,
    ),
]  # fmt: skip
"""The option of commands that compute what is wide."""

Page = TypeVar("Page")
Result = TypeVar("Result")

_WINDOW_PAGES = (
    64  # in the object store at once, as pages or as results; what does not fit goes to a file of the session
)
_STORE_BYTES = 200_000_000  # of shared memory
_RETRIES = 10  # of a page whose worker died each time: it may be the page that kills them
_START_SECONDS = 600  # that a busy machine may take for each part of a cluster
_LONGEST_FOLDER = 30  # letters; a socket's path below it may have 107
_ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 0.5  # between two looks at Ray's own process
_COLUMN = "pickled"
_TOKEN = secrets.token_hex(32)  # without which nobody speaks to a local cluster; Ray reads one for the whole process
_GONE = (
    "the cluster of Ray went away, or its workers died again and again; what is written stays, and the same command "
    "goes on from there, with --ray or without"
)

# All of the environment that a local cluster sees: keys and passwords have no place in it.
_PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV",
    "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
_SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # or Ray listens on all addresses, 127.0.0.1 asked for or not
    "RAY_COLOR_PREFIX": "0",
    "RAY_task_oom_retries": str(_RETRIES),
    "RAY_agent_register_timeout_ms": str(1_000 * _START_SECONDS),
}


class Spread(Protocol):
    """What computes pages."""

    def __call__(self, pages: Iterable[Page], compute: Callable[[Page], Result]) -> Iterator[Result]:
        """Yield the result of each page, in the order of the pages.

        Args:
            pages: taken a bounded number ahead of the results. They, `compute` and the results can be pickled.
            compute: called with each page, in any process; what it raises is raised here, in the page's turn.

        Raises:
            NotReady: the cluster went away.
        """
        ...


def here(pages: Iterable[Page], compute: Callable[[Page], Result]) -> Iterator[Result]:
    """Yield the result of each page, computed by this process when it is asked for."""
    return map(compute, pages)


@contextmanager
def workers(address: str | None, workspace: Workspace) -> Iterator[Spread]:
    """Yield what computes pages: `here` without an address, else a cluster of Ray.

    Args:
        address: `LOCAL` for a cluster of this machine with a worker for each of its processors, or the HOST:PORT of
            one that runs and that this machine is part of; there the same version of this software is installed.
        workspace: has the files of a local cluster's session while it lasts, where its path is short enough.

    Raises:
        NotReady: Ray is not installed, or the cluster cannot be reached or started.
        InputError: that is no address.
    """
    if address is None:
        yield here
        return
    host, _, port = address.rpartition(":")
    if address != LOCAL and not (host and port.isdecimal()):
        raise InputError(f"--ray takes {LOCAL}, or the HOST:PORT of a cluster of Ray, not {address[:80]!r}")
    if address != LOCAL:
        _check_answers(host, int(port))
    root = str(workspace.root) if len(str(workspace.root)) < _LONGEST_FOLDER else None
    with tempfile.TemporaryDirectory(prefix="ray-", dir=root, ignore_cleanup_errors=True) as folder:
        ray = _connect(address, Path(folder))
        try:
            with _watched(ray.get_runtime_context().get_node_id()):
                yield partial(_spread, ray)
        finally:
            ray.shutdown()


def _check_answers(host: str, port: int) -> None:
    """Refuse an address where nothing listens: Ray would try for minutes, and say so at length."""
    try:
        socket.create_connection((host, port), _ANSWER_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise NotReady(
            f"no cluster of Ray at {host}:{port}: {error}; without --ray this process does the same"
        ) from error


def _connect(address: str, folder: Path) -> Any:
    """Return Ray, connected to a cluster; what it starts sees only what `_PASSED_ON` names."""
    from kg.threads import allowed  # noqa: PLC0415 - imports psutil

    before = dict(os.environ)
    options: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "error",
        "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of Ray Data's own figures
    }  # fmt: skip
    if address == LOCAL:
        os.environ.clear()
        os.environ.update({name: before[name] for name in _PASSED_ON if name in before})
        os.environ.update({"OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN} | _SETTINGS)
        options |= {
            "num_cpus": allowed(), "num_gpus": 0, "include_dashboard": False, "object_store_memory": _STORE_BYTES,
            "_temp_dir": str(folder), "_node_ip_address": "127.0.0.1",
        }  # fmt: skip
    os.environ.update(quiet)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings that will change
            import ray  # noqa: PLC0415 - an extra, and a second
            import ray.data  # noqa: PLC0415

            logging.getLogger("ray.data").setLevel(logging.ERROR)  # after the import, which sets its own
            settings = ray.data.DataContext.get_current()
            settings.execution_options.preserve_order = True
            settings.enable_progress_bars = False
            ray.init(**options)
    except ImportError as error:
        raise NotReady("--ray needs Ray, which is not installed: pip install 'skd-graph[ray]'") from error
    except Exception as error:  # Ray has none of its own for this
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        where = (
            "on this machine" if address == LOCAL else f"at {address} (with RAY_AUTH_MODE and RAY_AUTH_TOKEN as there)"
        )
        raise NotReady(f"no cluster of Ray {where}: {reason}; without --ray this process does the same") from error
    finally:
        kept = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
        os.environ.clear()
        os.environ.update(before | kept)
    if address == LOCAL and ray.util.get_node_ip_address() != "127.0.0.1":
        ray.shutdown()
        raise NotReady("Ray would listen to other machines: it was imported before it was told not to")
    return ray


def _spread(ray: Any, pages: Iterable[Page], compute: Callable[[Page], Result]) -> Iterator[Result]:
    import pyarrow as pa  # noqa: PLC0415 - an extra second

    code = pickle.dumps((__version__, ray.cloudpickle.dumps(compute)))
    task = partial(_compute_table, name=hashlib.blake2b(code).hexdigest(), code=None)
    for window in chunked(pages, _WINDOW_PAGES):
        try:
            task.keywords["code"] = task.keywords["code"] or ray.put(code)
            tables = [pa.table({_COLUMN: [pickle.dumps(page)]}) for page in window]
            data = ray.data.from_arrow(tables).map_batches(
                task, batch_size=None, batch_format="pyarrow", num_cpus=1, max_retries=_RETRIES
            )
            for found in data.iter_batches(batch_size=None, batch_format="pyarrow"):
                for one in found[_COLUMN]:
                    result, error = pickle.loads(one.as_py())  # noqa: S301 - of our own workers
                    if error is not None:
                        raise error
                    yield result
        except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
            raise NotReady(_GONE) from error


@contextmanager
def _watched(node: str) -> Iterator[None]:
    """Raise `_GONE` where Ray's own process of this node ends; Ray would end this whole process soon, without a word.

    Args:
        node: its id, which is in that process's arguments.
    """
    import psutil  # noqa: PLC0415

    found = [
        one for one in psutil.process_iter(["name", "cmdline"])
        if one.info["name"] == "raylet" and f"--node_id={node}" in (one.info["cmdline"] or ())
    ]  # fmt: skip
    over, gone = threading.Event(), threading.Event()
    thread, number = threading.main_thread().ident, signal.SIGINT
    if signal.getsignal(number) is signal.SIG_IGN:  # as a shell's script has it for what runs in its background
        number = signal.SIGUSR1
        signal.signal(number, signal.default_int_handler)

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if not all(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in found):
                gone.set()
                signal.pthread_kill(thread or 0, number)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except BaseException as error:
        if gone.is_set() and is_interrupt(error):
            raise NotReady(_GONE) from error
        raise
    finally:
        over.set()


_computing: dict[str, Callable[[Any], Any]] = {}
"""What this worker computes with, by the hash of its code: a model is opened once."""


def _unpacked(code: bytes) -> Callable[[Any], Any]:
    version, pickled = pickle.loads(code)  # noqa: S301 - of the process that we work for
    if version != __version__:
        raise NotReady(f"a worker of Ray has version {__version__} of this software, not {version}: install the same")
    compute: Callable[[Any], Any] = pickle.loads(pickled)  # noqa: S301
    return compute


def _compute_table(table: Any, *, name: str, code: Any) -> Any:
    """Return the results of a table of pages, each with None or with the error that came instead."""
    import pyarrow as pa  # noqa: PLC0415 - an extra second
    import ray  # noqa: PLC0415

    results = []
    for page in table[_COLUMN]:
        result = error = None
        try:
            if name not in _computing:
                _computing[name] = _unpacked(ray.get(code))
            result = _computing[name](pickle.loads(page.as_py()))  # noqa: S301
        except Exception as fault:  # noqa: BLE001 - raised where the result is taken
            error = fault if isinstance(fault, KGError) else KGError(f"{type(fault).__name__} in a worker: {fault}")
        results.append(pickle.dumps((result, error)))
    return pa.table({_COLUMN: results})
