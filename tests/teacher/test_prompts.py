"""Prompts are files: the shipped ones are rendered as the golden files show, a user's own need no code."""

import os
from pathlib import Path

import pytest

from ingest.prompts import SHIPPED, Pair, Prompts, put_names, read_events, take_names
from kg.errors import InputError
from kg.vocabulary import Vocabulary

GOLDEN = Path(__file__).parents[1] / "data" / "prompts"
NAMES = ("events", *Vocabulary.load("skd").names)


@pytest.mark.parametrize("structure", SHIPPED)
@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_rendered_as_the_golden_file_shows(structure: str, name: str) -> None:
    """Run with KG_TEST_REWRITE=1 to write the golden files anew."""
    prompts = Prompts(structure)
    if name == "events":
        text = prompts.for_events(prompts.seeds, 0, 0).text
    else:
        text = prompts.for_inferences("PersonX fires PersonY's cook", name).text
    golden = GOLDEN / f"{structure}-{name}.txt"
    if os.environ.get("KG_TEST_REWRITE"):
        golden.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("structure", SHIPPED)
def test_the_shipped_prompts_are_complete(structure: str) -> None:
    prompts = Prompts(structure)
    assert len(prompts.seeds) == len(set(prompts.seeds)) == 100
    for name in NAMES[1:]:
        assert len(prompts.examples(name)) == 10
        assert prompts.settings("inferences")["top_p"] == (0.9 if structure == "paper" else 0.5)


def test_no_name_stands_for_two_persons_and_none_is_in_the_event() -> None:
    prompt = Prompts("paper").for_inferences("PersonX writes to Alex in Chris's kitchen", "xWant")
    assert "Alex" not in prompt.names
    assert "Chris" not in prompt.names
    assert prompt.text.count("writes to Alex in Chris's kitchen") == 1


def test_names_are_mapped_back_as_whole_words_only() -> None:
    names = {"Alex": "PersonX", "Chris": "PersonY"}
    text = "Alex wraps Alexander's gift for Chris's Christmas"
    assert take_names(text, names) == "PersonX wraps Alexander's gift for PersonY's Christmas"
    assert put_names("PersonX and PersonXYZ", Pair("Alex", "Chris")) == "Alex and PersonXYZ"


def test_the_same_event_has_the_same_prompt_and_another_has_other_names() -> None:
    prompts = Prompts("paper")
    first = prompts.for_inferences("PersonX naps", "xWant").text
    assert prompts.for_inferences("PersonX naps", "xWant").text == first
    assert prompts.for_inferences("PersonX sleeps", "xWant").text.splitlines()[2:6] != first.splitlines()[2:6]
    seeds = prompts.seeds
    assert prompts.for_events(seeds, 0, 0) == prompts.for_events(seeds, 0, 0)
    assert prompts.for_events(seeds, 0, 0) != prompts.for_events(seeds, 1, 0) != prompts.for_events(seeds, 1, 1)


def test_a_changed_template_example_or_seed_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "xWant.txt").write_text("{{ event }} wants")
    prompts = Prompts(str(tmp_path))
    before = prompts.digest("xWant")
    assert Prompts(str(tmp_path)).digest("xWant") == before
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "xWant.tsv").write_text("a\tb\n")
    assert Prompts(str(tmp_path)).digest("xWant") != before
    with_examples = Prompts(str(tmp_path)).digest("xWant")
    (tmp_path / "xWant.txt").write_text("{{ event }} now wants")
    assert Prompts(str(tmp_path)).digest("xWant") not in (before, with_examples)
    before = Prompts("paper").digest("events")
    (tmp_path / "events.txt").write_text(Prompts("paper").files["events.txt"])
    assert Prompts(str(tmp_path)).digest("events") == before
    (tmp_path / "seeds.txt").write_text("PersonX naps\n")
    assert Prompts(str(tmp_path)).digest("events") != before


def test_faults_of_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prompts 'papers'"):
        Prompts("papers")
    prompts = Prompts(str(tmp_path))
    with pytest.raises(InputError, match=r"have no xWant\.txt"):
        prompts.for_inferences("PersonX naps", "xWant")
    (tmp_path / "xWant.txt").write_text("{{ evnt }} wants")
    with pytest.raises(InputError, match=r"xWant\.txt of .* cannot be rendered: 'evnt' is undefined"):
        prompts.for_inferences("PersonX naps", "xWant")
    (tmp_path / "settings.toml").write_text("[inferences]\ntemprature = 1\n")
    with pytest.raises(InputError, match="may have"):
        prompts.settings("inferences")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "xNeed.tsv").write_text("one column\n")
    with pytest.raises(InputError, match="example 1"):
        prompts.examples("xNeed")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="has no event"):
        read_events(tmp_path / "empty.txt")
    (tmp_path / "nul.txt").write_bytes(b"PersonX naps\r\n\nPersonX a\0b\n")
    with pytest.raises(InputError, match=r"nul\.txt, line 3: the text has a NUL character"):
        read_events(tmp_path / "nul.txt")
