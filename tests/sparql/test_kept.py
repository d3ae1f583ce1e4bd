"""The kept store: filled from the graph, anew when the graph changed, by one process at a time, or left as it was."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import DefaultGraph, RdfFormat, Store

from kg.errors import GraphChanged, NotReady
from kg.exchange.rdf.writing import write_rdf
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from kg.snapshot.hashing import hash_graph
from kg.sparql import kept
from kg.sparql.asking import ask
from kg.sparql.kept import current, refresh
from tests.repeats import only_thorough

TAILS = "SELECT ?text { ?h relation:xWant ?t . ?t skos:prefLabel ?text } ORDER BY ?text"


def assert_tails(graph: KnowledgeGraph, *tails: str, dataset: str = "first") -> str:
    begun = Run("load", model="teacher", dataset=dataset)
    with graph.running(begun):
        graph.add([Assertion(Triple("PersonX naps", "xWant", tail)) for tail in tails], begun)
        graph.finish(begun)
    return begun.id


def asked(folder: Path, query: str = TAILS) -> list[str]:
    with ask(folder, query, ["csv"], timeout_seconds=60).file as file:
        return file.read().decode().splitlines()[1:]


@pytest.fixture
def napping(graph: KnowledgeGraph) -> KnowledgeGraph:
    assert_tails(graph, "to rest", "to dream")
    return graph


def test_the_store_says_what_the_export_says_and_has_the_graphs_content_hash(
    napping: KnowledgeGraph, tmp_path: Path
) -> None:
    found = refresh(napping, tmp_path / "sparql")
    assert (found.content_hash, found.edges) == (hash_graph(napping), 2)
    part = Selection(napping)
    write_rdf(part.every_phrase, part.pages, tmp_path / "all.nt", relations=part.relations, runs=part.runs)
    exported = Store()  # it writes times as the kept one does
    exported.load(path=tmp_path / "all.nt")
    lines = exported.dump(format=RdfFormat.N_TRIPLES, from_graph=DefaultGraph()) or b""
    with ask(tmp_path / "sparql", "CONSTRUCT WHERE { ?s ?p ?o }", ["nt"], timeout_seconds=60).file as file:
        assert sorted(file.read().splitlines()) == sorted(lines.splitlines())


def test_what_a_run_wrote_or_an_undo_took_away_is_in_the_next_answer(napping: KnowledgeGraph, tmp_path: Path) -> None:
    first = refresh(napping, tmp_path)
    assert refresh(napping, tmp_path) == first
    run = assert_tails(napping, "to snore", dataset="second")
    second = refresh(napping, tmp_path)
    assert asked(tmp_path) == ["to dream", "to rest", "to snore"]
    assert second.content_hash == hash_graph(napping) != first.content_hash
    napping.undo(run)
    assert refresh(napping, tmp_path).content_hash == first.content_hash
    assert asked(tmp_path) == ["to dream", "to rest"]
    assert len(list(tmp_path.glob("*store-*"))) == 1


def test_another_graph_with_as_many_writes_is_another_state(graph: KnowledgeGraph, tmp_path: Path) -> None:
    assert_tails(graph, "to rest")
    first, writes = refresh(graph, tmp_path), graph.watermark()
    graph.store.run("MATCH (n) WHERE NOT n:Relation DETACH DELETE n")
    assert_tails(graph, "to dance", dataset="second")
    graph.store.run("MATCH (n:Graph) SET n.writes = $writes", writes=writes)
    assert refresh(graph, tmp_path) != first
    assert asked(tmp_path) == ["to dance"]


class Killed(BaseException):
    """Stands for a kill in the middle of filling."""


def test_who_is_stopped_half_way_leaves_the_old_store_and_the_next_one_clears_up(
    napping: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = refresh(napping, tmp_path)
    assert_tails(napping, "to snore", dataset="second")
    fill = kept._fill  # noqa: SLF001

    def killed(graph: KnowledgeGraph, path: Path, progress: Any) -> Any:
        fill(graph, path, progress)
        left = path.parent.with_name(".store-dead.0123")  # what a real kill would leave
        left.mkdir()
        (left / "in-use").touch()
        (tmp_path / "store-dead").mkdir()
        raise Killed

    monkeypatch.setattr(kept, "_fill", killed)
    with pytest.raises(Killed):
        refresh(napping, tmp_path)
    monkeypatch.setattr(kept, "_fill", fill)
    assert current(tmp_path) == first
    assert asked(tmp_path) == ["to dream", "to rest"]
    assert refresh(napping, tmp_path) != first
    assert asked(tmp_path) == ["to dream", "to rest", "to snore"]
    assert [one.name for one in tmp_path.glob("*store-*")] == [current(tmp_path).name]  # type: ignore[union-attr]


@only_thorough
def test_a_process_that_is_killed_while_it_fills_leaves_a_store_that_answers(
    napping: KnowledgeGraph, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "sparql"
    first = refresh(napping, folder)
    fill = (
        "import sys, time; from pathlib import Path; from kg.graph.connection import open_graph; "
        "from kg.sparql import kept; from kg.workspace import Workspace; fill = kept._fill\n"
        "def slow(graph, path, progress):\n found = fill(graph, path, progress); print(1, flush=True); time.sleep(60)\n"
        "kept._fill = slow\n"
        "with open_graph(Workspace.default()) as graph: kept.refresh(graph, Path(sys.argv[1]))"
    )
    assert_tails(napping, "to snore", dataset="second")
    with subprocess.Popen([sys.executable, "-c", fill, folder], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == b"1\n"
        process.kill()
    assert current(folder) == first
    assert asked(folder) == ["to dream", "to rest"]
    second = refresh(napping, folder)
    assert [one.name for one in folder.glob("*store-*")] == [second.name]
    assert asked(folder) == ["to dream", "to rest", "to snore"]


def test_two_who_refresh_at_once_fill_one_store(
    napping: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill, filled, met, waited = kept._fill, [], threading.Event(), threading.Event()  # noqa: SLF001

    def slow(graph: KnowledgeGraph, path: Path, progress: Any) -> Any:
        filled.append(path)
        met.set()
        assert waited.wait(60)
        return fill(graph, path, progress)

    monkeypatch.setattr(kept, "_fill", slow)
    found: list[kept.Kept] = []
    threads = [
        threading.Thread(target=lambda: found.append(refresh(napping, tmp_path, waiting=waited.set))) for _ in range(2)
    ]
    threads[0].start()
    assert met.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(120)
    assert len(filled) == 1
    assert found[0] == found[1]


def test_a_store_that_is_read_is_cleared_away_only_later(napping: KnowledgeGraph, tmp_path: Path) -> None:
    import fcntl  # noqa: PLC0415

    first = refresh(napping, tmp_path)
    with (tmp_path / first.name / "in-use").open("rb") as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        assert_tails(napping, "to snore", dataset="second")
        second = refresh(napping, tmp_path)
        assert {one.name for one in tmp_path.glob("store-*")} == {first.name, second.name}
    assert_tails(napping, "to yawn", dataset="third")
    third = refresh(napping, tmp_path)
    assert {one.name for one in tmp_path.glob("store-*")} == {third.name}


def test_a_graph_that_is_written_to_meanwhile_keeps_its_old_store(
    napping: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = refresh(napping, tmp_path)
    run = assert_tails(napping, "to snore", dataset="second")
    pages = napping.edge_pages

    def written_to(**options: Any) -> Iterator[Any]:
        yield from pages(**options)
        napping.write("graph/finish_run", id=run, properties={}, at="2026-01-01T00:00:00+00:00")

    monkeypatch.setattr(napping, "edge_pages", written_to)
    with pytest.raises(GraphChanged):
        refresh(napping, tmp_path)
    assert current(tmp_path) == first


def test_an_empty_graph_has_no_store(graph: KnowledgeGraph, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="empty"):
        refresh(graph, tmp_path)
    (tmp_path / "current.json").write_text(json.dumps({"name": "x"}))
    assert current(tmp_path) is None
