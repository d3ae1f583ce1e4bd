"""RDF says what the graph says, in every form and file, conforms to its shapes, and comes back."""

import gzip
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyoxigraph
import pyshacl
import pytest
import rdflib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib.namespace import DCAT, DCTERMS, OWL, PROV, RDF, RDFS, SKOS, VOID, XSD

from kg.errors import InputError
from kg.exchange.rdf import writing
from kg.exchange.rdf.lines import Form
from kg.exchange.rdf.names import BASE
from kg.exchange.rdf.reading import open_rdf
from kg.exchange.rdf.writing import rdf_format, write_rdf, write_shapes
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import row_of
from kg.identity import head_id, phrase_id, tail_id, triple_id
from kg.model import EDGE_FIELDS, NOTHING, Edge, Phrase, Triple
from kg.snapshot.hashing import hash_graph
from kg.snapshot.restoring import load_rdf
from kg.store.bolt import Store
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace
from tests.conftest import Kg, empty
from tests.exchange import records

RUNS: list[dict[str, object]] = [
    {"id": "teacher-1", "kind": "inferences", "model": "a lab/big model", "dataset": None, "licence": "CC0",
     "started": "2026-01-02T03:04:05+00:00", "finished": datetime(2026, 1, 2, 4, tzinfo=UTC), "added": 3,
     "cost": 0.25, "tags": ["a", "b"]},
    {"id": "load-1", "dataset": "ConceptNet 5.7", "started": "last week", "licence": "https://example.org/by"},
    *({"id": run} for run in records.RUNS[1:]),
]  # fmt: skip
FORMS: list[tuple[str, Form]] = [
    ("graph.nt", "reification"), ("graph.nq", "reification"), ("graph.ttl", "reification"),
    ("graph.trig.gz", "reification"), ("graph.jsonld", "reification"),
    ("graph.nt.gz", "reifier"), ("graph.ttl", "reifier"), ("graph.trig", "reifier"), ("graph.nq", "reifier"),
    ("graph.nq", "graphs"), ("graph.trig", "graphs"), ("graph.jsonld", "graphs"),
]  # fmt: skip
fast = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(
    edges: Iterable[Edge],
    path: Path,
    form: Form = "reification",
    *,
    phrases: Iterable[Phrase] | None = None,
    relations: Vocabulary = records.RELATIONS,
    runs: Iterable[dict[str, object]] = RUNS,
    base: str = BASE,
) -> int:
    edges = list(edges)
    phrases = records.phrases_of(edges) if phrases is None else phrases
    return write_rdf(phrases, [list(map(row_of, edges))], path, relations=relations, runs=runs, base=base, form=form)


def node(path: str) -> rdflib.URIRef:
    return rdflib.URIRef(BASE + path)


def literal(value: object, kind: rdflib.URIRef | None = None) -> rdflib.Literal:
    if isinstance(value, bool):
        value, kind = str(value).lower(), XSD.boolean
    elif isinstance(value, float):
        kind = XSD.double
        value = repr(value).replace("inf", "INF").replace("e+", "e")
    return rdflib.Literal(value, datatype=kind, normalize=False)


