"""Every format that `kg export` lists, through the real command and back: a new format is tried by itself."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import networkx as nx
import pyarrow.parquet as pq
import pyoxigraph
import pytest
from typer.testing import CliRunner

from kg.cli import app
from kg.graph.knowledge import KnowledgeGraph
from tests.conftest import empty

Kg = Callable[..., str]
Rows = set[tuple[str, str, str]]

TAUGHT = {
    ("PersonX fires PersonY", "xReact", "guilty"),
    ("PersonX fires PersonY", "xWant", "to hire someone else"),
    ("PersonX fires PersonY", "xEffect", "none"),
    ("PersonX naps", "xWant", "to rest"),
}
SOMETHING = {row for row in TAUGHT if row[2] != "none"}
PROBE = {"masked_sentences": ["The [MASK] colour was used."], "obj_label": "gold", "id": "a", "sub_label": "Squad"}
PROBED = {("Squad", "SQuAD", "gold")}

SVG_TEXT = "{http://www.w3.org/2000/svg}text"
FILES = {
    "snapshot": "out",
    "rdf": "out.ttl",
    "kgx": "out_edges.jsonl",
    "kgtk": "out.tsv",
    "pairs": "out.source",
    "conceptnet": "out.csv",
}
READERS = {"jsonl": "skd", "tsv": "atomic2020"}  # where the format has another name for `kg ingest load`
NEEDS_A_TAIL = {"jsonl", "conceptnet"}  # one leaves the reader without "no effect", one refuses it


def formats() -> list[str]:
    """The formats in the command's own list."""
    (export,) = [one.callback for one in app.registered_commands if one.callback and one.callback.__name__ == "export"]
    choices = get_args(inspect.signature(export).parameters["format_name"].annotation)[0]
    return list(get_args(choices))


def drawn(graph: nx.MultiDiGraph) -> Rows:
    return {
        (graph.nodes[head]["text"], data["relation"], graph.nodes[tail].get("text", "none"))
        for head, tail, data in graph.edges(data=True)
    }


OWN: dict[str, Callable[[Path], Rows]] = {
    "parquet": lambda path: {(row["head"], row["relation"], row["tail"]) for row in pq.read_table(path).to_pylist()},
    "dataset": lambda path: {
        (row["head"], row["relation"], row["tail"]) for row in pq.read_table(path / "data").to_pylist()
    },
    "graphml": lambda path: drawn(nx.read_graphml(path, force_multigraph=True)),
    "gexf": lambda path: drawn(nx.read_gexf(path)),
    "svg": lambda path: {row for row in TAUGHT if {*row} <= {text.text for text in ET.parse(path).iter(SVG_TEXT)}},  # noqa: S314
    "node-link": lambda path: drawn(nx.node_link_graph(json.loads(path.read_bytes()), edges="links")),
}
"""How others read what `kg ingest load` does not."""


def expected_of(name: str) -> tuple[list[str], Rows]:
    """The options that leave a format what it can hold, and the rows that are left."""
    if name == "lama":
        return ["--where", "type(r) = 'SQuAD'"], PROBED
    if name == "snapshot":  # takes no filter
        return [], TAUGHT | PROBED
    if name in NEEDS_A_TAIL:
        return ["--where", "type(r) <> 'SQuAD' AND tail:Phrase"], SOMETHING
    return ["--where", "type(r) <> 'SQuAD'"], TAUGHT


@pytest.fixture
def kg(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kg:
    """Run the command in this process: 27 processes of their own would say the same, later."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, f"{' '.join(arguments)}: {done.output}"
        return done.stdout

    return run


@pytest.fixture
def written(kg: Kg, graph: KnowledgeGraph, tmp_path: Path) -> dict[str, Path]:
    """The files of all formats, of the same graph; the graph is empty by then."""
    (tmp_path / "rows.tsv").write_text("".join("\t".join(row) + "\n" for row in sorted(TAUGHT)))
    (tmp_path / "probes.jsonl").write_text(json.dumps(PROBE) + "\n")
    kg("ingest", "load", "rows.tsv", "--format", "atomic2020")
    kg("ingest", "load", "probes.jsonl", "--format", "lama")
    paths = {}
    for name in formats():
        paths[name] = tmp_path / name / FILES.get(name, "out.txt")
        paths[name].parent.mkdir()
        options, rows = ([], set()) if name == "shapes" else expected_of(name)
        said = kg("export", name, str(paths[name]), *options)
        assert name == "shapes" or f"{len(rows)} edges written to {paths[name]}" in said, name
    empty(graph.store)
    return paths


def test_every_format_of_the_command_holds_every_edge(written: dict[str, Path], kg: Kg, graph: KnowledgeGraph) -> None:
    assert set(OWN) | {*FILES, *READERS, *NEEDS_A_TAIL} < set(written)
    shapes = pyoxigraph.parse(path=str(written.pop("shapes")), format=pyoxigraph.RdfFormat.TURTLE)
    assert "http://www.w3.org/ns/shacl#NodeShape" in {getattr(quad.object, "value", "") for quad in shapes}
    for name, path in written.items():
        _, expected = expected_of(name)
        if name in OWN:
            assert OWN[name](path) == expected, name
            continue
        whole = [] if name in ("snapshot", "rdf") else ["--vocabulary", "lama" if name == "lama" else "skd"]
        kg("ingest", "load", str(path), "--format", READERS.get(name, name), *whole)
        found = {(edge.triple.head, edge.triple.relation, edge.triple.tail) for edge in graph.edges()}
        assert found == expected, name
        empty(graph.store)
