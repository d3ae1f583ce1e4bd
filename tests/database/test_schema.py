"""The schema, when several commands make it at the same moment."""

import os
import threading
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from kg.server.server import Address, Server
from kg.store.bolt import Store
from tests import command
from tests.repeats import only_thorough


def drop_schema(store: Store) -> None:
    for row in store.run("SHOW CONSTRAINTS YIELD name"):
        store.run(f"DROP CONSTRAINT {row['name']}")
    for row in store.run("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"):
        store.run(f"DROP INDEX {row['name']}")


def names(store: Store) -> list[str]:
    return sorted(row["name"] for row in store.run("SHOW INDEXES YIELD name, state WHERE state = 'ONLINE' RETURN name"))


@only_thorough
def test_three_that_make_the_schema_at_once_all_succeed(store: Store, address: Address) -> None:
    expected = names(store)
    failed: list[BaseException] = []
    barrier = threading.Barrier(3)

    def make() -> None:
        try:
            with Store(address.uri, address.username, address.password) as own:
                own.verify()
                barrier.wait(60)
                KnowledgeGraph(own).prepare()
        except Exception as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    for _ in range(4):
        drop_schema(store)
        threads = [threading.Thread(target=make) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert names(store) == expected


@pytest.mark.timeout(600)
@only_thorough
def test_three_commands_at_once_in_a_new_home_all_succeed(tmp_path: Path) -> None:
    environment = os.environ | {"KG_HOME": str(tmp_path / "home")}
    try:
        said = [tmp_path / f".said{number}" for number in range(3)]
        commands = [command.start(["stats"], environment, tmp_path, one) for one in said]
        for one in commands:
            one.join(500)
        errors = [one.with_suffix(".err").read_text(encoding="utf-8") for one in said]
        assert [one.exitcode for one in commands] == [0, 0, 0], errors
        assert sum("Started the private Neo4j" in err for err in errors) == 1
    finally:
        Server(tmp_path / "home" / "server").stop()
