"""The IRIs of the graph's things under one base, and what RDF says of relations, runs and the whole."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

import orjson
from pyoxigraph import Literal, NamedNode, Triple

from kg.errors import InputError
from kg.model import NOTHING
from kg.vocabulary import Relation

BASE = "https://example.org/skd/"
"""Where the IRIs stand that nobody else gave: a place of yours, please, before you publish."""

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "prov": "http://www.w3.org/ns/prov#",
    "dcterms": "http://purl.org/dc/terms/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "void": "http://rdfs.org/ns/void#",
}
RELATION_FIELDS = ("question", "source", "about_person", "tail_kind", "tail_time", "opposite")
RELATION_TEXTS = ("templates", "phrases", "questions")


class Names:
    """The IRIs under one base.

    Attributes:
        base: where they start.
        prefixes: abbreviations for Turtle.
    """

    def __init__(self, base: str = BASE) -> None:
        try:
            NamedNode(f"{base}nothing")
        except ValueError as error:
            raise InputError(f"{base!r} is not the start of an IRI: {error}") from error
        if not base.endswith(("/", "#")):
            raise InputError(f"the base IRI {base!r} must end with / or #, so that names can follow it")
        self.base = base
        folders = ("phrase", "relation", "triple", "property")  # rdflib cannot read all names a run may have
        self.prefixes = {folder: f"{base}{folder}/" for folder in folders}

    def iri(self, folder: str, name: str) -> str:
        """Return the IRI of a named thing."""
        return _iri(self.base, folder, name)

    def node(self, folder: str, name: str) -> NamedNode:
        """Return the IRI of a named thing as a term."""
        return NamedNode(self.iri(folder, name))


@lru_cache(maxsize=4096)  # relations, properties and runs: few, and each is used in very many triples
def _iri(base: str, folder: str, name: str) -> str:
    return f"{base}{folder}/{quote(name, safe='')}"


def term(name: str) -> NamedNode:
    """Return a term of a well-known vocabulary.

    >>> term("rdf:type").value
    'http://www.w3.org/1999/02/22-rdf-syntax-ns#type'
    """
    prefix, _, local = name.partition(":")
    return NamedNode(f"{NAMESPACES[prefix]}{local}")


A = term("rdf:type")
JSON = term("rdf:JSON")


def describe_relation(names: Names, relation: Relation) -> Iterator[Triple]:
    """Yield what RDF says of a relation: it is a property."""
    node = names.node("relation", relation.name)
    yield Triple(node, A, term("rdf:Property"))
    yield Triple(node, A, term("skos:Concept"))
    if relation.symmetric:
        yield Triple(node, A, term("owl:SymmetricProperty"))
    yield Triple(node, term("skos:notation"), Literal(relation.name))
    yield Triple(node, term("skos:prefLabel"), Literal(relation.phrase))
    for field in RELATION_FIELDS:
        if (value := getattr(relation, field)) != "":
            yield Triple(node, names.node("property", field), Literal(value))
    for field in RELATION_TEXTS:
        for text in getattr(relation, field):
            yield Triple(node, names.node("property", field), Literal(text))


def describe_nothing(names: Names) -> Iterator[Triple]:
    """Yield what RDF says of the object that stands for no effect."""
    node = NamedNode(f"{names.base}nothing")
    yield Triple(node, A, term("skos:Concept"))
    yield Triple(node, term("skos:prefLabel"), Literal(NOTHING))


def describe_run(names: Names, run: Mapping[str, object]) -> Iterator[Triple]:
    """Yield what RDF says of a run: it is an activity, with its model and its data set."""
    node = names.node("run", str(run["id"]))
    known = {key: value for key, value in run.items() if value is not None and key != "id"}
    yield Triple(node, A, term("prov:Activity"))
    for key, place, kind, link in (
        ("model", "agent", "prov:SoftwareAgent", "prov:wasAssociatedWith"),
        ("dataset", "dataset", "prov:Entity", "prov:used"),
    ):
        if key in known:
            name = str(known.pop(key))
            other = names.node(place, name)
            yield Triple(node, term(link), other)
            yield Triple(other, A, term(kind))
            yield Triple(other, term("rdfs:label"), Literal(name))
    for key, link in (("started", "prov:startedAtTime"), ("finished", "prov:endedAtTime")):
        if key in known:
            yield Triple(node, term(link), _moment(known.pop(key)))
    for key, value in known.items():
        yield Triple(node, names.node("property", key), _literal(value))


def describe_whole(names: Names, runs: Iterable[Mapping[str, object]], phrases: int, edges: int) -> Iterator[Triple]:
    """Yield the header: a data set with the licences of its runs and its counts."""
    node = NamedNode(f"{names.base}graph")
    yield Triple(node, A, term("void:Dataset"))
    yield Triple(node, A, term("dcat:Dataset"))
    yield Triple(node, term("dcterms:title"), Literal("A commonsense knowledge graph"))
    yield Triple(node, term("void:uriSpace"), Literal(names.base))
    yield Triple(node, term("void:entities"), Literal(phrases + edges))
    yield Triple(node, names.node("property", "phrases"), Literal(phrases))
    yield Triple(node, names.node("property", "edges"), Literal(edges))
    for licence in sorted({str(run["licence"]) for run in runs if run.get("licence")}):
        yield Triple(node, term("dcterms:license"), _licence(licence))


def quoted(text: str) -> str:
    r"""Return a text as N-Triples writes it.

    >>> print(quoted('a "b"\n'))
    "a \"b\"\n"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


@lru_cache(maxsize=1024)
def language_tag(lang: str) -> str:
    """Return a language as a literal carries it, in lower case; nothing where it is no tag of BCP 47."""
    try:
        return Literal("", language=lang).language or ""
    except ValueError:
        return ""


def _licence(licence: str) -> NamedNode | Literal:
    try:
        return NamedNode(licence) if licence.startswith(("http://", "https://")) else Literal(licence)
    except ValueError:
        return Literal(licence)


def _moment(value: object) -> Literal:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    try:
        return Literal(text, datatype=term("xsd:dateTime")) if datetime.fromisoformat(text) else Literal(text)
    except ValueError:
        return Literal(text)


def _literal(value: object) -> Literal:
    if isinstance(value, list | tuple | dict):
        return Literal(orjson.dumps(value).decode(), datatype=JSON)
    return Literal(value if isinstance(value, bool | int | float) else str(value))
