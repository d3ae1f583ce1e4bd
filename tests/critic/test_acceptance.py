import math
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from critic.acceptance import choose_thresholds, threshold_intervals, thresholds_by_recall, thresholds_by_teacher
from kg.checking import check_acceptance
from kg.cli import app
from kg.errors import InputError, NotReady
from kg.model import OVERALL, Acceptance

ROWS = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from(["xWant", "xNeed", "xReact"])), min_size=1, max_size=60
).filter(lambda rows: any(good for _, good, _ in rows))
RECALL = st.floats(0, 1, exclude_min=True)


@given(ROWS, RECALL, RECALL)
def test_a_higher_recall_never_gives_a_higher_threshold(
    rows: list[tuple[float, bool, str]], one: float, other: float
) -> None:
    lower, higher = (choose_thresholds(*zip(*rows, strict=True), recall) for recall in sorted((one, other)))
    assert OVERALL in lower.keys() == higher.keys()
    assert all(higher[relation] <= lower[relation] for relation in lower)


@given(ROWS, RECALL)
def test_the_overall_threshold_keeps_the_share_that_was_asked_for(
    rows: list[tuple[float, bool, str]], recall: float
) -> None:
    threshold = choose_thresholds(*zip(*rows, strict=True), recall)[OVERALL]
    kept = [score >= threshold for score, good, _ in rows if good]
    assert np.mean(kept) >= recall - 1e-9


@given(ROWS, RECALL)
def test_a_threshold_is_a_score_that_good_triples_have_around_it(
    rows: list[tuple[float, bool, str]], recall: float
) -> None:
    scores = [score for score, good, _ in rows if good]
    thresholds = choose_thresholds(*zip(*rows, strict=True), recall)
    assert OVERALL in thresholds
    assert all(min(scores) - 1e-9 <= value <= max(scores) + 1e-9 for value in thresholds.values())


def test_the_threshold_is_the_largest_that_keeps_enough() -> None:
    scores = [score / 10 for score in range(10)]
    for recall, threshold in ((0.1, 0.9), (0.7, 0.3), (0.71, 0.2), (1.0, 0.0)):
        assert choose_thresholds(scores, [True] * 10, ["xWant"] * 10, recall)[OVERALL] == threshold


def test_a_relation_with_few_judgements_leans_on_the_others() -> None:
    many = np.linspace(0.5, 1, 980)
    scores, relations = [*many, *[0.1] * 20], ["xWant"] * 980 + ["xNeed"] * 20
    thresholds = choose_thresholds(scores, [True] * 1000, relations, 0.8)
    assert thresholds["xNeed"] == pytest.approx((0.1 + thresholds[OVERALL]) / 2)
    assert thresholds["xWant"] == pytest.approx(np.quantile(many, 0.2), abs=0.01)


def test_a_relation_without_a_good_triple_is_left_to_the_overall_threshold() -> None:
    thresholds = choose_thresholds([0.4, 0.6], [False, True], ["xNeed", "xWant"], 0.5)
    assert thresholds == {OVERALL: 0.6, "xWant": 0.6}


def test_equal_scores_are_all_kept() -> None:
    assert set(choose_thresholds([0.3] * 5, [True] * 5, list("abcde"), 0.5).values()) == {0.3}


def test_every_recall_of_the_release_and_the_chosen_one_get_thresholds() -> None:
    arguments = ([0.2, 0.9], [True, True], ["xWant", "xWant"])
    assert list(thresholds_by_recall(*arguments, 0.8)) == ["0.5", "0.6", "0.7", "0.8", "0.9"]
    assert thresholds_by_recall(*arguments, 0.75)["0.75"] == choose_thresholds(*arguments, 0.75)


@pytest.mark.parametrize("recall", [0, -0.1, 1.1, math.nan, math.inf])
def test_an_impossible_recall_is_refused(recall: float) -> None:
    with pytest.raises(InputError, match="is not above 0 and at most 1"):
        choose_thresholds([0.5], [True], ["xWant"], recall)


