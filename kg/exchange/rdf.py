"""RDF 1.1 as Turtle or N-Triples: the plain triples, and all that is said about them.

    <base>phrase/ID      a skos:Concept, with its text as skos:prefLabel
    <base>nothing        the one object that stands for no effect
    <base>relation/NAME  an rdf:Property and skos:Concept
    <base>triple/ID      an rdf:Statement: the score, split ... of a triple, prov:wasGeneratedBy its runs
    <base>run/ID         a prov:Activity, prov:wasAssociatedWith its model, prov:used its data set
    <base>agent/NAME     a model, a prov:SoftwareAgent
    <base>dataset/NAME   a data set, a prov:Entity
    <base>property/NAME  a field of `Edge`, `Phrase`, `Relation` or a run, as a typed literal
    <base>Event ...      a label of the graph, as a class

RDF knows sets only: the order and repetition of an edge's runs and sources is not kept. A language tag
becomes lower case, or no tag where it is not valid; then dcterms:language has it as it was.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import quote

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, serialize

from kg.errors import InputError
from kg.exchange.target import export_file
from kg.model import NOTHING, Edge, Phrase, head_id, tail_id, triple_id
from kg.vocabulary import Relation, Vocabulary

BASE = "https://example.org/skd/"
"""Where the IRIs stand that nobody else gave: a place of yours, please, before you publish."""

_FORMATS = {".ttl": RdfFormat.TURTLE, ".nt": RdfFormat.N_TRIPLES}
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "prov": "http://www.w3.org/ns/prov#",
    "dcterms": "http://purl.org/dc/terms/",
}
_EDGE_FIELDS = ("split", "predicted", "logprob", "score", "critic", "accepted", "weight", "sources")


def write_rdf(
    phrases: Iterable[Phrase],
    edges: Iterable[Edge],
    path: Path,
    *,
    relations: Vocabulary,
    runs: Iterable[Mapping[str, object]],
    base: str = BASE,
) -> int:
    """Write a graph as RDF 1.1, in Turtle (`.ttl`) or N-Triples (`.nt`).

    Args:
        phrases: the phrases of the edges; the node for no effect is added where an edge needs it.
        edges: what to write, in this order; read after the phrases.
        path: file to make, whose suffix decides on the format; an older one is replaced.
        relations: described beside the edges.
        runs: each with its `id`, and `model`, `dataset`, `started`, `finished` and others if known.
        base: where IRIs start; ends with / or #.

    Returns:
        The number of edges written.

    Raises:
        InputError: another suffix, a base that is not the start of an IRI, or a file that cannot be written.
    """
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise InputError(f"cannot tell the RDF format of {path.name!r}: name it .ttl (Turtle) or .nt (N-Triples)")
    describe = _Describer(base)
    count = 0

    def statements() -> Iterator[Triple]:
        nonlocal count
        for relation in relations:
            yield from describe.relation(relation)
        for run in runs:
            yield from describe.run(run)
        for phrase in phrases:
            yield from describe.phrase(phrase)
        has_nothing = False
        for edge in edges:
            if edge.triple.says_nothing and not has_nothing:
                yield from describe.nothing()
                has_nothing = True
            yield from describe.edge(edge)
            count += 1

    with export_file(path) as draft:
        serialize(statements(), draft, form, prefixes=describe.prefixes if form is RdfFormat.TURTLE else None)
    return count


class _Describer:
    """Says in RDF what the graph's things are, under one base IRI."""

    def __init__(self, base: str) -> None:
        try:
            NamedNode(f"{base}nothing")
        except ValueError as error:
            raise InputError(f"{base!r} is not the start of an IRI: {error}") from error
        if not base.endswith(("/", "#")):
            raise InputError(f"the base IRI {base!r} must end with / or #, so that names can follow it")
        self.base = base
        folders = ("phrase", "relation", "triple", "property")  # rdflib cannot read all names a run may have
        self.prefixes = _NAMESPACES | {folder: f"{base}{folder}/" for folder in folders}

    def relation(self, relation: Relation) -> Iterator[Triple]:
        """A relation as a property."""
        node = self._named("relation", relation.name)
        yield Triple(node, _A, _term("rdf", "Property"))
        yield Triple(node, _A, _CONCEPT)
        if relation.symmetric:
            yield Triple(node, _A, _term("owl", "SymmetricProperty"))
        yield Triple(node, _term("skos", "notation"), Literal(relation.name))
        yield Triple(node, _LABEL, Literal(relation.phrase))
        for field in ("question", "source", "about_person"):
            if (value := getattr(relation, field)) != "":
                yield Triple(node, self._named("property", field), Literal(value))

    def run(self, run: Mapping[str, object]) -> Iterator[Triple]:
        """A run as an activity, with its model and its data set."""
        node = self._named("run", str(run["id"]))
        known = {key: value for key, value in run.items() if value is not None and key != "id"}
        yield Triple(node, _A, _term("prov", "Activity"))
        for key, place, kind, link in (
            ("model", "agent", "SoftwareAgent", "wasAssociatedWith"),
            ("dataset", "dataset", "Entity", "used"),
        ):
            if key in known:
                name = str(known.pop(key))
                other = self._named(place, name)
                yield Triple(node, _term("prov", link), other)
                yield Triple(other, _A, _term("prov", kind))
                yield Triple(other, _term("rdfs", "label"), Literal(name))
        for key, link in (("started", "startedAtTime"), ("finished", "endedAtTime")):
            if key in known:
                yield Triple(node, _term("prov", link), _moment(known.pop(key)))
        for key, value in known.items():
            for part in value if isinstance(value, list | tuple) else (value,):
                yield Triple(node, self._named("property", key), _literal(part))

    def phrase(self, phrase: Phrase) -> Iterator[Triple]:
        """A phrase as a concept with a label in its language."""
        node = self._node("phrase", phrase.id)
        yield Triple(node, _A, _CONCEPT)
        for label in phrase.labels:
            yield Triple(node, _A, NamedNode(f"{self.base}{quote(label, safe='')}"))
        text = _in_language(phrase.text, phrase.lang)
        yield Triple(node, _LABEL, text)
        if text.language != phrase.lang:
            yield Triple(node, _term("dcterms", "language"), Literal(phrase.lang))
        if phrase.split is not None:
            yield Triple(node, self._named("property", "split"), Literal(phrase.split))

    def nothing(self) -> Iterator[Triple]:
        """The object that stands for no effect."""
        node = NamedNode(f"{self.base}nothing")
        yield Triple(node, _A, _CONCEPT)
        yield Triple(node, _LABEL, Literal(NOTHING))

    def edge(self, edge: Edge) -> Iterator[Triple]:
        """The plain triple, and the statement that carries what is said about it."""
        triple = edge.triple
        head = self._node("phrase", head_id(triple))
        relation = self._named("relation", triple.relation)
        has_tail = not triple.says_nothing
        tail = self._node("phrase", tail_id(triple)) if has_tail else NamedNode(f"{self.base}nothing")
        yield Triple(head, relation, tail)
        node = self._node("triple", triple_id(triple))
        yield Triple(node, _A, _STATEMENT)
        yield Triple(node, _SUBJECT, head)
        yield Triple(node, _PREDICATE, relation)
        yield Triple(node, _OBJECT, tail)
        for field in _EDGE_FIELDS:
            value = getattr(edge, field)
            for part in value if isinstance(value, tuple) else (value,):
                if part is not None:
                    yield Triple(node, self._named("property", field), Literal(part))
        for run in edge.runs:
            yield Triple(node, _GENERATED_BY, self._named("run", run))

    def _node(self, folder: str, key: str) -> NamedNode:
        return NamedNode(f"{self.base}{folder}/{key}")

    def _named(self, folder: str, name: str) -> NamedNode:
        return _iri(self.base, folder, name)


