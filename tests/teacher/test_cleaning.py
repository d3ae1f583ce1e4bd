"""Cleaning: the paper's rules, one by one."""

import re

import pytest

from ingest.cleaning import Completion, clean_events, clean_tails, least_likely, other_language
from ingest.teacher.prompts import Prompts
from kg.vocabulary import Vocabulary

NAMES = {"Alex": "PersonX", "Chris": "PersonY"}


@pytest.mark.parametrize(
    ("completion", "kept", "rule"),
    [
        (Completion(" to rest.", finish="stop"), "to rest", None),
        (Completion("to rest", finish="length"), None, "finish reason length"),
        (Completion("to rest\nand then", finish="length"), "to rest", None),
        (Completion("to rest", finish="content_filter"), None, "finish reason content_filter"),
        (Completion("to wait ..."), "to wait ...", None),
        (Completion("so"), None, "too short"),
        (Completion("  "), None, "too short"),
        (
            Completion("to thank Chris, Christine and Alex's aunt"),
            "to thank PersonY, Christine and PersonX's aunt",
            None,
        ),
        (Completion("Alex fires Chris"), None, "repeats the prompt"),
        (Completion("PersonX fires PersonY."), None, "repeats the prompt"),
        (Completion("to \ud800 rest"), None, "the text has a lone surrogate, so it is not valid Unicode"),
    ],
)
def test_a_tail_is_kept_or_has_a_rule(completion: Completion, kept: str | None, rule: str | None) -> None:
    cleaned = clean_tails([completion], NAMES, event="PersonX fires PersonY")
    assert list(cleaned.kept) == ([kept] if kept else [])
    assert [found for _, found in cleaned.dropped] == ([rule] if rule else [])


@pytest.mark.parametrize("structure", ["paper", "release"])
@pytest.mark.parametrize("relation", Vocabulary.load("skd").names)
def test_a_model_that_returns_the_prompt_adds_nothing(structure: str, relation: str) -> None:
    event = "PersonX fires PersonY"
    prompt = Prompts(structure).for_inferences(event, relation)
    lines = [line for line in prompt.text.splitlines() if line.strip()]
    said = [Completion(line) for line in lines] + [Completion(re.sub(r"^\d+\. ", "", line)) for line in lines]
    cleaned = clean_tails(said, prompt.names, event=event, prompt=prompt.text)
    assert list(cleaned.kept) == []
    again = Completion(f"{lines[-1]} to call a lawyer.")
    assert list(clean_tails([again], prompt.names, event=event, prompt=prompt.text).kept) == ["to call a lawyer"]


@pytest.mark.parametrize(
    ("text", "finish", "rule"),
    [
        ("PersonX rides a bike", "stop", None),
        ("PersonX rides PersonY's \u2018old\u2019 bike", "stop", "characters"),
        ("PersonX pays $5, then leaves", "stop", None),
        ("PersonX rides a bike #1", "stop", "characters"),
        ("PersonX", "stop", None),
        ("a bike", "stop", "does not begin with PersonX"),
        ("PersonXYZ rides", "stop", "does not begin with PersonX"),
        ("PersonX rides a", "length", "finish reason length"),
    ],
)
def test_an_event_is_kept_or_has_a_rule(text: str, finish: str, rule: str | None) -> None:
    cleaned = clean_events([Completion(text, finish=finish)])
    assert [found for _, found in cleaned.dropped] == ([rule] if rule else [])
    assert bool(cleaned.kept) == (rule is None)


def test_events_of_another_language_may_have_its_characters_and_no_persons() -> None:
    assert list(clean_events([Completion("Xがパチンコ屋へ行く。")], persons=False, lang="ja").kept) == [
        "Xがパチンコ屋へ行く"
    ]


def test_the_least_likely_fifth_goes_if_all_have_a_probability() -> None:
    totals = {f"event {number}": -float(number) for number in range(11)}
    assert least_likely(totals) == {"event 10", "event 9"}
    assert least_likely(totals | {"another": None}) == set()
    assert least_likely({}) == set()


def test_a_language_is_told_only_when_it_is_sure() -> None:
    assert other_language(["ein Taxi rufen", "nach Hause laufen und auf den Bus warten"], "en") == "de"
    assert other_language(["ok"], "en") is None
    assert other_language(["to call a taxi", "to walk home in the rain again"], "en-GB") is None
    assert other_language(["タクシーを呼んでから家に帰りたいと思っている"], "en") == "ja"
    assert other_language(["anything at all that is long enough to be told apart"], "tlh") is None
