import json
from pathlib import Path

import pytest

from kg.errors import InputError
from kg.exchange.lama import NO_RELATION
from kg.probing.clozes import read_clozes
from kg.probing.wording import Blank, Template, cut, misprime, negate, read_templates, render
from kg.vocabulary import Vocabulary

TREX = {
    "uuid": "1", "predicate_id": "P413", "sub_uri": "Q1", "sub_label": "Kai", "obj_uri": "Q2", "obj_label": "keeper",
    "evidences": [{"sub_surface": "Kai", "obj_surface": "keeper", "masked_sentence": "Kai, a [MASK]."}],
}  # fmt: skip
GOOGLE = {
    "pred": "/people/person/place_of_birth", "sub": "/m/0abc", "obj": "/m/0def", "sub_label": "Kai Ono",
    "obj_label": "Kyoto", "masked_sentences": ["Ono (born in [MASK]) paints."], "evidences": [{"snippet": "..."}],
    "judgments": [{"rater": "1", "judgment": "yes"}, {"rater": "2", "judgment": "no"}],
}  # fmt: skip
CONCEPTNET = {"sub": "oven", "obj": "heat", "pred": "UsedFor", "obj_label": "heat", "uuid": "2",
              "masked_sentences": ["An oven is used to [MASK] food ."]}  # fmt: skip
SQUAD = {"id": "3_0", "sub_label": "Squad", "obj_label": "gold", "masked_sentences": ["The cup is [MASK].", "Look!"],
         "masked_negations": ["The cup is never [MASK]."]}  # fmt: skip
BORN = GOOGLE | {"pred": "/people/person/date_of_birth", "obj_label": "1958"}


@pytest.fixture
def lama() -> Vocabulary:
    return Vocabulary.load("lama")


