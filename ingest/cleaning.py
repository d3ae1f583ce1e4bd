"""Cleaning of what a teacher wrote: the same rules for a recorded and for a live one.

The rules are those of West et al. 2021 and its released code (methods: drop short tails, strip the final full stop
and the leading blank, map the prompt's first names back to PersonX and PersonY, drop exact duplicates).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from rich.cells import cell_len

from kg.errors import InputError
from kg.model import clean_text

_MIN_CELLS = 3
"""Shortest tail, in columns of a terminal: three Latin letters, or two Japanese characters."""


def clean_tails(texts: Iterable[str], names: Mapping[str, str] | None = None) -> tuple[list[str], Counter[str]]:
    """Return the tails worth keeping of one event and relation, in their order, and what each rule dropped.

    Args:
        texts: tails as the teacher wrote them.
        names: first names that the prompt used, each with what it stands for (`{"Alex": "PersonX"}`).

    >>> clean_tails([" to rest.", "to rest", "ok", "to thank Alex"], {"Alex": "PersonX"})
    (['to rest', 'to thank PersonX'], Counter({'duplicate': 1, 'too short': 1}))
    """
    kept: dict[str, None] = {}
    dropped: Counter[str] = Counter()
    for text in texts:
        tail = text.strip()
        tail = tail if tail.endswith("..") else tail.removesuffix(".").removesuffix("。").rstrip()
        for name, person in (names or {}).items():
            tail = re.sub(rf"\b{re.escape(name)}\b", person, tail)
        if cell_len(tail) < _MIN_CELLS:
            dropped["too short"] += 1
        elif tail in kept:
            dropped["duplicate"] += 1
        else:
            try:
                kept[clean_text(tail)] = None
            except InputError as error:
                dropped[str(error)] += 1
    return list(kept), dropped
