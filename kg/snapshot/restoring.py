"""Restore: bring a graph that was written elsewhere into this one, with its runs, scores and judgements.

What is there already stays; runs are joined. Doing it again changes nothing, and a restore that is killed is completed
by the next one. The runs come first, so that what was restored can be undone run by run.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from more_itertools import chunked

from kg import strict_json
from kg.exchange.rdf.reading import open_rdf
from kg.graph import selecting, statements, writing
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.scores import ByCritic, accepted_again, other_scores, read_scores, read_thresholds
from kg.identity import head_id, own_uri, tail_id, triple_key
from kg.lines import Rejected, RejectedFile, file_hash
from kg.model import EDGE_FIELDS, NOTHING, Edge, Phrase
from kg.snapshot.folder import Snapshot, open_snapshot
from kg.snapshot.verifying import verify
from kg.store import queries
from kg.store.bolt import Row, Transaction
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace

_BATCH_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Restored:
    """How many edges were restored, what else, in lines; what was not understood, and where it is listed."""

    edges: int
    lines: tuple[str, ...]
    rejected: int = 0
    rejected_file: Path | None = None
    rejected_what: ClassVar[str] = "statements not understood"


def restore_descriptions(
    graph: KnowledgeGraph,
    vocabulary: Vocabulary,
    *,
    runs: Sequence[Row],
    critics: Sequence[Row] = (),
    acceptances: Sequence[Row] = (),
    students: Sequence[Row] = (),
) -> None:
    """Add relations, runs, critics, acceptances and students. What is current here stays so."""
    graph.add_vocabulary(vocabulary)
    text = queries.load("graph/restore_runs").text
    parameters = {
        "runs": _flat(runs), "critics": _flat(critics), "acceptances": _flat(acceptances), "students": _flat(students),
    }  # fmt: skip
    numbers = [row["order"] for rows in parameters.values() for row in rows if row.get("order") is not None]

    def work(transaction: Transaction) -> None:
        own = transaction.run(queries.load("graph/selections").text)
        first = min((row["order"] for row in own if row["order"] is not None), default=None)
        surplus = 0 if first is None or not numbers else max(0, max(numbers) + 1 - first)
        transaction.run(text, **parameters, surplus=surplus)
        selecting.settle(transaction)

    graph.commit(work)
    graph.adopt()


def restore_phrases(graph: KnowledgeGraph, batches: Iterable[Sequence[Row]]) -> int:
    """Add phrases (see `graph/restore_phrases`); return their number."""
    count = 0
    for batch in batches:
        rows = sorted(batch, key=lambda row: str(row["id"]))
        graph.commit(partial(_phrases, rows=rows))
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
    restore_phrases(graph, ([_phrase_row(phrase) for phrase in batch] for batch in chunked(phrases, _BATCH_ROWS)))
    vocabulary = graph.vocabulary()
    count = 0
    for batch in chunked(edges, _BATCH_ROWS):
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


def restore_tasks(graph: KnowledgeGraph, batches: Iterable[Sequence[Row]]) -> None:
    """Add tasks (see `graph/restore_tasks`)."""
    for batch in batches:
        graph.commit(partial(_counted, name="graph/restore_tasks", rows=list(batch)))


def restore_duplicates(graph: KnowledgeGraph, vocabulary: Vocabulary, batches: Iterable[Sequence[Row]]) -> None:
    """Set aside what another graph has set aside."""
    for batch in batches:
        graph.commit(partial(_duplicates, rows=batch, vocabulary=vocabulary))


def _phrase_row(phrase: Phrase) -> Row:
    return {
        "id": phrase.id, "text": phrase.text, "lang": phrase.lang, "labels": list(phrase.labels),
        "uri": own_uri(phrase.text, phrase.lang, phrase.uri) or None, "split": phrase.split,
        "runs": list(phrase.runs), "logprob": phrase.logprob, "splits": list(phrase.splits),
        "statements": list(phrase.statements),
    }  # fmt: skip


def _ends(edge: Edge) -> Iterator[Phrase]:
    triple = edge.triple
    if not triple.says_nothing:
        lang = triple.tail_lang or triple.lang
        yield Phrase(triple.tail, lang, ("Inference",), None, own_uri(triple.tail, lang, triple.tail_uri))
    yield Phrase(triple.head, triple.lang, ("Event",), edge.split, own_uri(triple.head, triple.lang, triple.head_uri))


def _edge_row(edge: Edge) -> Row:
    known = {
        name: list(value) if kind == "texts" else value
        for name, kind in EDGE_FIELDS.items()
        if (value := getattr(edge, name)) is not None and value != ()
    }
    return {"head": head_id(edge.triple), "tail": tail_id(edge.triple), "properties": known}


def _phrases(transaction: Transaction, rows: Sequence[Row]) -> None:
    known = transaction.run(queries.load("graph/restore_phrases").text, rows=rows)[0]["known"]
    changes = []
    for place, properties in known:
        row = rows[place]
        splits = list(dict.fromkeys((*properties.get("splits", ()), *row["splits"])))
        change = statements.joined(properties, row, statements.EVENT) or {}
        if splits and "Event" in row["labels"]:
            change["split"] = splits[0].partition(" ")[0]
        changes.append([row["id"], change | {"splits": splits or None}])
    transaction.run(queries.load("graph/set_phrases").text, rows=changes)


def _edges(transaction: Transaction, relation: Relation, rows: Sequence[Row]) -> None:
    rows = _not_set_aside(transaction, relation, rows)
    for name, nothing in (("graph/restore_edges", False), ("graph/restore_nothing_edges", True)):
        chosen = [row for row in rows if (row["tail"] == NOTHING) == nothing]
        if chosen:
            chosen.sort(key=lambda row: (row["tail"], row["head"]))
            changes = []
            known = _counted(transaction, name, chosen, relation)[0]["known"]
            thresholds = read_thresholds(transaction.run) if known else {}
            for place, element, properties in known:
                row = chosen[place]
                if change := _joined(properties, row["properties"], relation.name, thresholds):
                    changes.append([element, row["head"], row["tail"], change])
            transaction.run(queries.load("graph/set_edges").text, rows=changes)


def _not_set_aside(transaction: Transaction, relation: Relation, rows: Sequence[Row]) -> Sequence[Row]:
    """Join with the duplicates that were set aside here what is one of them, and return the rest."""
    if not transaction.run(queries.load("graph/has_duplicates").text)[0]["has"]:
        return rows
    by_key = {triple_key(row["head"], relation.name, row["tail"]): row for row in rows}
    found = transaction.run(queries.load("graph/duplicates").text, ids=list(by_key), taken=None, run=None)
    thresholds = read_thresholds(transaction.run) if found else {}
    changes = []
    for one in found:
        key = one["properties"]["id"]
        if change := _joined(one["properties"], by_key.pop(key)["properties"], relation.name, thresholds):
            changes.append([key, change])
    transaction.run(queries.load("graph/set_duplicates").text, rows=changes)
    return list(by_key.values())


def _duplicates(transaction: Transaction, rows: Sequence[Row], vocabulary: Vocabulary) -> None:
    """Set aside what another graph has set aside, but not where this one has the edge."""
    thresholds = read_thresholds(transaction.run) if rows else {}
    for row in rows:
        edge = {**row, "id": row["properties"]["id"]}
        relation = row["properties"]["relation"]
        text = queries.load("graph/has_edge").of(vocabulary[relation]).text
        properties = {name: value for name, value in row["properties"].items() if name in EDGE_FIELDS}
        here = transaction.run(text, head=row["head"], tail=row["tail"])
        known = transaction.run(queries.load("graph/duplicates").text, ids=[edge["id"]], taken=None, run=None)
        if here:
            if change := _joined(here[0]["properties"], properties, relation, thresholds):
                changes = [[here[0]["element"], row["head"], row["tail"], change]]
                transaction.run(queries.load("graph/set_edges").text, rows=changes)
        elif known:
            if change := _joined(known[0]["properties"], properties, relation, thresholds):
                transaction.run(queries.load("graph/set_duplicates").text, rows=[[edge["id"], change]])
        else:
            transaction.run(queries.load("graph/restore_duplicates").text, rows=[row])


def _joined(here: Row, other: Row, relation: str, thresholds: ByCritic) -> Row | None:
    """Return the properties that change where an edge of another graph is there already."""
    change = statements.joined(here, other, statements.EDGE)
    known = read_scores(here.get("score"), here.get("critic"), here.get("scores"))
    theirs = read_scores(other.get("score"), other.get("critic"), other.get("scores"))
    if theirs.keys() - known.keys():
        shown = here.get("critic") if known else other.get("critic")
        change = (change or {}) | {"scores": other_scores(theirs | known, shown)}
        if not known:
            change |= {name: other.get(name) for name in ("score", "critic", "accepted")}
    if change and "runs" in change:
        change["predicted"] = bool(here["predicted"] and other["predicted"])
    return change and change | accepted_again({**here, **change}, relation, thresholds)


def _counted(transaction: Transaction, name: str, rows: Sequence[Row], relation: Relation | None = None) -> list[Row]:
    query = queries.load(name)
    text = query.of(relation).text if relation else query.text
    found = transaction.run(text, rows=rows)
    writing.check_written(found[0]["written"], len(rows), name)
    return found


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
    restore_descriptions(graph, snapshot.vocabulary, **snapshot.descriptions)
    restore_phrases(graph, snapshot.phrases())
    for name in snapshot.manifest["edges"]:
        restore_edges(graph, snapshot.vocabulary[name], snapshot.edges(name), progress)
    restore_judgements(graph, snapshot.judgements())
    restore_duplicates(graph, snapshot.vocabulary, snapshot.duplicates())
    restore_tasks(graph, snapshot.tasks())


def load_snapshot(graph: KnowledgeGraph, path: Path, progress: Progress = lambda _: None) -> Restored:
    """Add the snapshot in a folder.

    Raises:
        InputError: there is none, or a file of it is damaged.
    """
    snapshot = open_snapshot(path)
    restore_snapshot(graph, snapshot, progress)
    return Restored(snapshot.manifest["counts"]["edges"], (snapshot.summary,))


def load_rdf(graph: KnowledgeGraph, workspace: Workspace, path: Path, progress: Progress = lambda _: None) -> Restored:
    """Add what an RDF file says, with the runs that it names; what is not understood is listed.

    Raises:
        InputError: the file cannot be read as RDF, or has no relation.
    """
    folder = workspace.folder("runs", f"rdf-{file_hash(path)[:12]}")
    with open_rdf(path) as rdf, RejectedFile(folder / "rejected.jsonl") as rejected:
        restore_descriptions(graph, rdf.vocabulary, runs=rdf.runs())

        def edges() -> Iterator[Edge]:
            for edge in rdf.edges():
                if isinstance(edge, Rejected):
                    rejected.add(edge)
                else:
                    yield edge

        for line in rdf.broken:
            rejected.add(line)
        count = restore_records(graph, rdf.phrases(), edges(), progress)
        for statement in rdf.not_understood():
            rejected.add(statement)
    done = f"{count:,} edges of {path}, with the runs that asserted them"
    return Restored(count, (done,), rejected.count, rejected.path)
