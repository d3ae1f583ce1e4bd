"""The graph of this environment: the user's own server, or the private one.

With `NEO4J_URI` set (and `NEO4J_USERNAME`, `NEO4J_PASSWORD`, `NEO4J_DATABASE`) it is that server; otherwise the
private Neo4j of the workspace, which is started when it is not running.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kg.errors import StoreError
from kg.graph import KnowledgeGraph
from kg.store import Store, check_address, shown_address
from kg.workspace import Workspace

_PRIVATE_RETRY_SECONDS = 10  # a private server that died does not come back by itself


@contextmanager
def open_graph(workspace: Workspace) -> Iterator[KnowledgeGraph]:
    """Yield the graph, with its constraints and indexes in place.

    Raises:
        ServerError: the private server cannot be brought up.
        StoreError: the user's own server cannot be used.
    """
    with _store(workspace) as store:
        store.verify()
        graph = KnowledgeGraph(store)
        graph.prepare()
        yield graph


def _store(workspace: Workspace) -> Store:
    database = os.environ.get("NEO4J_DATABASE") or "neo4j"
    if uri := os.environ.get("NEO4J_URI"):
        check_address(uri)
        password = os.environ.get("NEO4J_PASSWORD")
        if not password:
            raise StoreError(f"NEO4J_URI is {shown_address(uri)}, but NEO4J_PASSWORD is not set")
        return Store(uri, os.environ.get("NEO4J_USERNAME") or "neo4j", password, database)
    from kg.server import Server  # noqa: PLC0415 - not needed with a server of the user's own

    address = Server(workspace.folder("server")).start()
    if address.started:
        sys.stderr.write(f"Started the private Neo4j at {address.uri} (kg server stop ends it).\n")
    return Store(address.uri, address.username, address.password, retry_seconds=_PRIVATE_RETRY_SECONDS)
