"""A part of the graph in networkx; and by it GEXF for Gephi and node-link JSON for d3: for parts that fit in memory.

    from kg.exchange.networkx import to_networkx
    from kg.exchange.selection import Selection
    from kg.graph.connection import open_graph
    from kg.workspace import Workspace

    with open_graph(Workspace.default()) as graph:
        part = Selection(graph, accepted=True)
        drawn = to_networkx(part.phrases, part.edges)

GEXF writes lists as JSON, since it has none, and odd characters as `kg.exchange.graphml` does, since XML has no place
for them.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import networkx as nx
import orjson

from kg.exchange.graphml import escape
from kg.exchange.target import export_file
from kg.identity import head_id, tail_id, triple_id
from kg.model import EDGE_FIELDS, NOTHING, Edge, Phrase

_EDGE = ("split", *EDGE_FIELDS)


def to_networkx(phrases: Iterable[Phrase], edges: Iterable[Edge]) -> "nx.MultiDiGraph[str]":
    """Return phrases and edges as a graph in memory.

    A node is the id of its phrase, with `label` and `text`, and `lang`, `split`, `uri`, `labels` as far as they are
    known; no effect is the node `NOTHING`. A triple is the edge `graph.edges[head_id, tail_id, relation]`, with `id`,
    `label` and `relation`, and the fields of `kg.model.Edge` as far as they are known.

    Args:
        phrases: the phrases of the edges, each once.
        edges: read after the phrases.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for phrase in phrases:
        attributes = {name: getattr(phrase, name) or None for name in ("text", "lang", "split", "uri", "labels")}
        graph.add_node(phrase.id, label=phrase.text, **_known(attributes))
    for edge in edges:
        triple = edge.triple
        if triple.says_nothing:
            graph.add_node(NOTHING, label=NOTHING, text=NOTHING)
        attributes = {name: getattr(edge, name) for name in _EDGE}
        graph.add_edge(
            head_id(triple), tail_id(triple), triple.relation, id=f"t{triple_id(triple)}", label=triple.relation,
            relation=triple.relation, **_known(attributes),
        )  # fmt: skip
    return graph


def write_gexf(phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path) -> int:
    """Write a graph as GEXF; return the number of edges.

    Raises:
        InputError: the file cannot be written.
    """
    graph = to_networkx(phrases, edges)
    for _, attributes in graph.nodes(data=True):
        attributes.update({name: _flat(value) for name, value in attributes.items()})
    for _, _, attributes in graph.edges(data=True):
        attributes.update({name: _flat(value) for name, value in attributes.items()})
    with export_file(path) as draft:
        nx.write_gexf(graph, draft, version="1.2draft")
    return graph.number_of_edges()


def write_node_link(phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path) -> int:
    """Write a graph as node-link JSON, `links` being its edges; return their number.

    Raises:
        InputError: the file cannot be written.
    """
    graph = to_networkx(phrases, edges)
    with export_file(path) as draft:
        draft.write_bytes(orjson.dumps(nx.node_link_data(graph, edges="links")))
    return graph.number_of_edges()


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None and value != ()}


def _flat(value: Any) -> Any:
    return escape(value if isinstance(value, str) else json.dumps(value)) if isinstance(value, str | tuple) else value
