"""Filters of edges: from an address, back into one, and as Cypher: with parameters to run, with values to show."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kg.errors import InputError
from kg.model import SPLITS
from kg.web.searching import MOST_LETTERS, query_of

PHRASES = 1_000
"""Phrases that a text is looked for in: the best of the full-text index."""

_YES_NO = {"yes": True, "no": False}
_JUDGED = "EXISTS { MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail) WHERE j.relation = type(r) }"
_CONDITIONS = {
    "relation": "type(r) = $relation",
    "split": "head.split = $split",
    "run": "$run IN r.runs",
    "accepted": "r.accepted = $accepted",
    "predicted": "r.predicted = $predicted",
    "low": "r.score >= $low",
    "high": "r.score <= $high",
    "judged": f"{_JUDGED} = $judged",
}
_FOUND = """CALL db.index.fulltext.queryNodes("phrase_words", $query, {limit: $phrases}) YIELD node
WITH collect(node) AS found
CALL (found) {
  UNWIND found AS head
  MATCH (head:Event)-[r]->(tail:Phrase|Nothing)
  RETURN head, r, tail
  UNION
  UNWIND found AS tail
  MATCH (head:Event)-[r]->(tail)
  RETURN head, r, tail
}
WITH head, r, tail"""
_ALL = "MATCH (head:Event)-[r]->(tail:Phrase|Nothing)"
_RETURN = """WITH head, r, tail
ORDER BY head.id, type(r), tail.id
RETURN head.text AS head, type(r) AS relation, coalesce(tail.text, "none") AS tail, r.score AS score,
  r.accepted AS accepted"""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which edges; None and the empty text leave a filter out.

    Attributes:
        relation: only this one.
        split: only of these events.
        run: only what this run asserted.
        accepted: only what is accepted, or what is not though it has a threshold.
        predicted: only what students alone assert, or what not they alone do.
        low: smallest score.
        high: largest score.
        judged: only what somebody has judged, or what nobody has.
        text: words that head or tail have, as `kg.web.searching.query_of` takes them.
    """

    relation: str = ""
    split: str = ""
    run: str = ""
    accepted: bool | None = None
    predicted: bool | None = None
    low: float | None = None
    high: float | None = None
    judged: bool | None = None
    text: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Filters":
        """Return the filters in an address's parameters; others are left alone.

        Raises:
            InputError: a value is none that the filter can have.
        """
        split = given.get("split", "")
        if split not in ("", *SPLITS):
            raise InputError(f"split {split[:40]!r} is not one of {', '.join(SPLITS)}")
        flags = [_flag(name, given.get(name, "")) for name in ("accepted", "predicted", "judged")]
        relation, run, text = (given.get(name, "")[:MOST_LETTERS] for name in ("relation", "run", "text"))
        return cls(
            relation, split, run, accepted=flags[0], predicted=flags[1], judged=flags[2], text=text,
            low=_score(given.get("low", "")), high=_score(given.get("high", "")),
        )  # fmt: skip

    def address(self) -> dict[str, str]:
        """Return the filters as parameters of an address; those that are left out are not there."""
        shown: dict[Any, str] = {True: "yes", False: "no"}
        return {
            name: shown[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
            for name, value in self._given().items()
        }

    @property
    def query(self) -> str:
        """The text as a query of the full-text index; empty where there is none."""
        return query_of(self.text)

    def values(self) -> dict[str, Any]:
        """Return the values of all filters but the text, by name; None where one is left out."""
        given = self._given()
        return {name: given.get(name) for name in _CONDITIONS}

    def condition(self) -> str:
        """Return the condition over `head`, `r` and `tail` with `$names` in it, but for the text; empty if none."""
        return "\nAND ".join(_CONDITIONS[name] for name in self._given() if name in _CONDITIONS)

    def shown_condition(self) -> str:
        """Return the condition with values in it, as a person may copy it."""
        return _with_values(self.condition(), self.values())

    def shown_statement(self) -> str:
        """Return the whole statement with values in it."""
        begin = _with_values(_FOUND, {"query": self.query, "phrases": PHRASES}) if self.query else _ALL
        condition = self.shown_condition().replace("\nAND", "\n  AND")
        return "\n".join([begin, *([f"WHERE {condition}"] if condition else []), _RETURN])

    def _given(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, "")}


def literal(value: Any) -> str:
    r"""Return a value as Cypher text.

    >>> print(literal("it's a \\ \n"), literal(True), literal(0.5))
    'it\'s a \\ \u000a' true 0.5
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(letter if letter.isprintable() else _escape(letter) for letter in escaped) + "'"


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _with_values(text: str, values: Mapping[str, Any]) -> str:
    return re.sub(r"\$(\w+)", lambda found: literal(values[found[1]]), text)


def _flag(name: str, text: str) -> bool | None:
    if text and text not in _YES_NO:
        raise InputError(f"{name} {text[:40]!r} is neither yes nor no")
    return _YES_NO.get(text)


def _score(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"score {text[:40]!r} is not a number from 0 to 1")
    return value