def as_rdflib_would_say(edges: list[Edge]) -> set[tuple]:
    """What RDF 1.1 should say of edges and their phrases, statement by statement."""
    said = set()
    for phrase in records.phrases_of(edges):
        subject = node(f"phrase/{phrase.id}")
        tag = phrase.lang.lower() if phrase.lang not in ("en_US", "x") else None
        said |= {(subject, RDF.type, SKOS.Concept), (subject, SKOS.prefLabel, rdflib.Literal(phrase.text, lang=tag))}
        said |= {(subject, RDF.type, node(label)) for label in phrase.labels}
        if tag != phrase.lang:
            said.add((subject, DCTERMS.language, literal(phrase.lang)))
        for name in ("split", "uri"):
            if value := getattr(phrase, name):
                said.add((subject, node(f"property/{name}"), literal(value)))
    for edge in edges:
        triple = edge.triple
        tail = "nothing" if triple.says_nothing else f"phrase/{tail_id(triple)}"
        plain = (node(f"phrase/{head_id(triple)}"), node(f"relation/{triple.relation}"), node(tail))
        subject = node(f"triple/{triple_id(triple)}")
        said |= {
            plain, (subject, RDF.type, RDF.Statement), (subject, RDF.type, PROV.Entity),
            (subject, RDF.subject, plain[0]), (subject, RDF.predicate, plain[1]), (subject, RDF.object, plain[2]),
        }  # fmt: skip
        for name in (name for name, kind in EDGE_FIELDS.items() if kind != "texts"):
            if (value := getattr(edge, name)) is not None:
                said.add((subject, node(f"property/{name}"), literal(value)))
        for name in ("sources", "scores", "statements"):
            said |= {(subject, node(f"property/{name}"), literal(value)) for value in getattr(edge, name)}
        iris = [node(f"run/{quote(run, safe='')}") for run in edge.runs]
        said |= {(subject, PROV.wasGeneratedBy, iri) for iri in iris}
        if len(iris) > 1:
            said.add((subject, node("property/first"), iris[0]))
    return said


def comparable(term: object) -> tuple:
    """A term of either library, with numbers as numbers."""
    if isinstance(term, rdflib.Literal):
        kind, value, lang = str(term.datatype or XSD.string), str(term), term.language
    elif isinstance(term, pyoxigraph.Literal):
        kind, value, lang = term.datatype.value, term.value, term.language
    else:
        return (str(getattr(term, "value", term)),)
    if lang:
        return value, lang.lower()
    return (float(value) if kind == str(XSD.double) else value), kind


def statements(path: Path, form: pyoxigraph.RdfFormat = pyoxigraph.RdfFormat.N_TRIPLES) -> set[tuple]:
    return {tuple(map(comparable, quad.triple)) for quad in pyoxigraph.parse(path=str(path), format=form)}


@fast
@given(edges=records.edge_lists)
def test_the_fast_path_says_what_rdflib_would_and_both_libraries_read_it(tmp_path: Path, edges: list[Edge]) -> None:
    path, without = tmp_path / "graph.nt", tmp_path / "without.nt"
    assert write(edges, path) == len(edges)
    write([], without)
    found = statements(path)
    counts = {str(VOID.entities), f"{BASE}property/edges", f"{BASE}property/phrases"}
    others = {one for one in statements(without) if one[1][0] not in counts}
    mine = {one for one in found - others if one[1][0] not in counts}
    assert mine == {tuple(map(comparable, one)) for one in as_rdflib_would_say(edges)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdflib, "NORMALIZE_LITERALS", False)
        assert {tuple(map(comparable, one)) for one in rdflib.Graph().parse(path, format="nt")} == found


@fast
@given(edges=records.edge_lists, form=st.sampled_from(["reification", "reifier", "graphs"]), rows=st.integers(1, 3))
def test_how_many_rows_become_lines_at_a_time_changes_no_byte(
    tmp_path: Path, edges: list[Edge], form: Form, rows: int
) -> None:
    path = tmp_path / "graph.nq"
    write(edges, path, form)
    at_once = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_ROWS", rows)
        write(edges, path, form)
    assert path.read_bytes() == at_once


@fast
@given(edges=records.edge_lists, how=st.sampled_from(FORMS))
def test_every_form_and_file_comes_back(tmp_path: Path, edges: list[Edge], how: tuple[str, Form]) -> None:
    path = tmp_path / how[0]
    assert write(edges, path, how[1]) == len(edges)
    with open_rdf(path) as rdf:
        back = {edge.triple: edge for edge in rdf.edges() if isinstance(edge, Edge)}
        assert set(back) == {edge.triple for edge in edges}
        for edge in edges:
            found = back[edge.triple]
            assert (found.runs[0], set(found.runs)) == (edge.runs[0], set(edge.runs))
            assert set(found.sources) == set(edge.sources)
            said = ("split", "predicted", "logprob", "score", "critic", "accepted", "weight", "details")
            assert [getattr(found, name) for name in said] == [getattr(edge, name) for name in said]
        assert set(rdf.phrases()) == set(records.phrases_of(edges))
        assert {relation.name: relation for relation in rdf.vocabulary} == {
            relation.name: relation for relation in records.RELATIONS
        }
        assert list(rdf.not_understood()) == []


