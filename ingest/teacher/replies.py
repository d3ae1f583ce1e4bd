"""Replies: the body that a server sent back becomes completions, or has a reason why not.

Fields with impossible values (a usage of 10^30, a positive log-probability) count as absent.
`ingest.teacher.items` finds the texts in a message of chat.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from ingest.cleaning import Completion
from ingest.teacher.blotting import one_line
from ingest.teacher.items import read_items
from ingest.teacher.messages import Reply, TextKind, Usage
from ingest.thinking import without_thinking
from kg.errors import MalformedReply, RefusedReply

_MAX_TEXT_CHARACTERS = 100_000  # of one choice; a hundred tails have about 5,000
_MOST_TOKENS = 10**9
_MOST_WORD_CHARACTERS = 200  # of a model's name, of a reason to end
_LEAST_LOGPROB = -1e6
_ROUNDING = 1e-3  # of a log-probability, which cannot be above 0
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


def read_reply(content: bytes | str, count: int, *, chat: bool, kind: TextKind = "inferences") -> Reply:
    """Return the completions in the body of an answer.

    Args:
        content: the body.
        count: how many texts were asked for; more are cut off, fewer are taken as they are.
        chat: whether it comes from the chat interface, where one message carries all the texts.
        kind: whether the texts are events, inferences or verdicts.

    Raises:
        MalformedReply: the body cannot be read, or holds no text; asking again may help.
        RefusedReply: the model refuses, or a filter took the text; asking again does not help.
    """
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedReply(f"the answer is not JSON: {_begin(text)}") from None
    body = _as(_Body, loaded)
    if body is None or not body.choices:
        reason = loaded.get("error") if isinstance(loaded, dict) else None
        raise MalformedReply(f"the answer has no choices{f': {_begin(reason)}' if reason else ''}")
    usage = read_usage(loaded)
    try:
        completions = _from_chat(body.choices[0], count, kind) if chat else _from_completions(body.choices)
    except (MalformedReply, RefusedReply) as error:
        error.tokens = (usage.prompt_tokens, usage.completion_tokens)
        raise
    return Reply(tuple(completions[:count]), text, _word(body.model), usage)


def read_usage(body: Any) -> Usage:
    """Return the tokens that a reply cost by its own figures; 0 where it has none, or impossible ones."""
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


def _from_chat(first: Any, count: int, kind: TextKind) -> list[Completion]:
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
    if kind == "verdicts":
        texts = [text] if (text := without_thinking(content).strip()) else []
    else:
        texts = read_items(content, cut=finish == "length", kind=kind)
    if not texts or (len(texts) == 1 and _REFUSAL.match(texts[0])):
        plain = without_thinking(content).strip()
        if texts or _REFUSAL.match(plain):
            raise RefusedReply(f"the model refuses: {_begin(plain)}")
        raise MalformedReply(f"no list of texts in the message: {_begin(plain or content)}")
    return [Completion(text, finish="stop") for text in texts[:count]]


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
