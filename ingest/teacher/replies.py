"""Replies: what a server sent back becomes completions, is salvaged where that is possible, or has a reason why not.

Servers differ and models wander: JSON comes fenced, cut short, with comments, under other keys, as one text where a
list was asked, or behind thinking aloud. `json-repair` mends what is broken; this module says what counts: the texts
under the key that was asked for, or under a known name of a tail or an event. Anything else is no reply.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from ingest.teacher.blotting import one_line
from ingest.teacher.messages import Completion, Kind, Reply, Usage
from ingest.thinking import without_thinking
from kg.errors import MalformedReply, RefusedReply

_MAX_TEXT_CHARACTERS = 100_000  # of one choice; a hundred tails have about 5,000
_MOST_TOKENS = 10**9
_MOST_WORD_CHARACTERS = 200  # of a model's name, of a reason to end
_MOST_DEPTH = 8  # of lists in lists
_LEAST_LOGPROB = -1e6
_ROUNDING = 1e-3  # of a log-probability, which cannot be above 0
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
_REFUSAL = re.compile(
    r"^\W*(?:i[\u2019']?m sorry|i am sorry|sorry,|as an ai\b|i[\u2019']?m (?:unable|not able) to"
    r"|i (?:won[\u2019']t|will not) |i can(?:not|[\u2019']t) (?:help|assist|do|fulfil|comply|write|provide|continue))",
    re.IGNORECASE,
)


_Shape = TypeVar("_Shape")


class _Usage(msgspec.Struct):
    prompt_tokens: Annotated[int, msgspec.Meta(ge=0, le=_MOST_TOKENS)]
    completion_tokens: Annotated[int, msgspec.Meta(ge=0, le=_MOST_TOKENS)]


class _Body(msgspec.Struct):
    choices: list[Any] = []
    model: Any = None
    usage: Any = None
    error: Any = None


class _Part(msgspec.Struct):
    text: str = ""
    type: str = "text"


class _Message(msgspec.Struct):
    content: str | list[Any] | None = None
    refusal: Any = None


class _Logprobs(msgspec.Struct):
    token_logprobs: list[Any] | None = None


class _Choice(msgspec.Struct):
    message: Any = None
    text: Any = None
    finish_reason: Any = None
    logprobs: Any = None


def read_reply(content: bytes | str, count: int, *, chat: bool, kind: Kind = "inferences") -> Reply:
    """Return the completions in the body of an answer.

    Args:
        content: the body.
        count: how many texts were asked for; more are cut off, fewer are taken as they are.
        chat: whether it comes from the chat interface, where one message carries all the texts.
        kind: what the texts are.

    Raises:
        MalformedReply: it cannot be read, or holds no text; asking again may help.
        RefusedReply: the model refuses, or a filter took the text; asking again does not help.
    """
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedReply(f"the answer is not JSON: {_begin(text)}") from None
    body = _as(_Body, loaded)
    if body is None or not body.choices:
        said = loaded.get("error") if isinstance(loaded, dict) else None
        raise MalformedReply(f"the answer has no choices{f': {_begin(said)}' if said else ''}")
    usage = read_usage(loaded)
    try:
        completions = _from_chat(body.choices[0], count, kind) if chat else _from_completions(body.choices)
    except (MalformedReply, RefusedReply) as error:
        error.tokens = (usage.prompt_tokens, usage.completion_tokens)
        raise
    return Reply(tuple(completions[:count]), text, _word(body.model), usage)


def read_usage(body: Any) -> Usage:
    """Return the tokens that a body says it cost; 0 where it does not say, or says what cannot be."""
    found = _as(_Usage, body.get("usage")) if isinstance(body, dict) else None
    return Usage(found.prompt_tokens, found.completion_tokens) if found else Usage()


def _from_completions(choices: Sequence[Any]) -> list[Completion]:
    found = []
    for choice in filter(None, (_as(_Choice, one) for one in choices)):
        if not isinstance(choice.text, str):
            continue
        if len(choice.text) > _MAX_TEXT_CHARACTERS:
            raise MalformedReply(f"one text has {len(choice.text):,} characters: {_begin(choice.text)}")
        text = without_thinking(choice.text)
        if choice.text.strip() and not text.strip():
            continue  # nothing but thinking
        logprobs = _as(_Logprobs, choice.logprobs) if text == choice.text else None  # else also of what was thought
        values = _numbers(logprobs.token_logprobs) if logprobs else []
        mean, total = (sum(values) / len(values), sum(values)) if values else (None, None)
        found.append(Completion(text, mean, _finish(choice), total))
    if not found:
        raise MalformedReply("no choice of the answer has a text, thinking set aside")
    if all(one.finish == "content_filter" for one in found):
        raise RefusedReply("the provider's content filter took every text")
    return found


def _from_chat(first: Any, count: int, kind: Kind) -> list[Completion]:
    choice = _as(_Choice, first) or _Choice()
    message = _as(_Message, choice.message) or _Message()
    if message.refusal:
        raise RefusedReply(f"the model refuses: {_begin(message.refusal)}")
    finish = _finish(choice)
    if finish == "content_filter":
        raise RefusedReply("the provider's content filter took the text")
    content = message.content
    if isinstance(content, list):  # some gateways send parts, of which some are thinking
        parts = filter(None, (_as(_Part, part) for part in content))
        content = "".join(part.text for part in parts if part.type in ("text", "output_text"))
    if not content or not content.strip():
        raise MalformedReply(f"the message is empty{' (it ended at its length)' if finish == 'length' else ''}")
    if len(content) > _MAX_TEXT_CHARACTERS:
        raise MalformedReply(f"the message has {len(content):,} characters: {_begin(content)}")
    texts = read_items(content, cut=finish == "length", kind=kind)
    if not texts or (len(texts) == 1 and _REFUSAL.match(texts[0])):
        said = without_thinking(content).strip()
        if texts or _REFUSAL.match(said):
            raise RefusedReply(f"the model refuses: {_begin(said)}")
        raise MalformedReply(f"no list of texts in the message: {_begin(said or content)}")
    return [Completion(text, finish="stop") for text in texts[:count]]


def read_items(content: str, *, cut: bool = False, kind: Kind = "inferences") -> list[str]:
    r"""Return the texts of a message that was asked for JSON with a list; empty if there are none.

    Args:
        content: the message.
        cut: whether it ended at its length, so that its last text may be torn.
        kind: what the texts are.

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
    said = without_thinking(content).strip()
    fenced = _FENCE.search(said)
    candidate = (fenced[1] if fenced else said).strip()
    start = min((place for place in (candidate.find("{"), candidate.find("[")) if place >= 0), default=-1)
    numbered = [line for line in candidate.splitlines() if _NUMBERED.match(line)]
    if start >= 0 and not (numbered and _NUMBERED.match(candidate[:start] + "x")):
        whole = candidate.endswith(("]", "}"))
        texts = _texts(_mended(candidate[start:]), kind)
        texts = texts[:-1] if cut and not whole else texts
    else:
        texts = numbered[:-1] if cut else numbered
    plain = (_without_number(without_thinking(text)) for text in texts)
    return [text for text in plain if text]


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
        raise MalformedReply(f"the message cannot be read: {_begin(error)}") from None


