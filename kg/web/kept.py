"""What costs seconds to count, kept in memory with the number of writes it is of, and counted again behind the pages.

A page shows what is kept, old or not, and says how old it is. One thread counts, one thing after the other.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kg.errors import KGError
from kg.web.reading import Reading

_FIRST_SECONDS = 1.0  # that a page waits for what was never counted before
_MOST = 100  # things kept; the oldest goes

Count = Callable[[Reading], Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted.

    Attributes:
        value: the result; None where it is being counted for the first time.
        watermark: the number of writes that the graph had.
        at: when it was counted, in seconds of `time.time`.
        is_old: whether the graph was written to since, so that it is being counted again.
        failed: why it could not be counted; empty where it could.
    """

    value: Any = None
    watermark: int = -1
    at: float = 0.0
    is_old: bool = False
    failed: str = ""

    @property
    def age_seconds(self) -> int:
        """Seconds since it was counted."""
        return max(0, round(time.time() - self.at))


class Kept:
    """Counts, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "count")
        self._found: dict[str, Found] = {}
        self._under_way: dict[str, Future[Found]] = {}

    def get(
        self, name: str, reading: Reading, count: Count, *, wait: float = _FIRST_SECONDS, wait_if_old: float = 0
    ) -> Found:
        """Return what is kept under a name; where that is not of the graph as it is, count anew in the background.

        Args:
            name: of what is counted, with all that it depends on but for the graph.
            reading: the graph.
            count: counts; it runs in another thread, and may take long.
            wait: seconds to wait for it where nothing is kept.
            wait_if_old: seconds to wait for it where something old is kept.
        """
        watermark = reading.watermark()
        with self._lock:
            found = self._found.get(name)
            if found is not None and found.watermark == watermark and not found.failed:
                return found
            if name not in self._under_way:
                self._under_way[name] = self._thread.submit(self._count, name, watermark, reading, count)
            under_way = self._under_way[name]
        is_new = found is None or found.failed
        try:
            if is_new or wait_if_old:
                return under_way.result(wait if is_new else wait_if_old)
        except TimeoutError:
            pass
        return Found() if found is None or is_new else Found(found.value, found.watermark, found.at, is_old=True)

    def close(self) -> None:
        """Count nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _count(self, name: str, watermark: int, reading: Reading, count: Count) -> Found:
        found = Found(failed="an error that nobody foresaw; the terminal of kg serve says more")
        try:
            found = Found(count(reading), watermark, time.time())
        except KGError as error:
            found = Found(None, watermark, time.time(), failed=str(error))
        finally:
            with self._lock:
                self._under_way.pop(name, None)
                self._found.pop(name, None)
                self._found[name] = found
                while len(self._found) > _MOST:
                    self._found.pop(next(iter(self._found)))
        return found
