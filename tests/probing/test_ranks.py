import random

import numpy as np
import pytest

from kg.probing.ranks import Ranked, by_prior, lead, most_frequent, rank, summary

WORDS = ["a", "b", "c", "d"]


def test_a_rank_counts_what_scores_as_high_and_a_filtered_one_leaves_right_tails_out() -> None:
    scores = np.array([-1.0, -2.0, -2.0, -3.0])
    assert rank(scores, WORDS, "R", "b", {"b"}) == Ranked("R", "b", 3, 3, "a")
    assert rank(scores, WORDS, "R", "b", {"a", "b", "d", "elsewhere"}) == Ranked("R", "b", 3, 2, "a")
    assert rank(scores, WORDS, "R", "a", {"a", "b"}) == Ranked("R", "a", 1, 1, "a")


def test_a_model_that_finds_all_alike_is_last() -> None:
    assert rank(np.zeros(4), WORDS, "R", "c", {"c"}).raw == 4


def test_figures_are_those_of_a_slow_count() -> None:
    rng = random.Random(1)
    ranked = [Ranked(rng.choice("PQQQ"), "t", raw, max(1, raw - rng.randrange(3)), "t")
              for raw in (rng.choice([1, 2, 11, 120]) for _ in range(80))]  # fmt: skip
    found = summary(ranked)
    for kind in ("raw", "filtered"):
        by_relation = {name: [getattr(one, kind) for one in ranked if one.relation == name] for name in "PQ"}
        for figure, of in (("P@1", lambda r: r <= 1), ("P@10", lambda r: r <= 10), ("P@100", lambda r: r <= 100),
                           ("MRR", lambda r: 1 / r)):  # fmt: skip
            each = {name: sum(map(of, ranks)) / len(ranks) for name, ranks in by_relation.items()}
            for name in "PQ":
                assert found["relations"][name][kind][figure][0] == pytest.approx(each[name])
            assert found["relations_mean"][kind][figure][0] == pytest.approx(sum(each.values()) / 2)
            whole = sum(of(getattr(one, kind)) for one in ranked) / len(ranked)
            value, low, high = found["facts_mean"][kind][figure]
            assert value == pytest.approx(whole)
            assert low < value < high
            assert summary(ranked) == found


def test_an_interval_is_about_as_wide_as_a_binomial_one() -> None:
    ranked = [Ranked("P", "t", 1 + (number % 4 > 0), 1, "t") for number in range(400)]
    _, low, high = summary(ranked)["facts_mean"]["raw"]["P@1"]
    assert high - low == pytest.approx(2 * 1.96 * (0.25 * 0.75 / 400) ** 0.5, rel=0.15)


def test_the_most_frequent_tail_is_each_relations_own() -> None:
    assert most_frequent([("P", "a"), ("P", "b"), ("P", "b"), ("Q", "a"), ("Q", "b")]) == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_the_prior_of_a_fact_is_counted_without_it() -> None:
    facts = [("P", "a"), ("P", "a"), ("P", "b"), ("P", "b"), ("P", "c")]
    found = by_prior(facts, [{tail} for _, tail in facts], 7)
    assert [one.raw for one in found] == [3, 3, 3, 3, 7]  # a comes once elsewhere, as c does
    assert [one.best for one in found] == ["b", "b", "a", "a", "a"]
    assert by_prior([*facts, ("Q", "z")], [{"a", "b"}] * 6, 7)[0].filtered == 2


def test_the_lead_compares_the_same_facts() -> None:
    ranked = [Ranked("P", "ab"[number % 2], 1, 1, "") for number in range(100)]
    assert lead(ranked)[0] == pytest.approx(0.5)
    same = [Ranked("P", "ab"[number % 2], 1 + number % 2, 1 + number % 2, "") for number in range(100)]
    assert lead(same) == [0, 0, 0]
