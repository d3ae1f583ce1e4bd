from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.teacher.asking import Outcome, Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Request
from ingest.teacher.money import Budget, Price
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.prompts import Prompts
from tests.teacher.provider import Provider

PRICE = Price(1.0, 2.0, "a test")
EVENTS = ("PersonX naps", "PersonX fires PersonY", "PersonX jams the office photocopier")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as opened:
        yield opened


class Asked:
    """What came of asking a provider: outcomes by the request's name, and the numbers."""

    def __init__(self, outcomes: list[Outcome], tally: Tally, budget: Budget) -> None:
        self.outcomes = {outcome.request.id: outcome for outcome in outcomes}
        self.tally = tally
        self.budget = budget

    def texts(self, name: str) -> list[str]:
        reply = self.outcomes[name].reply
        return [one.text for one in reply.completions] if reply else []


Ask = Callable[..., Asked]


@pytest.fixture
def ask(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the provider about some events, as `kg ingest inferences` does, but without a graph."""
    monkeypatch.setattr("ingest.teacher.asking._backoff", lambda _state: 0.01)

    def run(
        *, interface: str = "chat", events: tuple[str, ...] = EVENTS, count: int = 3, in_flight: int = 8,
        seconds: float = 5, budget: float | None = None, name: str = "run-1", key: str | None = None, model: str = "m",
    ) -> Asked:  # fmt: skip
        teacher = OpenAITeacher(model, interface, base_url=provider.url, api_key=key, timeout_seconds=seconds)
        with ReplyCache.open(tmp_path / "replies") as cache:
            teacher.dialect = cache.dialect(teacher.server)
            money = Budget(budget, PRICE, cache.paid(name))
            tally = Tally()
            requests = requests_for(teacher, events, count)
            outcomes = list(ask_all(teacher, requests, cache, name, money, tally=tally, in_flight=in_flight))
        return Asked(outcomes, tally, money)

    return run


def requests_for(teacher: OpenAITeacher, events: tuple[str, ...], count: int) -> Iterator[Request]:
    prompts = Prompts("paper")
    for event in events:
        text = prompts.for_inferences(event, "xWant").text
        said = prompts.for_chat(text, count) if teacher.interface == "chat" else text
        yield teacher.request(event, said, count, prompts.settings("inferences"))
