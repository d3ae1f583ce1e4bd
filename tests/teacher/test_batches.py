"""Batches: half the price, and every way in which they end leaves what is done and sends the rest again."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from ingest.teacher import batch_files
from ingest.teacher.batch import Batches
from ingest.teacher.cache import ReplyCache
from ingest.teacher.events import generate_events
from ingest.teacher.lesson import Lesson
from ingest.teacher.plan import Plan
from ingest.teacher.prompts import Prompts
from ingest.teacher.run import Teaching
from kg.errors import InputError, NotFound, TeacherError
from kg.graph.knowledge import KnowledgeGraph
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
def opened(provider: Provider, workspace: Workspace) -> Iterator[Open]:
    """Open the run's batches anew, as each command does."""
    with ExitStack() as stack:
        yield lambda: Batches(stack.enter_context(Lesson.open(workspace, plan(provider))))


@pytest.fixture
def run(opened: Open) -> str:
    """The run's id."""
    return opened()._run  # noqa: SLF001 - the id follows from the provider's address


def plan(provider: Provider, **changes: Any) -> Plan:
    relation = Vocabulary.load("skd")["xWant"]
    made = Plan("inferences", "gpt-4o-mini", "chat", provider.url, "paper", "en", 3, EVENTS, relations=(relation,))
    return replace(made, **changes)


def lines(provider: Provider, state: dict[str, Any]) -> list[bytes]:
    return provider.files[state["output_file_id"]].splitlines(keepends=True)


def test_what_is_sent_comes_back_and_is_not_sent_again(
    opened: Open, run: str, cache: ReplyCache, provider: Provider
) -> None:
    (sent,) = opened().submit()
    assert (sent.requests, sent.status) == (5, "validating")
    assert opened().submit() == [], "it is on its way"
    assert [(batch.status, state.request_counts.completed) for batch, state in opened().refresh()] == [("completed", 5)]
    done = opened().collect()
    assert (done.replies, done.failed, done.faults) == (5, 0, [])
    requests = list(opened()._lesson.requests())  # noqa: SLF001 - what is asked
    assert [len(cache.get(request).completions) for request in requests] == [3] * 5
    assert opened().submit() == []
    full = sum(cache.get(request).usage.prompt_tokens for request in requests)
    assert cache.paid(run).prompt_tokens == full / 2
    row = json.loads(provider.files["file-0"].splitlines()[0])
    assert row.keys() == {"custom_id", "method", "url", "body"}
    assert row["url"] == provider.batches["batch-0"]["endpoint"] == "/v1/chat/completions"


def test_files_stay_within_the_providers_limits(
    opened: Open, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_files, "MOST_REQUESTS", 2)
    assert [sent.requests for sent in opened().submit()] == [2, 2, 1]
    provider.batches.clear()


