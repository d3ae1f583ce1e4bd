"""RDF comes back: phrases, edges, runs and relations from any of the three forms that `kg.exchange.rdf.writing` writes.

The statements go into a store on disk first (pyoxigraph), since a file may have them in any order; memory does not grow
with the file. The base is found in the file. What is not understood is reported, and never lost without a word: a
statement of another vocabulary, a triple whose phrase has no text.
"""

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote

import pyoxigraph as ox

from kg import strict_json
from kg.checking import LABELS, check_edge, check_phrase, check_relation, check_run
from kg.errors import InputError
from kg.exchange.rdf.names import JSON, RELATION_FIELDS, RELATION_TEXTS, term
from kg.exchange.rdf.writing import rdf_format
from kg.identity import own_uri, phrase_id, split_of, triple_key
from kg.lines import Rejected, read_lines
from kg.model import EDGE_FIELDS, NOTHING, SPLITS, Edge, Phrase, Split, Triple, clean_text
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import check_id

_FAULTS = (InputError, AttributeError, TypeError, ValueError)  # a literal where an IRI should be, and the like
_GZIP = b"\x1f\x8b"
_WELL_KNOWN = {
    term(name)
    for name in (
        "rdf:type", "rdf:subject", "rdf:predicate", "rdf:object", "rdf:reifies", "rdfs:label", "skos:prefLabel",
        "skos:notation", "dcterms:language", "dcterms:title", "dcterms:license", "prov:wasGeneratedBy", "prov:used",
        "prov:wasAssociatedWith", "prov:startedAtTime", "prov:endedAtTime", "void:uriSpace", "void:entities",
    )
}  # fmt: skip


@contextmanager
def open_rdf(path: Path) -> Iterator["RdfGraph"]:
    """Yield what an RDF file says; `.gz` is unpacked.

    Raises:
        InputError: it cannot be read, another suffix, a statement that is not RDF (with its line; of N-Triples and
            N-Quads only the line is left out), or no relation.
    """
    kind = rdf_format(path)
    with tempfile.TemporaryDirectory(prefix="kg-rdf-", ignore_cleanup_errors=True) as folder:
        store = ox.Store(folder)
        graph: RdfGraph | None = None
        try:
            graph = RdfGraph(store, path, _filled(store, path, kind))
            yield graph
        finally:
            if graph:
                graph.close()
            del store  # a store writes to its folder until nobody has it


