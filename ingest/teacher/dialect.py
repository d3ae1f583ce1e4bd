"""Dialects: servers differ in the parameters that they know, and a request can be worded for each of them.

A server that refuses a parameter names it in its error's `param` (or FastAPI's `detail`): then one word of the dialect
says the request otherwise. Some gateways say with a code that a parameter is the matter, and name it in prose only:
then words are tried, one after the other. Prose itself is never read. A word is learnt when the request succeeds in it.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import combinations
from typing import Any

from ingest.teacher.messages import Request

_PARAMETERS: dict[str, frozenset[str]] = {
    "no-schema": frozenset({"response_format", "json_schema", "guided_json", "grammar"}),
    "max-completion-tokens": frozenset({"max_tokens"}),
    "no-sampling": frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"}),
    "no-logprobs": frozenset({"logprobs", "top_logprobs"}),
    "no-seed": frozenset({"seed"}),
}
"""The words that may be learnt of a server, and the parameters that it names when it refuses them."""
_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "unrecognized_parameter"})
_CODE_OF_SIZE = re.compile(r"length|above|too_|exceed|maximum|filter|polic|quota", re.IGNORECASE)  # means the prompt


def reword(request: Request, words: AbstractSet[str]) -> Request:
    """Return a request in words of the dialect."""
    body = dict(request.body)
    if "no-schema" in words:
        body.pop("response_format", None)
    if "max-completion-tokens" in words and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if "no-sampling" in words:
        body = {name: value for name, value in body.items() if name not in _PARAMETERS["no-sampling"]}
    if "no-logprobs" in words:
        body.pop("logprobs", None)
    if "no-seed" in words:
        body.pop("seed", None)
    return replace(request, body=body)


def wordings(request: Request, words: AbstractSet[str]) -> list[Request]:
    """Return the different wordings of a request in parts of a dialect, all of its words first."""
    known = sorted(words)
    parts = (part for size in range(len(known), -1, -1) for part in combinations(known, size))
    return list({worded.key: worded for worded in (reword(request, set(part)) for part in parts)}.values())


def refused_word(refusal: Any, request: Request) -> str | None:
    """Return the word that rids a refused request of the parameter that the refusal names; None if it names none.

    Args:
        refusal: the body of the error: an object with `param` and `code`, or FastAPI's `detail`.
        request: as it was sent.
    """
    fault = refusal if isinstance(refusal, Mapping) else {}
    if _CODE_OF_SIZE.search(str(fault.get("code") or "")):
        return None
    named = {fault["param"]} if isinstance(fault.get("param"), str) else set()
    detail = fault.get("detail")
    for one in detail if isinstance(detail, list) else []:
        place = one.get("loc") if isinstance(one, Mapping) else None
        if isinstance(place, list) and len(place) > 1 and place[0] == "body" and isinstance(place[1], str):
            named.add(place[1])
    names = {re.split(r"[.\[]", name, maxsplit=1)[0] for name in named}
    words = (word for word, parameters in _PARAMETERS.items() if parameters & names)
    return next((word for word in words if _changes(request, word)), None)


def possible_words(refusal: Any, request: Request) -> tuple[str, ...]:
    """Return the words that may help when a refusal says by its code alone that some parameter is the matter."""
    fault = refusal if isinstance(refusal, Mapping) else {}
    if str(fault.get("code")) not in _CODES or fault.get("param"):
        return ()
    return tuple(word for word in _PARAMETERS if _changes(request, word))


def trials(words: tuple[str, ...]) -> Iterator[frozenset[str]]:
    """Yield the sets of words to try, the smallest first.

    >>> [sorted(words) for words in trials(("a", "b"))]
    [['a'], ['b'], ['a', 'b']]
    """
    for size in range(1, len(words) + 1):
        yield from map(frozenset, combinations(words, size))


def _changes(request: Request, word: str) -> bool:
    return reword(request, {word}).key != request.key
