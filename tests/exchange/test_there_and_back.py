"""Every format that is written and read: through a file, from one real graph to the next, whatever the texts."""

import json
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
from kg.exchange.formats import FORMATS, Format
from kg.exchange.graphml import unescape
from kg.exchange.networkx import write_gexf, write_node_link
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, own_uri, tail_id
from kg.model import NOTHING, Edge, Triple
from kg.store.bolt import Store
from kg.workspace import Workspace
from tests.conftest import empty
from tests.exchange.records import edge_lists, fill
from tests.repeats import often

VOCABULARY = """
[xWant]
phrase = "and then PersonX wants"
[IsA]
phrase = "is a"
[oEffect]
phrase = "so others"
"""
Fit = Callable[[Edge], Edge]
Keep = Callable[[Edge], Any]
BOTH_WAYS = {row.name: row for row in FORMATS.values() if row.read and row.write}
REFUSING = {"atomic2020", "pairs", "cn100k", "atomic2019", "conceptnet", "kgtk"}
"""Formats that refuse what they cannot hold, as their row in the table or their module says."""


def as_it_is(edge: Edge) -> Edge:
    return edge


def plain(edge: Edge) -> Edge:
    """An edge of English phrases, as formats without languages and URIs take them."""
    triple = edge.triple
    return replace(edge, triple=Triple(triple.head, triple.relation, triple.tail))


def finite(edge: Edge) -> Edge:
    return replace(edge, weight=None) if edge.weight in (float("inf"), float("-inf")) else edge


def probed(edge: Edge) -> Edge:
    """An edge with the row of LAMA that it could have been read from."""
    triple = edge.triple
    uris = (
        own_uri(triple.head, "en", triple.head_uri),
        triple.tail_uri or ("/c/en/none" if triple.tail == NOTHING else ""),
    )
    row = {"sub_label": triple.head, "sub_uri": uris[0], "obj_label": triple.tail, "obj_uri": uris[1]}
    source = json.dumps(row | {"predicate_id": triple.relation}, ensure_ascii=False, sort_keys=True)
    return replace(
        edge, triple=Triple(triple.head, triple.relation, triple.tail, "en", "", *uris), sources=(source,), details=None
    )


def first(one: float | None, other: float | None) -> float | None:
    """What a format with one place for a probability keeps."""
    return other if one is None else one


def contributors(edge: Edge) -> set[str]:
    """Sources as ConceptNet has them."""
    own = [source for source in edge.sources if source.startswith('{"contributor"')]
    return {*own, *(json.dumps({"contributor": s}, ensure_ascii=False) for s in edge.sources if s not in own)}


def skd(edge: Edge) -> Any:
    return edge.triple, edge.split, None if edge.triple.says_nothing else first(edge.score, edge.published)


def kgx(edge: Edge) -> Any:
    score = None if edge.triple.says_nothing else first(edge.published, edge.score)
    return edge.triple, edge.split, edge.logprob, edge.weight, score, set(edge.sources), edge.details


def everything(edge: Edge) -> Any:
    """An edge with its lists that are sets in one order: but for the first run, RDF has none."""
    return replace(
        edge, runs=(edge.runs[0], *sorted(edge.runs[1:])), sources=tuple(sorted(edge.sources)),
        scores=tuple(sorted(edge.scores)), statements=tuple(sorted(edge.statements)),
    )  # fmt: skip


EXPECTED: dict[str, tuple[Fit, Keep]] = {
    "skd": (plain, skd),
    "atomic2020": (plain, lambda edge: edge.triple),
    "cn100k": (plain, lambda edge: edge.triple),
    "pairs": (plain, lambda edge: edge.triple),
    "atomic2019": (plain, lambda edge: (edge.triple, edge.split)),
    "conceptnet": (finite, lambda edge: (edge.triple, 1.0 if edge.weight is None else edge.weight, contributors(edge))),
    "kgtk": (as_it_is, lambda edge: (edge.triple, edge.weight)),
    "kgx": (as_it_is, kgx),
    "lama": (probed, lambda edge: (edge.triple, edge.sources)),
    "rdf": (as_it_is, everything),
    "snapshot": (as_it_is, everything),
}


def test_every_format_that_goes_both_ways_is_tried() -> None:
    assert EXPECTED.keys() == BOTH_WAYS.keys()


def brought(graph: KnowledgeGraph, row: Format, path: Path, workspace: Workspace) -> int:
    """Bring a file into a graph; return how many rows were rejected."""
    assert row.read
    if not row.read.vocabulary:
        restored = row.read(graph=graph, workspace=workspace, path=path, progress=lambda _: None)
        return int(restored.rejected)
    vocabulary = workspace.root / "vocabulary.toml"
    vocabulary.write_text(VOCABULARY)
    return load_file(graph, workspace, path, row.name, vocabulary=str(vocabulary), lang="en").rejected


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(max_examples=often(3, 15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=edge_lists)
def test_a_format_brings_back_what_it_can_hold(store: Store, tmp_path: Path, name: str, edges: list[Edge]) -> None:
    row, (fit, keep) = BOTH_WAYS[name], EXPECTED[name]
    assert row.write
    edges = list({edge.triple: edge for edge in map(fit, edges)}.values())
    graph = fill(store, edges)
    before = list(graph.edges())
    assert {edge.triple for edge in before} == {edge.triple for edge in edges}
    packed = ".gz" if row.write.packs else ""
    path = tmp_path / f"file{row.endings[-1]}{packed}" if row.endings else tmp_path / "folder"
    try:
        row.write(Selection(graph), path=path, base=None, form=None)
    except InputError:
        assert name in REFUSING
        assume(False)
    empty(store)
    assert brought(graph, row, path, Workspace(tmp_path / "workspace")) == 0
    found = {edge.triple: keep(edge) for edge in graph.edges()}
    for edge in before:
        assert found[edge.triple] == keep(edge)
    assert len(found) == len(before)


@settings(max_examples=often(6, 15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=edge_lists)
def test_drawings_hold_everything(store: Store, tmp_path: Path, edges: list[Edge]) -> None:
    graph = fill(store, edges)
    for form, write in (("gexf", write_gexf), ("node-link", write_node_link)):
        path = tmp_path / f"f.{form}"
        assert write(graph.phrases(), graph.edges(), path) == len(edges)
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
            assert data["label"] == triple.relation
            assert read(drawn.nodes[head_id(triple)]["text"]) == triple.head
            for name in ("score", "logprob", "weight", "accepted"):
                expected = getattr(edge, name)
                if expected not in (float("inf"), float("-inf")):
                    assert data.get(name) == expected
            runs = orjson.loads(read(data["runs"])) if form == "gexf" else data["runs"]
            assert tuple(runs) == edge.runs
