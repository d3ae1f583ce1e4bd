"""Bulk import: a snapshot into an empty database by Neo4j's offline importer, which writes the store's files itself.

Phrases and edges go in so, an order of magnitude faster than through the database; constraints and indexes follow, then
runs, critics, acceptances, judgements and tasks in the ordinary way.
"""

import shlex

from kg.errors import InputError
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.server.server import Server
from kg.snapshot.folder import Snapshot
from kg.snapshot.hashing import hash_assertions
from kg.snapshot.restoring import restore_descriptions, restore_duplicates, restore_judgements, restore_tasks
from kg.store import queries
from kg.workspace import Workspace


def import_arguments(snapshot: Snapshot) -> list[str]:
    """Return the importer's arguments for a snapshot, after the name of the database."""
    folder = snapshot.folder.resolve()
    if "," in str(folder):
        raise InputError(f"Neo4j's importer takes a comma for the end of a path; move {folder}")
    edges = [f"--relationships={name}={folder / 'edges' / f'{name}.parquet'}" for name in snapshot.manifest["edges"]]
    return [
        "--input-type=parquet", "--id-type=string", "--bad-tolerance=0", "--strict=true",
        f"--nodes=Phrase={folder / 'phrases.parquet'}",
        *([f"--nodes=Nothing={folder / 'nothing.parquet'}"] if snapshot.manifest["counts"]["nothing"] else []),
        *edges,
    ]  # fmt: skip


def import_command(snapshot: Snapshot, database: str) -> str:
    """Return the command to run on the machine of a user's own server, while the database is stopped."""
    words = ["neo4j-admin", "database", "import", "full", database, "--overwrite-destination=true"]
    return shlex.join([*words, *import_arguments(snapshot)])


def complete(graph: KnowledgeGraph, snapshot: Snapshot) -> None:
    """Add to imported phrases and edges what else the snapshot has, and the constraints.

    Raises:
        InputError: the database does not hold what the snapshot does.
    """
    counts = snapshot.manifest["counts"]
    found = graph.statistics()
    if (found["phrases"], found["edges"]) != (counts["phrases"], counts["edges"]):
        raise InputError(
            f"the database holds {found['phrases']:,} phrases and {found['edges']:,} edges, {snapshot.folder} "
            f"{counts['phrases']:,} and {counts['edges']:,}; bulk import is for an empty database"
        )
    content = hash_assertions(graph)
    for batch in snapshot.judgements():
        for row in batch:
            content.add_judgement(row)
    for batch in snapshot.duplicates():
        for row in batch:
            content.add_duplicate(row)
    for batch in snapshot.tasks():
        for row in batch:
            content.add_task(row)
    if str(content) != snapshot.manifest["content_hash"]:
        raise InputError(
            f"the database does not hold the phrases and edges of {snapshot.folder}: with its judgements the content "
            f"hash would be {content}, not {snapshot.manifest['content_hash']}"
        )
    restore_descriptions(graph, snapshot.vocabulary, **snapshot.descriptions)
    restore_judgements(graph, snapshot.judgements())
    restore_duplicates(graph, snapshot.vocabulary, snapshot.duplicates())
    restore_tasks(graph, snapshot.tasks())
    if snapshot.has_empty_lists():
        text = queries.load("graph/forget_empty_sources").text
        graph.commit(lambda transaction: transaction.run(text))


def import_privately(workspace: Workspace, snapshot: Snapshot) -> None:
    """Fill the private server's empty database: stop it, import, start it, complete; on an error it is empty again.

    Raises:
        InputError: the database is not empty, or holds something else than the snapshot after the import.
        ServerError: the importer does not accept the files.
    """
    with open_graph(workspace) as graph:
        if not is_empty(graph):
            raise InputError(
                "the graph is not empty, and a bulk import would overwrite it; kg ingest load adds a snapshot to it, "
                "or set KG_HOME to another workspace"
            )
    server = Server(workspace.folder("server"))
    server.import_offline(import_arguments(snapshot))
    try:
        with open_graph(workspace) as graph:
            complete(graph, snapshot)
    except BaseException:
        server.empty()
        raise


def is_empty(graph: KnowledgeGraph) -> bool:
    """Tell whether there is nothing that an import would overwrite."""
    found = graph.statistics()
    return not any(found[name] for name in ("phrases", "edges", "judgements", "runs"))
