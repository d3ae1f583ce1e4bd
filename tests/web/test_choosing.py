"""Pages on which something is chosen: a recall, a critic, a student. Choosing asks first, and is a run."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from critic.runs import calibrate_critic, score_edges, train_critic
from kg.encoder import Encoder
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.serve import stages_of
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.web import students
from kg.web.app import make_app
from kg.web.guard import owner_and
from kg.web.link import Link
from kg.web.site import Site
from kg.workspace import Workspace, new_folder
from tests.conftest import empty
from tests.web.conftest import HOST, TOKEN, csrf_of
from tests.web.test_pages import Page, opened

pytestmark = pytest.mark.timeout(600)
ORIGIN = f"http://{HOST}"


def post(client: TestClient, path: str, **fields: str) -> Page:
    """The page after a form was sent."""
    answer = client.post(path, data={"csrf": csrf_of(client), **fields}, headers={"origin": ORIGIN})
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


@pytest.fixture(scope="module")
def taught(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[KnowledgeGraph, Workspace]:
    """A graph with two real critics, calibrated, with scores, and two students' folders."""
    empty(store)
    graph = KnowledgeGraph(store)
    graph.add_vocabulary(Vocabulary.load("skd"))
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    load = Run("load", model="teacher", dataset="test")
    graph.begin(load)
    tails = {"xWant": ("to rest", "to eat the moon"), "xReact": ("tired", "made of glass")}
    triples = [
        (Triple(f"PersonX works on thing {number}", relation, f"{tails[relation][bad]} {number % 7}"), bad)
        for number in range(90) for relation in tails for bad in (0, 1)
    ]  # fmt: skip
    graph.add([Assertion(triple) for triple, _ in triples], load)
    graph.finish(load, offered=len(triples))
    judge = Run("judgements", dataset="test")
    graph.begin(judge)
    graph.record_judgements([Judgement(triple, "rater", -1 if bad else 2) for triple, bad in triples], judge)
    graph.finish(judge, offered=len(triples))
    encoder = Encoder(None, workspace.folder("embeddings"))
    for seed in (0, 1):
        train_critic(graph, workspace, encoder, seed=seed)
        calibrate_critic(graph, workspace, recall=0.8)
        score_edges(graph, workspace)
    for number in (1, 2):
        graph.record_student(f"generator-{number}", kind="generator", triples=100 * number)
        with new_folder(workspace.place("students", f"generator-{number}")) as draft:
            (draft / "manifest.json").write_text('{"lang": "en", "seed": 7}')
            (draft / "metrics.json").write_text(f'{{"loss": [3.5, 2.{number}], "steps": {number}}}')
    return graph, workspace


@pytest.fixture
def chooser(taught: tuple[KnowledgeGraph, Workspace]) -> Iterator[TestClient]:
    graph, workspace = taught

    @contextmanager
    def opening() -> Iterator[KnowledgeGraph]:
        yield KnowledgeGraph(graph.store)

    def calibrate(recall: float) -> str:  # kg.serve opens the graph of the environment, which is another one here
        return calibrate_critic(graph, workspace, recall=recall).id

    def accept_from(threshold: float) -> str:
        return calibrate_critic(graph, workspace, threshold=threshold).id

    with Link(opening) as link:
        site = Site(link, replace(stages_of(workspace), calibrate=calibrate, accept_from=accept_from))
        app = make_app(site, hosts={HOST}, who=owner_and(TOKEN, lambda _: None))
        client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
        client.get("/", params={"token": TOKEN})
        yield client
        site.kept.close()


def accepted(graph: KnowledgeGraph) -> set[Triple]:
    return {edge.triple for edge in graph.edges() if edge.accepted}


