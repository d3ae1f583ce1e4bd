from pathlib import Path
from xml.etree.ElementTree import parse

import networkx as nx

from kg.exchange.graphml import write_graphml
from kg.identity import phrase_id, triple_id
from kg.model import Edge, Phrase

NAMESPACE = "{http://graphml.graphdrawing.org/xmlns}"


def test_networkx_reads_nodes_and_parallel_edges(phrases: list[Phrase], edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.graphml"
    assert write_graphml(phrases, edges, path) == 5
    graph = nx.read_graphml(path)
    assert isinstance(graph, nx.MultiDiGraph)
    head, dry = phrase_id("PersonX lends PersonY an umbrella"), phrase_id("to stay dry")
    assert graph.nodes[dry] == {
        "label": "to stay dry",
        "text": "to stay dry",
        "lang": "en",
        "labels": "Event|Inference",
        "split": "validation",
    }
    assert graph.number_of_edges(head, dry) == 2
    assert graph.edges[head, dry, f"t{triple_id(edges[0].triple)}"] == {
        "label": "xWant",
        "relation": "xWant",
        "split": "train",
        "runs": "teacher-1|student-1",
        "predicted": False,
        "logprob": -0.25,
        "score": 0.75,
        "critic": "critic-1",
        "accepted": True,
    }


def test_no_effect_is_one_node_and_only_where_it_is_used(
    phrases: list[Phrase], edges: list[Edge], folder: Path
) -> None:
    write_graphml(phrases, edges, folder / "with.graphml")
    write_graphml(phrases, edges[:2], folder / "without.graphml")
    graph = nx.read_graphml(folder / "with.graphml")
    assert graph.nodes["none"] == {"label": "none", "text": "none", "labels": "Nothing"}
    assert graph.in_degree("none") == 2
    assert "none" not in nx.read_graphml(folder / "without.graphml")


def test_gephi_finds_declared_keys_labels_and_nodes_before_their_edges(
    phrases: list[Phrase], edges: list[Edge], folder: Path
) -> None:
    # Gephi's importer reads once, takes a key's id or name for a property that it knows, and looks nodes up.
    write_graphml(phrases, edges, folder / "graph.graphml")
    root = parse(folder / "graph.graphml").getroot()  # noqa: S314 - our own file
    keys = {(key.get("for"), key.get("id")): key.get("attr.name") for key in root.iter(f"{NAMESPACE}key")}
    assert keys["node", "label"] == keys["edge", "edgelabel"] == "label"
    assert len({key for _, key in keys}) == len(keys)
    seen = set()
    for element in root.iter():
        if element.tag == f"{NAMESPACE}node":
            assert element.get("id") not in seen
            seen.add(element.get("id"))
        if element.tag == f"{NAMESPACE}edge":
            assert {element.get("source"), element.get("target")} <= seen
        for data in element.findall(f"{NAMESPACE}data"):
            assert (element.tag.removeprefix(NAMESPACE), data.get("key")) in keys
    assert len(seen) == len(phrases) + 1, "and no effect"
    assert len(list(root.iter(f"{NAMESPACE}data"))) > 2 * len(edges)


def test_no_edges_make_an_empty_graph(folder: Path) -> None:
    assert write_graphml([], [], folder / "graph.graphml") == 0
    assert len(nx.read_graphml(folder / "graph.graphml")) == 0
