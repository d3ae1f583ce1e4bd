"""Recorded completions: what a teacher wrote, one JSON object a line with event, relation and tails."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ingest.cleaning import Completion, clean_tails
from kg.errors import InputError
from kg.exchange.rows import Rows, json_object, make_triple, parse_rows, read_number, text_of
from kg.lines import Line, Rejected
from kg.model import Assertion
from kg.vocabulary import Vocabulary


def read_completions(
    lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str, dropped: Counter[str] | None = None
) -> Rows:
    """Yield the cleaned tails of a recorded teacher: event, relation, tails, and optionally names and logprobs.

    Args:
        lines: one JSON object a line; `names` maps first names of the prompt to PersonX and PersonY, `logprobs` has the
            mean log-probability of each tail's tokens, or null.
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
        completions = [Completion(tail, value) for tail, value in zip(tails, _logprobs(row, tails), strict=True)]
        cleaned = clean_tails(completions, names)
        rows = [
            Assertion(make_triple(event, relation, tail, vocabulary, lang), logprob=completion.logprob)
            for tail, completion in cleaned.kept.items()
        ]
        if not tails:
            raise InputError("there is no tail")
        if dropped is not None:
            dropped.update(cleaned.rules)
        yield from rows

    return parse_rows(lines, parse)


def _logprobs(row: Mapping[str, Any], tails: Sequence[str]) -> list[float | None]:
    """Return the log-probability of each tail; None where the teacher gave none."""
    values = row.get("logprobs")
    if values is None:
        return [None] * len(tails)
    if not isinstance(values, list) or len(values) != len(tails):
        raise InputError(f"logprobs must be a list of as many numbers as there are tails, {len(tails)}")
    numbers = [None if value is None else read_number(value, "logprobs:") for value in values]
    if high := [number for number in numbers if number is not None and number > 0]:
        raise InputError(f"logprobs: {high[0]:g} is above 0, so it is no log-probability")
    return numbers
