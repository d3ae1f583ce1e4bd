"""GraphML for Gephi, networkx and yEd: phrases and edges with all that is said about them.

A node's id is the key of its phrase, an edge's id a `t` and the identity of its triple. Texts and relations are also
their `label`, which Gephi, yEd and Cytoscape show. What is not known is left out. Read the file with
`networkx.read_graphml(path, force_multigraph=True)`; in Gephi choose "Don't merge" for parallel edges.

XML 1.0 has no place for most control characters and turns a carriage return into a line feed. Those are
written as `_xHHHH_`, as Office Open XML does, and `unescape` restores them. Lists are joined by `|`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from kg.exchange.target import export_file, open_text
from kg.identity import head_id, tail_id, triple_id
from kg.model import EDGE_FIELDS, NOTHING, Edge, FieldType, Phrase

_NODE_FIELDS = dict.fromkeys(("label", "text", "lang", "labels", "split", "uri"), "string")
_TYPES: dict[FieldType, str] = {"text": "string", "number": "double", "flag": "boolean", "texts": "string"}
_EDGE_FIELDS = {
    **dict.fromkeys(("label", "relation", "split"), "string"),
    **{name: _TYPES[kind] for name, kind in EDGE_FIELDS.items()},
}
_NODE_KEYS = {name: f"node-{name}" for name in _NODE_FIELDS} | {"label": "label"}  # Gephi knows these two ids
_EDGE_KEYS = {name: f"edge-{name}" for name in _EDGE_FIELDS} | {"label": "edgelabel"}

_ODD = re.compile("[\x01-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def write_graphml(phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path) -> int:
    """Write a graph as GraphML.

    Args:
        phrases: the phrases of the edges, each once; the node for no effect is added where an edge needs it.
        edges: what to write, in this order; read after the phrases.
        path: file to make; an older one is replaced.

    Returns:
        The number of edges written.

    Raises:
        InputError: the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        xml = XMLGenerator(file, "utf-8", short_empty_elements=True)
        xml.startDocument()
        xml.startElement("graphml", AttributesImpl({"xmlns": "http://graphml.graphdrawing.org/xmlns"}))
        _declare(xml, "node", _NODE_FIELDS, _NODE_KEYS)
        _declare(xml, "edge", _EDGE_FIELDS, _EDGE_KEYS)
        xml.startElement("graph", AttributesImpl({"edgedefault": "directed"}))
        for phrase in phrases:
            _write_node(xml, phrase)
        has_nothing = False
        for edge in edges:
            if edge.triple.says_nothing and not has_nothing:
                _write(xml, "node", {"id": NOTHING}, {"label": NOTHING, "node-text": NOTHING, "node-labels": "Nothing"})
                has_nothing = True
            _write_edge(xml, edge)
            count += 1
        xml.endElement("graph")
        xml.endElement("graphml")
        xml.endDocument()
    return count


def unescape(text: str) -> str:
    r"""Return a text, or one part of a list, as it was before it was written.

    >>> unescape("a_x0001_b_x005F_x0001_")
    'a\x01b_x0001_'
    """
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _declare(xml: XMLGenerator, element: str, types: Mapping[str, str], keys: Mapping[str, str]) -> None:
    for name, kind in types.items():
        attributes = {"id": keys[name], "for": element, "attr.name": name, "attr.type": kind}
        _write(xml, "key", attributes, {})


def _write_node(xml: XMLGenerator, phrase: Phrase) -> None:
    values = {name: getattr(phrase, "text" if name == "label" else name) or None for name in _NODE_KEYS}
    _write(xml, "node", {"id": phrase.id}, {_NODE_KEYS[name]: value for name, value in values.items()})


def _write_edge(xml: XMLGenerator, edge: Edge) -> None:
    triple = edge.triple
    # The letter keeps networkx from reading an identity without letters as a number.
    attributes = {"id": f"t{triple_id(triple)}", "source": head_id(triple), "target": tail_id(triple)}
    names = {"label": triple.relation, "relation": triple.relation}
    values = {key: names.get(name) or getattr(edge, name) for name, key in _EDGE_KEYS.items()}
    _write(xml, "edge", attributes, values)


def _write(xml: XMLGenerator, element: str, attributes: Mapping[str, str], data: Mapping[str, object]) -> None:
    xml.ignorableWhitespace("\n")
    xml.startElement(element, AttributesImpl(attributes))
    for key, value in data.items():
        if value is not None and value != ():
            xml.startElement("data", AttributesImpl({"key": key}))
            xml.characters(_as_text(value))
            xml.endElement("data")
    xml.endElement(element)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        return "|".join(escape(part).replace("|", "_x007C_") for part in value)
    return json.dumps(value)  # true, false, and NaN or Infinity as Java spells them


def escape(text: str) -> str:
    """Return a text as XML can hold it."""
    return _ODD.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
