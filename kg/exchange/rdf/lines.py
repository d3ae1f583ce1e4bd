"""Edges and phrases as lines of N-Triples and N-Quads, made by polars column by column.

Many times as fast as a serialiser that makes an object of every triple; `tests/exchange/test_rdf.py` checks that
rdflib, given the same graph, says the same. All lines of an edge are one `concat_str` of constants and columns: a
column that is empty on the whole page is left out, and only one with some gaps needs lines of its own first.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

import polars as pl

from kg.exchange.rdf.names import Names, language_tag, quoted, term
from kg.graph.rows import EdgeRow
from kg.identity import triple_key
from kg.model import EDGE_FIELDS, NOTHING, Phrase

Form = Literal["reification", "reifier", "graphs"]
Pieces = Sequence[str | pl.Expr]

_ESCAPES = (["\\", '"', "\n", "\r"], ["\\\\", '\\"', "\\n", "\\r"])
_NUMBERS, _FLAGS, _TEXTS, _LISTS = (
    [name for name, kind in EDGE_FIELDS.items() if kind == wanted and name != "runs"]
    for wanted in ("number", "flag", "text", "texts")
)


def edge_lines(  # noqa: C901 - one piece after the other
    names: Names, rows: Sequence[EdgeRow], form: Form = "reification"
) -> pl.DataFrame:
    """Return one column of N-Triples, or N-Quads for the form `graphs`: all lines of an edge in each cell."""
    columns: dict[str, Sequence[Any]] = dict(zip(EdgeRow._fields, zip(*rows, strict=True), strict=True))
    heads, relations, tails, runs = (columns[name] for name in ("head_id", "relation", "tail_id", "runs"))
    keys = list(map(triple_key, heads, relations, tails))
    phrase, nothing = f"{names.base}phrase/", f"{names.base}nothing"
    objects = [nothing if tail == NOTHING else phrase + tail for tail in tails]
    firsts = [own[0] for own in runs]
    iris = {run: names.iri("run", run) for run in set(firsts)}
    frame = pl.DataFrame(
        {
            "key": keys, "head": heads, "relation": relations, "object": objects,
            "run": [iris[run] for run in firsts],
            **{name: pl.Series(columns[name], dtype=pl.Float64) for name in _NUMBERS},
            **{name: pl.Series(columns[name], dtype=pl.Boolean) for name in _FLAGS},
            **{name: pl.Series(columns[name], dtype=pl.String) for name in _TEXTS},
        }
    ).with_columns(pl.col(*_NUMBERS, *_FLAGS).cast(pl.String))  # fmt: skip
    frame = frame.with_columns(
        pl.col(*_NUMBERS).replace({"inf": "INF", "-inf": "-INF"}), pl.col(*_TEXTS).str.replace_many(*_ESCAPES)
    )
    node: Pieces = (f"<{names.base}triple/", pl.col("key"), "> ")
    head: Pieces = (f"<{names.base}phrase/", pl.col("head"), ">")
    relation: Pieces = (f"<{names.base}relation/", pl.col("relation"), ">")
    object_: Pieces = ("<", pl.col("object"), ">")
    plain = (*head, " ", *relation, " ", *object_)
    end: Pieces = (" <", pl.col("run"), "> .\n") if form == "graphs" else (" .\n",)
    pieces: list[str | pl.Expr] = [*plain, " .\n"]
    if form == "reifier":
        pieces += [*node, f"{ref('rdf:reifies')} <<( ", *plain, " )>>", *end]
    else:
        pieces += [*node, f"{ref('rdf:type')} {ref('rdf:Statement')}", *end]
        for part, value in (("subject", head), ("predicate", relation), ("object", object_)):
            pieces += [*node, f"{ref(f'rdf:{part}')} ", *value, *end]
    pieces += [*node, f"{ref('rdf:type')} {ref('prov:Entity')}", *end]
    for kind, some in ((f"^^{ref('xsd:double')}", _NUMBERS), (f"^^{ref('xsd:boolean')}", _FLAGS), ("", _TEXTS)):
        for name in some:
            line = (*node, f'<{names.base}property/{name}> "', pl.col(name), f'"{kind}', *end)
            gaps = frame[name].null_count()
            if not gaps:
                pieces += line
            elif gaps < len(frame):
                pieces.append(_joined(line).fill_null(""))
    if form == "graphs":
        ends = zip(heads, relations, objects, strict=True)
        pieces.append(_column("".join(_graph_lines(names, *one, own)) for one, own in zip(ends, runs, strict=True)))
    elif max(map(len, runs)) == 1:
        pieces += [*node, f"{ref('prov:wasGeneratedBy')} <", pl.col("run"), "> .\n"]
    else:
        lines = (_run_lines(names, f"<{names.base}triple/{key}>", own) for key, own in zip(keys, runs, strict=True))
        pieces.append(_column(lines))
    for name in _LISTS:
        if any(columns[name]):
            lists = _column(_list_lines(names, key, name, own) for key, own in zip(keys, columns[name], strict=True))
            pieces.append(lists.str.replace_all(" .\n", _joined(end), literal=True) if form == "graphs" else lists)
    return frame.select(_joined(pieces))


def phrase_lines(names: Names, phrases: Sequence[Phrase]) -> pl.DataFrame:
    """Return one column of N-Triples: all lines of a phrase in each cell."""
    return pl.DataFrame({"lines": ["".join(_phrase(names, phrase)) for phrase in phrases]})


@cache
def ref(name: str) -> str:
    """Return a term of a well-known vocabulary as N-Triples writes it."""
    return f"<{term(name).value}>"


def _joined(pieces: Pieces) -> pl.Expr:
    """Return pieces as one expression, with neighbouring constants as one."""
    parts: list[str | pl.Expr] = []
    for piece in pieces:
        if isinstance(piece, str) and parts and isinstance(last := parts[-1], str):
            parts[-1] = last + piece
        else:
            parts.append(piece)
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def _column(lines: Iterator[str]) -> pl.Expr:
    return pl.lit(pl.Series(list(lines), dtype=pl.String))


def _run_lines(names: Names, node: str, runs: Sequence[str]) -> str:
    iris = [names.iri("run", run) for run in runs]
    generated = ref("prov:wasGeneratedBy")
    first = f"{node} <{names.base}property/first> <{iris[0]}> .\n" if len(iris) > 1 else ""
    return "".join(f"{node} {generated} <{iri}> .\n" for iri in iris) + first


def _graph_lines(names: Names, head: str, relation: str, object_: str, runs: Sequence[str]) -> Iterator[str]:
    plain = f"<{names.base}phrase/{head}> <{names.base}relation/{relation}> <{object_}>"
    return (f"{plain} <{names.iri('run', run)}> .\n" for run in runs)


def _list_lines(names: Names, key: str, name: str, values: Sequence[str]) -> str:
    start = f"<{names.base}triple/{key}> <{names.base}property/{name}>"
    return "".join(f"{start} {quoted(value)} .\n" for value in values)


def _phrase(names: Names, phrase: Phrase) -> Iterator[str]:
    node = f"<{names.base}phrase/{phrase.id}>"
    kind = f"{node} {ref('rdf:type')} <"
    tag = language_tag(phrase.lang)
    concept, label = ref("skos:Concept")[1:], ref("skos:prefLabel")
    yield f"{kind}{concept} .\n{node} {label} {quoted(phrase.text)}{f'@{tag}' if tag else ''} .\n"
    for name in phrase.labels:
        yield f"{kind}{names.base}{name}> .\n"
    if tag != phrase.lang:
        yield f"{node} {ref('dcterms:language')} {quoted(phrase.lang)} .\n"
    for name, value in (("split", phrase.split), ("uri", phrase.uri)):
        if value:
            yield f"{node} <{names.base}property/{name}> {quoted(value)} .\n"
    if phrase.logprob is not None:
        number = repr(phrase.logprob).replace("inf", "INF")
        yield f'{node} <{names.base}property/logprob> "{number}"^^{ref("xsd:double")} .\n'
    if phrase.runs:
        yield _run_lines(names, node, phrase.runs)
