"""Pages computed as processes of their own would, in this one: nothing reaches them or comes back but by pickling."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def apart(pages: Iterable[Any], compute: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield the result of each page, computed by a copy of `compute` on a copy of the page."""
    for page in list(pages):
        compute_there, page_there = pickle.loads(pickle.dumps((compute, page)))  # noqa: S301
        yield pickle.loads(pickle.dumps(compute_there(page_there)))  # noqa: S301
