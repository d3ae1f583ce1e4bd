"""The teacher's commands as a new user types them: a loopback provider, a real Neo4j."""

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from tests.repeats import only_thorough
from tests.teacher.provider import Provider, error, said

pytestmark = pytest.mark.usefixtures("graph")
Kg = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
[mayBuy]
phrase = "so PersonX may buy"
question = "What might PersonX buy?"
"""
SHOP_PROMPT = """{# What somebody may buy. #}
{% set examples = [("PersonX plans a barbecue", "charcoal"), ("PersonX adopts a puppy", "a leash")] %}
What may people buy in each situation?

{% for head, tail in examples %}
{{ loop.index }}. {{ head | named(pair(loop.index0)) }}. {{ pair(loop.index0).x }} may buy {{ tail }}.
{% endfor %}
3. {{ event | named(query) }}. {{ query.x }} may buy
"""
JAPANESE_PROMPT = """{# Xがしたいこと。 #}
それぞれの状況のあと、人は何をしたいですか。

1. Xが財布をなくす。Xは財布を探したい。
2. Xが雨にぬれる。Xは服を乾かしたい。
3. {{ event }}。Xは
"""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as opened:
        yield opened


@pytest.fixture
def at(provider: Provider) -> list[str]:
    return ["--model", "gpt-4o-mini", "--base-url", provider.url, "--yes"]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    (tmp_path / "events.txt").write_text("PersonX jams the office photocopier\nPersonX naps\nPersonX fires PersonY\n")
    return tmp_path / "events.txt"


def run_of(text: str) -> str:
    return text.split("Run ", 1)[1].split(":", 1)[0]


def test_from_seeds_to_a_graph_in_three_commands(
    kg: Kg, provider: Provider, at: list[str], graph: KnowledgeGraph
) -> None:
    priced = kg("ingest", "events", "--count", "30", *at[:-1], "--dry-run").stdout
    assert "about $0.0" in priced
    assert provider.bodies == []
    written = kg("ingest", "events", "--count", "30", *at).stdout
    assert run_of(written) == run_of(priced)
    assert "30 new in the graph" in written
    assert graph.statistics()["events"] == 30
    inferred = kg("ingest", "inferences", "--relations", "xWant,xNeed", *at).stdout
    assert "60 replies" in inferred
    edges = list(graph.edges())
    assert {edge.triple.relation for edge in edges} == {"xWant", "xNeed"}
    assert all(edge.runs == (run_of(inferred),) for edge in edges)
    run = json.loads(kg("runs", "show", run_of(inferred)).stdout)
    assert (run["reported_model"], run["requests"], run["status"]) == ("gpt-4o-mini-2026-11-01", 60, "finished")
    assert run["cost_usd"] > 0
    assert set(run["parameters"]["prompts"]) == {"xNeed", "xWant"}

    before, asked = list(graph.edges()), len(provider.bodies)
    assert "0 new in the graph" in kg("ingest", "inferences", "--relations", "xWant,xNeed", *at).stdout
    assert (list(graph.edges()), len(provider.bodies)) == (before, asked)
    kg("runs", "undo", run_of(inferred), "--yes")
    assert graph.statistics()["events"] == 30, "the events have their own run"
    kg("runs", "undo", run_of(written), "--yes")
    assert graph.statistics()["phrases"] == 0


def test_completions_give_logprobs_and_lose_the_least_likely_fifth(
    kg: Kg, at: list[str], events: Path, graph: KnowledgeGraph
) -> None:
    said = kg("ingest", "events", "--count", "40", "--interface", "completions", *at).stdout
    assert "among the least likely fifth" in said
    kg("ingest", "inferences", "--events", str(events), "--interface", "completions", "--relations", "xWant", *at)
    edges = list(graph.edges())
    assert edges
    assert all(edge.logprob is not None and -5 < edge.logprob <= 0 for edge in edges)


def test_it_asks_before_it_spends(kg: Kg, provider: Provider, at: list[str], events: Path) -> None:
    kg("ingest", "inferences", "--events", str(events), *at[:-1], status=1)
    assert provider.bodies == []


def test_failures_are_listed_and_resume_asks_only_those_again(
    kg: Kg, provider: Provider, at: list[str], events: Path, graph: KnowledgeGraph
) -> None:
    provider.misbehave = lambda _number, body: error(400, "no") if "Alex naps" in json.dumps(body) else None
    done = kg("ingest", "inferences", "--events", str(events), "--relations", "xWant,xNeed", *at, status=1)
    run = run_of(done.stdout)
    assert "2 requests failed" in done.stderr
    assert f"kg ingest resume {run}" in done.stderr
    assert graph.run(run)["status"] == "incomplete"
    failures = (Path(done.stderr.split("see ", 1)[1].splitlines()[0])).read_text().splitlines()
    assert len(failures) == 2
    assert "no" in json.loads(failures[0])["reason"]
    provider.misbehave = lambda _number, _body: None
    provider.bodies.clear()
    assert run_of(kg("ingest", "resume", run, "--yes").stdout) == run
    assert len(provider.bodies) == 2
    assert graph.run(run)["status"] == "finished"
    assert graph.run(run)["failed"] == 0


def test_resuming_asks_the_provider_of_the_plan_whatever_the_environment_says_by_then(
    kg: Kg, provider: Provider, events: Path, environment: dict[str, str]
) -> None:
    environment["OPENAI_BASE_URL"] = provider.url
    run = run_of(kg("ingest", "inferences", "--events", str(events), "--model", "m", "--dry-run").stdout)
    environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    assert run_of(kg("ingest", "resume", run, "--yes").stdout) == run
    assert len(provider.bodies) == 21


def test_a_few_failures_are_no_error(kg: Kg, provider: Provider, at: list[str], events: Path) -> None:
    provider.misbehave = lambda number, _body: error(400, "no") if number == 2 else None
    kg("ingest", "inferences", "--events", str(events), "--max-failures", "0.2", *at)


def test_a_wrong_key_is_one_line(kg: Kg, provider: Provider, at: list[str], events: Path) -> None:
    provider.misbehave = lambda _number, _body: error(401, "Incorrect API key provided: x")
    done = kg("ingest", "inferences", "--events", str(events), *at, status=1)
    assert "refuses the key" in done.stderr.splitlines()[-1]
    assert len(provider.bodies) < 64


def test_cleaning_is_counted_and_listed(kg: Kg, provider: Provider, at: list[str], tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("PersonX naps\n")
    tails = [
        "to rest.",
        "to rest",
        "ok",
        "Alex naps",
        "Alex wants to thank Chris at Christmas",
        "a\0b c",
        "to see \ud83d half an emoji",
        "to eat\n2. to go",
    ]
    provider.misbehave = lambda _number, _body: said(json.dumps({"items": tails}))
    done = kg("ingest", "inferences", "--events", "one.txt", "--relations", "xWant", *at)
    for rule in (
        "duplicate",
        "too short",
        "repeats the prompt",
        "the text has a NUL character",
        "the text has a lone surrogate, so it is not valid Unicode",
    ):
        assert f"1 dropped in cleaning: {rule}" in done.stdout
    found = kg("query", "MATCH ()-[r:xWant]->(t) RETURN t.text AS tail ORDER BY tail", "--json").stdout.splitlines()
    assert [json.loads(row)["tail"] for row in found] == ["to eat", "to rest", "to thank PersonY at Christmas"]
    (dropped,) = (tmp_path / "home" / "runs").glob("*/dropped.jsonl")
    assert len(dropped.read_text().splitlines()) == 5


def test_a_reply_in_another_language_is_dropped(kg: Kg, provider: Provider, at: list[str], tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("PersonX misses the bus\n")
    tails = ["appeler un taxi", "rentrer à pied", "attendre le prochain bus sous la pluie"]
    provider.misbehave = lambda _number, _body: said(json.dumps({"items": tails}, ensure_ascii=False))
    done = kg("ingest", "inferences", "--events", "one.txt", "--relations", "xWant", *at)
    assert "3 dropped in cleaning: language fr" in done.stdout


def test_a_vocabulary_and_prompts_of_the_users_own_need_no_code(
    kg: Kg, provider: Provider, at: list[str], tmp_path: Path, graph: KnowledgeGraph
) -> None:
    (tmp_path / "shop.toml").write_text(SHOP)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mayBuy.txt").write_text(SHOP_PROMPT)
    (tmp_path / "events.txt").write_text("PersonX moves into a flat\n")
    provider.misbehave = lambda _number, _body: said('{"items": ["a sofa", "curtains for Alex"]}')
    kg("ingest", "inferences", "--events", "events.txt", "--vocabulary", "shop.toml", "--prompts", "shop", *at)
    assert "Alex moves into a flat. Alex may buy" in provider.bodies[0]["messages"][0]["content"]
    assert {(edge.triple.relation, edge.triple.tail) for edge in graph.edges()} == {
        ("mayBuy", "a sofa"),
        ("mayBuy", "curtains for PersonX"),
    }


def test_japanese_prompts_need_no_code(
    kg: Kg, provider: Provider, at: list[str], tmp_path: Path, graph: KnowledgeGraph
) -> None:
    (tmp_path / "ja").mkdir()
    (tmp_path / "ja" / "xWant.txt").write_text(JAPANESE_PROMPT)
    (tmp_path / "ja" / "chat.txt").write_text("{{ prompt }}\nの続きを{{ count }}個、JSONで: Write {{ count }} items")
    (tmp_path / "events.txt").write_text("Xがパチンコ屋へ行く\n")
    provider.misbehave = lambda _number, _body: said('{"items": ["お金が欲しい。", "暇だ"]}')
    kg("ingest", "inferences", "--events", "events.txt", "--relations", "xWant", "--prompts", "ja", "--lang", "ja", *at)
    assert {(edge.triple.tail, edge.triple.lang) for edge in graph.edges()} == {("お金が欲しい", "ja"), ("暇だ", "ja")}


def test_the_raw_reply_of_a_triple_is_shown(kg: Kg, provider: Provider, at: list[str], events: Path) -> None:
    run = run_of(kg("ingest", "inferences", "--events", str(events), "--relations", "xWant", *at).stdout)
    tail = provider.tails["Alex jams the office photocopier", "xWant"][0]
    triple = ["PersonX jams the office photocopier", "xWant", tail]
    shown = json.loads(kg("runs", "show", run, "--triple", *triple).stdout.split("\n}\n", 1)[1])
    assert shown["request"]["messages"][0]["content"].endswith("Alex wants")
    assert tail in shown["reply"]["choices"][0]["message"]["content"]
    assert "did not come from run" in kg("runs", "show", run, "--triple", *triple[:2], "to fly", status=1).stderr


def test_an_interrupt_is_one_line_that_says_how_to_go_on(
    provider: Provider, at: list[str], events: Path, environment: dict[str, str], tmp_path: Path, graph: KnowledgeGraph
) -> None:
    provider.seconds = 0.3
    command = [
        str(Path(sys.executable).parent / "kg"),
        "ingest",
        "inferences",
        "--events",
        str(events),
        *at,
        "--in-flight",
        "2",
    ]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while len(provider.bodies) < 6:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    last = errors.strip().splitlines()[-1]
    assert last.startswith("kg: interrupted; kg ingest resume inferences-")
    again = subprocess.run(
        [*command[:1], "ingest", "resume", last.split()[5], "--yes"],
        env=environment,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    assert sum(provider.keys.values()) <= 21 + 2, "at most what was in flight is asked again"
    assert graph.run(last.split()[5])["status"] == "finished"


@only_thorough
def test_a_run_goes_as_a_batch(kg: Kg, provider: Provider, at: list[str], events: Path, graph: KnowledgeGraph) -> None:
    priced = kg("ingest", "inferences", "--events", str(events), *at[:-1], "--dry-run").stdout
    run = run_of(priced)
    kg("ingest", "batch", "submit", run, status=1)
    assert provider.batches == {}, "it asks first"
    assert "21 requests, validating" in kg("ingest", "batch", "submit", run, "--yes").stdout
    assert "completed, 21 done" in kg("ingest", "batch", "status", run).stdout
    done = kg("ingest", "batch", "collect", run).stdout
    assert "21 replies collected" in done
    assert graph.statistics()["edges"] > 30
    record = graph.run(run)
    assert record["status"] == "finished"
    kg("ingest", "inferences", "--events", str(events), *at)
    assert provider.bodies == [], "what came by batch is not asked for again"
    assert graph.run(run)["cost_usd"] == record["cost_usd"]


@only_thorough
def test_events_go_as_batches_round_by_round(kg: Kg, provider: Provider, at: list[str], graph: KnowledgeGraph) -> None:
    number = itertools.count()
    provider.texts = lambda _prompt, count: [f"PersonX counts {next(number)} sheep", *["nothing"] * (count - 1)]
    run = run_of(kg("ingest", "events", "--count", "20", "--samples", "4", *at[:-1], "--dry-run").stdout)
    first = kg("ingest", "batch", "submit", run, "--yes")
    assert "10 requests" in first.stdout
    done = kg("ingest", "batch", "collect", run, status=1)
    assert f"10 of 20 events so far: kg ingest batch submit {run} sends" in done.stderr
    assert graph.statistics()["events"] == 0
    second = kg("ingest", "batch", "submit", run, "--yes")
    assert "10 requests" in second.stdout
    assert "That is round 2: 10 different events came before it." in second.stderr
    assert "20 new in the graph" in kg("ingest", "batch", "collect", run).stdout
    assert "Nothing was sent" in kg("ingest", "batch", "submit", run, "--yes").stdout
    assert graph.statistics()["events"] == 20
