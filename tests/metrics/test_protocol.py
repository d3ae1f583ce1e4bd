"""COMET's protocol, diversity and the controls, by numbers computed by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from student.metrics.comet import bleu_2, novelty, sentence_bleu_2
from student.metrics.controls import BEAMS, controls, gold_against_gold
from student.metrics.diversity import diversity, entropy, self_bleu
from student.metrics.files import Answer, read_training

EVENTS = {"eats": 0, "dines": 10, "sleeps": 90, "naps": 80, "runs": 180}
"""Events as angles in degrees: the nearer, the more alike."""


def encode(texts: list[str]) -> np.ndarray:
    angles = np.radians([EVENTS[text] for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def answer(relation: str, generations: list[str], *references: str, head: str = "h") -> Answer:
    return Answer(head, relation, generations[0], tuple(generations), references)


def test_bleu_2_is_nltks_with_its_first_smoothing() -> None:
    method = SmoothingFunction().method1
    for tail in ("to go home now", "home", "", "nothing alike"):
        expected = sentence_bleu([["to", "go", "home"], ["home"]], tail.split(), (0.5, 0.5), smoothing_function=method)
        assert sentence_bleu_2(tail, ["to go home", "home"]) == pytest.approx(expected)
    assert sentence_bleu_2("home", ["home"]) == pytest.approx((1 * 0.1) ** 0.5)  # no pair of words: smoothed to 0.1
    assert sentence_bleu_2("<unk> to go <END>", ["to go"]) == pytest.approx(1)


def test_every_candidate_counts_and_every_relation_counts_the_same() -> None:
    found = bleu_2(
        [
            answer("a", ["to go", "x y"], "to go"),
            answer("a", ["to go", "to go"], "to go"),
            answer("b", ["x y"], "to go"),
        ]
    )
    assert found["relations"]["a"] == {"prefixes": 2, "beams": pytest.approx(3 / 4), "greedy": pytest.approx(1)}
    assert found["beams"] == pytest.approx((3 / 4 + 0) / 2)
    assert found["greedy"] == pytest.approx((1 + 0) / 2)


@pytest.mark.parametrize(
    ("references", "left_out"),
    [
        (("none", "x y", "z w"), 0),  # a third is not more than a third
        (("none", "x y"), 1),
        (("none",), 1),
        (("None", "none of it", "x"), 0),
        ((" none <END>", "none", "a", "b"), 1),
    ],
)
def test_a_prefix_with_more_than_a_third_of_nones_is_left_out(references: tuple[str, ...], left_out: int) -> None:
    found = bleu_2([answer("a", ["x y"], *references), answer("a", ["to go"], "to go")])
    assert found["left_out"] == left_out
    assert found["relations"]["a"]["prefixes"] == 2 - left_out


def test_there_is_no_mean_of_no_prefix() -> None:
    assert bleu_2([answer("a", ["none"], "none")]) == {"beams": None, "greedy": None, "relations": {}, "left_out": 1}


def test_novelty_counts_triples_tails_and_different_tails() -> None:
    training = [("h", "a", "to go"), ("other", "b", "to rest")]
    answers = [answer("a", [tail], "x") for tail in (" to go", "to rest", "to swim", "to swim")]
    assert novelty(answers, training) == {"N/T sro": 3 / 4, "N/T o": 2 / 4, "N/U o": 1 / 3}


def test_diversity_counts_what_one_counts_by_hand() -> None:
    found = diversity([answer("a", [tail, "to go"], "x") for tail in ("to go", "to go", "sad", "to rest now")])
    assert found["distinct"] == 3 / 4
    assert found["distinct-1"] == 5 / 8
    assert found["distinct-2"] == 3 / 4
    assert found["entropy"] == pytest.approx(1.5)
    words = [3 / 8, 2 / 8, 1 / 8, 1 / 8, 1 / 8]
    assert found["entropy of words"] == pytest.approx(-sum(share * math.log2(share) for share in words))
    near = sentence_bleu_2("to rest now", ["to go"])
    assert found["self-BLEU"] == pytest.approx((1 + 1 + 0 + near) / 4)
    beams = [1, 1, 0, (near + sentence_bleu_2("to go", ["to rest now"])) / 2]
    assert found["beam self-BLEU"] == pytest.approx(sum(beams) / 4)


def test_one_answer_has_no_other_to_be_alike_to() -> None:
    found = diversity([answer("a", [""], "x")])
    assert found["self-BLEU"] is found["beam self-BLEU"] is found["distinct-1"] is None
    assert entropy([]) == 0
    assert self_bleu([]) is None


TRAINING = [
    ("eats", "want", "to drink"),
    ("eats", "want", "to pay"),
    ("dines", "want", "to pay"),
    ("sleeps", "want", "to wake"),
    ("sleeps", "want", "to wake up"),
    ("naps", "react", "rested"),
    ("runs", "want", "to wake"),
    ("runs", "want", "to win"),
    ("runs", "want", "to wake"),
]


def test_retrieval_says_what_near_events_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("student.metrics.controls.VOTERS", (2, 3))
    asked = [answer("want", ["x"], "y", head="naps"), answer("react", ["x"], "y", head="eats")]
    found = controls([*asked, answer("none such", ["x"], "y", head="eats")], TRAINING, encode)
    assert {name: [one.greedy for one in some] for name, some in found.items()} == {
        "most frequent tail": ["to wake", "rested", ""],
        "nearest event": ["to wake", "rested", ""],  # of sleeps: naps itself has no want
        "vote of 2": ["to wake", "rested", ""],  # sleeps and dines, whose three tails come once each
        "vote of 3": ["to pay", "rested", ""],  # sleeps, dines and eats: only this one comes twice
    }
    assert found["vote of 3"][0].generations == ("to pay", "to wake", "to wake up", "to drink")
    assert found["nearest event"][0].references == ("y",)


def test_a_control_has_as_many_candidates_as_a_system_has_beams() -> None:
    many = [("eats", "want", f"to do {number}") for number in range(30)]
    found = controls([answer("want", ["x"], "y", head="dines")], many, encode)
    assert {len(some[0].generations) for some in found.values()} == {BEAMS}


def test_gold_is_held_against_the_other_gold() -> None:
    found = gold_against_gold([answer("a", ["x"], "one", "two", "two"), answer("a", ["x"], "alone")])
    assert [(one.greedy, one.references) for one in found] == [
        ("one", ("two", "two")),
        ("two", ("one", "two")),
        ("two", ("one", "two")),
    ]


def test_training_is_read_in_either_order_of_columns(tmp_path: Path) -> None:
    rows = [("eats", "want", "to pay"), ("want", "want", "more")]
    ours, theirs = tmp_path / "ours.tsv", tmp_path / "theirs.txt"
    ours.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    theirs.write_text("".join(f"{r}\t{h}\t{t}\t1.0\n" for h, r, t in rows), encoding="utf-8")
    assert read_training(ours, {"want"}) == read_training(theirs, {"want"}) == rows