def _filled(store: ox.Store, path: Path, kind: ox.RdfFormat) -> list[Rejected]:
    """Load a file into a store, and return its lines that are no statement."""
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == _GZIP
            with cast("IO[bytes]", gzip.open(file) if packed else file) as source:
                store.bulk_load(source, format=kind)
    except (SyntaxError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        if kind not in (ox.RdfFormat.N_TRIPLES, ox.RdfFormat.N_QUADS):
            where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            raise InputError(f"{path}{where}: {error}; not a statement was taken from it") from error
        return list(_load_lines(store, path, kind))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    return []


def _load_lines(store: ox.Store, path: Path, kind: ox.RdfFormat) -> Iterator[Rejected]:
    """Load the good lines of a file that has bad ones, and yield these."""
    store.clear()
    for line in read_lines(path):
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            store.extend(ox.parse(line.text, format=kind))
        except SyntaxError as error:
            yield Rejected(line.number, f"no statement: {error.msg}", line.text)


class RdfGraph:
    """What an RDF file says of a graph.

    Attributes:
        vocabulary: its relations.
        broken: lines that are no statement.
    """

    def __init__(self, store: ox.Store, path: Path, broken: Sequence[Rejected] = ()) -> None:
        self._store: Any = store
        self.broken = broken
        self._base = self._find_base(path)
        self.vocabulary = Vocabulary(self._relations(), str(path))
        self._phrase = lru_cache(maxsize=100_000)(self._read_phrase)
        self._refused: dict[str, str] = {}
        self._good_runs = list(self._read_runs())

    def close(self) -> None:
        """Let go of the store; nothing can be asked any more."""
        self._store = None

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs as maps, also those that are named only."""
        return self._good_runs

    def _read_runs(self) -> Iterator[dict[str, Any]]:
        named = {quad.object for quad in self._store.quads_for_pattern(None, term("prov:wasGeneratedBy"), None, None)}
        named |= {graph for graph in self._store.named_graphs() if graph.value.startswith(f"{self._base}run/")}
        nodes = [*self._subjects("prov:Activity"), *(node for node in named if isinstance(node, ox.NamedNode))]
        for node in dict.fromkeys(nodes):
            try:
                run = self._run(node)
                check_run(run)
            except _FAULTS as error:
                self._refused[node.value] = f"the run cannot be used: {error}"
            else:
                yield run

    def phrases(self) -> Iterator[Phrase]:
        """Yield the phrases."""
        for node in self._subjects("skos:Concept"):
            if node.value.startswith(f"{self._base}phrase/"):
                try:
                    yield self._phrase(node)
                except _FAULTS:
                    continue  # `not_understood` reports it

    def edges(self) -> Iterator[Edge | Rejected]:
        """Yield the triples that have a statement or reifier, with all that it says, and those that cannot be used."""
        for number, (node, head, relation, tail) in enumerate(self._statements(), 1):
            try:
                yield self._edge(node, head, relation, tail)
            except _FAULTS as error:
                yield Rejected(number, f"the triple cannot be used: {error}", str(node))

    def not_understood(self) -> Iterator[Rejected]:
        """Yield statements that say nothing to this software, numbered as they come."""
        known = {*_WELL_KNOWN, *(ox.NamedNode(f"{self._base}relation/{name}") for name in self.vocabulary.names)}
        plain = f"{self._base}relation/"
        quad: Any
        for number, quad in enumerate(self._store, 1):
            predicate = quad.predicate
            reason = ""
            if predicate not in known and not predicate.value.startswith(f"{self._base}property/"):
                reason = "the predicate is of another vocabulary"
            elif predicate.value.startswith(plain):
                reason = self._fault_of_plain(quad)
            elif predicate == term("rdf:type") and not self._is_known_class(quad.object):
                reason = "the class is of another vocabulary"
            elif predicate == term("rdf:type") and quad.object == term("prov:Activity"):
                reason = self._refused.get(quad.subject.value, "")
            elif predicate == term("skos:prefLabel") and quad.subject.value.startswith(f"{self._base}phrase/"):
                reason = self._fault(partial(self._phrase, quad.subject))
            if reason:
                yield Rejected(number, reason, str(quad))

    def _fault_of_plain(self, quad: Any) -> str:
        for end in (quad.subject, quad.object):
            if end.value != f"{self._base}nothing" and (fault := self._fault(partial(self._phrase, end))):
                return fault
        if quad.graph_name == ox.DefaultGraph() and not self._has_statement(quad):
            return "no statement or reifier says who asserted the triple"
        return ""

    def _has_statement(self, quad: Any) -> bool:
        relation = quad.predicate.value.removeprefix(f"{self._base}relation/")
        keys = (end.value.removeprefix(self._base).removeprefix("phrase/") for end in (quad.subject, quad.object))
        head, tail = (NOTHING if key == "nothing" else key for key in keys)
        usual = ox.NamedNode(f"{self._base}triple/{triple_key(head, relation, tail)}")
        if self._value(usual, term("rdf:subject")) or self._value(usual, term("rdf:reifies")):
            return True
        if self._one(None, term("rdf:reifies"), ox.Triple(quad.subject, quad.predicate, quad.object)):
            return True
        others = self._store.quads_for_pattern(None, term("rdf:subject"), quad.subject, None)
        return any(
            self._value(other.subject, term("rdf:predicate")) == quad.predicate
            and self._value(other.subject, term("rdf:object")) == quad.object
            for other in others
        )

    @staticmethod
    def _fault(read: Callable[[], object]) -> str:
        try:
            read()
        except _FAULTS as error:
            return f"not usable: {error}"
        return ""

    def _is_known_class(self, node: Any) -> bool:
        return str(node.value).startswith((self._base, *(term(name).value for name in (
            "rdf:Property", "rdf:Statement", "skos:Concept", "owl:SymmetricProperty", "prov:", "void:Dataset",
            "dcat:Dataset",
        ))))  # fmt: skip

    def _find_base(self, path: Path) -> str:
        for quad in self._store.quads_for_pattern(None, term("skos:notation"), None, None):
            base, folder, name = quad.subject.value.rpartition("relation/")
            if folder and name == quad.object.value:
                return str(base)
        raise InputError(
            f"{path} has no relation as this software writes them, with its name as skos:notation; "
            "for other RDF, make a TSV of heads, relations and tails"
        )

    def _relations(self) -> Iterator[Relation]:
        for node in sorted(self._subjects("rdf:Property"), key=str):
            fields = {name: value for name in RELATION_FIELDS if (value := self._property(node, name)) is not None}
            fields |= {name: list(self._texts(node, name)) for name in RELATION_TEXTS}
            symmetric = bool(self._one(node, term("rdf:type"), term("owl:SymmetricProperty")))
            name, phrase = self._value(node, term("skos:notation")), self._value(node, term("skos:prefLabel"))
            if name is not None and phrase is not None:
                row = {"name": name.value, "phrase": phrase.value, "symmetric": symmetric, **fields}
                check_relation(row)
                yield Relation(**row)

    def _run(self, node: ox.NamedNode) -> dict[str, Any]:
        run: dict[str, Any] = {"id": self._run_name(node), "kind": "unknown", "status": "finished", "added": 0}
        for key, link in (("model", "prov:wasAssociatedWith"), ("dataset", "prov:used")):
            if (other := self._value(node, term(link))) and (label := self._value(other, term("rdfs:label"))):
                run[key] = label.value
        for key, link in (("started", "prov:startedAtTime"), ("finished", "prov:endedAtTime")):
            if moment := self._value(node, term(link)):
                run[key] = moment.value.removesuffix("Z") + ("+00:00" if moment.value.endswith("Z") else "")
        start = f"{self._base}property/"
        for quad in self._store.quads_for_pattern(node, None, None, None):
            if quad.predicate.value.startswith(start) and isinstance(quad.object, ox.Literal):
                run[quad.predicate.value.removeprefix(start)] = _python(quad.object)
        return run

    def _read_phrase(self, node: ox.NamedNode) -> Phrase:
        label = self._value(node, term("skos:prefLabel"))
        if label is None:
            raise InputError(f"{node.value} has no text (skos:prefLabel)")
        lang = self._value(node, term("dcterms:language"))
        types = {quad.object.value for quad in self._store.quads_for_pattern(node, term("rdf:type"), None, None)}
        split = self._property(node, "split")
        if split is not None and split not in SPLITS:
            raise InputError(f"{node.value} has the split {split!r}, which is none")
        phrase = Phrase(
            clean_text(label.value),
            lang.value if lang else label.language or "en",
            tuple(name for name in LABELS if f"{self._base}{name}" in types),
            split,
            self._property(node, "uri") or "",
            self._runs(node),
            self._property(node, "logprob"),
        )
        if "Event" in phrase.labels and split is None:
            phrase = replace(phrase, split=split_of(phrase.id))
        row = {field.name: getattr(phrase, field.name) for field in fields(Phrase)}
        check_phrase(row | {"id": phrase.id, "uri": own_uri(phrase.text, phrase.lang, phrase.uri) or None})
        return phrase

    def _statements(self) -> Iterator[tuple[Any, Any, Any, Any]]:
        for node in self._subjects("rdf:Statement"):
            ends = [self._value(node, term(f"rdf:{part}")) for part in ("subject", "predicate", "object")]
            if all(ends):
                yield node, *ends
        for quad in self._store.quads_for_pattern(None, term("rdf:reifies"), None, None):
            if isinstance(quad.object, ox.Triple):
                yield quad.subject, quad.object.subject, quad.object.predicate, quad.object.object

    def _edge(self, node: Any, head_node: Any, relation_node: Any, tail_node: Any) -> Edge:
        head = self._phrase(head_node)
        nothing = tail_node.value == f"{self._base}nothing"
        tail = Phrase(NOTHING, head.lang) if nothing else self._phrase(tail_node)
        tail_uri = tail.uri
        if tail.text == NOTHING and not nothing and not tail_uri:
            tail_uri = f"/c/{tail.lang}/{NOTHING}"
        relation = self.vocabulary[relation_node.value.removeprefix(f"{self._base}relation/")].name
        runs = self._runs(node) or self._runs_by_graph(node, head_node, relation_node, tail_node)
        if not runs:
            raise InputError(f"{node.value} has no run (prov:wasGeneratedBy, or a named graph)")
        split: Split = head.split or split_of(phrase_id(head.text, head.lang, head.uri))
        values: dict[str, Any] = {
            name: self._texts(node, name) if kind == "texts" else self._property(node, name)
            for name, kind in EDGE_FIELDS.items()
        }
        values |= {"runs": runs, "predicted": bool(values["predicted"])}
        tail_lang = "" if tail.lang == head.lang else tail.lang
        check_edge(values)
        return Edge(Triple(head.text, relation, tail.text, head.lang, tail_lang, head.uri, tail_uri), split, **values)

    def _texts(self, node: Any, name: str) -> tuple[str, ...]:
        found = self._store.quads_for_pattern(node, ox.NamedNode(f"{self._base}property/{name}"), None, None)
        return tuple(sorted(quad.object.value for quad in found))

    def _runs(self, node: Any) -> tuple[str, ...]:
        found = self._store.quads_for_pattern(node, term("prov:wasGeneratedBy"), None, None)
        runs = sorted(self._run_name(quad.object) for quad in found)
        first = self._value(node, ox.NamedNode(f"{self._base}property/first"))
        return _beginning_with(self._run_name(first) if first else None, runs)

    def _runs_by_graph(self, node: Any, head: Any, relation: Any, tail: Any) -> tuple[str, ...]:
        graphs = (quad.graph_name for quad in self._store.quads_for_pattern(head, relation, tail, None))
        runs = sorted(self._run_name(graph) for graph in graphs if isinstance(graph, ox.NamedNode))
        own = next(iter(self._store.quads_for_pattern(node, term("rdf:subject"), None, None)), None)
        return _beginning_with(self._run_name(own.graph_name) if own and runs else None, runs)

    def _run_name(self, node: Any) -> str:
        if node.value in self._refused:
            raise InputError(self._refused[node.value])
        return check_id(unquote(str(node.value).removeprefix(f"{self._base}run/")))

    def _subjects(self, kind: str) -> Iterator[Any]:
        for quad in self._store.quads_for_pattern(None, term("rdf:type"), term(kind), None):
            yield quad.subject

    def _property(self, node: Any, name: str) -> Any:
        value = self._value(node, ox.NamedNode(f"{self._base}property/{name}"))
        return None if value is None else _python(value)

    def _value(self, node: Any, predicate: ox.NamedNode) -> Any:
        quad = next(iter(self._store.quads_for_pattern(node, predicate, None, None)), None)
        return quad.object if quad else None

    def _one(self, subject: Any, predicate: ox.NamedNode, value: Any) -> Any:
        return next(iter(self._store.quads_for_pattern(subject, predicate, value, None)), None)


def _beginning_with(first: str | None, runs: list[str]) -> tuple[str, ...]:
    return tuple(sorted(runs, key=lambda run: run != first))


def _python(value: Any) -> Any:
    kinds: Mapping[ox.NamedNode, Callable[[str], Any]] = {
        term("xsd:boolean"): lambda text: text in ("true", "1"),
        term("xsd:integer"): int,
        term("xsd:double"): float,
        JSON: strict_json.read,
    }
    try:
        return kinds.get(value.datatype, str)(value.value)
    except ValueError as error:
        raise InputError(f"{value.value[:80]!r} is no {value.datatype.value}") from error
