"""What an annotator said: own verdicts with the replaced ones and notes, a change of one, and nothing of others."""

import re

import pytest

from critic.annotators import add_annotator
from critic.batches import draw_batch
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import find_task, give_verdict, turns_by
from kg.identity import head_id
from kg.web import history
from kg.web.guard import Guard
from kg.web.site import Site
from kg.workspace import Workspace
from tests.web.conftest import HOSTILE, TOKEN
from tests.web.test_judging import Browser, app, graph, said_by  # noqa: F401 - fixtures
from tests.web.test_pages import Page

pytestmark = pytest.mark.usefixtures("filled")


def mine(browser: Browser, path: str = "/judge/mine") -> str:
    """The page as it is read."""
    answer = browser.client.get(path)
    assert answer.status_code == 200
    browser.page = answer
    return " ".join(Page(answer.text).text.split())


def test_own_verdicts_are_shown_newest_first_with_notes_and_what_they_replaced(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    batch = draw_batch(graph, size=3, seed=21).run
    anna, bert = (Browser(app, add_annotator(workspace, name)) for name in ("anna", "bert"))
    assert "You have said nothing yet" in mine(anna)
    anna.page = anna.client.get("/judge")
    anna.post("/judge/next", batch=batch)
    tasks = []
    for key, note in (("1", "sure of that"), ("3", ""), ("s", "")):
        tasks.append(anna.task)
        anna.say(key, note=note)
    shown = mine(anna)
    assert re.search("skipped .*farfetched or never true .*always or often true .*sure of that", shown)
    assert re.findall(r'<li id="(\w+)"', anna.page.text) == tasks[::-1]

    asked = anna.client.get(f"/judge/ask/{tasks[0]}?change=1")
    assert "You said: always or often true, sure of that" in " ".join(Page(asked.text).text.split())
    assert 'value="sure of that"' in asked.text
    anna.page = asked
    before = graph.watermark()
    anna.client.get(f"/judge/ask/{tasks[0]}?change=1")
    assert graph.watermark() == before, "looking changes nothing"
    assert anna.post("/judge/say", task=tasks[0], say="4", note="not at all", change="1") == 200
    assert str(anna.page.url).endswith("/judge/mine#" + tasks[0])
    shown = mine(anna)
    assert re.search(r"makes no sense .*not at all.* 1 before that always or often true .*sure of that.*skipped", shown)
    assert [one.value for one in said_by(graph, "anna")].count(-2) == 1
    assert len(said_by(graph, "anna")) == 2

    assert "sure of that" not in mine(bert)
    assert "You have said nothing yet" in mine(bert)


def test_a_long_history_has_pages_without_a_gap(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr(history, "_TASKS", 2)
    draw_batch(graph, size=3, seed=22, name="one")
    draw_batch(graph, size=2, seed=23, name="two")
    token = add_annotator(workspace, "anna")
    anna = Browser(app, token)
    for batch in ("one", "two"):
        run = next(run["id"] for run in graph.runs() if run.get("dataset") == batch and run["status"] == "finished")
        anna.page = anna.client.get("/judge")
        anna.post("/judge/next", batch=run)
        while "/judge/ask/" in str(anna.page.url):
            anna.say("2")
    seen: list[str] = []
    path = "/judge/mine"
    while path:
        mine(anna, path)
        seen += re.findall(r'<li id="(\w+)"', anna.page.text)
        path = "".join(re.findall(r'href="([^"]+)" rel="next"', anna.page.text)).replace("&amp;", "&")
    assert seen == [one.task.id for one in turns_by(graph, "anna")]
    assert len(seen) == 5
    assert "nothing older" in mine(anna, "/judge/mine?before=2000")


def test_notes_and_earlier_verdicts_stand_on_the_page_of_the_event(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace, site: Site  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    batch = draw_batch(graph, size=400, seed=24).run
    note = f"odd {HOSTILE[1]} {HOSTILE[4]}"
    anna = Browser(app, add_annotator(workspace, "anna"))
    anna.post("/judge/next", batch=batch)
    task = anna.task
    give_verdict(graph, task, "anna", 1, "at first")
    give_verdict(graph, task, "anna", -1, note)
    triple = find_task(graph, task).triple
    assert 'href="/phrase/' not in anna.client.get("/judge/mine").text, "an annotator cannot open it"

    owner = Browser(app, TOKEN)
    answer = owner.client.get(f"/phrase/{head_id(triple)}")
    page = Page(answer.text)
    assert re.search(r"anna: farfetched or never true.*odd .*said before.*sometimes or likely true.*at first",
                     " ".join(page.text.split()))  # fmt: skip
    assert "img" not in {tag for tag, _ in page.elements}
    assert "\u202e" not in page.text
    assert "always or often true" in page.text, "verdicts of files are called by the same words"
    give_verdict(graph, task, owner_name := site.stages.judging.owner, 2)
    assert owner_name in mine(owner)
    (place,) = re.findall(r'href="/phrase/\w+#([^"]+)"', owner.page.text)
    assert f'<tr id="{place}"' in answer.text, "who claimed it is one step away"