def test_runs_come_back(tmp_path: Path) -> None:
    write([], tmp_path / "graph.ttl")
    with open_rdf(tmp_path / "graph.ttl") as rdf:
        runs = {run["id"]: run for run in rdf.runs()}
    expected = {name: value for name, value in RUNS[0].items() if value is not None}
    assert runs["teacher-1"] == expected | {"finished": "2026-01-02T04:00:00+00:00", "status": "finished"}
    assert runs["load-1"] == {"kind": "unknown", "status": "finished", "added": 0} | RUNS[1]


@pytest.mark.parametrize("how", [("graph.nt", "reification"), ("graph.trig", "reifier"), ("graph.nq.gz", "graphs")])
def test_a_graph_goes_out_and_comes_back_with_the_same_hash(
    store: Store, kg: Kg, tmp_path: Path, workspace: Workspace, how: tuple[str, str], edges: list[Edge]
) -> None:
    graph = records.fill(store, [edge for edge in edges if edge.triple.relation in records.RELATIONS])
    before = hash_graph(graph)
    runs = {run["id"]: run for run in graph.runs()}
    kg("export", "rdf", str(tmp_path / how[0]), "--form", how[1], "--base", "https://me.example/graph#")
    empty(store)
    assert "3 edges" in kg("ingest", "load", str(tmp_path / how[0])).stdout
    assert hash_graph(graph) == before
    assert runs.items() <= {run["id"]: run for run in graph.runs()}.items()
    assert load_rdf(graph, workspace, tmp_path / how[0]).rejected == 0
    assert hash_graph(graph) == before


@pytest.mark.parametrize("how", [("graph.nt", "reification"), ("graph.trig", "graphs")])
def test_it_conforms_to_its_shapes(tmp_path: Path, edges: list[Edge], how: tuple[str, Form]) -> None:
    base = "https://me.example/graph/"
    edges = [edge for edge in edges if edge.triple.relation in records.RELATIONS]
    runs = [{"id": run, "model": "m", "dataset": "d", "started": "2026-01-02T03:04:05+00:00"} for edge in edges
            for run in edge.runs]  # fmt: skip
    path, shapes = tmp_path / how[0], tmp_path / "shapes.ttl"
    write(edges, path, how[1], base=base, runs=runs)
    write_shapes(shapes, base)
    triples = (quad.triple for quad in pyoxigraph.parse(path=str(path), format=rdf_format(path)))
    lines = pyoxigraph.serialize(triples, format=pyoxigraph.RdfFormat.N_TRIPLES)
    flat = rdflib.Graph().parse(lines, format="nt")
    rules = rdflib.Graph().parse(shapes)
    conforms, _, report = pyshacl.validate(flat, shacl_graph=rules)
    assert conforms, report
    statement = next(flat.subjects(RDF.type, RDF.Statement))
    flat.add((statement, rdflib.URIRef(f"{base}property/score"), rdflib.Literal(2.0)))
    flat.remove((None, SKOS.prefLabel, None))
    conforms, _, report = pyshacl.validate(flat, shacl_graph=rules)
    assert not conforms
    assert "maxInclusive" in report or "MaxInclusive" in report
    assert "MinCount" in report


