"""A data set as hubs know one."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from kg.cli import app
from kg.errors import InputError
from kg.exchange.dataset import export_dataset
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from tests.hub import reachable

BY = Run("load", model="gpt-4o | mini", dataset="mine.jsonl", licence="CC BY 4.0")


def filled(graph: KnowledgeGraph) -> KnowledgeGraph:
    graph.begin(BY)
    graph.add(
        [
            Assertion(Triple("PersonX naps", "xWant", "to rest"), split="train"),
            Assertion(Triple("PersonX naps", "xReact", "none"), split="train"),
            Assertion(Triple("PersonX eats", "xWant", "to drink"), split="test"),
        ],
        BY,
    )
    graph.finish(BY)
    return graph


def test_each_split_is_a_file_that_the_card_names(graph: KnowledgeGraph, tmp_path: Path) -> None:
    part = Selection(filled(graph))
    for _ in range(2):  # again, in place of the older one
        assert export_dataset(part.pages, tmp_path / "mine", part.runs) == 3
    card = DatasetCard.load(tmp_path / "mine" / "README.md")
    found = {}
    for file in card.data.configs[0]["data_files"]:
        rows = pq.read_table(tmp_path / "mine" / file["path"]).to_pylist()
        found[file["split"]] = {(row["head"], row["relation"], row["tail"]) for row in rows}
    assert found == {
        "train": {("PersonX naps", "xWant", "to rest"), ("PersonX naps", "xReact", "none")},
        "test": {("PersonX eats", "xWant", "to drink")},
    }
    assert card.data.size_categories == ["n<1K"]
    assert card.data.language == ["en"]
    for text in ("gpt-4o \\| mini", "CC BY 4.0", "mine.jsonl", "| xWant | 2 |", "| train | 2 |"):
        assert text in card.text


def test_nothing_is_no_data_set_and_other_folders_are_left_alone(graph: KnowledgeGraph, tmp_path: Path) -> None:
    part = Selection(graph)
    with pytest.raises(InputError, match="no edge to make a data set of"):
        export_dataset(part.pages, tmp_path / "mine", part.runs)
    assert not (tmp_path / "mine").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes")
    with pytest.raises(InputError, match="exists and is no data set"):
        export_dataset(part.pages, tmp_path / "mine", part.runs)


def test_what_no_run_wrote_is_not_in_the_card(graph: KnowledgeGraph, tmp_path: Path) -> None:
    other = replace(BY, model="somebody else", parameters={"x": 1})
    filled(graph).begin(other)
    graph.finish(other)
    part = Selection(graph)
    export_dataset(part.pages, tmp_path / "mine", part.runs)
    assert "somebody else" not in (tmp_path / "mine" / "README.md").read_text()


@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # how the hub's library sends
def test_a_hub_gets_the_folder_in_a_private_repository_where_asked(
    graph: KnowledgeGraph, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(graph)
    for name, value in environment.items():
        if name.startswith(("NEO4J_", "KG_HOME")):
            monkeypatch.setenv(name, value)
    folder = tmp_path / "mine"
    with reachable() as hub:
        for _ in range(2):  # a second time adds a version
            done = CliRunner().invoke(app, ["export", "dataset", str(folder), "--to", "me/mine"])
            assert done.exit_code == 0, done.output
            assert f"{hub.address}/datasets/me/mine" in done.output
        assert hub.repositories == {"datasets/me/mine": True}
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert hub.files["datasets/me/mine"] == files
        assert set(files) == {"README.md", "data/train.parquet", "data/test.parquet"}
        hub.refuses = 400
        done = CliRunner().invoke(app, ["export", "dataset", str(folder), "--to", "me/mine"])
        assert isinstance(done.exception, InputError)
        assert "hub refused me/mine" in str(done.exception)
    for arguments in (["jsonl", "mine.jsonl", "--to", "me/mine"], ["dataset", "mine", "--public"]):
        assert isinstance(CliRunner().invoke(app, ["export", *arguments]).exception, InputError)
