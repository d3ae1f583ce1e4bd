"""The application on the test's own Neo4j, asked as a browser asks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from kg.graph.knowledge import KnowledgeGraph
from kg.model import Acceptance, Assertion, Judgement, Split, Triple
from kg.run import Run
from kg.serve import stages_of
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.web.app import make_app
from kg.web.guard import Guard, owner_and
from kg.web.link import Link
from kg.web.site import Site
from kg.workspace import Workspace
from tests.conftest import empty

HOST = "127.0.0.1:8137"
TOKEN = "a-token-of-the-owner"  # noqa: S105 - of a test
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "'; DROP x; //",
    "\u202egnp.exe", "{{ 7 * 7 }}", "a\x1b[2Jb", "وقال PersonX", "</title><b>", "&lt;b&gt;",
)  # fmt: skip
"""Texts that would do something if they were taken for anything else than texts."""


@pytest.fixture
def site(store: Store, workspace: Workspace) -> Iterator[Site]:
    @contextmanager
    def opening() -> Iterator[KnowledgeGraph]:
        yield KnowledgeGraph(store)

    with Link(opening) as link:
        site = Site(link, stages_of(workspace))
        yield site
        site.kept.close()


@pytest.fixture
def app(site: Site) -> Guard:
    return make_app(site, hosts={HOST}, who=owner_and(TOKEN, {"anna-token": "anna"}.get))


@pytest.fixture
def stranger(app: Guard) -> TestClient:
    """A browser that has no session."""
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def owner(app: Guard) -> TestClient:
    """A browser of the owner."""
    client = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    assert client.get("/", params={"token": TOKEN}).status_code == 200
    return client


@pytest.fixture(scope="module")
def filled(store: Store) -> KnowledgeGraph:
    """A graph with a teacher's edges, a student's, verdicts, a critic, thresholds and hostile texts.

    The tests of a module share it: those of them that write leave it as it was, or have a module of their own.
    """
    empty(store)
    graph = KnowledgeGraph(store)
    graph.add_vocabulary(Vocabulary.load("skd"))
    load = Run("load", model="teacher", dataset="test")
    graph.begin(load)
    heads = [f"PersonX does thing {number}" for number in range(12)]
    relations = ("xWant", "xReact", "xNeed")
    splits: tuple[Split, ...] = ("train", "validation", "test")
    assertions = [
        Assertion(Triple(head, relation, f"to {relation} {number} {place}"), split=splits[number % 3])
        for number, head in enumerate(heads) for relation in relations for place in range(4)
    ]  # fmt: skip
    assertions += [Assertion(Triple(f"PersonX says {text}", "xWant", text), split="test") for text in HOSTILE]
    assertions.append(Assertion(Triple(heads[0], "xEffect", "none"), split="train"))
    graph.add(assertions, load)
    graph.finish(load, offered=len(assertions))
    predict = Run("predict", model="student-1", parameters={"split": "test"})
    graph.begin(predict)
    graph.add([Assertion(Triple(heads[2], "xWant", f"to predict {place}")) for place in range(5)], predict)
    graph.finish(predict, offered=5)
    judge = Run("judgements", dataset="test")
    graph.begin(judge)
    graph.record_judgements(
        [Judgement(one.triple, "rater", 2 if place % 2 else -1) for place, one in enumerate(assertions[:100])], judge
    )
    graph.finish(judge, offered=100)
    graph.record_critic("filter-1", metrics={"role": "filter", "systems": {}})
    acceptance = Acceptance(
        "acceptance-1", "filter-1", 0.8, {f"{recall:g}": {"*": 1.1 - recall} for recall in (0.5, 0.6, 0.7, 0.8, 0.9)}
    )
    graph.record_acceptance(acceptance)
    graph.record_scores("filter-1", lambda triples: [(hash_of(triple) % 100) / 100 for triple in triples], acceptance)
    return graph


def hash_of(triple: Triple) -> int:
    return sum(map(ord, triple.tail)) * 7


def csrf_of(client: TestClient) -> str:
    """The token of a session that its forms must have."""
    return re.findall(r'name="csrf" content="([0-9a-f]+)"', client.get("/no-such-page").text)[0]
