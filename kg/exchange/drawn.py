"""GEXF for Gephi and node-link JSON for d3 and notebooks, through networkx: for parts of a graph that fit in memory.

A node's id is the key of its phrase. What is not known is left out; lists are JSON in GEXF, which has none. GEXF writes
odd characters as `kg.exchange.graphml` does, since XML has no place for them.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import orjson

from kg.exchange.graphml import escape
from kg.exchange.target import export_file
from kg.identity import head_id, tail_id, triple_id
from kg.model import EDGE_FIELDS, NOTHING, Edge, Phrase

_EDGE = ("split", *EDGE_FIELDS)


def write_drawn(
    phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path, form: Literal["gexf", "node-link"]
) -> int:
    """Write a graph as GEXF or node-link JSON.

    Args:
        phrases: the phrases of the edges, each once.
        edges: what to write; read after the phrases.
        path: file to make; an older one is replaced.
        form: the format.

    Returns:
        The number of edges written.

    Raises:
        InputError: the file cannot be written.
    """
    as_is = form == "node-link"
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for phrase in phrases:
        attributes = {name: getattr(phrase, name) or None for name in ("text", "lang", "split", "uri", "labels")}
        graph.add_node(phrase.id, **_known(attributes, as_is), label=phrase.text if as_is else escape(phrase.text))
    for edge in edges:
        triple = edge.triple
        if triple.says_nothing:
            graph.add_node(NOTHING, label=NOTHING)
        attributes = {"relation": triple.relation, **{name: getattr(edge, name) for name in _EDGE}}
        graph.add_edge(head_id(triple), tail_id(triple), f"t{triple_id(triple)}", **_known(attributes, as_is))
    with export_file(path) as draft:
        if as_is:
            draft.write_bytes(orjson.dumps(nx.node_link_data(graph, edges="links")))
        else:
            nx.write_gexf(graph, draft, version="1.2draft")
    return graph.number_of_edges()


def _known(attributes: dict[str, Any], as_is: bool) -> dict[str, Any]:
    known = {name: value for name, value in attributes.items() if value is not None and value != ()}
    return known if as_is else {name: _flat(value) for name, value in known.items()}


def _flat(value: Any) -> Any:
    return escape(value if isinstance(value, str) else json.dumps(value)) if isinstance(value, str | tuple) else value
