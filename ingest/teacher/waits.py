"""Waits: how long a server asks to be left alone, as its headers say in half a dozen ways."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_SECONDS = 86400.0 * 366  # more than this is no time that anybody asks to be left alone for


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to be left alone, from its headers; None if it does not say.

    >>> wait_seconds({"retry-after": "3"}), wait_seconds({"x-ratelimit-remaining-requests": "0",
    ...     "x-ratelimit-reset-requests": "1m0.5s"})
    (3.0, 60.5)
    """
    waits = [_seconds(headers.get("retry-after-ms", ""), 0.001), _after(headers.get("retry-after", ""))]
    waits += [
        _duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    first, second, *resets = waits
    known = [wait for wait in resets if wait is not None]
    return first if first is not None else second if second is not None else max(known, default=None)


def _seconds(text: str, unit: float) -> float | None:
    """Return a number of units as seconds; None if it is no number that a clock can have."""
    try:
        seconds = float(text) * unit
    except ValueError:
        return None
    return seconds if 0 <= seconds < _LONGEST_SECONDS else None


def _after(text: str) -> float | None:
    """Return the seconds of `retry-after`: a number, or a date."""
    if (seconds := _seconds(text, 1)) is not None or not text:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _duration(text: str) -> float | None:
    """Return the seconds of a duration like `1m0.5s`; None if it is none."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|[smhd]))+", text, re.ASCII):
        return None
    parts = re.findall(r"([\d.]+)(ms|[smhd])", text, re.ASCII)
    return sum(float(number) * units[unit] for number, unit in parts)
