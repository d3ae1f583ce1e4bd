"""Estimates of a share: beside other software, and how often their intervals hold the truth."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import binomtest

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
