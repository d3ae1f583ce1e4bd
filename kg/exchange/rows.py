"""The part that all readers share: rows parsed one by one, cells checked, errors that name the cell."""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kg import strict_json
from kg.errors import InputError
from kg.lines import Line, Rejected
from kg.model import Assertion, Split, Triple, clean_text
from kg.vocabulary import Vocabulary

Rows = Iterator[Assertion | Rejected]

_SPLITS: dict[str, Split] = {
    "train": "train", "trn": "train",
    "validation": "validation", "val": "validation", "dev": "validation", "valid": "validation",
    "test": "test", "tst": "test",
}  # fmt: skip


def parse_rows(lines: Iterable[Line | Rejected], parse: Callable[[Line], Iterator[Assertion]]) -> Rows:
    """Yield the assertions that `parse` makes of each line; an `InputError` rejects that line only."""
    for line in lines:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            yield from parse(line)
        except InputError as error:
            yield Rejected(line.number, str(error), line.text)
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            yield Rejected(line.number, f"a value is of another kind than the format has: {error}", line.text)


def read_header(
    lines: Iterable[Line | Rejected],
    cells: Callable[[str], list[str]],
    needed: Sequence[str],
    roles: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], Iterator[Line | Rejected]]:
    """Return the names of a table's columns, and the lines after its header.

    Args:
        lines: of the table.
        cells: makes cells of a line.
        needed: names that must be there.
        roles: other names of columns, each with the usual one, which is returned for it.

    Raises:
        InputError: there is no first line that can be read, a name is missing, or two columns have one role.
    """
    rest = iter(lines)
    first = next(rest, None)
    if first is None:
        raise InputError(f"the file is empty; its first line must name the columns {', '.join(needed)}")
    if isinstance(first, Rejected):
        raise InputError(f"line {first.line}, which must name the columns: {first.reason}")
    given = cells(first.text)
    names = tuple((roles or {}).get(name, name) for name in given)
    for role, count in Counter(names).items():
        if count > 1:
            twice = [name for name, own in zip(given, names, strict=True) if own == role]
            which = f"{role} {count} times" if len(set(twice)) == 1 else f"one thing {count} times: {', '.join(twice)}"
            raise InputError(f"line {first.number}, the header, names {which}; which column counts?")
    if missing := [name for name in needed if name not in names]:
        raise InputError(
            f"line {first.number} must name the columns {', '.join(needed)}; {', '.join(missing)} is missing"
        )
    return names, rest


def cells_of(line: Line, header: Sequence[str], cells: Callable[[str], list[str]]) -> dict[str, str]:
    """Return the cells of a line by the names of their columns."""
    found = cells(line.text)
    if len(found) != len(header):
        raise InputError(f"{len(found)} columns where the header has {len(header)}")
    return dict(zip(header, found, strict=True))


def tab_cells(text: str) -> list[str]:
    """Return the cells of one line of a TSV, which has no quoting."""
    return text.split("\t")


def make_triple(head: str, relation: str, tail: str, vocabulary: Vocabulary, lang: str) -> Triple:
    """Return a triple of checked texts; the relation must be in the vocabulary."""
    return Triple(clean_part(head, "head"), vocabulary[relation].name, clean_part(tail, "tail"), lang)


def clean_part(text: str, name: str) -> str:
    """Return a text in NFC; an error names the part of the triple."""
    try:
        return clean_text(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def check_unicode(text: str, name: str) -> str:
    """Return a text that is kept verbatim, if it is valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name}: the text has a lone surrogate, so it is not valid Unicode") from None
    return text


def read_split(name: str) -> Split:
    """Return a split by any of the names that data sets give it."""
    try:
        return _SPLITS[name]
    except KeyError:
        raise InputError(f"split {name[:80]!r} is not one of {', '.join(_SPLITS)}") from None


def read_number(value: object, name: str) -> float:
    """Return a number that a source gives, as a number or as text.

    Raises:
        InputError: the value is no number, or not finite.
    """
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (OverflowError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name} {repr(value)[:40]} is not a number that can be kept")
    return number


def text_of(row: dict[str, Any], name: str) -> str:
    """Return a field that must be a text."""
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} is missing, or not a text")
    return value


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a line is."""
    row = read_json(text, "the line")
    if not isinstance(row, dict):
        raise InputError("the line is not a JSON object")
    return row


def text_list(text: str, name: str) -> list[str]:
    """Return the JSON list of texts that a cell is."""
    values = read_json(text, name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{name} is not a JSON list of texts")
    return values


def read_json(text: str, name: str) -> Any:
    """Return the JSON value that a text is."""
    try:
        return strict_json.read(text)
    except ValueError as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None


def as_details(values: Mapping[str, Any]) -> str | None:
    """Return the other values of a source as one JSON object; None if there are none."""
    return as_json(values) if values else None


def as_json(value: Any) -> str:
    """Return a value as JSON that every parser takes.

    Raises:
        InputError: the value has a number that JSON does not have, or text that is not valid Unicode.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
        text.encode()
    except ValueError as error:
        raise InputError(f"{str(value)[:80]!r} cannot be kept: {error}") from None
    return text


def csv_cells(text: str) -> list[str]:
    """Return the cells of one line of CSV."""
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise InputError(f"the line is not valid CSV: {error}") from None
