"""Streams of pages, and what they change in this process while they last."""

import gc
from collections.abc import Iterator

import pytest

from kg.graph.rows import read_ahead, write_behind


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    """As Python's own are, which hold before and after each test."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield gc.get_threshold()
    gc.set_threshold(*before)


def test_python_looks_for_cycles_seldom_while_pages_are_read_or_written(thresholds: tuple[int, int, int]) -> None:
    for stream in (read_ahead(iter([1, 2, 3])), write_behind(iter([lambda: 1, lambda: 2]))):
        assert next(stream) == 1
        assert gc.get_threshold()[0] >= 100 * thresholds[0]
        assert gc.get_threshold()[1:] == thresholds[1:]
        assert gc.isenabled()
        assert list(stream) in ([2, 3], [2])
        assert gc.get_threshold() == thresholds


def test_streams_within_and_across_one_another_leave_what_was_before(thresholds: tuple[int, int, int]) -> None:
    first, second = read_ahead(iter([1, 2])), read_ahead(iter([3, 4]))
    next(first)
    next(second)
    del first  # closes it
    assert gc.get_threshold() != thresholds, "the second goes on"
    assert list(second) == [4]
    assert gc.get_threshold() == thresholds


def test_a_stream_that_fails_or_is_left_leaves_what_was_before(thresholds: tuple[int, int, int]) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        list(read_ahead(failing()))
    assert gc.get_threshold() == thresholds
    for _ in write_behind([lambda: 1, lambda: 2, lambda: 3]):
        break
    assert gc.get_threshold() == thresholds


def test_a_threshold_that_is_higher_already_stays() -> None:
    gc.set_threshold(2_000_000, 5, 5)
    stream = read_ahead(iter([1, 2]))
    next(stream)
    assert gc.get_threshold() == (2_000_000, 5, 5)
    del stream  # closes it
    assert gc.get_threshold() == (2_000_000, 5, 5)
