"""What a run says of itself: its prompts, its plan, what it cost; and damaged or full files, in a line."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingest.teacher.inferences import generate_inferences
from ingest.teacher.lesson import Lesson
from ingest.teacher.plan import Plan, open_plan
from ingest.teacher.run import Teaching
from kg.errors import InputError, KGError
from kg.graph.knowledge import KnowledgeGraph
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests.conftest import Kg
from tests.teacher.provider import Provider, error, said
from tests.teacher.test_errors import never

EVENTS = ("PersonX jams the office photocopier", "PersonX naps", "PersonX fires PersonY")
KEY = "tok-never-seen-0123456789"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as opened:
        yield opened


@pytest.fixture
def at(provider: Provider, tmp_path: Path) -> list[str]:
    (tmp_path / "events.txt").write_text("\n".join(EVENTS), encoding="utf-8")
    model = ["--model", "gpt-4o-mini", "--base-url", provider.url]
    return ["ingest", "inferences", "--events", "events.txt", "--relations", "xWant,xNeed", *model]


def run_of(text: str) -> str:
    return text.split("Run ", 1)[1].split(":", 1)[0]


def plan(provider: Provider, **changes: Any) -> Plan:
    relations = (Vocabulary.load("skd")["xWant"], Vocabulary.load("skd")["xNeed"])
    fields: dict[str, Any] = {"relations": relations} | changes
    return Plan("inferences", "gpt-4o-mini", "chat", provider.url, "paper", "en", 10, EVENTS, **fields)


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("interface", ["chat", "completions"])
def test_the_shown_requests_are_the_first_ones_sent(
    kg: Kg, provider: Provider, at: list[str], interface: str, environment: dict[str, str]
) -> None:
    environment["OPENAI_API_KEY"] = KEY
    shown = kg(*at, "--interface", interface, "--dry-run", "--show-prompt").stdout
    assert provider.bodies == []
    bodies = [json.loads(text) for text in re.findall(r"^\{$.*?^\}$", shown, re.MULTILINE | re.DOTALL)]
    heads = re.findall(r"^Prompt for (\w+), of '(.*)':$", shown, re.MULTILINE)
    assert sorted(heads) == [("xNeed", EVENTS[0]), ("xWant", EVENTS[0])]
    assert "\nAlex wants\n" in shown, "the prompt is there as lines, too"
    assert f"Sent to {provider.url}/{'chat/' if interface == 'chat' else ''}completions as:" in shown
    kg(*at, "--interface", interface, "--yes", "--in-flight", "1")
    assert bodies == provider.bodies[:2]


@pytest.mark.usefixtures("graph")
def test_the_shown_request_of_events_is_the_first_one_sent_in_the_dialect_of_the_server(
    kg: Kg, provider: Provider
) -> None:
    command = ["ingest", "events", "--count", "5", "--model", "m", "--base-url", provider.url, "--yes"]
    provider.misbehave = lambda _number, body: (
        error(400, "no", None, "max_tokens") if "max_tokens" in body else web.json_response(provider.reply(body))
    )
    kg(*command, "--seed", "1")
    provider.bodies.clear()
    shown = kg(*command, "--dry-run", "--show-prompt").stdout
    (body,) = [json.loads(text) for text in re.findall(r"^\{$.*?^\}$", shown, re.MULTILINE | re.DOTALL)]
    assert "Prompt for events:" in shown
    kg(*command, "--in-flight", "1")
    assert body == provider.bodies[0]
    assert "max_completion_tokens" in body


@pytest.mark.usefixtures("graph")
def test_a_key_in_an_event_is_not_shown(kg: Kg, at: list[str], tmp_path: Path, environment: dict[str, str]) -> None:
    environment["OPENAI_API_KEY"] = KEY
    (tmp_path / "events.txt").write_text(f"PersonX uses {KEY} as a key\n")
    shown = kg(*at, "--dry-run", "--show-prompt")
    assert KEY not in shown.stdout + shown.stderr
    assert "Alex uses [key] as a key" in shown.stdout


@pytest.mark.usefixtures("graph")
def test_a_dry_run_wants_no_key_and_asking_does_before_the_question(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "events.txt").write_text("PersonX naps\n")
    at = ["ingest", "inferences", "--events", "events.txt", "--model", "m", "--base-url", "https://example.invalid/v1"]
    shown = kg(*at, "--dry-run", "--show-prompt").stdout
    assert "Sent to https://example.invalid/v1/chat/completions as:" in shown
    refused = kg(*at, status=1)
    assert "example.invalid wants a key; set OPENAI_API_KEY" in refused.stderr
    assert "Ask the teacher?" not in refused.stdout + refused.stderr
    assert "wants a key" in kg("ingest", "batch", "submit", run_of(shown), "--yes", status=1).stderr


@pytest.mark.usefixtures("graph")
def test_a_planned_run_shows_its_plan(kg: Kg, at: list[str]) -> None:
    run = run_of(kg(*at, "--dry-run").stdout)
    shown = json.loads(kg("runs", "show", run).stdout)
    assert (shown["id"], shown["status"], shown["model"]) == (run, "planned, nothing asked yet", "gpt-4o-mini")
    assert (shown["plan"]["texts"], sorted(shown["plan"]["relations"])) == (3, ["xNeed", "xWant"])
    kg("ingest", "batch", "submit", run, "--yes")
    assert json.loads(kg("runs", "show", run).stdout)["status"] == "asked, nothing written yet"
    kg("ingest", "batch", "collect", run)
    assert json.loads(kg("runs", "show", run).stdout)["status"] == "finished"
    assert "no run 'inferences-x'" in kg("runs", "show", "inferences-x", status=1).stderr


@pytest.mark.usefixtures("graph")
def test_the_printed_cost_is_the_shown_one_and_what_may_have_been_paid_is_listed(
    kg: Kg, provider: Provider, at: list[str]
) -> None:
    def misbehave(number: int, _body: dict) -> Any:
        return never() if number == 2 else said("no list") if number == 3 else None

    provider.misbehave = misbehave
    done = kg(*at, "--yes", "--timeout", "2", "--in-flight", "1")
    run = run_of(done.stdout)
    shown = json.loads(kg("runs", "show", run).stdout)
    assert f"${shown['cost_usd']:,.4f} spent by this run in all" in done.stdout
    assert shown["replies"] == 6
    (perhaps,) = shown["perhaps_paid"]
    assert (perhaps["reason"], perhaps["requests"]) == ("no answer within 2 s", 1)
    assert 0 < perhaps["cost_usd"] < shown["cost_usd"]
    assert [lost["requests"] for lost in shown["unusable"]] == [1]
    assert f"1 requests without an answer may have been paid for, ${perhaps['cost_usd']:,.4f}" in done.stderr
    assert f"kg runs show {run} lists them" in done.stderr
    other = kg(*at, "--yes", "--relations", "xWant").stdout
    assert "$0.0000 spent by this run in all" in other, "another run has paid"
    assert json.loads(kg("runs", "show", run_of(other)).stdout)["cost_usd"] == 0


@pytest.mark.usefixtures("graph")
def test_a_resumed_run_of_events_prices_the_round_that_it_asks_for(kg: Kg, provider: Provider) -> None:
    provider.texts = lambda prompt, count: [f"PersonX counts {hash(prompt) % 10**9} sheep"] * count
    command = ["ingest", "events", "--count", "30", "--model", "gpt-4o-mini", "--base-url", provider.url]
    done = kg(*command, "--yes", "--budget", "0.002", status=1)
    assert "budget of $0.002 is spent" in done.stderr
    asked = len(provider.bodies)
    again = kg(*command, status=1)
    assert "nothing is left to ask for" not in again.stderr
    assert len(provider.bodies) == asked, "it asks before it spends"


DAMAGED = {
    "cut": ("plan.json", lambda text: text[: len(text) // 2]),
    "empty": ("plan.json", lambda _: ""),
    "a list": ("plan.json", lambda _: "[]"),
    "brackets": ("plan.json", lambda _: "[" * 100_000),
    "another kind": ("plan.json", lambda text: text.replace('"inferences"', '"poems"')),
    "a text as a number": ("plan.json", lambda text: text.replace('"samples": 10', '"samples": "ten"')),
    "a number that is none": ("plan.json", lambda text: text.replace('"samples": 10', '"samples": NaN')),
    "too small a number": ("plan.json", lambda text: text.replace('"samples": 10', '"samples": 0')),
    "a fraction": ("plan.json", lambda text: text.replace('"samples": 10', '"samples": 1.5')),
    "no model": ("plan.json", lambda text: text.replace('"model"', '"mode"')),
    "relations as text": (
        "plan.json", lambda text: re.sub(r'"relations": \[.*\]', '"relations": "xWant"', text, flags=re.DOTALL)
    ),
    "a relation that is none": ("plan.json", lambda text: text.replace('"xWant"', '"x Want`"')),
    "texts cut": ("texts.jsonl", lambda text: text[:-5]),
    "texts that are numbers": ("texts.jsonl", lambda _: "1\n2\n"),
    "no texts": ("texts.jsonl", lambda _: ""),
    "texts that are no Unicode": ("texts.jsonl", lambda _: '"\udcff"\n'),
    "missing texts": ("texts.jsonl", None),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_plan_is_one_sentence(provider: Provider, workspace: Workspace, name: str) -> None:
    file, damage = DAMAGED[name]
    with Lesson.open(workspace, plan(provider)) as lesson:
        lesson.save()
        run = lesson.run.id
    assert open_plan(workspace, run).texts == EVENTS
    path = workspace.root / "runs" / run / file
    if damage:
        damaged = damage(path.read_text())
        assert damaged != path.read_text()
        path.write_bytes(damaged.encode("utf-8", "surrogateescape"))
    else:
        path.unlink()
    with pytest.raises(InputError, match=rf"{re.escape(str(path))} is damaged: .*move .* away") as caught:
        open_plan(workspace, run)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_plan_opens_as_the_run_that_it_was(provider: Provider, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "xNeed.txt").write_text("{{ event }} needs")
    mine = replace(plan(provider), prompts=str(tmp_path / "mine"))
    with Lesson.open(workspace, mine) as lesson:
        lesson.save()
        first = lesson.run.id, [request.key for request in lesson.requests()]
    (tmp_path / "mine" / "xNeed.txt").write_text("{{ event }} now needs")
    with Lesson.open(workspace, open_plan(workspace, first[0])) as lesson:
        assert (lesson.run.id, [request.key for request in lesson.requests()]) == first


@pytest.mark.parametrize("file", ["dropped.jsonl", "failures.jsonl"])
def test_a_full_disk_under_a_list_is_one_sentence_with_its_path(
    provider: Provider, workspace: Workspace, graph: KnowledgeGraph, file: str
) -> None:
    provider.misbehave = lambda number, _body: error(400, "no") if number % 2 else said('["a", "to rest"]')
    with Lesson.open(workspace, plan(provider)) as lesson:
        folder = workspace.folder("runs", lesson.run.id)
    (folder / file).symlink_to("/dev/full")
    with pytest.raises(
        KGError, match=rf"cannot use {re.escape(str(folder / file))}: No space left.*make room"
    ) as caught:
        generate_inferences(graph, Teaching(workspace, plan(provider), in_flight=2))
    assert "\n" not in str(caught.value)


def test_a_full_disk_under_the_replies_is_one_sentence_with_its_path(provider: Provider, workspace: Workspace) -> None:
    def ask() -> None:
        with Teaching(workspace, plan(provider)) as teaching:
            teaching.lesson.cache._connection.execute("PRAGMA max_page_count = 1")  # noqa: SLF001 - a file that is full
            list(teaching.ask(teaching.lesson.requests()))

    with pytest.raises(KGError, match=r"replies\.sqlite: database or disk is full; make room there"):
        ask()
