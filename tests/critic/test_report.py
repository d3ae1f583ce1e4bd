"""The report on critics: which one to use and how sure that is, from kept scores and verdicts on validation events."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.report.choice import answer, calibration, calibration_words, choose
from critic.report.evidence import BINS, Evidence, Filter, Scored, collect
from critic.report.page import PAGE, write_report
from critic.verdicts import Verdicts
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.model import OVERALL, Acceptance, Assertion, Judgement, Triple
from kg.run import Run

HOSTILE = '<script>alert("x")</script>\x1b[2J\u202e'
EVENTS, TAILS = 60, 5


def scored(name: str, noise: float, *, is_current: bool = False, rows: int = EVENTS * TAILS, kind: str = "") -> Scored:
    """Return a critic whose scores are as good as its noise is small; the verdicts are the same for all."""
    triples = [Triple(f"PersonX does {n // TAILS:02}", f"x{n % 2}", f"to rest {n % TAILS}") for n in range(rows)]
    good = np.random.default_rng(0).random(EVENTS * TAILS)[:rows] < 0.6
    random = np.random.default_rng(len(name) + int(100 * noise))
    logits = np.where(good, 1.0, -1.0) + random.normal(0, noise, rows)
    order = sorted(range(rows), key=lambda row: triples[row])
    verdicts = Verdicts(tuple(triples[row] for row in order), good[order])
    return Scored(name, kind, is_current, verdicts, 1 / (1 + np.exp(-logits[order])))


def evidence(*critics: Scored, **changes: Any) -> Evidence:
    rows = [
        {"origin": "teacher", "recall": recall, "edges": edges, "distinct": edges - 1, "judged": 50, "good": good,
         "kept": good / 30}
        for recall, edges, good in ((None, 400, 30), (0.8, 300, 28), (0.5, 150, 20))
    ]  # fmt: skip
    current = critics[0].critic if critics else "filter-1"
    first: dict[str, Any] = {
        "critic": current, "histograms": {"xWant": list(range(BINS)), "xNeed": [5] * BINS},
        "thresholds": {OVERALL: 0.4, "xNeed": 0.6}, "recall": 0.8, "trade_off": rows,
    }  # fmt: skip
    filters = [Filter(**first | {name: changes.pop(name) for name in first if name in changes})]
    given: dict[str, Any] = {
        "judged": 300, "critics": list(critics), "aspect": "plausible", "others": 0, "current": current,
        "filters": filters,
    }  # fmt: skip
    return Evidence(**given | changes)


class Tags(HTMLParser):
    """The tags of a page, and the text of each caption."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def plain_auc(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    higher = [(a > b) + (a == b) / 2 for a in scores[good] for b in scores[~good]]
    return float(np.mean(higher))


def test_the_better_critic_is_recommended_and_that_is_sure_where_it_is() -> None:
    found = choose([scored("noisy", 3.0, is_current=True), scored("sharp", 0.8)])
    assert [rank.critic for rank in found.ranks] == ["sharp", "noisy"]
    assert found.ranks[0].best > 0.99
    assert (found.rows, found.events) == (300, 60)
    text = answer(found, "noisy")
    assert text[0].startswith("Use sharp: ")
    assert text[1].startswith("That is sure: ")
    assert "kg critic use sharp" in text[2]


def test_a_lead_that_chance_explains_is_called_open() -> None:
    found = choose([scored("one", 1.5, is_current=True), scored("four", 1.5)])
    assert 0.1 < found.ranks[0].best < 0.9
    assert "That is open" in answer(found, "one")[1]
    assert found.lead
    assert found.lead[1] < 0 < found.lead[2]


def test_the_auc_is_that_of_all_pairs_and_critics_share_a_tie() -> None:
    one = scored("one", 1.5, is_current=True)
    found = choose([one, Scored("two", "", is_current=False, verdicts=one.verdicts, scores=one.scores)])
    assert found.ranks[0].auc == pytest.approx(plain_auc(one.scores, one.verdicts.good))
    assert [(rank.critic, rank.best) for rank in found.ranks] == [("one", 0.5), ("two", 0.5)]


def test_whole_events_are_resampled() -> None:
    """Five equal rows of one event are as one: the range is as wide as that of one row an event."""
    random = np.random.default_rng(0)
    good, scores = random.random(40) < 0.5, random.random(40)
    few = [Triple(f"PersonX does {n:02}", "xWant", "to rest") for n in range(40)]
    many = [Triple(one.head, "xWant", f"to rest {n}") for one in few for n in range(5)]
    once = choose([Scored("a", "", is_current=True, verdicts=Verdicts(tuple(few), good), scores=scores)])
    five = choose([
        Scored("a", "", is_current=True, verdicts=Verdicts(tuple(many), good.repeat(5)), scores=scores.repeat(5))
    ])  # fmt: skip
    assert five.ranks[0].interval == pytest.approx(once.ranks[0].interval)


