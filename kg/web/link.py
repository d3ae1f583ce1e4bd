"""The graph, opened anew when its database went away.

Pages ask for the graph with each request. Where the database is gone they say so at once, while another thread opens
the graph again; a private server is started again by that, as every command does.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Self

from kg.errors import KGError, StoreUnavailable
from kg.graph.knowledge import KnowledgeGraph

_PATIENCE_SECONDS = 2.0  # that a page waits for a graph that is being opened

Opening = Callable[[], AbstractContextManager[KnowledgeGraph]]


class Link:
    """The graph of an application. Use it as a context manager, which opens the graph."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "open")
        self._held: AbstractContextManager[KnowledgeGraph] | None = None
        self._graph: KnowledgeGraph | None = None
        self._under_way: Future[KnowledgeGraph] | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._close()

    def graph(self) -> KnowledgeGraph:
        """Return the graph.

        Raises:
            StoreUnavailable, ServerError: the database is gone, and did not come back within two seconds.
        """
        with self._lock:
            if self._graph is not None:
                return self._graph
            if self._under_way is None or self._under_way.done():
                self._under_way = self._thread.submit(self._open)
            under_way = self._under_way
        try:
            return under_way.result(_PATIENCE_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable("Neo4j went away and is being opened again") from error

    def lost(self) -> None:
        """Take it that the database went away: the next call of `graph` opens the graph again."""
        with self._lock:
            self._graph = None

    def _open(self) -> KnowledgeGraph:
        self._close()
        held = self.opening()
        graph = held.__enter__()
        with self._lock:
            self._held, self._graph = held, graph
        return graph

    def _close(self) -> None:
        with self._lock:
            held, self._held, self._graph = self._held, None, None
        if held is not None:
            with suppress(KGError):
                held.__exit__(None, None, None)
