"""How often a test repeats what it tries at random.

`make test` tries a few of the moments, kills and sequences, and `.ci/run`, which sets KG_TEST_THOROUGH, all of them.
"""

import os
from typing import Any


def often(few: int, many: int) -> int:
    return many if os.environ.get("KG_TEST_THOROUGH") else few


def spread(values: tuple[Any, ...], few: int) -> tuple[Any, ...]:
    """Return all values, or a few of them from the first to the last."""
    wanted = often(few, len(values))
    return tuple(values[round(place * (len(values) - 1) / (wanted - 1))] for place in range(wanted))
