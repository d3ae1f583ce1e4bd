"""What is written and read back is the same, whatever the texts: as far as the format says so."""

import json
from dataclasses import fields
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings

from kg.errors import InputError
from kg.exchange.graphml import unescape, write_graphml
from kg.exchange.parquet import write_parquet
from kg.exchange.skd import write_jsonl
from kg.exchange.tsv import write_tsv
from kg.graph.rows import row_of
from kg.model import EDGE_FIELDS, NOTHING, Edge, Triple
from tests.exchange.records import edge_lists, phrases_of

write_and_read = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


LISTS = [name for name, kind in EDGE_FIELDS.items() if kind == "texts"]


@write_and_read
@given(edge_lists)
def test_jsonl_keeps_texts_scores_and_splits(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.jsonl"
    assert write_jsonl(edges, path, thresholds={}, verdicts={}) == len(edges)
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line) for line in file]
    assert [(row["head"], row["relation"], row["tail"], row["p_valid_model"], row["split"]) for row in rows] == [
        (
            edge.triple.head,
            edge.triple.relation,
            edge.triple.tail,
            edge.published if edge.score is None else edge.score,
            edge.split.replace("idation", ""),
        )
        for edge in edges
    ]


@write_and_read
@given(edge_lists)
def test_tsv_keeps_texts_or_refuses(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.tsv"
    path.unlink(missing_ok=True)
    try:
        write_tsv(edges, path)
    except InputError:
        assert not path.exists()
        assume(False)
    rows = [tuple(line.split("\t")) for line in path.read_bytes().decode("utf-8-sig").splitlines()]
    assert rows == [(edge.triple.head, edge.triple.relation, edge.triple.tail) for edge in edges]


@write_and_read
@given(edge_lists)
def test_parquet_keeps_everything(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.parquet"
    assert write_parquet([list(map(row_of, edges))], path) == len(edges)
    back = []
    for row in pq.read_table(path).to_pylist():
        triple = Triple(*(row.pop(field.name) or "" for field in fields(Triple)))
        del row["head_id"], row["tail_id"]
        lists = {name: tuple(row.pop(name)) for name in LISTS}
        back.append(Edge(triple, **row, **lists))
    assert back == edges


@write_and_read
@given(edge_lists)
def test_graphml_keeps_everything(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.graphml"
    assert write_graphml(phrases_of(edges), edges, path) == len(edges)
    graph = nx.read_graphml(path, force_multigraph=True)
    back = []
    for head, tail, data in graph.edges(data=True):
        text = unescape(graph.nodes[tail]["text"]) if tail != NOTHING else NOTHING
        lang, other = graph.nodes[head]["lang"], graph.nodes[tail].get("lang")
        uris = [unescape(graph.nodes[end].get("uri", "")) for end in (head, tail)]
        other = "" if other in (lang, None) else other
        assert data.pop("label") == data["relation"]
        triple = Triple(unescape(graph.nodes[head]["text"]), data.pop("relation"), text, lang, other, *uris)
        lists = {name: tuple(map(unescape, data.pop(name).split("|"))) if name in data else () for name in LISTS}
        said = {name: unescape(data.pop(name)) if name in data else None for name in ("critic", "details")}
        back.append(Edge(triple, **said, **lists, **data))
    assert sorted(back, key=lambda edge: edge.triple) == sorted(edges, key=lambda edge: edge.triple)