def test_a_header_says_what_it_is_and_under_which_licences(tmp_path: Path, edges: list[Edge]) -> None:
    relations = Vocabulary([*records.RELATIONS, Relation("xEffect", "so"), Relation("xNeed", "before")])
    write(edges, tmp_path / "graph.ttl", relations=relations)
    graph = rdflib.Graph().parse(tmp_path / "graph.ttl")
    whole = node("graph")
    assert {(whole, RDF.type, VOID.Dataset), (whole, RDF.type, DCAT.Dataset)} <= set(graph)
    assert set(graph.objects(whole, DCTERMS.license)) == {
        rdflib.Literal("CC0"), rdflib.URIRef("https://example.org/by"),
    }  # fmt: skip
    assert graph.value(whole, node("property/edges")) == rdflib.Literal(len(edges))


def test_a_relation_is_a_property(tmp_path: Path) -> None:
    write([], tmp_path / "graph.ttl")
    graph = rdflib.Graph().parse(tmp_path / "graph.ttl")
    assert set(graph.predicate_objects(node("relation/IsA"))) == {
        (RDF.type, RDF.Property), (RDF.type, SKOS.Concept), (RDF.type, OWL.SymmetricProperty),
        (SKOS.notation, rdflib.Literal("IsA")), (SKOS.prefLabel, rdflib.Literal("is a")),
        (node("property/source"), rdflib.Literal("ConceptNet")),
        (node("property/about_person"), rdflib.Literal(False)),
        *((node("property/templates"), rdflib.Literal(text)) for text in ("{head} is {tail}", "{tail}, as {head}")),
        *((node("property/phrases"), rdflib.Literal(text)) for text in ("ja: は", "he: הוא")),
        (node("property/questions"), rdflib.Literal("ja: それは何？")),
    }  # fmt: skip
    assert (node("agent/a%20lab%2Fbig%20model"), RDFS.label, rdflib.Literal("a lab/big model")) in graph


def test_an_event_that_a_run_wrote_by_itself_keeps_its_run(tmp_path: Path) -> None:
    phrase = Phrase("PersonX wakes up", "en", ("Event",), "train", runs=("load-1", "teacher-1"), logprob=-1.5)
    write([], tmp_path / "graph.ttl", phrases=[phrase])
    with open_rdf(tmp_path / "graph.ttl") as rdf:
        assert list(rdf.phrases()) == [phrase]


NAP = Edge(Triple("PersonX naps", "xWant", "to rest"), "train", ("load-1",), predicted=False)


