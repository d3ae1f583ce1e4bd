"""A snapshot or RDF that lies is refused in one sentence and changes nothing, or what it says is valid."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.errors import InputError, KGError
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Drawn
from kg.identity import head_id, phrase_id, tail_id
from kg.model import Assertion, Triple
from kg.run import Run
from kg.snapshot.folder import Snapshot, open_snapshot, write_snapshot
from kg.snapshot.hashing import hash_graph
from kg.snapshot.restoring import restore_snapshot
from kg.snapshot.verifying import verify
from kg.store.bolt import Store
from kg.workspace import Workspace, check_id
from tests.conftest import Kg, empty
from tests.repeats import often, only_thorough

FIXTURE = Path(__file__).parents[1] / "data" / "snapshot"
BAD_IDS = ["../../../../../etc", "..", ".hidden", "a/b", "", "a\n", "x" * 129, "é", "a\0", "/etc", "a b", 3, None]
VALUES = [
    None, "", " ", "evil", "../../evil", "{bad", "[]", "1", 1, -1, 2**63, 1e300, float("nan"), float("inf"), True,
    "x\0", "\u202e", [], ["a", "a"], ["../.."], [None], {}, {"a": float("nan")},
    "none", "train", "x" * 40_000, "e\u0301",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "snapshot")
    return tmp_path / "snapshot"


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def change_column(folder: Path, name: str, column: str, change: Callable[[list[Any]], list[Any]]) -> None:
    path = folder / name
    table = pq.read_table(path)
    place = table.column_names.index(column)
    values = change(table.column(column).to_pylist())
    pq.write_table(table.set_column(place, column, pa.array(values, table.schema.field(column).type)), path)


def checked(folder: Path) -> Snapshot:
    snapshot = open_snapshot(folder)
    verify(snapshot)
    return snapshot


def test_the_shipped_one_is_good() -> None:
    checked(FIXTURE)


@pytest.mark.parametrize("name", BAD_IDS)
def test_an_id_that_could_leave_the_workspace_is_none(name: object, workspace: Workspace, folder: Path) -> None:
    with pytest.raises(InputError, match="is no id"):
        check_id(name)
    if isinstance(name, str):
        with pytest.raises(InputError, match="is no id"):
            workspace.place("runs", name)
        with pytest.raises(InputError, match="is no id"):
            workspace.folder("runs", name)
    for what in ("runs", "critics", "acceptances"):
        shutil.copy(FIXTURE / "manifest.json", folder)
        change_manifest(folder, lambda manifest, what=what: manifest[what][0].update(id=name))
        with pytest.raises(InputError, match=rf"manifest\.json is damaged: {what}, number 1: .*is no id") as error:
            open_snapshot(folder)
        assert "\n" not in str(error.value)


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "valid JSON": lambda manifest: manifest["runs"][0].update(parameters="{bad"),
    "not a JSON object": lambda manifest: manifest["runs"][0].update(parameters="[1]"),
    "kind": lambda manifest: manifest["runs"][0].update(kind=None),
    "added 'many'": lambda manifest: manifest["runs"][0].update(added="many"),
    "neither a scalar": lambda manifest: manifest["runs"][0].update(other={"a": 1}),
    "not an identifier": lambda manifest: manifest["runs"][0].update({"a`b": 1}),
    "runs is no list": lambda manifest: manifest.update(runs="none"),
    "is there twice": lambda manifest: manifest["runs"].append(manifest["runs"][0]),
    "relations, number .* is there twice": lambda manifest: manifest["relations"].append(manifest["relations"][0]),
    "thresholds": lambda manifest: manifest["acceptances"][0].update(thresholds='{"0.8": {}}'),
    "thresholds have none": lambda manifest: manifest["acceptances"][0].update(teacher_thresholds='{"t": {"0.8": {}}}'),
    "thresholds are no numbers": lambda manifest: manifest["acceptances"][0].update(
        teacher_thresholds='{"t": {"0.8": {"*": "high"}}}'
    ),
    "intervals are no two": lambda manifest: manifest["acceptances"][0].update(intervals='{"*": [0.1]}'),
    "tail_kind": lambda manifest: manifest["relations"][0].update(tail_kind="mood"),
    "opposite": lambda manifest: manifest["relations"][0].update(opposite=["xWant"]),
    "recall": lambda manifest: manifest["acceptances"][0].update(recall="0.8"),
    "is not an identifier": lambda manifest: manifest["relations"][0].update(name="../x"),
    "symmetric": lambda manifest: manifest["relations"][0].update(symmetric="no"),
    "phrase": lambda manifest: manifest["relations"][0].update(phrase=3),
    "does not describe xxx": lambda manifest: manifest["files"].append(300 * "x"),  # too long for any file
    "does not describe": lambda manifest: manifest["files"].append("../../etc/passwd"),
    "does not describe None": lambda manifest: manifest["files"].extend([None, "x"]),
    "damaged": lambda manifest: manifest["edges"].update({"../../xWant": 1}),
    "number of edges is ''": lambda manifest: manifest["counts"].update(edges=""),
    "number of judgements is 'many'": lambda manifest: manifest["counts"].update(judgements="many"),
    "number of .*Want is 'None'": lambda manifest: manifest["edges"].update(xWant=None),
    "number of phrases is '-1'": lambda manifest: manifest["counts"].update(phrases=-1),
    "the sum": lambda manifest: manifest["counts"].update(edges=4),
    "another number": lambda manifest: manifest["counts"].update(nothing=0),
    "the content hash is": lambda manifest: manifest.update(content_hash="0" * 32),
    "no snapshot": lambda manifest: manifest.update(format="1"),
    "missing or damaged": lambda manifest: manifest["runs"][0].update(added=float("nan")),
}


@pytest.mark.parametrize("message", MANIFESTS)
def test_a_manifest_that_is_wrong_is_refused_by_name(folder: Path, message: str) -> None:
    change_manifest(folder, MANIFESTS[message])
    with pytest.raises(InputError, match=message) as error:
        checked(folder)
    assert "\n" not in str(error.value)


ROWS: dict[str, tuple[str, str, Callable[[list[Any]], list[Any]]]] = {
    "split 'evil'": ("phrases.parquet", "split", lambda values: [value and "evil" for value in values]),
    "text None is not": ("phrases.parquet", "text", lambda values: [None, *values[1:]]),
    "an event has a split": ("phrases.parquet", "split", lambda values: [None] * len(values)),
    "row 1: id .* is not the key": ("phrases.parquet", "text", lambda values: [f"{value}!" for value in values]),
    "labels": ("phrases.parquet", ":LABEL", lambda values: ["Event;Run", *values[1:]]),
    "logprob nan": ("phrases.parquet", "logprob", lambda values: [float("nan"), *values[1:]]),
    "run 'load-0' is not described": ("edges/xWant.parquet", "runs", lambda _: [["load-0"]]),
    "is no id": ("phrases.parquet", "runs", lambda values: [["../.."], *values[1:]]),
    "score 1.5 is not from 0 to 1": ("edges/xWant.parquet", "score", lambda _: [1.5]),
    "weight inf": ("edges/xWant.parquet", "weight", lambda _: [float("inf")]),
    "no run is named": ("edges/xWant.parquet", "runs", lambda _: [[]]),
    "predicted None": ("edges/xWant.parquet", "predicted", lambda _: [None]),
    "details .* is not valid JSON": ("edges/xWant.parquet", "details", lambda _: ["{bad"]),
    "details .* NaN": ("edges/xWant.parquet", "details", lambda _: ['{"a": NaN}']),
    "its head 'nobody' is no event": ("edges/xWant.parquet", ":START_ID", lambda _: ["nobody"]),
    "its tail 'nobody' is not in": ("edges/xWant.parquet", ":END_ID", lambda _: ["nobody"]),
    "value 7": ("judgements.parquet", "value", lambda _: [7]),
    "relation 'x' is none": ("judgements.parquet", "relation", lambda _: ["x"]),
    "id 'x' is not the key": ("judgements.parquet", "id", lambda _: ["x"]),
    "the content hash is": ("judgements.parquet", "value", lambda values: [-values[0]]),
    "is not the one row": ("nothing.parquet", "id:ID", lambda _: ["x"]),
}


@pytest.mark.parametrize("message", ROWS)
def test_a_row_that_is_wrong_is_refused_by_file_and_number(folder: Path, message: str) -> None:
    name, column, change = ROWS[message]
    change_column(folder, name, column, change)
    with pytest.raises(InputError, match=message) as error:
        checked(folder)
    assert "\n" not in str(error.value)
    assert re.search(r"row \d|content hash|one row", str(error.value))


TASKS: dict[str, tuple[str, Callable[[list[Any]], list[Any]]]] = {
    "id 'x' is not the key": ("id", lambda _: ["x"]),
    "relation 'x' is none": ("relation", lambda _: ["x"]),
    "is no id": ("run", lambda _: ["../.."]),
    "id .* is not the key": ("run", lambda _: ["sample-0"]),
    "wanted 0": ("wanted", lambda _: [0]),
    "place -1": ("place", lambda _: [-1]),
    "probability 1.5": ("probability", lambda _: [1.5]),
    "probability 0 is": ("probability", lambda _: [0.0]),
    "probability nan": ("probability", lambda _: [float("nan")]),
    "control 'x'": ("control", lambda _: ["x"]),
    "run 'judge-0' is not described": ("judged", lambda _: [["judge-0"]]),
    "no list of ids, each once": ("skipped", lambda _: [["judge-0", "judge-0"]]),
    "log has .* no run, time and verdict": ("log", lambda values: [[f"{values[0][0]}7"]]),
    "run 'judge-1' is not described": ("log", lambda _: [["judge-1 2026-11-27T16:00:00+00:00 2"]]),
    "log has 'judge-1'": ("log", lambda _: [["judge-1"]]),
    "the content hash is": ("probability", lambda _: [0.75]),
}


@pytest.mark.parametrize("message", TASKS)
def test_a_task_that_is_wrong_is_refused(graph: KnowledgeGraph, begun: Run, tmp_path: Path, message: str) -> None:
    triple = Triple("PersonX naps", "xWant", "to rest")
    graph.add([Assertion(triple)], begun)
    tasks.put_tasks(graph, Run("sample"), [Drawn(head_id(triple), "xWant", tail_id(triple), 0.5)], wanted=1)
    tasks.give_verdict(graph, graph.task_rows()[0]["id"], "ann", 2)
    folder = write_snapshot(graph, tmp_path / "snapshot").folder
    checked(folder)
    change_column(folder, "tasks.parquet", *TASKS[message])
    with pytest.raises(InputError, match=message) as error:
        checked(folder)
    assert "\n" not in str(error.value)


def test_texts_that_were_changed_with_their_keys_do_not_pass_for_the_old_ones(folder: Path) -> None:
    texts = pq.read_table(folder / "phrases.parquet").to_pylist()
    new = {row["id:ID"]: phrase_id(f"{row['text']}!", row["lang"], row["uri"] or "") for row in texts}
    change_column(folder, "phrases.parquet", "text", lambda values: [f"{value}!" for value in values])
    change_column(folder, "phrases.parquet", "id:ID", lambda values: [new[value] for value in values])
    for path in (folder / "edges").iterdir():
        for end in (":START_ID", ":END_ID"):
            name = f"edges/{path.name}"
            change_column(folder, name, end, lambda values: [new.get(value, value) for value in values])
    with pytest.raises(InputError):
        checked(folder)
    pq.write_table(pq.read_table(folder / "judgements.parquet").slice(0, 0), folder / "judgements.parquet")
    change_manifest(folder, lambda manifest: manifest["counts"].update(judgements=0))
    with pytest.raises(InputError, match="the content hash is"):
        checked(folder)


@pytest.mark.parametrize("name", ["phrases.parquet", "edges/xWant.parquet", "judgements.parquet"])
def test_a_row_that_is_there_twice_is_refused(folder: Path, name: str) -> None:
    table = pq.read_table(folder / name)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), folder / name)

    def count(manifest: dict[str, Any]) -> None:
        for counts, key in ((manifest["counts"], Path(name).stem), (manifest["edges"], Path(name).stem)):
            if key in counts:
                counts[key] += 1
        manifest["counts"]["edges"] = sum(manifest["edges"].values())

    change_manifest(folder, count)
    with pytest.raises(InputError, match=r"two rows|row before"):
        checked(folder)


def test_a_column_of_another_type_is_refused(folder: Path) -> None:
    for name, column, values in (
        ("phrases.parquet", "text", list(range(5))), ("edges/xWant.parquet", "score", ["high"]),
        ("edges/xWant.parquet", "runs", ["load-1"]), ("judgements.parquet", "value", ["2"]),
    ):  # fmt: skip
        table = pq.read_table(FIXTURE / name)
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, pa.array(values)), folder / name)
        with pytest.raises(InputError, match=f"column {column} is of type"):
            open_snapshot(folder)
        shutil.copy(FIXTURE / name, folder / name)


names = st.sampled_from(
    ["phrases.parquet", "nothing.parquet", "judgements.parquet", "edges/xWant.parquet", "edges/xEffect.parquet"]
)


def mutate(folder: Path, data: st.DataObject) -> None:  # noqa: C901 - one branch a kind
    """Change one thing of a snapshot: a cell, a type, a file's bytes, a value of the manifest."""
    kind, name = data.draw(st.sampled_from(["cell", "bytes", "manifest", "rows", "swap"])), data.draw(names)
    path = folder / name
    if kind == "bytes":
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
    elif kind == "rows":
        table = pq.read_table(path)
        pq.write_table(pa.concat_tables([table, table]) if data.draw(st.booleans()) else table.slice(1), path)
    elif kind == "swap":
        shutil.copy(FIXTURE / data.draw(names), path)
    elif kind == "cell":
        table = pq.read_table(path)
        place = data.draw(st.integers(0, table.num_columns - 1))
        values = table.column(place).to_pylist()
        values[data.draw(st.integers(0, len(values) - 1))] = data.draw(st.sampled_from(VALUES))
        field = table.schema.field(place)
        try:
            column = pa.array(values, field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            try:
                column = pa.array([None if value is None else str(value) for value in values])
            except UnicodeEncodeError:
                return
        pq.write_table(table.set_column(place, field.name, column), path)
    else:

        def change(manifest: dict[str, Any]) -> None:
            place: Any = manifest
            while True:
                keys = list(place) if isinstance(place, dict) else range(len(place))
                key = data.draw(st.sampled_from(list(keys)))
                if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
                    place = place[key]
                    continue
                if isinstance(place, dict) and data.draw(st.booleans()):
                    del place[key]
                else:
                    place[key] = data.draw(st.sampled_from(VALUES))
                return

        change_manifest(folder, change)


def use(graph: KnowledgeGraph, workspace: Workspace) -> None:
    """What later commands do with what was loaded."""
    list(graph.edges())
    list(graph.phrases(every=True))
    graph.judgements()
    graph.statistics()
    graph.descriptions()
    for run in graph.runs():
        json.loads(run.get("parameters") or "{}")
        assert len(f"{run['kind']} {run['status']} {run.get('added', 0):,}") > 3
        workspace.place("runs", run["id"])
    for part in (lambda: workspace.place("critics", graph.current_critic()["id"]),
                 lambda: graph.current_acceptance(graph.current_critic()["id"]).threshold("xWant")):  # fmt: skip
        try:
            part()
        except InputError:
            raise
        except KGError:
            continue


@settings(max_examples=often(50, 150), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_snapshot_with_a_change_is_refused_whole_or_valid(
    store: Store, graph: KnowledgeGraph, tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(FIXTURE, folder)
    mutate(folder, data)
    before = graph.watermark()
    try:
        restore_snapshot(graph, snapshot := open_snapshot(folder))
    except InputError as error:
        said = str(error)
    else:
        assert hash_graph(graph) == snapshot.manifest["content_hash"]
        use(graph, Workspace(tmp_path / "workspace"))
        empty(store)
        return
    assert "\n" not in said
    assert graph.watermark() == before


@pytest.mark.usefixtures("graph")
def test_the_command_line_stays_in_the_workspace_and_in_one_line(kg: Kg, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    for arguments in (
        ("runs", "show", "../../evil"), ("runs", "undo", "../../evil", "--yes"), ("ingest", "resume", "../.."),
        ("ingest", "batch", "status", "../../evil"), ("ingest", "batch", "submit", "/etc"),
        ("ingest", "batch", "collect", "a/../../.."), ("student", "predict", "--student", "../../evil"),
        ("student", "evaluate", "--student", ".."), ("ingest", "resume", "x" * 5000), ("ingest", "resume", ""),
    ):  # fmt: skip
        said = kg(*arguments, status=1).stderr
        assert len(said.splitlines()) == 1
        assert re.search("is no id|no run", said), (arguments, said)
    change_column(folder, *ROWS["split 'evil'"][:2], ROWS["split 'evil'"][2])
    for command in ("load", "bulk"):
        said = kg("ingest", command, str(folder), status=1).stderr
        assert "phrases.parquet, row" in said
        assert len(said.splitlines()) == 1
    assert json.loads(kg("stats", "--json").stdout)["phrases"] == 0


@only_thorough
def test_rdf_with_bad_ids_and_numbers_loses_only_these(graph: KnowledgeGraph, kg: Kg, tmp_path: Path) -> None:
    kg("ingest", "load", str(FIXTURE))
    kg("export", "rdf", "good.nt")
    good = (tmp_path / "good.nt").read_text(encoding="utf-8")
    runs = set(re.findall(r"/run/([^>]+)>", good))
    assert runs
    for run in runs:
        empty(graph.store)
        (tmp_path / "bad.nt").write_text(good.replace(f"/run/{run}>", "/run/..%2F..%2Fevil>"), encoding="utf-8")
        assert "statements not understood" in kg("ingest", "load", "bad.nt", status=1).stderr
        assert all(check_id(found["id"]) for found in graph.runs())
        assert {run for edge in graph.edges() for run in edge.runs} <= {found["id"] for found in graph.runs()}
        use(graph, Workspace(tmp_path / "home"))
    for pattern, bad in (
        (r'(/property/score> )"[^"]*"', r'\1"1.5"'), (r'(/property/parameters> )"[^\n]*" \.', r'\1"{bad" .'),
        (r'(/property/split> )"[^"]*"', r'\1"evil"'), (r'(/property/added> )"[^"]*"', r'\1"99999999999999999999999"'),
    ):  # fmt: skip
        empty(graph.store)
        changed, number = re.subn(pattern, bad, good)
        assert number, pattern
        (tmp_path / "bad.nt").write_text(changed, encoding="utf-8")
        kg("ingest", "load", "bad.nt", status=1)
        use(graph, Workspace(tmp_path / "home"))
