"""Judging on pages: blind, one at a time, kept at once, and nobody else's business."""

import re
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from critic.annotators import add_annotator, remove_annotator
from critic.batches import draw_batch
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import progress
from kg.model import Judgement
from kg.serve import _annotator
from kg.web.app import make_app
from kg.web.guard import Guard, owner_and
from kg.web.site import Site
from kg.workspace import Workspace
from tests.web.conftest import HOST, HOSTILE, TOKEN
from tests.web.test_pages import Page

pytestmark = pytest.mark.usefixtures("filled")


class Browser:
    """A browser of somebody with a token."""

    def __init__(self, app: Guard, token: str) -> None:
        self.client = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)
        self.page = self.client.get("/judge", params={"token": token})
        assert self.page.status_code == 200, self.page.text

    @property
    def task(self) -> str:
        """The task that is shown."""
        return re.findall(r"/judge/ask/([^?]+)", str(self.page.url))[0]

    @property
    def last(self) -> str:
        return "".join(parse_qs(urlsplit(str(self.page.url)).query).get("last", []))

    def post(self, path: str, **form: str) -> int:
        csrf = re.findall(r'name="csrf" content="([0-9a-f]+)"', self.page.text)[0]
        answer = self.client.post(path, data=form | {"csrf": csrf}, headers={"origin": f"http://{HOST}"})
        if answer.status_code == 200:
            self.page = answer
        return answer.status_code

    def say(self, key: str, note: str = "") -> int:
        return self.post("/judge/say", task=self.task, say=key, note=note)


@pytest.fixture
def graph(filled: KnowledgeGraph) -> Iterator[KnowledgeGraph]:
    """The shared graph, from which the batches of a test are taken again."""
    yield filled
    for run in filled.runs():
        if run["kind"] == "sample" and run["status"] == "finished":
            for other in filled.runs():
                if other["kind"] == "judge" and other["dataset"] == run["id"] and other["status"] == "finished":
                    filled.undo(other["id"])
            filled.undo(run["id"])


@pytest.fixture
def app(site: Site, workspace: Workspace) -> Guard:
    return make_app(site, hosts={HOST}, who=owner_and(TOKEN, lambda token: _annotator(workspace, token)))


def said_by(graph: KnowledgeGraph, name: str) -> list[Judgement]:
    return [one for one in graph.judgements() if one.annotator == name]


def test_a_verdict_is_in_the_graph_before_the_next_triple_is_shown(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace
) -> None:
    batch = draw_batch(graph, size=5, seed=1).run
    anna = Browser(app, add_annotator(workspace, "anna"))
    assert anna.post("/judge/next", batch=batch) == 200
    tasks = []
    for number, key in enumerate("12345", 1):
        tasks.append(anna.task)
        assert anna.say(key, note="odd" if key == "3" else "") == 200
        assert len(said_by(graph, "anna")) == number
    assert sorted(one.value for one in said_by(graph, "anna")) == [-9, -2, -1, 1, 2]
    assert len(set(tasks)) == 5
    assert "Nothing is left for you" in anna.page.text
    assert anna.post("/judge/back", batch=batch, last=anna.last) == 200
    assert anna.task == tasks[-1]
    assert len(said_by(graph, "anna")) == 4
    assert anna.post("/judge/back", batch=batch, last=tasks[-1]) == 200, "sent twice, it takes back one"
    assert len(said_by(graph, "anna")) == 4
    assert anna.say("s") == 200
    found = progress(graph, batch, "anna")
    assert (found.mine, found.skipped, found.left) == (4, 1, 0)


def test_the_same_form_again_changes_nothing_and_another_verdict_replaces(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace
) -> None:
    batch = draw_batch(graph, size=3, seed=2).run
    anna = Browser(app, add_annotator(workspace, "anna"))
    anna.post("/judge/next", batch=batch)
    task = anna.task
    for _ in range(2):
        assert anna.post("/judge/say", task=task, say="1") == 200
    assert [one.value for one in said_by(graph, "anna")] == [2]
    assert anna.post("/judge/say", task=task, say="4") == 200
    assert [one.value for one in said_by(graph, "anna")] == [-2]


