"""Edges as a networkx graph, for notebooks."""

from collections.abc import Iterable

import networkx as nx

from kg.errors import InputError
from kg.model import EDGE_FIELDS, Edge

_FIELDS = ("split", *EDGE_FIELDS)
_ALWAYS = ("runs", "sources")  # lists that stand there also when they are empty


def to_networkx(edges: Iterable[Edge]) -> "nx.MultiDiGraph[str]":
    """Return edges as a graph in memory; a triple is the edge `graph.edges[head, tail, relation]`.

    A node is the text of its phrase, with the attribute `lang`; no effect is the node `NOTHING`, without one.
    An edge has the fields of `Edge` as attributes, as far as they are known.

    Raises:
        InputError: one text stands for two nodes: it is a phrase in two languages, or both the phrase and the
            literal `NOTHING`.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for edge in edges:
        triple = edge.triple
        _add_node(graph, triple.head, triple.lang, triple.head_uri)
        _add_node(graph, triple.tail, None if triple.says_nothing else triple.tail_lang or triple.lang, triple.tail_uri)
        known = {
            name: value
            for name in _FIELDS
            if (value := getattr(edge, name)) is not None and (value != () or name in _ALWAYS)
        }
        graph.add_edge(triple.head, triple.tail, triple.relation, **known)
    return graph


def _add_node(graph: "nx.MultiDiGraph[str]", text: str, lang: str | None, uri: str) -> None:
    if text not in graph:
        graph.add_node(text, **({"lang": lang} if lang else {}), **({"uri": uri} if uri else {}))
    elif graph.nodes[text].get("uri", "") != uri:
        raise InputError(f"{text[:80]!r} is two nodes of the graph, senses of one word, but one in networkx")
    elif (other := graph.nodes[text].get("lang")) != lang:
        raise InputError(
            f"{text[:80]!r} is two nodes of the graph ({other or 'no effect'}, {lang or 'no effect'}), but "
            "one in networkx, where a text is a node; take edges of one language, or leave these out"
        )