def test_what_is_not_understood_is_reported_and_the_rest_kept(
    graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "graph.nt"
    write([NAP], path)
    head, tail = (f"<{BASE}phrase/{phrase_id(text)}>" for text in ("PersonX naps", "to rest"))
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{head} <http://xmlns.com/foaf/0.1/name> "nap" .\n')
        file.write(f"{tail} <{BASE}relation/xWant> {head} .\n")
        file.write(f"<{BASE}phrase/0> <{BASE}relation/xWant> {head} .\n")
        file.write(f"{head} <{RDF.type}> <http://example.org/Dog> .\n")
    loaded = load_rdf(graph, workspace, path)
    assert (loaded.edges, loaded.rejected) == (1, 4)
    reasons = loaded.rejected_file.read_text(encoding="utf-8")
    for reason in ("predicate is of another", "says who asserted", "has no text", "class is of another"):
        assert reason in reasons
    assert [edge.triple for edge in graph.edges()] == [NAP.triple]


def stores_open() -> list[str]:
    """Return the open files of temporary stores, also of removed ones."""
    opened = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since by its owner, as that of the listing is; owners may be threads
            opened.append(str(file.readlink()))
    return [file for file in opened if "kg-rdf-" in file]


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "graph.nt"
    write([NAP], path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:4], "<http://a> no triple\n", *lines[4:]]), encoding="utf-8")
    with open_rdf(path) as rdf:
        assert [line.line for line in rdf.broken] == [5]
        assert [edge.triple for edge in rdf.edges() if isinstance(edge, Edge)] == [NAP.triple]
        assert stores_open()
    assert not stores_open(), "what is open is still written to, and cannot be removed"
    (tmp_path / "graph.ttl").write_text("@prefix a: <http://a/> .\na:b a:c .\n")
    with pytest.raises(InputError, match=r"graph\.ttl, line 2"), open_rdf(tmp_path / "graph.ttl"):
        pass
    packed = gzip.compress("".join(lines).encode())
    (tmp_path / "half.nt.gz").write_bytes(packed[: len(packed) // 2])
    with open_rdf(tmp_path / "half.nt.gz") as rdf:
        assert "cut short" in rdf.broken[-1].reason
    (tmp_path / "other.nt").write_text("<http://a> <http://b> <http://c> .\n")
    with pytest.raises(InputError, match="no relation as this software"), open_rdf(tmp_path / "other.nt"):
        pass


@pytest.mark.parametrize(
    ("name", "form", "reason"),
    [
        ("graph", "reification", r"\.nt, \.nq"), ("graph.rdf", "reification", r"\.nt, \.nq"),
        (".ttl", "reification", r"\.nt, \.nq"), ("graph.nt", "graphs", r"\.nq, \.trig"),
        ("graph.ttl.gz", "graphs", r"\.nq, \.trig"), ("graph.jsonld", "reifier", "JSON-LD"),
    ],
)  # fmt: skip
def test_what_a_file_cannot_hold_is_refused(tmp_path: Path, name: str, form: Form, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        write([], tmp_path / name, form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("base", ["https://me.example/graph", "kg/", "https://me.example/my graph/", 'http://a/"/', ""])
def test_a_base_that_makes_no_good_iris_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(InputError, match=r"IRI"):
        write([], tmp_path / "graph.nt", base=base)


def test_no_effect_is_one_object(tmp_path: Path) -> None:
    nothing = Edge(Triple("PersonX naps", "oEffect", NOTHING), "train", ("load-1",), predicted=False)
    word = Edge(
        Triple("PersonX naps", "IsA", NOTHING, "en", "", "", "/c/en/none"), "train", ("load-1",), predicted=False
    )
    write([nothing, word], tmp_path / "graph.ttl")
    graph = rdflib.Graph().parse(tmp_path / "graph.ttl")
    head = node(f"phrase/{phrase_id('PersonX naps')}")
    assert (head, node("relation/oEffect"), node("nothing")) in graph
    assert (head, node("relation/IsA"), node(f"phrase/{phrase_id(NOTHING)}")) in graph


def test_a_triple_that_cannot_be_used_is_reported_and_the_rest_kept(
    graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "graph.nt"
    others = [replace(NAP, triple=replace(NAP.triple, tail=f"to rest {number}"), score=0.5) for number in range(3)]
    write([NAP, *others], path)
    text = path.read_text(encoding="utf-8")
    first, second, third = (f"<{BASE}triple/{triple_id(edge.triple)}>" for edge in others)
    tail = f"<{BASE}phrase/{tail_id(others[2].triple)}>"
    text = "".join(
        line
        for line in text.splitlines(keepends=True)
        if not (line.startswith(first) and str(PROV.wasGeneratedBy) in line)
    )
    score = f'{second} <{BASE}property/score> "0.5"'
    text = text.replace(score, score.replace("0.5", "much")).replace(
        f"{third} <{RDF.object}> {tail}", f'{third} <{RDF.object}> "x"'
    )
    text = text.replace(f"<{BASE}Event>", f"<{BASE}Inference>")
    path.write_text(text, encoding="utf-8")
    loaded = load_rdf(graph, workspace, path)
    assert loaded.edges == 1
    assert loaded.rejected >= 3
    reasons = loaded.rejected_file.read_text(encoding="utf-8")
    assert "has no run" in reasons
    assert "much" in reasons
    (edge,) = graph.edges()
    assert (edge.triple, edge.split) == (NAP.triple, "train")
    assert graph.undo("load-1") == 1
