"""LAMA's probes (Petroni et al. 2019): facts with the sentences that mask their object, one JSON object a line."""

from collections.abc import Iterable, Iterator

from ingest.readers.rows import Rows, as_json, clean_part, json_object, make_triple, parse_rows, text_of
from kg.identity import own_uri
from kg.lines import Line, Rejected
from kg.model import Assertion, Triple
from kg.vocabulary import Vocabulary

NO_RELATION = "SQuAD"
"""Relation of the rows that name none, which are SQuAD's."""


def read_lama(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the facts: sub_label, predicate_id or none, obj_label. The whole row is the source of its triple."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        relation = str(row.get("predicate_id") or NO_RELATION)
        plain = make_triple(text_of(row, "sub_label"), relation, text_of(row, "obj_label"), vocabulary, lang)
        head, tail = (clean_part(str(row[name]), name) if row.get(name) else "" for name in ("sub_uri", "obj_uri"))
        triple = Triple(
            plain.head, plain.relation, plain.tail, lang, "", own_uri(plain.head, lang, head),
            own_uri(plain.tail, lang, tail) or (f"/c/{lang}/none" if plain.says_nothing else ""),
        )  # fmt: skip
        yield Assertion(triple, sources=(as_json(row),))

    return parse_rows(lines, parse)
