"""Killing a run of a live teacher many times ends with the graph of an undisturbed one, and nothing is paid twice."""

import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from tests import command
from tests.repeats import often, only_thorough
from tests.teacher.provider import Provider

pytestmark = pytest.mark.timeout(600)
KILLS = often(4, 20)
ARGUMENTS = ["ingest", "inferences", "--events", "events.txt", "--relations",
           "xWant,xNeed,xReact", "--model", "gpt-4o-mini", "--yes", "--in-flight", "8"]  # fmt: skip


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(seconds=0.1) as opened:
        yield opened


def picture(graph: KnowledgeGraph) -> object:
    other = ("started", "finished", "cost_usd")
    runs = [{name: value for name, value in run.items() if name not in other} for run in graph.runs()]
    return list(graph.edges()), list(graph.phrases()), runs


def kept(home: Path) -> set[str]:
    path = home / "replies" / "replies.sqlite"
    if not path.is_file():
        return set()
    with sqlite3.connect(path) as connection:
        try:
            found = {row[0] for row in connection.execute("SELECT key FROM replies")}
        except sqlite3.OperationalError:  # killed before the table was made
            found = set()
    connection.close()
    return found


def lost(home: Path) -> int:
    with sqlite3.connect(home / "replies" / "replies.sqlite") as connection:
        (number,) = connection.execute("SELECT count(*) FROM losses WHERE reason LIKE 'on its way%'").fetchone()
    connection.close()
    return int(number)


@only_thorough
def test_many_kills_cost_nothing(
    provider: Provider, environment: dict[str, str], tmp_path: Path, graph: KnowledgeGraph
) -> None:
    events = [event.removeprefix("\ufeff") for event in provider.events[:160]]
    (tmp_path / "events.txt").write_text("\n".join(events), encoding="utf-8")
    arguments = [*ARGUMENTS, "--base-url", provider.url]
    draw = random.Random(4)
    home = Path(environment["KG_HOME"])
    mid_run = 0
    for _ in range(KILLS):
        paid = kept(home)
        before = len(provider.bodies)
        process = command.start(arguments, environment, tmp_path, tmp_path / ".said")
        deadline = time.monotonic() + 60
        while len(provider.bodies) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.35))
        process.kill()
        process.join()
        time.sleep(0.15)  # what was in flight is answered
        mid_run += before < len(provider.bodies)
        asked = {headers["Idempotency-Key"] for headers in provider.headers[before:]}
        assert not asked & paid, "what was kept is not asked for again"
    assert mid_run >= 0.75 * KILLS
    assert lost(home) > 0, "what was on its way at a kill counts for the budget"
    provider.seconds = 0
    done = command.run(arguments, environment, tmp_path, tmp_path / ".said")
    assert done.returncode == 0, done.stderr
    disturbed, cost = picture(graph), graph.runs()[0]["cost_usd"]
    again = sum(count - 1 for count in provider.keys.values())
    assert len(provider.keys) == 480
    assert again <= KILLS * 8, "at most what was in flight at a kill is asked for again, under the same idempotency key"

    graph.store.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS")
    undisturbed = command.run(
        arguments, environment | {"KG_HOME": str(tmp_path / "other")}, tmp_path, tmp_path / ".said"
    )
    assert undisturbed.returncode == 0
    assert picture(graph) == disturbed
    assert graph.runs()[0]["cost_usd"] < cost, "what was on its way at a kill may have been paid for"
