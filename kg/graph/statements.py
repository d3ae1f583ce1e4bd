"""Statements: the properties that each run gives an edge or an event, and those that hold.

The plain properties hold: each has the value of the first run, in the order of `runs`, that gives one. As long as only
the first run gives any, nothing else is kept. Where another run does, `statements` keeps the properties of each run,
one JSON object a run, so that undoing a run leaves those of the others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kg.model import EDGE_FIELDS, STATED
from kg.store.bolt import Row

EDGE = STATED
"""The properties that a run may give an edge."""

EVENT = ("logprob",)
"""The properties that a run may give an event that it wrote by itself."""

_NUMBERS = frozenset(name for name, kind in EDGE_FIELDS.items() if kind == "number")

Statements = dict[str, Row]
"""Run to the properties that it gives; runs that give none may be missing."""


def read_statements(properties: Mapping[str, Any], names: Sequence[str]) -> Statements:
    """Return the properties that each run gives, from the properties of an edge or an event."""
    if texts := properties.get("statements"):
        rows = map(orjson.loads, texts)
        return {row.pop("run"): {name: _read(value, name) for name, value in row.items()} for row in rows}
    given = {name: value for name in names if (value := properties.get(name)) not in (None, [], ())}
    return {properties["runs"][0]: given} if given and properties.get("runs") else {}


def properties_of(runs: Sequence[str], statements: Statements, names: Sequence[str]) -> Row:
    """Return the properties that follow from statements of some runs: those that hold, null for the rest."""
    given = {run: statements[run] for run in runs if statements.get(run)}
    holding: Row = {}
    for values in given.values():
        holding = values | holding
    texts = None if given.keys() <= set(runs[:1]) else [_text(run, values) for run, values in given.items()]
    return {**{name: holding.get(name) for name in names}, "statements": texts}


def with_statement(properties: Mapping[str, Any], run: str, new: Row, names: Sequence[str]) -> Row | None:
    """Return the properties after one of the runs has given more; None where that changes nothing.

    Of a run's values of one property the first counts; its sources are joined.
    """
    statements = read_statements(properties, names)
    own = statements.get(run, {})
    joined = new | own
    if "sources" in joined:
        joined["sources"] = list(dict.fromkeys((*own.get("sources", ()), *new.get("sources", ()))))
    if joined == own:
        return None
    return properties_of(properties["runs"], statements | {run: joined}, names)


def without_run(properties: Mapping[str, Any], run: str, names: Sequence[str]) -> Row:
    """Return the properties, with `runs`, after a run that is one of several has been taken away."""
    left = [other for other in properties["runs"] if other != run]
    return {**properties_of(left, read_statements(properties, names), names), "runs": left}


def joined(here: Mapping[str, Any], other: Mapping[str, Any], names: Sequence[str]) -> Row | None:
    """Return the properties, with `runs`, after another graph's runs were joined; None where there is no new one."""
    runs = list(here.get("runs") or [])
    new = [run for run in other.get("runs") or [] if run not in runs]
    if not new:
        return None
    known = read_statements(here, names) if runs else {}
    theirs = read_statements(other, names)
    return {**properties_of(runs + new, {**theirs, **known}, names), "runs": runs + new}


def _text(run: str, values: Row) -> str:
    plain = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
    return orjson.dumps({"run": run, **plain}, option=orjson.OPT_SORT_KEYS).decode()


def _read(value: Any, name: str) -> Any:
    return float(value) if name in _NUMBERS else value
