"""RDF export with what is said about each edge, against the serialisers that a user would pick.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.rdf --edges 200000

All sides get the same edges in memory and write N-Triples: ours by column, pyoxigraph's and rdflib's from the terms
that they want, made on the way. Ours come in pages that are read ahead, as the graph's do. Rates are statements a
CPU-second.
"""

import argparse
import gc
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyoxigraph as ox
import rdflib
from rdflib.namespace import PROV, RDF, SKOS, XSD

from kg.exchange.rdf.names import BASE, Names, describe_nothing, describe_relation, describe_run, describe_whole, term
from kg.exchange.rdf.writing import write_rdf
from kg.graph.rows import read_ahead, row_of
from kg.identity import head_id, tail_id, triple_id
from kg.model import Edge, Phrase, Triple
from kg.vocabulary import Vocabulary

RELATIONS = Vocabulary.load("skd")
RUNS = [{"id": "load-1", "model": "teacher"}]
_PAGE = 20_000


def make(count: int) -> tuple[list[Phrase], list[Edge]]:
    """Return edges of ATOMIC's shape, scored and accepted, and their phrases."""
    rng = random.Random(0)
    edges: dict[Triple, Edge] = {}
    phrases: dict[str, Phrase] = {}
    while len(edges) < count:
        number = len(edges)
        triple = Triple(
            f"PersonX does the thing number {number // 40} with PersonY",
            RELATIONS.names[number % 7],
            f"to do something of the kind {rng.randrange(count // 3 + 1)}",
        )
        edges[triple] = Edge(
            triple, "train", ("load-1",), predicted=False, logprob=-rng.random(), score=rng.random(), critic="critic-1",
            accepted=rng.random() < 0.8,
        )  # fmt: skip
        phrases[triple.head] = Phrase(triple.head, "en", ("Event",), "train")
        phrases.setdefault(triple.tail, Phrase(triple.tail, "en", ("Inference",)))
    return list(phrases.values()), list(edges.values())


def statements(phrases: list[Phrase], edges: list[Edge]) -> Iterator[tuple[str, str, object]]:
    """Yield what is to be said, as IRIs and Python values."""
    for phrase in phrases:
        node = f"{BASE}phrase/{phrase.id}"
        yield node, str(RDF.type), rdflib.URIRef(SKOS.Concept)
        for label in phrase.labels:
            yield node, str(RDF.type), rdflib.URIRef(BASE + label)
        yield node, str(SKOS.prefLabel), (phrase.text, phrase.lang)
        if phrase.split:
            yield node, f"{BASE}property/split", phrase.split
    for edge in edges:
        triple = edge.triple
        head, tail = (rdflib.URIRef(f"{BASE}phrase/{key}") for key in (head_id(triple), tail_id(triple)))
        relation = rdflib.URIRef(f"{BASE}relation/{triple.relation}")
        yield str(head), str(relation), tail
        node = f"{BASE}triple/{triple_id(triple)}"
        yield node, str(RDF.type), rdflib.URIRef(RDF.Statement)
        yield node, str(RDF.type), rdflib.URIRef(PROV.Entity)
        yield node, str(RDF.subject), head
        yield node, str(RDF.predicate), relation
        yield node, str(RDF.object), tail
        for name in ("predicted", "logprob", "score", "accepted", "critic"):
            yield node, f"{BASE}property/{name}", getattr(edge, name)
        yield node, str(PROV.wasGeneratedBy), rdflib.URIRef(f"{BASE}run/load-1")


def others(phrases: int, edges: int) -> Iterator[ox.Triple]:
    """Yield the few statements about relations, runs and the whole."""
    names = Names(BASE)
    for relation in RELATIONS:
        yield from describe_relation(names, relation)
    for run in RUNS:
        yield from describe_run(names, run)
    yield from describe_nothing(names)
    yield from describe_whole(names, RUNS, phrases, edges)


