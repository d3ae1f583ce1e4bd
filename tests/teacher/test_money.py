"""What a run costs is said before, never exceeded, and never paid twice."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingest.teacher.cache import Loss, ReplyCache
from ingest.teacher.messages import Request, Usage
from ingest.teacher.money import Budget, Price, estimate, price_of
from kg.errors import InputError, KGError, TeacherError
from tests.teacher.conftest import EVENTS, PRICE, Ask
from tests.teacher.provider import Provider, error, said
from tests.teacher.test_errors import never


def test_the_longest_name_that_fits_has_the_price(tmp_path: Path) -> None:
    full, mini = price_of("gpt-4o-2024-08-06", tmp_path), price_of("gpt-4o-mini-2024-07-18", tmp_path)
    assert full.input > mini.input
    assert price_of("gpt-4ohm", tmp_path) is None
    assert price_of("gpt-4o-audio-preview", tmp_path) is None, "another model, at another price"
    assert price_of("gpt-4o", tmp_path, batch=True).output == full.output / 2
    assert "2025-08-01" in full.source


def test_the_users_own_prices_win_and_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('date = 2026-01-01\n[models]\n"m" = { input = 1, output = 2 }\n')
    assert price_of("m", tmp_path).of(Usage(1_000_000, 500_000)) == 2
    assert price_of("gpt-4o", tmp_path) is None
    (tmp_path / "prices.toml").write_text('date = 2026-01-01\n[models]\n"m" = { input = "a lot" }\n')
    with pytest.raises(InputError, match=r"prices\.toml is not a price file"):
        price_of("m", tmp_path)


PRICES = {
    "nan": "input = nan, output = 1.0",
    "inf": "input = 1.0, output = inf",
    "-inf": "input = 1.0, output = -inf",
    "negative": "input = -1.0, output = 1.0",
    "a text": 'input = "1.0", output = 1.0',
    "true": "input = true, output = 1.0",
    "a list": "input = [1.0], output = 1.0",
    "no output": "input = 1.0",
    "more than there is": "input = 1e300, output = 1.0",
}


@pytest.mark.parametrize("name", PRICES)
def test_a_price_that_is_none_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "prices.toml").write_text(f'date = 2026-01-01\n[models]\n"m" = {{ {PRICES[name]} }}\n')
    with pytest.raises(InputError, match=r"prices\.toml is not a price file like the shipped one: .*mend it") as caught:
        price_of("m", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"models = 7", b"models = []", b"date = 2026-01-01", b"[models]\n", b"date = 7\n[models]\n",
     b"a = [" * 9999,
     b"date = 2026-01-01\nbatch = nan\n[models]\n", b"date = 2026-01-01\nbatch = -1\n[models]\n",
     b"date = 2026-01-01\nbatch = '0.5'\n[models]\n", b"date = 2026-01-01\n[models]\nm = 3\n"],
)  # fmt: skip
def test_a_price_file_of_another_shape_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "prices.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"prices\.toml is not a price file") as caught:
        price_of("m", tmp_path, batch=True)
    assert "\n" not in str(caught.value)


def test_an_estimate_counts_what_is_asked() -> None:
    body = {"prompt": "x" * 400, "max_tokens": 12, "n": 10}
    found = estimate((Request(str(number), "u", body, 10) for number in range(5)), Price(1, 2, "a test"))
    assert (found.requests, found.completion_tokens, found.most_completion_tokens) == (5, 300, 600)
    assert 400 <= found.prompt_tokens <= 600
    assert "5 requests" in str(found)
    assert "not known" in str(estimate([Request("a", "u", body, 10)], None))


def test_a_budget_without_a_price_is_refused() -> None:
    with pytest.raises(TeacherError, match="needs a price"):
        Budget(1.0, None, Usage())


def test_the_same_request_is_never_paid_twice(ask: Ask, provider: Provider) -> None:
    first = ask()
    assert (first.tally.asked, first.tally.cached) == (3, 0)
    again = ask(name="another run")
    assert (again.tally.asked, again.tally.cached) == (0, 3)
    assert {name: one.reply for name, one in again.outcomes.items()} == {
        name: one.reply for name, one in first.outcomes.items()
    }
    assert again.budget.spent == 0, "the first run has paid"
    assert len(provider.bodies) == 3
    ask(model="another model")
    ask(count=4)
    assert len(provider.bodies) == 9, "another model or parameter is another request"


@pytest.mark.parametrize("in_flight", [1, 16])
def test_a_budget_is_never_exceeded_and_a_bigger_one_goes_on(ask: Ask, provider: Provider, in_flight: int) -> None:
    events = tuple(f"PersonX counts to {number}" for number in range(60))
    provider.seconds = 0.01
    limit = 0.02
    asked = ask(events=events, budget=limit, in_flight=in_flight)
    billed = PRICE.of(Usage(*map(sum, zip(*[_usage(provider, body) for body in provider.bodies], strict=True))))
    assert asked.budget.spent == pytest.approx(billed)
    assert limit - 0.01 < billed <= limit
    assert "budget of $0.02 is spent" in asked.tally.stopped
    assert asked.tally.failed == 0
    first = len(provider.bodies)
    assert len(ask(events=events, budget=limit).outcomes) == first, "what the run has spent before counts"
    assert len(provider.bodies) == first
    assert ask(events=events, budget=1.0).tally.cached == first
    assert len(provider.bodies) == 60


def test_the_budget_that_is_needed_is_named_and_is_enough(ask: Ask, provider: Provider) -> None:
    first = ask(events=EVENTS[:1], budget=0.0001)
    assert (first.tally.asked, provider.bodies) == (0, [])
    again = ask(events=EVENTS[:1], budget=float(f"{first.tally.needed:.10g}"))
    assert (again.tally.asked, again.tally.stopped) == (1, None)
    more = ask(budget=first.tally.needed, in_flight=1)
    assert more.tally.needed > first.tally.needed
    assert ask(budget=more.tally.needed, in_flight=1).tally.asked >= 1


def test_what_was_paid_for_nothing_counts(ask: Ask, provider: Provider) -> None:
    provider.misbehave = lambda number, _body: said("no list") if number == 1 else None
    asked = ask(in_flight=1)
    sent = sum(PRICE.of(Usage(*_usage(provider, body))) for body in provider.bodies[1:])
    assert asked.budget.spent == pytest.approx(sent + PRICE.of(Usage(100, 50)))


def test_what_is_on_its_way_when_a_process_ends_counts(ask: Ask, provider: Provider, tmp_path: Path) -> None:
    request = Request("a", "u", {"prompt": "x" * 4000, "max_tokens": 12, "n": 10}, 10)
    with ReplyCache.open(tmp_path / "replies") as cache:
        note = cache.note_sent(request, "run-1")
        cache.note_sent(request, "run-1")
        cache.note_settled(note)
    left = PRICE.of(Usage(request.about_prompt_tokens, 120))
    assert ask(events=()).budget.spent == pytest.approx(left)
    ask()
    with ReplyCache.open(tmp_path / "replies") as cache:
        sent = sum(PRICE.of(Usage(*_usage(provider, body))) for body in provider.bodies)
        assert PRICE.of(cache.paid("run-1")) == pytest.approx(left + sent), "what has landed counts once"


def test_a_server_that_does_not_say_what_it_cost_is_taken_at_the_most(ask: Ask, provider: Provider) -> None:
    def misbehave(_number: int, body: dict) -> web.Response:
        reply = provider.reply(body)
        del reply["usage"]
        return web.json_response(reply)

    provider.misbehave = misbehave
    asked = ask(events=EVENTS[:1])
    assert asked.budget.spent > PRICE.of(Usage(0, 500))
    assert ask(events=EVENTS[:1]).budget.spent == pytest.approx(asked.budget.spent), "also the next time"


def test_what_may_have_been_paid_for_is_told_from_what_was(ask: Ask, provider: Provider, tmp_path: Path) -> None:
    def misbehave(number: int, _body: dict) -> Any:
        return never() if number == 1 else said("no list") if number == 2 else None

    provider.misbehave = misbehave
    asked = ask(events=EVENTS[:1], seconds=1)
    assert asked.tally.unsure == 1
    with ReplyCache.open(tmp_path / "replies") as cache:
        losses = {loss.certain: (loss.reason, loss.requests) for loss in cache.losses("run-1")}
        assert cache.number("run-1") == 1
        assert PRICE.of(cache.paid("run-1")) == pytest.approx(asked.budget.spent)
    assert losses[False] == ("no answer within 1 s", 1)
    assert losses[True][1] == 1
    assert "no list" in losses[True][0]


def test_losses_of_an_older_version_may_have_been_paid_for(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "replies.sqlite") as older:
        older.execute(
            "CREATE TABLE losses (run TEXT, key TEXT, reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, "
            "share REAL, at TEXT DEFAULT CURRENT_TIMESTAMP)"
        )
        older.execute("INSERT INTO losses VALUES ('r', 'k', 'lost', 10, 5, 0.5, NULL)")
    older.close()
    for _ in range(2):
        with ReplyCache.open(tmp_path) as cache:
            assert cache.losses("r") == [Loss("lost", certain=False, requests=1, usage=Usage(5.0, 2.5))]


def test_a_reply_that_cannot_be_kept_counts_as_on_its_way(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ReplyCache, "put", full)
    with pytest.raises(KGError, match=r"replies\.sqlite: database or disk is full; make room there"):
        ask(events=EVENTS[:1])
    monkeypatch.undo()
    with ReplyCache.open(tmp_path / "replies") as cache:
        assert [(loss.certain, loss.requests) for loss in cache.losses("run-1")] == [(False, 1)]


def test_errors_cost_nothing(ask: Ask, provider: Provider) -> None:
    provider.misbehave = lambda number, _body: error(500) if number <= 2 else None
    asked = ask(in_flight=1, events=EVENTS[:1])
    assert asked.budget.spent == pytest.approx(PRICE.of(Usage(*_usage(provider, provider.bodies[-1]))))


def _usage(provider: Provider, body: dict) -> tuple[int, int]:
    usage = provider.reply(body)["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"]
