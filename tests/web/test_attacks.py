"""The application as an attacker sees it: texts that others wrote, paths, forms of somebody else, raw replies."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from starlette.testclient import TestClient

from critic.annotators import add_annotator
from critic.batches import draw_batch
from ingest.teacher.inferences import generate_inferences
from ingest.teacher.plan import Plan
from ingest.teacher.run import Teaching
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import give_verdict, progress, tasks_of
from kg.identity import phrase_id
from kg.serve import _annotator, stages_of
from kg.vocabulary import Vocabulary as Relations
from kg.web import guard
from kg.web.app import make_app
from kg.web.guard import Guard, owner_and
from kg.web.site import Site
from kg.workspace import Workspace
from tests.teacher.provider import Provider
from tests.web.conftest import HOST, HOSTILE, TOKEN
from tests.web.test_judging import Browser, app, graph, said_by  # noqa: F401 - fixtures
from tests.web.test_pages import Page, every_path, opened

pytestmark = pytest.mark.usefixtures("filled")
ORIGIN = f"http://{HOST}"


@pytest.fixture
def poisoned(graph: KnowledgeGraph) -> Iterator[str]:  # noqa: F811 - the fixture
    """A batch in a graph in which whatever people, models and files name is hostile; all is put back at the end."""
    batch = draw_batch(graph, size=4, seed=51, name=HOSTILE[0]).run
    task = tasks_of(graph, batch)[0]
    give_verdict(graph, task.id, HOSTILE[1], 2, " ".join(HOSTILE))
    text = " ".join(HOSTILE)
    before = graph.store.read("MATCH (n:Run) RETURN n.id AS id, properties(n) AS kept")
    graph.store.run(
        "MATCH (n:Run) WHERE n.kind IN ['load', 'predict'] SET n.model = $text, n.dataset = $text, n.reason = $text, "
        "n.status = 'failed'",
        text=text,
    )
    graph.store.run("MATCH (n:Run) WHERE n.kind = 'judgements' SET n.dataset = $text, n.model = $text", text=text)
    yield batch
    graph.store.run(
        "UNWIND $rows AS row MATCH (n:Run {id: row.id}) WHERE n.kind <> 'sample' SET n = row.kept",
        rows=[{"id": row["id"], "kept": row["kept"]} for row in before],
    )


def test_whatever_people_and_models_named_is_text_on_every_page(
    poisoned: str, owner: TestClient, graph: KnowledgeGraph  # noqa: F811 - the fixture
) -> None:  # fmt: skip
    watermark = graph.watermark()
    task = tasks_of(graph, poisoned)[0].triple
    paths = [*every_path(), f"/batch?id={poisoned}", f"/phrase/{phrase_id(task.head)}", "/judge/done?batch=" + poisoned]
    allowed = {"script", "link", "meta", "a", "form", "input", "button"}
    seen = 0
    for path in paths:
        page = opened(owner, path)
        seen += "alert(1)" in page.text
        for tag, attributes in page.elements:
            assert tag not in ("img", "iframe", "object", "base"), path
            assert not [name for name in attributes if name.startswith("on")], path
            target = attributes.get("src") or attributes.get("href") or attributes.get("action") or ""
            assert not target or (tag in allowed and target.startswith(("/", "#"))), (path, target)
            assert not target.startswith("//"), path
        assert [tag for tag, _ in page.elements].count("script") <= 2, path
        assert not {"\u202e", "\x1b"} & {
            *page.text,
            *"".join(str(one) for _, own in page.elements for one in own.values()),
        }
    assert seen > 4
    assert graph.watermark() == watermark, "and looking changed nothing"


@pytest.mark.parametrize("path", [
    b"/judge/../browse", b"/judge/%2e%2e/browse", b"//browse", b"/judge/..%2fbrowse", b"/static/../browse",
    b"/static/..%2f..%2fguard.py", b"/static/%2e%2e/templates/base.html", b"/judge/ask/../../cypher",
    b"/JUDGE/../cypher",
    b"/judge;/browse", b"/browse?/judge/", b"/browse%3f/judge/", b"/judge%00/browse", b"/judge\\..\\browse", b"/batch",
])  # fmt: skip
def test_no_path_leads_an_annotator_out_of_their_pages(path: bytes, app: Guard, workspace: Workspace) -> None:  # noqa: F811
    anna = Browser(app, add_annotator(workspace, "anna"))
    cookie = "; ".join(f"{name}={value}" for name, value in anna.client.cookies.items())
    status, body = asyncio.run(asked_raw(app, path, cookie))
    assert status in (403, 404), path
    for told in ("Draw", "shipped", "class Guard", "{% block", "Take it along"):
        assert told not in body


async def asked_raw(app: Guard, target: bytes, cookie: str) -> tuple[int, str]:  # noqa: F811
    """The answer to a GET of just this target, which no client has tidied."""
    raw, _, query = target.partition(b"?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": unquote_to_bytes(raw).decode(), "raw_path": raw, "query_string": query, "root_path": "",
        "headers": [(b"host", HOST.encode()), (b"cookie", cookie.encode())], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8137),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent).decode(errors="replace")


def test_a_form_that_names_another_batch_or_somebody_elses_task_takes_nothing_back(
    graph: KnowledgeGraph, app: Guard, workspace: Workspace  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    one, other = (draw_batch(graph, size=2, seed=seed).run for seed in (52, 53))
    anna, bert = (Browser(app, add_annotator(workspace, name)) for name in ("anna", "bert"))
    anna.post("/judge/next", batch=one)
    mine = anna.task
    anna.say("1", note="between us")
    anna.page = anna.client.get("/judge")
    assert anna.post("/judge/back", batch=other, last=mine) == 200
    bert.post("/judge/back", batch=one, last=mine)
    assert len(said_by(graph, "anna")) == 1
    assert progress(graph, one, "anna").mine == 1
    asked = bert.client.get(f"/judge/ask/{mine}?change=1").text
    assert "between us" not in asked
    assert "You said" not in asked
    bert.page = bert.client.get("/judge")
    bert.post("/judge/say", task=mine, say="4", change="1")
    assert [one.value for one in said_by(graph, "anna")] == [2], "what somebody said is theirs"
    assert "between us" not in bert.client.get("/judge/mine").text


def test_an_address_cannot_say_that_something_was_done(owner: TestClient) -> None:
    for path in ("/tradeoff?done=all+is+lost", "/models?done=all+is+lost"):
        assert "all is lost" not in opened(owner, path).text


@pytest.mark.parametrize("length", [10_000, 60_000])
def test_very_long_inputs_are_answered_with_a_page(length: int, owner: TestClient) -> None:
    for path in ("/search?text=", "/browse?text=", "/browse?relation=", "/browse?head=", "/batch?id=", "/judge/ask/",
                 "/judge/mine?before=", "/models/critic/", "/phrase/", "/reply?run=", "/tradeoff?recall=",
                 "/cypher?name=", "/models/compare?one=", "/models/student/"):  # fmt: skip
        answer = owner.get(path + "x" * length)
        assert answer.status_code in (200, 400, 404), (path, answer.status_code)
        assert len(answer.text) < 3 * length + 60_000
        assert "nobody foresaw" not in answer.text


def test_sessions_are_bounded_and_the_oldest_ends(app: Guard, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(guard, "MOST_SESSIONS", 2)
    clients = [TestClient(app, base_url=ORIGIN) for _ in range(3)]
    for client in clients:
        client.get("/judge", params={"token": TOKEN})
    assert [client.get("/judge").status_code for client in clients] == [403, 200, 200]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/judge/next", "/judge/say", "/judge/back"])
def test_nothing_that_changes_the_graph_listens_to_a_get(method: str, path: str, owner: TestClient) -> None:
    assert owner.request(method, path, params={"task": "x", "say": "1", "batch": "x"}).status_code in (404, 405)


def test_the_raw_reply_behind_a_tail_is_one_step_from_it_and_plain_text(
    site: Site, workspace: Workspace, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch  # noqa: F811 - the fixture
) -> None:  # fmt: skip
    event, relations = "PersonX jams the office photocopier", (Relations.load("skd")["xWant"],)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-the-owner")
    with Provider() as provider:
        plan = Plan("inferences", "gpt-4o-mini", "chat", provider.url, "paper", "en", 10, (event,), relations=relations)
        generate_inferences(graph, Teaching(workspace, plan))
    site.stages = stages_of(workspace)
    client = TestClient(
        make_app(site, hosts={HOST}, who=owner_and(TOKEN, {}.get)), base_url=ORIGIN, raise_server_exceptions=False
    )
    client.get("/", params={"token": TOKEN})
    try:
        answer = client.get(f"/phrase/{phrase_id(event)}")
        links = [link for link in Page(answer.text).links() if link.startswith("/reply?")]
        assert links
        shown = client.get(links[0])
        assert shown.status_code == 200
        request, reply = (json.loads(text) for text in Page(shown.text).text.split("Request")[1].split("Reply"))
        assert (request["model"], provider.url in shown.text) == ("gpt-4o-mini", True)
        (tail,) = re.findall(r"<code>xWant</code> <bdi>([^<]+)</bdi>", shown.text)
        assert tail in reply["choices"][0]["message"]["content"]
        assert "secret-of-the-owner" not in shown.text
        run = re.findall(r"run=([\w-]+)", links[0])[0]
        for wrong, status in (
            (f"/reply?run={run}&head={phrase_id(event)}&relation=xNeed&tail={phrase_id(tail)}", 404),
            (f"/reply?run={run}&head={phrase_id('PersonX does thing 1')}&relation=xWant&tail={phrase_id(tail)}", 404),
            (f"/reply?run=../../..&head={phrase_id(event)}&relation=xWant&tail={phrase_id(tail)}", 400),
            (f"/reply?run=no-such&head={phrase_id(event)}&relation=xWant&tail={phrase_id(tail)}", 404),
            ("/reply", 404), (f"/reply?run={run}&head={phrase_id(event)}", 404),
        ):  # fmt: skip
            answer = client.get(wrong)
            assert answer.status_code == status, (wrong, answer.text)
            assert "nobody foresaw" not in answer.text
    finally:
        graph.undo(run)


def test_a_csrf_token_of_one_annotator_is_nothing_in_the_session_of_another(
    graph: KnowledgeGraph, site: Site, workspace: Workspace  # noqa: F811 - the fixture
) -> None:  # fmt: skip
    application = make_app(site, hosts={HOST}, who=owner_and(TOKEN, lambda token: _annotator(workspace, token)))
    batch = draw_batch(graph, size=1, seed=54).run
    anna, bert = (Browser(application, add_annotator(workspace, name)) for name in ("anna", "bert"))
    (csrf,) = set(re.findall(r'name="csrf" content="([0-9a-f]+)"', anna.page.text))
    form = {"csrf": csrf, "batch": batch}
    assert bert.client.post("/judge/next", data=form, headers={"origin": ORIGIN}).status_code == 403
    assert anna.client.post("/judge/next", data=form, headers={"origin": ORIGIN}).status_code == 200
