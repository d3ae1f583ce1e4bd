"""Recorded completions: what a teacher wrote, one JSON object a line with event, relation and tails."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ingest.cleaning import clean_tails
from kg.errors import InputError
from kg.exchange.rows import Rows, json_object, make_triple, parse_rows, text_of
from kg.lines import Line, Rejected
from kg.model import Assertion
from kg.vocabulary import Vocabulary


def read_completions(
    lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str, dropped: Counter[str] | None = None
) -> Rows:
    """Yield the cleaned tails of a recorded teacher: event, relation, tails, and optionally names and logprobs.

    Args:
        lines: one JSON object a line; `names` maps first names of the prompt to PersonX and PersonY.
        vocabulary: relations that may occur.
        lang: language of the texts.
        dropped: where the cleaning rules count what they drop.
    """

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        tails, names = row.get("tails"), row.get("names") or {}
        if not isinstance(tails, list) or not all(isinstance(tail, str) for tail in tails):
            raise InputError("tails must be a list of texts")
        if not isinstance(names, dict) or not all(isinstance(person, str) for person in names.values()):
            raise InputError('names must map first names to persons, like {"Alex": "PersonX"}')
        event, relation = text_of(row, "event"), text_of(row, "relation")
        cleaned = clean_tails(tails, names)
        triples = [make_triple(event, relation, tail, vocabulary, lang) for tail in cleaned.kept]
        if not tails:
            raise InputError("there is no tail")
        if dropped is not None:
            dropped.update(cleaned.rules)
        yield from (Assertion(triple) for triple in triples)

    return parse_rows(lines, parse)
