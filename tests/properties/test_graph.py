"""What must hold for all texts, runs and orders, on a real Neo4j."""

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.errors import InputError, UnknownRelation
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.model import Assertion, Triple, clean_text
from kg.run import Run
from kg.store import adhoc
from kg.store.bolt import Store
from kg.vocabulary import Relation, Vocabulary
from tests.repeats import often

ON_DATABASE = settings(
    max_examples=often(20, 40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOSTILE = [
    "'", '"', "`", "\\", "\\u0060", "'}) DETACH DELETE n //", '"}) MATCH (n) DETACH DELETE n //', "`]->() DELETE r //",
    "$rows", "{text: 'x'}", "\u202eevil", "\u200f", "😀" * 100, "e\u0301", "\ufeff", "\r\n", "\x01\x1f", "x" * 10_000,
    "none", "NULL", "true", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "CALL dbms.shutdown()", "<xWant>", "%s%n", "../../etc/passwd", "\x00",
    "\ud800", " ", "",
]  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200))


def stored(graph: KnowledgeGraph) -> set[Triple]:
    return {edge.triple for edge in graph.edges()}


@ON_DATABASE
@given(head=texts, tail=texts)
def test_any_text_is_stored_verbatim_or_refused_with_a_reason(graph: KnowledgeGraph, head: str, tail: str) -> None:
    graph.store.run("MATCH (p:Phrase) DETACH DELETE p")
    run = Run("load", dataset="hostile")
    graph.begin(run)
    try:
        triple = Triple(clean_text(head), "xWant", clean_text(tail))
    except InputError:
        return
    graph.add([Assertion(triple)], run)
    assert stored(graph) == {triple}
    assert triple.head == unicodedata.normalize("NFC", head)
    where = "head.text = $head AND tail.text = $tail" if triple.tail != "none" else "head.text = $head"
    assert [
        edge.triple for edge in graph.edges(where=where, parameters={"head": triple.head, "tail": triple.tail})
    ] == [triple]
    answer = adhoc.run(
        graph.store,
        "MATCH (e:Event {text: $text}) RETURN e.id",
        {"text": triple.head},
        limit_rows=5,
        timeout_seconds=9,
    )
    assert answer.rows == [[phrase_id(triple.head)]]


@ON_DATABASE
@given(name=texts)
def test_any_relation_name_is_an_identifier_or_refused(graph: KnowledgeGraph, name: str) -> None:
    run = Run("load", dataset="hostile")
    graph.begin(run)
    with pytest.raises(UnknownRelation):
        graph.add([Assertion(Triple("PersonX naps", name, "to rest"))], run)
    try:
        relation = Relation(name, "then")
    except InputError:
        return
    assert relation.name.isascii()
    assert relation.name.replace("_", "").isalnum()


RELATIONS = Vocabulary.load("skd").names
triples = st.builds(
    Triple,
    st.sampled_from([f"PersonX does {i}" for i in range(4)] + ["to rest"]),
    st.sampled_from(RELATIONS[:3]),
    st.sampled_from(["to rest", "tired", "none", "PersonX does 1"]),
)
claims = st.lists(st.builds(Assertion, triples, logprob=st.sampled_from([None, -0.5, -2.0])), max_size=12)


def picture(graph: KnowledgeGraph) -> tuple:
    return set(graph.edges()), set(graph.phrases())


def begun(graph: KnowledgeGraph, name: str, kind: str) -> Run:
    run = Run(kind, dataset=name)
    graph.begin(run)
    return run


@ON_DATABASE
@given(first=claims, second=claims, kinds=st.tuples(*[st.sampled_from(["load", "predict"])] * 2))
def test_undo_restores_what_was_before(
    store: Store, first: list[Assertion], second: list[Assertion], kinds: tuple[str, str]
) -> None:
    graph = KnowledgeGraph(store)
    store.run("MATCH (n) DETACH DELETE n")
    graph.add_vocabulary(Vocabulary.load("skd"))
    one, two = begun(graph, "one", kinds[0]), begun(graph, "two", kinds[1])
    graph.add(first, one)
    before = picture(graph)
    graph.add(second, two)
    graph.undo(two.id)
    assert picture(graph) == before
    graph.undo(one.id)
    assert picture(graph) == (set(), set())


@ON_DATABASE
@given(claimed=claims, data=st.data())
def test_loading_in_any_order_and_again_gives_the_same_graph(
    store: Store, claimed: list[Assertion], data: st.DataObject
) -> None:
    graph = KnowledgeGraph(store)
    pictures = []
    unweighted = [Assertion(claim.triple) for claim in claimed]
    for order in (unweighted, data.draw(st.permutations(unweighted)) + unweighted):
        store.run("MATCH (n) DETACH DELETE n")
        graph.add_vocabulary(Vocabulary.load("skd"))
        graph.add(order, begun(graph, "one", "load"))
        pictures.append(picture(graph))
    assert pictures[0] == pictures[1]
