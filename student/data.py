"""The data of a student: a Cypher-filtered export, and the manifest that describes the export."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, own_uri, triple_id, unordered_hash
from kg.model import NOTHING, Triple
from kg.store import adhoc
from kg.store.queries import Query

RAW = "NOT r.predicted"
"""The condition of a training query for all that a teacher wrote, whether it is accepted or not."""

_NO_TRIPLE = (
    "no triple to train on: load some, then kg critic train, calibrate and score; "
    "or choose others with --where, for example --where true"
)
_QUERY_SECONDS = 3600.0  # millions of triples take minutes


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The triples that a student is trained on, with their description.

    Attributes:
        triples: in the order of the query.
        manifest: the Cypher text, its parameters, counts, language and content hash.
        tails: relation to tail to language and URI, for tails whose text does not say which phrase they are.
        runs: ids of the runs that wrote the triples, sorted; where the query names runs, of a triple only those of its
            runs that are named, if any is. None where the query does not say.
    """

    triples: list[Triple]
    manifest: dict[str, Any]
    tails: dict[str, dict[str, list[str]]]
    runs: tuple[str, ...] | None = None


def select(
    graph: KnowledgeGraph, query: Query, parameters: Mapping[str, Any] | None = None, *, nothing: bool = False
) -> TrainingData:
    """Return the triples that a reading query returns as head, relation, tail and (if not English) lang.

    Where events or tails have URIs, or tails another language, it also returns head_uri, tail_uri, tail_lang; and runs,
    a list of those that asserted the triple, from which follows whose texts a student learns. Rows with the tail
    `NOTHING` are left out, unless `nothing` is wanted.

    Raises:
        UnsafeQuery: the query does more than read.
        InputError: a column is missing, the languages are mixed, an event is not of the training split, or `NOTHING` is
            wanted and not there.
        NotReady: the query returns nothing.
    """
    values = query.defaults | dict(parameters or {})
    answer = adhoc.run(graph.store, query.text, values, limit_rows=None, timeout_seconds=_QUERY_SECONDS)
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    if not rows:
        raise NotReady(_NO_TRIPLE)
    if missing := [name for name in ("head", "relation", "tail") if name not in rows[0]]:
        raise InputError(f"the query must return head, relation and tail; {', '.join(missing)} is missing")
    for row in rows:
        if bad := [name for name in ("head", "relation", "tail") if not isinstance(row[name], str)]:
            raise InputError(f"the query must return texts; {bad[0]} is {str(row[bad[0]])[:80]!r} in one row")
    triples = [triple for triple in dict.fromkeys(map(_triple, rows)) if nothing or triple.tail != NOTHING]
    phrases = sum(triple.tail != NOTHING for triple in triples)
    if not phrases:
        raise NotReady(
            _NO_TRIPLE if nothing else "every tail that the query returns is 'none'; a student learns phrases"
        )
    if nothing and phrases == len(triples):
        raise InputError(
            "no tail of the query is 'none', which no critic scores or accepts; write a condition that lets it "
            "through, such as (r.accepted OR tail:Nothing), or leave out --nothing"
        )
    _check_split(graph, triples)
    languages = sorted({triple.lang for triple in triples})
    if len(languages) > 1:
        raise InputError(f"a student learns one language; the query returns {', '.join(languages)}")
    manifest = {
        "cypher": query.text,
        "parameters": values,
        "lang": languages[0],
        "triples": len(triples),
        "events": len({head_id(triple) for triple in triples}),
        "relations": sorted({triple.relation for triple in triples}),
        "content_hash": unordered_hash(triple_id(triple) for triple in triples),
    }
    return TrainingData(triples, manifest, _tails(triples), _runs(graph, rows, query.text, values))


def _runs(
    graph: KnowledgeGraph, rows: Sequence[Mapping[str, Any]], text: str, parameters: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """Return the runs that the triples were taken from.

    A query that wants what one run wrote, `"load-1" IN r.runs`, is not about the other runs that wrote the same.
    """
    if not isinstance(rows[0].get("runs"), list):
        return None
    values = [one for value in parameters.values() for one in (value if isinstance(value, list) else [value])]
    given = {value for value in values if isinstance(value, str)}
    named = {run["id"] for run in graph.runs() if run["id"] in given or f'"{run["id"]}"' in text.replace("'", '"')}
    found: set[str] = set()
    for row in rows:
        runs = set(row["runs"] or ())
        found |= (runs & named) or runs
    return tuple(sorted(found))


def _triple(row: Mapping[str, Any]) -> Triple:
    lang = row.get("lang") or "en"
    tail_lang = row.get("tail_lang") or ""
    uris = (row.get("head_uri") or "", row.get("tail_uri") or "")
    return Triple(row["head"], row["relation"], row["tail"], lang, "" if tail_lang == lang else tail_lang, *uris)


def _tails(triples: Sequence[Triple]) -> dict[str, dict[str, list[str]]]:
    """Return which phrase a text is as the tail of a relation: the most frequent one, of two the first by its key."""
    counts: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for triple in triples:
        own = (triple.tail_lang or triple.lang, own_uri(triple.tail, triple.tail_lang or triple.lang, triple.tail_uri))
        counts[triple.relation, triple.tail][own] += 1
    found: dict[str, dict[str, list[str]]] = {}
    for (relation, tail), senses in counts.items():
        best = min(senses, key=lambda sense: (-senses[sense], sense))
        if best != (triples[0].lang, ""):
            found.setdefault(relation, {})[tail] = [*best]
    return found


def _check_split(graph: KnowledgeGraph, triples: list[Triple]) -> None:
    heads = {head_id(triple): triple.head for triple in triples}
    splits = graph.splits_of(sorted(heads))
    if foreign := sorted(text for key, text in heads.items() if splits.get(key) != "train"):
        raise InputError(
            f"{len(foreign):,} events are not of the training split, the first {foreign[0][:80]!r}; "
            'nothing is trained on held-out events: add head.split = "train", and return head.uri AS head_uri '
            "where events have URIs"
        )
