"""What a teacher is asked and what it answered: values between the prompts above and a provider below."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

Interface = Literal["completions", "chat", "local"]
Kind = Literal["events", "inferences"]


@dataclass(frozen=True)
class Request:
    """One request, exactly as it is sent.

    Attributes:
        id: what it is for, unique in its run; also the custom id in a batch.
        url: where it goes.
        body: the JSON that is sent.
        count: how many texts are asked for.
        kind: what they are.
    """

    id: str
    url: str
    body: Mapping[str, Any]
    count: int
    kind: Kind = "inferences"

    @cached_property
    def key(self) -> str:
        """32 hex characters over address and body: what makes two requests the same."""
        content = json.dumps([self.url, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    @property
    def most_prompt_tokens(self) -> int:
        """More tokens than its prompt can have: one a byte, and some for the frame of a chat."""
        prompt = self.body.get("prompt") or self.body.get("messages")
        return len(json.dumps(prompt, ensure_ascii=False).encode()) + 16

    @property
    def about_prompt_tokens(self) -> int:
        """About how many tokens its prompt has: one for four bytes of UTF-8, as English has."""
        return self.most_prompt_tokens // 4

    @property
    def most_completion_tokens(self) -> int:
        """How many tokens the answer can have at most."""
        limit = self.body.get("max_tokens") or self.body.get("max_completion_tokens") or 0
        return int(limit) * int(self.body.get("n") or 1)

    @property
    def assumed_usage(self) -> "Usage":
        """What it is taken to have cost when nobody says: its prompt, and the longest answer."""
        return Usage(self.about_prompt_tokens, self.most_completion_tokens)


class Completion(NamedTuple):
    """One text that a teacher wrote.

    Attributes:
        text: as it came.
        logprob: mean log-probability of its tokens, at most 0, where the teacher gave them.
        finish: why it ended: stop, length, content_filter or what else the teacher says; None if it does not say.
        total: sum of the log-probabilities of its tokens.
    """

    text: str
    logprob: float | None = None
    finish: str | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply cost, in tokens; by batch a token counts half where money is meant."""

    prompt_tokens: float = 0
    completion_tokens: float = 0

    def plus(self, other: "Usage", share: float = 1) -> "Usage":
        """Return the sum with a share of another."""
        return Usage(
            self.prompt_tokens + share * other.prompt_tokens, self.completion_tokens + share * other.completion_tokens
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An accepted answer.

    Attributes:
        completions: its texts, as many as could be read.
        raw: the answer as it came, JSON.
        model: the model as the server reported it.
        usage: its tokens.
        wait_seconds: how long the server wants no other request; None if it does not say.
        share: of the price that it cost.
    """

    completions: tuple[Completion, ...]
    raw: str
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    wait_seconds: float | None = None
    share: float = 1.0
