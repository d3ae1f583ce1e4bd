"""`kg sparql`, as a user calls it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from kg.cli import app
from kg.errors import InputError, QueryTooLong, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.snapshot.hashing import hash_graph
from tests.sparql.test_kept import TAILS, assert_tails

Run = Callable[..., Result]


@pytest.fixture
def run(graph: KnowledgeGraph, environment: dict[str, str]) -> Run:
    """Run the command in this process on a graph of two edges; its errors are raised."""
    assert_tails(graph, "to rest", "to\x1b[2J dream")

    def call(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["sparql", *arguments], input=stdin, env=environment)

    return call


def test_an_answer_is_a_table_and_the_state_is_named_on_stderr(run: Run, graph: KnowledgeGraph) -> None:
    done = run(TAILS)
    assert done.exit_code == 0, done.exception
    assert done.stdout.split() == ["text", "to\\x1b[2J", "dream", "to", "rest"]
    assert f"Content hash {hash_graph(graph)}\n" in done.stderr
    assert run("ASK { ?s relation:xWant ?o }").stdout.split() == ["answer", "true"]
    assert run("CONSTRUCT { ?s relation:xWant ?o } WHERE { ?s relation:xWant ?o }").stdout.startswith("@prefix")


def test_a_query_may_come_from_a_file_or_from_stdin_and_the_answer_in_a_form(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tails.rq"
    file.write_text(TAILS)
    rows = list(csv.reader(io.StringIO(run(str(file), "--format", "csv").stdout)))
    assert rows == [["text"], ["to\x1b[2J dream"], ["to rest"]]
    found = json.loads(run("-", "--format", "json", stdin=TAILS).stdout)
    assert [row["text"]["value"] for row in found["results"]["bindings"]] == ["to\x1b[2J dream", "to rest"]


@pytest.mark.parametrize(("arguments", "error", "says"), [
    (["ASK { SERVICE <http://127.0.0.1:9/> {} }"], UnsafeQuery, "SERVICE"), (["DROP ALL"], UnsafeQuery, "DROP"),
    (["SELECT"], InputError, "not valid SPARQL"), (["no-such.rq"], InputError, "no-such.rq"),
    ([""], UnsafeQuery, "empty"),
    (["ASK {}", "--format", "nt"], InputError, "nt"),
    (["SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n2 ?o }", "--timeout", "1"],
     QueryTooLong, "time limit of 1 s"),
])  # fmt: skip
def test_what_cannot_be_answered_is_one_error_that_says_why(
    arguments: list[str], error: type[Exception], says: str, run: Run
) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, error)
    assert says in str(done.exception)
    assert not done.stdout
    assert run("ASK {}", "--timeout", "0").exit_code == 2