def test_bad_scores_and_no_good_triple_are_refused() -> None:
    for score in (math.nan, -0.1, 1.1):
        with pytest.raises(InputError, match=r"not in \[0, 1\]"):
            choose_thresholds([score], [True], ["xWant"], 0.5)
    with pytest.raises(InputError, match="do not match"):
        choose_thresholds([0.5, 0.6], [True], ["xWant"], 0.5)
    with pytest.raises(NotReady, match="none of the judged validation triples is good"):
        choose_thresholds([0.5], [False], ["xWant"], 0.5)
    with pytest.raises(NotReady, match="none of the judged"):
        choose_thresholds([], [], [], 0.5)


def test_a_relation_called_overall_moves_no_other_ones_threshold() -> None:
    scores, good = [0.3, 0.2, 0.9, 0.8], [True] * 4
    plain = choose_thresholds(scores, good, ["xWant", "xWant", "calm", "calm"], 0.8)
    named = choose_thresholds(scores, good, ["xWant", "xWant", "overall", "overall"], 0.8)
    assert named == {"overall" if name == "calm" else name: value for name, value in plain.items()}
    acceptance = Acceptance("a", "c", 0.8, {"0.8": named})
    assert acceptance.threshold("overall") == named["overall"]
    assert acceptance.threshold("another") == named[OVERALL] < named["overall"]


def test_thresholds_of_an_earlier_version_are_understood() -> None:
    assert Acceptance("a", "c", 0.8, {"0.8": {"overall": 0.4, "xWant": 0.5}}).threshold("xNeed") == 0.4
    with pytest.raises(InputError, match="calibrate"):
        Acceptance("a", "c", 0.8, {"0.8": {"xWant": 0.5}}).threshold("xNeed")


def two_teachers(strong: int, weak: int) -> tuple[list[float], list[bool], list[str], list[set[str]]]:
    """Scores, verdicts, relations and teachers of good triples, and a bad one that nobody wrote."""
    scores = [*np.linspace(0.6, 0.9, strong), *np.linspace(0.1, 0.4, weak), 0.5]
    wrote = [{"strong"}] * strong + [{"weak"}] * weak
    return scores, [True] * (strong + weak) + [False], ["xWant"] * (strong + weak + 1), [*wrote, set()]


def test_a_teacher_with_enough_verdicts_has_thresholds_of_its_own_drawn_towards_those_of_all() -> None:
    *judged, wrote = two_teachers(60, 60)
    overall, own = choose_thresholds(*judged, 0.8), thresholds_by_teacher(*judged, wrote, 0.8)
    assert list(own) == ["strong", "weak"]
    assert list(own["weak"]) == ["0.5", "0.6", "0.7", "0.8", "0.9"]
    plain = np.linspace(0.1, 0.4, 60)[12]
    assert own["weak"]["0.8"][OVERALL] == pytest.approx(0.75 * plain + 0.25 * overall[OVERALL])
    assert own["weak"]["0.8"][OVERALL] < overall[OVERALL] < own["strong"]["0.8"][OVERALL]
    for teacher in own.values():
        rising = [teacher[wish]["xWant"] for wish in teacher]
        assert rising == sorted(rising, reverse=True)
    odd = thresholds_by_teacher(*judged, wrote, 0.123456789)["weak"]
    assert odd["0.123457"][OVERALL] > odd["0.5"][OVERALL]


def test_a_teacher_with_too_few_verdicts_or_alone_has_none_of_its_own() -> None:
    *judged, wrote = two_teachers(60, 19)
    assert list(thresholds_by_teacher(*judged, wrote, 0.8)) == ["strong"]
    *judged, wrote = two_teachers(60, 0)
    assert thresholds_by_teacher(*judged, wrote, 0.8) == {}


def test_what_two_teachers_wrote_counts_for_both() -> None:
    *judged, wrote = two_teachers(30, 30)
    both = [names and {"strong", "weak"} for names in wrote]
    own = thresholds_by_teacher(*judged, both, 0.8)
    assert own["strong"] == own["weak"]


