"""Scripts without blanks between words: cleaning, names, duplicates, rules and metrics go by letters there."""

import re
from pathlib import Path

import pytest

from critic.finetuned.wording import worded
from critic.judging import ask
from critic.rules import Checking, check, key_of
from critic.unsupervised.wording import templates_of, wordings
from ingest.cleaning import Completion, clean_events, clean_tails
from ingest.cloze import blank_of
from ingest.duplicates.diversity import soft_duplicates
from ingest.duplicates.near import first_alike, may_say_the_same
from ingest.teacher.prompts import Prompts
from kg.graph.turns import Task
from kg.languages import LANGUAGES, joined, one_width, whole_word, words
from kg.model import Triple
from kg.vocabulary import Vocabulary
from student.generator.choice import choose
from student.metrics.bilinear import words_of
from student.metrics.comet import sentence_bleu_2
from student.metrics.diversity import diversity
from student.metrics.files import Answer
from student.metrics.overlap import one_line


@pytest.mark.parametrize(("said", "kept"), [
    ("傘を買う。", "傘を買う"),
    ("「お腹がすいた」", "お腹がすいた"),
    ("『傘を買う。』。", "傘を買う"),
    ("Ｘが１０円を払う", "Xが10円を払う"),
    ("ﾊﾟﾝを買う", "パンを買う"),
    ("　傘を　買う　", "傘を買う"),
    ("「傘」と「靴」を買う", "「傘」と「靴」を買う"),
    ("待つ。。", "待つ。。"),
    ("雨だ！", "雨だ！"),
    ("暇だ", "暇だ"),
    ("to rest.", "to rest"),
    ("“to rest”", "“to rest”"),
])  # fmt: skip
def test_a_tail_is_cleaned_as_its_script_wants(said: str, kept: str) -> None:
    assert [*clean_tails([said]).kept] == [kept]


@pytest.mark.parametrize(("said", "rule"), [("夢", "too short"), ("Xが傘を忘れる。", "repeats the prompt")])
def test_a_tail_in_japanese_is_dropped_by_the_same_rules(said: str, rule: str) -> None:
    assert clean_tails([said], event="Xが傘を忘れる").rules == {rule: 1}


def test_tails_that_differ_in_width_alone_are_kept_once() -> None:
    assert clean_tails(["10円のパンを買う", "１０円のパンを買う。", "「10円の パンを買う」"]).rules == {"duplicate": 2}


def test_events_begin_with_the_first_person_of_their_language() -> None:
    said = ["Xが傘を忘れる", "Ｘさんが寝坊する。", "Yが傘を忘れる", "Xavierが寝坊する", "PersonXが傘を忘れる"]
    cleaned = clean_events(said_as(said), lang="ja")
    assert [*cleaned.kept] == ["Xが傘を忘れる", "Xさんが寝坊する"]
    assert cleaned.rules == {"does not begin with X": 3}
    assert [*clean_events(said_as(["PersonX naps all day"])).kept] == ["PersonX naps all day"]


def said_as(texts: list[str]) -> list[Completion]:
    return [Completion(text) for text in texts]


def test_a_prompt_in_japanese_has_japanese_names_which_become_persons_again(tmp_path: Path) -> None:
    (tmp_path / "xWant.txt").write_text("{{ event | named(query) }}。{{ query.x }}は", encoding="utf-8")
    prompt = Prompts(str(tmp_path), lang="ja").for_inferences("XさんがYに傘を借りる", "xWant")
    assert prompt.text == "佐藤さんが鈴木さんに傘を借りる。佐藤さんは"
    tails = clean_tails(["鈴木さんに傘を返したい", "佐藤は帰りたい", "加藤さんに会いたい"], prompt.names)
    assert [*tails.kept] == ["Yに傘を返したい", "Xは帰りたい", "加藤さんに会いたい"]


def test_a_name_that_an_event_has_already_is_not_given_to_a_person(tmp_path: Path) -> None:
    (tmp_path / "xWant.txt").write_text("{{ event | named(query) }}", encoding="utf-8")
    prompt = Prompts(str(tmp_path), lang="ja").for_inferences("Xが佐藤先生に会う", "xWant")
    assert prompt.text == "鈴木さんが佐藤先生に会う"


def test_names_of_a_language_are_no_part_of_one_another() -> None:
    for known in LANGUAGES.values():
        assert len(known.names) >= 12, "a prompt of five examples wants as many"
        short = [name.removesuffix(known.honorific) for name in known.names]
        assert not [(one, other) for one in short for other in short if one != other and one in other]


@pytest.mark.parametrize(("one", "other", "alike"), [
    ("傘を忘れてしまう", "傘を忘れてしまった", True),
    ("右手を高く挙げる", "左手を高く挙げる", False),
    ("傘を持っている", "傘を持っていない", False),
    ("先生が叱る", "先生が叱られる", False),
    ("家に早く帰る", "家に早く帰りたい", False),
    ("XがYを助ける", "XをYが助ける", False),
    ("コーヒーを飲む", "コーラを飲む", False),
    ("お茶を飲むよ", "お茶を飲むね", True),
])  # fmt: skip
def test_near_duplicates_in_japanese_say_the_same(one: str, other: str, alike: bool) -> None:
    assert may_say_the_same(one, other) is alike