@lru_cache(maxsize=4096)  # relations, properties and runs: few, and each is used in very many triples
def _iri(base: str, folder: str, name: str) -> NamedNode:
    return NamedNode(f"{base}{folder}/{quote(name, safe='')}")


@cache
def _term(prefix: str, name: str) -> NamedNode:
    return NamedNode(f"{_NAMESPACES[prefix]}{name}")


def _in_language(text: str, lang: str) -> Literal:
    try:
        return Literal(text, language=lang)
    except ValueError:  # not a tag of BCP 47
        return Literal(text)


def _moment(value: object) -> Literal:
    try:
        return Literal(datetime.fromisoformat(str(value)).isoformat(), datatype=_term("xsd", "dateTime"))
    except ValueError:
        return Literal(str(value))


def _literal(value: object) -> Literal:
    return Literal(value if isinstance(value, bool | int | float) else str(value))


_A = _term("rdf", "type")
_CONCEPT = _term("skos", "Concept")
_LABEL = _term("skos", "prefLabel")
_STATEMENT = _term("rdf", "Statement")
_SUBJECT = _term("rdf", "subject")
_PREDICATE = _term("rdf", "predicate")
_OBJECT = _term("rdf", "object")
_GENERATED_BY = _term("prov", "wasGeneratedBy")
