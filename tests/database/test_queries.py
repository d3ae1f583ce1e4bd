"""Every Cypher file keeps its contract, on a real Neo4j."""

import re
from pathlib import Path

import pytest

from kg.errors import NotFound, QueryError, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import EdgeRow
from kg.identity import head_id, tail_id
from kg.model import EDGE_FIELDS, STATED, Assertion, Triple
from kg.run import Run
from kg.store import adhoc, queries
from kg.store.bolt import Store
from kg.vocabulary import Relation

ROOT = Path(__file__).parents[2]


def test_the_loaded_names_are_the_files() -> None:
    files = {
        path.relative_to(ROOT / "cypher").with_suffix("").as_posix() for path in (ROOT / "cypher").rglob("*.cypher")
    }
    assert set(queries.all_names()) == {name for name in files if not name.startswith("schema/")}
    assert len(queries.named()) >= 10


@pytest.mark.parametrize("name", queries.all_names())
def test_a_query_keeps_its_contract(name: str, store: Store) -> None:
    query = queries.load(name)
    assert query.summary.endswith("."), "the first line says what it does"
    code = re.sub(r"//.*", "", query.text)
    assert set(re.findall(r"\$(\w+)", code)) == set(query.parameters)
    plan = store.explain(query.text, dict.fromkeys(query.parameters) | query.defaults, timeout_seconds=60)
    produce = plan.operators[0]
    returned = produce["details"].replace("`", "").split(", ") if produce["details"] else []
    assert tuple(returned) == query.columns
    if "/" not in name:
        assert plan.kind == "r"


def test_the_rows_of_edges_are_in_the_order_that_python_reads(graph: KnowledgeGraph, begun: Run) -> None:
    triple = Triple("a", "xWant", "b", "en", "fr", "/u", "/v")
    kinds = {name: EDGE_FIELDS[name] for name in STATED}
    values = [{"number": place / 10, "text": f"t{place}", "texts": (f"s{place}",)} for place in range(len(kinds))]
    graph.add(
        [Assertion(triple, "test", *(own[kind] for own, kind in zip(values, kinds.values(), strict=True)))], begun
    )
    text = queries.load("graph/edges").text
    until = graph.store.read(queries.load("graph/event_page").text, last="", events=1)[0]["until"]
    parameters = {"last": "", "until": until, "split": None, "min_score": None, "accepted": None}
    graph.store.run("MATCH ()-[r]->() SET r.score = 0.5, r.critic = 'c', r.accepted = true, r.scores = ['0.1 d']")
    (row,) = graph.store.read(text, **parameters)[0]["rows"]
    (properties,) = (found["p"] for found in graph.store.run("MATCH ()-[r]->() RETURN properties(r) AS p"))
    assert EdgeRow(*row)._asdict() | {"element": ""} == {
        "element": "", "head_id": head_id(triple), "tail_id": tail_id(triple),
        "head": "a", "relation": "xWant", "tail": "b", "lang": "en", "tail_lang": "fr", "head_uri": "/u",
        "tail_uri": "/v", "split": "test", "statements": [], **properties,
    }  # fmt: skip
    assert properties.keys() | {"statements"} == EDGE_FIELDS.keys()
    assert properties["runs"] == [begun.id]


@pytest.mark.parametrize("name", queries.named())
def test_a_named_query_returns_its_columns(name: str, graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to rest"))], begun)
    query = queries.load(name)
    parameters = {"event": "PersonX naps", "text": "naps"} | query.defaults
    answer = adhoc.run(graph.store, query.text, parameters, limit_rows=10, timeout_seconds=20)
    assert tuple(answer.columns) == query.columns


def test_a_statement_for_a_relation_names_its_type() -> None:
    assert "[r:mayBuy]" in queries.load("graph/add_edges").of(Relation("mayBuy", "may buy")).text


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="neighbourhood"):
        queries.load("neighborhood")


def ask(store: Store, text: str, limit_rows: int = 5, timeout_seconds: float = 10.0) -> adhoc.Answer:
    return adhoc.run(store, text, {}, limit_rows=limit_rows, timeout_seconds=timeout_seconds)


def test_a_long_answer_is_cut_and_says_so(store: Store) -> None:
    answer = ask(store, "UNWIND range(1, 10) AS n RETURN n")
    assert (answer.columns, answer.rows, answer.cut) == (["n"], [[1], [2], [3], [4], [5]], True)
    assert not ask(store, "UNWIND range(1, 5) AS n RETURN n").cut


@pytest.mark.parametrize("text", [
    "CREATE (n:Phrase {id: 'x'})",
    "MATCH (n) SET n.text = 'x'",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS",
    "MERGE (n:Phrase {id: 'x'}) RETURN n",
    "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
    "CREATE INDEX hostile FOR (n:Phrase) ON (n.text)",
    "DROP CONSTRAINT phrase_id",
    "CALL db.clearQueryCaches()",
    "CALL dbms.listConfig() YIELD name RETURN name",
    "ALTER CURRENT USER SET PASSWORD FROM 'a' TO 'b'",
    "SHOW USERS",
    "TERMINATE TRANSACTIONS 'neo4j-transaction-1'",
    "EXPLAIN RETURN 1",
    "PROFILE CREATE (n)",
    "  ",
])  # fmt: skip
def test_what_does_more_than_read_is_refused(text: str, graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to rest"))], begun)
    with pytest.raises(UnsafeQuery):
        ask(graph.store, text)
    assert graph.statistics()["edges"] == 1


@pytest.mark.parametrize("text", ["MATCH (n) RETURN", "RETURN $missing", "RETURN 1; RETURN 2"])
def test_what_is_no_statement_is_refused_in_one_line(text: str, store: Store) -> None:
    with pytest.raises(QueryError) as raised:
        ask(store, text)
    assert "\n" not in str(raised.value)


def test_a_runaway_statement_is_ended(store: Store) -> None:
    with pytest.raises(QueryError, match="time limit"):
        ask(
            store,
            "UNWIND range(1, 100000000) AS a UNWIND range(1, 100000) AS b RETURN count(*)",
            timeout_seconds=0.5,
        )
