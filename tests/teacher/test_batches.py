"""Batches: half the price, and every way in which they end leaves what is done and sends the rest again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.teacher import batch
from ingest.teacher.batch import Batches
from ingest.teacher.cache import ReplyCache
from ingest.teacher.plan import Plan, open_teacher
from ingest.teacher.run import Teaching
from kg.errors import NotFound, TeacherError
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests.teacher.provider import Provider

EVENTS = tuple(f"PersonX counts to {number}" for number in range(5))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as opened:
        yield opened


@pytest.fixture
def cache(workspace: Workspace) -> Iterator[ReplyCache]:
    with ReplyCache.open(workspace.folder("replies")) as opened:
        yield opened


Open = Callable[[], Batches]


@pytest.fixture
def opened(provider: Provider, workspace: Workspace) -> Open:
    """Open the run's batches anew, as each command does."""
    relation = Vocabulary.load("skd")["xWant"]
    plan = Plan("inferences", "gpt-4o-mini", "chat", provider.url, "paper", "en", 3, EVENTS, relations=(relation,))
    return lambda: Batches(workspace, "run-1", plan, open_teacher(plan))


def lines(provider: Provider, state: dict[str, Any]) -> list[bytes]:
    return provider.files[state["output_file_id"]].splitlines(keepends=True)


def test_what_is_sent_comes_back_and_is_not_sent_again(opened: Open, cache: ReplyCache, provider: Provider) -> None:
    (sent,) = opened().submit(cache)
    assert (sent.requests, sent.status) == (5, "validating")
    assert opened().submit(cache) == [], "it is on its way"
    assert [(batch.status, state.request_counts.completed) for batch, state in opened().refresh()] == [("completed", 5)]
    done = opened().collect(cache)
    assert (done.kept, done.failed, done.faults) == (5, 0, [])
    requests = list(opened().requests(cache))
    assert [len(cache.get(request).completions) for request in requests] == [3] * 5
    assert opened().submit(cache) == []
    full = sum(cache.get(request).usage.prompt_tokens for request in requests)
    assert cache.paid("run-1").prompt_tokens == full / 2
    row = json.loads(provider.files["file-0"].splitlines()[0])
    assert row.keys() == {"custom_id", "method", "url", "body"}
    assert row["url"] == provider.batches["batch-0"]["endpoint"] == "/v1/chat/completions"


