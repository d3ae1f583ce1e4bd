"""Prompts are files: the shipped ones are rendered as the golden files show, a user's own need no code."""

import json
import os
import re
import time
from pathlib import Path

import psutil
import pytest

from ingest.cleaning import take_names
from ingest.teacher.prompts import SHIPPED, Prompts, read_events
from ingest.teacher.rendering import Pair, put_names
from kg.commands.init import DOMAINS
from kg.errors import InputError
from kg.identity import phrase_id, split_of
from kg.vocabulary import Vocabulary

GOLDEN = Path(__file__).parents[1] / "data" / "prompts"
NAMES = ("events", *Vocabulary.load("skd").names)
SHOP = DOMAINS / "shop"
RENDERED = [
    *((structure, structure, name, "PersonX fires PersonY's cook") for structure in SHIPPED for name in NAMES),
    *(
        ("shop", str(SHOP / "prompts"), name, "PersonX buys PersonY a label maker")
        for name in ("events", *Vocabulary.load(str(SHOP / "vocabulary.toml")).names)
    ),
]


@pytest.mark.parametrize(("structure", "folder", "name", "event"), RENDERED)
def test_a_prompt_is_rendered_as_the_golden_file_shows(structure: str, folder: str, name: str, event: str) -> None:
    """Run with KG_TEST_REWRITE=1 to write the golden files anew."""
    prompts = Prompts(folder)
    if name == "events":
        text = prompts.for_events(prompts.seeds, 0, 0).text
    else:
        text = prompts.for_inferences(event, name).text
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


def test_the_prompts_of_the_shop_are_complete_and_show_no_recorded_triple() -> None:
    prompts = Prompts(str(SHOP / "prompts"))
    recorded = [json.loads(line) for line in (SHOP / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    for name in Vocabulary.load(str(SHOP / "vocabulary.toml")).names:
        assert len(prompts.examples(name)) == 8
        assert not {head for head, _ in prompts.examples(name)} & {row["event"] for row in recorded}
    assert len(prompts.seeds) == len(set(prompts.seeds)) == 30
    assert {split_of(phrase_id(seed)) for seed in prompts.seeds} == {"train"}
    assert prompts.settings("events")["max_tokens"] == prompts.settings("inferences")["max_tokens"] == 16


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
    (tmp_path / "events.txt").write_text(Prompts("paper").files(["events"])["events.txt"])
    assert Prompts(str(tmp_path)).digest("events") == before
    (tmp_path / "seeds.txt").write_text("PersonX naps\n")
    assert Prompts(str(tmp_path)).digest("events") != before


def test_what_a_folder_lacks_comes_from_the_shipped_prompts(tmp_path: Path) -> None:
    (tmp_path / "xNeed.txt").write_text("{{ event }} needs")
    own, paper = Prompts(str(tmp_path)), Prompts("paper")
    for name in set(NAMES) - {"xNeed", "events"}:
        assert own.for_inferences("PersonX naps", name) == paper.for_inferences("PersonX naps", name)
        assert own.digest(name) == paper.digest(name)
    assert own.for_inferences("PersonX naps", "xNeed").text == "PersonX naps needs"
    assert own.for_events(own.seeds, 0, 0) == paper.for_events(paper.seeds, 0, 0)
    assert own.for_chat("x", 3) == paper.for_chat("x", 3)
    assert own.examples("xWant") == paper.examples("xWant")
    assert own.borrowed(["xNeed", "xWant", "events"]) == ["xWant", "events"]
    assert paper.borrowed(["xNeed", "xWant"]) == []
    assert own.settings("inferences")["max_tokens"] == 24, "sampling parameters are not for any language"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_copy_that_a_run_keeps_says_what_the_folder_said(tmp_path: Path, name: str) -> None:
    prompts = Prompts(name)
    for file, text in prompts.files(NAMES).items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    copy = Prompts(str(tmp_path), frozen=True)
    assert [copy.digest(name) for name in NAMES] == [prompts.digest(name) for name in NAMES]
    assert copy.settings("events") == prompts.settings("events")
    assert copy.for_chat("x", 1) == prompts.for_chat("x", 1)
    (tmp_path / "xWant.txt").unlink()
    with pytest.raises(InputError, match=r"have no xWant\.txt"):
        Prompts(str(tmp_path), frozen=True).digest("xWant")


def test_faults_of_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prompts 'papers'"):
        Prompts("papers")
    prompts = Prompts(str(tmp_path))
    with pytest.raises(InputError, match=rf"have no mayBuy\.txt.*: write {tmp_path}/mayBuy\.txt, or see kg init"):
        prompts.for_inferences("PersonX naps", "mayBuy")
    with pytest.raises(InputError, match=r"write DIR/mayBuy\.txt, for --prompts DIR, or see kg init"):
        Prompts("paper").for_inferences("PersonX naps", "mayBuy")
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


ESCAPES = (
    "{{ cycler.__init__.__globals__.os.popen('touch MARK').read() }}",
    "{{ lipsum.__globals__['os'].popen('touch MARK').read() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ pair.__globals__ }}",
    "{{ event | attr('__class__') }}",
    "{{ '{0.__class__}'.format(event) }}",
    "{{ namespace }}",
    "{% include 'chat.txt' %}",
    "{% import '/etc/passwd' as p %}{{ p }}",
    "{% extends '../other.txt' %}",
    "{{ self.__init__.__globals__ }}",
    "{% set _ = examples.append(1) %}{{ examples }}",
)
DOUBLED = "{% set x = 'xxxxxxxxxxxxxxxx' %}" + "{% set x = x ~ x %}" * 40
HUNGRY = (
    "{{ 'x' * 10**9 }}",
    "{{ 'x' * 300000 }}",
    "{% set a = [0] * 10**10 %}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ '{:>2000000000}'.format(1) }}",
    "{{ 'x'.center(10**9) }}",
    "{{ 'x' | center(10**9) }}",
    "{{ 'x'.ljust(10**9) | length }}",
    "{{ ('x' * 10**6).replace('x', 'x' * 10**6) | length }}",
    "{{ (range(99999) | join('x' * 10**6)) | length }}",
    "{{ '\\n' * 1000 | indent(10**7) }}",
    DOUBLED,
    "{% set x %}{{ 'x' * 99999 }}{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40,
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ event }}{% endfor %}{% endfor %}",
    "{% for a in range(10**9) %}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
)


