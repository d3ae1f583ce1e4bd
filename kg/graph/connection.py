"""The graph of this environment: the user's own server, or the private one.

With `NEO4J_URI` set (and `NEO4J_USERNAME`, `NEO4J_PASSWORD`, `NEO4J_DATABASE`) the graph is on that server; otherwise
in the private Neo4j of the workspace, which is started when it is not running.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kg.errors import StoreError, StoreUnavailable
from kg.graph.knowledge import KnowledgeGraph
from kg.store.bolt import Store, check_address, shown_address
from kg.terminal import say
from kg.workspace import Workspace

if TYPE_CHECKING:
    from kg.server.server import Address

_PRIVATE_RETRY_SECONDS = 10  # a private server that died comes back with the next command only
_RESTARTS = 2  # after a full disk the first may find a torn log, which the second one cuts


@contextmanager
def open_graph(workspace: Workspace) -> Iterator[KnowledgeGraph]:
    """Yield the graph, with its constraints and indexes in place.

    Raises:
        ServerError: the private server cannot be brought up.
        StoreError: the user's own server cannot be used.
    """
    with _store(workspace) as store:
        graph = KnowledgeGraph(store)
        graph.prepare()
        try:
            yield graph
        except BaseException as error:
            graph.end_open_runs(error)
            raise


@contextmanager
def _store(workspace: Workspace) -> Iterator[Store]:
    uri = os.environ.get("NEO4J_URI")
    if not uri:
        with _private_store(workspace) as store:
            yield store
        return
    check_address(uri)
    password = os.environ.get("NEO4J_PASSWORD")
    if not password:
        raise StoreError(f"NEO4J_URI is {shown_address(uri)}, but NEO4J_PASSWORD is not set")
    database = os.environ.get("NEO4J_DATABASE") or "neo4j"
    with Store(uri, os.environ.get("NEO4J_USERNAME") or "neo4j", password, database) as store:
        store.verify()
        yield store


@contextmanager
def _private_store(workspace: Workspace) -> Iterator[Store]:
    from kg.server.server import Server  # noqa: PLC0415 - not needed with a server of the user's own

    server = Server(workspace.folder("server"))
    address = server.start()
    if address.started:
        say(f"Started the private Neo4j at {address.uri} (kg server stop ends it).", err=True)
    try:
        for left in range(_RESTARTS, -1, -1):
            with _open_private(address) as store:
                if _serves(store, must=not left):
                    yield store
                    return
            say("The private Neo4j runs but its database has stopped; starting it again.", err=True)
            address = server.restart(address)
    except StoreUnavailable as error:
        raise StoreUnavailable(server.fault()) from error


def _serves(store: Store, *, must: bool) -> bool:
    try:
        store.verify()
    except StoreUnavailable:
        if must:
            raise
        return False
    return True


def _open_private(address: "Address") -> Store:
    return Store(address.uri, address.username, address.password, retry_seconds=_PRIVATE_RETRY_SECONDS, private=True)