def test_what_the_trade_off_shows_is_what_using_it_does(
    chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]
) -> None:
    graph, _ = taught
    before = accepted(graph)
    watermark = graph.watermark()
    page = opened(chooser, "/tradeoff?recall=0.5")
    for _ in range(50):
        if found := re.search(r"([\d,]+) edges more would be accepted, ([\d,]+) would be no longer", page.text):
            break
        time.sleep(0.2)
        page = opened(chooser, "/tradeoff?recall=0.5")
    assert found
    (row,) = re.findall(r"teacher\s*0\.5\s*([\d,]+)", page.text)
    confirm = Page(chooser.get("/tradeoff/use?recall=0.5").text)
    assert ("form", {"action": "/tradeoff/use", "method": "post", "class": "row"}) in confirm.elements
    assert graph.watermark() == watermark, "looking and being asked changes nothing"
    done = post(chooser, "/tradeoff/use", recall="0.5")
    after = accepted(graph)
    assert [len(after - before), len(before - after)] == [int(number) for number in found.groups()]
    assert before - after
    assert len(after) == int(row.replace(",", ""))
    critic = graph.current_critic()["id"]
    assert graph.current_acceptance(critic).recall == 0.5
    assert graph.current_acceptance(critic).id in done.text
    (run,) = [run for run in graph.runs() if run["kind"] == "calibrate" and '"recall": 0.5' in run["parameters"]]
    graph.undo(run["id"])
    assert accepted(graph) == before


def test_the_edges_that_would_change_sides_are_read_before(chooser: TestClient) -> None:
    page = opened(chooser, "/tradeoff?recall=0.5")
    section = page.text.split("What would change")[1].split("By recall")[0]
    assert 1 <= section.count("PersonX works on thing") <= 20
    assert section.count("✗ not accepted") == section.count("PersonX works on thing")
    assert "What would change" not in opened(chooser, "/tradeoff").text


@pytest.mark.parametrize(("given", "row"), [({"recall": "0.37"}, "0.37"), ({"threshold": "0.5"}, None)])
def test_any_recall_and_any_score_can_be_looked_at_and_used(
    given: dict[str, str], row: str | None, chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]
) -> None:
    graph, _ = taught
    before, watermark = accepted(graph), graph.watermark()
    ((kind, value),) = given.items()
    path = f"/tradeoff?{kind}={value}"
    for _ in range(100):
        page = opened(chooser, path)
        if found := re.search(r"([\d,]+) edges more would be accepted, ([\d,]+) would be no longer", page.text):
            break
        time.sleep(0.2)
    assert found, page.text
    more, fewer = (int(number) for number in found.groups())
    assert fewer or more
    assert re.search("[✗✓] (not )?accepted", page.text.split("What would change")[1])
    text = " ".join(page.text.split())
    assert re.search(r"teacher: \d+ of 360 edges pass \(\d.*of 100 good ones about \d+ pass", text), text
    assert re.search(r"Of 100 that pass about \d+ are good \(\d.* to \d.* %, from \d+ verdicts of people", text), text
    assert not row or re.search(rf"teacher {row} \d+", text), "the table has its row"
    assert "Use " in Page(chooser.get("/tradeoff/use", params=given).text).text
    assert graph.watermark() == watermark, "looking and being asked changes nothing"
    post(chooser, "/tradeoff/use", **given)
    after = accepted(graph)
    assert (len(after - before), len(before - after)) == (more, fewer), "using does what was shown"
    chosen = graph.current_acceptance(graph.current_critic()["id"])
    assert row is None or chosen.recall == float(row)
    if kind == "threshold":
        assert {chosen.threshold(relation) for relation in ("xWant", "xReact")} == {0.5}
        assert after == {edge.triple for edge in graph.edges() if edge.score is not None and edge.score >= 0.5}
    assert opened(chooser, "/tradeoff").text.count("(now)") == 1
    run = next(run for run in graph.runs() if run["kind"] == "calibrate" and run["status"] == "finished")
    graph.undo(run["id"])
    assert accepted(graph) == before


@pytest.mark.parametrize(("kind", "value"), [
    ("recall", "x"), ("recall", "2"), ("recall", "0"), ("recall", "-1"), ("recall", "nan"), ("recall", "inf"),
    ("recall", "<script>"), ("recall", "9" * 5000), ("threshold", "1.1"), ("threshold", "nan"), ("threshold", "-0.1"),
    ("threshold", "'"),
])  # fmt: skip
def test_what_is_no_recall_and_no_score_is_a_sentence(kind: str, value: str, chooser: TestClient) -> None:
    for answer in (
        chooser.get("/tradeoff", params={kind: value}), chooser.get("/tradeoff/use", params={kind: value}),
        chooser.post("/tradeoff/use", data={"csrf": csrf_of(chooser), kind: value}, headers={"origin": ORIGIN}),
    ):  # fmt: skip
        assert answer.status_code == 400
        assert "is not a number from" in answer.text
        assert "<script>" not in answer.text.split("<main")[1]