def written(folder: Path, *rows: object, name: str = "facts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_each_part_of_lama_has_its_own_sentence(tmp_path: Path, lama: Vocabulary) -> None:
    templates = {"P413": Template.of("[X] plays as [Y] here ."), "place_of_birth": Template.of("[X] hails from [Y] .")}
    found = read_clozes(written(tmp_path, TREX, GOOGLE, CONCEPTNET, SQUAD), lama, templates)
    assert [row.blank for row in found.rows] == [
        Blank("Kai plays as ", " here."), Blank("Kai Ono hails from ", "."), Blank("An oven is used to ", " food."),
        Blank("The cup is ", ". Look!"),
    ]  # fmt: skip
    assert [row.headless for row in found.rows[:2]] == [Blank("plays as ", " here."), Blank("hails from ", ".")]
    assert [row.negated.fill("T") if row.negated else None for row in found.rows] == [
        "Kai does not play as T here.", "Kai Ono does not hail from T.", "An oven is not used to T food.",
        "The cup is never T.",
    ]  # fmt: skip
    assert [row.triple.relation for row in found.rows] == ["P413", "place_of_birth", "UsedFor", NO_RELATION]
    assert not found.left_out
    assert not found.rejected


def test_negations_as_lama_publishes_them_are_taken(tmp_path: Path, lama: Vocabulary) -> None:
    row = CONCEPTNET | {"negated": ["An oven is never used to [MASK] food ."]}
    (found,) = read_clozes(written(tmp_path, row), lama, {}).rows
    assert found.negated
    assert found.negated.fill("T") == "An oven is never used to T food."


def test_a_date_of_birth_stands_in_brackets_as_lama_asks_for_it(tmp_path: Path, lama: Vocabulary) -> None:
    (row,) = read_clozes(written(tmp_path, BORN), lama, {}).rows
    assert row.negated
    assert (row.blank.fill("T"), row.negated.fill("T")) == ("Kai Ono (born T).", "Kai Ono (not born T).")
    (row,) = read_clozes(written(tmp_path, BORN), lama, {"date_of_birth": Template.of("[X] came in [Y] .")}).rows
    assert row.blank.fill("T") == "Kai Ono came in T."


def test_without_a_template_the_vocabulary_has_the_words(tmp_path: Path, lama: Vocabulary) -> None:
    (row,) = read_clozes(written(tmp_path, TREX), lama, {}).rows
    assert row.blank.fill("T") == f"Kai {lama['P413'].phrase} T."


def test_what_lama_leaves_out_is_left_out_and_counted(tmp_path: Path, lama: Vocabulary) -> None:
    denied = GOOGLE | {"judgments": [{"judgment": "no"}, {"judgment": "no"}, {"judgment": "yes"}]}
    long = SQUAD | {"masked_sentences": ["word " * 99 + "[MASK] ."]}  # 101, as LAMA counts
    longest = SQUAD | {"masked_sentences": ["word " * 99 + "[MASK]."]}
    nothing = SQUAD | {"masked_sentences": ["no blank"]}
    found = read_clozes(written(tmp_path, TREX, TREX | {"uuid": "9"}, denied, long, longest, nothing), lama, {})
    assert len(found.rows) == 2
    assert found.left_out == {"said before": 1, "more people deny than confirm it": 1, "more than 100 words": 1}
    assert len(found.rejected) == 1


def test_a_blank_that_comes_twice_is_the_same_tail_twice(tmp_path: Path, lama: Vocabulary) -> None:
    (row,) = read_clozes(written(tmp_path, SQUAD | {"masked_sentences": ["[MASK]ism is of [MASK] ."]}), lama, {}).rows
    assert row.blank.fill("Real") == "Realism is of Real."
    assert not row.blank.is_last


def test_all_right_tails_of_a_sentence_are_known(tmp_path: Path, lama: Vocabulary) -> None:
    found = read_clozes(written(tmp_path, TREX, TREX | {"obj_label": "striker"}, SQUAD), lama, {})
    assert found.right[found.rows[0].blank] == {"keeper", "striker"}
    assert found.right[found.rows[2].blank] == {"gold"}


def test_a_file_without_a_fact_is_refused(tmp_path: Path, lama: Vocabulary) -> None:
    with pytest.raises(InputError, match="no fact to ask about; line 1: "):
        read_clozes(written(tmp_path, {"obj_label": "x"}), lama, {})


def test_templates_are_read_as_published(tmp_path: Path) -> None:
    rows = [
        {"relation": "P1", "template": "[X] is in [Y] .", "type": "N-1"},
        {"relation": "P2", "template": "In [Y] lies [X] .", "template_negated": "Not in [Y] lies [X] ."},
    ]
    found = read_templates(written(tmp_path, *rows))
    assert found == {"P1": Template("[X] is in [Y] .", "[X] is not in [Y] ."),
                     "P2": Template("In [Y] lies [X] .", "Not in [Y] lies [X] .")}  # fmt: skip
    with pytest.raises(InputError, match="line 1: template"):
        read_templates(written(tmp_path, {"relation": "P1", "template": "[X] is here ."}))


@pytest.mark.parametrize(
    ("sentence", "negation"),
    [
        ("[X] was born in [Y] .", "[X] was not born in [Y] ."), ("Birds can [MASK].", "Birds can not [MASK]."),
        ("[X] has the post of [Y] .", "[X] does not have the post of [Y] ."),
        ("[X] watches [Y] .", "[X] does not watch [Y] ."), ("[X] carries [Y] .", "[X] does not carry [Y] ."),
        ("[X] used to work in [Y] .", None), ("[X] is not [Y] .", None), ("[X] isn't [Y] .", None),
    ],
)  # fmt: skip
def test_a_negation_is_made_where_the_grammar_is_plain(sentence: str, negation: str | None) -> None:
    assert negate(sentence) == negation


def test_marks_stand_at_their_words_and_a_blank_before_a_mark_has_none() -> None:
    assert cut("Is a cat , or a dog , [MASK] ?") == Blank("Is a cat, or a dog, ", "?")
    assert cut("([MASK]) is it") == Blank("(", ") is it")
    assert cut("[MASK] is it") == Blank("", " is it")
    assert render("[Y] took part in the [X] .", "race [Y]") == Blank("", " took part in the race [Y].")
    assert misprime(Blank("", " is it."), "cat") == Blank("Cat? ", " is it.")
    assert Blank("a ", " ...").is_last
    assert not Blank("a ", " b.").is_last
