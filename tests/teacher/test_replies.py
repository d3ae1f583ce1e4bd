"""What counts in a reply: the asked texts and nothing else, whatever stands beside them."""

import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.cleaning import Completion, clean_events, clean_tails
from ingest.teacher.items import read_items
from ingest.teacher.replies import read_reply
from ingest.teacher.waits import wait_seconds
from kg.errors import MalformedReply, RefusedReply
from tests.teacher.conftest import EVENTS, PRICE, Ask
from tests.teacher.provider import Provider, said

FIRST = EVENTS[0]
NOTHING: list[str] = []

ITEMS: list[tuple[Any, list[str]]] = [
    ({"subject": "PersonX", "predicate": "xWant", "object": "to lie down"}, ["to lie down"]),
    ([{"head": "PersonX naps", "relation": "xWant", "tail": "to lie down"}], ["to lie down"]),
    ({"items": [{"tail": "to lie down", "explanation": "because naps are for the tired"}]}, ["to lie down"]),
    ({"items": [{"explanation": "because", "confidence": "high", "tail": "to rest"}]}, ["to rest"]),
    ({"items": [{"event": "PersonX naps", "inference": "to rest"}]}, ["to rest"]),
    ({"explanation": ["why"], "items": ["to rest"]}, ["to rest"]),
    ({"thoughts": ["hm"], "tails": ["to rest"]}, ["to rest"]),
    ({"Answers": ["to rest"]}, ["to rest"]),
    ({"answer1": "to rest", "answer_2": "to eat"}, ["to rest", "to eat"]),
    ({"status": "ok", "language": "English", "items": []}, NOTHING),
    ({"status": "ok", "items": None, "text": "nothing was found"}, NOTHING),
    ({"items": [], "tails": ["none"]}, NOTHING),
    ({"status": "ok"}, NOTHING),
    ({"error": "no"}, NOTHING),
    ({"message": "to rest"}, NOTHING),
    ({"object": "list", "model": "m"}, NOTHING),
    ({"items": [{"subject": "PersonX", "predicate": "xWant"}]}, NOTHING),
    ({"items": [{"explanation": "because naps are for the tired"}]}, NOTHING),
    ({"items": [1, None, True, 2.5, {}, []]}, NOTHING),
    ({"items": '["to lie down", "to rest"]'}, ["to lie down", "to rest"]),
    ({"items": ['{"tail": "to rest"}', '["to eat"]']}, ["to rest", "to eat"]),
    ({"items": "1. to rest\n2. to eat"}, ["to rest", "to eat"]),
    ({"items": '{"status": "ok"}'}, NOTHING),
    ({"items": ["1. to lie down", "2) to rest"]}, ["to lie down", "to rest"]),
    ({"items": ["- to rest", "• to eat", "* to go", "(3) to sit", "[4] to run", "– to hop"]},
     ["to rest", "to eat", "to go", "to sit", "to run", "to hop"]),
    ({"items": ["3 mugs", "2.5 miles", "10:30 bus", "-5 degrees", "1.to rest"]},
     ["3 mugs", "2.5 miles", "10:30 bus", "-5 degrees", "to rest"]),
    ({"items": {"1": "to rest", "2": "to eat"}}, ["to rest", "to eat"]),
    ({"items": {"tails": ["to rest"]}}, ["to rest"]),
    ({"items": {"why": "to rest"}}, NOTHING),
    ({"items": ["<think>hm</think>to rest", "<thought>no"]}, ["to rest"]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "texts"), ITEMS)
def test_only_the_asked_texts_count(value: Any, texts: list[str]) -> None:
    assert read_items(json.dumps(value)) == texts
    assert read_items(f"Here it is:\n```json\n{json.dumps(value, ensure_ascii=False)}\n```") == texts


def test_the_name_of_an_event_is_that_of_a_text_where_events_are_asked_for() -> None:
    assert read_items('[{"event": "PersonX naps", "why": "x"}]', kind="events") == ["PersonX naps"]
    assert read_items('[{"event": "PersonX naps", "why": "x"}]', kind="inferences") == []


