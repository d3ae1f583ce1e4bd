"""Every way in which a provider or a model misbehaves has an outcome: retried, salvaged, or one prompt's failure."""

import asyncio
import gc
import json
import signal
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from kg.errors import TeacherError
from tests.teacher.conftest import EVENTS, Ask
from tests.teacher.provider import Provider, error, said

FIRST = EVENTS[0]


SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


def once(answer: Callable[[], Any]) -> Callable[[int, dict], Any]:
    """Misbehave at the first request only."""
    return lambda number, _body: answer() if number == 1 else None


def always(answer: Callable[[], Any], event: str = "Alex naps") -> Callable[[int, dict], Any]:
    """Misbehave whenever an event is asked about."""
    return lambda _number, body: answer() if event in json.dumps(body) else None


async def never() -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


RETRIED = {
    "too many requests": lambda: error(429, retry_after="0.1"),
    "server error": lambda: error(500),
    "bad gateway with a page": lambda: web.Response(status=502, text="<html>no</html>", content_type="text/html"),
    "overloaded": lambda: error(503, retry_after_ms="50"),
    "reset": lambda: "reset",
    "slow drip": lambda: "drip",
    "no answer": never,
    "wrong content type": lambda: web.Response(text="<html>hello</html>", content_type="text/html"),
    "empty body": lambda: web.Response(text="", content_type="application/json"),
    "no choices": lambda: web.json_response({"choices": []}),
    "choices are no list": lambda: web.json_response({"choices": "x"}),
    "an error with status 200": lambda: web.json_response({"error": {"message": "overloaded"}}),
    "not an object": lambda: web.json_response([1, 2]),
    "body cut short": lambda: web.Response(text='{"choices": [{"mess', content_type="application/json"),
    "empty message": lambda: said(""),
    "message is null": lambda: web.json_response({"choices": [{"message": None}]}),
    "all of it thinking": lambda: said("<think>what to write", finish="length"),
    "chat instead of a list": lambda: said("Certainly! Here is what I think about it."),
    "a megabyte": lambda: said("x " * 500_000),
    "brackets without end": lambda: said("[" * 50_000),
}


