"""KGX's JSON Lines (Biolink): NAME_nodes.jsonl and NAME_edges.jsonl.

A node has id, name, category and lang; an edge id, subject, predicate, object, what is said about it, and who said it:

| who | knowledge_level | agent_type |
|---|---|---|
| a student | prediction | computational_model |
| a teacher, or any other model | knowledge_assertion | computational_model |
| people, as in ATOMIC | knowledge_assertion | manual_agent |

Read back, the edges are asserted by one run; the runs that they had, who predicted and what accepted them stay in the
file only.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from kg.exchange.target import export_file
from kg.identity import head_id, tail_id, triple_id
from kg.model import EDGE_FIELDS, NOTHING, Edge, Phrase

NODES, EDGES = "_nodes.jsonl", "_edges.jsonl"
_FIELDS = ("split", *(name for name in EDGE_FIELDS if name not in {"scores", "statements"}))


def pair_of(path: Path) -> tuple[Path, Path]:
    """Return the files of nodes and edges that a name, or one of them, stands for."""
    name = path.name.removesuffix(EDGES).removesuffix(NODES)
    return path.with_name(name + NODES), path.with_name(name + EDGES)


def write_kgx(
    phrases: Iterable[Phrase], edges: Iterable[Edge], path: Path, *, runs: Iterable[Mapping[str, Any]]
) -> int:
    """Write a graph as two files of JSON Lines.

    Args:
        phrases: the phrases of the edges, each once.
        edges: what to write, in this order; read after the phrases.
        path: what the names of both files begin with; older ones are replaced.
        runs: each with its id, and its model if it has one.

    Returns:
        The number of edges written.

    Raises:
        InputError: a file cannot be written.
    """
    models = {str(run["id"]): run.get("model") for run in runs}
    nodes, links = pair_of(path)
    count = 0
    with export_file(links) as edge_draft, export_file(nodes) as node_draft:
        with node_draft.open("wb") as file:
            for phrase in phrases:
                file.write(orjson.dumps(_node(phrase), option=orjson.OPT_APPEND_NEWLINE))
            nothing = {"id": NOTHING, "name": NOTHING, "category": ["Nothing"]}
            file.write(orjson.dumps(nothing, option=orjson.OPT_APPEND_NEWLINE))
        with edge_draft.open("wb") as file:
            for edge in edges:
                file.write(orjson.dumps(_edge(edge, models), option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    return count


def _node(phrase: Phrase) -> dict[str, Any]:
    row = {
        "id": phrase.id, "name": phrase.text, "category": list(phrase.labels) or ["Phrase"], "lang": phrase.lang,
        "uri": phrase.uri or None, "split": phrase.split,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}


def _edge(edge: Edge, models: Mapping[str, Any]) -> dict[str, Any]:
    triple = edge.triple
    manual = not edge.predicted and not models.get(edge.runs[0])
    row = {
        "id": triple_id(triple), "subject": head_id(triple), "predicate": triple.relation, "object": tail_id(triple),
        "knowledge_level": "prediction" if edge.predicted else "knowledge_assertion",
        "agent_type": "manual_agent" if manual else "computational_model",
        **{name: value for name in _FIELDS if (value := getattr(edge, name)) is not None and value != ()},
    }  # fmt: skip
    row |= edge.detail_map.get("kgx") or {}
    return row
