"""A part of a graph in networkx and rdflib, as notebooks take it."""

import rdflib

from kg.exchange.networkx import to_networkx
from kg.exchange.rdf.names import BASE
from kg.exchange.rdf.writing import to_rdflib
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id, triple_id
from kg.model import NOTHING, Assertion, Edge, Phrase, Triple
from kg.run import Run

NAPS = "PersonX naps"


def test_a_node_is_a_phrase_and_an_edge_its_relation(phrases: list[Phrase], edges: list[Edge]) -> None:
    graph = to_networkx(phrases, edges)
    head, dry = phrase_id("PersonX lends PersonY an umbrella"), phrase_id("to stay dry")
    assert set(graph[head][dry]) == {"xWant", "xEffect"}
    assert graph.edges[head, dry, "xWant"] == {
        "id": f"t{triple_id(edges[0].triple)}",
        "label": "xWant",
        "relation": "xWant",
        "split": "train",
        "runs": ("teacher-1", "student-1"),
        "predicted": False,
        "logprob": -0.25,
        "score": 0.75,
        "critic": "critic-1",
        "accepted": True,
    }
    assert graph.nodes[phrase_id("傘", "ja")] == {
        "label": "傘", "text": "傘", "lang": "ja", "split": "test", "labels": ("Concept", "Event"),
    }  # fmt: skip
    assert graph.nodes[NOTHING] == {"label": "none", "text": "none"}
    assert graph.number_of_edges() == len(edges)


def test_one_text_in_two_languages_is_two_nodes() -> None:
    edges = [
        Edge(Triple("chat", "IsA", "animal", "fr"), "train", ("r",), predicted=False),
        Edge(Triple("chat", "IsA", "talk", "en"), "train", ("r",), predicted=False),
        Edge(Triple("none", "xWant", "none"), "train", ("r",), predicted=False),
    ]
    phrases = [Phrase("chat", "fr"), Phrase("animal", "fr"), Phrase("chat"), Phrase("talk"), Phrase("none")]
    assert to_networkx(phrases, edges).number_of_nodes() == 6


def test_a_selection_of_a_graph_goes_into_both(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(Triple(NAPS, "xWant", "to rest"), score=0.9), Assertion(Triple(NAPS, "xReact", "sad"))], begun)
    part = Selection(graph, where="type(r) = 'xWant'")
    drawn = to_networkx(part.phrases, part.edges)
    assert [drawn.nodes[node]["text"] for edge in drawn.edges for node in edge[:2]] == [NAPS, "to rest"]
    seen: list[int] = []
    part = Selection(graph, where="r.published > 0.5", progress=seen.append)
    rdf = to_rdflib(part.phrases, part.pages, relations=part.relations, runs=part.runs)
    assert isinstance(rdf, rdflib.Graph)
    found = rdf.query(
        "SELECT ?text ?score { ?triple rdf:subject ?head ; rdf:predicate ?relation ; property:published ?score ."
        " ?head skos:prefLabel ?text . ?relation skos:notation 'xWant' }"
    )
    assert [(str(text), float(score)) for text, score in found] == [(NAPS, 0.9)]  # type: ignore[misc, arg-type]
    assert (rdflib.URIRef(f"{BASE}phrase/{phrase_id('sad')}"), None, None) not in rdf
    assert seen == [1]
