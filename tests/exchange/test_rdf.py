from datetime import UTC, datetime
from pathlib import Path

import pyoxigraph
import pytest
import rdflib
from rdflib.namespace import PROV, RDF, SKOS, XSD

from kg.errors import InputError
from kg.exchange.rdf import BASE, write_rdf
from kg.model import Edge, Phrase, Triple, phrase_id, triple_id
from kg.vocabulary import Relation, Vocabulary

RELATIONS = Vocabulary(
    [
        Relation("xWant", "and then PersonX wants", "What does PersonX want?", about_person=True),
        Relation("Synonym", "means the same as", symmetric=True, source="ConceptNet"),
    ]
)
RUNS: list[dict[str, object]] = [
    {
        "id": "teacher-1",
        "kind": "inferences",
        "model": "a lab/big model",
        "dataset": None,
        "started": "2026-01-02T03:04:05+00:00",
        "finished": datetime(2026, 1, 2, 4, tzinfo=UTC),
        "added": 3,
        "cost": 0.25,
        "tags": ["a", "b"],
    },
    {"id": "conceptnet", "dataset": "ConceptNet 5.7", "started": "last week"},
]


def node(path: str) -> rdflib.URIRef:
    return rdflib.URIRef(BASE + path)


@pytest.fixture
def graph(phrases: list[Phrase], edges: list[Edge], folder: Path) -> rdflib.Graph:
    write_rdf(phrases, edges, folder / "graph.ttl", relations=RELATIONS, runs=RUNS)
    return rdflib.Graph().parse(folder / "graph.ttl", format="turtle")


@pytest.mark.parametrize("suffix", [".ttl", ".nt", ".TTL"])
def test_both_libraries_read_both_formats(phrases: list[Phrase], edges: list[Edge], folder: Path, suffix: str) -> None:
    path = folder / f"graph{suffix}"
    assert write_rdf(phrases, edges, path, relations=RELATIONS, runs=RUNS) == 5
    form = pyoxigraph.RdfFormat.from_extension(suffix[1:].lower())
    assert form is not None
    parsed = set(pyoxigraph.parse(path=str(path), format=form))
    graph = rdflib.Graph().parse(path, format={".ttl": "turtle", ".nt": "nt"}[suffix.lower()])
    assert len(graph) == len(parsed) > 80


def test_the_plain_triple_is_there_and_its_statement_says_the_rest(graph: rdflib.Graph, edges: list[Edge]) -> None:
    triple = edges[0].triple
    parts = (
        node(f"phrase/{phrase_id(triple.head)}"),
        node("relation/xWant"),
        node(f"phrase/{phrase_id(triple.tail)}"),
    )
    assert parts in graph
    statement = node(f"triple/{triple_id(triple)}")
    assert set(graph.predicate_objects(statement)) == {
        (RDF.type, RDF.Statement),
        (RDF.subject, parts[0]),
        (RDF.predicate, parts[1]),
        (RDF.object, parts[2]),
        (node("property/split"), rdflib.Literal("train")),
        (node("property/predicted"), rdflib.Literal(False)),
        (node("property/accepted"), rdflib.Literal(True)),
        (node("property/score"), rdflib.Literal("0.75", datatype=XSD.double)),
        (node("property/logprob"), rdflib.Literal("-0.25", datatype=XSD.double)),
        (node("property/critic"), rdflib.Literal("critic-1")),
        (PROV.wasGeneratedBy, node("run/teacher-1")),
        (PROV.wasGeneratedBy, node("run/student-1")),
    }


def test_no_effect_is_one_object(graph: rdflib.Graph, phrases: list[Phrase], edges: list[Edge], folder: Path) -> None:
    heads = {node(f"phrase/{phrase_id(edge.triple.head)}") for edge in edges[2:4]}
    assert {subject for subject, _ in graph.subject_predicates(node("nothing"))} >= heads
    assert set(graph.objects(node("nothing"), SKOS.prefLabel)) == {rdflib.Literal("none")}
    write_rdf(phrases, edges[:2], folder / "without.nt", relations=RELATIONS, runs=RUNS)
    assert f"{BASE}nothing" not in (folder / "without.nt").read_text(encoding="utf-8")


def test_a_phrase_is_a_concept_with_a_label_in_its_language(graph: rdflib.Graph) -> None:
    phrase = node(f"phrase/{phrase_id('傘', 'ja')}")
    assert set(graph.predicate_objects(phrase)) == {
        (RDF.type, SKOS.Concept),
        (RDF.type, node("Concept")),
        (RDF.type, node("Event")),
        (SKOS.prefLabel, rdflib.Literal("傘", lang="ja")),
        (node("property/split"), rdflib.Literal("test")),
        (node("relation/IsA"), node(f"phrase/{phrase_id('雨具', 'ja')}")),
    }


