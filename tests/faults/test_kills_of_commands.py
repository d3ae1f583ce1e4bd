"""Killing one command in the middle of its work, while the server lives on; what is there then proves that it hit."""

import random
import sys
import time
from collections.abc import Callable
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import pytest

from kg.graph import knowledge as verbs
from kg.graph import reading
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Triple
from kg.store.bolt import Store
from tests import command
from tests.conftest import Kg
from tests.repeats import often, only_thorough

pytestmark = pytest.mark.timeout(600)
EVENTS, TAILS = 60, 12
ALL = EVENTS * TAILS

Begin = Callable[..., "Killed"]


def in_small_steps(arguments: list[str], environment: dict[str, str], folder: str, said: str, leave: Semaphore) -> None:
    """The command as it is, but with small transactions and small pages, for each of which it needs leave."""
    command.take_over(environment, folder, said)
    for module, name, size in (
        (verbs, "_WRITE_ROWS", 12), (reading, "_PAGE_EVENTS", 1), (reading, "_PAGE_PHRASES", 12),
        (verbs, "_SET_ASIDE_ROWS", 12),
    ):  # fmt: skip
        assert hasattr(module, name)
        setattr(module, name, size)
    for owner, verb in ((KnowledgeGraph, "commit"), (Store, "read")):
        setattr(owner, verb, with_leave(getattr(owner, verb), leave))
    sys.argv = ["kg", *arguments]
    from kg.cli import main  # noqa: PLC0415 - imported already

    main()


def with_leave(verb: Callable[..., Any], leave: Semaphore) -> Callable[..., Any]:
    def wait_and_do(*arguments: Any, **named: Any) -> Any:
        leave.acquire()
        return verb(*arguments, **named)

    return wait_and_do


class Killed:
    """A command that was killed as soon as a condition held; until then it gets leave for one step more at a time."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], folder: Path, when: Callable[[], bool]
    ) -> None:
        leave = command.CONTEXT.Semaphore(0)
        process = command.CONTEXT.Process(
            target=in_small_steps, args=(arguments, environment, str(folder), str(folder / ".killed"), leave)
        )
        process.start()
        deadline = time.monotonic() + 120
        while not when() and process.is_alive() and time.monotonic() < deadline:
            if leave.get_value() == 0:
                leave.release()
            time.sleep(0.002)
        process.kill()
        process.join()
        errors = (folder / ".killed.err").read_text()
        assert process.exitcode == -9, f"it had ended before: {process.exitcode} {errors}"


@pytest.fixture
def begin(environment: dict[str, str], tmp_path: Path) -> Begin:
    return lambda *arguments, when: Killed(list(arguments), environment, tmp_path, when)


@pytest.fixture
def rows(tmp_path: Path) -> list[Triple]:
    triples = [
        Triple(f"PersonX does thing {event}", "xWant", f"to go to place {tail} of {event}")
        for event in range(EVENTS) for tail in range(TAILS)
    ]  # fmt: skip
    (tmp_path / "rows.tsv").write_text("".join(f"{one.head}\t{one.relation}\t{one.tail}\n" for one in triples))
    return triples


def edges(graph: KnowledgeGraph) -> int:
    return int(graph.store.read("MATCH (:Event)-[r]->() RETURN count(r) AS n")[0]["n"])


def shares() -> list[float]:
    return [random.Random(7).uniform(0.1, 0.4), random.Random(8).uniform(0.5, 0.8)]


LOAD = ("ingest", "load", "rows.tsv", "--format", "atomic2020")


@only_thorough
def test_a_load_that_is_killed_again_and_again_ends_with_every_row(
    begin: Begin, kg: Kg, rows: list[Triple], graph: KnowledgeGraph
) -> None:
    for share in shares()[-often(1, 2) :]:
        begin(*LOAD, when=lambda share=share: edges(graph) >= share * ALL)
        assert share * ALL <= edges(graph) < ALL
        assert graph.runs()[0]["status"] == "running"
    kg(*LOAD)
    assert {edge.triple for edge in graph.edges()} == set(rows)
    (run,) = graph.runs()
    assert (run["status"], run["added"]) == ("finished", ALL)


@only_thorough
def test_an_undo_that_is_killed_is_completed_by_the_next(
    begin: Begin, kg: Kg, rows: list[Triple], graph: KnowledgeGraph
) -> None:
    assert rows
    run = kg(*LOAD).stdout.split()[-1]
    for share in shares():
        begin("runs", "undo", run, "--yes", when=lambda share=share: edges(graph) <= (1 - share) * ALL)
        assert 0 < edges(graph) <= (1 - share) * ALL
        assert graph.run(run)["status"] == "undoing", "it is not undone yet"
    kg("runs", "undo", run, "--yes")
    assert graph.statistics()["phrases"] == 0
    assert graph.run(run)["status"] == "undone"


@only_thorough
def test_a_dedupe_that_is_killed_is_completed_by_the_next(
    begin: Begin, kg: Kg, rows: list[Triple], tmp_path: Path, graph: KnowledgeGraph
) -> None:
    again = "".join(f"{one.head}\t{one.relation}\t{one.tail.upper()}\n" for one in rows)
    (tmp_path / "again.tsv").write_text(again)
    kg(*LOAD)
    kg("ingest", "load", "again.tsv", "--format", "atomic2020")
    assert edges(graph) == 2 * ALL
    for share in shares():
        begin("ingest", "dedupe", "--apply", when=lambda share=share: edges(graph) <= (2 - share) * ALL)
        assert ALL < edges(graph) <= (2 - share) * ALL
    kg("ingest", "dedupe", "--apply")
    left = list(graph.edges())
    assert len(left) == ALL
    assert len({edge.triple.tail.lower() for edge in left}) == ALL


@only_thorough
@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize(("name", "target"), [("jsonl", "out.jsonl"), ("snapshot", "out")])
def test_an_export_that_is_killed_leaves_what_was_there(
    begin: Begin, kg: Kg, rows: list[Triple], tmp_path: Path, name: str, target: str
) -> None:
    assert rows
    path = tmp_path / target
    kg(*LOAD)
    begin("export", name, target, when=lambda: list(tmp_path.glob(f".{target}.*")))
    (draft,) = tmp_path.glob(f".{target}.*")
    assert not path.exists(), "it was writing"
    kg("export", name, target)
    before = content(path)
    (tmp_path / "one.tsv").write_text("PersonX naps\txWant\tto rest\n")
    kg("ingest", "load", "one.tsv", "--format", "atomic2020")
    begin("export", name, target, when=lambda: set(tmp_path.glob(f".{target}.*")) > {draft})
    assert len(list(tmp_path.glob(f".{target}.*"))) == 2
    assert content(path) == before
    assert f"{ALL + 1} edges written" in kg("export", name, target).stdout
    assert content(path) != before


def content(path: Path) -> dict[str, bytes]:
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files if file.is_file()}