def test_files_stay_within_the_providers_bytes(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_files, "MOST_BYTES", 3500)
    sent = opened().submit()
    assert len(sent) > 1
    assert sum(one.requests for one in sent) == 5
    monkeypatch.setattr(batch_files, "MOST_BYTES", 100)
    assert [one.requests for one in opened().known] == [one.requests for one in sent]
    with pytest.raises(TeacherError, match="alone has"):
        list(batch_files.files_of(opened()._lesson.requests(), "/v1/chat/completions"))  # noqa: SLF001 - a limit that no real prompt reaches


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_that_ends_half_way_keeps_what_is_done_and_the_rest_is_sent_again(
    opened: Open, provider: Provider, status: str
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
    opened().submit()
    done = opened().collect()
    assert (done.replies, done.failed) == (2, 3)
    assert f"batch batch-0 {status}: 2 of 5 requests" in done.faults[0]
    provider.on_batch = lambda _state: None
    (again,) = opened().submit()
    assert again.requests == 3
    assert opened().collect().replies == 3
    assert max(provider.keys.values()) == 2, "only what had no reply was sent twice"


def test_failures_only(opened: Open, run: str, provider: Provider, workspace: Workspace) -> None:
    def end(state: dict[str, Any]) -> None:
        rows = [
            {"custom_id": json.loads(line)["custom_id"], "error": None,
             "response": {"status_code": 500, "body": {"error": {"message": "server error"}}}}
            for line in lines(provider, state)
        ]  # fmt: skip
        provider.files["bad"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        state |= {"output_file_id": None, "error_file_id": "bad"}

    provider.on_batch = end
    opened().submit()
    done = opened().collect()
    assert (done.replies, done.failed) == (0, 5)
    assert "0 of 5" in done.faults[0]
    assert "most often: the provider says: server error" in done.faults[0]
    failures = (workspace.root / "runs" / run / "failures.jsonl").read_text().splitlines()
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
    opened().submit()
    assert opened().collect().replies == 0
    provider.on_batch = lambda _state: None
    (again,) = opened().submit()
    sent = json.loads(provider.files[provider.batches[again.id]["input_file_id"]].splitlines()[0])
    assert "max_completion_tokens" in sent["body"]
    server = opened()._teacher.server  # noqa: SLF001 - under which name it is known
    assert cache.dialect(server) == set(), "whether that is understood is not known yet"
    assert opened().submit() == [], "it is on its way"
    assert opened().collect().replies == 5
    assert cache.dialect(server) == {"max-completion-tokens"}
    assert opened().submit() == []


def test_prose_and_the_echo_of_a_request_teach_a_batch_nothing(opened: Open, provider: Provider) -> None:
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
    opened().submit()
    opened().collect()
    opened().submit()
    assert provider.files["file-0"] == provider.files[provider.batches["batch-1"]["input_file_id"]]


def test_a_refusal_at_validation_shows_the_line(opened: Open, provider: Provider) -> None:
    def end(state: dict[str, Any]) -> None:
        fault = {"code": "invalid", "message": "Invalid model", "line": 3, "param": None}
        state |= {"status": "failed", "output_file_id": None, "errors": {"object": "list", "data": [fault]}}

    provider.on_batch = end
    opened().submit()
    done = opened().collect()
    assert done.replies == 0
    assert "line 3 of batch-1.jsonl: Invalid model" in done.faults[0]
    assert '"custom_id"' in done.faults[0]
    provider.on_batch = lambda _state: None
    assert opened().submit()[0].requests == 5


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
def test_a_result_that_is_not_as_documented_fails_alone(opened: Open, provider: Provider, line: bytes) -> None:
    def end(state: dict[str, Any]) -> None:
        provider.files[state["output_file_id"]] = line + b"".join(lines(provider, state)[1:])

    provider.on_batch = end
    opened().submit()
    done = opened().collect()
    assert (done.replies, done.failed) == (4, 1)
    assert opened().submit()[0].requests == 1


def test_junk_beside_good_results_is_no_request_and_a_result_given_twice_is_one(
    opened: Open, provider: Provider
) -> None:
    def end(state: dict[str, Any]) -> None:
        good = lines(provider, state)[:2]
        junk = [b"junk\n", b"{}\n", b'{"custom_id": "x"}\n', b"[]\n", b"7\n", b'"x"\n', b'{"custom_id": []}\n']
        provider.files[state["output_file_id"]] = b"".join([*junk, *good, *good])

    provider.on_batch = end
    opened().submit()
    done = opened().collect()
    assert (done.replies, done.failed) == (2, 3)
    assert opened().submit()[0].requests == 3


def test_a_reply_that_cannot_be_read_fails_alone(opened: Open, provider: Provider) -> None:
    def end(state: dict[str, Any]) -> None:
        first, *rest = lines(provider, state)
        row = json.loads(first)
        row["response"]["body"]["choices"][0]["message"]["content"] = "I'm sorry, I can't help with that."
        provider.files[state["output_file_id"]] = json.dumps(row).encode() + b"\n" + b"".join(rest)

    provider.on_batch = end
    opened().submit()
    assert (opened().collect().replies, opened().submit()[0].requests) == (4, 1)


def test_a_batch_whose_process_was_killed_is_found_again(
    opened: Open, run: str, workspace: Workspace, provider: Provider
) -> None:
    opened().submit()
    (workspace.root / "runs" / run / "batches.json").unlink()  # killed before it was written
    assert opened().submit() == []
    assert opened().collect().replies == 5
    assert len(provider.batches) == 1


@pytest.mark.parametrize(
    "errors",
    [[{"message": "no such model", "line": 2}], {"data": [{"message": "no such model"}]}, ["no such model"]],
)
def test_a_failed_batch_that_was_not_collected_says_why_and_what_to_do(
    opened: Open, run: str, provider: Provider, errors: Any
) -> None:
    provider.on_batch = lambda state: state.update(status="failed", output_file_id=None, errors=errors)
    opened().submit()
    assert opened().submit() == []
    (said,) = opened().uncollected()
    assert "failed: " in said
    assert "no such model" in said
    assert f"run kg ingest batch collect {run}" in said
    assert "no such model" in opened().collect().faults[0]
    assert opened().uncollected() == []
    provider.on_batch = lambda _state: None
    assert opened().submit()[0].requests == 5


def test_what_failed_in_a_batch_is_still_listed_when_its_replies_are_written(
    opened: Open, provider: Provider, workspace: Workspace
) -> None:
    test_failures_only(opened, opened()._run, provider, workspace)  # noqa: SLF001
    with Teaching(workspace, plan(provider), cached_only=True) as teaching:
        file = workspace.root / "runs" / teaching.lesson.run.id / "failures.jsonl"
    assert len(file.read_text().splitlines()) == 5
    with Teaching(workspace, plan(provider)):
        pass
    assert file.read_text() == "", "asked at once, the failures are those of now"


def test_nothing_submitted_is_said(opened: Open, run: str) -> None:
    with pytest.raises(NotFound, match=f"kg ingest batch submit {run}"):
        opened().refresh()


def test_a_provider_without_batches_is_one_line(workspace: Workspace, provider: Provider) -> None:
    elsewhere = plan(provider, base_url=provider.url + "/nowhere")
    with (
        Lesson.open(workspace, elsewhere) as lesson,
        pytest.raises(TeacherError, match="refuses \\(404\\)"),
    ):
        Batches(lesson).submit()


def seeds() -> tuple[str, ...]:
    return tuple(Prompts("paper").seeds)


@pytest.fixture
def events(provider: Provider, workspace: Workspace) -> Iterator[Callable[..., Batches]]:
    """Open the batches of a run that wants forty events, ten a request."""
    with ExitStack() as stack:
        asked = {"kind": "events", "texts": seeds(), "count": 40, "samples": 10, "relations": ()}
        yield lambda **more: Batches(stack.enter_context(Lesson.open(workspace, plan(provider, **asked | more))))


def drawn(provider: Provider, share: float) -> None:
    """Let only a share of what the provider writes be events, each of them new."""
    number = itertools.count()

    def texts(_prompt: str, count: int) -> list[str]:
        good = [f"PersonX counts {next(number)} sheep" for _ in range(int(share * count))]
        return good + ["nothing"] * (count - len(good))

    provider.texts = texts


def test_events_go_on_round_by_round_until_there_are_enough(
    events: Callable[..., Batches], provider: Provider, workspace: Workspace, graph: KnowledgeGraph
) -> None:
    drawn(provider, 0.3)
    rounds = []
    for _ in range(10):
        offer = events().offer()
        sent = events().submit()
        assert sum(batch.requests for batch in sent) == offer.estimate.requests
        if not sent:
            break
        rounds.append((offer.round, offer.estimate.requests, offer.events))
        assert events().submit() == [], "the round is on its way"
        events().collect()
        taught = generate_events(graph, Teaching(workspace, events()._plan, cached_only=True))  # noqa: SLF001
    assert rounds == [(1, 8, 0), (2, 6, 24)]
    assert (taught.offered, taught.added, taught.tally.missing) == (40, 40, 0)


def test_a_request_that_always_fails_holds_no_round_up(events: Callable[..., Batches], provider: Provider) -> None:
    drawn(provider, 0.3)
    failing: list[bytes] = []

    def end(state: dict[str, Any]) -> None:
        sent = provider.files[state["input_file_id"]].splitlines()
        failing[:] = failing or sent[:1]
        done = zip(sent, lines(provider, state), strict=True)
        provider.files[state["output_file_id"]] = b"".join(line for one, line in done if one not in failing)

    provider.on_batch = end
    sizes = []
    for _ in range(3):
        sizes.append(sum(batch.requests for batch in events().submit()))
        events().collect()
    assert sizes[0] == 8
    assert sizes[1] > 1, "the one that failed, and the next round"
    assert events().offer().events >= 40
    assert sizes[2] == 1, "only the one that fails; there are enough events"


def test_a_teacher_that_repeats_itself_ends_the_rounds(
    events: Callable[..., Batches], provider: Provider, workspace: Workspace, graph: KnowledgeGraph
) -> None:
    provider.texts = lambda _prompt, count: ["PersonX counts sheep at night"] * count
    sent = 0
    for _ in range(20):
        if not (batches := events().submit()):
            break
        sent += sum(batch.requests for batch in batches)
        events().collect()
    assert sent == 6 * 8
    taught = generate_events(graph, Teaching(workspace, events()._plan, cached_only=True))  # noqa: SLF001
    assert (taught.offered, taught.found, taught.tally.missing) == (1, 1, 0)


DAMAGED = {
    "cut": b'[{"id": "batch-0", "file"',
    "no list": b"7",
    "no text": b"\xff\xfe",
    "a number as the id": b'[{"id": 7, "file": "batch-1.jsonl", "requests": 5, "status": "completed"}]',
    "a way out": b'[{"id": "b", "file": "../../batch-1.jsonl", "requests": 5, "status": "completed"}]',
    "a number below nothing": b'[{"id": "b", "file": "batch-1.jsonl", "requests": -5, "status": "completed"}]',
    "a field that lacks": b'[{"id": "b"}]',
    "brackets": b"[" * 100_000,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_list_of_batches_is_one_sentence_and_moved_away_it_is_made_again(
    opened: Open, run: str, workspace: Workspace, name: str
) -> None:
    opened().submit()
    path = workspace.root / "runs" / run / "batches.json"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(InputError, match=r"batches\.json is damaged: .*; move it away") as caught:
        opened().refresh()
    assert "\n" not in str(caught.value)
    path.unlink()
    assert opened().collect().replies == 5


@pytest.mark.parametrize("content", [b"junk\n", b'{"custom_id": 7}\n', b'{"custom_id": "x", "body": []}\n', None])
def test_a_damaged_file_of_a_batch_is_one_sentence(
    opened: Open, run: str, workspace: Workspace, content: bytes | None
) -> None:
    opened().submit()
    path = workspace.root / "runs" / run / "batch-1.jsonl"
    path.write_bytes(content) if content else path.unlink()
    with pytest.raises(InputError, match=r"batch-1\.jsonl(, line 1, is damaged| is missing)"):
        opened().collect()
