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
from ingest.duplicates.near import first_alike, may_say_the_same, near_pairs, normalised
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


DIFFERENT = [
    ("-5 degrees", "5 degrees"), ("C", "C++"), ("C", "C#"), ("C++", "C#"), ("$5", "5%"), ("$5", "5"), ("1.5", "15"),
    ("1,5", "15"), (":)", ":("), ("not happy", "happy"), ("PersonX likes PersonY", "PersonY likes PersonX"),
    ("5²", "52"), ("½", "1 2"), ("①", "1"), ("a/b", "a b"), ("x > y", "x < y"), ("+1", "-1"), ("5!", "5"),
    ("really?", "really"), ("3:30", "330"), ("@home", "home"), ("#metoo", "metoo"), ("−5", "5"), ("(a)b", "ab"),
    ("co-op", "coop"), ("€5", "£5"), ("😀", "😢"), ("x=1", "x≠1"), ("H₂O", "H2O"),
]  # fmt: skip
SAME = [
    ("To rest", "to rest"), ("to rest.", "to rest"), ("to rest .", "to rest"), ("to  rest\t", "to rest"),
    ("é", "e\u0301"), ("ｒｅｓｔ", "rest"), ("PersonX’s nap", "PersonX's nap"), ("−5 degrees", "-5 degrees"),
    ("休む。", "休む"), ("To REST!", "to rest"), ("to rest...", "to rest"), ("to rest\u00a0now", "to rest now"),
    ("C++.", "c++"), ("5%.", "5%"), ("to rest\n", "to rest"), ("x²", "X²"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_signs_digits_and_inner_punctuation_tell_texts_apart(one: str, other: str) -> None:
    assert first_alike([one, other]).tolist() == [0, 1]
    assert first_alike([f"it is {one} today", f"it is {other} today"]).tolist() == [0, 1]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_case_blanks_unicode_forms_and_the_end_of_a_sentence_do_not(one: str, other: str) -> None:
    assert first_alike([one, other]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it is -5 degrees outside today", "it is 5 degrees outside today"),
        ("PersonX gives PersonY a long and loving hug", "PersonY gives PersonX a long and loving hug"),
        ("the dog bites the old man in the park", "the man bites the old dog in the park"),
        ("PersonX is not happy about the long journey", "PersonX is happy about the long journey"),
        ("PersonX is unhappy about the long journey", "PersonX is happy about the long journey"),
        ("PersonX can't come to the party tonight", "PersonX can come to the party tonight"),
        ("PersonX learns to program in C++ at school", "PersonX learns to program in C at school"),
        ("it takes from 1.5 to 2 hours to get there", "it takes from 15 to 2 hours to get there"),
        ("PersonX writes :) to the whole family", "PersonX writes :( to the whole family"),
        ("PersonX pays $50 for the tickets there", "PersonX pays 50% for the tickets there"),
    ],
)
def test_near_texts_that_say_something_else_are_no_duplicates(
    graph: KnowledgeGraph, begun: Run, workspace: Workspace, one: str, other: str
) -> None:
    assert not may_say_the_same(one, other)
    graph.add([Assertion(Triple(head, "xWant", "to go home")) for head in (one, other)], begun)
    assert dedupe(graph, workspace, near=0.5).rules.total() == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PersonX takes a nap", "PersonX takes naps"),
        ("to go to the shop", "to go to the shops now"),
        ("To rest.", "to rest"),
    ],
)
def test_near_texts_that_vary_one_another_may_be(one: str, other: str) -> None:
    assert may_say_the_same(one, other)


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