def test_files_stay_within_the_providers_limits(
    opened: Open, cache: ReplyCache, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_REQUESTS", 2)
    assert [sent.requests for sent in opened().submit(cache)] == [2, 2, 1]
    provider.batches.clear()


def test_files_stay_within_the_providers_bytes(
    opened: Open, cache: ReplyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_BYTES", 3500)
    sent = opened().submit(cache)
    assert len(sent) > 1
    assert sum(one.requests for one in sent) == 5
    monkeypatch.setattr(batch, "MOST_BYTES", 100)
    assert [one.requests for one in opened().known] == [one.requests for one in sent]
    with pytest.raises(TeacherError, match="alone has"):
        list(batch._parts(opened().requests(cache), "/v1/chat/completions"))  # noqa: SLF001 - a limit that no real prompt reaches


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_that_ends_half_way_keeps_what_is_done_and_the_rest_is_sent_again(
    opened: Open, cache: ReplyCache, provider: Provider, status: str
) -> None:
    def end(state: dict[str, Any]) -> None:
        provider.files[state["output_file_id"]] = b"".join(lines(provider, state)[:2])
        provider.files["rest"] = b"".join(
            json.dumps({"custom_id": json.loads(line)["custom_id"], "response": None,
                        "error": {"code": "batch_expired", "message": "too late"}}).encode() + b"\n"
            for line in provider.files[state["input_file_id"]].splitlines()[2:]
        )  # fmt: skip
        state |= {"status": status, "error_file_id": "rest"}

    provider.on_batch = end
    opened().submit(cache)
    done = opened().collect(cache)
    assert (done.kept, done.failed) == (2, 3)
    assert f"batch batch-0 {status}: 2 of 5 requests" in done.faults[0]
    provider.on_batch = lambda _state: None
    (again,) = opened().submit(cache)
    assert again.requests == 3
    assert opened().collect(cache).kept == 3
    assert max(provider.keys.values()) == 2, "only what had no reply was sent twice"


def test_failures_only(opened: Open, cache: ReplyCache, provider: Provider, workspace: Workspace) -> None:
    def end(state: dict[str, Any]) -> None:
        rows = [
            {"custom_id": json.loads(line)["custom_id"], "error": None,
             "response": {"status_code": 500, "body": {"error": {"message": "server error"}}}}
            for line in lines(provider, state)
        ]  # fmt: skip
        provider.files["bad"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        state |= {"output_file_id": None, "error_file_id": "bad"}

    provider.on_batch = end
    opened().submit(cache)
    done = opened().collect(cache)
    assert (done.kept, done.failed) == (0, 5)
    assert "0 of 5" in done.faults[0]
    assert "most often: the provider says: server error" in done.faults[0]
    failures = (workspace.root / "runs" / "run-1" / "failures.jsonl").read_text().splitlines()
    assert len(failures) == 5
    assert "server error" in failures[0]


def test_what_a_provider_refuses_is_said_otherwise_the_next_time(
    opened: Open, cache: ReplyCache, provider: Provider
) -> None:
    def end(state: dict[str, Any]) -> None:
        message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        rows = [
            {"custom_id": json.loads(line)["custom_id"], "error": None,
             "response": {"status_code": 400, "body": {"error": {"message": message, "param": "max_tokens"}}}}
            for line in lines(provider, state)
        ]  # fmt: skip
        provider.files["bad"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        state |= {"output_file_id": None, "error_file_id": "bad"}

    provider.on_batch = end
    opened().submit(cache)
    assert opened().collect(cache).kept == 0
    provider.on_batch = lambda _state: None
    (again,) = opened().submit(cache)
    sent = json.loads(provider.files[provider.batches[again.id]["input_file_id"]].splitlines()[0])
    assert "max_completion_tokens" in sent["body"]
    server = opened()._teacher.server  # noqa: SLF001 - under which name it is known
    assert cache.dialect(server) == set(), "whether that is understood is not known yet"
    assert opened().submit(cache) == [], "it is on its way"
    assert opened().collect(cache).kept == 5
    assert cache.dialect(server) == {"max-completion-tokens"}
    assert opened().submit(cache) == []


def test_prose_and_the_echo_of_a_request_teach_a_batch_nothing(
    opened: Open, cache: ReplyCache, provider: Provider
) -> None:
    def end(state: dict[str, Any]) -> None:
        sent = provider.files[state["input_file_id"]].splitlines(keepends=True)
        rows = [
            {"custom_id": json.loads(line)["custom_id"], "error": None,
             "response": {"status_code": 400, "body": {"error": {"message": "stop: " + line.decode()}}}}
            for line in sent
        ]  # fmt: skip
        provider.files["bad"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        state |= {"output_file_id": None, "error_file_id": "bad"}

    provider.on_batch = end
    opened().submit(cache)
    opened().collect(cache)
    opened().submit(cache)
    assert provider.files["file-0"] == provider.files[provider.batches["batch-1"]["input_file_id"]]


def test_a_refusal_at_validation_shows_the_line(opened: Open, cache: ReplyCache, provider: Provider) -> None:
    def end(state: dict[str, Any]) -> None:
        fault = {"code": "invalid", "message": "Invalid model", "line": 3, "param": None}
        state |= {"status": "failed", "output_file_id": None, "errors": {"object": "list", "data": [fault]}}

    provider.on_batch = end
    opened().submit(cache)
    done = opened().collect(cache)
    assert done.kept == 0
    assert "line 3 of batch-1.jsonl: Invalid model" in done.faults[0]
    assert '"custom_id"' in done.faults[0]
    provider.on_batch = lambda _state: None
    assert opened().submit(cache)[0].requests == 5


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"custom_id": "someone else"}\n',
        b"[1]\n",
        b'{"custom_id": 7, "response": "x"}\n',
        b"null\n",
        b"\xff\n",
    ],
)
def test_a_result_that_is_not_as_documented_fails_alone(
    opened: Open, cache: ReplyCache, provider: Provider, line: bytes
) -> None:
    def end(state: dict[str, Any]) -> None:
        provider.files[state["output_file_id"]] = line + b"".join(lines(provider, state)[1:])

    provider.on_batch = end
    opened().submit(cache)
    done = opened().collect(cache)
    assert (done.kept, done.failed) == (4, 1)
    assert opened().submit(cache)[0].requests == 1


def test_junk_beside_good_results_is_no_request_and_a_result_given_twice_is_one(
    opened: Open, cache: ReplyCache, provider: Provider
) -> None:
    def end(state: dict[str, Any]) -> None:
        good = lines(provider, state)[:2]
        junk = [b"junk\n", b"{}\n", b'{"custom_id": "x"}\n', b"[]\n", b"7\n", b'"x"\n', b'{"custom_id": []}\n']
        provider.files[state["output_file_id"]] = b"".join([*junk, *good, *good])

    provider.on_batch = end
    opened().submit(cache)
    done = opened().collect(cache)
    assert (done.kept, done.failed) == (2, 3)
    assert opened().submit(cache)[0].requests == 3


def test_a_reply_that_cannot_be_read_fails_alone(opened: Open, cache: ReplyCache, provider: Provider) -> None:
    def end(state: dict[str, Any]) -> None:
        first, *rest = lines(provider, state)
        row = json.loads(first)
        row["response"]["body"]["choices"][0]["message"]["content"] = "I'm sorry, I can't help with that."
        provider.files[state["output_file_id"]] = json.dumps(row).encode() + b"\n" + b"".join(rest)

    provider.on_batch = end
    opened().submit(cache)
    assert (opened().collect(cache).kept, opened().submit(cache)[0].requests) == (4, 1)


def test_a_batch_whose_process_was_killed_is_found_again(
    opened: Open, cache: ReplyCache, workspace: Workspace, provider: Provider
) -> None:
    opened().submit(cache)
    (workspace.root / "runs" / "run-1" / "batches.json").unlink()  # killed before it was written
    assert opened().submit(cache) == []
    assert opened().collect(cache).kept == 5
    assert len(provider.batches) == 1


@pytest.mark.parametrize(
    "errors",
    [[{"message": "no such model", "line": 2}], {"data": [{"message": "no such model"}]}, ["no such model"]],
)
def test_a_failed_batch_that_was_not_collected_says_why_and_what_to_do(
    opened: Open, cache: ReplyCache, provider: Provider, errors: Any
) -> None:
    provider.on_batch = lambda state: state.update(status="failed", output_file_id=None, errors=errors)
    opened().submit(cache)
    assert opened().submit(cache) == []
    (said,) = opened().uncollected()
    assert "failed: " in said
    assert "no such model" in said
    assert "run kg ingest batch collect run-1" in said
    assert "no such model" in opened().collect(cache).faults[0]
    assert opened().uncollected() == []
    provider.on_batch = lambda _state: None
    assert opened().submit(cache)[0].requests == 5


def test_what_failed_in_a_batch_is_still_listed_when_its_replies_are_written(
    opened: Open, cache: ReplyCache, provider: Provider, workspace: Workspace
) -> None:
    test_failures_only(opened, cache, provider, workspace)
    relation = Vocabulary.load("skd")["xWant"]
    plan = Plan("inferences", "gpt-4o-mini", "chat", provider.url, "paper", "en", 3, EVENTS, relations=(relation,))
    with Teaching(workspace, plan, kept_only=True) as teaching:
        file = workspace.root / "runs" / teaching.run.id / "failures.jsonl"
        file.write_text("a failure\n")
    with Teaching(workspace, plan, kept_only=True):
        pass
    assert file.read_text() == "a failure\n"


def test_nothing_submitted_is_said(opened: Open) -> None:
    with pytest.raises(NotFound, match="kg ingest batch submit run-1"):
        opened().refresh()


def test_a_provider_without_batches_is_one_line(opened: Open, cache: ReplyCache, provider: Provider) -> None:
    provider.url += "/nowhere"
    plan = Plan(
        "inferences", "m", "chat", provider.url, "paper", "en", 3, EVENTS, relations=tuple(Vocabulary.load("skd"))
    )
    with pytest.raises(TeacherError, match="refuses \\(404\\)"):
        Batches(Workspace(Path(opened()._folder)), "run-2", plan, open_teacher(plan)).submit(cache)  # noqa: SLF001
