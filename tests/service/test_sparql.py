"""`/sparql` by the protocol, open with the API and behind the token without it, and its page."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from kg.errors import GraphChanged, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.snapshot.hashing import hash_graph
from kg.sparql.forms import FORMS
from kg.sparql.kept import refresh
from kg.web import sparql as page_module
from kg.web.app import make_app
from kg.web.guard import owner_and
from kg.web.site import Site
from kg.web.sparql import CONTENT_HASH, EXAMPLES
from tests.service.conftest import HOST
from tests.sparql.test_words import ASKING_OTHERS, OTHER

KINDS = "SELECT ?tail { ?k skos:prefLabel 'kettle'@en ; relation:IsA ?t . ?t skos:prefLabel ?tail } ORDER BY ?tail"
TRIPLES = "CONSTRUCT { ?k relation:IsA ?t } WHERE { ?k relation:IsA ?t }"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM, QUERY = "application/x-www-form-urlencoded", "application/sparql-query"


@pytest.fixture(scope="module", autouse=True)
def filled(site: Site) -> None:
    refresh(site.reading().graph, site.stages.rdf)


@pytest.fixture(scope="module")
def owner(site: Site) -> Iterator[TestClient]:
    """A browser of the owner where the API is not served."""
    client = TestClient(make_app(site, hosts={HOST}, who=owner_and("a-token", {"b": "anna"}.get)), f"http://{HOST}")
    assert client.get("/", params={"token": "a-token"}).status_code == 200
    return client


def tails(answer_text: str) -> list[str]:
    return [row["tail"]["value"] for row in json.loads(answer_text)["results"]["bindings"]]


def test_a_query_in_the_address_a_form_or_the_body_has_the_same_answer_of_a_named_state(
    api: TestClient, kettles: KnowledgeGraph
) -> None:
    answers = [
        api.get("/sparql", params={"query": KINDS}),
        api.post("/sparql", data={"query": KINDS}),
        api.post("/sparql", content=KINDS, headers={"content-type": f"{QUERY}; charset=utf-8"}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert tails(answer.text) == ["bouilloire", "hollow", "none", "pot"]
        assert answer.headers[CONTENT_HASH] == hash_graph(kettles)
        assert answer.headers["content-type"] == "application/sparql-results+json"
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("query", "accept", "media", "has"), [
    (KINDS, "", "application/sparql-results+json", '"bouilloire"'),
    (KINDS, "*/*", "application/sparql-results+json", '"bouilloire"'),
    (KINDS, "application/json", "application/sparql-results+json", '"bouilloire"'),
    (KINDS, "application/sparql-results+xml", "application/sparql-results+xml", '<literal xml:lang="fr">bouilloire<'),
    (KINDS, "text/csv", "text/csv; charset=utf-8", "tail\r\nbouilloire\r\n"),
    (KINDS, "text/tab-separated-values", "text/tab-separated-values; charset=utf-8", '?tail\n"bouilloire"@fr\n'),
    (KINDS, "text/turtle, text/csv;q=0.1", "text/csv; charset=utf-8", "bouilloire"),
    (TRIPLES, "", "text/turtle; charset=utf-8", "relation:IsA phrase:"),
    (TRIPLES, "text/turtle;q=0.1, application/n-triples", "application/n-triples", "/relation/IsA> <https:"),
    (TRIPLES, "application/ld+json", "application/ld+json", '"@id"'),
    (TRIPLES, "application/rdf+xml", "application/rdf+xml", "<rdf:RDF"),
    ("ASK { ?s relation:IsA ?o }", "", "application/sparql-results+json", '"boolean":true'),
    ("DESCRIBE skd:nothing", "text/turtle", "text/turtle; charset=utf-8", "none"),
])  # fmt: skip
def test_an_answer_has_the_form_that_is_accepted(
    query: str, accept: str, media: str, has: str, api: TestClient
) -> None:
    answer = api.get("/sparql", params={"query": query}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert has in answer.text


@pytest.mark.parametrize(("asked", "status"), [
    ("query=SELECT", 400), ("query=", 400), ("format=json", 400), ("query=ASK{}&query=ASK{}", 400),
    ("query=ASK{}&format=png", 400), ("query=ASK{}&format=nt", 406), ("query=%FF", 400),
    ("query=ASK{}&default-graph-uri=file:///etc/passwd", 400), ("query=ASK{}&named-graph-uri=http://127.0.0.1", 400),
    ("update=DROP+ALL", 400), ("query=ASK{}&update=DROP+ALL", 400),
    *((f"query={quote(query)}", 400) for query in (*ASKING_OTHERS[:12], *OTHER[:14])),
])  # fmt: skip
def test_what_is_no_reading_query_is_an_error_in_json(asked: str, status: int, api: TestClient) -> None:
    for answer in (
        api.get(f"/sparql?{asked}"), api.post("/sparql", content=asked, headers={"content-type": FORM}),
    ):  # fmt: skip
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert error["status"] == status
        assert error["details"]
        assert "root:" not in answer.text


def test_bodies_and_wishes_that_nobody_can_meet_are_errors(api: TestClient) -> None:
    def posted(content: bytes, kind: str) -> int:
        return api.post("/sparql", content=content, headers={"content-type": kind}).status_code

    assert posted(b"DROP ALL", "application/sparql-update") == 400
    assert posted(b"{}", "application/json") == 415
    assert posted(b"ASK { \xff }", QUERY) == 400
    assert posted(b"ASK {} #" + b"x" * 300_000, QUERY) == 413
    assert api.get("/sparql", params={"query": "ASK {}"}, headers={"accept": "image/png"}).status_code == 406
    assert api.get("/sparql", params={"query": KINDS}, headers={"accept": "text/turtle"}).status_code == 406
    assert api.get("/sparql", headers={"accept": "application/sparql-results+json"}).status_code == 400
    assert api.post("/sparql", headers={"content-type": FORM}).status_code == 400
    assert '<textarea id="query"' in api.get("/sparql").text
    assert api.put("/sparql", content=KINDS).status_code == 405


def test_a_query_without_an_end_is_given_up_and_the_next_one_is_answered(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(page_module, "_SECONDS", 0.5)
        endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
        answer = api.get("/sparql", params={"query": endless})
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, 503)
    assert "time limit" in answer.json()["error"]["details"]
    assert api.get("/sparql", params={"query": "ASK {}"}).json()["boolean"]


def test_the_same_answer_is_not_sent_twice_and_a_head_has_no_body(api: TestClient) -> None:
    asked = {"query": KINDS}
    answer = api.get("/sparql", params=asked)
    known = {"if-none-match": answer.headers["etag"]}
    again = api.get("/sparql", params=asked, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert api.get("/sparql", params=asked, headers=known | {"accept": "text/csv"}).status_code == 200
    assert api.get("/sparql", params={"query": TRIPLES}, headers=known).status_code == 200
    head = api.head("/sparql", params=asked)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


def test_without_the_api_it_needs_the_token_and_a_post_our_own_page(site: Site, owner: TestClient) -> None:
    stranger = TestClient(owner.app, f"http://{HOST}")
    assert stranger.get("/sparql", params={"query": "ASK {}"}).status_code == 403
    assert stranger.get("/sparql", headers=BROWSER).status_code == 403
    stranger.get("/judge", params={"token": "b"})
    assert stranger.get("/sparql", params={"query": "ASK {}"}).status_code == 403
    assert owner.get("/sparql", params={"query": "ASK {}"}).json()["boolean"]
    assert owner.head("/sparql", params={"query": "ASK {}"}).status_code == 200
    assert owner.post("/sparql", data={"query": "ASK {}"}).status_code == 403
    csrf = re.findall(r'name="csrf" content="([0-9a-f]+)"', owner.get("/sparql", headers=BROWSER).text)[0]
    sent = {"query": "ASK {}", "csrf": csrf}
    assert owner.post("/sparql", data=sent, headers={"origin": f"http://{HOST}"}).json()["boolean"]
    assert site.stages.rdf.is_dir()


def test_the_page_has_a_form_an_answer_as_a_table_and_examples_that_work(owner: TestClient, api: TestClient) -> None:
    for client in (owner, api):
        page = client.get("/sparql", headers=BROWSER)
        assert page.status_code == 200
        assert '<textarea id="query" name="query"' in page.text
        links = re.findall(r'<dt><a href="([^"]+)">', page.text)
        assert len(links) == len(EXAMPLES) == 3
        for link in links:
            answer = client.get(link.replace("&amp;", "&"), headers=BROWSER)
            assert answer.status_code == 200
            assert 'role="alert"' not in answer.text
            assert "<td>" in answer.text
    page = api.get("/sparql", params={"query": KINDS}, headers=BROWSER)
    assert re.findall(r"<td><bdi>(.*?)</bdi></td>", page.text) == ["bouilloire", "hollow", "none", "pot"]
    assert page.headers[CONTENT_HASH] in page.text
    shown = re.findall(r'href="(/sparql\?query=[^"]+&amp;format=(\w+))"', page.text)
    assert [name for _, name in shown] == [name for name, form in FORMS.items() if not form.of_triples]
    assert "bouilloire" in api.get(shown[2][0].replace("&amp;", "&"), headers=BROWSER).text


def test_the_page_says_what_is_wrong_and_shows_hostile_texts_as_texts(api: TestClient) -> None:
    for query, says in (
        (ASKING_OTHERS[0], "SERVICE"),
        ("SELECT", "not valid SPARQL"),
        ("ASK {} #<script>\x1b[2J", "row"),
    ):
        page = api.get("/sparql", params={"query": query}, headers=BROWSER)
        assert says in page.text
        assert "<script>\x1b" not in page.text
        assert page.status_code == 200
        assert ('role="alert"' in page.text) == (says != "row")
    page = api.get("/sparql", params={"query": "SELECT ('<script>x</script>' AS ?x) {}"}, headers=BROWSER)
    assert "&lt;script&gt;x" in page.text
    assert "<script>x" not in page.text


@pytest.mark.parametrize(("error", "status"), [
    (NotReady("the graph is empty"), 503), (GraphChanged("a run writes"), 200),
])  # fmt: skip
def test_the_state_before_answers_while_a_run_writes_but_never_for_an_empty_graph(
    error: Exception, status: int, api: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(page_module, "refresh", failing)
    site.kept._found.pop("sparql", None)  # noqa: SLF001 - as if the graph had been written to
    answer = api.get("/sparql", params={"query": "ASK {}"})
    site.kept._found.pop("sparql", None)  # noqa: SLF001
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["details"] == str(error)
        assert answer.headers["retry-after"] == "5"
