"""Edges by filters: pages, addresses, Cypher and downloads say the same."""

import gzip
import json
import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import Graph
from starlette.testclient import TestClient

from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id
from kg.model import Edge
from kg.store import adhoc
from kg.store.bolt import Store
from kg.web import browse
from kg.web.filters import Filters, literal
from kg.web.reading import Reading
from tests.repeats import spread
from tests.web.conftest import HOSTILE

pytestmark = pytest.mark.usefixtures("filled")

KINDS: dict[str, tuple[Filters, object]] = {
    "none": (Filters(), lambda _: True),
    "relation": (Filters(relation="xWant"), lambda edge: edge.triple.relation == "xWant"),
    "unknown relation": (Filters(relation="it's"), lambda _: False),
    "split": (Filters(split="test"), lambda edge: edge.split == "test"),
    "run": (Filters(run="predict-40c6683d0624"), lambda edge: edge.runs == ("predict-40c6683d0624",)),
    "accepted": (Filters(accepted=True), lambda edge: edge.accepted is True),
    "not accepted": (Filters(accepted=False), lambda edge: edge.accepted is False),
    "predicted": (Filters(predicted=True), lambda edge: edge.predicted),
    "taught": (Filters(predicted=False), lambda edge: not edge.predicted),
    "score": (Filters(low=0.2, high=0.6), lambda edge: edge.score is not None and 0.2 <= edge.score <= 0.6),
    "text": (Filters(text="xneed 3"), lambda edge: {"xNeed", "3"} <= {*edge.triple.tail.split()}),
    "text of a head": (Filters(text="DOES thing 11"), lambda edge: edge.triple.head.endswith("does thing 11")),
    "some": (
        Filters(relation="xNeed", split="train", accepted=True, low=0.5),
        lambda edge: edge.triple.relation == "xNeed" and edge.split == "train" and edge.accepted and edge.score >= 0.5,
    ),
}


def key(edge: Edge) -> tuple[str, str, str]:
    return edge.triple.head, edge.triple.relation, edge.triple.tail


def all_of(reading: Reading, filters: Filters, count: int) -> list[tuple[str, str, str]]:
    """What all pages of some filters have, page after page."""
    rows, place = [], browse.BEGINNING
    while place is not None:
        page = browse.find(reading, filters, place, count=count)
        assert len(page.rows) <= count
        rows += page.rows
        place = page.following
    ids = [(row["head_id"], row["relation"], row["tail_id"]) for row in rows]
    assert all(one < other for one, other in pairwise(ids)), "the order of keys, each edge once"
    return [(row["head"], row["relation"], row["tail"]) for row in rows]


