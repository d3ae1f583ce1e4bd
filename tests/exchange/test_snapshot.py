"""A snapshot is the graph: it comes back whole, and says what it is."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from kg.errors import InputError
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Drawn, judge_run
from kg.identity import head_id, tail_id
from kg.model import Acceptance, Assertion, Edge, Judgement, Phrase, Triple
from kg.run import Run
from kg.snapshot.folder import open_snapshot, write_snapshot
from kg.snapshot.hashing import hash_graph
from kg.snapshot.restoring import load_snapshot, restore_snapshot
from kg.store.bolt import Store
from tests.conftest import Kg, empty
from tests.exchange.records import edge_lists, fill
from tests.repeats import often

FIXTURE = Path(__file__).parents[1] / "data" / "snapshot"
NAP = Triple("PersonX naps", "xWant", "to rest")


def everything(graph: KnowledgeGraph) -> tuple:
    described = {
        name: sorted(json.dumps(row, sort_keys=True) for row in rows) for name, rows in graph.descriptions().items()
    }
    return set(graph.edges()), set(graph.phrases(every=True)), graph.judgement_rows(), graph.task_rows(), described


@pytest.fixture
def full(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """A graph with a thing of every kind."""
    graph.add([Assertion(NAP, logprob=-0.5, score=0.75), Assertion(Triple("PersonX naps", "xEffect", "none"))], begun)
    graph.add_events([(Phrase("PersonX wakes up"), -1.5)], begun)
    people = Run("judgements", dataset="people")
    graph.begin(people)
    graph.record_judgements([Judgement(NAP, "ann", 2)], people)
    graph.record_critic("critic-1", auc=0.5)
    own = {"teacher": {"0.8": {"*": 0.25}}}
    graph.record_acceptance(Acceptance("acceptance-1", "critic-1", 0.8, {"0.8": {"*": 0.5, "xWant": 0.25}}, own))
    graph.finish(begun, offered=2)
    return graph


def drawn(graph: KnowledgeGraph) -> str:
    """Draw a batch of two tasks, one of them a control, of which ann judges one twice and skips the other."""
    run = Run("sample", dataset="batch")
    other = Triple("PersonX naps", "xNeed", "to rest")
    both = [Drawn(head_id(one), one.relation, tail_id(one), 0.25) for one in (NAP, other)]
    tasks.put_tasks(graph, run, [both[0], both[1]._replace(probability=None, control="other")], wanted=2)
    first, second = sorted(graph.task_rows(run.id), key=lambda row: row["place"])
    for value in (2, -1):
        tasks.give_verdict(graph, first["id"], "ann", value, "a note, with a comma")
    tasks.skip(graph, second["id"], "ann")
    return run.id


def test_everything_comes_back(full: KnowledgeGraph, store: Store, tmp_path: Path) -> None:
    before = everything(full)
    snapshot = write_snapshot(full, tmp_path / "snapshot")
    assert snapshot.manifest["content_hash"] == hash_graph(full)
    assert snapshot.manifest["counts"] == {"phrases": 3, "edges": 2, "judgements": 1, "nothing": 1}
    empty(store)
    for _ in range(2):
        restore_snapshot(full, open_snapshot(tmp_path / "snapshot"))
        assert everything(full) == before


def test_tasks_come_back_with_all_that_was_said_and_can_be_gone_on_with(
    full: KnowledgeGraph, store: Store, tmp_path: Path
) -> None:
    without = hash_graph(full)
    batch = drawn(full)
    before, whole = everything(full), hash_graph(full)
    assert tasks.next_task(full, batch, "bob") is not None
    assert hash_graph(full) == whole != without, "for whom a task is held is not content"
    snapshot = write_snapshot(full, tmp_path / "snapshot")
    assert snapshot.manifest["content_hash"] == whole
    empty(store)
    for _ in range(2):
        restore_snapshot(full, open_snapshot(tmp_path / "snapshot"))
        assert everything(full) == before
    assert tasks.next_task(full, batch, "ann") is None
    tasks.give_verdict(full, full.task_rows()[0]["id"], "bob", 1)
    after = everything(full)
    restore_snapshot(full, snapshot)
    assert everything(full) == after, "what was said meanwhile stays"
    for run in (judge_run(batch, "ann").id, judge_run(batch, "bob").id, batch):
        full.undo(run)
    assert hash_graph(full) == without


def test_the_hash_tells_every_change_of_a_task(full: KnowledgeGraph, store: Store) -> None:
    drawn(full)
    hashes = {hash_graph(full)}
    changes = ("place = 7", "wanted = 9", "probability = 0.5", "control = 'gold'", "judged = []", "skipped = []")
    for change in changes:
        store.run(f"MATCH (t:Task) SET t.{change}")
        hashes.add(hash_graph(full))
    assert len(hashes) == 1 + len(changes)


def test_a_snapshot_from_before_there_were_tasks_has_none(full: KnowledgeGraph, store: Store, tmp_path: Path) -> None:
    folder = write_snapshot(full, tmp_path / "snapshot").folder
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"format": 2, "files": [name for name in manifest["files"] if name != "tasks.parquet"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "tasks.parquet").unlink()
    empty(store)
    restore_snapshot(full, open_snapshot(folder))
    assert full.statistics()["tasks"] == 0
    assert hash_graph(full) == manifest["content_hash"]


@settings(max_examples=often(10, 25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=edge_lists)
def test_any_graph_comes_back_with_the_same_hash(store: Store, tmp_path: Path, edges: list[Edge]) -> None:
    graph = fill(store, edges)
    assert set(graph.edges()) == set(edges)
    before = everything(graph)
    snapshot = write_snapshot(graph, tmp_path / "snapshot")
    empty(store)
    restore_snapshot(graph, snapshot)
    assert everything(graph) == before
    assert hash_graph(graph) == snapshot.manifest["content_hash"]


def test_the_hash_does_not_depend_on_order_and_tells_every_change(graph: KnowledgeGraph, begun: Run) -> None:
    one, two = Assertion(NAP), Assertion(Triple("PersonX naps", "xEffect", "gets rest"))
    hashes = {hash_graph(graph)}
    for assertions in ([one, two], [two, one]):
        graph.add(assertions, begun)
        hashes.add(hash_graph(graph))
        graph.undo(begun.id)
        graph.begin(begun)
    assert len(hashes) == 2
    graph.add([Assertion(NAP, logprob=-0.5), two], begun)
    assert hash_graph(graph) not in hashes


def test_what_is_there_already_stays_and_runs_are_joined(full: KnowledgeGraph, store: Store, tmp_path: Path) -> None:
    snapshot = write_snapshot(full, tmp_path / "snapshot")
    empty(store)
    full.add_vocabulary(snapshot.vocabulary)
    own = Run("load", dataset="own")
    full.begin(own)
    full.add([Assertion(NAP, logprob=-9.0)], own)
    full.record_critic("own")
    restore_snapshot(full, snapshot)
    edge = next(edge for edge in full.edges() if edge.triple == NAP)
    assert (edge.logprob, edge.runs[0], len(edge.runs)) == (-9.0, own.id, 2)
    assert full.current_critic()["id"] == "own"


@pytest.mark.usefixtures("graph")
def test_what_an_older_version_wrote_is_readable(kg: Kg) -> None:
    loaded = kg("ingest", "load", str(FIXTURE))
    written = json.loads((FIXTURE / "manifest.json").read_text(encoding="utf-8"))["content_hash"]
    assert written in loaded.stdout
    assert json.loads(kg("stats", "--hash", "--json").stdout)["content_hash"] == written


def test_files_are_named_when_they_are_missing_damaged_or_newer(full: KnowledgeGraph, tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    write_snapshot(full, folder)
    path = folder / "edges" / "xWant.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cannot read .*xWant\.parquet"):
        open_snapshot(folder)
    pq.write_table(pq.read_table(folder / "edges" / "xEffect.parquet").slice(0, 0), path)
    with pytest.raises(InputError, match=r"xWant\.parquet has 0 rows where the manifest says 1"):
        open_snapshot(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"edges/xWant\.parquet is missing"):
        open_snapshot(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for part in ("files", "counts", "edges", "relations", "runs"):
        (folder / "manifest.json").write_text(json.dumps({name: manifest[name] for name in manifest if name != part}))
        with pytest.raises(InputError, match=f"damaged: .*{part}"):
            open_snapshot(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(InputError, match="newer"):
        open_snapshot(folder)
    shutil.rmtree(folder)
    with pytest.raises(InputError, match="no snapshot"):
        open_snapshot(folder)


def test_a_folder_that_is_no_snapshot_is_left_alone(
    full: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="no snapshot"):
        write_snapshot(full, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    write_snapshot(full, tmp_path / "again")
    assert write_snapshot(full, tmp_path / "again").manifest["counts"]["edges"] == 2
    assert pq.read_table(tmp_path / "again" / "phrases.parquet").num_rows == 3
    monkeypatch.chdir(tmp_path / "again")
    assert write_snapshot(full, Path()).manifest["counts"]["edges"] == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert open_snapshot(tmp_path / "again").manifest["counts"]["edges"] == 2


def test_what_an_edge_does_not_have_it_does_not_have_after_a_restore_either(graph: KnowledgeGraph) -> None:
    load_snapshot(graph, FIXTURE)  # of an earlier version, with empty lists
    row = graph.store.read("MATCH ()-[r]->() WHERE type(r) = 'xEffect' RETURN r.sources AS sources")[0]
    assert row["sources"] is None