@pytest.mark.parametrize("template", ESCAPES)
def test_a_template_reaches_nothing_but_what_it_is_given(tmp_path: Path, template: str) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "xWant.txt").write_text("one\n" + template.replace("MARK", str(mark)))
    with pytest.raises(InputError, match=rf"xWant\.txt of {re.escape(str(tmp_path))}, line 2, cannot be rendered: \S"):
        Prompts(str(tmp_path)).for_inferences("PersonX naps", "xWant")
    assert not mark.exists()


@pytest.mark.parametrize("template", HUNGRY)
def test_a_template_that_wants_too_much_is_one_sentence(tmp_path: Path, template: str) -> None:
    (tmp_path / "xWant.txt").write_text(template)
    before, started = psutil.Process().memory_info().rss, time.monotonic()
    with pytest.raises(InputError, match=r"prompt xWant\.txt of .*cannot be rendered: ") as caught:
        Prompts(str(tmp_path)).for_inferences("PersonX naps", "xWant")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert psutil.Process().memory_info().rss - before < 50 * 1024**2
    assert time.monotonic() - started < 60
    assert Prompts("paper").for_inferences("PersonX naps", "xWant").text, "the next one is rendered"


def test_a_template_sees_no_environment_and_makes_valid_text(tmp_path: Path) -> None:
    (tmp_path / "xWant.txt").write_text(r"{{ '\ud800' }}")
    with pytest.raises(InputError, match=r"xWant\.txt .*surrogates not allowed"):
        Prompts(str(tmp_path)).for_inferences("PersonX naps", "xWant")
    (tmp_path / "xNeed.txt").write_text("{% for i in range(3) %}{{ i }}{{ pair(i).x | length > 0 }} {% endfor %}")
    assert Prompts(str(tmp_path)).for_inferences("PersonX naps", "xNeed").text == "0True 1True 2True "


@pytest.mark.parametrize("name", ["xWant.txt", "seeds.txt", "settings.toml", "chat.txt", "examples/xWant.tsv"])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "link to itself", "pipe", "folder", "linked folder"])
def test_a_file_of_prompts_is_a_regular_file_of_its_folder(tmp_path: Path, name: str, kind: str) -> None:
    folder, secret = tmp_path / "prompts", tmp_path / "secret"
    path = folder / name
    secret.write_text("a\tsecret")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "linked folder":
        path.symlink_to(tmp_path)
    else:
        path.symlink_to({"link": secret, "link to nothing": tmp_path / "nothing", "link to itself": path}[kind])
    prompts = Prompts(str(folder))
    with pytest.raises(InputError, match=re.escape(str(path))):
        prompts.files(["xWant"])
    reads = {
        "xWant.txt": lambda: prompts.digest("xWant"), "seeds.txt": lambda: prompts.seeds,
        "settings.toml": lambda: prompts.settings("events"), "chat.txt": lambda: prompts.for_chat("x", 1),
        "examples/xWant.tsv": lambda: prompts.examples("xWant"),
    }  # fmt: skip
    with pytest.raises(InputError, match=re.escape(str(path))):
        reads[name]()


def test_a_folder_of_examples_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "xWant.tsv").write_text("a\tb")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "examples").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "prompts" / "inside.txt").write_text("{{ event }}")
    (tmp_path / "prompts" / "xNeed.txt").symlink_to("inside.txt")
    prompts = Prompts(str(tmp_path / "prompts"))
    with pytest.raises(InputError, match="is a link out of its folder"):
        prompts.examples("xWant")
    assert prompts.for_inferences("PersonX naps", "xNeed").text == "PersonX naps", "a link within the folder is fine"


@pytest.mark.parametrize(
    "line", ['max_tokens = "a lot"', "max_tokens = -1", "temperature = nan", "stop = [1]", "top_p = true"]
)
def test_a_setting_of_the_wrong_kind_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "settings.toml").write_text(f"[inferences]\n{line}\n")
    name = line.partition(" ")[0]
    with pytest.raises(InputError, match=rf"settings\.toml: {name} in table \[inferences\] cannot be"):
        Prompts(str(tmp_path)).settings("inferences")