@pytest.mark.parametrize("kind", spread(tuple(KINDS), 7))
@pytest.mark.parametrize("events", [4, 400])
def test_the_pages_have_every_edge_that_passes_once(
    kind: str, events: int, filled: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters, passes = KINDS[kind]
    expected = sorted(key(edge) for edge in filled.edges() if passes(edge))  # type: ignore[operator]
    assert expected or kind == "unknown relation"
    monkeypatch.setattr(browse, "_EVENTS", events)
    for count in (7,) if events > 4 else (50,):
        assert sorted(all_of(Reading(filled), filters, count)) == expected


def test_judged_edges_and_unjudged_ones_are_told_apart(filled: KnowledgeGraph) -> None:
    judged = {(one.triple.head, one.triple.relation, one.triple.tail) for one in filled.judgements()}
    everything = {key(edge) for edge in filled.edges()}
    reading = Reading(filled)
    assert set(all_of(reading, Filters(judged=True), 50)) == judged & everything
    assert set(all_of(reading, Filters(judged=False), 50)) == everything - judged


def test_a_page_whose_time_is_up_says_how_to_go_on(filled: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "_EVENTS", 1)
    monkeypatch.setattr(browse, "_SECONDS", 0.0)
    monkeypatch.setattr(browse, "_EMPTY_SECONDS", 0.0)
    filters = KINDS["relation"][0]
    page = browse.find(Reading(filled), filters)
    assert len(page.rows) < 50
    assert page.following is not None
    expected = sorted(key(edge) for edge in filled.edges() if edge.triple.relation == "xWant")
    assert sorted(all_of(Reading(filled), filters, 50)) == expected


@pytest.mark.parametrize("kind", [*KINDS, "judged"])
def test_the_cypher_that_is_shown_gives_the_same_edges(kind: str, filled: KnowledgeGraph) -> None:
    filters = KINDS[kind][0] if kind in KINDS else Filters(judged=True)
    answer = adhoc.run(filled.store, filters.shown_statement(), {}, limit_rows=None, timeout_seconds=30)
    assert sorted(tuple(row[:3]) for row in answer.rows) == sorted(all_of(Reading(filled), filters, 50))


@pytest.mark.parametrize("kind", spread((*KINDS, "judged"), 5))
def test_a_download_has_the_same_edges(kind: str, owner: TestClient, filled: KnowledgeGraph) -> None:
    filters = KINDS[kind][0] if kind in KINDS else Filters(judged=True)
    expected = sorted(all_of(Reading(filled), filters, 50))
    answers = {
        name: owner.get("/browse/download", params={"format": name, **filters.address()}) for name in browse.DOWNLOADS
    }
    for name, answer in answers.items():
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{browse.DOWNLOADS[name]}"'
        assert not answer.content.startswith(gzip.compress(b"")[:2])
    lines = [json.loads(line) for line in answers["jsonl"].text.splitlines()]
    assert sorted((line["head"], line["relation"], line["tail"]) for line in lines) == expected
    if not any("\t" in text for triple in expected for text in triple):
        assert sorted(tuple(line.split("\t")) for line in answers["tsv"].text.splitlines()) == expected
    graph = Graph().parse(data=answers["rdf"].content, format="turtle")
    assert (len(graph) > 0) == bool(expected) or not expected


@pytest.mark.parametrize("name", ["", "exe", "../x", "snapshot"])
def test_an_unknown_format_is_a_sentence(name: str, owner: TestClient) -> None:
    answer = owner.get("/browse/download", params={"format": name})
    assert answer.status_code == 400
    assert "is not one of jsonl, tsv, rdf" in answer.text


@pytest.mark.parametrize("query", [
    "split=evil", "accepted=maybe", "low=x", "low=2", "high=-1", "low=nan", "high=inf", "judged=1",
])  # fmt: skip
def test_a_filter_that_cannot_be_is_a_sentence(query: str, owner: TestClient) -> None:
    answer = owner.get(f"/browse?{query}")
    assert answer.status_code == 400
    assert re.search(r"is not (one of|a number)|is neither", answer.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_filters_find_what_they_say_or_nothing(text: str, owner: TestClient, filled: KnowledgeGraph) -> None:
    before = filled.statistics()["edges"]
    for name in ("text", "relation", "run", "head", "after", "tail"):
        answer = owner.get("/browse", params={name: text})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "onerror=alert(1)>" not in answer.text
    assert filled.statistics()["edges"] == before


def test_an_address_is_its_filters(owner: TestClient) -> None:
    for filters, _ in KINDS.values():
        assert Filters.parse(filters.address()) == filters
        page = owner.get("/browse", params=filters.address()).text
        for name, value in filters.address().items():
            assert value.replace("'", "&#39;") in page, name


def test_the_next_page_is_a_link(owner: TestClient, filled: KnowledgeGraph) -> None:
    first = owner.get("/browse").text
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = owner.get(following.replace("&amp;", "&")).text
    heads = {head_id(edge.triple) for edge in filled.edges()}
    rows = [re.findall(r'<tr><td>\s*<a href="/phrase/(\w+)">', page) for page in (first, second)]
    assert len(rows[0]) == 50
    assert rows[1]
    assert set(rows[0] + rows[1]) <= heads
    assert rows[0][-1] <= rows[1][0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.sampled_from([*HOSTILE, "\\u0027", "\\"])
    )
)
def test_any_text_as_cypher_is_that_text(store: Store, text: str) -> None:
    answer = adhoc.run(store, f"RETURN {literal(text)} AS text", {}, limit_rows=1, timeout_seconds=20)
    assert answer.rows == [[text]]
