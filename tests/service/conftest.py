"""The API over a small graph of our own terms, asked without a session."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from kg.serve import stages_of
from kg.service.app import is_api, make_api
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.web.app import make_app
from kg.web.guard import owner_and
from kg.web.link import Link
from kg.web.site import Site
from kg.workspace import Workspace
from tests.conftest import empty

HOST = "127.0.0.1:8137"
DETAILS = '{"dataset": "/d/example/2", "license": "cc:by-sa/4.0", "surfaceText": "[[a kettle]] is a kind of [[pot]]"}'
SOURCE = '{"activity": "/s/activity/example/form", "contributor": "/s/contributor/example/nora"}'
ADDRESS = "http://example.org/kettle"
BLANK = "PersonX fills ___ with 1/2 a cup"


@pytest.fixture(scope="module")
def kettles(store: Store) -> KnowledgeGraph:
    """A graph of 30 edges and more; the tests of a module only read it."""
    empty(store)
    graph = KnowledgeGraph(store)
    graph.add_vocabulary(Vocabulary.load("cskg"))
    stated = Run("load", dataset="kettles.csv", licence="CC-BY-4.0")
    wrote = Run("load", model="teacher", dataset="events.jsonl")
    for run in (stated, wrote):
        graph.begin(run)
    graph.add([
        Assertion(Triple("kettle", "IsA", "pot"), weight=2.5, sources=(SOURCE,), details=DETAILS),
        Assertion(Triple("kettle", "UsedFor", "boiling water"), weight=4.0),
        Assertion(Triple("kettle", "Antonym", "fridge"), weight=0.5),
        Assertion(Triple("kettle", "IsA", "bouilloire", tail_lang="fr"), weight=1.5),
        Assertion(Triple("kettle", "IsA", "hollow", head_uri="/c/en/kettle/n/geology", tail_uri="/c/en/hollow/n")),
        Assertion(Triple("Kettle Creek", "AtLocation", "valley")),
        Assertion(Triple("Kettle Creek", "ExternalURL", ADDRESS, tail_lang="und", tail_uri=ADDRESS)),
    ], stated)  # fmt: skip
    graph.add([
        *(Assertion(Triple(f"cup {number}", "AtLocation", "kitchen shelf")) for number in range(25)),
        Assertion(Triple(BLANK, "xWant", "to drink_it")),
        Assertion(Triple("kettle", "IsA", "none", tail_uri="/c/en/none")),
        Assertion(Triple("PersonX boils", "oEffect", "none")),
    ], wrote)  # fmt: skip
    graph.store.run(
        "MATCH (:Phrase {text: 'kettle'})-[r:UsedFor]->() SET r.score = 0.75, r.critic = 'c', r.accepted = true"
    )
    for run in (stated, wrote):
        graph.finish(run)
    return graph


@pytest.fixture(scope="module")
def site(store: Store, kettles: KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: ARG001
    @contextmanager
    def opening() -> Iterator[KnowledgeGraph]:
        yield KnowledgeGraph(store)

    with Link(opening) as link:
        site = Site(link, stages_of(Workspace(tmp_path_factory.mktemp("workspace"))))
        yield site
        site.kept.close()


@pytest.fixture(scope="module")
def api(site: Site) -> TestClient:
    app = make_app(site, hosts={HOST}, who=owner_and("a-token", {}.get), unguarded=(make_api(site), is_api))
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False, follow_redirects=False)
