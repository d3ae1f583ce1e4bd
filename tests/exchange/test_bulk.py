"""Bulk import, on a private server of its own and as far as a user's server allows."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kg.errors import InputError, ServerError
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.server.server import Server
from kg.snapshot.bulk import import_arguments, import_privately, is_empty
from kg.snapshot.folder import Snapshot, open_snapshot
from kg.workspace import Workspace
from tests import command
from tests.conftest import Kg
from tests.repeats import only_thorough

FIXTURE = Path(__file__).parents[1] / "data" / "snapshot"


@pytest.fixture(scope="module")
def home(jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: ARG001
    home = tmp_path_factory.mktemp("bulk") / "home"
    yield home
    Server(home / "server").stop()


@pytest.fixture
def private(home: Path) -> dict[str, str]:
    """An environment with a private server in a workspace of its own: at first a new one, later an empty one."""
    server = Server(home / "server")
    if server.folder.exists():
        server.empty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEO4J_")}
    return environment | {"KG_HOME": str(home)}


@only_thorough
def test_a_snapshot_is_imported_and_an_import_that_was_killed_leaves_an_empty_graph(
    private: dict[str, str], tmp_path: Path
) -> None:
    def kg(*arguments: str, status: int = 0) -> str:
        done = command.run(arguments, private, tmp_path, tmp_path / ".said")
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    def missing() -> int:
        query = "MATCH (:Event)-[r]->() WHERE r.sources IS NULL RETURN count(r) AS edges"
        return int(json.loads(kg("query", query, "--json").splitlines()[0])["edges"])

    folder = tmp_path / "a snapshot"
    shutil.copytree(FIXTURE, folder)
    assert open_snapshot(folder).has_empty_lists()
    expected = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["content_hash"]
    path = folder / "edges" / "xWant.parquet"
    content = path.read_bytes()
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, ":END_ID", pa.array(["nobody"])), path)
    assert "its tail 'nobody' is not in phrases.parquet" in kg("ingest", "bulk", str(folder), status=1)
    path.write_bytes(content)
    server = Server(Path(private["KG_HOME"]) / "server")
    with pytest.raises(ServerError, match="Neo4j's importer failed"):
        server.import_offline(["--input-type=parquet", f"--nodes=Phrase={tmp_path / 'absent.parquet'}"])

    killed = command.start(["ingest", "bulk", str(folder)], private, tmp_path, tmp_path / ".killed")
    while not (server.folder / "importing").exists() and killed.is_alive():
        time.sleep(0.005)
    killed.kill()
    killed.join()
    assert (killed.exitcode, (server.folder / "importing").exists()) == (-signal.SIGKILL, True), "it was importing"

    # And as a kill may leave it in the worst case: a store that no server can open.
    server.stop()
    for file in (server.folder / "data" / "databases" / "neo4j").rglob("*store*"):
        if file.is_file():
            file.write_bytes(b"torn")
    (server.folder / "importing").touch()

    assert expected in kg("ingest", "bulk", str(folder))
    assert json.loads(kg("stats", "--hash", "--json").splitlines()[0])["content_hash"] == expected
    assert "not empty" in kg("ingest", "bulk", str(folder), status=1)
    assert missing() == 2, "edges without sources have none, also those of an older snapshot"

    new = tmp_path / "new"
    kg("export", "snapshot", str(new))
    assert not open_snapshot(new).has_empty_lists()
    assert open_snapshot(new).manifest["content_hash"] == expected


@only_thorough
def test_an_import_that_holds_something_else_in_the_end_leaves_an_empty_graph(private: dict[str, str]) -> None:
    """As if the files had changed after they were checked."""
    home, snapshot = Workspace(Path(private["KG_HOME"])), open_snapshot(FIXTURE)
    with pytest.raises(InputError, match="does not hold the phrases and edges"):
        import_privately(home, Snapshot(FIXTURE, {**snapshot.manifest, "content_hash": "0" * 32}))
    assert Server(home.root / "server").status().state == "stopped"
    with open_graph(home) as graph:
        assert is_empty(graph)


@pytest.mark.usefixtures("graph")
@only_thorough
def test_for_a_users_server_the_command_is_printed_and_what_is_missing_added_after_it(kg: Kg) -> None:
    printed = kg("ingest", "bulk", str(FIXTURE))
    assert printed.stdout.startswith("neo4j-admin database import full neo4j --overwrite-destination=true")
    assert f"--relationships=xWant={FIXTURE / 'edges' / 'xWant.parquet'}" in printed.stdout
    assert "repeat this command" in printed.stderr
    kg("ingest", "load", str(FIXTURE))  # in place of the printed command: phrases and edges are there
    assert "3 edges" in kg("ingest", "bulk", str(FIXTURE)).stdout


def test_a_database_that_holds_something_else_is_refused(graph: KnowledgeGraph, kg: Kg) -> None:
    graph.store.run("CREATE (:Phrase {id: 'x', text: 'x', lang: 'en'})")
    assert "bulk import is for an empty database" in kg("ingest", "bulk", str(FIXTURE), status=1).stderr


def test_a_path_that_the_importer_would_split_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "one, two"
    shutil.copytree(FIXTURE, folder)
    with pytest.raises(InputError, match="comma"):
        import_arguments(open_snapshot(folder))
