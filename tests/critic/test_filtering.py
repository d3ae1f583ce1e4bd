"""What a critic's thresholds make of each teacher's edges, on a small graph whose answer can be counted."""

import pytest

from critic.filtering import by_origin, by_recall, format_by_origin, format_by_recall
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Acceptance, Assertion, Triple
from kg.run import Run

SCORES = [0.1, 0.3, 0.5, 0.7, 0.9]
OWN = {"low": {"0.5": {"*": 0.4}, "0.8": {"*": 0.2}}}


def tails(name: str) -> list[Triple]:
    """A triple of each score, for each of two events; the tail is the same for both."""
    return [Triple(f"PersonX naps {n}", "xWant", f"{name} {score}") for n in range(2) for score in SCORES]


def score(triple: Triple) -> float:
    return float(triple.tail.split()[-1])


def write(graph: KnowledgeGraph, model: str, triples: list[Triple], kind: str = "load") -> str:
    run = Run(kind, model=model, dataset=model)
    with graph.running(run):
        graph.add([Assertion(triple, split="test") for triple in triples], run)
        graph.finish(run)
    return run.id


@pytest.fixture
def origins(graph: KnowledgeGraph) -> dict[str, str]:
    """Two teachers, one tail that both wrote, a student, and a critic whose recalls are .8 and .5."""
    shared = [Triple("PersonX naps 0", "xWant", "shared 0.3")]
    runs = {write(graph, name, tails(name) + shared): name for name in ("high", "low")}
    runs[write(graph, "student", tails("guess"), "predict")] = "student"
    acceptance = Acceptance("a", "critic-1", 0.8, {"0.5": {"*": 0.8}, "0.8": {"*": 0.6}}, OWN)
    graph.record_critic("critic-1")
    graph.record_acceptance(acceptance)
    graph.record_scores("critic-1", lambda triples: [score(triple) for triple in triples], acceptance)
    return runs


def test_edges_precision_and_distinct_tails_follow_from_thresholds_of_each_teacher(
    graph: KnowledgeGraph, origins: dict[str, str]
) -> None:
    verdicts = {triple: score(triple) > 0.4 for name in ("high", "low") for triple in tails(name)[:5]}
    rows = by_recall(graph, verdicts, origins)
    assert [(row["origin"], row["recall"], row["edges"], row["distinct"], row["judged"], row["good"], row["kept"])
            for row in rows] == [
        ("high", None, 11, 6, 5, 3, 1.0),
        ("high", 0.8, 5, 3, 2, 2, 2 / 3),  # 0.7, 0.9, and what the other teacher wrote, too
        ("high", 0.5, 2, 1, 1, 1, 1 / 3),
        ("low", None, 11, 6, 5, 3, 1.0),
        ("low", 0.8, 9, 5, 4, 3, 1.0),
        ("low", 0.5, 6, 3, 3, 3, 1.0),
    ]  # fmt: skip
    text = format_by_recall(rows)
    assert "| low | 0.8 | 9 | 82 % | 5 | 4 | 75.0 % (30.1 to 95.4) | 100 % |" in text.splitlines()
    assert "| high | no filter | 11 | 100 % | 6 | 5 | 60.0 % (23.1 to 88.2) | 100 % |" in text.splitlines()


def test_where_nothing_is_judged_the_table_says_so_in_a_sentence(
    graph: KnowledgeGraph, origins: dict[str, str]
) -> None:
    text = format_by_recall(by_recall(graph, {}, origins))
    assert "| high | 0.8 | 5 | 45 % | 3 | 0 | not judged | |" in text.splitlines()
    assert text.count("is judged, so nothing is known") == 1
    assert format_by_origin(by_origin(graph, {}, origins)) == ""


def test_without_thresholds_there_is_no_table(graph: KnowledgeGraph) -> None:
    write(graph, "high", tails("high"))
    assert by_recall(graph, {}, {"load": "high"}) == []
    assert format_by_recall([]) == ""


def test_each_origin_is_held_against_its_verdicts(graph: KnowledgeGraph, origins: dict[str, str]) -> None:
    verdicts = {triple: score(triple) > 0.4 for triple in tails("high")[:5]}  # the score tells good from bad
    verdicts |= {triple: score(triple) < 0.4 for triple in tails("guess")}  # just the wrong way
    verdicts |= dict.fromkeys(tails("low"), True)
    found = {row["origin"]: row for row in by_origin(graph, verdicts, origins)}
    assert {name: (row["judged"], row["auc"]) for name, row in found.items()} == {
        "high": (5, 1.0), "low": (10, None), "student": (10, 0.0),
    }  # fmt: skip
    assert found["low"]["good"] == 1
    assert found["student"]["estimate"] == pytest.approx(0.5)
    assert found["student"]["good"] == pytest.approx(0.4)
    graph.record_scores("critic-2", lambda triples: [0.5] * len(triples), graph.current_acceptance("critic-1"))
    assert {row["origin"]: row for row in by_origin(graph, verdicts, origins)} == found, "of the current critic alone"
    text = format_by_origin([*found.values()])
    assert "| low | 10 | 100.0 % | 50.0 % | |" in text.splitlines()
    assert "| student | 10 | 40.0 % | 50.0 % | 0.000 |" in text.splitlines(), "no interval without width"
