"""What is written and read back is the same, whatever the texts: as far as the format says so."""

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
import pyoxigraph
import pytest
import rdflib
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kg.errors import InputError
from kg.exchange.graphml import unescape, write_graphml
from kg.exchange.jsonl import write_jsonl
from kg.exchange.parquet import write_parquet
from kg.exchange.rdf import BASE, write_rdf
from kg.exchange.tsv import write_tsv
from kg.model import MAX_TEXT_BYTES, NOTHING, SPLITS, Edge, Phrase, Triple, clean_text
from kg.vocabulary import Vocabulary

HOSTILE = [
    "\"quoted\" and 'quoted'",
    "back\\slash \\u0060 \\n \\",
    "`) DETACH DELETE n //",
    "\u202eright to left\u200f",
    "\U0001f9d1\u200d\U0001f680 \U0001f1ef\U0001f1f5",
    "two\nlines\r\nthree\rfour",
    "  spaces\taround\t ",
    "<xml attribute='&amp;'>]]></xml><!-- -->",
    "".join(map(chr, range(1, 32))) + "text",
    "\x7f\x85\x9f\ufffe\uffff\ufeff\U0001fffe\u2028\u2029",
    "_x0001__x005F_\x01_x0041\x02|a|",
    "none ",
    "x" * 10_000,
    "é" * (MAX_TEXT_BYTES // 2),
    '<http://example.org/a> . # "@en^^',
]

texts = st.one_of(
    st.sampled_from([*HOSTILE, "to rest", NOTHING]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
    .filter(str.strip)
    .map(clean_text),
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
numbers = st.none() | st.floats(allow_nan=False)
triples = st.builds(
    Triple,
    texts,
    st.sampled_from(["xWant", "IsA", "oEffect"]),
    texts,
    st.sampled_from(["en", "ja", "zh-Hant-TW", "en_US", "x"]),
)
edge_lists = st.lists(
    st.builds(
        Edge,
        triples,
        st.sampled_from(SPLITS),
        st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
        predicted=st.booleans(),
        logprob=numbers,
        score=st.none() | st.floats(0, 1),
        critic=st.none() | names,
        accepted=st.none() | st.booleans(),
        weight=numbers,
        sources=st.lists(names, max_size=3, unique=True).map(tuple),
    ),
    max_size=6,
    unique_by=lambda edge: edge.triple,
)
write_and_read = settings(max_examples=60, deadline=None)


def phrases_of(edges: Iterable[Edge]) -> list[Phrase]:
    triples = [edge.triple for edge in edges]
    ends = {(triple.head, triple.lang) for triple in triples}
    ends |= {(triple.tail, triple.lang) for triple in triples if triple.tail != NOTHING}
    return [Phrase(text, lang, ("Event", "Inference"), "train") for text, lang in ends]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@write_and_read
@given(edge_lists)
def test_jsonl_keeps_texts_scores_and_splits(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.jsonl"
    assert write_jsonl(edges, path, thresholds={}, verdicts={}) == len(edges)
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line) for line in file]
    assert [(row["head"], row["relation"], row["tail"], row["p_valid_model"], row["split"]) for row in rows] == [
        (
            edge.triple.head,
            edge.triple.relation,
            edge.triple.tail,
            edge.score,
            edge.split.replace("idation", ""),
        )
        for edge in edges
    ]


@write_and_read
@given(edge_lists)
def test_tsv_keeps_texts_or_refuses(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.tsv"
    path.unlink(missing_ok=True)
    try:
        write_tsv(edges, path)
    except InputError:
        assert not path.exists()
        assume(False)
    rows = [tuple(line.split("\t")) for line in path.read_bytes().decode().splitlines()]
    assert rows == [(edge.triple.head, edge.triple.relation, edge.triple.tail) for edge in edges]


@write_and_read
@given(edge_lists)
def test_parquet_keeps_everything(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.parquet"
    assert write_parquet(edges, path) == len(edges)
    back = []
    for row in pq.read_table(path).to_pylist():
        triple = Triple(*(row.pop(field.name) or "" for field in fields(Triple)))
        del row["head_id"], row["tail_id"]
        lists = {name: tuple(row.pop(name)) for name in ("runs", "sources")}
        back.append(Edge(triple, **row, **lists))
    assert back == edges


@write_and_read
@given(edge_lists)
def test_graphml_keeps_everything(folder: Path, edges: list[Edge]) -> None:
    path = folder / "graph.graphml"
    assert write_graphml(phrases_of(edges), edges, path) == len(edges)
    graph = nx.read_graphml(path, force_multigraph=True)
    back = []
    for head, tail, data in graph.edges(data=True):
        text = unescape(graph.nodes[tail]["text"]) if tail != NOTHING else NOTHING
        lang = graph.nodes[head]["lang"]
        triple = Triple(unescape(graph.nodes[head]["text"]), data.pop("relation"), text, lang)
        lists = {
            name: tuple(map(unescape, data.pop(name).split("|"))) if name in data else ()
            for name in ("runs", "sources")
        }
        critic = unescape(data.pop("critic")) if "critic" in data else None
        back.append(Edge(triple, critic=critic, **lists, **data))
    assert sorted(back, key=lambda edge: edge.triple) == sorted(edges, key=lambda edge: edge.triple)


@write_and_read
@given(edge_lists, st.sampled_from([".ttl", ".nt"]))
def test_rdf_keeps_everything_but_the_order_within_lists(folder: Path, edges: list[Edge], suffix: str) -> None:
    path = folder / f"graph{suffix}"
    runs = [{"id": run, "model": run} for edge in edges for run in edge.runs]
    count = write_rdf(phrases_of(edges), edges, path, relations=Vocabulary.load("atomic"), runs=runs)
    assert count == len(edges)
    form = pyoxigraph.RdfFormat.from_extension(suffix[1:])
    triples = {quad.triple for quad in pyoxigraph.parse(path=str(path), format=form)}
    assert edges_of(triples) == {
        edge.triple: (
            edge.split,
            set(edge.runs),
            edge.predicted,
            edge.logprob,
            edge.score,
            edge.critic,
            edge.accepted,
            edge.weight,
            set(edge.sources),
        )
        for edge in edges
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdflib, "NORMALIZE_LITERALS", False)
        graph = rdflib.Graph().parse(path, format={".ttl": "turtle", ".nt": "nt"}[suffix])
    assert {tuple(map(rdflib_term, triple)) for triple in graph} == {
        tuple(map(oxigraph_term, triple)) for triple in triples
    }


def edges_of(triples: Iterable[pyoxigraph.Triple]) -> dict[Triple, tuple[object, ...]]:
    """Read edges from RDF, by nothing but what the file says."""
    said: dict[str, dict[str, list[str]]] = {}
    for subject, predicate, thing in triples:
        name = predicate.value.replace("#", "/").rpartition("/")[2]
        said.setdefault(subject.value, {}).setdefault(name, []).append(thing.value)
        if name == "prefLabel" and isinstance(thing, pyoxigraph.Literal) and thing.language:
            said[subject.value].setdefault("tag", []).append(thing.language)
    runs = {run: facts["wasAssociatedWith"][0] for run, facts in said.items() if "wasAssociatedWith" in facts}
    edges: dict[Triple, tuple[object, ...]] = {}
    for facts in said.values():
        if "subject" not in facts:
            continue
        (head,), (predicate,), (tail,) = facts["subject"], facts["predicate"], facts["object"]
        relation = predicate.removeprefix(f"{BASE}relation/")
        assert tail in said[head][relation]
        lang = said[head].get("language") or said[head]["tag"]
        triple = Triple(said[head]["prefLabel"][0], relation, said[tail]["prefLabel"][0], lang[0])
        one = {name: values[0] for name, values in facts.items()}
        edges[triple] = (
            one["split"],
            {said[runs[run]]["label"][0] for run in facts["wasGeneratedBy"]},
            one["predicted"] == "true",
            float(one["logprob"]) if "logprob" in one else None,
            float(one["score"]) if "score" in one else None,
            one.get("critic"),
            one["accepted"] == "true" if "accepted" in one else None,
            float(one["weight"]) if "weight" in one else None,
            set(facts.get("sources", ())),
        )
    return edges


def rdflib_term(term: object) -> tuple[str, ...]:
    if isinstance(term, rdflib.Literal):
        kind = str(term.datatype or (rdflib.RDF.langString if term.language else rdflib.XSD.string))
        return str(term), kind, term.language or ""
    return (str(term),)


def oxigraph_term(term: object) -> tuple[str, ...]:
    if isinstance(term, pyoxigraph.Literal):
        return term.value, term.datatype.value, term.language or ""
    assert isinstance(term, pyoxigraph.NamedNode)
    return (term.value,)
