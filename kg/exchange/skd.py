"""SKD's release format: one JSON object a line, with the fields of `ATOMIC10X.jsonl` in their order.

    head, relation, tail, inference (the tail again), split (train, val or test),
    rec_0.5, rec_0.6, rec_0.7, rec_0.8, rec_0.9, p_valid_model, valid

`rec_R` says whether the triple survives the threshold that keeps the share R of the good ones. Scores that were read
from such a file keep its `rec_R` and `valid`. A field of ours, lang, comes behind where a text is not English. The
format has no place for runs or weights; Parquet has.

Source: the README of West et al. 2021, "Symbolic Knowledge Distillation".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import orjson

from kg.errors import InputError, NotReady
from kg.exchange.rows import Rows, as_details, json_object, make_triple, parse_rows, read_split, text_of
from kg.exchange.target import export_file, open_bytes
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.scores import thresholds_in
from kg.lines import Line, Rejected
from kg.model import Acceptance, Assertion, Edge, Triple, consensus, threshold_of
from kg.vocabulary import Vocabulary

RECALLS = ("0.5", "0.6", "0.7", "0.8", "0.9")
_VERDICTS = (*(f"rec_{recall}" for recall in RECALLS), "valid")
_USUAL = "en"
_SPLITS = {"train": "train", "validation": "val", "test": "test"}

Thresholds = Mapping[str, Mapping[str, float]] | Callable[[str, Edge], float | None]
"""Recall (one of `RECALLS`) to relation, or `kg.model.OVERALL`, to threshold; or a function of recall and edge."""

Verdicts = Mapping[Triple, int] | Callable[[Triple], int | None]
"""The raw verdict of a person on a triple, where there is one."""


def read_skd(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of SKD's JSONL: head, relation, tail, split, p_valid_model; `details` keep rec_R and valid."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        score = row.get("p_valid_model")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
            raise InputError(f"p_valid_model {score!r} is not a number from 0 to 1")
        own = text_of(row, "lang") if row.get("lang") is not None else lang
        triple = make_triple(text_of(row, "head"), text_of(row, "relation"), text_of(row, "tail"), vocabulary, own)
        split = None if row.get("split") is None else read_split(text_of(row, "split"))
        verdicts = {name: row[name] for name in _VERDICTS if row.get(name) is not None}
        yield Assertion(
            triple, split=split, details=as_details(verdicts), score=None if triple.says_nothing else score
        )  # fmt: skip

    return parse_rows(lines, parse)


def export_skd(edges: Iterable[Edge], path: Path, graph: KnowledgeGraph) -> int:
    """Write edges as `write_jsonl` does, by what the graph's current critic and all its annotators say.

    `valid` is the consensus of a triple's annotators (`kg.model.consensus`).
    """
    critic: str | None = None
    thresholds: Thresholds = {}
    try:
        critic = str(graph.current_critic()["id"])
        thresholds = _by_edge(graph, graph.current_acceptance(critic))
    except NotReady:
        pass
    values: dict[Triple, list[int]] = defaultdict(list)
    for judgement in graph.judgements():
        values[judgement.triple].append(judgement.value)
    verdicts = {triple: consensus(found) for triple, found in values.items()}
    return write_jsonl(edges, path, critic=critic, thresholds=thresholds, verdicts=verdicts)


def _by_edge(graph: KnowledgeGraph, acceptance: Acceptance) -> Callable[[str, Edge], float | None]:
    """Return recall and edge to the threshold, the lowest of the teachers that wrote the edge."""
    runs = graph.runs()
    by_recall = {recall: thresholds_in(acceptance, runs, recall) for recall in RECALLS}
    return lambda recall, edge: by_recall[recall].of(edge.triple.relation, edge.runs)


def write_jsonl(
    edges: Iterable[Edge], path: Path, *, critic: str | None = None, thresholds: Thresholds, verdicts: Verdicts
) -> int:
    """Write edges in SKD's release format.

    Args:
        edges: what to write, in this order.
        path: file to make; an older one is replaced.
        critic: whose scores the thresholds are for; None for any critic's.
        thresholds: for each recall, the smallest score of an accepted triple by relation. Where there is
            none, or no score, the field is null.
        verdicts: the values of the field `valid`; null for the triples that nobody judged.

    Returns:
        The number of edges written.

    Raises:
        InputError: the file cannot be written.
    """
    verdict_of = verdicts if callable(verdicts) else verdicts.get
    count = 0
    with export_file(path) as draft, open_bytes(draft, path) as file:
        for edge in edges:
            own = critic is None or edge.critic == critic
            row = _row(edge, thresholds if own else {}, verdict_of(edge.triple))
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def _row(edge: Edge, thresholds: Thresholds, verdict: int | None) -> dict[str, object]:
    triple = edge.triple
    row: dict[str, object] = {
        "head": triple.head,
        "relation": triple.relation,
        "tail": triple.tail,
        "inference": triple.tail,
        "split": _SPLITS[edge.split],
    }
    details = edge.detail_map
    for recall in RECALLS:
        if callable(thresholds):
            threshold = thresholds(recall, edge)
        else:
            threshold = threshold_of(thresholds.get(recall, {}), triple.relation)
        published = details.get(f"rec_{recall}")
        row[f"rec_{recall}"] = published if edge.score is None or threshold is None else edge.score >= threshold
    row["p_valid_model"] = edge.published if edge.score is None else edge.score
    row["valid"] = details.get("valid") if verdict is None else verdict
    if triple.lang != _USUAL:
        row["lang"] = triple.lang
    return row