@pytest.mark.parametrize(("lang", "tag"), [("zh-Hant", "zh-hant"), ("en_US", None), ("my own language", None)])
def test_a_language_that_rdf_changes_or_refuses_is_kept_beside(folder: Path, lang: str, tag: str | None) -> None:
    write_rdf([Phrase("傘", lang)], [], folder / "graph.ttl", relations=RELATIONS, runs=[])
    graph = rdflib.Graph().parse(folder / "graph.ttl", format="turtle")
    phrase = node(f"phrase/{phrase_id('傘', lang)}")
    assert graph.value(phrase, SKOS.prefLabel) == rdflib.Literal("傘", lang=tag)
    assert graph.value(phrase, rdflib.DCTERMS.language) == rdflib.Literal(lang)


def test_a_run_is_an_activity_of_a_model(graph: rdflib.Graph) -> None:
    model = node("agent/a%20lab%2Fbig%20model")
    assert set(graph.predicate_objects(node("run/teacher-1"))) == {
        (RDF.type, PROV.Activity),
        (PROV.wasAssociatedWith, model),
        (PROV.startedAtTime, rdflib.Literal("2026-01-02T03:04:05+00:00", datatype=XSD.dateTime)),
        (PROV.endedAtTime, rdflib.Literal("2026-01-02T04:00:00+00:00", datatype=XSD.dateTime)),
        (node("property/kind"), rdflib.Literal("inferences")),
        (node("property/added"), rdflib.Literal(3)),
        (node("property/cost"), rdflib.Literal(0.25)),
        (node("property/tags"), rdflib.Literal("a")),
        (node("property/tags"), rdflib.Literal("b")),
    }
    assert (model, RDF.type, PROV.SoftwareAgent) in graph
    assert graph.value(node("dataset/ConceptNet%205.7"), RDF.type) == PROV.Entity
    assert graph.value(node("run/conceptnet"), PROV.startedAtTime) == rdflib.Literal("last week")


def test_a_relation_is_a_property(graph: rdflib.Graph) -> None:
    assert set(graph.predicate_objects(node("relation/Synonym"))) == {
        (RDF.type, RDF.Property),
        (RDF.type, SKOS.Concept),
        (RDF.type, rdflib.OWL.SymmetricProperty),
        (SKOS.notation, rdflib.Literal("Synonym")),
        (SKOS.prefLabel, rdflib.Literal("means the same as")),
        (node("property/source"), rdflib.Literal("ConceptNet")),
        (node("property/about_person"), rdflib.Literal(False)),
    }


def test_iris_stand_under_the_base_of_the_user(edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.nt"
    write_rdf([], edges, path, relations=RELATIONS, runs=RUNS, base="https://me.example/graph#")
    text = path.read_text(encoding="utf-8")
    assert BASE not in text
    assert f"<https://me.example/graph#triple/{triple_id(edges[0].triple)}>" in text


@pytest.mark.parametrize("base", ["https://me.example/graph", "kg/", "https://me.example/my graph/", 'http://a/"/', ""])
def test_a_base_that_makes_no_good_iris_is_refused(folder: Path, base: str) -> None:
    with pytest.raises(InputError, match=r"IRI"):
        write_rdf([], [], folder / "graph.nt", relations=RELATIONS, runs=[], base=base)


@pytest.mark.parametrize("name", ["graph", "graph.rdf", "graph.nt.gz", ".ttl"])
def test_another_suffix_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.ttl .* \.nt"):
        write_rdf([], [], folder / name, relations=RELATIONS, runs=[])


@pytest.mark.parametrize("suffix", [".ttl", ".nt"])
@pytest.mark.parametrize(
    ("run", "name"),
    [("a> <b/../é\n", "a%3E%20%3Cb%2F..%2F%C3%A9%0A"), ("~.", "~."), ("load-1.5.", "load-1.5."), ("", "")],
)
def test_a_hostile_run_id_stays_within_its_iri(folder: Path, suffix: str, run: str, name: str) -> None:
    edge = Edge(Triple("PersonX sings", "xWant", "to rest"), "train", (run,), predicted=False)
    write_rdf([], [edge], folder / f"graph{suffix}", relations=RELATIONS, runs=[{"id": run}])
    graph = rdflib.Graph().parse(folder / f"graph{suffix}")
    assert (node(f"run/{name}"), RDF.type, PROV.Activity) in graph
    assert (node(f"triple/{triple_id(edge.triple)}"), PROV.wasGeneratedBy, node(f"run/{name}")) in graph
