"""The pages in a real browser: Debian's Chromium, through Playwright; without a browser these tests skip."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.web.app import make_app
from kg.web.guard import owner_and
from kg.web.running import hosts_of, listen
from kg.web.site import Site
from tests.repeats import often
from tests.web.conftest import HOSTILE, TOKEN

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.usefixtures("filled"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
    pytest.mark.timeout(600),
]

EVENT = f"/phrase/{phrase_id('PersonX does thing 2')}"
PATHS = [
    "/", "/search", "/search?text=thing", "/search?text=nothing+like+that", EVENT, "/browse", "/browse?run=none&text=x",
    "/cypher", "/cypher?name=why", "/cypher?name=review&ask=1", "/cypher?cypher=RETURN+1", "/cypher?cypher=CREATE+()",
    "/sparql", "/sparql?query=ASK+{}", "/sparql?query=SELECT",
    "/tradeoff", "/tradeoff?recall=0.5", "/tradeoff/use?recall=0.5", "/models", "/models/critic/filter-1",
    "/models/use?critic=filter-1", "/judge", "/judge/mine", "/batches", "/no-such-page",
    *(f"/phrase/{phrase_id(text)}" for text in HOSTILE[:3]),
]  # fmt: skip


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    """Address of the application on a port of this machine."""
    with closing(listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        app = make_app(site, hosts=hosts_of("127.0.0.1", port), who=owner_and(TOKEN, lambda _: None))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page of a browser that remembers what went wrong in it.

    Attributes:
        page: Playwright's own.
        wrong: messages on the console, and addresses of other hosts.
    """

    def __init__(self, context: Any, address: str) -> None:
        self.page = context.new_page()
        self.address = address
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._look)
        self.page.goto(f"{address}/?token={TOKEN}")

    def _look(self, request: Any) -> None:
        if not request.url.startswith(f"{self.address}/"):
            self.wrong.append(request.url)

    def open(self, path: str) -> Any:
        """Go to a page, and wait until nothing on it is being counted."""
        for _ in range(100):
            try:
                self.page.goto(self.address + path)
            except sync_api.Error:  # it loads itself again
                time.sleep(0.2)
                continue
            if "is being counted" not in self.page.inner_text("main"):
                break
            time.sleep(0.2)
        return self.page


@pytest.fixture(params=["light", "dark"][: often(1, 2)])
def tab(request: pytest.FixtureRequest, chromium: Any, served: str) -> Iterator[Tab]:
    context = chromium.new_context(color_scheme=request.param)
    yield Tab(context, served)
    context.close()


@pytest.fixture
def phone(chromium: Any, served: str) -> Iterator[Tab]:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    yield Tab(context, served)
    context.close()


def test_no_page_errs_on_the_console_or_asks_another_host_and_axe_finds_nothing(tab: Tab) -> None:
    found = {}
    for path in PATHS:
        page = tab.open(path)
        results = axe.Axe().run(page)
        if results.violations_count:
            found[path] = results.generate_report()
    assert not found, "\n".join(f"{path}\n{report}" for path, report in found.items())
    assert [one for one in tab.wrong if "404" not in one] == []


def too_wide(page: Any) -> str:
    """Return what makes a page wider than its window: the elements without which it would fit, outermost first."""
    return str(
        page.evaluate("""() => {
            const root = document.documentElement, fits = () => root.scrollWidth <= root.clientWidth
            if (fits()) return ""
            const found = [`${root.scrollWidth} for ${root.clientWidth}`]
            for (let inside = document.body; inside; ) {
                inside = [...inside.children].find(one => {
                    one.hidden = true
                    const cured = fits()
                    one.hidden = false
                    return cured
                })
                if (inside) found.push(inside.cloneNode(inside.children.length === 0).outerHTML)
            }
            return found.join("\\n")
        }""")
    )


def test_no_page_is_wider_than_a_phone(phone: Tab) -> None:
    wide = {path: said for path in PATHS if (said := too_wide(phone.open(path)))}
    assert not wide


def test_the_keyboard_alone_finds_an_event_and_goes_on_from_it(tab: Tab) -> None:
    page = tab.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("thing 2")
    page.keyboard.press("/")
    assert page.input_value("#search") == "thing 2/"
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?text=thing+2")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == EVENT:
            break
    shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert shown == "solid", "what has the focus is seen"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{EVENT}")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_a_form_of_ours_passes_the_guard_and_the_cookie_is_none_of_scripts(
    tab: Tab, filled: KnowledgeGraph, site: Site
) -> None:
    used: list[float] = []

    def calibrate(recall: float) -> str:
        used.append(recall)
        return "acceptance-2"

    site.stages = replace(site.stages, calibrate=calibrate)
    page = tab.open("/tradeoff?recall=0.5")
    page.click("a.button.main")
    assert used == []
    page.click("text=Yes, use it")
    page.wait_for_url("**/tradeoff?done=acceptance-2")
    assert used == [0.5]
    assert page.evaluate("document.cookie") == ""
    assert TOKEN not in page.url
    assert filled.current_acceptance("filter-1").recall == 0.8


def test_a_page_of_another_site_is_refused(chromium: Any, served: str) -> None:
    context = chromium.new_context()
    tab = Tab(context, served)
    page = tab.page
    page.goto("about:blank")
    page.set_content(f'<form method="post" action="{served}/tradeoff/use"><input name="recall" value="0.5"></form>')
    page.evaluate("document.querySelector('form').submit()")
    page.wait_for_url("**/tradeoff/use")
    assert "Refused" in page.inner_text("h1")
    context.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_read_and_does_nothing(text: str, tab: Tab) -> None:
    page = tab.open(f"/phrase/{phrase_id(text)}")
    assert page.evaluate("document.title").endswith("skd-graph")
    assert page.evaluate("document.querySelectorAll('main script, main img, main b').length") == 0
    assert tab.wrong == []
