"""Restore: bring a graph that was written elsewhere into this one, with its runs, scores and judgements.

What is there already stays; runs are joined. Doing it again changes nothing, and a restore that is killed is completed
by the next one. The runs come first, so that what was restored can be undone run by run.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from kg import strict_json
from kg.graph import writing
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.model import NOTHING, Edge, Phrase, head_id, own_uri, tail_id
from kg.snapshot.folder import Snapshot
from kg.snapshot.hashing import SAID
from kg.snapshot.verifying import verify
from kg.store import queries
from kg.store.bolt import Row, Transaction
from kg.vocabulary import Relation, Vocabulary

T = TypeVar("T")

_BATCH_ROWS = 20_000


def restore_descriptions(
    graph: KnowledgeGraph,
    vocabulary: Vocabulary,
    *,
    runs: Sequence[Row],
    critics: Sequence[Row] = (),
    acceptances: Sequence[Row] = (),
) -> None:
    """Add relations, runs, critics and acceptances."""
    graph.add_vocabulary(vocabulary)
    text = queries.load("graph/restore_runs").text
    parameters = {"runs": _flat(runs), "critics": _flat(critics), "acceptances": _flat(acceptances)}
    graph.commit(lambda transaction: transaction.run(text, **parameters))


def restore_phrases(graph: KnowledgeGraph, batches: Iterable[Sequence[Row]]) -> int:
    """Add phrases (see `graph/restore_phrases`); return their number."""
    text = queries.load("graph/restore_phrases").text
    count = 0
    for batch in batches:
        rows = sorted(batch, key=lambda row: str(row["id"]))
        graph.commit(lambda transaction, rows=rows: transaction.run(text, rows=rows))  # type: ignore[misc]
        count += len(rows)
    return count


def restore_edges(
    graph: KnowledgeGraph, relation: Relation, batches: Iterable[Sequence[Row]], progress: Progress = lambda _: None
) -> int:
    """Add edges of a relation, whose phrases are there; return their number.

    Args:
        graph: where they go.
        relation: their relation.
        batches: rows with head, tail (keys) and properties, of which `runs` and `predicted` are there always.
        progress: called with the number of rows after each batch.

    Raises:
        StoreError: a phrase is missing.
    """
    count = 0
    for batch in batches:
        graph.commit(partial(_edges, relation=relation, rows=batch))
        count += len(batch)
        progress(len(batch))
    return count


def restore_records(
    graph: KnowledgeGraph, phrases: Iterable[Phrase], edges: Iterable[Edge], progress: Progress = lambda _: None
) -> int:
    """Add phrases, then edges whose relations are there, and what their ends must be; return the number of edges."""
    restore_phrases(graph, ([_phrase_row(phrase) for phrase in batch] for batch in _batches(phrases)))
    vocabulary = graph.vocabulary()
    count = 0
    for batch in _batches(edges):
        ends = {(phrase.id, phrase.labels): _phrase_row(phrase) for edge in batch for phrase in _ends(edge)}
        restore_phrases(graph, [list(ends.values())])
        by_relation: dict[str, list[Row]] = {}
        for edge in batch:
            by_relation.setdefault(edge.triple.relation, []).append(_edge_row(edge))
        for relation, rows in sorted(by_relation.items()):
            count += restore_edges(graph, vocabulary[relation], [rows], progress)
    return count


def restore_judgements(graph: KnowledgeGraph, batches: Iterable[Sequence[Row]]) -> int:
    """Add judgements (see `graph/restore_judgements`); return their number."""
    count = 0
    for batch in batches:
        graph.commit(partial(_counted, name="graph/restore_judgements", rows=list(batch)))
        count += len(batch)
    return count


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


def _phrase_row(phrase: Phrase) -> Row:
    return {
        "id": phrase.id, "text": phrase.text, "lang": phrase.lang, "labels": list(phrase.labels),
        "uri": own_uri(phrase.text, phrase.lang, phrase.uri) or None, "split": phrase.split,
        "runs": list(phrase.runs), "logprob": phrase.logprob,
    }  # fmt: skip


def _ends(edge: Edge) -> Iterator[Phrase]:
    triple = edge.triple
    if not triple.says_nothing:
        lang = triple.tail_lang or triple.lang
        yield Phrase(triple.tail, lang, ("Inference",), None, own_uri(triple.tail, lang, triple.tail_uri))
    yield Phrase(triple.head, triple.lang, ("Event",), edge.split, own_uri(triple.head, triple.lang, triple.head_uri))


def _edge_row(edge: Edge) -> Row:
    said = {name: getattr(edge, name) for name in SAID}
    properties = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    known = {name: value for name, value in properties.items() if value is not None}
    return {"head": head_id(edge.triple), "tail": tail_id(edge.triple), "properties": known}


def _edges(transaction: Transaction, relation: Relation, rows: Sequence[Row]) -> None:
    for name, nothing in (("graph/restore_edges", False), ("graph/restore_nothing_edges", True)):
        chosen = [row for row in rows if (row["tail"] == NOTHING) == nothing]
        if chosen:
            chosen.sort(key=lambda row: (row["tail"], row["head"]))
            _counted(transaction, name, chosen, relation)


def _counted(transaction: Transaction, name: str, rows: Sequence[Row], relation: Relation | None = None) -> None:
    query = queries.load(name)
    text = query.of(relation).text if relation else query.text
    writing.check_written(transaction.run(text, rows=rows)[0]["written"], len(rows), name)


def _flat(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {name: strict_json.write(value) if isinstance(value, dict) else value for name, value in row.items()}
        for row in rows
    ]


def restore_snapshot(graph: KnowledgeGraph, snapshot: Snapshot, progress: Progress = lambda _: None) -> None:
    """Add a whole snapshot.

    Raises:
        InputError: a file of it is damaged, or a row is not valid; nothing is written then.
    """
    verify(snapshot)
    descriptions = {name: snapshot.manifest[name] for name in ("runs", "critics", "acceptances")}
    restore_descriptions(graph, snapshot.vocabulary, **descriptions)
    restore_phrases(graph, snapshot.phrases())
    for name in snapshot.manifest["edges"]:
        restore_edges(graph, snapshot.vocabulary[name], snapshot.edges(name), progress)
    restore_judgements(graph, snapshot.judgements())
