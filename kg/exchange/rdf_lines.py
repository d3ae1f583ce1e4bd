"""Edges and phrases as lines of N-Triples and N-Quads, made by polars column by column.

About thirty times as fast as a serialiser that makes an object of every triple; `tests/exchange/test_rdf.py` checks
that rdflib, given the same graph, says the same.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from kg.exchange.rdf_names import Names, language_tag, quoted, term
from kg.model import NOTHING, Phrase, triple_key
from kg.reading import EdgeRow

Form = Literal["reification", "reifier", "graphs"]

_ESCAPES = (["\\", '"', "\n", "\r"], ["\\\\", '\\"', "\\n", "\\r"])
_FLAGS = ("predicted", "accepted")
_NUMBERS = ("logprob", "score", "weight")


def edge_lines(names: Names, rows: Sequence[EdgeRow], form: Form = "reification") -> pl.DataFrame:
    """Return one column of N-Triples, or N-Quads for the form `graphs`: all lines of an edge in each cell."""
    columns = list(zip(*rows, strict=True))
    keys = list(zip(columns[1], columns[4], columns[2], strict=True))
    start = f"<{names.base}triple/"
    nodes = [f"{start}{triple_key(*ends)}>" for ends in keys]
    in_graphs = form == "graphs"
    tails = pl.concat_str(pl.lit(f"<{names.base}phrase/"), pl.col("tail"), pl.lit(">"))
    frame = pl.DataFrame(
        [
            nodes, columns[1], columns[4], columns[2], *columns[12:18], columns[19],
            [_graph_lines(names, ends, runs) for ends, runs in zip(keys, columns[11], strict=True)] if in_graphs
            else [_run_lines(names, node, runs) for node, runs in zip(nodes, columns[11], strict=True)],
            [_source_lines(names, node, sources) for node, sources in zip(nodes, columns[18], strict=True)],
            [f" <{names.iri('run', runs[0])}> .\n" if in_graphs else " .\n" for runs in columns[11]],
        ],
        schema={
            "node": pl.String, "head": pl.String, "relation": pl.String, "tail": pl.String, "predicted": pl.Boolean,
            "logprob": pl.Float64, "score": pl.Float64, "critic": pl.String, "accepted": pl.Boolean,
            "weight": pl.Float64, "details": pl.String, "runs": pl.String, "sources": pl.String, "end": pl.String,
        },
        orient="col",
    ).with_columns(
        pl.concat_str(pl.lit(f"<{names.base}phrase/"), pl.col("head"), pl.lit(">")).alias("head"),
        pl.concat_str(pl.lit(f"<{names.base}relation/"), pl.col("relation"), pl.lit(">")).alias("relation"),
        pl.when(pl.col("tail") == NOTHING).then(pl.lit(f"<{names.base}nothing>")).otherwise(tails).alias("tail"),
    )  # fmt: skip
    node, head, relation, tail, end = (pl.col(name) for name in ("node", "head", "relation", "tail", "end"))
    space = pl.lit(" ")
    plain = pl.concat_str(head, space, relation, space, tail)

    def line(predicate: str, *value: pl.Expr) -> pl.Expr:
        return pl.concat_str(node, pl.lit(f" {predicate} "), *value, end)

    if form == "reifier":
        reified = [line(_ref("rdf:reifies"), pl.lit("<<( "), plain, pl.lit(" )>>"))]
    else:
        reified = [
            line(_A, pl.lit(_ref("rdf:Statement"))),
            line(_ref("rdf:subject"), head),
            line(_ref("rdf:predicate"), relation),
            line(_ref("rdf:object"), tail),
        ]
    said = [
        line(_A, pl.lit(_ref("prov:Entity"))),
        *(
            line(_property(names, name), *_typed(name))
            for name in ("predicted", "logprob", "score", "accepted", "weight")
        ),
        *(line(_property(names, name), pl.lit('"'), _escaped(name), pl.lit('"')) for name in ("critic", "details")),
    ]
    parts = [pl.concat_str(plain, pl.lit(" .\n")), *reified, *said, pl.col("runs")]
    parts.append(pl.col("sources").str.replace_all(" .\n", end, literal=True) if in_graphs else pl.col("sources"))
    return frame.select(pl.concat_str(parts, ignore_nulls=True))


def _run_lines(names: Names, node: str, runs: Sequence[str]) -> str:
    iris = [names.iri("run", run) for run in runs]
    first = f"{node} {_property(names, 'first')} <{iris[0]}> .\n" if len(iris) > 1 else ""
    return "".join(f"{node} {_GENERATED} <{iri}> .\n" for iri in iris) + first


def _graph_lines(names: Names, ends: tuple[str, str, str], runs: Sequence[str]) -> str:
    head, relation, tail = ends
    base = names.base
    object_ = f"{base}nothing" if tail == NOTHING else f"{base}phrase/{tail}"
    plain = f"<{base}phrase/{head}> <{base}relation/{relation}> <{object_}>"
    return "".join(f"{plain} <{names.iri('run', run)}> .\n" for run in runs)


def _source_lines(names: Names, node: str, sources: Sequence[str]) -> str | None:
    if not sources:
        return None
    return "".join(f"{node} {_property(names, 'sources')} {quoted(source)} .\n" for source in sources)


def phrase_lines(names: Names, phrases: Sequence[Phrase]) -> pl.DataFrame:
    """Return one column of N-Triples: all lines of a phrase in each cell."""
    return pl.DataFrame({"lines": ["".join(_phrase(names, phrase)) for phrase in phrases]})


def _phrase(names: Names, phrase: Phrase) -> Iterator[str]:
    node = f"<{names.base}phrase/{phrase.id}>"
    tag = language_tag(phrase.lang)
    yield f"{node} {_A} {_ref('skos:Concept')} .\n"
    for label in phrase.labels:
        yield f"{node} {_A} <{names.base}{label}> .\n"
    yield f"{node} {_ref('skos:prefLabel')} {quoted(phrase.text)}{f'@{tag}' if tag else ''} .\n"
    if tag != phrase.lang:
        yield f"{node} {_ref('dcterms:language')} {quoted(phrase.lang)} .\n"
    for name, value in (("split", phrase.split), ("uri", phrase.uri)):
        if value:
            yield f"{node} {_property(names, name)} {quoted(value)} .\n"
    if phrase.logprob is not None:
        yield f'{node} {_property(names, "logprob")} "{phrase.logprob!r}"^^{_ref("xsd:double")} .\n'
    if phrase.runs:
        yield _run_lines(names, node, phrase.runs)


def _typed(name: str) -> tuple[pl.Expr, ...]:
    text = pl.col(name).cast(pl.String)
    if name in _FLAGS:
        return pl.lit('"'), text, pl.lit(f'"^^{_ref("xsd:boolean")}')
    finite = pl.when(pl.col(name).is_infinite()).then(text.str.to_uppercase()).otherwise(text)
    return pl.lit('"'), finite, pl.lit(f'"^^{_ref("xsd:double")}')


def _escaped(name: str) -> pl.Expr:
    return pl.col(name).str.replace_many(*_ESCAPES)


def _ref(name: str) -> str:
    return f"<{term(name).value}>"


def _property(names: Names, name: str) -> str:
    return f"<{names.base}property/{name}>"


_A = _ref("rdf:type")
_GENERATED = _ref("prov:wasGeneratedBy")
