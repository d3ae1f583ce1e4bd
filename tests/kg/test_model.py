from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import InputError
from kg.graph.rows import EdgeRow
from kg.identity import half_of, phrase_id, split_of, triple_id, triple_key, unordered_hash
from kg.model import EDGE_FIELDS, Edge, Triple, clean_text
from kg.run import Run


def test_the_same_text_in_another_unicode_form_is_the_same_phrase() -> None:
    assert phrase_id("cafe\u0301") == phrase_id("café")
    assert phrase_id("café", "fr") != phrase_id("café")


def test_splits_are_eight_to_one_to_one_and_independent_of_the_halves() -> None:
    ids = [phrase_id(f"PersonX does {number}") for number in range(5000)]
    splits = Counter(split_of(key) for key in ids)
    assert splits["train"] == pytest.approx(4000, abs=150)
    assert splits["test"] == pytest.approx(500, abs=75)
    for split, count in splits.items():
        half = sum(half_of(key) for key in ids if split_of(key) == split)
        assert half / count == pytest.approx(0.5, abs=2 / count**0.5), f"four standard deviations, of {split}"


@pytest.mark.parametrize(("identity", "one", "other"), [
    (phrase_id, ("nap", "en"), ("nnap", "e")),
    (phrase_id, ("nap/n", "en"), ("nap", "en", "/n")),
    (triple_key, ("ab", "xWant", "c"), ("a", "bxWant", "c")),
    (triple_key, ("a", "xWant", "none"), ("a", "xWantn", "one")),
])  # fmt: skip
def test_the_parts_of_an_identity_cannot_run_into_one_another(
    identity: Callable[..., str], one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert identity(*one) != identity(*other)


def test_each_part_of_a_triple_counts_in_its_place() -> None:
    triple = Triple("a", "xWant", "b", "en", "fr", "/c/en/a/n", "/c/fr/b/v")
    others = [replace(triple, **{field.name: getattr(triple, field.name) + "x"}) for field in fields(Triple)]
    swapped = Triple(triple.tail, triple.relation, triple.head, "fr", "en", triple.tail_uri, triple.head_uri)
    assert len(others) == 7
    assert len({triple_id(one) for one in (triple, swapped, *others)}) == 9


@given(st.lists(st.text(), max_size=8), st.randoms())
def test_the_content_hash_knows_no_order_but_counts(lines: list[str], random: object) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert unordered_hash(shuffled) == unordered_hash(lines)
    assert unordered_hash([*lines, "more"]) != unordered_hash(lines)
    assert unordered_hash(["twice", "twice"]) != unordered_hash([])


@pytest.mark.parametrize("text", ["", " \t", "a\0b", "\ud800", "x" * 16_385])
def test_a_text_that_cannot_be_stored_says_why(text: str) -> None:
    with pytest.raises(InputError):
        clean_text(text)


def test_a_row_of_edges_has_the_fields_of_triple_and_edge_in_their_order() -> None:
    edge = [field.name for field in fields(Edge)]
    assert edge == ["triple", "split", *EDGE_FIELDS]
    assert list(EdgeRow._fields) == ["element", "head_id", "tail_id", *[f.name for f in fields(Triple)], *edge[1:]]


def test_a_run_is_known_by_what_it_does() -> None:
    assert (
        Run("load", dataset="a", parameters={"x": 1, "y": 2}).id
        == Run("load", dataset="a", parameters={"y": 2, "x": 1}).id
    )
    assert Run("load", dataset="a").id != Run("load", dataset="b").id