def test_the_page_is_blind_and_escapes_what_it_shows(graph: KnowledgeGraph, app: Guard, workspace: Workspace) -> None:
    batch = draw_batch(graph, size=400, controls=True, seed=3).run
    anna = Browser(app, add_annotator(workspace, "anna"))
    anna.post("/judge/next", batch=batch)
    seen = 0
    while "/judge/ask/" in str(anna.page.url):
        shown = anna.page.text.lower().split("<main")[1]
        told = re.search(r"teacher|student-1|filter-1|accepted|[01]\.[0-9]|score|rater|gold|control", shown)
        assert not told, told
        assert "<script>alert" not in anna.page.text
        assert "<img" not in anna.page.text
        seen += "alert(1)" in anna.page.text
        anna.say("2")
    assert seen >= 2, "hostile texts were among them"
    assert HOSTILE


def test_a_page_that_is_only_looked_at_holds_nothing(graph: KnowledgeGraph, app: Guard, workspace: Workspace) -> None:
    batch = draw_batch(graph, size=1, seed=4).run
    anna, bert = (Browser(app, add_annotator(workspace, name)) for name in ("anna", "bert"))
    anna.post("/judge/next", batch=batch)
    task = anna.task
    writes = graph.watermark()
    assert bert.client.get("/judge").status_code == 200
    assert bert.client.get(f"/judge/ask/{task}").status_code == 200
    assert graph.watermark() == writes
    assert bert.post("/judge/next", batch=batch) == 200
    assert "held for others" in bert.page.text


def test_annotators_see_their_pages_only_and_a_removed_one_none(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace
) -> None:
    draw_batch(graph, size=1, seed=5)
    for name in ("anna", "owner", "OWNER"):
        other = Browser(app, add_annotator(workspace, name))
        for path in ("/", "/browse", "/batches", "/batch", "/search?text=a", "/judgements", "/phrase/0"):
            assert other.client.get(path).status_code == 403, (name, path)
        assert other.post("/batches", size="1", way="random", split="test", seed="0") == 403
        assert 'href="/browse"' not in other.page.text
        remove_annotator(workspace, name)
        assert other.client.get("/judge").status_code == 403


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/judge/say", {"task": "no-such-task", "say": "1"}, 404), ("/judge/say", {"say": "1"}, 400),
        ("/judge/next", {"batch": "no-such-batch"}, 409), ("/judge/next", {}, 400),
        ("/judge/back", {"batch": "no-such-batch"}, 409), ("/judge/say", {"task": "x" * 90_000, "say": "1"}, 404),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("graph")
def test_what_cannot_be_done_is_a_sentence(
    app: Guard, workspace: Workspace, path: str, form: dict[str, str], status: int
) -> None:
    anna = Browser(app, add_annotator(workspace, "anna"))
    assert anna.post(path, **form) == status
    assert anna.client.get("/judge/ask/no-such-task").status_code == 404
    assert anna.client.get("/judge/done?batch=x").status_code == 404


def test_a_verdict_that_is_none_is_refused(graph: KnowledgeGraph, app: Guard, workspace: Workspace) -> None:
    batch = draw_batch(graph, size=2, seed=6).run
    anna = Browser(app, add_annotator(workspace, "anna"))
    anna.post("/judge/next", batch=batch)
    for said in ("6", "0", "u", "2 ", "\u0661"):
        assert anna.post("/judge/say", task=anna.task, say=said) == 400
    assert anna.say("1", note="n" * 1001) == 400
    assert not said_by(graph, "anna")


