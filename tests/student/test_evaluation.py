"""The figures of an evaluation, on toys whose answer is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kg.model import Triple
from student.evaluation import CONTROLS, compare, controls, correct_with_judgements, measure, perplexity
from student.interface import Encode, Student
from student.report import format_report

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]

TRAINING = [
    Triple("a cat sleeps", "xWant", "to purr"),
    Triple("a cat sleeps", "xWant", "to dream"),
    Triple("a cat sleeps", "xReact", "calm"),
    Triple("a car drives", "xWant", "to park"),
    Triple("a truck drives", "xWant", "to park"),
]
HELD_OUT = [
    Triple("a kitten naps", "xWant", "to snore"),
    Triple("a van rolls", "xWant", "to stop"),
    Triple("a van rolls", "xReact", "fast"),
]
PLACES = {"a cat sleeps": 0, "a kitten naps": 0, "a car drives": 1, "a van rolls": 1, "a truck drives": 2}


def place(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.eye(3, dtype=np.float32)[[PLACES[text] for text in texts]]


def oracle(triples: Sequence[Triple]) -> NDArray[np.float64]:
    """Find good what says so."""
    return np.array([float(triple.tail.startswith("good")) for triple in triples])


def tails(share: float, events: int = 40, each: int = 5) -> list[Triple]:
    """Return triples of which this share, in every event, is good."""
    words = ["good" if number < share * each else "bad" for number in range(each)]
    return [Triple(f"e{e}", "xWant", f"{word} {n} {e}") for e in range(events) for n, word in enumerate(words)]


def test_controls_say_what_retrieval_and_guessing_would() -> None:
    found = controls(HELD_OUT, TRAINING, place, seed=1)
    assert tuple(found) == CONTROLS
    assert set(found["nearest training event"]) == {
        Triple("a kitten naps", "xWant", "to purr"),
        Triple("a kitten naps", "xWant", "to dream"),
        Triple("a van rolls", "xWant", "to park"),
    }
    assert set(found["most frequent tail"]) == {
        Triple("a kitten naps", "xWant", "to park"),
        Triple("a van rolls", "xWant", "to park"),
        Triple("a van rolls", "xReact", "calm"),
    }
    assert set(found["another event"]) == {
        Triple("a kitten naps", "xWant", "to stop"),
        Triple("a van rolls", "xWant", "to snore"),
    }


def test_another_event_is_never_the_event_itself(encode: Encode) -> None:
    held_out = [Triple(f"event {number}", "xWant", f"tail {number}") for number in range(30)]
    for seed in range(5):
        found = controls(held_out, TRAINING, encode, seed)["another event"]
        assert len(found) == 30
        assert not set(found) & set(held_out)
        assert found == controls(held_out, TRAINING, encode, seed)["another event"]


def test_controls_keep_the_language() -> None:
    held_out = [Triple("a kitten naps", "xWant", "x", "ja"), Triple("a van rolls", "xWant", "y", "ja")]
    assert {t.lang for triples in controls(held_out, TRAINING, place, 1).values() for t in triples} == {"ja"}


def test_controls_without_training_or_with_one_event_are_empty(encode: Encode) -> None:
    assert controls(HELD_OUT[:1], [], encode, 1) == {name: [] for name in CONTROLS}
    assert controls([], TRAINING, encode, 1) == {name: [] for name in CONTROLS}


def test_measure_gives_the_right_shares() -> None:
    training = [Triple("other", "xWant", "good 0"), Triple("other", "xReact", "good 1")]
    triples = [
        Triple("a", "xWant", "good 0"),
        Triple("b", "xWant", "good 0"),
        Triple("b", "xWant", "good 1"),
        Triple("c", "xWant", "bad"),
    ]
    (row,) = measure({"mine": triples}, oracle, training, seed=1)
    assert (row["name"], row["rows"], row["events"]) == ("mine", 4, 3)
    assert row["acceptance"] == 0.75
    assert row["distinct"] == 0.75
    assert row["novel"] == 0.5
    low, high = row["interval"]
    assert 0 <= low <= 0.75 <= high <= 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_an_interval_contains_the_mean(share: float) -> None:
    (row,) = measure({"mine": tails(share)}, oracle, [], seed=1)
    low, high = row["interval"]
    assert row["acceptance"] == pytest.approx(share)
    assert low - 1e-9 <= share <= high + 1e-9


def test_an_interval_is_as_wide_as_the_events_differ() -> None:
    clustered = [Triple(f"e{e}", "xWant", f"{'good' if e % 2 else 'bad'} {n}") for e in range(40) for n in range(10)]
    (wide,) = measure({"mine": clustered}, oracle, [], seed=1)
    low, high = wide["interval"]
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(40), rel=0.2)  # 40 events, not 400 rows


def test_an_empty_set_has_no_figures() -> None:
    (row,) = measure({"empty": []}, oracle, [], seed=1)
    assert row == {
        "name": "empty", "rows": 0, "events": 0, "acceptance": None, "interval": None, "distinct": None, "novel": None
    }  # fmt: skip


def test_a_better_student_beats_and_an_equal_or_worse_one_does_not() -> None:
    better = compare(tails(0.8), tails(0.4), oracle, seed=1)
    assert better is not None
    assert better["beats"]
    assert better["difference"] == pytest.approx(0.4)
    equal = compare(tails(0.4), tails(0.4), oracle, seed=1)
    assert equal is not None
    assert not equal["beats"]
    assert equal["difference"] == 0
    worse = compare(tails(0.4), tails(0.8), oracle, seed=1)
    assert worse is not None
    assert not worse["beats"]
    assert worse["interval"][1] < 0


def test_a_difference_within_chance_does_not_beat() -> None:
    random = np.random.default_rng(5)
    ours, theirs = (
        [Triple(f"e{e}", "xWant", f"{'good' if random.random() < p else 'bad'} {e}") for e in range(30)]
        for p in (0.55, 0.5)
    )
    found = compare(ours, theirs, oracle, seed=1)
    assert found is not None
    assert found["interval"][0] <= 0 <= found["interval"][1]
    assert not found["beats"]


def test_only_common_events_are_compared() -> None:
    ours = [Triple("a", "xWant", "good"), Triple("b", "xWant", "bad")]
    theirs = [Triple("a", "xWant", "good too"), Triple("c", "xWant", "bad")]
    found = compare(ours, theirs, oracle, seed=1)
    assert found is not None
    assert found["difference"] == 0
    assert compare(ours[1:], theirs, oracle, seed=1) is None
    assert compare([], theirs, oracle, seed=1) is None


def test_a_comparison_does_not_depend_on_the_order_of_rows() -> None:
    ours, theirs = tails(0.8), tails(0.6)
    assert compare(ours[::-1], theirs[::-1], oracle, 1) == compare(ours, theirs, oracle, 1)


def test_the_correction_is_unbiased_and_its_interval_covers() -> None:
    random = np.random.default_rng(11)
    estimates, covered = [], 0
    for _ in range(600):
        good = random.random(2_000) < 0.4
        scores = np.clip(0.3 + 0.4 * good + random.normal(0, 0.1, 2_000), 0, 1)  # biased: says 46 %
        judged = random.choice(2_000, 100, replace=False).tolist()
        found = correct_with_judgements(scores, judged, good[judged].tolist())
        estimates.append(found["estimate"])
        covered += found["interval"][0] <= 0.4 <= found["interval"][1]
        assert found["judged"] == 100
        assert found["judged_acceptance"] == pytest.approx(good[judged].mean())
    assert np.mean(estimates) == pytest.approx(0.4, abs=0.005)
    assert 0.92 <= covered / 600 <= 0.98


def test_a_tail_that_the_ranker_does_not_know_is_not_covered(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["ranker"]
    unknown = [Triple(eight[0].head, "xWant", "to fly"), Triple(eight[0].head, "xNeed", "to run")]
    assert perplexity(student, unknown) == {"per_token": None, "per_word": None, "covered": 0.0}
    assert perplexity(student, []) == {"per_token": None, "per_word": None, "covered": 0.0}
    assert perplexity(student, [*eight[:2], *unknown])["covered"] == 0.5


def test_perplexity_of_what_was_learnt_by_heart_is_low(memorised: Memorised, eight: list[Triple]) -> None:
    for student, _ in memorised.values():
        found = perplexity(student, eight)
        assert found["covered"] == 1
        assert 1 <= found["per_token"] < 3


def test_perplexity_is_the_exponential_of_the_mean_loss(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["generator"]
    sums, tokens = student.logprobs(eight)
    words = sum(len(triple.tail.split()) for triple in eight)
    found = perplexity(student, eight)
    assert found["per_token"] == pytest.approx(np.exp(-sums.sum() / tokens.sum()))
    assert found["per_word"] == pytest.approx(np.exp(-sums.sum() / words))


def test_a_report_has_a_line_for_each_set_comparison_and_correction() -> None:
    sets = measure({"gold": tails(0.8), "another event": tails(0.2), "empty": []}, oracle, [], seed=1)
    comparison = compare(tails(0.8), tails(0.2), oracle, seed=1)
    content = {
        "split": "test",
        "judge": {
            "systems": {"critic": {"auc": 0.8125}, "relation prior": {"auc": 0.6}},
            "trained_rows": 1234,
            "rows": 56,
            "events": 7,
        },
        "sets": sets,
        "students": {
            "generator": {
                "student": "generator-1",
                "perplexity": {"per_token": 12.34, "per_word": 20.0, "covered": 0.99},
                "comparisons": {"another event": comparison, "empty": None},
                "corrected": {
                    "judged": 50, "judged_acceptance": 0.7, "estimate": 0.651, "interval": [0.55, 0.75]
                },
            },
            "ranker": {
                "student": "ranker-1",
                "perplexity": {"per_token": None, "per_word": None, "covered": 0.0},
                "comparisons": {"gold": compare(tails(0.2), tails(0.8), oracle, seed=1)},
            },
        },
    }  # fmt: skip
    text = format_report(content)
    lines = text.splitlines()
    assert "| gold | 200 | 40 | 80.0 % | 80.0 % to 80.0 % | 100.0 % | 100.0 % |" in lines
    assert "| another event | 200 | 40 | 20.0 % | 20.0 % to 20.0 % | 100.0 % | 100.0 % |" in lines
    assert "| empty | 0 | 0 | | | | |" in lines
    assert "- another event: +60.0 points (+60.0 to +60.0): beats it" in lines
    assert "- empty: nothing to compare" in lines
    assert "- gold: -60.0 points (-60.0 to -60.0): does not beat it" in lines
    assert "### The generator (generator-1)" in lines
    assert "Perplexity of held-out tails: 12.3 a token, 20.0 a word (99.0 % of the tails)." in lines
    assert "It can express none of the held-out tails, so it has no perplexity." in lines
    assert "60.0 points apart" in text
    assert "With 50 fresh judgements of its own predictions (70.0 % good)" in text
    assert "65.1 % (55.0 % to 75.0 %)" in text


def test_columns_of_the_table_line_up_in_number() -> None:
    rows = measure({"gold": tails(0.8), "empty": []}, oracle, [], seed=1)
    judge = {
        "systems": {"critic": {"auc": 0.8}, "relation prior": {"auc": 0.6}}, "trained_rows": 1, "rows": 1, "events": 1
    }  # fmt: skip
    text = format_report({"split": "test", "judge": judge, "sets": rows, "students": {}})
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}
