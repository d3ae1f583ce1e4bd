"""KGX's JSON Lines (Biolink): NAME_nodes.jsonl and NAME_edges.jsonl, ours and those of others.

A node has id, name and category; an edge id, subject, predicate, object, and who said it:

| who | knowledge_level | agent_type |
|---|---|---|
| a student | prediction | computational_model |
| a teacher, or any other model | knowledge_assertion | computational_model |
| people, as in ATOMIC | knowledge_assertion | manual_agent |

The columns of this software alone begin with `skd_`, by which its files are told from others'. The columns of other
software, of an edge and of its two nodes, are kept in `details` under `kgx` and `kgx_nodes` and come out as they went
in; of several rows of one triple, those of the first row. A node whose phrase has a URI has that URI as its id.

Read back, the edges are asserted by one run; the runs that they had, who predicted and what accepted them stay in the
file only.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from kg.errors import InputError
from kg.exchange.rows import (
    Rows,
    as_details,
    check_unicode,
    clean_part,
    json_object,
    parse_rows,
    read_number,
    read_split,
    text_of,
)
from kg.exchange.target import export_file
from kg.identity import head_id, phrase_id, tail_id, triple_id
from kg.lines import Line, Rejected, read_lines
from kg.model import EDGE_FIELDS, NOTHING, Assertion, Edge, Phrase, Triple
from kg.vocabulary import Vocabulary

NODES, EDGES = "_nodes.jsonl", "_edges.jsonl"
_OURS = "skd_"
_FIELDS = ("split", *(name for name in EDGE_FIELDS if name not in {"scores", "statements"}))
_INVENTED = ("id", "knowledge_level", "agent_type")  # where nobody else said so
_ENDS = ("subject", "object")


class Node(NamedTuple):
    """A node of a file: text, language and URI of its phrase, and columns of other software (None: it is ours)."""

    text: str
    lang: str
    uri: str
    other: dict[str, Any] | None = None


def pair_of(path: Path) -> tuple[Path, Path]:
    """Return the files of nodes and edges that a name, or one of them, stands for."""
    name = path.name.removesuffix(EDGES).removesuffix(NODES)
    return path.with_name(name + NODES), path.with_name(name + EDGES)


def read_kgx(path: Path, vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the edges of a KGX file, whose nodes are in the file beside it; all nodes are held in memory.

    Args:
        path: of the file of edges.
        vocabulary: relations that may occur, as the last part of a predicate.
        lang: language of the nodes that name none.

    Raises:
        InputError: there is no file of nodes.
    """
    beside, links = pair_of(path)
    nodes: dict[str, Node] = {}
    for line in read_lines(beside):
        if isinstance(line, Rejected):
            yield Rejected(line.line, f"in {beside.name}: {line.reason}", line.text)
            continue
        try:
            key, node = _read_node(line, lang)
        except InputError as error:
            yield Rejected(line.number, f"in {beside.name}: {error}", line.text)
            continue
        if nodes.setdefault(key, node) != node:
            reason = f"in {beside.name}: node {key[:80]!r} is there twice, and not the same; the first one counts"
            yield Rejected(line.number, reason, line.text)
    yield from parse_rows(read_lines(links), lambda line: _read_edge(line, vocabulary, nodes))


def _read_node(line: Line, lang: str) -> tuple[str, Node]:
    row = json_object(line.text)
    key = clean_part(text_of(row, "id"), "id")
    name = text_of(row, "name") if row.get("name") else key
    text = clean_part(name, "name")
    if f"{_OURS}lang" in row:
        uri = row.get(f"{_OURS}uri")
        return key, Node(text, clean_part(text_of(row, f"{_OURS}lang"), "lang"), clean_part(uri, "uri") if uri else "")
    own = row.get("lang")
    own = clean_part(own, "lang") if isinstance(own, str) else lang
    uri = row.get("uri") or ""
    if key == NOTHING or (isinstance(uri, str) and key == phrase_id(text, own, uri)):  # ours, of an earlier version
        return key, Node(text, own, uri)
    other = {column: value for column, value in row.items() if column not in ("id", "name")}
    if row.get("name") != text:
        other["name"] = row.get("name")
    return key, Node(text, own, key, other)


def _read_edge(line: Line, vocabulary: Vocabulary, nodes: Mapping[str, Node]) -> Iterator[Assertion]:
    row = json_object(line.text)
    relation = vocabulary[text_of(row, "predicate").replace("/", ":").rpartition(":")[2]].name
    for end in _ENDS:
        if (key := text_of(row, end)) not in nodes:
            raise InputError(f"{end} {key[:80]!r} is not in the file of nodes, or is named by a bad line there")
    head, tail = nodes[row["subject"]], nodes[row["object"]]
    tail_lang, tail_uri = tail.lang, tail.uri
    if row["object"] == NOTHING:
        tail_lang, tail_uri = head.lang, ""
    elif tail.text == NOTHING and not tail_uri:
        tail_uri = f"/c/{tail_lang}/{NOTHING}"
    triple = Triple(
        head.text, relation, tail.text, head.lang, "" if tail_lang == head.lang else tail_lang, head.uri, tail_uri
    )
    ours = {name.removeprefix(_OURS): value for name, value in row.items() if name.startswith(_OURS)}
    if not ours and row.get("id") == triple_id(triple):  # ours, of an earlier version
        ours = row
    score, sources = _number(ours, "score" if ours.get("published") is None else "published"), ours.get("sources") or []
    if score is not None and not 0 <= score <= 1:
        raise InputError(f"score {score} is not from 0 to 1")
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise InputError("sources is not a list of texts")
    yield Assertion(
        triple,
        split=read_split(ours["split"]) if ours.get("split") else None,
        logprob=_number(ours, "logprob"), weight=_number(ours, "weight"), score=score,
        sources=tuple(check_unicode(source, "sources") for source in sources),
        details=_details(row, ours, relation, (head, tail)),
    )  # fmt: skip


