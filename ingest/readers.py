"""Readers: one function a file format, from lines to assertions.

Each takes the lines of a file and yields `Assertion`s and, for rows that it cannot use, `Rejected`s; texts other
than a teacher's stay as they are published. Formats: SKD's JSONL (West et al. 2021, release), ATOMIC-2020's TSV
(Hwang et al. 2021), ATOMIC 2019's CSV (Sap et al. 2019), PHALM's JSONL (Ide et al. 2024), and the recorded completions
of a teacher.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ingest.cleaning import clean_tails
from kg.errors import InputError
from kg.lines import Line, Rejected, read_lines
from kg.model import NOTHING, Assertion, Split, Triple, clean_text
from kg.vocabulary import Vocabulary

Rows = Iterator[Assertion | Rejected]
Reader = Callable[[Iterable[Line | Rejected], Vocabulary, str], Rows]

_PHALM = {
    ("event", "before"): "xNeed", ("event", "after"): "xEffect",
    ("mental_state", "before"): "xIntent", ("mental_state", "after"): "xReact",
}  # fmt: skip
_KEYS = {
    "skd": {"head", "relation", "tail"},
    "completions": {"event", "relation", "tails"},
    "phalm": {"event", "inference"},
}
_SPLITS: dict[str, Split] = {
    "train": "train", "trn": "train",
    "validation": "validation", "val": "validation", "dev": "validation", "valid": "validation",
    "test": "test", "tst": "test",
}  # fmt: skip


def read_skd(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of SKD's JSONL: head, relation, tail, split, p_valid_model."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = _json_object(line.text)
        score = row.get("p_valid_model")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
            raise InputError(f"p_valid_model {score!r} is not a number from 0 to 1")
        triple = _triple(_text(row, "head"), _text(row, "relation"), _text(row, "tail"), vocabulary, lang)
        split = None if row.get("split") is None else _split(_text(row, "split"))
        yield Assertion(triple, split=split, score=None if triple.tail == NOTHING else score)

    return _rows(lines, parse)


def read_atomic2020(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of a headerless TSV: head, relation, tail."""

    def parse(line: Line) -> Iterator[Assertion]:
        cells = line.text.split("\t")
        if len(cells) != 3:  # noqa: PLR2004 - head, relation, tail
            raise InputError(f"{len(cells)} columns where 3 are expected: head, relation, tail, parted by tabs")
        yield Assertion(_triple(cells[0], cells[1], cells[2], vocabulary, lang))

    return _rows(lines, parse)


def read_atomic2019(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the answers in ATOMIC's CSV: an event, one column a relation holding a JSON list, prefix, split.

    Rows are read one by one, so that an open quote spoils its own row only.
    """
    header: list[str] = []

    def parse(line: Line) -> Iterator[Assertion]:
        cells = _csv_cells(line.text)
        if not header:
            if "event" not in cells or "split" not in cells:
                raise InputError("the first line must name the columns: event, one for each relation, prefix, split")
            header.extend(cells)
            return
        if len(cells) != len(header):
            raise InputError(f"{len(cells)} columns where the header has {len(header)}")
        row = dict(zip(header, cells, strict=True))
        split = _split(row.pop("split"))
        event = row.pop("event")
        row.pop("prefix", None)
        answers = [(relation, tail) for relation, cell in row.items() for tail in _json_list(cell, relation)]
        triples = [_triple(event, relation, tail, vocabulary, lang) for relation, tail in answers]
        yield from (Assertion(triple, split=split) for triple in triples)

    return _rows(lines, parse)


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
        row = _json_object(line.text)
        tails, names = row.get("tails"), row.get("names") or {}
        if not isinstance(tails, list) or not all(isinstance(tail, str) for tail in tails):
            raise InputError("tails must be a list of texts")
        if not isinstance(names, dict) or not all(isinstance(person, str) for person in names.values()):
            raise InputError('names must map first names to persons, like {"Alex": "PersonX"}')
        event, relation = _text(row, "event"), _text(row, "relation")
        cleaned = clean_tails(tails, names)
        triples = [_triple(event, relation, tail, vocabulary, lang) for tail in cleaned.kept]
        if not tails:
            raise InputError("there is no tail")
        if dropped is not None:
            dropped.update(cleaned.rules)
        yield from (Assertion(triple) for triple in triples)

    return _rows(lines, parse)


def read_phalm(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the inferences of PHALM's JSONL (Ide et al. 2024): events and mental states before and after an event."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = _json_object(line.text)
        event, inference = _text(row, "event"), row.get("inference")
        if not isinstance(inference, dict):
            raise InputError("inference is missing, or not an object")
        triples = []
        for (kind, moment), relation in _PHALM.items():
            tails = (inference.get(kind) or {}).get(moment) or []
            if not isinstance(tails, list) or not all(isinstance(tail, str) for tail in tails):
                raise InputError(f"inference.{kind}.{moment} is not a list of texts")
            triples += [_triple(event, relation, tail, vocabulary, lang) for tail in tails]
        yield from (Assertion(triple) for triple in triples)

    return _rows(lines, parse)


class Format(NamedTuple):
    """A format: its reader, and the vocabulary and language that are used where none is named."""

    read: Reader
    vocabulary: str
    lang: str = "en"


READERS: dict[str, Format] = {
    "skd": Format(read_skd, "skd2"),
    "atomic2020": Format(read_atomic2020, "atomic2020"),
    "atomic2019": Format(read_atomic2019, "atomic"),
    "completions": Format(read_completions, "skd"),
    "phalm": Format(read_phalm, "atomic", "ja"),
}


def guess_format(path: Path) -> str:
    """Return the format that the first readable line of a file looks like.

    Raises:
        InputError: it looks like none of them.
    """
    first = next((line for line in read_lines(path) if isinstance(line, Line)), None)
    text = first.text if first else ""
    if text.lstrip().startswith("{"):
        keys = _json_object(text).keys()
        for name, wanted in _KEYS.items():
            if wanted <= keys:
                return name
    elif text.startswith("event,"):
        return "atomic2019"
    elif text.count("\t") == 2:  # noqa: PLR2004 - head, relation, tail
        return "atomic2020"
    raise InputError(f"{path} looks like none of {', '.join(READERS)}; its first line is {text[:80]!r}; say --format")


def _rows(lines: Iterable[Line | Rejected], parse: Callable[[Line], Iterator[Assertion]]) -> Rows:
    for line in lines:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            yield from parse(line)
        except InputError as error:
            yield Rejected(line.number, str(error), line.text)


def _triple(head: str, relation: str, tail: str, vocabulary: Vocabulary, lang: str) -> Triple:
    return Triple(_clean(head, "head"), vocabulary[relation].name, _clean(tail, "tail"), lang)


def _clean(text: str, name: str) -> str:
    try:
        return clean_text(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _split(name: str) -> Split:
    try:
        return _SPLITS[name]
    except KeyError:
        raise InputError(f"split {name[:80]!r} is not one of {', '.join(_SPLITS)}") from None


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} is missing, or not a text")
    return value


def _json_object(text: str) -> dict[str, Any]:
    row = _json(text, "the line")
    if not isinstance(row, dict):
        raise InputError("the line is not a JSON object")
    return row


def _json_list(text: str, name: str) -> list[str]:
    values = _json(text, name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{name} is not a JSON list of texts")
    return values


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None


def _csv_cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise InputError(f"the line is not valid CSV: {error}") from None
