"""How many threads a step computes with: as many as there are processors that nobody else is using.

Threads that share a product wait for the slowest of them, so that one thread too many on a busy machine costs more than
it brings: an epoch of the generator took eight times as long with two threads beside two busy processes, and 1.3 times
as long with one. So the machine is looked at when a step begins and every few seconds of a long one.

`OMP_NUM_THREADS`, where it is set, is obeyed, and nothing is looked at. Another number of threads may change results by
rounding, and by nothing else.
"""

import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import psutil

_LOOK_SECONDS = 5.0  # between two looks
_SAMPLE_SECONDS = 0.2  # of the first look, for which there is no earlier one
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class _Last:
    """The last look: when it was (0.0 for never), what had been used until then, and the number that came of it."""

    at = 0.0
    used = (0.0, 0.0, 0.0)
    threads = 1


def adapt() -> int:
    """Look at the machine, unless that was done just now; set and return the number of threads.

    To be called when a step that computes begins, after its libraries are imported (polars: before), and in its inner
    loop.
    """
    if asked := os.environ.get("OMP_NUM_THREADS", ""):
        threads = max(1, int(asked)) if asked.isdecimal() else 1
        _set_later(threads)
        return threads
    now = time.monotonic()
    if _Last.at and now - _Last.at < _LOOK_SECONDS:
        return _Last.threads
    if not _Last.at:
        _Last.used = _used()
        time.sleep(_SAMPLE_SECONDS)
    before, _Last.used, _Last.at = _Last.used, _used(), time.monotonic()
    _Last.threads = _free(before, _Last.used, allowed())
    _set(_Last.threads)
    return _Last.threads


def allowed() -> int:
    """Return how many processors this process may use: by its affinity, and by the quota of its container."""
    count = len(_processors())
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        count = min(count, int(quota) // int(period))
    except (OSError, ValueError):  # no container, or no quota ("max")
        pass
    return max(1, count)


def _processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _used() -> tuple[float, float, float]:
    """Return seconds until now: of the clock, used on our processors by anybody, and used by this process."""
    everyone = psutil.cpu_times(percpu=True)
    ours = [everyone[number] for number in _processors() if number < len(everyone)]
    busy = sum(sum(one) - one.idle - getattr(one, "iowait", 0.0) - _counted_twice(one) for one in ours)
    mine = psutil.Process().cpu_times()
    return time.monotonic(), busy, mine.user + mine.system


def _counted_twice(one: Any) -> float:
    """Return the time of guests, which Linux counts as the user's, too."""
    return float(getattr(one, "guest", 0.0) + getattr(one, "guest_nice", 0.0))


def _free(before: tuple[float, float, float], after: tuple[float, float, float], most: int) -> int:
    """Return how many processors others left free between two looks, at least 1 and at most `most`."""
    seconds, busy, mine = (late - early for early, late in zip(before, after, strict=True))
    others = max(0.0, busy - mine) / max(seconds, 1e-3)
    return min(most, max(1, round(most - others)))


def _set(threads: int) -> None:
    """Give this number of threads to every library that is there, and to those that read it when they start."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    _pools(len(sys.modules)).limit(limits=threads)
    _set_later(threads)
    os.environ["RAYON_NUM_THREADS"] = str(threads)  # of tokenizers, which read it at their first batch


def _set_later(threads: int) -> None:
    """Give this number of threads to polars, which reads it when it is imported, and knows no other variable."""
    if "polars" not in sys.modules:
        os.environ["POLARS_MAX_THREADS"] = str(threads)


@cache
def _pools(_modules: int) -> Any:
    """Return the thread pools of BLAS and OpenMP, found anew when more modules were imported."""
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - imports ctypes

    return ThreadpoolController()