def test_brackets_in_a_numbered_list_are_words() -> None:
    assert read_items("1. to rest [perhaps]\n2. to eat") == ["to rest [perhaps]", "to eat"]


@pytest.mark.parametrize(
    "content", ['{"status": "ok", "language": "English", "items": []}', '{"items": [{"why": "x"}]}']
)
def test_a_reply_without_the_asked_texts_is_a_failure_that_is_asked_again(
    ask: Ask, provider: Provider, content: str
) -> None:
    provider.misbehave = lambda _number, body: said(content) if "Alex naps" in json.dumps(body) else None
    asked = ask()
    assert asked.outcomes[FIRST].failure
    assert asked.tally.failed == 1
    provider.misbehave = lambda _number, _body: None
    assert len(ask().texts(FIRST)) == 3


THOUGHTS = [
    "<think>{0}</think>", "{0}</think>", "<thought>{0}</thought>", "<thinking>\n{0}\n</thinking>\n",
    "<reasoning>{0}</reasoning>", "<THINK>{0}</THINK>", "[THINK]{0}[/THINK]", "{0}[/THINK]", "◁think▷{0}◁/think▷",
    "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>{0}<|end|><|channel|>analysis<|message|>{0}<|end|><|channel|>final<|message|>",
    "<|START_THINKING|>{0}<|END_THINKING|>", "<think>a <thinking>{0}</thinking> b</think>",
    "<seed:think>{0}</seed:think>",
    "<|begin_of_thought|>{0}<|end_of_thought|>", "<think time=3>{0}</think>", "&lt;think&gt;{0}&lt;/think&gt;",
    "<reflection>{0}</reflection>", "<scratchpad>{0}</scratchpad>",
]  # fmt: skip
UNCLOSED = [
    "<think>{0}", "<thought>{0}", "<thinking>{0}", "<reasoning>{0}", "[THINK]{0}", "<|channel|>analysis<|message|>{0}",
    "<think>{0}</think>", "<|channel|>analysis<|message|>{0}<|end|>",
]  # fmt: skip
IN_THOUGHT = '["to err"]'


def _answer(interface: str, text: str) -> web.Response:
    return said(text) if interface == "chat" else web.json_response({"choices": [{"text": text}, {"text": text}]})


@pytest.mark.parametrize("interface", ["chat", "completions"])
@pytest.mark.parametrize("markup", THOUGHTS)
def test_thinking_is_no_text(interface: str, markup: str) -> None:
    answer = '{"items": ["to rest", "to rest"]}' if interface == "chat" else "to rest"
    body = _answer(interface, markup.format(IN_THOUGHT) + answer).body
    reply = read_reply(body, 5, chat=interface == "chat")
    assert [one.text.strip() for one in reply.completions] == ["to rest", "to rest"]


@pytest.mark.parametrize("interface", ["chat", "completions"])
@pytest.mark.parametrize("markup", UNCLOSED)
def test_nothing_but_thinking_is_a_failure(interface: str, markup: str) -> None:
    with pytest.raises((MalformedReply, RefusedReply)):
        read_reply(_answer(interface, markup.format(IN_THOUGHT)).body, 5, chat=interface == "chat")


def test_parts_of_a_message_that_are_thinking_are_no_text() -> None:
    parts = [
        {"type": "thinking", "text": '["to err"]'},
        {"type": "reasoning", "text": "x"},
        {"type": "text", "text": '["to rest"]'},
    ]
    body = {"choices": [{"message": {"content": parts}}]}
    assert [one.text for one in read_reply(json.dumps(body), 5, chat=True).completions] == ["to rest"]


def test_thinking_that_was_recorded_is_dropped() -> None:
    done = clean_tails(["to rest", "so?</think> to err", "<think>hm"])
    assert (list(done.kept), done.rules) == (["to rest"], {"thinking aloud": 2})
    assert not clean_events([Completion("<think>PersonX naps</think>PersonX naps at noon")]).kept


