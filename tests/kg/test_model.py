from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import InputError
from kg.model import Triple, clean_text, content_hash, half_of, phrase_id, split_of, triple_id
from kg.run import Run


def test_the_same_text_in_another_unicode_form_is_the_same_phrase() -> None:
    assert phrase_id("cafe\u0301") == phrase_id("café")
    assert phrase_id("café", "fr") != phrase_id("café")


def test_splits_are_eight_to_one_to_one_and_independent_of_the_halves() -> None:
    ids = [phrase_id(f"PersonX does {number}") for number in range(5000)]
    splits = Counter(split_of(key) for key in ids)
    assert splits["train"] == pytest.approx(4000, abs=150)
    assert splits["test"] == pytest.approx(500, abs=75)
    halves = Counter(half_of(key) for key in ids if split_of(key) == "train")
    assert sum(halves.values()) == splits["train"]
    assert len(halves) == 2


def test_the_parts_of_a_triple_cannot_run_into_one_another() -> None:
    assert triple_id(Triple("a", "xWant", "b")) != triple_id(Triple("b", "xWant", "a"))


@given(st.lists(st.text(), max_size=8), st.randoms())
def test_the_content_hash_knows_no_order_but_counts(lines: list[str], random: object) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert content_hash(shuffled) == content_hash(lines)
    assert content_hash([*lines, "more"]) != content_hash(lines)
    assert content_hash(["twice", "twice"]) != content_hash([])


@pytest.mark.parametrize("text", ["", " \t", "a\0b", "\ud800", "x" * 16_385])
def test_a_text_that_cannot_be_stored_says_why(text: str) -> None:
    with pytest.raises(InputError):
        clean_text(text)


def test_a_run_is_known_by_what_it_does() -> None:
    assert (
        Run("load", dataset="a", parameters={"x": 1, "y": 2}).id
        == Run("load", dataset="a", parameters={"y": 2, "x": 1}).id
    )
    assert Run("load", dataset="a").id != Run("load", dataset="b").id
