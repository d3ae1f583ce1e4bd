"""The Cypher page: the guard of `kg query`, tables, pictures and forms of the shipped queries."""

import pytest
from starlette.testclient import TestClient

from kg.graph.knowledge import KnowledgeGraph
from kg.store import queries
from tests.web.conftest import HOSTILE
from tests.web.test_pages import Page

pytestmark = pytest.mark.usefixtures("filled")


def ask(client: TestClient, cypher: str) -> str:
    answer = client.get("/cypher", params={"cypher": cypher})
    assert answer.status_code == 200
    return answer.text


def test_a_statement_is_answered_as_a_table_and_as_a_picture(owner: TestClient) -> None:
    text = ask(
        owner, "MATCH (h:Event)-[r:xNeed]->(t) RETURN h.text AS head, type(r) AS relation, t.text AS tail LIMIT 9"
    )
    page = Page(text)
    assert "9 rows" in page.text
    assert [tag for tag, _ in page.elements].count("tr") == 10
    assert "svg" in {tag for tag, _ in page.elements}
    assert "→ xNeed" in page.text


@pytest.mark.parametrize("cypher", [
    "MATCH (h:Event)-[r:xNeed]->(t) RETURN r LIMIT 3", "MATCH p = (:Event)-[:xNeed]->() RETURN p LIMIT 3",
])  # fmt: skip
def test_relationships_and_paths_are_pictures(cypher: str, owner: TestClient) -> None:
    page = Page(ask(owner, cypher))
    assert "→ xNeed" in page.text


def test_a_picture_is_bounded(owner: TestClient) -> None:
    text = ask(owner, "UNWIND range(1, 150) AS n RETURN 'h' + n AS head, 'xWant' AS relation, 't' + n AS tail")
    assert text.count('href="/search?text=') <= 60


@pytest.mark.parametrize("cypher", [
    "CREATE (n:Phrase {id: 'x'})", "MATCH (n) DETACH DELETE n", "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "RETURN [x IN [1] | COLLECT { LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l[0] }] AS x",
    "CALL db.clearQueryCaches()", "DROP INDEX phrase_words", "SHOW USERS", "MATCH (n) RETURN", "RETURN $missing", ";",
])  # fmt: skip
def test_what_does_more_than_read_or_is_no_statement_is_a_sentence(
    cypher: str, owner: TestClient, filled: KnowledgeGraph
) -> None:
    before = filled.watermark(), filled.statistics()
    page = Page(ask(owner, cypher))
    assert ("p", {"class": "note", "role": "alert"}) in page.elements
    assert "root:" not in page.text
    assert before == (filled.watermark(), filled.statistics())


def test_a_long_answer_is_cut_and_says_so(owner: TestClient) -> None:
    assert "The first 200 rows" in ask(owner, "UNWIND range(1, 300) AS n RETURN n")
    assert "200 rows." in ask(owner, "UNWIND range(1, 200) AS n RETURN n")


def test_a_name_that_the_graph_does_not_have_is_noted(owner: TestClient) -> None:
    assert "no_such_name" in Page(ask(owner, "MATCH ()-[r]->() RETURN r.no_such_name AS a")).text.split("Answer")[1]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_and_statements_are_texts(text: str, owner: TestClient) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    for cypher in (f"RETURN '{quoted}' AS head, 'x' AS relation, '{quoted}' AS tail", f"RETURN 1 AS `{text}`", text):
        page = Page(ask(owner, cypher))
        assert "img" not in {tag for tag, _ in page.elements}
        assert sum(tag == "script" for tag, _ in page.elements) == 1
        assert not [link for link in page.links() if not link.startswith(("/", "#"))]


@pytest.mark.parametrize("name", queries.named())
def test_every_shipped_query_is_a_form_with_its_header(name: str, owner: TestClient) -> None:
    query = queries.load(name)
    form = owner.get("/cypher", params={"name": name})
    assert form.status_code == 200
    fields = {attributes.get("name") for tag, attributes in Page(form.text).elements if tag == "input"}
    assert {f"p.{parameter}" for parameter in query.parameters} <= fields
    values = {f"p.{name}": value for name, value in {"event": "PersonX does thing 2", "text": "thing"}.items()}
    answer = Page(owner.get("/cypher", params={"name": name, "ask": "1", **values}).text)
    assert "Answer" in answer.text
    assert not [1 for tag, attributes in answer.elements if attributes.get("role") == "alert"]


def test_a_parameter_may_be_json_and_a_missing_one_is_named(owner: TestClient) -> None:
    text = owner.get("/cypher", params={"name": "best_tails", "ask": "1", "p.count": "1"}).text
    assert "3 rows" in text
    assert "the query wants event" in owner.get("/cypher", params={"name": "why", "ask": "1"}).text
    assert owner.get("/cypher", params={"name": "no-such"}).status_code == 404