def _texts(value: Any, kind: Kind, depth: int = 0) -> list[str]:
    """Return the texts of a value that stands where the list was asked for."""
    if depth > _MOST_DEPTH:
        return []
    if isinstance(value, str):
        return _from_text(value, kind, depth)
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, kind, depth + 1)]
    return _from_object(value, kind, depth) if isinstance(value, dict) else []


def _from_text(text: str, kind: Kind, depth: int) -> list[str]:
    """Return the texts in one: itself, its lines if they are numbered, or those of JSON in it."""
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


def _from_object(value: dict[str, Any], kind: Kind, depth: int) -> list[str]:
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


def _numbers(values: list[Any] | None) -> list[float]:
    """Return log-probabilities without what stands for none; empty if one of them cannot be one."""
    found = []
    for value in values or []:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST_LOGPROB <= value <= _ROUNDING:
            return []  # NaN compares false, and any integer compares exactly
        found.append(min(0.0, float(value)))
    return found


def _finish(choice: _Choice) -> str | None:
    """Return why a text ended; "unknown" for what is no word."""
    return None if choice.finish_reason is None else _word(choice.finish_reason) or "unknown"


def _word(value: Any) -> str | None:
    """Return a value that is one short text, which can be stored and shown, else None."""
    return value if isinstance(value, str) and len(value) <= _MOST_WORD_CHARACTERS and value.isprintable() else None


def _as(shape: type[_Shape], value: Any) -> _Shape | None:
    """Return a value in a shape; None if it has another."""
    try:
        return msgspec.convert(value, shape)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None


def _begin(text: object) -> str:
    return one_line(text, 120)
