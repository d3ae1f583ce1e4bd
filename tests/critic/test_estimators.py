"""Estimates of a share: beside other software, and how often their intervals hold the truth."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import binomtest

from critic.draws import weights_of
from critic.estimators import prediction_powered, share_of

Floats = NDArray[np.float64]


def drawn(
    seed: int, *, edges: int = 600, judged: int = 60, worth: float = 1.0
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Scores of all, verdicts on all, and the places of those that were judged."""
    random = np.random.default_rng(seed)
    scores = random.random(edges)
    verdicts = (random.random(edges) < 0.3 + worth * (scores - 0.5) * 0.6).astype(float)
    return scores, verdicts, random.choice(edges, judged, replace=False)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("worth", [1.0, 0.0, -1.0])
def test_the_estimate_from_both_is_ppi_pythons(seed: int, weighted: bool, worth: float) -> None:
    scores, verdicts, judged = drawn(seed, worth=worth)
    weights = np.random.default_rng(seed).random(len(judged)) + 0.1 if weighted else None
    found = prediction_powered(verdicts[judged], scores[judged], scores, weights)
    theirs = verdicts[judged], scores[judged], scores
    assert found is not None
    assert 0 < found.interval[0] < found.value < found.interval[1] < 1
    assert found.value == pytest.approx(float(ppi_mean_pointestimate(*theirs, w=weights)[0]), abs=1e-12)
    ends = [float(end[0]) for end in ppi_mean_ci(*theirs, alpha=0.05, w=weights)]
    assert found.interval == pytest.approx(ends, abs=1e-12)
    assert worth >= 0 or found.tuning == 0


def test_good_scores_make_the_interval_narrow_and_useless_ones_do_no_harm() -> None:
    random = np.random.default_rng(1)
    verdicts = (random.random(2_000) < 0.4).astype(float)
    judged = random.choice(2_000, 100, replace=False)
    plain = share_of(verdicts[judged] > 0, np.ones(100)).interval
    widths = []
    for scores in (0.1 + 0.8 * verdicts, random.random(2_000), np.full(2_000, 0.5)):
        found = prediction_powered(verdicts[judged], scores[judged], scores)
        assert found is not None
        widths.append(found.interval[1] - found.interval[0])
    assert widths[0] < 0.4 * (plain[1] - plain[0])
    assert widths[1:] == pytest.approx([plain[1] - plain[0]] * 2, rel=0.06)


@pytest.mark.parametrize("verdicts", [[], [1.0], [1.0] * 30, [0.0] * 30])
def test_verdicts_that_are_alike_are_no_estimate_from_both(verdicts: list[float]) -> None:
    scores = np.linspace(0, 1, 200)
    assert prediction_powered(np.array(verdicts), scores[: len(verdicts)], scores) is None


@pytest.mark.parametrize(("good", "read"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 40), (39, 40)])
@pytest.mark.parametrize("weight", [1.0, 7.5])
def test_with_equal_weights_the_share_has_wilsons_interval(good: int, read: int, weight: float) -> None:
    found = share_of(np.arange(read) < good, np.full(read, weight))
    theirs = binomtest(good, read).proportion_ci(method="wilson")
    assert found.value == pytest.approx(good / read)
    assert found.interval == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(
    ("weights", "good", "share", "size"),
    [
        ([1, 1, 2], [True, False, True], 3 / 4, 16 / 6),  # Kish's, which is less than (3/16) / (14/256)
        ([5] + [1] * 20, [True] + [False] * 20, 1 / 5, 0.16 / (16.8 / 625)),  # the one good triple weighs a fifth
    ],
)
def test_a_weighted_share_has_the_interval_computed_by_hand(
    weights: list[int], good: list[bool], share: float, size: float
) -> None:
    found = share_of(np.array(good), np.array(weights, dtype=float))
    square = 1.959964**2
    middle, half = (
        share + square / (2 * size),
        np.sqrt(square * share * (1 - share) / size + (square / (2 * size)) ** 2),
    )
    assert found.value == pytest.approx(share)
    assert found.interval == pytest.approx(
        [end / (1 + square / size) for end in (middle - half, middle + half)], abs=1e-6
    )


