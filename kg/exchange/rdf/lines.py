"""Edges and phrases as lines of N-Triples and N-Quads, those of edges made column by column.

Many times as fast as a serialiser that makes an object of every triple; `tests/exchange/test_rdf.py` checks that
rdflib, given the same graph, says the same. polars writes the numbers; pyarrow joins constants and columns to all
lines of an edge at once, into the memory that is written to the file. A column that is empty in all rows is left
out, and only one with some gaps needs lines of its own first.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kg.exchange.rdf.names import Names, language_tag, quoted, term
from kg.graph.rows import EdgeRow
from kg.identity import triple_key
from kg.model import EDGE_FIELDS, NOTHING, Phrase

Form = Literal["reification", "reifier", "graphs"]
Pieces = Sequence[str | pa.LargeStringArray]

_TEXT = pa.large_string()  # its offsets have 64 bits: the texts of a block may be long
_SINGLE = {name: kind for kind in ("number", "flag", "text") for name, own in EDGE_FIELDS.items() if own == kind}
_LISTS = [name for name, kind in EDGE_FIELDS.items() if kind == "texts" and name != "runs"]


def edge_lines(names: Names, rows: Sequence[EdgeRow], form: Form = "reification") -> memoryview:
    """Return the lines of edges as UTF-8: N-Triples, or N-Quads for the form `graphs`."""
    columns: dict[str, Sequence[Any]] = dict(zip(EdgeRow._fields, zip(*rows, strict=True), strict=True))
    heads, relations, tails, runs = (columns[name] for name in ("head_id", "relation", "tail_id", "runs"))
    keys = list(map(triple_key, heads, relations, tails))
    objects = ["nothing" if tail == NOTHING else "phrase/" + tail for tail in tails]
    firsts = [own[0] for own in runs]
    iris = {run: names.iri("run", run) for run in set(firsts)}
    run = _column([iris[first] for first in firsts])
    node: Pieces = (f"<{names.base}triple/", _column(keys), "> ")
    head: Pieces = (f"<{names.base}phrase/", _column(heads), ">")
    relation: Pieces = (f"<{names.base}relation/", _column(relations), ">")
    object_: Pieces = (f"<{names.base}", _column(objects), ">")
    plain = (*head, " ", *relation, " ", *object_)
    end: Pieces = (" <", run, "> .\n") if form == "graphs" else (" .\n",)
    pieces: list[str | pa.LargeStringArray] = [*plain, " .\n"]
    if form == "reifier":
        pieces += [*node, f"{ref('rdf:reifies')} <<( ", *plain, " )>>", *end]
    else:
        pieces += [*node, f"{ref('rdf:type')} {ref('rdf:Statement')}", *end]
        for part, value in (("subject", head), ("predicate", relation), ("object", object_)):
            pieces += [*node, f"{ref(f'rdf:{part}')} ", *value, *end]
    pieces += [*node, f"{ref('rdf:type')} {ref('prov:Entity')}", *end]
    for name, kind in _SINGLE.items():
        if (gaps := columns[name].count(None)) < len(rows):
            line = (*node, f"<{names.base}property/{name}> ", *_literals(kind, columns[name]), *end)
            pieces += [_joined(line).fill_null("")] if gaps else line
    if form == "graphs":
        ends = zip(heads, relations, objects, strict=True)
        pieces.append(_column(["".join(_graph_lines(names, *one, own)) for one, own in zip(ends, runs, strict=True)]))
    elif max(map(len, runs)) == 1:
        pieces += [*node, f"{ref('prov:wasGeneratedBy')} <", run, "> .\n"]
    else:
        nodes = (f"<{names.base}triple/{key}>" for key in keys)
        pieces.append(_column([_run_lines(names, one, own) for one, own in zip(nodes, runs, strict=True)]))
    ends_of_runs = {run: f" <{iri}> .\n" if form == "graphs" else " .\n" for run, iri in iris.items()}
    for name in _LISTS:
        if any(columns[name]):
            each = zip(keys, columns[name], firsts, strict=True)
            pieces.append(_column([_list_lines(names, key, name, own, ends_of_runs[run]) for key, own, run in each]))
    return memoryview(_joined(pieces).buffers()[2])  # the texts as they lie in memory, one after another


def phrase_lines(names: Names, phrases: Sequence[Phrase]) -> bytes:
    """Return the lines of phrases as UTF-8: N-Triples."""
    return "".join([_phrase(names, phrase) for phrase in phrases]).encode()


@cache
def ref(name: str) -> str:
    """Return a term of a well-known vocabulary as N-Triples writes it."""
    return f"<{term(name).value}>"


def _column(texts: Sequence[str | None]) -> pa.LargeStringArray:
    return pa.array(texts, _TEXT)


def _literals(kind: str, values: Sequence[Any]) -> Pieces:
    """Return the values of a property, nulls among them, as literals."""
    if kind == "number":
        numbers = pl.Series(values, dtype=pl.Float64)
        texts = numbers.cast(pl.String).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        if numbers.is_infinite().any():
            texts = pc.replace_substring(texts, "inf", "INF")
        return '"', texts, f'"^^{ref("xsd:double")}'
    if kind == "flag":
        return '"', pa.array(values, pa.bool_()).cast(_TEXT), f'"^^{ref("xsd:boolean")}'
    texts = {text: quoted(text) for text in set(values) if text is not None}
    return (_column([texts.get(text) for text in values]),)


def _joined(pieces: Pieces) -> pa.LargeStringArray:
    """Return pieces one after another, with neighbouring constants as one."""
    parts: list[str | pa.LargeStringArray] = []
    for piece in pieces:
        if isinstance(piece, str) and parts and isinstance(last := parts[-1], str):
            parts[-1] = last + piece
        else:
            parts.append(piece)
    return pc.binary_join_element_wise(
        *(pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts), pa.scalar("", _TEXT)
    )


def _run_lines(names: Names, node: str, runs: Sequence[str]) -> str:
    iris = [names.iri("run", run) for run in runs]
    generated = ref("prov:wasGeneratedBy")
    first = f"{node} <{names.base}property/first> <{iris[0]}> .\n" if len(iris) > 1 else ""
    return "".join(f"{node} {generated} <{iri}> .\n" for iri in iris) + first


def _graph_lines(names: Names, head: str, relation: str, object_: str, runs: Sequence[str]) -> Iterator[str]:
    plain = f"<{names.base}phrase/{head}> <{names.base}relation/{relation}> <{names.base}{object_}>"
    return (f"{plain} <{names.iri('run', run)}> .\n" for run in runs)


def _list_lines(names: Names, key: str, name: str, values: Sequence[str], end: str) -> str:
    start = f"<{names.base}triple/{key}> <{names.base}property/{name}>"
    return "".join(f"{start} {quoted(value)}{end}" for value in values)


def _phrase(names: Names, phrase: Phrase) -> str:
    node = f"<{names.base}phrase/{phrase.id}>"
    concept, label, tag, *shared = _shared(names.base, phrase.lang, tuple(phrase.labels), phrase.split)
    lines = node + node.join([concept, label + quoted(phrase.text) + tag, *shared])
    if phrase.uri:
        lines += f"{node} <{names.base}property/uri> {quoted(phrase.uri)} .\n"
    if phrase.logprob is not None:
        number = repr(phrase.logprob).replace("inf", "INF")
        lines += f'{node} <{names.base}property/logprob> "{number}"^^{ref("xsd:double")} .\n'
    return lines + _run_lines(names, node, phrase.runs) if phrase.runs else lines


@lru_cache(maxsize=1024)
def _shared(base: str, lang: str, labels: tuple[str, ...], split: str | None) -> tuple[str, ...]:
    """Return what many phrases share, without its subject: first line, what is around a text, other lines."""
    tag = language_tag(lang)
    concept, label = f" {ref('rdf:type')} {ref('skos:Concept')} .\n", f" {ref('skos:prefLabel')} "
    lines = [f" {ref('rdf:type')} <{base}{name}> .\n" for name in labels]
    if tag != lang:
        lines.append(f" {ref('dcterms:language')} {quoted(lang)} .\n")
    if split:
        lines.append(f" <{base}property/split> {quoted(split)} .\n")
    return concept, label, f"@{tag} .\n" if tag else " .\n", *lines
