"""What the pages show, and what they do not do."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

import pytest
from starlette.testclient import TestClient

from kg.errors import StoreUnavailable
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.model import Assertion, Triple
from kg.run import Run
from kg.web.site import Site
from tests.web.conftest import HOSTILE

pytestmark = pytest.mark.usefixtures("filled")


class Page(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " " * (tag in ("td", "th"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> Iterator[str]:
        for _, attributes in self.elements:
            for name in ("href", "src", "action"):
                if (value := attributes.get(name)) is not None:
                    yield value


def opened(client: TestClient, path: str) -> Page:
    """A page once nothing of it is being counted any more."""
    for _ in range(100):
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        if "is being" not in answer.text:
            return Page(answer.text)
        time.sleep(0.1)
    raise AssertionError(f"{path} is being counted for ever")


def path_of(text: str) -> str:
    return f"/phrase/{phrase_id(text)}"


def every_path() -> list[str]:
    return [
        "/", "/search?text=thing", path_of("PersonX does thing 2"), path_of("to xWant 2 0"), "/browse", "/cypher",
        "/cypher?name=review&ask=1", "/tradeoff?recall=0.5", "/tradeoff/use?recall=0.5", "/models",
        "/models/critic/filter-1", "/models/use?critic=filter-1", "/judge", "/judge/mine", "/batches",
    ]  # fmt: skip


def test_the_first_page_says_what_is_there_and_what_wants_attention(owner: TestClient, filled: KnowledgeGraph) -> None:
    lost = Run("predict", model="student-2")
    filled.begin(lost)
    filled.end_open_runs(RuntimeError("out of memory"))
    text = " ".join(opened(owner, "/").text.split())
    assert re.search(rf"edges ?{filled.statistics()['edges']}\b", text)
    assert f"{lost.id} is failed: out of memory" in text
    assert "to predict 0" in text
    assert "xWant" in text


def test_the_first_page_keeps_what_it_counted_and_counts_again_behind_the_page(
    owner: TestClient, site: Site, filled: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled.statistics()["edges"]
    opened(owner, "/")
    counted, came = [], threading.Event()
    monkeypatch.setattr("kg.web.home.count", lambda reading: counted.append(reading) or slow())

    def slow() -> object:
        came.wait(60)
        raise StoreUnavailable("gone")

    assert f"<dd>{before}</dd>" in owner.get("/").text
    assert not counted
    filled.add([Assertion(Triple("PersonX is new", "xWant", "to stay"))], Run("load", model="teacher", dataset="test"))
    text = owner.get("/").text  # a page that waited would not have the old number
    assert f"<dd>{before}</dd>" in text
    assert "being\ncounted again" in text
    for _ in range(50):
        time.sleep(0.1 * (not counted))
    came.set()
    assert counted
    assert site.link.graph().store is filled.store


def test_a_judge_that_its_report_does_not_show_better_than_the_relation_alone_is_named(
    owner: TestClient, site: Site
) -> None:
    def report(low: float) -> dict[str, object]:
        own = {"auc": 0.7, "auc_interval": [low, 0.8], "average_precision": 0.7}
        return {"report": {"role": "judge", "systems": {"critic": own, "relation prior": {"auc": 0.65}}}}

    files = {"judge-weak": report(0.6), "judge-good": report(0.66)}
    site.stages = replace(site.stages, critic_files=lambda: files)
    text = opened(owner, "/").text
    assert "judge-weak" in text
    assert "judge-good" not in text


@pytest.mark.parametrize(("words", "found"), [
    ("thing 2", True), ("THIN 2", True),
    ("personx do", True), ("thing 99", False), ("hing", False), ("xWant 2 0", True),
])  # fmt: skip
def test_search_finds_phrases_by_the_beginnings_of_all_words(words: str, found: bool, owner: TestClient) -> None:
    text = owner.get("/search", params={"text": words}).text
    assert ("/phrase/" in text) == found
    assert ("Nothing in the graph" in text) != found


@pytest.mark.parametrize(
    "text", [*HOSTILE, "AND OR NOT", "a AND (b", "thing~2", "*", "\\", '"', "[a TO b]", "x" * 5000, "é ١٢", "\ud7ff"]
)
def test_search_takes_any_text_as_words(text: str, owner: TestClient) -> None:
    answer = owner.get("/search", params={"text": text})
    assert answer.status_code == 200


def test_an_event_shows_who_claimed_what_why_it_is_accepted_and_who_judged_it(owner: TestClient) -> None:
    text = " ".join(opened(owner, path_of("PersonX does thing 2")).text.split())
    assert "An event of split test" in text
    for part in ("to predict 0", "(predicted)", "model student-1", "load-", "model teacher", "rater",
                 "always or often", "✓ accepted", "✗ not accepted", "the threshold of xWant"):  # fmt: skip
        assert part in text, part
    assert re.search(r"Critic filter-1 says 0\.\d+; that (reaches|is below) 0\.300", text)


def test_a_tail_shows_the_events_that_it_is_inferred_from(owner: TestClient) -> None:
    page = opened(owner, path_of("to xWant 2 0"))
    assert "PersonX does thing 2" in page.text
    assert path_of("PersonX does thing 2") in list(page.links())


@pytest.mark.parametrize("key", ["0" * 32, "none", "x'y", "%00", "a" * 2000])
def test_a_phrase_that_is_not_there_is_a_sentence(key: str, owner: TestClient) -> None:
    answer = owner.get(f"/phrase/{key}")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_texts(text: str, owner: TestClient) -> None:
    plain = opened(owner, path_of("PersonX does thing 2"))
    tags = {tag for tag, _ in plain.elements}
    for path in (path_of(f"PersonX says {text}"), path_of(text), f"/search?text={text}"):
        answer = owner.get(quote(path, safe="/?="))
        assert answer.status_code == 200
        page = Page(answer.text)
        assert {tag for tag, _ in page.elements} <= tags | {"em", "kbd", "thead", "tbody", "br"}
        assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        assert not [link for link in page.links() if not link.startswith(("/", "#"))]
        assert not {"\u202e", "\x1b"} & set(page.text)


def test_nothing_on_a_page_is_inline_or_from_another_host(owner: TestClient) -> None:
    for path in every_path():
        for tag, attributes in opened(owner, path).elements:
            assert tag != "style"
            assert "style" not in attributes
            assert tag != "script" or (attributes.get("src") or "").startswith("/static/")


def test_every_link_of_every_page_answers(owner: TestClient) -> None:
    seen: set[str] = set()
    waiting = every_path()
    while waiting and len(seen) < 150:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = owner.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html") and not path.startswith("/browse"):
            links = (urljoin(path, link).partition("#")[0] for link in Page(answer.text).links())
            waiting += [link for link in links if link not in seen]
    assert len(seen) > 30


def test_looking_changes_nothing(owner: TestClient, filled: KnowledgeGraph) -> None:
    before = filled.watermark(), filled.store.read("MATCH (n) RETURN count(n) AS n, sum(size(keys(n))) AS k")
    for path in every_path():
        opened(owner, path)
        owner.head(path)
    assert before == (filled.watermark(), filled.store.read("MATCH (n) RETURN count(n) AS n, sum(size(keys(n))) AS k"))


def test_pages_read_behind_the_walls_of_kg_query(owner: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr("kg.store.adhoc.check", lambda _, text, __: checked.append(text) or [])
    opened(owner, path_of("PersonX does thing 2"))
    assert any("$id})-[r]->" in text for text in checked)
