"""The table of formats: what it says is true of the code, the commands and GUIDE.md."""

import importlib
import inspect
from pathlib import Path

import pytest

import ingest.readers  # noqa: F401 - whose formats join the table
from kg.errors import GraphChanged, InputError, UnsafeQuery
from kg.exchange.formats import FORMATS, Format, Reading, Writing, readable, readme_rows, register, writable
from kg.exchange.rdf.writing import rdf_format
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from tests.conftest import Kg

GUIDE = (Path(__file__).parents[2] / "GUIDE.md").read_text(encoding="utf-8")
SIDES = [
    (f"{row.name} {type(side).__name__}", side) for row in FORMATS.values() for side in (row.read, row.write) if side
]


def test_the_readme_has_the_table_row_by_row() -> None:
    section = GUIDE.split("## In and out", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.split("\n\n", 2)[1].splitlines()[2:] if not line.startswith("| judgements")]
    assert rows == list(readme_rows())


@pytest.mark.parametrize("side", [side for _, side in SIDES], ids=[name for name, _ in SIDES])
def test_a_function_takes_what_its_row_says(side: Reading | Writing) -> None:
    module, _, name = side.function.partition(":")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    needed = {one.name for one in parameters if one.default is one.empty}
    assert needed <= {*side.takes} <= {one.name for one in parameters}
    if isinstance(side, Writing):
        known = {*vars(Selection), "graph", "progress", "path", "base", "form"}
        assert {*side.takes} <= known
        assert side.lost


def test_the_help_names_every_format(kg: Kg) -> None:
    shown = "".join(kg("export", "--help").stdout.split())
    assert all(f"{name}:" in shown for name in writable())
    shown = "".join(kg("ingest", "load", "--help").stdout.replace("│", "").split())
    assert ",".join(readable()) in shown


def test_rdf_is_told_by_the_endings_that_it_is_written_with() -> None:
    for ending in FORMATS["rdf"].endings:
        assert rdf_format(Path(f"graph{ending}.gz")) is rdf_format(Path(f"graph{ending.upper()}"))
    with pytest.raises(InputError, match="cannot tell"):
        rdf_format(Path("graph.xml"))


def test_a_name_is_given_once() -> None:
    register(FORMATS["skd"])
    with pytest.raises(ValueError, match="another format 'skd'"):
        register(Format("skd", "something else"))


def test_a_selection_refuses_what_does_more_than_read_and_a_graph_that_moves(graph: KnowledgeGraph, begun: Run) -> None:
    with pytest.raises(UnsafeQuery):
        Selection(graph, where="true) SET r.score = 1 WITH head, r, tail WHERE (true")
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to rest"))], begun)
    part = Selection(graph)
    assert len(list(part.edges)) == len(list(part.edges)) == 1
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to sleep"))], begun)
    for items in (part.edges, part.phrases, part.every_phrase, part.pages):
        with pytest.raises(GraphChanged):
            list(items)