def _body(**fields: Any) -> str:
    choice = {"text": "to rest", "message": {"content": '["to rest"]'}}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}} | fields)


@pytest.mark.parametrize("usage", [10**30, -1, "7", None, True, 1.5, [1], "NaN", 10**10])
def test_a_usage_that_cannot_be_is_no_usage(usage: Any) -> None:
    found = read_reply(_body(usage={"prompt_tokens": usage, "completion_tokens": 4}), 1, chat=True).usage
    assert (found.prompt_tokens, found.completion_tokens) == (0, 0)
    found = read_reply(_body().replace(": 3", ": NaN"), 1, chat=True).usage
    assert (found.prompt_tokens, found.completion_tokens) == (0, 0)


@pytest.mark.parametrize("logprob", ["1" * 401, "-" + "1" * 401, "1e309", "-1e309", "NaN", '"x"', "3", "true", "[]"])
def test_a_logprob_that_cannot_be_is_none(logprob: str) -> None:
    body = _body(choices=[{"text": "to rest", "logprobs": {"token_logprobs": [-0.5, "HERE"]}}]).replace(
        '"HERE"', logprob
    )
    (one,) = read_reply(body, 1, chat=False).completions
    assert (one.text, one.logprob, one.total) == ("to rest", None, None)


def test_a_name_that_cannot_be_stored_is_none() -> None:
    for name in ("\ud800", "a\x1b[2J", "x" * 1000, 7, ["m"]):
        assert read_reply(_body(model=name), 1, chat=True).model is None
    odd = _body(choices=[{"text": "to rest", "finish_reason": "\ud800"}])
    assert read_reply(odd, 1, chat=False).completions[0].finish == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "text": JSON, "finish_reason": JSON, "logprobs": JSON | st.fixed_dictionaries({"token_logprobs": JSON}),
        "message": JSON | st.fixed_dictionaries({}, optional={"content": JSON | JSON.map(json.dumps), "refusal": JSON}),
    },
)  # fmt: skip
BODY = JSON | st.fixed_dictionaries(
    {"choices": JSON | st.lists(CHOICE | JSON, min_size=1, max_size=3)},
    optional={"usage": JSON | st.fixed_dictionaries({"prompt_tokens": JSON, "completion_tokens": JSON}), "model": JSON},
)


@given(BODY, st.booleans(), st.sampled_from(["events", "inferences"]))
@example([[[]]] * 3, True, "events")
def test_whatever_a_body_holds_it_is_a_reply_or_a_known_fault(body: Any, chat: bool, kind: Any) -> None:
    try:
        reply = read_reply(json.dumps(body), 3, chat=chat, kind=kind)
    except (MalformedReply, RefusedReply) as error:
        str(error).encode()
        return
    assert 1 <= len(reply.completions) <= 3
    for one in reply.completions:
        assert one.logprob is None or -1e6 <= one.logprob <= 0
        assert one.finish is None or one.finish.encode()
    assert reply.model is None or reply.model.encode()
    assert 0 <= reply.usage.prompt_tokens <= 10**9


@given(st.binary(max_size=200), st.booleans())
@example(b"[" * 100_000, True)
@example(b'{"a":' * 100_000, False)
@example(b"1" * 10_000, False)
def test_whatever_bytes_come_they_are_a_known_fault(content: bytes, chat: bool) -> None:
    with pytest.raises((MalformedReply, RefusedReply)):
        read_reply(content, 3, chat=chat)


@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_whatever_a_message_says_it_is_texts_or_a_known_fault(content: str) -> None:
    try:
        assert all(text.strip() for text in read_items(content))
    except MalformedReply as error:
        str(error).encode()


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"]),
        st.text(max_size=30) | st.from_regex(r"[-\d.:a-zA-Z ]{0,30}") | st.floats().map(str) | st.integers().map(str),
    )
)
@example({"x-ratelimit-reset-requests": "1.2.3s"})
@example({"retry-after": "1e309"})
@example({"retry-after": "-5"})
@example({"retry-after": "Fri, 99 Nov 99999 99:99:99 GMT"})
@example({"retry-after-ms": "nan", "retry-after": "２"})
def test_whatever_a_header_says_it_is_a_time_or_none(headers: dict[str, str]) -> None:
    odd = headers | {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}
    wait = wait_seconds(odd)
    assert wait is None or 0 <= wait < float("inf")


