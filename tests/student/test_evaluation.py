"""The figures of an evaluation, on toys whose answer is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kg.model import Triple
from student.evaluation import (
    CONTROLS,
    compare,
    controls,
    correct_with_judgements,
    judge_error,
    judged_difference,
    known_verdicts,
    measure,
    perplexity,
    preference,
    read_share,
    remembering,
)
from student.interface import Encode, Student
from student.report import format_report, paid_sentences

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


def unread(triples: Sequence[Triple]) -> dict[str, object]:
    """Stands for readers who have read nothing."""
    return read_share(triples, {}, None)


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
    (row,) = measure({"mine": triples}, oracle, unread, training, seed=1)
    assert (row["name"], row["rows"], row["events"]) == ("mine", 4, 3)
    assert row["acceptance"] == 0.75
    assert row["distinct"] == 0.75
    assert row["novel"] == 0.5
    low, high = row["interval"]
    assert 0 <= low <= 0.75 <= high <= 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_an_interval_contains_the_mean(share: float) -> None:
    (row,) = measure({"mine": tails(share)}, oracle, unread, [], seed=1)
    low, high = row["interval"]
    assert row["acceptance"] == pytest.approx(share)
    assert low - 1e-9 <= share <= high + 1e-9


def test_an_interval_is_as_wide_as_the_events_differ() -> None:
    clustered = [Triple(f"e{e}", "xWant", f"{'good' if e % 2 else 'bad'} {n}") for e in range(40) for n in range(10)]
    (wide,) = measure({"mine": clustered}, oracle, unread, [], seed=1)
    low, high = wide["interval"]
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(40), rel=0.2)  # 40 events, not 400 rows


def test_a_judge_is_asked_about_each_triple_once() -> None:
    asked: list[Triple] = []

    def judge(triples: Sequence[Triple]) -> NDArray[np.float64]:
        asked.extend(triples)
        return oracle(triples)

    rows = tails(0.5, events=4)
    remembered = remembering(judge)
    for some in (rows[:7], [], rows[::-1], [rows[3], rows[3]], rows[2:9]):
        assert remembered(some).tolist() == oracle(some).tolist()
    assert sorted(asked) == sorted(rows)


def test_an_empty_set_has_no_figures() -> None:
    (row,) = measure({"empty": []}, oracle, unread, [], seed=1)
    assert row == {
        "name": "empty", "rows": 0, "events": 0, "acceptance": None, "interval": None, "distinct": None, "novel": None,
        "readers": {"basis": "none", "read": 0, "share": None, "interval": [0.0, 0.0]},
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


def report_of(judge_interval: list[float], **changed: object) -> str:
    """Return the report on two rankers, of which one beats the most frequent tail."""
    sets = {
        "teacher, raw": tails(0.6), "another event": tails(0.2), "gold: judged": tails(0.8), "empty": [],
        "ranker-1, raw": tails(0.8), "ranker-1, accepted": tails(1.0),
        "ranker-2, raw": tails(0.2), "ranker-2, accepted": [],
    }  # fmt: skip
    comparisons = {
        name: {
            "raw against most frequent tail": compare(sets[f"{name}, raw"], tails(0.4), oracle, seed=1),
            "raw against another event": None,
        }
        for name in ("ranker-1", "ranker-2")
    }
    students = {
        name: {
            "kind": "ranker",
            "teacher": "teacher",
            "judge": "sentence encoder",
            "perplexity": {"per_token": 12.4, "per_word": 20.0, "covered": 0.99},
            "links": {"rows": 40, "covered": 0.5, "mrr": 0.25, "hits": {"1": 0.1, "3": 0.2, "10": 0.3}},
            "comparisons": comparisons[name],
            "preference": {"rows": 0, "auc": None, "pairs": 0, "accuracy": None},
            "corrected": None,
            "training_changed": name == "ranker-2",
        }
        for name in comparisons
    }
    judge = {
        "systems": {"critic": {"auc": 0.8125, "auc_interval": judge_interval}, "relation prior": {"auc": 0.6}},
        "trained_rows": 1234, "rows": 56, "events": 7,
        "sources": {"annotators": ["ann", "bob"], "datasets": ["mine.tsv"], "notes": []},
        "error": changed.pop("judge_error", None),
    }  # fmt: skip
    content = {
        "split": "test", "judges": {"sentence encoder": judge}, "sets": measure(sets, oracle, unread, [], seed=1),
        "students": students, "verdicts": {"used": 0, "left_out": {}}, "reference": {}, "paid": [], "judged": 9,
    }  # fmt: skip
    content |= changed
    content["sets"] = [
        {"teacher": "teacher", "estimates": {"sentence encoder": row["acceptance"]}} | row for row in content["sets"]
    ]
    return format_report(content)


def test_a_report_begins_with_what_it_comes_to_in_words() -> None:
    first, blank, good, bad, *_ = report_of([0.7, 0.9]).splitlines()
    assert first == "# What students say about the test events"
    assert not blank
    assert good.startswith("- ranker-1: the judge finds 80.0 % of what it says acceptable")
    assert good.endswith("the teacher's 60.0 %. It beats most frequent tail.")
    assert bad.startswith("- ranker-2: the judge finds 20.0 %")
    assert bad.endswith("It does not beat most frequent tail.")


@pytest.mark.parametrize("alone", [(), ("generator, raw", "teacher, raw")])
def test_a_report_says_which_loop_the_sets_of_a_reference_run_are_of(alone: tuple[str, ...]) -> None:
    row = {"rows": 9, "read": 9, "share": 0.5, "interval": (0.2, 0.8)}
    both = ("generator (weak teacher, raw), raw", "another event, strong teacher", "weak teacher, raw")
    agreement = {"twice": 2, "same": 1.0, "kappa": 1.0, "gold": 1.0, "other": 0.0}
    text = report_of([0.7, 0.9], reference={"sets": dict.fromkeys(both + alone, row), "agreement": agreement})
    assert all(f"| {name} | 9 | 9 | **50.0 %** (20.0 % to 80.0 %) |" in text for name in both + alone)
    assert ("kg distill --teacher strong" in text) == bool(alone)


def test_a_report_says_where_a_ranker_puts_held_out_tails() -> None:
    text = report_of([0.7, 0.9])
    assert "50.0 % of 40 held-out tails that it knows" in text
    assert "MRR 0.250, Hits@1 10.0 %, Hits@3 20.0 %, Hits@10 30.0 %." in text


def test_a_report_has_a_line_for_each_set_and_comparison() -> None:
    lines = report_of([0.7, 0.9]).splitlines()
    assert "| ranker-1, raw | 200 | 40 | not read | 0 | 80.0 % | 100.0 % | 100.0 % |" in lines
    assert "| ranker-2, raw | 200 | 40 | not read | 0 | 20.0 % | 100.0 % | 100.0 % |" in lines
    assert "| empty | 0 | 0 | not read | 0 | | | |" in lines
    assert "- raw against most frequent tail: +40.0 points (no spread between events): beats it" in lines
    assert "- raw against most frequent tail: -20.0 points (no spread between events): does not beat it" in lines
    assert "- raw against another event: nothing to compare" in lines
    assert "## ranker-1" in lines
    assert "Perplexity of held-out tails among the tails it knows: 12; it knows 99.0 % of them." in lines
    assert lines.count("to training go by what the query returns now.") == 1
    assert any("60.0 points apart" in line for line in lines)
    assert {line.count("|") for line in lines if line.startswith("|")} == {9}


def test_a_judge_no_better_than_chance_estimates_nothing() -> None:
    text = report_of([0.44, 0.9])
    assert "- The judge is no better than chance (AUC 0.812, 95 % interval 0.440 to 0.900, on 56 triples)" in text
    assert "how good they are is not known" in text
    assert "80.0 %" not in text
    assert "points" not in text
    assert "beats" not in text
    assert "| ranker-1, raw | 200 | 40 | not read | 0 | 100.0 % | 100.0 % |" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}


def test_a_report_says_whose_verdicts_it_rests_on_and_nothing_of_other_data() -> None:
    text = report_of([0.7, 0.9])
    assert "The verdicts are those of ann and bob (mine.tsv)." in text
    assert "language model" not in text
    assert "starter" not in text


def test_fresh_verdicts_come_first_and_those_left_out_are_counted() -> None:
    students = {"ranker-1": {
        "kind": "ranker", "teacher": "teacher", "judge": "sentence encoder",
        "perplexity": {"per_token": None, "per_word": None, "covered": 0.0}, "comparisons": {},
        "training_changed": False, "preference": {"rows": 3, "auc": None, "pairs": 0, "accuracy": None},
        "corrected": {"judged": 20, "judged_acceptance": 0.7, "estimate": 0.651, "interval": [0.55, 0.75]},
    }}  # fmt: skip
    verdicts = {"used": 20, "left_out": {"about validation events, while this is about test events": 3}}
    text = report_of([0.44, 0.9], students=students, verdicts=verdicts)
    assert "- ranker-1: 65.1 % of what it says is acceptable (55.0 % to 75.0 %), by the judge and 20 fresh" in text
    assert "- Of 23 fresh verdicts 20 were used. Left out: 3 about validation events, while this" in text
    assert "With 20 fresh judgements of its own predictions (70.0 % good)" in text
    assert "With fewer than 30 the interval is a rough one." in text
    assert "It can express none of the held-out tails, so it has no perplexity." in text


def test_a_single_event_has_no_interval_and_beats_nothing() -> None:
    (row,) = measure({"mine": tails(0.6, events=1)}, oracle, unread, [], seed=1)
    assert row["interval"] is None
    found = compare(tails(0.8, events=1), tails(0.2, events=1), oracle, seed=1)
    assert found is not None
    assert (found["interval"], found["beats"]) == (None, False)
    assert found["difference"] == pytest.approx(0.6)


def test_what_is_new_is_not_said_where_the_training_is_not_one() -> None:
    (row,) = measure({"mine": tails(0.6)}, oracle, unread, None, seed=1)
    assert row["novel"] is None
    assert row["distinct"] == 1


def test_a_corrected_estimate_stays_a_share() -> None:
    found = correct_with_judgements(np.array([0.9, 0.95, 0.99, 0.2]), [0, 3], [True, True])
    assert (found["estimate"], found["interval"][1]) == (1.0, 1.0)
    assert 0 <= found["interval"][0] < 1


def test_a_share_is_a_point_only_where_all_rows_or_a_random_sample_were_read() -> None:
    rows = tails(0.6)
    verdicts = {triple: triple.tail.startswith("good") for triple in rows}
    whole = read_share(rows, verdicts, None)
    assert (whole["basis"], whole["read"], whole["share"]) == ("all", 200, pytest.approx(0.6))
    assert whole["interval"] == pytest.approx([0.5309, 0.6654], abs=1e-3)  # Wilson, by hand
    some = dict(list(verdicts.items())[:50])
    assert read_share(rows, some, None) == {
        "basis": "some", "read": 50, "share": None, "interval": [30 / 200, 180 / 200],
    }  # fmt: skip
    assert read_share(rows, some, some)["share"] == pytest.approx(0.6)
    assert unread(rows) == {"basis": "none", "read": 0, "share": None, "interval": [0.0, 1.0]}
    perfect = read_share(rows[:3], dict.fromkeys(rows, True), None)["interval"]
    assert perfect[0] < perfect[1], "no interval has zero width"


def test_a_student_prefers_what_readers_accept(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["ranker"]
    swapped = [Triple(triple.head, triple.relation, eight[(n + 4) % 8].tail) for n, triple in enumerate(eight)]
    verdicts = dict.fromkeys(swapped, False) | dict.fromkeys(eight, True)
    found = preference(student, verdicts | {Triple("a", "xUnknown", "b"): True})
    assert found["auc"] > 0.9
    assert found["accuracy"] > 0.9
    assert found["rows"] <= 16
    assert 0 < found["pairs"] <= 64
    turned = preference(student, {triple: not good for triple, good in verdicts.items()})
    assert turned["accuracy"] == pytest.approx(1 - found["accuracy"])
    assert preference(student, dict.fromkeys(eight, True)) == {"rows": 8, "auc": None, "pairs": 0, "accuracy": None}


def test_the_judge_is_held_against_the_readers() -> None:
    rows = [
        {"estimates": {"one": 0.7}, "readers": {"share": 0.2}},
        {"estimates": {"one": 0.7, "two": 0.8}, "readers": {"share": 0.9}},
        {"estimates": {"one": 0.7}, "readers": {"share": None}},
        {"estimates": {"one": None}, "readers": {"share": 0.1}},
    ]
    assert judge_error(rows, "one") == {"sets": 2, "error": pytest.approx(0.35)}
    assert judge_error(rows, "two") == {"sets": 1, "error": pytest.approx(0.1)}
    assert judge_error(rows[2:], "one") is None


def test_readers_come_before_the_judge() -> None:
    def read(triples: Sequence[Triple]) -> dict[str, object]:
        return read_share(triples, {triple: triple.tail[-1] in "01234" for triple in triples}, None)

    names = ("teacher, raw", "another event", "ranker-1, raw", "ranker-1, accepted")
    rows = measure({name: tails(0.6) for name in names} | {"ranker-2, raw": tails(0.2)[:4]}, oracle, read, [], seed=1)
    reference = {
        "sets": {"generator, raw": {"rows": 1008} | read(tails(0.6))},
        "agreement": {"twice": 200, "same": 0.95, "kappa": 0.9, "gold": 0.97, "other": 0.08},
    }
    rows += measure({"ranker-2, accepted": []}, oracle, unread, [], seed=1)
    text = report_of([0.7, 0.9], sets=rows, reference=reference, judge_error={"sets": 4, "error": 0.1})
    assert "- ranker-1: readers accept 50.0 % of what it says (43.1 % to 56.9 %; 200 of 200 rows read)" in text
    assert "Of the 200 that the critic lets pass they accept 50.0 % (+0.0 points)" in text
    assert "Beside it: the teacher 50.0 % and another event 50.0 %." in text
    assert "its estimates are off by" in text
    assert "- by readers, raw against another event: +0.0 points" in text
    assert "raw against most frequent tail" not in text.partition("## ranker-2")[0]
    unread_text = report_of([0.7, 0.9], judge_error={"sets": 3, "error": 0.44})
    assert "Where readers judged, its estimates are 44 points off in the mean." in unread_text
    assert "| generator, raw | 1,008 | 200 | **50.0 %** (43.1 % to 56.9 %) |" in text
    assert "200 rows were read twice: 95.0 % the same, Cohen's kappa 0.90" in text


def judged(share: float, events: int = 40, each: int = 5) -> dict[Triple, bool]:
    return {triple: triple.tail.startswith("good") for triple in tails(share, events, each)}


def test_a_difference_between_verdicts_has_an_interval_over_events() -> None:
    better, worse = (
        judged(0.8),
        {Triple(f"e{e}", "xWant", f"x {n}"): e % 4 == n for e in range(40) for n in range(3)},
    )
    found = judged_difference(better, worse, seed=1)
    assert found is not None
    assert found["difference"] == pytest.approx(0.8 - 30 / 120)
    assert (found["rows"], found["verdict"]) == ([200, 120], "better")
    noisy = {triple: triple.tail[-1] in "02468" for triple in judged(0.8)}
    other = judged_difference(noisy, better, seed=1)
    assert other is not None
    assert other["interval"][0] <= other["difference"] <= other["interval"][1] < 0
    assert other["verdict"] == "worse"
    assert judged_difference(better, {}, seed=1) is None


def test_a_difference_without_spread_has_no_interval_and_decides_nothing() -> None:
    found = judged_difference(judged(0.8), judged(0.2), seed=1)
    assert found is not None
    assert (found["interval"], found["verdict"]) == (None, "unclear")
    assert judged_difference(judged(1, events=1), judged(0, events=1), seed=1)["interval"] is None  # type: ignore[index]


def test_only_verdicts_on_all_of_a_set_or_a_random_sample_of_it_are_known() -> None:
    verdicts = judged(0.6)
    rows, some = list(verdicts), dict([*verdicts.items()][:9])
    assert known_verdicts(rows, verdicts, None) == verdicts
    assert known_verdicts(rows, some, some) == some
    assert known_verdicts(rows, some, None) == {}


PAID = {
    "difference": 0.093,
    "interval": [0.04, 0.15],
    "verdict": "better",
    "shares": [0.325, 0.232],
    "rows": [600, 1321],
}


def test_the_headline_says_whether_filter_and_students_paid_by_how_much_and_on_which_evidence() -> None:
    unclear = PAID | {"difference": 0.02, "interval": [-0.03, 0.07], "verdict": "unclear"}
    flat = PAID | {"difference": 0.0, "interval": None, "verdict": "unclear"}
    cost = PAID | {"difference": -0.1, "interval": [-0.15, -0.04], "verdict": "worse"}
    weak = {"teacher": "weak teacher", "rows": 1321, "filter": PAID, "students": {
        "generator-1": {"learnt": "accepted", "teacher": unclear, "raw": {"generator-2": PAID}},
        "generator-2": {"learnt": "raw", "teacher": None, "raw": {}},
    }}  # fmt: skip
    strong = {"teacher": "strong teacher", "rows": 2688, "filter": PAID | {"rows": [160, 200]}, "students": {}}
    text = "\n".join(paid_sentences([weak, strong], "test"))
    assert text.splitlines()[0] == (
        "The filter paid for the weak teacher's tails: readers accept 32.5 % of what passes and 23.2 % of all, +9.3"
        " points (95 % interval +4.0 to +15.0), by verdicts on all 1,321 of them."
    )
    assert (
        "Whether generator-1 (of the accepted of the weak teacher's tails) paid beside its teacher cannot be told: "
        in text
    )
    assert (
        "Learning from what passes paid for generator-1: beside generator-2, which learnt all, +9.3 points (95 %"
        " interval +4.0 to +15.0)."
    ) in text
    assert "by verdicts on a random sample of 200 of these 2,688." in text
    assert text.splitlines()[-1].startswith("Not known to have paid or not: generator-2. Of what they let pass or say")
    nothing = {"teacher": "mine", "rows": 7, "filter": None, "students": {}}
    assert paid_sentences([nothing], "test")[0].startswith(
        "Not known to have paid or not: the filter for the tails of mine"
    )
    for gain, said in (
        (cost, "The filter did not pay for the tails of mine: "),
        (unclear, "Whether the filter paid for the tails of mine cannot be told: "),
        (flat, "+0.0 points, too few to tell"),
    ):
        assert said in paid_sentences([nothing | {"filter": gain}], "test")[0]


def test_a_report_without_a_verdict_says_that_nothing_is_known_in_one_sentence() -> None:
    paid = [{"teacher": "mine", "rows": 7, "filter": None, "students": {}}] * 2
    text = report_of([0.7, 0.9], judged=0, paid=paid)
    assert "Not known to have paid" not in text
    assert text.count("is not known") == 1
    assert "- Not one triple about test events is judged" in text
