"""The bodies of write transactions: records become rows, grouped by relation, sorted, and counted.

All but `prepare` run inside one transaction (`kg.store.bolt.Store.write`), maybe several times, and are safe to repeat.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kg.errors import NotReady, StoreError
from kg.graph import statements
from kg.graph.scores import ByCritic, accepted_again, read_thresholds
from kg.identity import head_id, judgement_id, own_uri, split_of, tail_id, triple_id, triple_key
from kg.model import EDGE_FIELDS, NOTHING, SPLITS, Assertion, Judgement, Phrase, Triple
from kg.run import STUDENT_KIND, Run
from kg.store import queries
from kg.store.bolt import Row, Transaction
from kg.vocabulary import Vocabulary


class Prepared(NamedTuple):
    """Rows of a batch: events and inferences in the order of their keys, edges by relation and "no effect"."""

    events: list[Row]
    inferences: list[Row]
    edges: dict[tuple[str, bool], list[Row]]


def prepare(batch: Iterable[Assertion], known: set[str]) -> Prepared:
    """Return a batch as rows; of several assertions of a triple the first value counts, and sources are joined.

    Args:
        batch: what the run asserts.
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
                "uri": own_uri(triple.head, triple.lang, triple.head_uri) or None, "derived": split_of(head),
            }  # fmt: skip
        if assertion.split and "split" not in event:
            event["split"] = assertion.split
        nothing = triple.says_nothing
        if not nothing and tail not in known:
            known.add(tail)
            lang = triple.tail_lang or triple.lang
            uri = own_uri(triple.tail, lang, triple.tail_uri) or None
            inferences[tail] = {"id": tail, "text": triple.tail, "lang": lang, "uri": uri}
        rows = edges.setdefault((triple.relation, nothing), {})
        row = rows.setdefault((tail, head), {})
        sources = row.get("sources", ())
        row |= {"head": head, "tail": tail, **_statement(assertion)} | row
        if assertion.sources:
            row["sources"] = list(dict.fromkeys((*sources, *assertion.sources)))
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
    check_standing(transaction, run.id)
    publish_splits(transaction, prepared.events, run.id)
    edges = _not_asserted(transaction, prepared, run) if again else prepared.edges
    edges = _not_set_aside(transaction, edges, run)
    if not edges:
        return 0
    heads = {row["head"] for rows in edges.values() for row in rows}
    events = [event for event in prepared.events if event["id"] in heads]
    fresh = set(transaction.run(queries.load("graph/add_events").text, rows=events)[0]["fresh"])
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
                _restate(transaction, relation, chosen, written[0].get("known", ()), run)
                added += created
    if added:
        transaction.run(queries.load("graph/count_added").text, id=run.id, added=added)
    return added


def _restate(transaction: Transaction, relation: str, rows: Sequence[Row], known: Sequence[Any], run: Run) -> None:
    """Keep what a run says of edges that were there, and accept them by what one teacher more makes of them."""
    thresholds: ByCritic = {}
    if run.kind != STUDENT_KIND and any(properties.get("critic") for _, _, properties in known):
        thresholds = read_thresholds(transaction.run)
    changes = []
    for place, element, properties in known:
        row = rows[place]
        change = statements.with_statement(properties, run.id, _given(row), statements.EDGE) or {}
        if change := change | accepted_again(properties, relation, thresholds):
            tail = row.get("tail", NOTHING)
            changes.append([element, row["head"], tail, change])
    if changes:
        written = transaction.run(queries.load("graph/set_edges").text, rows=changes)[0]["written"]
        check_written(written, len(changes), "graph/set_edges")


def _given(row: Row) -> Row:
    return {name: row[name] for name in statements.EDGE if name in row}


def _not_asserted(transaction: Transaction, prepared: Prepared, run: Run) -> dict[tuple[str, bool], list[Row]]:
    heads = [event["id"] for event in prepared.events]
    rows = transaction.run(queries.load("graph/asserted").text, ids=heads, run=run.id)[0]["rows"]
    asserted = {(head, relation, tail): kept for head, relation, tail, *kept in rows}
    left = {}
    for (relation, nothing), edges in prepared.edges.items():
        new = [
            row
            for row in edges
            if (kept := asserted.get((row["head"], relation, row["tail"]))) is None or not _covers(kept, row, run)
        ]
        if new:
            left[relation, nothing] = new
    return left


def _covers(kept: Sequence[Any], row: Row, run: Run) -> bool:
    """Tell whether a row of `graph/asserted` holds all that the run says now."""
    texts, first, sources, names = kept
    if texts:
        own = statements.read_statements({"statements": texts}, statements.EDGE).get(run.id, {})
        names, sources = own.keys(), own.get("sources", ())
    elif not first:
        names, sources = (), ()
    given = _given(row)
    return set(given.pop("sources", ())) <= set(sources) and given.keys() <= set(names)


def _not_set_aside(
    transaction: Transaction, edges: dict[tuple[str, bool], list[Row]], run: Run
) -> dict[tuple[str, bool], list[Row]]:
    """Add the run to duplicates that were set aside, and return the other edges."""
    if not transaction.run(queries.load("graph/has_duplicates").text)[0]["has"]:
        return edges
    by_key = {
        triple_key(row["head"], relation, row["tail"]): row for (relation, _), rows in edges.items() for row in rows
    }
    found = transaction.run(queries.load("graph/duplicates").text, ids=list(by_key), taken=None, run=None)
    thresholds = read_thresholds(transaction.run) if found else {}
    changes = []
    for one in found:
        properties = one["properties"]
        runs = properties["runs"] if run.id in properties["runs"] else [*properties["runs"], run.id]
        change = {"runs": runs, "predicted": properties["predicted"] and run.kind == STUDENT_KIND}
        given = _given(by_key[properties["id"]])
        stated = statements.with_statement(properties | change, run.id, given, statements.EDGE) or {}
        again = accepted_again(properties | change, properties["relation"], thresholds)
        changes.append([properties["id"], change | stated | again])
    transaction.run(queries.load("graph/set_duplicates").text, rows=changes)
    gone = {key for key, _ in changes}
    left = {
        (relation, nothing): [row for row in rows if triple_key(row["head"], relation, row["tail"]) not in gone]
        for (relation, nothing), rows in edges.items()
    }
    return {key: rows for key, rows in left.items() if rows}