def test_blanks_width_and_full_stop_part_no_japanese_texts() -> None:
    texts = ["10円の傘を持つ", "１０円の 傘 を 持 つ。", "10円の傘を持つ？", "10円の傘を持たない"]
    assert first_alike(texts).tolist() == [0, 0, 2, 3]


def test_soft_uniqueness_goes_by_letters_where_there_are_no_blanks() -> None:
    assert [place for place, _ in soft_duplicates(["傘を買いに行く", "傘を買いに行った", "家に帰る"])] == [0]
    assert soft_duplicates(["傘を買う", "靴を磨く"]) == []


@pytest.mark.parametrize(("head", "tail", "rules"), [
    ("Xが駅に傘を忘れる", "駅に傘を忘れる。", {"repeats-head"}),
    ("Xが駅に傘を忘れる", "傘", set()),
    ("Xが駅に傘を忘れる", "特になし。", {"empty"}),
    ("Xが駅に傘を忘れる", "雨に濡れる", set()),
])  # fmt: skip
def test_rules_know_repetition_and_nothing_in_japanese(head: str, tail: str, rules: set[str]) -> None:
    given = Checking.of(Vocabulary.load("skd"))
    assert {flag.rule for flag in check([Triple(head, "xEffect", tail, "ja")], given)} == rules


def test_a_full_stop_makes_no_other_key_in_japanese() -> None:
    assert key_of(Triple("Xが寝る。", "xWant", "起きる。", "ja")) == key_of(Triple("Xが寝る", "xNeed", "起きる", "ja"))


@pytest.mark.parametrize(("text", "found"), [
    ("to buy パンや milk", ["to", "buy", "パ", "ン", "や", "milk"]),
    ("ไปบ้าน", [*"ไปบ้าน"]),
    ("밥을 먹다", ["밥을", "먹다"]),
    ("שלום עולם", ["שלום", "עולם"]),
    ("it's 5!", ["it's", "5!"]),
])  # fmt: skip
def test_words_are_letters_only_where_a_script_has_no_blanks(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_texts_are_joined_as_their_scripts_want() -> None:
    assert joined("Xが寝る", "。その結果、", "Xは元気だ") == "Xが寝る。その結果、Xは元気だ"
    assert joined("a nap", "", "is rest") == "a nap is rest"
    assert one_width("ABC　ＤＥＦ") == "ABC　DEF"


@pytest.mark.parametrize(("word", "text", "there"), [
    ("Alex", "Alexander naps", False),
    ("Alex", "Alex's nap", True),
    ("Alex", "Alexé", False),
    ("X", "Xと", True),
    ("X", "X線", True),
    ("佐藤", "佐藤は", True),
])  # fmt: skip
def test_a_whole_word_is_no_part_of_another(word: str, text: str, there: bool) -> None:
    assert bool(re.search(whole_word(word), text)) is there


def test_a_triple_is_a_sentence_of_its_language() -> None:
    task = Task("task", "draw", Triple("Xが駅で寝る。", "xReact", "眠い", "ja"))
    question = ask(task, Vocabulary.load("skd"))
    assert question.sentence == "Xが駅で寝る。その後のXの気持ちは、眠い。"
    assert question.question == "その後、Xはどんな気持ちになる？"
    english = ask(Task("task", "draw", Triple("PersonX naps", "xReact", "calm")), Vocabulary.load("skd"))
    assert english.sentence == "PersonX naps and then PersonX feels calm."


def test_every_critic_that_reads_words_reads_those_of_the_language() -> None:
    triple = Triple("XがYさんに会う", "xReact", "Yが好きだ", "ja")
    relation = Vocabulary.load("skd").in_language("ja")["xReact"]
    first, second = worded(triple, relation.phrase, 0)
    assert not re.search(r"[XY]|さんさん| ", first + second)
    (sentence,) = wordings(triple, templates_of(relation))
    assert sentence.text == "佐藤さんが鈴木さんに会う。その後の佐藤さんの気持ちは、鈴木さんが好きだ。"
    assert (
        blank_of(triple.head, relation, {}, "ja")
        .fill("眠い")
        .startswith("佐藤さんが鈴木さんに会う。その後の佐藤さんの気持ちは、眠い。")
    )


def test_metrics_and_choices_go_by_letters_in_japanese() -> None:
    assert choose(["傘を買う", "傘を買った", "家に帰る"], [-1.0, -1.1, -2.0], 2) == [0, 2]
    assert 0 < sentence_bleu_2("傘を買いに行く", ["傘を買って帰る"]) < 1
    assert sentence_bleu_2("傘を買う", ["家に帰る"]) < 0.3
    said = [Answer("Xが寝る", "xWant", tail, [tail], [tail]) for tail in ("傘を買う", "傘を売る")]
    assert diversity(said)["distinct-1"] == pytest.approx(6 / 8)
    assert one_line("傘を買う") == "傘 を 買 う"
    assert words_of("傘を買う") == ["傘", "を", "買", "う"]