def test_a_score_that_no_good_triple_reaches_is_a_sentence_and_accepts_nothing_new(
    chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]
) -> None:
    graph, _ = taught
    before = accepted(graph)
    assert "no good triple of a validation event has a score of 1" in opened(chooser, "/tradeoff?threshold=1").text
    answer = chooser.post(
        "/tradeoff/use", data={"csrf": csrf_of(chooser), "threshold": "1"}, headers={"origin": ORIGIN}
    )
    assert answer.status_code == 400
    assert accepted(graph) == before


def test_critics_have_their_measures_and_curves(chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]) -> None:
    graph, _ = taught
    assert len(graph.critics()) == 2
    page = opened(chooser, "/models")
    for critic in graph.critics():
        assert critic["id"] in page.text
        own = opened(chooser, f"/models/critic/{critic['id']}")
        for part in ("relation prior", "TF-IDF", "Reliability", "Precision and recall"):
            assert part in own.text, part
        assert "polyline" in {tag for tag, _ in own.elements}
    one, other = (critic["id"] for critic in graph.critics())
    compared = opened(chooser, f"/models/compare?one={one}&other={other}").text
    assert "360" in compared
    assert f"{one} contradicts most" in " ".join(compared.split())


def test_another_critic_is_used_after_a_question_and_by_a_run(
    chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]
) -> None:
    graph, _ = taught
    before = graph.current_critic()["id"]
    (other,) = (critic["id"] for critic in graph.critics() if critic["id"] != before)
    watermark = graph.watermark()
    assert f"Use critic {other}?" in Page(chooser.get("/models/use", params={"critic": other}).text).text
    assert graph.watermark() == watermark
    page = post(chooser, "/models/use", critic=other)
    assert graph.current_critic()["id"] == other
    (run,) = re.findall(r"by run (use-critic-\w+)", page.text)
    graph.undo(run)
    assert graph.current_critic()["id"] == before


def test_a_training_of_one_pass_is_drawn_by_its_parts_and_an_older_one_by_its_passes() -> None:
    metrics = {"new": {"loss": [2.0], "curve": [3.0, 2.0, 1.0, 2.0]}, "old": {"loss": [4.0, 2.0]}, "none": {}}
    (chart,) = students._losses(metrics)  # noqa: SLF001
    assert [mark[2] for mark in chart.lines[0].marks] == ["new: 25, 3", "new: 50, 2", "new: 75, 1", "new: 100, 2"]
    assert [mark[2] for mark in chart.lines[1].marks] == ["old: 50, 4", "old: 100, 2"]
    assert students._losses({"none": {"loss": []}}) == []  # noqa: SLF001


def test_students_stand_side_by_side_with_their_losses(chooser: TestClient) -> None:
    page = opened(chooser, "/models/student/generator-1?other=generator-2")
    assert "Loss" in page.text
    assert [tag for tag, _ in page.elements].count("polyline") == 2
    assert re.search(r"steps\s*1\s*2", page.text)


def test_another_student_is_used(chooser: TestClient, taught: tuple[KnowledgeGraph, Workspace]) -> None:
    graph, _ = taught
    post(chooser, "/models/use", student="generator-1")
    assert graph.current_student()["id"] == "generator-1"


@pytest.mark.parametrize("path", [
    "/models/critic/no-such", "/models/student/no-such", "/models/student/generator-1?other=x", "/models/use",
    "/models/use?critic=x", "/models/use?student=x", "/models/compare?one=a&other=b", "/models/critic/..%2F..%2Fetc",
])  # fmt: skip
def test_what_is_not_there_is_a_sentence(path: str, chooser: TestClient) -> None:
    answer = chooser.get(path)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_a_graph_without_a_critic_says_what_comes_first(site: Site, store: Store) -> None:
    empty(store)
    app = make_app(site, hosts={HOST}, who=owner_and(TOKEN, lambda _: None))
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    client.get("/", params={"token": TOKEN})
    assert "no critic has been trained" in opened(client, "/tradeoff").text
    assert "No critic has been trained" in opened(client, "/models").text
    assert client.get("/tradeoff/use?recall=0.5").status_code == 409
