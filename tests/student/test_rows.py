"""A corpus in little memory: what is kept of each triple is its text, and its tokens are in a file."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.model import Triple
from student.generator import training
from student.generator.rows import Batches, Rows
from student.interface import Recipe
from tests.student.conftest import fake_encode

tokens = st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple)


@given(st.lists(st.tuples(tokens, tokens)))
def test_rows_are_the_sequences_that_they_were_made_of(sequences: list[Any]) -> None:
    rows = Rows(iter(sequences))
    assert list(rows) == sequences
    assert [rows[-place] for place in range(1, len(rows) + 1)] == sequences[::-1]
    assert rows[1:4] == sequences[1:4]
    with pytest.raises(IndexError):
        rows[len(sequences)]


def test_more_rows_than_are_written_at_once_come_back() -> None:
    sequences = [((number, 1, 2), (3,) * (number % 7)) for number in range(4_000)]
    assert list(Rows(sequences)) == sequences


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=1)))
def test_batches_are_what_they_were_made_of(batches: list[list[int]]) -> None:
    kept = Batches(batches)
    assert list(kept) == batches
    assert [kept[place] for place in range(len(kept))] == batches
    assert kept[1:] == batches[1:]


def corpus(size: int) -> list[Triple]:
    return [
        Triple(f"PersonX does task {number // 8} of the day", "xWant", f"to do {number} next") for number in range(size)
    ]


def peak(size: int, tmp_path: Path) -> int:
    """Return the most bytes that a training takes beside its triples, without the steps."""
    triples = corpus(size)
    recipe = Recipe(fake_encode, 3, 1, None, {}, tmp_path / "progress")
    tracemalloc.start()
    try:
        training.train_generator(triples, ["xWant"], recipe)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_eight_times_the_corpus_takes_little_more_memory(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small is None
    monkeypatch.setattr(training, "fit", lambda *_, **__: [[1.0]])
    peak(8, tmp_path)
    few, many = peak(250, tmp_path), peak(2_000, tmp_path)
    assert (many - few) / 1_750 < 200  # bytes a triple; its tokens as tuples alone take some seven hundred
