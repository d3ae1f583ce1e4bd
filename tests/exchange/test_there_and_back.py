"""Every format that is written and read: through a file, from one real graph to the next, whatever the texts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings

from ingest.load import load_file
from kg.errors import InputError
from kg.exchange.atomic import write_atomic2019
from kg.exchange.conceptnet import write_conceptnet
from kg.exchange.drawn import write_drawn
from kg.exchange.graphml import unescape
from kg.exchange.kgtk import write_kgtk
from kg.exchange.kgx import write_kgx
from kg.exchange.skd import write_jsonl
from kg.exchange.tsv import write_tsv
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, tail_id
from kg.model import NOTHING, Edge, Triple
from kg.store.bolt import Store
from kg.workspace import Workspace
from tests.conftest import empty
from tests.exchange.records import RELATIONS, edge_lists, fill

VOCABULARY = """
[xWant]
phrase = "and then PersonX wants"
[IsA]
phrase = "is a"
[oEffect]
phrase = "so others"
"""
Write = Callable[[KnowledgeGraph, Path], int]
Keep = Callable[[Edge], Any]


def plain(edge: Edge) -> Edge:
    """An edge of English phrases, as formats without languages and URIs take them."""
    triple = edge.triple
    return replace(edge, triple=Triple(triple.head, triple.relation, triple.tail))


def speaks_conceptnet(edge: Edge) -> Edge:
    """An edge with what ConceptNet has: URIs that follow from the texts, and sources that are JSON."""
    triple = edge.triple
    tail_uri = f"/c/{triple.tail_lang or triple.lang}/none" if triple.tail == NOTHING else ""
    sources = tuple(
        sorted(orjson.dumps({"contributor": source}).decode().replace(":", ": ", 1) for source in edge.sources)
    )
    return replace(
        edge, triple=Triple(triple.head, triple.relation, triple.tail, triple.lang, triple.tail_lang, "", tail_uri),
        weight=None if edge.weight in (float("inf"), float("-inf")) else edge.weight, sources=sources, details=None,
    )  # fmt: skip


def first(one: float | None, other: float | None) -> float | None:
    """What a format with one place for a probability keeps."""
    return other if one is None else one


def as_it_is(edge: Edge) -> Edge:
    return edge


FORMATS: dict[str, tuple[str, Write, Callable[[Edge], Edge], Keep]] = {
    "skd": (
        "f.jsonl",
        lambda graph, path: write_jsonl(graph.edges(), path, thresholds={}, verdicts={}),
        plain,
        lambda edge: (edge.triple, edge.split, None if edge.triple.says_nothing else first(edge.score, edge.published)),
    ),
    "atomic2020": ("f.tsv", lambda graph, path: write_tsv(graph.edges(), path), plain, lambda edge: edge.triple),
    "cn100k": (
        "f.txt",
        lambda graph, path: write_tsv(graph.edges(), path, relation_first=True),
        plain,
        lambda edge: edge.triple,
    ),
    "atomic2019": (
        "f.csv",
        lambda graph, path: write_atomic2019(graph.edges(), path, relations=RELATIONS.names),
        plain,
        lambda edge: (edge.triple, edge.split),
    ),
    "conceptnet": (
        "f.csv.gz",
        lambda graph, path: write_conceptnet(graph.edges(), path),
        speaks_conceptnet,
        lambda edge: (edge.triple, edge.weight or 1.0, set(edge.sources)),
    ),
    "kgtk": (
        "f.tsv.gz",
        lambda graph, path: write_kgtk(graph.edges(), path, relations=RELATIONS),
        as_it_is,
        lambda edge: (edge.triple, edge.weight),
    ),
    "kgx": (
        "f_edges.jsonl",
        lambda graph, path: write_kgx(graph.phrases(), graph.edges(), path, runs=graph.runs()),
        as_it_is,
        lambda edge: (
            edge.triple, edge.split, edge.logprob, edge.weight,
            None if edge.triple.says_nothing else first(edge.published, edge.score), set(edge.sources), edge.details,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=edge_lists)
def test_a_format_brings_back_what_it_can_hold(
    store: Store, tmp_path: Path, format_name: str, edges: list[Edge]
) -> None:
    name, write, fit, keep = FORMATS[format_name]
    edges = list({edge.triple: edge for edge in map(fit, edges)}.values())
    graph = fill(store, edges)
    before = list(graph.edges())
    assert {edge.triple for edge in before} == {edge.triple for edge in edges}
    path = tmp_path / name
    try:
        write(graph, path)
    except InputError:  # what a format cannot hold it refuses
        assert format_name not in ("skd", "kgtk", "kgx")
        assume(False)
    empty(store)
    (tmp_path / "vocabulary.toml").write_text(VOCABULARY)
    workspace = Workspace(tmp_path / "workspace")
    loaded = load_file(graph, workspace, path, format_name, vocabulary=str(tmp_path / "vocabulary.toml"), lang="en")
    assert loaded.rejected == 0
    found = {edge.triple: keep(edge) for edge in graph.edges()}
    for edge in before:
        expected = keep(edge)
        if format_name == "skd" and edge.triple.says_nothing:
            continue
        assert found[edge.triple] == expected
    assert len(found) == len(before)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=edge_lists)
def test_drawings_hold_everything(store: Store, tmp_path: Path, edges: list[Edge]) -> None:
    graph = fill(store, edges)
    for form in ("gexf", "node-link"):
        path = tmp_path / f"f.{form}"
        assert write_drawn(graph.phrases(), graph.edges(), path, form) == len(edges)  # type: ignore[arg-type]
        if form == "gexf":
            drawn = nx.read_gexf(path)
        else:
            drawn = nx.node_link_graph(orjson.loads(path.read_bytes()), edges="links")
        read = unescape if form == "gexf" else str
        found = {(head, tail, data["relation"]): data for head, tail, data in drawn.edges(data=True)}
        assert len(found) == len(edges)
        for edge in edges:
            triple = edge.triple
            data = found[head_id(triple), tail_id(triple), triple.relation]
            assert read(drawn.nodes[head_id(triple)]["text"]) == triple.head
            for name in ("score", "logprob", "weight", "accepted"):
                expected = getattr(edge, name)
                if expected not in (float("inf"), float("-inf")):
                    assert data.get(name) == expected
            runs = orjson.loads(read(data["runs"])) if form == "gexf" else data["runs"]
            assert tuple(runs) == edge.runs
