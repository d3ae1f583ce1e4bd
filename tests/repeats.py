"""How often a test repeats what it tries at random, and which tests only CI has the time for.

`make test` tries a few of the moments, kills and sequences, and `.ci/run`, which sets KG_TEST_THOROUGH, all of them; it
also kills, fills and starves servers of its own once more, where a quicker test has tried that kind of fault already.
"""

import os
from typing import Any

import pytest

IS_THOROUGH = bool(os.environ.get("KG_TEST_THOROUGH"))
only_thorough = pytest.mark.skipif(not IS_THOROUGH, reason="it takes long: KG_TEST_THOROUGH=1 runs it, as CI does")


def often(few: int, many: int) -> int:
    return many if IS_THOROUGH else few


def spread(values: tuple[Any, ...], few: int) -> tuple[Any, ...]:
    """Return all values, or a few of them from the first to the last, or the one in the middle."""
    wanted = often(few, len(values))
    if wanted == 1:
        return (values[len(values) // 2],)
    return tuple(values[round(place * (len(values) - 1) / (wanted - 1))] for place in range(wanted))