def test_calibrate_shows_thresholds_by_teacher_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    overall, own = {"0.8": {"*": 0.5, "xWant": 0.45}}, {"0.8": {"*": 0.25, "xNeed": 0.125}}
    graph = SimpleNamespace(statistics=lambda: {"accepted": 7})
    monkeypatch.setattr("kg.graph.connection.open_graph", lambda _: nullcontext(graph))
    shown = {}
    for name, teachers in (("plain", {}), ("own", {"gemma": own})):
        acceptance = Acceptance(name, "c", 0.8, overall, teachers)
        monkeypatch.setattr("critic.runs.calibrate_critic", lambda *_, found=acceptance, **__: found)
        shown[name] = [line.split() for line in CliRunner().invoke(app, ["critic", "calibrate"]).output.splitlines()]
    assert shown["plain"][:-1] == [["all", "others", "0.500"], ["xWant", "0.450"]]
    assert shown["own"][:-1] == [
        ["overall", "gemma"], ["all", "others", "0.500", "0.250"], ["xNeed", "0.500", "0.125"],
        ["xWant", "0.450", "0.250"],
    ]  # fmt: skip
    assert shown["own"][-1][:2] == ["Acceptance", "own"]


def test_an_interval_holds_the_threshold_of_more_verdicts_19_times_of_20_and_follows_events() -> None:
    random = np.random.default_rng(3)
    truth = float(np.quantile(random.beta(4, 2, 200_000), 0.2))
    found = []
    for _ in range(60):
        scores = random.beta(4, 2, 150)
        events = [f"event {row}" for row in range(150)]
        found.append(threshold_intervals(scores, [True] * 150, ["xWant"] * 150, events, 0.8)[OVERALL])
    assert 0.85 <= np.mean([low <= truth <= high for low, high in found]) < 1
    alike = np.repeat(random.beta(4, 2, 15), 10)  # ten triples an event, all with one score
    widths = [
        float(np.diff(threshold_intervals(alike, [True] * 150, ["xWant"] * 150, names, 0.8)[OVERALL])[0])
        for names in (np.repeat(np.arange(15), 10).astype(str), np.arange(150).astype(str))
    ]
    assert widths[0] > 1.5 * widths[1], "events are drawn, not rows"


def test_a_relation_of_few_good_triples_is_pooled_in_its_interval_as_in_its_threshold() -> None:
    scores = np.concatenate([np.linspace(0.5, 1, 200), [0.2, 0.3]])
    relations = ["xWant"] * 200 + ["xNeed"] * 2
    events = [f"event {row}" for row in range(202)]
    good = [True] * 202
    low, high = threshold_intervals(scores, good, relations, events, 0.8)["xNeed"]
    assert low <= choose_thresholds(scores, good, relations, 0.8)["xNeed"] <= high
    assert high - low < 0.2
    assert threshold_intervals(scores, good, relations, events, 0.8)["xNeed"] == (low, high), "same seed, same ends"


def test_calibrate_shows_the_interval_of_each_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = SimpleNamespace(statistics=lambda: {"accepted": 7})
    found = Acceptance("a", "c", 0.8, {"0.8": {"*": 0.5, "xWant": 0.45}}, {}, {"*": (0.4, 0.6), "xWant": (0.3, 0.55)})
    monkeypatch.setattr("kg.graph.connection.open_graph", lambda _: nullcontext(graph))
    monkeypatch.setattr("critic.runs.calibrate_critic", lambda *_, **__: found)
    lines = CliRunner().invoke(app, ["critic", "calibrate"]).output.splitlines()
    assert lines[0].split() == ["all", "others", "0.500", "(0.400", "to", "0.600)"]
    assert lines[1].split() == ["xWant", "0.450", "(0.300", "to", "0.550)"]


@pytest.mark.parametrize("ends", ['{"*": [0.1]}', '{"*": 3}', '{"*": ["low", "high"]}', "[]", "{", '{"*": [true, 1]}'])
def test_intervals_from_elsewhere_are_two_numbers(ends: str) -> None:
    row = {"id": "a", "critic": "c", "recall": 0.8, "thresholds": '{"0.8": {"*": 0.5}}'}
    check_acceptance(row | {"intervals": '{"*": [0.4, 0.6]}'})
    with pytest.raises(InputError, match="intervals"):
        check_acceptance(row | {"intervals": ends})