@pytest.mark.parametrize("name", RETRIED)
def test_what_may_pass_is_asked_again(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = once(RETRIED[name])
    asked = ask(seconds=0.8 if name in ("slow drip", "no answer") else 30)
    assert [len(asked.texts(event)) for event in EVENTS] == [3, 3, 3]
    assert (asked.tally.failed, asked.tally.retries) == (0, 1)
    assert len(provider.bodies) == 4


@pytest.mark.parametrize("name", ["server error", "reset", "no choices", "chat instead of a list", "a megabyte"])
def test_what_does_not_pass_is_one_prompts_failure(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = always(RETRIED[name])
    asked = ask()
    assert asked.outcomes[FIRST].failure
    assert asked.outcomes[FIRST].reply is None
    assert [len(asked.texts(event)) for event in EVENTS] == [0, 3, 3]
    assert 2 <= asked.tally.retries <= 8, "retries are bounded"
    provider.misbehave = lambda _number, _body: None
    before = len(provider.bodies)
    again = ask()
    assert len(again.texts(FIRST)) == 3
    assert len(provider.bodies) == before + 1, "only the failure is asked again"


SALVAGED = {
    "fenced": '```json\n{"items": ["a b", "c d", "e f"]}\n```',
    "fenced, with words around": 'Sure:\n```\n{"items": ["a b", "c d", "e f"]}\n```\nAnything else?',
    "comments": '{"items": [ // three\n "a b", "c d", /* last */ "e f", ]}',
    "a list where an object was asked": '["a b", "c d", "e f"]',
    "other keys": '{"answers": [{"tail": "a b"}, {"tail": "c d"}, {"tail": "e f"}]}',
    "numbered keys": '{"1": "a b", "2": "c d", "3": "e f"}',
    "thinking first": '<think>{"items": ["no"]} hm</think>\n{"items": ["a b", "c d", "e f"]}',
    "thinking that never ends well": '<think>so</think>["a b", "c d", "e f"]',
    "single quotes": "{'items': ['a b', 'c d', 'e f']}",
    "a numbered list": "1. a b\n2) c d\n3. e f",
    "bullets": "- a b\n- c d\n* e f",
    "more than asked": '{"items": ["a b", "c d", "e f", "g h", "i j"]}',
}


@pytest.mark.parametrize("name", SALVAGED)
def test_what_is_meant_is_read(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = always(lambda: said(SALVAGED[name]))
    assert ask().texts(FIRST) == ["a b", "c d", "e f"]


@pytest.mark.parametrize(
    ("content", "finish", "texts"),
    [
        ('{"items": ["a b", "c', "length", ["a b"]),
        ('{"items": ["a b", "c d"', "stop", ["a b", "c d"]),
        ('{"item": "a b"}', "stop", ["a b"]),
        ('{"items": "a b"}', "stop", ["a b"]),
        ('{"items": ["a b"]}', "stop", ["a b"]),
    ],
)
def test_fewer_texts_than_asked_are_kept(
    ask: Ask, provider: Provider, content: str, finish: str, texts: list[str]
) -> None:
    provider.misbehave = always(lambda: said(content, finish))
    assert ask().texts(FIRST) == texts


REFUSED = {
    "refusal field": lambda: said("", refusal="I cannot help with that."),
    "refusal in words": lambda: said("I'm sorry, but I can't help with that."),
    "refusal in JSON": lambda: said('{"items": ["I cannot assist with this request."]}'),
    "content filter": lambda: said("", finish="content_filter"),
    "content filter at the prompt": lambda: error(400, "filtered", "content_filter"),
    "moderation": lambda: error(403, "Your input was flagged"),
    "too long a prompt": lambda: error(400, "maximum context length is 8 tokens"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_prompts_failure_at_once_and_never_kept(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = always(REFUSED[name])
    asked = ask()
    assert asked.outcomes[FIRST].failure
    assert (asked.tally.failed, asked.tally.retries) == (1, 0)
    provider.misbehave = lambda _number, _body: None
    assert len(ask().texts(FIRST)) == 3, "it is asked again by the next run"


FATAL = {
    "wrong key": (lambda: error(401, "Incorrect API key provided"), "OPENAI_API_KEY"),
    "no rights": (lambda: error(403), "OPENAI_API_KEY"),
    "unknown model": (lambda: error(404, "The model `m` does not exist"), "no model 'm'"),
    "no money": (lambda: error(429, "You exceeded your current quota", "insufficient_quota"), "no money"),
    "payment required": (lambda: error(402), "no money"),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_wrong_key_or_model_stops_at_the_first_reply(ask: Ask, provider: Provider, name: str) -> None:
    answer, message = FATAL[name]
    provider.misbehave = lambda _number, _body: answer()
    with pytest.raises(TeacherError, match=message) as caught:
        ask(in_flight=1)
    assert "\n" not in str(caught.value)
    assert len(provider.bodies) == 1


def test_a_provider_that_only_fails_is_given_up(ask: Ask, provider: Provider) -> None:
    provider.misbehave = lambda _number, _body: error(400, "nonsense")
    with pytest.raises(TeacherError, match=r"20 requests in a row failed; the last: .*nonsense"):
        ask(events=tuple(f"PersonX does {number}" for number in range(200)))
    assert len(provider.bodies) < 40


def test_nobody_at_the_address_is_said(ask: Ask, provider: Provider) -> None:
    provider.url = "http://127.0.0.1:9/v1"
    asked = ask(seconds=1)
    assert "the connection to http://127.0.0.1:9/v1 failed" in str(asked.outcomes[FIRST].failure)
    assert asked.budget.spent == 0, "nothing was sent, so nothing was paid"


def test_what_a_server_does_not_know_is_left_out_and_remembered(ask: Ask, provider: Provider) -> None:
    def misbehave(_number: int, body: dict) -> Any:
        if "response_format" in body:
            return error(400, "no", None, "response_format.json_schema")
        if "max_tokens" in body:
            return error(400, "no", "unsupported_parameter", "max_tokens")
        if "temperature" in body or "top_p" in body:
            return error(422, "no", "unsupported_value", "temperature")
        return None

    provider.misbehave = misbehave
    asked = ask(in_flight=1)
    assert [len(asked.texts(event)) for event in EVENTS] == [3, 3, 3]
    assert len(provider.bodies) == 3 + 3
    assert provider.bodies[-1].keys() == {"model", "messages", "max_completion_tokens"}
    assert ask().tally.cached == 3
    assert len(provider.bodies) == 6, "a rerun asks nothing, not even what the server knows"


PROSE = {
    "a sentence": lambda _body: error(400, "Please stop: your prompt is about temperature, top_p and max_tokens"),
    "the request said back": lambda body: error(400, json.dumps(body)),
    "the request as the error": lambda body: web.json_response({"error": body}, status=400),
    "a parameter of the prompt": lambda _body: error(400, "response_format", None, "messages[0].content"),
    "a length": lambda _body: error(400, "max_tokens", "context_length_exceeded", "max_tokens"),
    "a number as the parameter": lambda _body: web.json_response({"error": {"param": 7, "code": []}}, status=400),
    "a list": lambda _body: web.json_response(["temperature", "stop"], status=400),
    "the parameter, of a request that fails all the same": lambda _body: error(400, "no", None, "temperature"),
    "details about nothing": lambda _body: web.json_response(
        {"detail": [{"loc": ["body"]}, {"loc": 1}, 2, {"loc": ["body", 3]}, {"loc": ["query", "stop"]}]}, status=422
    ),
}


@pytest.mark.parametrize("name", PROSE)
def test_one_refusal_changes_nothing_for_the_others(ask: Ask, provider: Provider, name: str) -> None:
    ask(events=EVENTS[1:2])
    provider.misbehave = lambda _number, body: PROSE[name](body) if "Alex naps" in json.dumps(body) else None
    asked = ask(in_flight=1)
    assert asked.outcomes[FIRST].failure
    assert (asked.tally.failed, asked.tally.cached, asked.tally.asked) == (1, 1, 1)
    last = provider.bodies[-1]
    assert {"temperature", "top_p", "max_tokens", "response_format"} <= last.keys()
    assert ask(events=EVENTS[1:]).tally.cached == 2, "what was paid for is found"


def test_details_of_a_validating_server_name_the_parameter(ask: Ask, provider: Provider) -> None:
    fault = {"detail": [{"loc": ["body", "response_format"], "msg": "extra fields not permitted"}]}
    provider.misbehave = lambda _number, body: (
        web.json_response(fault, status=422) if "response_format" in body else None
    )
    asked = ask(in_flight=1)
    assert (asked.tally.asked, asked.tally.failed) == (3, 0)
    assert len(provider.bodies) == 4


@pytest.mark.parametrize("code", ["unsupported_parameter", "unsupported_value", "unknown_parameter"])
@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        (["temperature"], {"model", "messages", "max_tokens", "response_format"}),
        (["max_tokens"], {"model", "messages", "max_completion_tokens", "response_format", *SAMPLING}),
        (["response_format"], {"model", "messages", "max_tokens", *SAMPLING}),
        (["max_tokens", "top_p"], {"model", "messages", "max_completion_tokens", "response_format"}),
        (["response_format", "max_tokens", "temperature"], {"model", "messages", "max_completion_tokens"}),
    ],
)
def test_a_parameter_that_is_refused_by_code_alone_is_found_by_trying(
    ask: Ask, provider: Provider, code: str, refused: list[str], sent: set[str]
) -> None:
    provider.misbehave = lambda _number, body: (
        error(400, f"Unsupported: {sorted(set(refused) & set(body))}", code) if set(refused) & set(body) else None
    )
    asked = ask(in_flight=4)
    assert (asked.tally.asked, asked.tally.failed) == (3, 0)
    assert provider.bodies[-1].keys() == sent, "nothing is left out that the server knows"
    tries = len(provider.bodies)
    assert tries <= 3 + 7 + 3, "one request tries, the others wait for what it learns"
    assert ask().tally.cached == 3
    ask(events=("PersonX sings",))
    assert len(provider.bodies) == tries + 1, "it is learnt"


@pytest.mark.parametrize("code", ["unsupported_parameter", "invalid_request_error", None, 7])
def test_a_refusal_that_no_wording_mends_teaches_nothing(ask: Ask, provider: Provider, code: Any) -> None:
    body = {"error": {"message": "temperature, max_tokens: unsupported parameter", "code": code}}
    provider.misbehave = always(lambda: web.json_response(body, status=400))
    asked = ask(in_flight=1)
    assert "the request was refused (400): " in asked.outcomes[FIRST].failure
    assert (asked.tally.failed, asked.tally.asked) == (1, 2)
    assert len(provider.bodies) == 2 + (8 if code == "unsupported_parameter" else 1)
    assert {"temperature", "max_tokens", "response_format"} <= provider.bodies[-1].keys()


def test_what_was_paid_for_before_a_word_was_learnt_is_found_again(ask: Ask, provider: Provider) -> None:
    ask(events=EVENTS[:1])
    words = ["response_format"]
    provider.misbehave = lambda _number, body: next(
        (error(400, "no", None, word) for word in words if word in body), None
    )
    ask(events=EVENTS[:2])
    words.append("temperature")
    ask(in_flight=1)
    before = len(provider.bodies)
    assert ask().tally.cached == 3, "as first made, in one word, and in two"
    assert len(provider.bodies) == before


def test_a_busy_provider_gets_fewer_requests_at_once_and_is_left_alone_as_long_as_it_asks(
    ask: Ask, provider: Provider
) -> None:
    moments: list[float] = []

    def misbehave(number: int, _body: dict) -> Any:
        moments.append(time.monotonic())
        if number > 16:
            return None
        provider.most = 0  # counted anew after the last refusal
        return error(429, retry_after="0.6")

    provider.misbehave = misbehave
    events = tuple(f"PersonX counts to {number}" for number in range(48))
    provider.seconds = 0.05
    asked = ask(events=events, in_flight=16)
    assert asked.tally.failed == 0
    assert max(after - before for before, after in pairwise(moments[:17])) > 0.5
    assert len(provider.bodies[16:]) == 48
    assert 1 < provider.most < 16


def test_the_headers_of_a_good_reply_are_heeded(ask: Ask, provider: Provider) -> None:
    moments: list[float] = []

    def misbehave(number: int, body: dict) -> Any:
        moments.append(time.monotonic())
        headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "500ms"}
        return web.json_response(provider.reply(body), headers=headers) if number == 1 else None

    provider.misbehave = misbehave
    ask(in_flight=1)
    assert moments[1] - moments[0] > 0.45


def test_completions_have_logprobs_and_reasons_to_end(ask: Ask, provider: Provider) -> None:
    asked = ask(interface="completions")
    (reply,) = {asked.outcomes[FIRST].reply}
    assert [one.finish for one in reply.completions] == ["stop"] * 3
    assert all(-5 < one.logprob <= 0 and one.total <= one.logprob for one in reply.completions)
    body = provider.bodies[0]
    assert (body["n"], body["top_p"], body["max_tokens"], body["stop"]) == (3, 0.9, 12, ["\n\n"])
    assert body["prompt"].endswith("wants")


@pytest.mark.parametrize(("given", "kept"), [(1, 1), (5, 3)])
def test_another_number_of_choices_is_taken_as_it_comes(ask: Ask, provider: Provider, given: int, kept: int) -> None:
    provider.misbehave = always(
        lambda: web.json_response(
            {"choices": [{"text": f" t {place}", "finish_reason": "stop"} for place in range(given)]}
        )
    )
    assert len(ask(interface="completions").texts(FIRST)) == kept


def test_an_azure_style_gateway_gets_its_query_and_its_header(ask: Ask, provider: Provider) -> None:
    provider.url += "?api-version=2026-01-01"
    ask(key="secret")
    assert provider.headers[0]["api-key"] == "secret"
    assert provider.queries[0] == "api-version=2026-01-01"


def test_the_same_request_in_flight_is_asked_once(ask: Ask, provider: Provider) -> None:
    provider.seconds = 0.1
    asked = ask(events=EVENTS[:1] * 5)
    assert (asked.tally.asked, asked.tally.cached) == (1, 4)
    assert len(provider.bodies) == 1


def test_a_provider_that_fails_half_way_is_given_up(ask: Ask, provider: Provider) -> None:
    provider.misbehave = lambda number, _body: error(400, "nonsense") if number > 30 else None
    with pytest.raises(TeacherError, match="20 requests in a row failed"):
        ask(events=tuple(f"PersonX does {number}" for number in range(200)))
    assert len(provider.bodies) < 70


def test_a_message_about_the_length_teaches_no_dialect(ask: Ask, provider: Provider) -> None:
    too_long = "'max_tokens' or 'max_completion_tokens' is too large; the model's context length is 8"
    provider.misbehave = always(lambda: error(400, too_long))
    asked = ask(in_flight=1)
    assert asked.outcomes[FIRST].failure
    assert "max_tokens" in provider.bodies[-1]


@pytest.mark.parametrize("step", [*range(1, 9), 14, 16, 20, 23, 27, 30])
def test_an_interrupt_between_any_two_steps_leaves_the_loop_in_order(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, step: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Steps are counted that the event loop makes while an outcome is awaited, and when it is there."""
    left, plain_run = step, asyncio.Handle._run  # noqa: SLF001 - what the loop calls

    def counted(handle: asyncio.Handle) -> None:
        nonlocal left
        plain_run(handle)
        if threading.current_thread() is not threading.main_thread():  # of the provider's loop
            return
        left -= 1
        if not left:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(asyncio.Handle, "_run", counted)
    with pytest.raises(KeyboardInterrupt):
        ask(in_flight=2)
    gc.collect()  # what was left open would be told here, and nobody else is told of it
    assert capfd.readouterr().err == ""