def test_a_critic_that_scored_little_is_named_and_does_not_narrow_the_comparison() -> None:
    found = choose([scored("one", 1.0, is_current=True), scored("three", 2.0), scored("little", 0.1, rows=20)])
    assert found.rows == 300
    assert found.left_out == ["little"]
    assert "little" in answer(found, "one")[-1]


@pytest.mark.parametrize("good", [True, False, None])
def test_verdicts_of_one_kind_or_none_say_what_to_do(good: bool | None) -> None:
    one = scored("one", 1.0, is_current=True)
    same = Scored("one", "", is_current=True, verdicts=Verdicts(one.verdicts.triples, np.full(300, good)),
                  scores=one.scores)  # fmt: skip
    text = answer(choose([] if good is None else [same]), "one")
    assert "cannot be said" in text[0]
    assert "kg query unjudged --param split=validation" in text[1]


def test_a_coin_is_called_one() -> None:
    found = choose([scored("coin", 200.0, is_current=True)])
    assert "better than a coin at all is not shown" in " ".join(answer(found, "coin"))


def test_scores_that_are_shares_are_told_from_scores_that_are_not() -> None:
    random = np.random.default_rng(0)
    scores = random.random(800)
    honest = calibration(scores, random.random(800) < scores)
    assert honest.error <= honest.expected[1]
    assert "can be read as shares" in calibration_words(honest)
    proud = calibration(scores, random.random(800) < scores / 2)
    assert proud.error > proud.expected[1]
    assert "too high" in calibration_words(proud)
    modest = calibration(scores / 2, random.random(800) < scores)
    assert "too low" in calibration_words(modest)


def test_the_range_holds_a_perfectly_calibrated_critic_in_most_cases() -> None:
    random = np.random.default_rng(1)
    scores = random.random(200)
    inside = []
    for _ in range(40):
        found = calibration(scores, random.random(200) < scores)
        inside.append(found.expected[0] <= found.error <= found.expected[1])
    assert np.mean(inside) > 0.8
    assert sum(rows for *_, rows in found.bins) == 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reports") / "report"
    rows = [row | {"origin": HOSTILE} for row in evidence().filters[0].trade_off]
    critics = scored("filter-1", 1.0, is_current=True, kind="blend"), scored("_filter-2", 2.0, kind=HOSTILE)
    write_report(evidence(*critics, trade_off=rows, histograms={HOSTILE: [1] * BINS, "xNeed": [2] * BINS}), place)
    return place


