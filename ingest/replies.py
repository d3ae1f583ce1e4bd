"""Replies: what a server sent back becomes completions, is salvaged where that is possible, or has a reason why not.

Servers differ and models wander: JSON comes fenced, cut short, with comments, under other keys, as one text where a
list was asked, or behind thinking aloud. `json-repair` mends what is broken; this module says what counts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ingest.requests import Completion, Reply, Usage
from kg.errors import MalformedReply, RefusedReply

_MAX_TEXT_CHARACTERS = 100_000  # of one choice; a hundred tails have about 5,000
_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_NUMBERED = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
_REFUSAL = re.compile(
    r"^\W*(?:i[\u2019']?m sorry|i am sorry|sorry,|as an ai\b|i[\u2019']?m (?:unable|not able) to"
    r"|i (?:won[\u2019']t|will not) |i can(?:not|[\u2019']t) (?:help|assist|do|fulfil|comply|write|provide|continue))",
    re.IGNORECASE,
)


def read_reply(content: bytes | str, count: int, *, chat: bool) -> Reply:
    """Return the completions in the body of an answer.

    Args:
        content: the body.
        count: how many texts were asked for; more are cut off, fewer are taken as they are.
        chat: whether it comes from the chat interface, where one message carries all the texts.

    Raises:
        MalformedReply: it cannot be read, or holds no text; asking again may help.
        RefusedReply: the model refuses, or a filter took the text; asking again does not help.
    """
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedReply(f"the answer is not JSON: {_begin(text)}") from None
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices:
        said = body.get("error") if isinstance(body, dict) else None
        raise MalformedReply(f"the answer has no choices{f': {_begin(str(said))}' if said else ''}")
    usage = read_usage(body)
    try:
        completions = (_from_chat if chat else _from_completions)(choices, count)
    except (MalformedReply, RefusedReply) as error:
        error.tokens = (usage.prompt_tokens, usage.completion_tokens)
        raise
    model = body.get("model")
    return Reply(tuple(completions[:count]), text, model if isinstance(model, str) else None, usage)


def read_usage(body: Any) -> Usage:
    """Return the tokens that a body says it cost; 0 where it does not say."""
    usage = body.get("usage") if isinstance(body, dict) else None
    counts = [
        value if isinstance(value := (usage or {}).get(name), int) and value >= 0 else 0
        for name in ("prompt_tokens", "completion_tokens")
    ] if isinstance(usage, dict | None) else [0, 0]  # fmt: skip
    return Usage(*counts)


def _from_completions(choices: Sequence[Any], _count: int) -> list[Completion]:
    found = []
    for choice in choices:
        if not isinstance(choice, Mapping) or not isinstance(choice.get("text"), str):
            continue
        if len(choice["text"]) > _MAX_TEXT_CHARACTERS:
            raise MalformedReply(f"one text has {len(choice['text']):,} characters: {_begin(choice['text'])}")
        logprobs = choice.get("logprobs")
        values = _numbers(logprobs.get("token_logprobs")) if isinstance(logprobs, Mapping) else []
        mean, total = (sum(values) / len(values), sum(values)) if values else (None, None)
        finish = choice.get("finish_reason")
        found.append(Completion(choice["text"], mean, finish if isinstance(finish, str) else None, total))
    if not found:
        raise MalformedReply("no choice of the answer has a text")
    if all(one.finish == "content_filter" for one in found):
        raise RefusedReply("the provider's content filter took every text")
    return found


def _from_chat(choices: Sequence[Any], count: int) -> list[Completion]:
    choice = choices[0] if isinstance(choices[0], Mapping) else {}
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    if refusal := message.get("refusal"):
        raise RefusedReply(f"the model refuses: {_begin(str(refusal))}")
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise RefusedReply("the provider's content filter took the text")
    content = message.get("content")
    if isinstance(content, list):  # some gateways send parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    if not isinstance(content, str) or not content.strip():
        raise MalformedReply(f"the message is empty{' (it ended at its length)' if finish == 'length' else ''}")
    if len(content) > _MAX_TEXT_CHARACTERS:
        raise MalformedReply(f"the message has {len(content):,} characters: {_begin(content)}")
    texts = read_items(content, cut=finish == "length")
    if not texts or (len(texts) == 1 and _REFUSAL.match(texts[0])):
        said = _THINKING.sub("", content).strip()
        if texts or _REFUSAL.match(said):
            raise RefusedReply(f"the model refuses: {_begin(said)}")
        raise MalformedReply(f"no list of texts in the message: {_begin(said or content)}")
    return [Completion(text, finish="stop") for text in texts[:count]]


def read_items(content: str, *, cut: bool = False) -> list[str]:
    r"""Return the texts of a message that was asked for JSON with a list; empty if there are none.

    Args:
        content: the message.
        cut: whether it ended at its length, so that its last text may be torn.

    >>> read_items('Sure!\n```json\n["to rest", "to eat" /* both */]\n```')
    ['to rest', 'to eat']
    >>> read_items('<think>{"items": ["no"]}</think>{"tails": [{"text": "to rest"}]}')
    ['to rest']
    >>> read_items('1. to rest\n2. to eat')
    ['to rest', 'to eat']
    >>> read_items('{"items": ["to rest", "to e', cut=True)
    ['to rest']
    """
    from json_repair import repair_json  # noqa: PLC0415 - not needed to build requests

    said = _THINKING.sub("", content).strip()
    fenced = _FENCE.search(said)
    candidate = (fenced[1] if fenced else said).strip()
    start = min((place for place in (candidate.find("{"), candidate.find("[")) if place >= 0), default=-1)
    if start >= 0:
        whole = candidate.rstrip().endswith(("]", "}"))
        try:
            texts = _texts(repair_json(candidate[start:], return_objects=True))
        except (ValueError, RecursionError) as error:  # brackets in brackets in brackets
            raise MalformedReply(f"the message cannot be read: {_begin(str(error))}") from None
        return texts[:-1] if cut and not whole else texts
    lines = [line for line in candidate.splitlines() if line.strip()]
    numbered = [_NUMBERED.sub("", line).strip() for line in lines if _NUMBERED.match(line)]
    return numbered[:-1] if cut else numbered


def _texts(value: Any) -> list[str]:
    """Return the texts of the first list of texts in a value, however it is wrapped."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        found = []
        for item in value:
            if isinstance(item, str):
                found.append(item)
            elif isinstance(item, list | dict):
                found.extend(_texts(item))
        return [text for text in found if text.strip()]
    if isinstance(value, dict):
        inner = [value[name] for name in value if name not in ("error", "refusal")]
        for kind in (list, dict):
            for one in inner:
                if isinstance(one, kind) and (texts := _texts(one)):
                    return texts
        return [one for one in inner if isinstance(one, str) and one.strip()]
    return []


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in values if isinstance(value, int | float)] if isinstance(values, list) else []


def _begin(text: str) -> str:
    return " ".join(text[:400].split())[:120]
