"""Requests to a teacher and its replies: values between prompts above and a provider below."""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from ingest.cleaning import Completion

Interface = Literal["completions", "chat", "local"]
RunKind = Literal["events", "inferences"]
TextKind = RunKind | Literal["verdicts"]
"""The kinds of text that are asked for; a verdict is the whole text of a message, for others to read."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt, and the first names in it that stand for persons."""

    text: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request, exactly as it is sent, with what it is for.

    Attributes:
        id: unique in the request's run, and shown in messages.
        url: where the request goes.
        body: the JSON that is sent.
        count: how many texts are asked for.
        kind: whether these texts are events, inferences or verdicts.
        prompt: from which the body was made; empty where only the body is known, as in a batch's file.
        event: about which inferences are asked for.
        relation: of which inferences are asked for.
        number: place among the requests for events, from 0.
    """

    id: str
    url: str
    body: Mapping[str, Any]
    count: int
    kind: TextKind = "inferences"
    prompt: Prompt = field(default_factory=lambda: Prompt(""))
    event: str = ""
    relation: str = ""
    number: int = 0

    @cached_property
    def key(self) -> str:
        """32 hex characters over address and body: what makes two requests the same."""
        content = json.dumps([self.url, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    @property
    def most_prompt_tokens(self) -> int:
        """More tokens than the prompt can have: one a byte, and some for the frame of a chat."""
        prompt = self.body.get("prompt") or self.body.get("messages")
        return len(json.dumps(prompt, ensure_ascii=False).encode()) + 16

    @property
    def about_prompt_tokens(self) -> int:
        """About how many tokens the prompt has: one for four bytes of UTF-8, as English has."""
        return self.most_prompt_tokens // 4

    @property
    def most_completion_tokens(self) -> int:
        """How many tokens the answer can have at most."""
        limit = self.body.get("max_tokens") or self.body.get("max_completion_tokens") or 0
        return int(limit) * int(self.body.get("n") or 1)

    @property
    def assumed_usage(self) -> "Usage":
        """The tokens that a request cost if the server does not say: its prompt, and the longest answer."""
        return Usage(self.about_prompt_tokens, self.most_completion_tokens)


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that a reply cost; by batch a token counts half where money is meant."""

    prompt_tokens: float = 0
    completion_tokens: float = 0

    def plus(self, other: "Usage", share: float = 1) -> "Usage":
        """Return the sum with a share of another usage."""
        return Usage(
            self.prompt_tokens + share * other.prompt_tokens, self.completion_tokens + share * other.completion_tokens
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An accepted answer.

    Attributes:
        completions: the texts of the answer, as many as could be read.
        raw: the answer as it came, JSON.
        model: the model as the server reported it.
        usage: the tokens that the answer cost.
        wait_seconds: how long the server wants no other request; None if it does not say.
        share: of the price that the answer cost.
    """

    completions: tuple[Completion, ...]
    raw: str
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    wait_seconds: float | None = None
    share: float = 1.0


class NotUnderstoodError(Exception):
    """The server does not know a parameter of a request that can be worded otherwise.

    Attributes:
        words: of the dialect (`ingest.teacher.dialect`), of which one or more may help.
        named: whether the server named the parameter, so that the first word is the right one.
    """

    def __init__(self, words: tuple[str, ...], *, named: bool, message: str) -> None:
        super().__init__(message)
        self.words = words
        self.named = named


class Teacher(Protocol):
    """A provider below, prompting above.

    Attributes:
        model: the name by which the model is asked for.
        interface: completions, chat or local.
        server: name under which the cache keeps what was learnt of the server and its model.
        dialect: the words that were learnt of the server (`ingest.teacher.dialect`).
    """

    model: str
    interface: Interface
    server: str
    dialect: set[str]

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text."""
        ...

    def reword(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:
        """Return a request in the dialect learnt so far, and in further words."""
        ...

    def wordings(self, request: Request) -> list[Request]:
        """Return all wordings in which a request may have been paid for: as now, as first made, and between."""
        ...

    async def ask(self, request: Request) -> Reply:
        """Return the reply, or raise `NotUnderstoodError` or what `kg.errors` has below `TeacherError`."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