def by_pyoxigraph(phrases: list[Phrase], edges: list[Edge], path: Path) -> None:
    """Make terms and serialise them as a stream, as the documentation of pyoxigraph shows."""

    def triples() -> Iterator[ox.Triple]:
        for subject, predicate, value in statements(phrases, edges):
            if isinstance(value, rdflib.URIRef):
                thing: ox.NamedNode | ox.Literal = ox.NamedNode(value)
            elif isinstance(value, tuple):
                thing = ox.Literal(value[0], language=value[1])
            elif isinstance(value, float):
                thing = ox.Literal(repr(value), datatype=term("xsd:double"))
            else:
                thing = ox.Literal(value)  # type: ignore[arg-type]
            yield ox.Triple(ox.NamedNode(subject), ox.NamedNode(predicate), thing)
        yield from others(len(phrases), len(edges))

    ox.serialize(triples(), path, ox.RdfFormat.N_TRIPLES)


def by_rdflib(phrases: list[Phrase], edges: list[Edge], path: Path, form: str = "nt") -> None:
    """Add every triple to a graph and serialise it."""
    graph = rdflib.Graph()
    for subject, predicate, value in statements(phrases, edges):
        if isinstance(value, rdflib.URIRef):
            thing: rdflib.term.Node = value
        elif isinstance(value, tuple):
            thing = rdflib.Literal(value[0], lang=value[1])
        elif isinstance(value, float):
            thing = rdflib.Literal(repr(value), datatype=XSD.double, normalize=False)
        else:
            thing = rdflib.Literal(value)
        graph.add((rdflib.URIRef(subject), rdflib.URIRef(predicate), thing))
    graph.serialize(path, format=form, encoding="utf-8")


def by_us(phrases: list[Phrase], edges: list[Edge], path: Path) -> None:
    """Write as `kg export rdf` does, from rows as the database gives them."""
    rows = [row_of(edge) for edge in edges]
    pages = (rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE))
    write_rdf(phrases, pages, path, relations=RELATIONS, runs=RUNS)


def timed(write: Callable[..., None], *arguments: object) -> float:
    """Return the CPU-seconds of a call."""
    start = time.process_time()
    write(*arguments)
    return time.process_time() - start


def main() -> None:
    """Check that all say the same of 2,000 edges, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--edges", type=int, default=200_000)
    count = parser.parse_args().edges
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, slow = (Path(folder) / name for name in ("ours.nt", "theirs.nt", "rdflib.nt"))
        phrases, edges = make(2_000)
        by_us(phrases, edges, ours)
        by_pyoxigraph(phrases, edges, theirs)
        by_rdflib(phrases, edges, slow)
        said = {str(quad.triple) for quad in ox.parse(path=str(ours), format=ox.RdfFormat.N_TRIPLES)}
        assert said == {str(quad.triple) for quad in ox.parse(path=str(theirs), format=ox.RdfFormat.N_TRIPLES)}
        assert {str(quad.triple) for quad in ox.parse(path=str(slow), format=ox.RdfFormat.N_TRIPLES)} <= said

        phrases, edges = make(count)
        rows = [row_of(edge) for edge in edges]
        pages = [rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE)]
        gc.collect()
        gc.freeze()  # no side pays for looking through what the benchmark holds
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = timed(lambda: write_rdf(phrases, read_ahead(iter(pages)), ours, relations=RELATIONS, runs=RUNS))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with ours.open("rb") as file:
            lines = sum(1 for _ in file)
        print(f"{count:,} edges, {lines:,} statements")
        print(f"kg             {lines / seconds:12,.0f} statements a CPU-second; memory grew by {grown // 1024:,} MB")
        for name, write in (
            ("pyoxigraph", by_pyoxigraph), ("rdflib nt", by_rdflib),
            ("rdflib turtle", lambda *arguments: by_rdflib(*arguments, "turtle")),
        ):  # fmt: skip
            other = timed(write, phrases, edges, theirs)
            print(f"{name:<14} {lines / other:12,.0f}  kg is {other / seconds:.1f} times as fast")


if __name__ == "__main__":
    main()
