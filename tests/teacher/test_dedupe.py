"""Duplicates are found as defined, listed, and deleted only when asked."""

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from ingest.duplicates.dedupe import dedupe
from ingest.duplicates.diversity import soft_duplicates
from ingest.duplicates.near import first_alike, near_pairs, normalised
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from kg.workspace import Workspace

WORDS = ("go", "to", "the", "shop", "market", "now", "again", "buy", "some", "bread", "milk", "home")


def shingles(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[place : place + 3] for place in range(len(padded) - 2)}


def jaccard(one: str, other: str) -> float:
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right)


@pytest.fixture
def texts() -> list[str]:
    draw = random.Random(5)
    return sorted({" ".join(draw.choices(WORDS, k=draw.randint(1, 7))) for _ in range(600)})


def test_each_pair_is_right_and_few_are_missed(texts: list[str]) -> None:
    truth = {
        (left, right)
        for left, right in itertools.combinations(range(len(texts)), 2)
        if jaccard(texts[left], texts[right]) >= 0.7
    }
    found = list(near_pairs(texts, 0.7))
    pairs = {(left, right) for left, right, _ in found}
    assert len(pairs) == len(found)
    assert pairs <= truth
    assert len(pairs) >= 0.85 * len(truth) > 50
    for left, right, index in found:
        assert index == pytest.approx(jaccard(texts[left], texts[right]))


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30), max_size=20, unique=True)
)
def test_any_texts_can_be_compared(texts: list[str]) -> None:
    first = first_alike(texts).tolist()
    plain = normalised(texts).to_list()
    assert first == [plain.index(text) for text in plain]
    for left, right, index in near_pairs(texts, 0.5):
        assert left < right
        assert index == pytest.approx(jaccard(texts[left], texts[right]))


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS[:5]), min_size=1, max_size=5).map(" ".join), max_size=7, unique=True))
def test_what_is_left_is_softly_unique(tails: list[str]) -> None:
    gone = [place for place, _ in soft_duplicates(tails)]
    left = [tail.split() for place, tail in enumerate(tails) if place not in gone]
    smoothing = SmoothingFunction().method1
    for place, words in enumerate(left):
        others = left[:place] + left[place + 1 :]
        assert not others or sentence_bleu(others, words, weights=(0.5, 0.5), smoothing_function=smoothing) < 0.5
    if tails:
        assert left, "the last one stays"


def test_a_graph_is_only_changed_when_asked(graph: KnowledgeGraph, begun: Run, workspace: Workspace) -> None:
    def add(head: str, *tails: str) -> None:
        graph.add((Assertion(Triple(head, "xWant", tail)) for tail in tails), begun)

    add("PersonX naps", "to rest", "To rest!", "to go to the shop", "to go to the shop now", "to dream")
    add("PersonX takes a nap in the garden", "to stay in bed until noon", "to eat", "to sing")
    add("PersonX takes a nap in the gardens", "to stay in bed until noon")
    before = list(graph.edges())

    found = dedupe(graph, workspace, soft=True, near=0.7)
    assert found.rules == {"the same after normalising": 1, "not softly unique": 1, "near-duplicate": 1}
    assert (found.edges, found.deleted) == (9, 0), "a long head does not make short tails alike"
    assert list(graph.edges()) == before
    rows = [json.loads(line) for line in found.file.read_text(encoding="utf-8").splitlines()]
    assert {row["rule"] for row in rows} == set(found.rules)
    assert rows[0]["runs"] == [begun.id]

    applied = dedupe(graph, workspace, soft=True, near=0.7, apply=True)
    assert applied.deleted == 3
    gone = {(row["triple"]["head"], row["triple"]["tail"]) for row in rows}
    assert {(e.triple.head, e.triple.tail) for e in graph.edges()} == {
        (e.triple.head, e.triple.tail) for e in before
    } - gone
    assert graph.statistics()["phrases"] == len({t for e in graph.edges() for t in (e.triple.head, e.triple.tail)})
    assert graph.run(applied.run)["deleted"] == 3
    again = dedupe(graph, workspace, soft=True, near=0.7, apply=True)
    assert (again.rules.total(), again.deleted) == (0, 0)


def test_the_best_scored_stays(graph: KnowledgeGraph, begun: Run, workspace: Workspace) -> None:
    rows = [
        Assertion(Triple("PersonX naps", "xWant", tail), score=score)
        for tail, score in (("to rest", 0.9), ("To rest", 0.2))
    ]
    graph.add(rows, begun)
    dedupe(graph, workspace, apply=True)
    assert [edge.triple.tail for edge in graph.edges()] == ["to rest"]
