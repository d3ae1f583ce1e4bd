from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kg.exchange import parquet
from kg.exchange.parquet import SCHEMA, write_parquet
from kg.graph.rows import row_of
from kg.identity import phrase_id
from kg.model import EDGE_FIELDS, Edge


def test_every_field_is_a_column(edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.parquet"
    assert write_parquet([list(map(row_of, edges))], path) == 5
    rows = pq.read_table(path).to_pylist()
    triple = edges[0].triple
    empty = {name: [] if kind == "texts" else None for name, kind in EDGE_FIELDS.items()}
    assert rows[0] == empty | {
        "head": triple.head,
        "relation": "xWant",
        "tail": "to stay dry",
        "lang": "en",
        "split": "train",
        "score": 0.75,
        "accepted": True,
        "predicted": False,
        "critic": "critic-1",
        "logprob": -0.25,
        "runs": ["teacher-1", "student-1"],
        "tail_lang": None,
        "head_uri": None,
        "tail_uri": None,
        "head_id": phrase_id(triple.head),
        "tail_id": phrase_id("to stay dry"),
    }
    assert [row["tail_id"] for row in rows[2:4]] == ["none", "none"]
    assert rows[4]["sources"] == list(edges[4].sources)
    assert {field.name for field in fields(Edge)} - {"triple"} <= set(SCHEMA.names)


def test_edges_are_written_in_row_groups(edges: list[Edge], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP", 2)
    write_parquet([list(map(row_of, edges))], folder / "graph.parquet")
    metadata = pq.read_metadata(folder / "graph.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [2, 2, 1]
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_no_edges_make_an_empty_table(folder: Path) -> None:
    assert write_parquet([], folder / "graph.parquet") == 0
    table = pq.read_table(folder / "graph.parquet")
    assert table.num_rows == 0
    assert table.schema == SCHEMA