def _http(head: str, body: bytes = b"{}", status: str = "HTTP/1.1 200 OK") -> bytes:
    return f"{status}\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


BROKEN: dict[str, bytes] = {
    "a bad chunk": _http("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk that never ends": _http("Transfer-Encoding: chunked\r\n", b"ff\r\n{}"),
    "a bad status line": _http("", status="HTTP/9 yes"),
    "no HTTP": b"hello\r\n\r\n",
    "nothing": b"",
    "a long header": _http(f"X-Long: {'x' * 9000}\r\n"),
    "a long status line": _http("", status=f"HTTP/1.1 200 {'x' * 9000}"),
    "many headers": _http("".join(f"X-{number}: x\r\n" for number in range(40_000))),
    "a body cut short": _http("Content-Length: 1000\r\n"),
    "a length that is none": _http("Content-Length: many\r\n"),
    "a negative length": _http("Content-Length: -1\r\n"),
    "two lengths": _http("Content-Length: 2\r\nContent-Length: 3\r\n"),
    "a bad header": _http("no colon\r\n"),
    "a charset that is none": _http("Content-Type: text/html; charset=rot13\r\n", b"x", "HTTP/1.1 500 no"),
    "a charset of no text": _http("Content-Type: text/html; charset=zip\r\nContent-Length: 1\r\n", b"x"),
    "a status without meaning": _http("Content-Length: 2\r\n", status="HTTP/1.1 999 x"),
    "JSON that is deep": _http("", b"[" * 100_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_http_is_one_requests_failure(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = lambda _number, body: BROKEN[name] if "Alex naps" in json.dumps(body) else None
    asked = ask(seconds=3)
    assert asked.outcomes[FIRST].failure
    assert [len(asked.texts(event)) for event in EVENTS] == [0, 3, 3]
    sent = sum("Alex naps" in json.dumps(body) for body in provider.bodies)
    request = asked.outcomes[FIRST].request
    if not BROKEN[name].startswith((b"HTTP/1.1 5", b"HTTP/1.1 9")):
        assert asked.budget.spent >= sent * PRICE.of(request.assumed_usage), "each time it may have been paid for"


ODD: dict[str, dict[str, str]] = {
    "a duration of three points": {"x-ratelimit-reset-requests": "1.2.3s", "x-ratelimit-remaining-requests": "0"},
    "a time without end": {"retry-after": "1e309"},
    "a negative time": {"retry-after-ms": "-5"},
    "no letters": {"retry-after": "日本", "x-ratelimit-reset-tokens": "ñs", "x-ratelimit-remaining-tokens": "0"},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_header_is_ignored(ask: Ask, provider: Provider, name: str) -> None:
    provider.misbehave = lambda _number, body: web.json_response(provider.reply(body), headers=ODD[name])
    asked = ask()
    assert (asked.tally.asked, asked.tally.failed, asked.tally.retries) == (3, 0, 0)


def test_odd_fields_are_ignored_and_what_is_kept_can_be_read_again(ask: Ask, provider: Provider) -> None:
    def misbehave(_number: int, body: dict[str, Any]) -> web.Response:
        reply = provider.reply(body) | {"model": "\ud800", "usage": {"prompt_tokens": 10**30, "completion_tokens": -1}}
        reply["choices"][0]["logprobs"] = {"token_logprobs": [-(10**401)]}
        reply["choices"][0]["finish_reason"] = "\ud800"
        return web.json_response(reply)

    provider.misbehave = misbehave
    asked = ask(interface="completions")
    assert (asked.tally.asked, asked.tally.failed) == (3, 0)
    assert asked.budget.spent > 0
    assert ask(interface="completions").tally.cached == 3