def check_standing(transaction: Transaction, run: str) -> None:
    """Refuse to add to a run that is being undone, or was.

    Raises:
        NotReady: it is; the message says what to do.
    """
    rows = transaction.run(queries.load("graph/status_of_run").text, run=run)
    if rows and rows[0]["status"] in ("undoing", "undone"):
        raise NotReady(f"run {run} is being undone, or was, so nothing is added to it; start it again to have it back")


def publish_splits(transaction: Transaction, events: Sequence[Row], run: str) -> None:
    """Keep the splits that a run publishes for events that have one in their row, whether they are there yet or not."""
    if rows := [event for event in events if event.get("split")]:
        transaction.run(queries.load("graph/add_phrases").text, rows=rows)
        transaction.run(queries.load("graph/publish_splits").text, rows=rows, run=run, own=_own_splits(run))


def withdraw_splits(transaction: Transaction, ids: Iterable[str], run: str) -> None:
    """Take away the splits that a run published for some events."""
    rows = [{"id": key, "derived": split_of(key)} for key in sorted(ids)]
    transaction.run(queries.load("graph/withdraw_splits").text, rows=rows, own=_own_splits(run))


def _own_splits(run: str) -> list[str]:
    return [f"{split} {run}" for split in SPLITS]


def tidy(transaction: Transaction, ids: Iterable[str]) -> None:
    """Take from phrases what nothing bears out any more, and delete those that nothing needs."""
    transaction.run(queries.load("graph/tidy_phrases").text, ids=sorted(ids))


def assert_events(transaction: Transaction, batch: Sequence[tuple[Phrase, float | None]], run: Run) -> int:
    """Write events with the log-probabilities that the teacher gave them; return how many are new."""
    rows: dict[str, Row] = {}
    for event, logprob in batch:
        known = rows.setdefault(event.id, {
            "id": event.id, "text": event.text, "lang": event.lang, "uri": event.uri or None,
            "derived": split_of(event.id), "split": event.split, "logprob": logprob,
        })  # fmt: skip
        known["logprob"] = logprob if known["logprob"] is None else known["logprob"]
    check_standing(transaction, run.id)
    publish_splits(transaction, _sorted(rows), run.id)
    found = transaction.run(queries.load("graph/assert_events").text, rows=_sorted(rows), run=run.id)[0]
    check_written(found["written"], len(rows), "graph/assert_events")
    changes = []
    for key, properties in found["known"]:
        given = {"logprob": rows[key]["logprob"]}
        if change := statements.with_statement(properties, run.id, given, statements.EVENT):
            changes.append([key, change])
    transaction.run(queries.load("graph/set_phrases").text, rows=changes)
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
    check_standing(transaction, run.id)
    transaction.run(queries.load("graph/add_phrases").text, rows=_sorted(phrases))
    found = transaction.run(queries.load("graph/add_judgements").text, rows=_sorted(rows), run=run.id, at=now())[0]
    check_written(found["written"], len(rows), "graph/add_judgements")
    if found["added"]:
        transaction.run(queries.load("graph/count_added").text, id=run.id, added=found["added"])
    return int(found["added"])


def set_aside(transaction: Transaction, batch: Sequence[Triple], run: Run, vocabulary: Vocabulary) -> int:
    """Take duplicates out of the graph, keeping them as nodes of their own; return how many were there."""
    check_standing(transaction, run.id)
    by_relation: dict[str, list[Row]] = {}
    for triple in batch:
        row = {"id": triple_id(triple), "head": head_id(triple), "tail": tail_id(triple)}
        by_relation.setdefault(triple.relation, []).append(row)
    found: list[Row] = []
    for relation, rows in sorted(by_relation.items()):
        text = queries.load("graph/set_aside").of(vocabulary[relation]).text
        found += transaction.run(text, rows=rows, run=run.id)
    tidy(transaction, {row[end] for row in found for end in ("head", "tail")})
    return len(found)


def bring_back(transaction: Transaction, ids: Sequence[str], run: str, vocabulary: Vocabulary) -> None:
    """Make edges again of duplicates that a run set aside."""
    rows = transaction.run(queries.load("graph/duplicates").text, ids=list(ids), taken=run, run=None)
    by_relation: dict[str, list[Row]] = {}
    for row in rows:
        known = {name: value for name, value in row["properties"].items() if name in EDGE_FIELDS}
        edge = {"head": row["head"], "tail": row["tail"], "derived": split_of(row["head"]), "properties": known}
        by_relation.setdefault(row["properties"]["relation"], []).append(edge)
    for relation, edges in sorted(by_relation.items()):
        text = queries.load("graph/bring_back").of(vocabulary[relation]).text
        check_written(transaction.run(text, rows=edges)[0]["written"], len(edges), "graph/bring_back")
    transaction.run(queries.load("graph/delete_duplicates").text, ids=[row["properties"]["id"] for row in rows])


def _statement(assertion: Assertion) -> Row:
    values = {
        "logprob": assertion.logprob, "weight": assertion.weight, "details": assertion.details,
        "published": assertion.score,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


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
