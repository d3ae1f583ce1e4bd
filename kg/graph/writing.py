"""The bodies of write transactions: records become rows, grouped by relation, sorted, and counted.

All but `prepare` run inside one transaction (`kg.store.bolt.Store.write`), maybe several times, and are safe to repeat.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kg.errors import StoreError
from kg.model import Assertion, Judgement, Phrase, Triple, head_id, judgement_id, own_uri, split_of, tail_id
from kg.run import STUDENT_KIND, Run
from kg.store import queries
from kg.store.bolt import Row, Transaction
from kg.vocabulary import Vocabulary


class Prepared(NamedTuple):
    """Rows of a batch: events and inferences in the order of their keys, edges by relation and "no effect"."""

    events: list[Row]
    inferences: list[Row]
    edges: dict[tuple[str, bool], list[Row]]


def prepare(batch: Iterable[Assertion], run: Run, known: set[str]) -> Prepared:
    """Return a batch as rows; of several assertions of a triple the sources are joined, else the first one counts.

    Args:
        batch: what the run asserts.
        run: the run.
        known: keys of inferences that the run has written before, which need not be sent again; it grows.
    """
    events: dict[str, Row] = {}
    inferences: dict[str, Row] = {}
    edges: dict[tuple[str, bool], dict[tuple[str, str], Row]] = {}
    for assertion in batch:
        triple = assertion.triple
        head, tail = head_id(triple), tail_id(triple)
        event = events.get(head)
        if event is None:
            events[head] = event = {
                "id": head, "text": triple.head, "lang": triple.lang,
                "uri": own_uri(triple.head, triple.lang, triple.head_uri) or None,
                "derived": split_of(head), "split": None,
            }  # fmt: skip
        event["split"] = event["split"] or assertion.split
        nothing = triple.says_nothing
        if not nothing and tail not in known:
            known.add(tail)
            lang = triple.tail_lang or triple.lang
            uri = own_uri(triple.tail, lang, triple.tail_uri) or None
            inferences[tail] = {"id": tail, "text": triple.tail, "lang": lang, "uri": uri}
        rows = edges.setdefault((triple.relation, nothing), {})
        row = rows.setdefault((tail, head), {})
        if not row:
            row |= {"head": head, "tail": tail, **_said(assertion, run)}
        if assertion.sources:
            row["sources"] = list(dict.fromkeys((*row.get("sources", ()), *assertion.sources)))
    return Prepared(_sorted(events), _sorted(inferences), {key: _sorted(rows) for key, rows in sorted(edges.items())})


def add(transaction: Transaction, prepared: Prepared, run: Run, vocabulary: Vocabulary, *, again: bool) -> int:
    """Write phrases and edges of a batch; return how many edges are new.

    Args:
        transaction: where.
        prepared: the batch.
        run: the run.
        vocabulary: its relations.
        again: the run has written before, so that most may be there; then that is looked up first.

    Raises:
        UnknownRelation: a relation that the vocabulary does not have.
        StoreError: an end of an edge is missing.
    """
    edges = _not_asserted(transaction, prepared, run) if again else prepared.edges
    if not edges:
        return 0
    fresh = set(transaction.run(queries.load("graph/add_events").text, rows=prepared.events)[0]["fresh"])
    transaction.run(queries.load("graph/add_inferences").text, rows=prepared.inferences)
    added = 0
    for (relation, nothing), rows in edges.items():
        known = rows if nothing else [row for row in rows if row["head"] not in fresh]
        new = [] if nothing else [row for row in rows if row["head"] in fresh]
        for name, chosen in (
            ("graph/add_nothing_edges" if nothing else "graph/add_edges", known), ("graph/create_edges", new),
        ):  # fmt: skip
            if chosen:
                text = queries.load(name).of(vocabulary[relation]).text
                predicted = run.kind == STUDENT_KIND
                written, created = transaction.create(text, rows=chosen, run=run.id, predicted=predicted)
                check_written(written[0]["written"], len(chosen), name)
                added += created
    if added:
        transaction.run(queries.load("graph/count_added").text, id=run.id, added=added)
    return added


def _not_asserted(transaction: Transaction, prepared: Prepared, run: Run) -> dict[tuple[str, bool], list[Row]]:
    heads = [event["id"] for event in prepared.events]
    rows = transaction.run(queries.load("graph/asserted").text, ids=heads, run=run.id)[0]["rows"]
    asserted = {(head, relation, tail): sources for head, relation, tail, sources in rows}
    left = {}
    for (relation, nothing), edges in prepared.edges.items():
        kept = [
            row
            for row in edges
            if (sources := asserted.get((row["head"], relation, row["tail"]))) is None
            or not set(row.get("sources", ())) <= set(sources)
        ]
        if kept:
            left[relation, nothing] = kept
    return left


def assert_events(transaction: Transaction, batch: Sequence[tuple[Phrase, float | None]], run: Run) -> int:
    """Write events with the log-probabilities that the teacher gave them; return how many are new."""
    rows: dict[str, Row] = {}
    for event, logprob in batch:
        rows[event.id] = {
            "id": event.id, "text": event.text, "lang": event.lang, "uri": event.uri or None,
            "derived": event.split or split_of(event.id), "logprob": logprob,
        }  # fmt: skip
    found = transaction.run(queries.load("graph/assert_events").text, rows=_sorted(rows), run=run.id)[0]
    check_written(found["written"], len(rows), "graph/assert_events")
    if found["added"]:
        transaction.run(queries.load("graph/count_added").text, id=run.id, added=found["added"])
    return int(found["added"])


def judge(transaction: Transaction, batch: Sequence[Judgement], run: Run) -> int:
    """Write the judgements of a batch and the phrases they name; return how many judgements are new."""
    phrases: dict[str, Row] = {}
    rows: dict[str, Row] = {}
    for judgement in batch:
        triple = judgement.triple
        for key, text, lang, uri in (
            (head_id(triple), triple.head, triple.lang, triple.head_uri),
            (tail_id(triple), triple.tail, triple.tail_lang or triple.lang, triple.tail_uri),
        ):
            phrases[key] = {"id": key, "text": text, "lang": lang, "uri": own_uri(text, lang, uri) or None}
        key = judgement_id(judgement)
        rows[key] = {
            "id": key, "head": head_id(triple), "relation": triple.relation, "tail": tail_id(triple),
            "annotator": judgement.annotator, "value": judgement.value,
        }  # fmt: skip
    transaction.run(queries.load("graph/add_phrases").text, rows=_sorted(phrases))
    found = transaction.run(queries.load("graph/add_judgements").text, rows=_sorted(rows), run=run.id, at=now())[0]
    check_written(found["written"], len(rows), "graph/add_judgements")
    if found["added"]:
        transaction.run(queries.load("graph/count_added").text, id=run.id, added=found["added"])
    return int(found["added"])


def delete(transaction: Transaction, batch: Sequence[Triple], vocabulary: Vocabulary) -> int:
    """Delete edges, then what this leaves without any; return how many were there."""
    by_relation: dict[str, list[Row]] = {}
    for triple in batch:
        by_relation.setdefault(triple.relation, []).append({"head": head_id(triple), "tail": tail_id(triple)})
    deleted = 0
    touched: set[str] = set()
    for relation, rows in sorted(by_relation.items()):
        found = transaction.run(queries.load("graph/delete_edges").of(vocabulary[relation]).text, rows=rows)
        touched |= {row[end] for row in found for end in ("head", "tail")}
        deleted += len(found)
    transaction.run(queries.load("graph/tidy_phrases").text, ids=sorted(touched))
    return deleted


def undo(transaction: Transaction, name: str, parameters: Mapping[str, Any]) -> int:
    """Take evidence away by a statement that returns heads and tails, tidy these, and return its number of rows."""
    found = transaction.run(queries.load(name).text, **parameters)
    touched = {row[end] for row in found for end in ("head", "tail")}
    transaction.run(queries.load("graph/tidy_phrases").text, ids=sorted(touched))
    return len(found)


def _said(assertion: Assertion, run: Run) -> Row:
    said = {name: value for name in ("logprob", "weight", "details") if (value := getattr(assertion, name)) is not None}
    return said if assertion.score is None else said | {"score": assertion.score, "critic": run.dataset}


def check_written(written: int, sent: int, name: str) -> None:
    """Refuse to lose rows in silence: `MATCH` drops those whose end nodes are missing without a word.

    Raises:
        StoreError: fewer or more rows were written than sent.
    """
    if written != sent:
        raise StoreError(f"{name}: {sent:,} rows were sent but {written:,} written; is something else writing?")


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sorted(rows: Mapping[Any, Row]) -> list[Row]:
    return [rows[key] for key in sorted(rows)]
