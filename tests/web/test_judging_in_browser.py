"""Judging in a real browser, by keyboard: what is undone, loaded again, killed or shared loses nothing."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from critic.annotators import add_annotator
from critic.batches import draw_batch
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import give_verdict, progress, tasks_of
from kg.model import JUDGEMENT_VALUES
from kg.workspace import Workspace
from tests.repeats import only_thorough
from tests.web.test_browser import CHROMIUM, axe, chromium, sync_api, too_wide  # noqa: F401 - fixtures
from tests.web.test_judging import graph, said_by  # noqa: F401 - fixtures
from tests.web.test_serving import Serving, serving

pytestmark = [
    pytest.mark.usefixtures("filled"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[Serving]:
    with serving(environment, tmp_path) as one:
        yield one


@pytest.fixture
def home(environment: dict[str, str]) -> Workspace:
    """The workspace of `running`."""
    return Workspace(Path(environment["KG_HOME"]))


class Judge:
    """Somebody who judges by keyboard."""

    def __init__(self, browser: Any, address: str, token: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.address, self.token = address, token
        self.open()

    def open(self) -> None:
        self.page.goto(f"{self.address}/judge?token={self.token}")

    def begin(self) -> None:
        button = self.page.locator("button.main").first
        button.focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/judge/ask/**")

    def press(self, key: str) -> None:
        before = self.page.url
        self.page.keyboard.press(key)
        self.page.wait_for_url(lambda url: url != before)

    @property
    def sentence(self) -> str:
        return str(self.page.inner_text(".sentence"))


def assert_accessible(page: Any) -> None:
    results = axe.Axe().run(page)
    assert not results.violations_count, results.generate_report()


def test_ten_triples_are_judged_by_keyboard_and_the_last_undone(
    chromium: Any, running: Serving, home: Workspace, graph: KnowledgeGraph  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    batch = draw_batch(graph, size=10, seed=11).run
    anna = Judge(chromium, running.address, add_annotator(home, "anna"))
    anna.begin()
    for number in range(10):
        shown = anna.sentence
        if number == 4:
            anna.page.reload()
            assert anna.sentence == shown, "what is loaded again is the same"
            anna.page.keyboard.press("n")
            anna.page.keyboard.type("1 is no verdict here")
            anna.page.keyboard.press("Enter")
            assert anna.sentence == shown
            anna.page.keyboard.press("Escape")
        assert_accessible(anna.page)
        anna.press("12345"[number % 5])
        assert len(said_by(graph, "anna")) == number + 1
    assert "Nothing is left for you" in anna.page.inner_text("h1")
    assert_accessible(anna.page)
    anna.press("u")
    assert anna.sentence == shown
    assert len(said_by(graph, "anna")) == 9
    anna.press("1")
    assert [sum(one.value == value for one in said_by(graph, "anna")) for value in JUDGEMENT_VALUES] == [3, 2, 2, 2, 1]
    assert progress(graph, batch).done == 10
    anna.press("h")
    assert "1 is no verdict here" in anna.page.inner_text("ol.said")
    assert_accessible(anna.page)
    change = anna.page.locator("a.button", has_text="Change").first
    change.focus()
    anna.press("Enter")
    assert anna.sentence == shown
    assert_accessible(anna.page)
    anna.press("4")
    assert anna.page.inner_text("ol.said > li >> nth=0").count("makes no sense") == 1
    assert len(said_by(graph, "anna")) == 10
    assert anna.wrong == []


def test_a_server_that_is_killed_between_two_keys_loses_nothing_and_doubles_nothing(
    chromium: Any, environment: dict[str, str], tmp_path: Path, home: Workspace, graph: KnowledgeGraph  # noqa: F811
) -> None:  # fmt: skip
    draw_batch(graph, size=6, seed=12)
    token = add_annotator(home, "anna")
    with serving(environment, tmp_path) as first:
        anna = Judge(chromium, first.address, token)
        anna.begin()
        anna.press("1")
        anna.press("2")
        port = first.address.rpartition(":")[2]
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        with pytest.raises(sync_api.Error):
            anna.page.goto(f"{first.address}/judge")
    assert len(said_by(graph, "anna")) == 2
    with serving(environment, tmp_path, "--port", port):
        anna.open()
        anna.begin()
        for number in range(3, 7):
            anna.press("1")
            assert len(said_by(graph, "anna")) == number
    assert "Nothing is left for you" in anna.page.inner_text("h1")


@only_thorough
def test_two_annotators_at_once_share_a_batch(
    chromium: Any, running: Serving, home: Workspace, graph: KnowledgeGraph  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    draw_batch(graph, size=6, seed=13)
    anna, bert = (Judge(chromium, running.address, add_annotator(home, name)) for name in ("anna", "bert"))
    seen = []
    anna.begin()
    bert.begin()
    for _ in range(3):
        for person in (anna, bert):
            seen.append(person.sentence)
            person.press("2")
    assert len(set(seen)) == 6
    assert (len(said_by(graph, "anna")), len(said_by(graph, "bert"))) == (3, 3)


def test_judging_fits_a_phone(
    chromium: Any, running: Serving, home: Workspace, graph: KnowledgeGraph  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    draw_batch(graph, size=200, seed=14)
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    anna = Judge(chromium, running.address, add_annotator(home, "anna"), **phone)
    anna.begin()
    for _ in range(12):
        assert not too_wide(anna.page), anna.sentence
        before = anna.page.url
        anna.page.tap("button[data-key='2']")
        anna.page.wait_for_url(lambda url, before=before: url != before)
        if "/judge/ask/" not in anna.page.url:
            break
    anna.page.goto(f"{running.address}/judge/mine")
    assert not too_wide(anna.page)
    anna.page.tap("a.button:has-text('Change')")
    anna.page.wait_for_url("**/judge/ask/*")
    assert not too_wide(anna.page)
    assert anna.wrong == []


def test_the_page_of_a_batch_fits_a_phone_and_is_accessible(
    chromium: Any, running: Serving, graph: KnowledgeGraph  # noqa: F811 - the fixtures
) -> None:  # fmt: skip
    batch = draw_batch(graph, size=6, per_triple=2, seed=15).run
    for name in ("anna", "bert"):
        for place, task in enumerate(tasks_of(graph, batch)):
            give_verdict(graph, task.id, name, 2 if place % 2 else -1)
    owner = Judge(chromium, running.address, running.token, viewport={"width": 360, "height": 740})
    for _ in range(60):
        with suppress(sync_api.Error):  # it loads itself again
            owner.page.goto(f"{running.address}/batch?id={batch}")
            if "being counted" not in owner.page.inner_text("main"):
                break
        owner.page.wait_for_timeout(500)
    assert "Krippendorff" in owner.page.inner_text("main")
    assert not too_wide(owner.page)
    assert_accessible(owner.page)
    assert owner.wrong == []
