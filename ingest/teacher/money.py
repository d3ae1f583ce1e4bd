"""Money: the price of a model, the cost of a plan, and a budget that is never exceeded.

A budget counts requests in flight by the most that they can cost, so a reply never breaks it. Prices come from a dated
file that the user may edit; a model that is not in it has no price, and then only tokens are counted.
"""

import datetime as dt
import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from ingest.teacher.messages import Request, Usage
from kg.errors import InputError, TeacherError

_MILLION = 1_000_000
_TAIL_TOKENS = 6  # of a usual tail, JSON around it included
_Dollars = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]  # for a million tokens; neither nan nor inf


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: of prompts.
        output: of completions.
        source: where the price comes from, with its date.
    """

    input: float
    output: float
    source: str

    def of(self, usage: Usage) -> float:
        """Return what tokens cost, in US dollars."""
        return (self.input * usage.prompt_tokens + self.output * usage.completion_tokens) / _MILLION


FREE = Price(0.0, 0.0, "a model of this machine")
"""The price of a local teacher, whatever its name is."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and money that requests will need.

    Attributes:
        requests: how many there are.
        prompt_tokens: about how many.
        completion_tokens: about how many.
        most_completion_tokens: how many at most.
        price: of the model; None if it is not known.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    most_completion_tokens: int
    price: Price | None

    def __str__(self) -> str:
        if not self.requests:
            return "nothing is left to ask for"
        tokens = (
            f"{self.requests:,} requests, about {self.prompt_tokens:,} prompt and {self.completion_tokens:,} "
            f"completion tokens (at most {self.most_completion_tokens:,})"
        )
        if self.price is None:
            return f"{tokens}; the model's price is not known, so tokens only"
        if self.price == FREE:
            return f"{tokens}; it costs nothing, as the model runs on this machine"
        about, most = (
            self.price.of(Usage(self.prompt_tokens, written))
            for written in (self.completion_tokens, self.most_completion_tokens)
        )
        return f"{tokens}; about ${about:,.4f}, at most ${most:,.4f} (prices: {self.price.source})"


class _Entry(msgspec.Struct):
    input: _Dollars
    output: _Dollars


class _PriceFile(msgspec.Struct):
    date: dt.date
    models: dict[str, _Entry]
    batch: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


def price_of(model: str, workspace: Path, *, batch: bool = False) -> Price | None:
    """Return the price of a model, or None if it is not known.

    Args:
        model: the model's name; a date after the name in the file is the same model.
        workspace: a `prices.toml` there is read instead of the shipped one.
        batch: whether by the batch interface.

    Raises:
        InputError: the price file is not as described.
    """
    own = workspace / "prices.toml"
    try:
        text = own.read_text(encoding="utf-8") if own.is_file() else _shipped()
        content = msgspec.convert(tomllib.loads(text), _PriceFile)
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{own} is not a price file like the shipped one: {why}; mend it or move it away") from error
    known = [name for name in content.models if re.fullmatch(rf"{re.escape(name)}(-[\d-]+)?", model)]
    if not known:
        return None
    share, entry = content.batch if batch else 1.0, content.models[max(known, key=len)]
    source = f"{content.date}, {own if own.is_file() else 'shipped; edit .kg/prices.toml'}"
    return Price(share * entry.input, share * entry.output, source)


def estimate(requests: Iterable[Request], price: Price | None) -> Estimate:
    """Return what requests will need, in one pass."""
    number = prompt = usual = most = 0
    for request in requests:
        number += 1
        prompt += request.about_prompt_tokens
        usual += min(request.count * _TAIL_TOKENS, request.most_completion_tokens)
        most += request.most_completion_tokens
    return Estimate(number, prompt, usual, most, price)


class Budget:
    """Money that may be spent, of which requests in flight reserve the most that they can cost.

    Attributes:
        limit: US dollars; None if there is no limit.
        spent: US dollars.
        reservations: number of requests for which money is reserved.
    """

    def __init__(self, limit: float | None, price: Price | None, spent: Usage) -> None:
        """Open a budget.

        Args:
            limit: US dollars, or None.
            price: of the model.
            spent: what the run has spent before.

        Raises:
            TeacherError: there is a limit, but no price to count by.
        """
        if limit is not None and price is None:
            raise TeacherError("a budget needs a price; enter the model in .kg/prices.toml, or leave --budget out")
        self.limit = limit
        self._price = price
        self.spent = price.of(spent) if price else 0.0
        self.reservations = 0
        self._reserved = 0.0

    def reserve(self, request: Request) -> bool:
        """Reserve the most that a request can cost; False if that would exceed the limit."""
        most = self._most(request)
        if self.limit is not None and self.spent + self._reserved + most > self.limit:
            return False
        self._reserved += most
        self.reservations += 1
        return True

    def needed(self, request: Request) -> float:
        """Return the smallest limit, in whole hundredths of a cent, with which a request could still be sent."""
        return math.ceil((self.spent + self._most(request)) * 10_000 + 1e-6) / 10_000

    def settle(self, request: Request, usage: Usage) -> None:
        """Give back what was reserved for a request, and count what it cost."""
        self.reservations -= 1
        self._reserved = self._reserved - self._most(request) if self.reservations else 0.0
        self.spent += self._price.of(usage) if self._price else 0.0

    def _most(self, request: Request) -> float:
        usage = Usage(request.most_prompt_tokens, request.most_completion_tokens)
        return self._price.of(usage) if self._price else 0.0


def _shipped() -> str:
    return resources.files("ingest").joinpath("teacher/prices.toml").read_text(encoding="utf-8")