def test_many_at_once_lose_nothing_and_share_each_triple_as_wanted(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace
) -> None:
    batch = draw_batch(graph, size=12, per_triple=2, seed=7).run
    people = [Browser(app, add_annotator(workspace, f"person {number}")) for number in range(4)]
    failures: list[str] = []

    def judge(person: Browser) -> None:
        person.post("/judge/next", batch=batch)
        while "/judge/ask/" in str(person.page.url):
            if person.say("1") != 200:
                failures.append(person.page.text)
                return

    threads = [threading.Thread(target=judge, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = progress(graph, batch)
    assert (found.done, found.wanted) == (24, 24)
    assert sum(len(said_by(graph, f"person {number}")) for number in range(4)) == 24


def test_the_owner_draws_judges_and_sees_what_the_verdicts_say(graph: KnowledgeGraph, app: Guard, site: Site) -> None:
    owner = Browser(app, TOKEN)
    assert owner.client.get("/batches").status_code == 200
    draw = {
        "size": "4",
        "way": "random",
        "split": "test",
        "seed": "3",
        "controls": "1",
        "each": "1",
        "name": "first <b>",
    }
    assert owner.post("/batches", **draw) == 200
    batch = parse_qs(urlsplit(str(owner.page.url)).query)["id"][0]
    before = told(owner, batch)
    assert "first <b>" in before
    assert "What is judged" in before or "of machines" in before or "verdicts of people" in before
    owner.page = owner.client.get("/batch", params={"id": batch})
    assert owner.post("/judge/next", batch=batch) == 200
    shares, count = [], 0
    while "/judge/ask/" in str(owner.page.url):
        owner.say("1" if count % 2 else "4")
        count += 1
        if count in (2, 4):
            asked = owner.page
            shares.append(re.findall(r"verdicts (\d+\.\d) %", told(owner, batch)))
            owner.page = asked
    assert said_by(graph, site.stages.judging.owner)
    assert shares[0] != shares[1], "the estimate changes as verdicts come"
    assert '<button class="main">Judge</button>' not in owner.client.get("/batch", params={"id": batch}).text
    text = told(owner, batch)
    assert re.search(r"of people about \d events.*\d verdicts? on this batch ago it was", text)
    assert "The estimate as verdicts came" in text
    assert "<pre" not in owner.page.text
    for wrong in (
        {"size": "0"}, {"size": "x"}, {"way": "best"}, {"split": "all"}, {"seed": ""}, {"each": "0"}, {"each": "21"},
        {"name": "x" * 65}, {"name": "a\x1b[2J"}, {"seed": "9" * 5000},
    ):  # fmt: skip
        owner.page = owner.client.get("/batches")
        assert owner.post("/batches", **({"size": "4", "way": "random", "split": "test", "seed": "3"} | wrong)) == 400


def test_agreement_of_two_people_is_a_table_with_its_meaning(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace
) -> None:
    batch = draw_batch(graph, size=8, per_triple=2, seed=31).run
    for name, keys in (("anna", "12341234"), ("<i>bert", "11441144")):
        person = Browser(app, add_annotator(workspace, name))
        person.post("/judge/next", batch=batch)
        for key in keys:
            person.say(key)
    owner = Browser(app, TOKEN)
    text = told(owner, batch)
    assert re.search(r"3 annotators judged \d+ of these edges, two or more of them \d+\. They agree", text), text
    assert re.search(r"Krippendorff's alpha, accepted or not -?[01]\.\d\d", text)
    assert re.search(r"<i>bert 8 0 [+-][01]\.\d\d", text)
    assert "<i>bert" not in owner.page.text, "escaped"


def test_a_batch_that_was_chosen_says_that_it_is_no_estimate(graph: KnowledgeGraph, app: Guard) -> None:
    owner = Browser(app, TOKEN)
    batch = draw_batch(graph, size=3, way="uncertain").run
    text = told(owner, batch)
    assert "chosen, not drawn by chance" in text
    assert "between" in text


@pytest.mark.parametrize("about", [
    "{}", '{"split": "all"}', '{"split": "test", "where": "true) OR (true"}', '{"split": "test", "where": 5}',
    '{"split": "test", "where": "true) SET r.score = 1 //"}',
])  # fmt: skip
def test_a_batch_of_elsewhere_with_an_odd_condition_is_a_sentence(
    graph: KnowledgeGraph, app: Guard, about: str
) -> None:
    batch = draw_batch(graph, size=3, seed=33).run
    graph.store.run("MATCH (n:Run {id: $id}) SET n.parameters = $about", id=batch, about=about)
    owner = Browser(app, TOKEN)
    text = told(owner, batch)
    assert "How good the edges are" not in text
    assert "Traceback" not in text
    assert "nobody foresaw" not in text


def told(owner: Browser, batch: str) -> str:
    """What the page of a batch says once all is counted."""
    for _ in range(100):
        owner.page = owner.client.get("/batch", params={"id": batch})
        assert owner.page.status_code == 200, owner.page.text
        if "being" not in (text := " ".join(Page(owner.page.text).text.split())):
            return text
        time.sleep(0.1)
    raise AssertionError("it is being counted for ever")
