"""RDF: the plain triples, and all that is said about them, in one of three forms.

    <base>phrase/ID      a skos:Concept, with its text as skos:prefLabel
    <base>nothing        the one object that stands for no effect
    <base>relation/NAME  an rdf:Property and skos:Concept
    <base>triple/ID      a triple as a prov:Entity: its score ..., prov:wasGeneratedBy its runs
    <base>run/ID         a prov:Activity, prov:wasAssociatedWith its model, prov:used its data set
    <base>agent/NAME     a model, a prov:SoftwareAgent
    <base>dataset/NAME   a data set, a prov:Entity
    <base>property/NAME  a field of `Edge`, `Phrase`, `Relation` or a run, as a typed literal
    <base>Event ...      a label of the graph, as a class
    <base>graph          the whole, a void:Dataset and dcat:Dataset, with licences and counts

| form | what hangs on `<base>triple/ID` | file |
|---|---|---|
| `reification` | rdf:Statement with rdf:subject, rdf:predicate, rdf:object (RDF 1.1) | any |
| `reifier` | rdf:reifies the triple (RDF 1.2) | all but JSON-LD |
| `graphs` | as `reification`, in the graph of the first run; each run's has its plain triples | .nq .trig .jsonld |

N-Triples and N-Quads are written some thousand rows at a time; pyoxigraph makes the other files from them. Read it
back with `kg.exchange.rdf.reading`. Judgements, critics and acceptances are left out, and the order of runs after the
first.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from more_itertools import batched
from pyoxigraph import RdfFormat, Triple, parse, serialize

from kg.errors import InputError
from kg.exchange.rdf.names import (
    BASE,
    NAMESPACES,
    Names,
    describe_nothing,
    describe_relation,
    describe_run,
    describe_whole,
)
from kg.exchange.target import export_file, open_bytes
from kg.graph.rows import EdgeRow
from kg.model import Phrase
from kg.threads import adapt
from kg.vocabulary import Vocabulary

if TYPE_CHECKING:
    import rdflib

    from kg.exchange.rdf.lines import Form

_FORMATS = {
    ".nt": RdfFormat.N_TRIPLES, ".nq": RdfFormat.N_QUADS, ".ttl": RdfFormat.TURTLE, ".trig": RdfFormat.TRIG,
    ".jsonld": RdfFormat.JSON_LD,
}  # fmt: skip
_ROWS = 2_000  # that become lines at a time: some 4 MB, which stay in the processor's cache until they are written


def rdf_format(path: Path) -> RdfFormat:
    """Return the format that a file's name stands for; `.gz` may follow.

    Raises:
        InputError: none.
    """
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    form = _FORMATS.get(plain.suffix.lower())
    if form is None:
        raise InputError(f"cannot tell the RDF format of {path.name!r}: name it {', '.join(_FORMATS)}, or so with .gz")
    return form


def write_rdf(
    phrases: Iterable[Phrase],
    pages: Iterable[Sequence[EdgeRow]],
    path: Path,
    *,
    relations: Vocabulary,
    runs: Iterable[Mapping[str, object]],
    base: str = BASE,
    form: "Form" = "reification",
) -> int:
    """Write a graph as RDF; memory does not grow with it.

    Args:
        phrases: the phrases of the edges; the node for no effect is added.
        pages: lists of edges as rows (`kg.graph.rows.EdgeRow`); read after the phrases.
        path: file to make, whose suffix decides on the format; an older one is replaced.
        relations: described beside the edges.
        runs: each with its `id`, and `model`, `dataset`, `started`, `finished` and others if known.
        base: where IRIs start; ends with / or #.
        form: how what is said about a triple hangs on it.

    Returns:
        The number of edges written.

    Raises:
        InputError: another suffix, a form that the format cannot hold, a base that is not the start of an IRI, or a
            file that cannot be written.
    """
    kind = rdf_format(path)
    names = Names(base)
    if form == "graphs" and kind not in (RdfFormat.N_QUADS, RdfFormat.TRIG, RdfFormat.JSON_LD):
        raise InputError("a named graph for each run needs a file that holds graphs: .nq, .trig or .jsonld")
    if form == "reifier" and kind is RdfFormat.JSON_LD:
        raise InputError("JSON-LD cannot hold RDF 1.2 yet; choose --form reification, or another format")
    runs = list(runs)
    with export_file(path) as draft, open_bytes(draft, path) as file:
        if kind in (RdfFormat.N_TRIPLES, RdfFormat.N_QUADS):
            return write_lines(file, names, phrases, pages, relations, runs, form)
        with tempfile.TemporaryFile(dir=draft.parent) as lines:  # as large as the graph: not for /tmp
            count = write_lines(lines, names, phrases, pages, relations, runs, form)
            lines.seek(0)
            prefixes = None if kind is RdfFormat.JSON_LD else NAMESPACES | names.prefixes
            serialize(parse(lines, format=RdfFormat.N_QUADS), file, kind, prefixes=prefixes)
        return count


def export_rdf(
    every_phrase: Iterable[Phrase],
    pages: Iterable[Sequence[EdgeRow]],
    path: Path,
    relations: Vocabulary,
    runs: Iterable[Mapping[str, object]],
    base: str | None,
    form: "Form | None",
) -> int:
    """Write a graph as `write_rdf` does, with its usual base and form where none is named."""
    return write_rdf(
        every_phrase, pages, path, relations=relations, runs=runs, base=base or BASE, form=form or "reification"
    )


def to_rdflib(
    phrases: Iterable[Phrase],
    pages: Iterable[Sequence[EdgeRow]],
    *,
    relations: Vocabulary,
    runs: Iterable[Mapping[str, object]],
    base: str = BASE,
) -> "rdflib.Graph":
    """Return a graph in rdflib, in memory: what `write_rdf` writes in the form `reification`.

        part = kg.exchange.selection.Selection(graph, accepted=True)
        to_rdflib(part.phrases, part.pages, relations=part.relations, runs=part.runs).query("SELECT ...")

    Raises:
        InputError: the base is not the start of an IRI.
    """
    import rdflib  # noqa: PLC0415 - only where it is used

    names = Names(base)
    lines = BytesIO()
    write_lines(lines, names, phrases, pages, relations, list(runs), "reification")
    graph = rdflib.Graph()
    for prefix, namespace in (NAMESPACES | names.prefixes).items():
        graph.bind(prefix, namespace)
    return graph.parse(data=lines.getvalue(), format="nt")


def write_shapes(path: Path, base: str | None = None) -> str:
    """Write the SHACL shapes that the RDF under a base conforms to, as Turtle; return what was done."""
    names = Names(base or BASE)
    text = resources.files("kg").joinpath("exchange/rdf/shapes.ttl").read_text(encoding="utf-8")
    with export_file(path) as draft:
        draft.write_text(text.replace(BASE, names.base), encoding="utf-8")
    return f"The shapes of RDF under {names.base} are in {path}"


def write_lines(
    file: IO[bytes],
    names: Names,
    phrases: Iterable[Phrase],
    pages: Iterable[Sequence[EdgeRow]],
    relations: Vocabulary,
    runs: Sequence[Mapping[str, object]],
    form: "Form",
) -> int:
    """Write a graph as lines of N-Triples, or N-Quads for the form `graphs`; return the number of edges.

    Args:
        file: to write to.
        names: the IRIs.
        phrases: the phrases of the edges.
        pages: lists of edges as rows; read after the phrases.
        relations: described beside the edges.
        runs: as of `write_rdf`.
        form: how what is said about a triple hangs on it.
    """
    adapt()  # polars takes the number of its threads when it is imported
    from kg.exchange.rdf.lines import edge_lines, phrase_lines  # noqa: PLC0415

    phrase_count = edge_count = 0
    for relation in relations:
        _write_statements(file, describe_relation(names, relation))
    for run in runs:
        _write_statements(file, describe_run(names, run))
    _write_statements(file, describe_nothing(names))
    for batch in batched(phrases, _ROWS):
        file.write(phrase_lines(names, batch))
        phrase_count += len(batch)
    for page in pages:
        for start in range(0, len(page), _ROWS):
            file.write(edge_lines(names, page[start : start + _ROWS], form))
        edge_count += len(page)
    _write_statements(file, describe_whole(names, runs, phrase_count, edge_count))
    return edge_count


def _write_statements(file: IO[bytes], statements: Iterator[Triple]) -> None:
    serialize(statements, file, RdfFormat.N_TRIPLES)
