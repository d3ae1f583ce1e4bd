"""Imports that leave out what they could do without.

Neo4j's driver imports numpy, pandas and pyarrow where they are installed, to take their values as parameters. That
costs every command a third of a second and 50 MB.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Let imports inside the block find none of some modules, imported before or not.

    >>> with without_modules("json"):
    ...     import json
    Traceback (most recent call last):
    ModuleNotFoundError: import of json halted; None in sys.modules
    """
    modules: dict[str, Any] = sys.modules
    before = {name: modules.get(name) for name in names}
    modules.update(dict.fromkeys(names))  # None is what makes an import fail
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del modules[name]
            else:
                modules[name] = module
