"""The model on paper reckons rightly, by numbers made by hand, and GUIDE.md shows what it says."""

import math
from pathlib import Path

import pytest

from tests.benchmarks import paper
from tests.benchmarks.paper import Measured, Prices

BY_HAND = [
    *(Measured(step, 0, rate, 1, grows=False) for step in paper.WIDE for rate in (10.0, 20.0, 5.0)),
    Measured("train", 0, 4.0, 1, grows=False),
    *(Measured(step, 1_000, 100.0, 2, grows=True) for step in paper.GRAPH if step not in ("load", "export")),
    *(Measured("load", size, rate, 2, grows=True) for size, rate in ((1_000, 100.0), (100, 200.0))),
    *(Measured("export", size, rate, 2, grows=True) for size, rate in ((100, 100.0), (1_000, 100.0))),
    Measured("page cache of the store's size", 1_000, 40.0, 2, grows=False),
    Measured("page cache of an eighth", 1_000, 10.0, 2, grows=False),
]
"""A load that halves with each ten times, an export that stays, and steps measured once."""


def cost(step: str, edges: int = 10_000, *, memory_gb: float = 1.0) -> paper.Cost:
    found = paper.costs(
        edges, BY_HAND, workers=4, memory_gb=memory_gb, train_triples=100, prices=Prices(cpu_hour=2, gb_month=3)
    )
    return next(one for one in found if one.step == step)


def test_a_rate_falls_with_the_size_as_the_two_sizes_say() -> None:
    assert paper.rate_of("load", 10_000, BY_HAND) == pytest.approx((50, 50, 100))
    assert paper.rate_of("export", 10_000, BY_HAND) == pytest.approx((100, 50, 100))


def test_a_step_of_one_size_takes_the_mean_of_the_others_and_their_range() -> None:
    half = math.log10(2) / 2  # the mean of 0.301 and 0
    assert paper.rate_of("undo", 10_000, BY_HAND) == pytest.approx((100 * 10**-half, 50, 100))


def test_what_is_wide_is_divided_by_the_workers_and_paid_in_full() -> None:
    teacher = cost("teacher")
    assert teacher.hours == pytest.approx(10_000 / 10 / 4 / 3_600)
    assert (teacher.fewest, teacher.most) == pytest.approx((10_000 / 20 / 4 / 3_600, 10_000 / 5 / 4 / 3_600))
    assert teacher.cpu_hours == pytest.approx(10_000 / 10 / 3_600)
    assert teacher.bytes_left == 10_000 * paper.REPLY_BYTES
    assert teacher.usd == pytest.approx(10_000 / 10 / 3_600 * 2 + 10_000 * paper.REPLY_BYTES / 1e9 * 3)


def test_what_one_process_writes_or_trains_is_not_divided() -> None:
    assert cost("load").hours == pytest.approx(10_000 / 50 / 3_600)
    assert cost("load").cpu_hours == pytest.approx(2 * 10_000 / 50 / 3_600)
    assert cost("train").hours == pytest.approx(100 / 4 / 3_600)


def test_a_store_beyond_the_memory_slows_the_graph_and_nothing_else() -> None:
    memory_gb = 9_000 * paper.STORE_BYTES / 1e9
    assert paper.room(memory_gb) == 9_000
    assert cost("load", memory_gb=memory_gb).hours == pytest.approx(4 * cost("load").hours)
    assert cost("teacher", memory_gb=memory_gb) == cost("teacher")


def test_the_bottleneck_is_the_longest_step_that_workers_do_not_shorten() -> None:
    found = [paper.Cost(step, hours, 0, 0, 0, 0, 0) for step, hours in (("teacher", 9.0), ("undo", 3.0), ("load", 2.0))]
    assert paper.bottleneck(found).step == "undo"
    assert paper.tokens_usd(1_000_000, 80, Prices(million_tokens=0.5)) == pytest.approx(40)


def test_the_rates_of_the_repository_say_what_measured_them_and_the_guide_shows_what_follows() -> None:
    lines = paper.RATES.read_text(encoding="utf-8").splitlines()
    assert all(len(line.split("\t")) == 9 and all(line.split("\t")) for line in lines)
    said = paper.report(
        paper.SIZES, paper.read_rates(), workers=paper.WORKERS, memory_gb=paper.MEMORY_GB,
        train_triples=paper.TRAIN_TRIPLES, prices=Prices(), tokens=paper.TOKENS,
    )  # fmt: skip
    guide = Path("GUIDE.md").read_text(encoding="utf-8")
    assert [line for line in said.splitlines() if line.startswith("|")] == [
        line for line in guide.split("### On paper")[1].splitlines() if line.startswith("|")
    ]
