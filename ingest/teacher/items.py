"""Items: the list of texts in a message that was asked for JSON, however a model has written it.

Models wander: JSON comes fenced, cut short, with comments, under other keys, as one text where a list was asked, or
behind thinking aloud. `json-repair` mends what is broken; this module says what counts: the texts under the key that
was asked for, or under a known name of a tail or an event. Anything else is no text.
"""

import json
import re
from typing import Any

from ingest.teacher.blotting import one_line
from ingest.teacher.messages import RunKind
from ingest.thinking import without_thinking
from kg.errors import MalformedReply

_MOST_DEPTH = 8  # of lists in lists
_ASKED = "items"
_LISTS = (
    "tails", "inferences", "events", "answers", "texts", "completions", "continuations", "endings", "phrases",
    "results", "responses", "outputs", "output", "list", "data",
)  # fmt: skip
_TEXTS = {
    "inferences": ("tail", "text", "inference", "item", "answer", "completion", "continuation", "ending", "phrase"),
    "events": ("event", "text", "item", "answer", "completion", "continuation", "phrase"),
}
"""Names of one text, the surest first. An event is no tail: a model may say the event again beside its tail."""
_TRIPLE = frozenset({"subject", "predicate", "head", "relation"})
"""Beside one of these, `object` names a tail; alone it may be what OpenAI's own objects say of themselves."""
_FENCE = re.compile(r"```[\w-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_NUMBERED = re.compile(
    r"^\s*\**(?:[-–—•‣◦▪·●*+](?=\s)|\(?\d{1,3}[.):](?=\s|\*)|\(\d{1,3}\)|\[\d{1,3}\](?=\s)|#\d{1,3}[.):]?(?=\s)"  # noqa: RUF001
    r"|\d{1,3}[.)](?=[^\W\d_])|\d{1,3}\s+[-–](?=\s)|[a-z]\)(?=\s)|\d{1,3}[、．]|[①-⑳])\**\s*"  # noqa: RUF001
)


def read_items(content: str, *, cut: bool = False, kind: RunKind = "inferences") -> list[str]:
    r"""Return the texts of a message that was asked for JSON with a list; empty if there are none.

    Args:
        content: the message.
        cut: whether it ended at its length, so that its last text may be torn.
        kind: whether the texts are events or inferences.

    >>> read_items('Sure!\n```json\n["to rest", "to eat" /* both */]\n```')
    ['to rest', 'to eat']
    >>> read_items('<think>{"items": ["no"]}</think>{"tails": [{"text": "to rest", "why": "naps"}]}')
    ['to rest']
    >>> read_items('1. to rest\n2. to eat')
    ['to rest', 'to eat']
    >>> read_items('{"items": ["to rest", "to e', cut=True)
    ['to rest']
    >>> read_items('{"status": "ok", "language": "English", "items": []}')
    []
    """
    plain = without_thinking(content).strip()
    fenced = _FENCE.search(plain)
    candidate = (fenced[1] if fenced else plain).strip()
    start = min((place for place in (candidate.find("{"), candidate.find("[")) if place >= 0), default=-1)
    numbered = [line for line in candidate.splitlines() if _NUMBERED.match(line)]
    if start >= 0 and not (numbered and _NUMBERED.match(candidate[:start] + "x")):
        whole = candidate.endswith(("]", "}"))
        texts = _texts(_mended(candidate[start:]), kind)
        texts = texts[:-1] if cut and not whole else texts
    else:
        texts = numbered[:-1] if cut else numbered
    clean = (_without_number(without_thinking(text)) for text in texts)
    return [text for text in clean if text]


def _mended(text: str) -> Any:
    """Return what a text of JSON says, mended where it is broken."""
    from json_repair import repair_json  # noqa: PLC0415 - not needed to build requests

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return repair_json(text, return_objects=True)
    except (ValueError, RecursionError) as error:  # brackets in brackets in brackets
        raise MalformedReply(f"the message cannot be read: {one_line(error, 120)}") from None


def _texts(value: Any, kind: RunKind, depth: int = 0) -> list[str]:
    """Return the texts of a value that stands where the list was asked for."""
    if depth > _MOST_DEPTH:
        return []
    if isinstance(value, str):
        return _from_text(value, kind, depth)
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, kind, depth + 1)]
    return _from_object(value, kind, depth) if isinstance(value, dict) else []


def _from_text(text: str, kind: RunKind, depth: int) -> list[str]:
    """Return the texts in a text: itself, its lines if they are numbered, or those of JSON in it."""
    stripped = text.strip()
    if stripped[:1] in ("[", "{") and stripped[-1:] in ("]", "}"):
        try:
            return _texts(json.loads(stripped), kind, depth + 1)
        except (ValueError, RecursionError):
            return []  # broken JSON is no text either
    lines = [line for line in stripped.splitlines() if line.strip()]
    if len(lines) > 1 and all(_NUMBERED.match(line) for line in lines):
        return lines
    return [text] if stripped else []


def _from_object(value: dict[str, Any], kind: RunKind, depth: int) -> list[str]:
    """Return the texts of an object: those of the asked key, else of a known name, else of numbers as keys."""
    names = {re.sub(r"[\W\d_]+", "", name).casefold(): name for name in reversed(value)}  # the first of a name wins
    if _ASKED in names:
        return _texts(value[names[_ASKED]], kind, depth + 1)
    for known in _TEXTS[kind]:  # of one text, perhaps of several: answer1, answer2
        same = [value[name] for name in value if re.sub(r"[\W\d_]+", "", name).casefold() == known]
        if texts := [text for one in same for text in _texts(one, kind, depth + 1)]:
            return texts
    for known in _LISTS:
        if known in names and (texts := _texts(value[names[known]], kind, depth + 1)):
            return texts
    if kind == "inferences" and "object" in names and _TRIPLE & names.keys():
        return _texts(value[names["object"]], kind, depth + 1)
    if value and all(re.fullmatch(r"\W*\d{1,3}\W*", name) for name in value):
        return [text for one in value.values() for text in _texts(one, kind, depth + 1)]
    return []


def _without_number(text: str) -> str:
    """Return a text without the number or bullet that a list gave it.

    >>> [_without_number(text) for text in ("1. to rest", "2) to rest", "- 3 mugs", "• **4.** to rest", "3.5 miles")]
    ['to rest', 'to rest', '3 mugs', 'to rest', '3.5 miles']
    """
    for _ in range(2):
        text = _NUMBERED.sub("", text, count=1).strip()
    return text