def _details(row: Mapping[str, Any], ours: Mapping[str, Any], relation: str, ends: tuple[Node, Node]) -> str | None:
    """Return the details of an edge: its own, if the edge is one of ours, and the columns of other software."""
    own = ours.get("details")
    details = {} if own is None else json_object(str(own))
    before = details.get("kgx")
    known = {"predicate": relation, **(before if isinstance(before, dict) else {})}
    mine = {*_ENDS, *(_FIELDS if ours is row else ()), *(_INVENTED if ours else ())}
    other = {
        name: value
        for name, value in row.items()
        if name not in mine and not name.startswith(_OURS) and (name not in known or known[name] != value)
    }
    nodes = {end: node.other for end, node in zip(_ENDS, ends, strict=True) if node.other}
    if other:
        details["kgx"] = (before if isinstance(before, dict) else {}) | other
    if nodes:
        details["kgx_nodes"] = nodes
    return as_details(details)


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None else read_number(value, name)


def write_kgx(
    phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path, *, runs: Iterable[Mapping[str, Any]]
) -> int:
    """Write a graph as two files of JSON Lines.

    The nodes' columns of other software, and the URIs of phrases, are held in memory.

    Args:
        phrases: the phrases of the edges, each once.
        edges: what to write, in this order; read after the phrases.
        path: the beginning of both files' names; older files are replaced.
        runs: each with its id, and its model if it has one.

    Returns:
        The number of edges written.

    Raises:
        InputError: a file cannot be written.
    """
    models = {str(run["id"]): run.get("model") for run in runs}
    nodes, links = pair_of(path)
    owners: dict[str, str] = {}  # a URI is the id of one phrase only, the first one that has it
    others: dict[str, dict[str, Any]] = {}  # what others say of a node
    count = 0
    with export_file(links) as edge_draft, export_file(nodes) as node_draft:
        plain = node_draft.with_name(f"{node_draft.name}.plain")
        try:
            with plain.open("wb") as file:
                for phrase in phrases:
                    if phrase.uri:
                        owners.setdefault(phrase.uri, phrase.id)
                    file.write(_line(_node(phrase, _node_id(phrase.id, phrase.uri, owners))))
                file.write(_line({"id": NOTHING, "name": NOTHING, "category": ["Nothing"]}))
            with edge_draft.open("wb") as file:
                for edge in edges:
                    file.write(_line(_edge(edge, models, owners, others)))
                    count += 1
            with plain.open("rb") as given, node_draft.open("wb") as file:
                file.writelines(_with_others(line, others) if others else line for line in given)
        finally:
            plain.unlink(missing_ok=True)
    return count


def _line(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _node_id(key: str, uri: str, owners: Mapping[str, str]) -> str:
    return uri if uri not in ("", NOTHING) and owners.get(uri) == key else key


def _node(phrase: Phrase, node: str) -> dict[str, Any]:
    row = {
        "id": node, "name": phrase.text, "category": list(phrase.labels) or ["Phrase"],
        f"{_OURS}lang": phrase.lang, f"{_OURS}uri": phrase.uri or None, f"{_OURS}split": phrase.split,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}


def _with_others(line: bytes, others: Mapping[str, Mapping[str, Any]]) -> bytes:
    row = orjson.loads(line)
    other = others.get(row["id"])
    if other is None:
        return line
    return _line({name: value for name, value in (row | other).items() if value is not None or name != "name"})


def _edge(
    edge: Edge, models: Mapping[str, Any], owners: Mapping[str, str], others: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    triple, details = edge.triple, edge.detail_map
    manual = not edge.predicted and not models.get(edge.runs[0])
    ends = (
        _node_id(head_id(triple), triple.head_uri, owners), _node_id(tail_id(triple), triple.tail_uri, owners)
    )  # fmt: skip
    row = {
        "id": triple_id(triple), "subject": ends[0], "predicate": triple.relation, "object": ends[1],
        "knowledge_level": "prediction" if edge.predicted else "knowledge_assertion",
        "agent_type": "manual_agent" if manual else "computational_model",
        **{f"{_OURS}{name}": value for name in _FIELDS if (value := getattr(edge, name)) is not None and value != ()},
    }  # fmt: skip
    nodes = details.get("kgx_nodes")
    for name, node in zip(_ENDS, ends, strict=True):
        if isinstance(nodes, dict) and isinstance(other := nodes.get(name), dict):
            others.setdefault(node, other)
    other = details.get("kgx")
    return row | other if isinstance(other, dict) else row