def test_the_page_stands_alone_and_runs_nothing(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    tags = Tags(page).tags
    assert not {"script", "link", "img", "iframe", "object", "use-script"} & {tag for tag, _ in tags}
    assert not re.search(r"\w+://", page)
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert (attributes.get("href") or "#").startswith("#")


def test_texts_from_outside_are_escaped_everywhere(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;") >= 4  # tables, legends and axes


def test_every_table_has_a_caption_and_every_picture_says_what_it_shows_and_of_which_events(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    tags = Tags(page).tags
    assert len(re.findall("<table>", page)) == len(re.findall("<caption>", page)) == 4
    pictures = [attributes["aria-label"] for tag, attributes in tags if tag == "figure"]
    assert len(pictures) == 5
    assert all("validation events" in str(one) or "all splits" in str(one) for one in pictures)
    captions = re.findall("<caption>(.*?)</caption>", page)
    assert all("validation events" in one or "all splits" in one for one in captions)


def test_ids_are_not_given_twice_and_colours_come_from_the_page(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    ids = [attributes["id"] for _, attributes in Tags(page).tags if "id" in attributes]
    assert ids
    assert len(ids) == len(set(ids))
    for name in re.findall(r"(?:href=\"|url\()#([\w-]+)", page):
        assert name in ids
    svg = page[page.index("<svg") :]
    assert "var(--series0)" in svg
    assert "var(--text)" in svg
    assert not re.search("#0969db|#1f2329", svg)


def test_every_critic_is_in_the_legend_and_pictures_are_files_too(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    assert re.search(r"<text[^>]*>\s*_filter-2</text>", page)
    assert {path.name for path in folder.iterdir()} == {
        PAGE, "precision-recall.png", "reliability-1.png", "reliability-2.png", "histogram.png", "trade-off.png"
    }  # fmt: skip
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in folder.glob("*.png"))


def test_the_answer_comes_first_on_the_page(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    top = page[: page.index("<h2>")]
    assert "Use filter-1: " in top
    assert "as shares of good triples" in top
    assert "\\n" not in page  # no text of ours has a line break to be shown


def test_a_graph_without_verdicts_or_thresholds_has_a_report(tmp_path: Path) -> None:
    lines = write_report(evidence(trade_off=[], thresholds={}, recall=None, judged=0), tmp_path / "a")
    assert "cannot be said" in lines[0]
    assert "kg critic calibrate" in (tmp_path / "a" / PAGE).read_text(encoding="utf-8")


def test_only_validation_events_and_kept_scores_of_every_critic_are_read(graph: KnowledgeGraph, begun: Run) -> None:
    triples = {
        split: [Triple(f"PersonX {split}s {n}", "xWant", "to rest") for n in range(4)]
        for split in ("train", "validation", "test")
    }
    for split, some in triples.items():
        graph.add([Assertion(triple, split=split) for triple in some], begun)  # type: ignore[arg-type]
    graph.record_judgements(
        [Judgement(triple, "me", 2 if n % 2 else -2) for some in triples.values() for n, triple in enumerate(some)],
        begun,
    )
    with pytest.raises(NotReady):
        collect(graph, {})
    for critic, value in (("filter-1", 0.25), ("filter-2", 0.75)):
        graph.record_critic(critic)
        acceptance = Acceptance(f"of-{critic}", critic, 0.8, {"0.8": {OVERALL: 0.5}})
        graph.record_acceptance(acceptance)
        graph.record_scores(critic, lambda some, value=value: np.full(len(some), value), acceptance)  # type: ignore[misc]
    found = collect(graph, {"filter-1": "blend"})
    assert (found.current, found.judged) == ("filter-2", 4)
    assert [(one.critic, one.kind, one.is_current, len(one.verdicts)) for one in found.critics] == [
        ("filter-2", "", True, 4), ("filter-1", "blend", False, 4)
    ]  # fmt: skip
    assert all(triple.head.startswith("PersonX validation") for triple in found.critics[0].verdicts.triples)
    assert found.critics[1].scores.tolist() == [0.25] * 4
    assert [(one.critic, one.recall) for one in found.filters] == [("filter-2", 0.8), ("filter-1", 0.8)]
    for one, value, passed in zip(found.filters, (0.75, 0.25), (12, 0), strict=True):
        assert one.histograms["xWant"][int(value * BINS)] == sum(one.histograms["xWant"]) == 12
        whole, some = one.trade_off
        assert (whole["origin"], whole["edges"], whole["judged"], whole["good"]) == ("teacher", 12, 4, 2)
        assert some["edges"] == passed


def test_a_new_critic_without_scores_leaves_those_of_the_others_on_the_page(
    graph: KnowledgeGraph, begun: Run, tmp_path: Path
) -> None:
    edges = [Triple(f"PersonX naps {n}", "xWant", "to rest") for n in range(4)]
    graph.add([Assertion(edge, split="validation") for edge in edges], begun)
    graph.record_judgements([Judgement(edge, "me", 2 if n % 2 else -2) for n, edge in enumerate(edges)], begun)
    graph.record_critic("filter-1")
    acceptance = Acceptance("one", "filter-1", 0.8, {"0.8": {OVERALL: 0.5}})
    graph.record_acceptance(acceptance)
    graph.record_scores("filter-1", lambda some: np.linspace(0.2, 0.8, len(some)), acceptance)
    graph.record_critic("filter-2")
    write_report(collect(graph, {}), tmp_path / "report")
    page = (tmp_path / "report" / PAGE).read_text(encoding="utf-8")
    assert "filter-2 has no thresholds yet" in page
    graph.record_acceptance(Acceptance("two", "filter-2", 0.8, {"0.8": {OVERALL: 0.5}}))
    write_report(collect(graph, {}), tmp_path / "calibrated")
    assert "filter-2 has scored no teacher&#39;s edge yet" in (tmp_path / "calibrated" / PAGE).read_text(
        encoding="utf-8"
    )
    assert "How much passes, and how good it is: filter-1" in page
    assert "The scores, by relation: filter-1" in page
    assert {path.name for path in (tmp_path / "report").glob("*-2.png")} == {"histogram-2.png", "trade-off-2.png"}


def test_a_critic_is_asked_about_judged_triples_that_are_no_edges(graph: KnowledgeGraph, begun: Run) -> None:
    edge, none = (Triple("PersonX naps", "xWant", tail) for tail in ("to rest", "to fly"))
    graph.add([Assertion(edge, split="validation")], begun)
    graph.record_judgements([Judgement(edge, "me", 2), Judgement(none, "me", -2)], begun)
    graph.record_critic("filter-1")
    acceptance = Acceptance("one", "filter-1", 0.8, {"0.8": {OVERALL: 0.5}})
    graph.record_acceptance(acceptance)
    graph.record_scores("filter-1", lambda some: np.full(len(some), 0.75), acceptance)
    (found,) = collect(graph, {"filter-1": "blend"}, lambda _, some: np.full(len(some), 0.25)).critics
    assert dict(zip(found.verdicts.triples, found.scores.tolist(), strict=True)) == {edge: 0.75, none: 0.25}
    assert len(collect(graph, {"filter-1": "blend"}).critics[0].verdicts) == 1