def stratified(seed: int, many: int) -> tuple[float, Floats, Floats, Floats, Floats]:
    """A population of two strata, the better one ten times as large, and as many drawn from each."""
    random = np.random.default_rng(seed)
    scores = np.concatenate([random.beta(5, 2, 2_000), random.beta(2, 5, 200)])
    verdicts = (random.random(2_200) < scores).astype(float)
    judged = np.concatenate(
        [random.choice(2_000, many, replace=False), 2_000 + random.choice(200, many, replace=False)]
    )
    return float(verdicts.mean()), verdicts[judged], scores[judged], scores, np.repeat([2_000 / many, 200 / many], many)


def test_unequal_chances_are_made_good_and_intervals_hold_the_truth() -> None:
    held, powered, biased = 0, 0, 0
    for seed in range(300):
        truth, verdicts, scores, of_all, weights = stratified(seed, 40)
        share = share_of(verdicts > 0, weights)
        both = prediction_powered(verdicts, scores, of_all, weights)
        assert both is not None
        held += share.interval[0] <= truth <= share.interval[1]
        powered += both.interval[0] <= truth <= both.interval[1]
        plain = share_of(verdicts > 0, np.ones(80))
        biased += plain.interval[0] <= truth <= plain.interval[1]
    assert held >= 0.93 * 300
    assert powered >= 0.93 * 300
    assert biased < 0.5 * 300


@pytest.mark.parametrize("batches", [1, 3])
def test_intervals_by_event_hold_the_truth_as_often_as_they_say_where_triples_of_an_event_err_together(
    batches: int,
) -> None:
    """Sixty events of a world with known truth, tails that go with their event, and draws with unequal chances."""
    truth, held, alone, both_held, values = 0.7, 0, 0, 0, []
    rounds = 400
    for seed in range(rounds):
        random = np.random.default_rng(seed)
        events = np.repeat(np.arange(60), 12)
        leaning = random.beta(truth * 1.5, (1 - truth) * 1.5, 60)  # an intraclass correlation of 0.4
        good = random.random(len(events)) < leaning[events]
        scores = np.clip(0.4 + 0.3 * good + random.normal(0, 0.2, len(events)), 0, 1)
        chances = np.where(scores > 0.6, 0.08, 0.25)  # the surer, the less often judged
        samples = [
            {int(place): float(chances[place]) for place in np.flatnonzero(random.random(len(events)) < chances)}
            for _ in range(batches)
        ]
        weights = weights_of(samples)  # type: ignore[arg-type] # a triple is only a key there
        used = np.array(list(weights))
        own = np.array([*weights.values()])
        share = share_of(good[used], own, events[used])
        plain = share_of(good[used], own)
        powered = prediction_powered(good[used], scores[used], scores, own, events[used])
        assert powered is not None
        values.append(share.value)
        held += share.interval[0] <= truth <= share.interval[1]
        alone += plain.interval[0] <= truth <= plain.interval[1]
        both_held += powered.interval[0] <= truth <= powered.interval[1]
    assert np.mean(values) == pytest.approx(truth, abs=0.01), "unequal chances do not shift it"
    assert held / rounds > 0.925
    assert both_held / rounds > 0.92
    assert alone < held
    assert batches == 1 or alone / rounds < 0.88, "as if each triple erred alone, many judged ones promise too much"


def test_one_sample_twice_says_no_more_than_once() -> None:
    random = np.random.default_rng(3)
    sample = dict.fromkeys(range(80), 0.1)
    good = random.random(80) < 0.6
    once, twice = weights_of([sample]), weights_of([sample, sample])  # type: ignore[arg-type, list-item]
    found = [share_of(good, np.array([*weights.values()])) for weights in (once, twice)]
    assert found[0].value == pytest.approx(found[1].value)
    assert found[0].interval == pytest.approx(found[1].interval)


def test_triples_of_one_event_that_are_all_alike_count_as_one() -> None:
    alike, one_by_one = (share_of(np.ones(12, np.bool_), np.ones(12), events)
                         for events in (np.repeat([0, 1, 2], 4), np.arange(12)))  # fmt: skip
    assert alike.interval[0] == pytest.approx(share_of(np.ones(3, np.bool_), np.ones(3)).interval[0])
    assert alike.interval[0] < one_by_one.interval[0]
