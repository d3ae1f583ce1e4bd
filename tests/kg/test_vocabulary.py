from pathlib import Path

import pytest

from kg.errors import InputError, UnknownRelation
from kg.vocabulary import Relation, Vocabulary

SIZES = {"atomic": 9, "atomic2020": 23, "skd": 7, "skd2": 13, "conceptnet": 58, "cskg": 78, "ckbp": 26, "lama": 66}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_a_shipped_vocabulary_has_the_published_number_of_relations(name: str, size: int) -> None:
    vocabulary = Vocabulary.load(name)
    assert len(vocabulary) == size
    assert all(relation.phrase for relation in vocabulary)


def test_a_user_brings_relations_of_a_domain(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('extends = "skd"\nonly = ["xWant"]\n[mayBuy]\nphrase = "so PersonX may buy"\n')
    assert Vocabulary.load(str(file)).names == ("xWant", "mayBuy")


@pytest.mark.parametrize(("text", "reason"), [
    ("not toml", "not valid TOML"),
    ("", "no relation"),
    ("[x]\nquestion = 'no phrase'", "must be a table with a phrase"),
    ("[x]\nphrase = 'p'\ncolour = 'red'", "must be a table with a phrase"),
    ('["x y"]\nphrase = "p"', "not an identifier"),
    ('["x`]-() DELETE"]\nphrase = "p"', "not an identifier"),
    ("[HEAD]\nphrase = 'p'", "used by the graph itself"),
    ("extends = 'atlantis'", "neither a file nor one of"),
    ("[events]\nphrase = 'p'", "that of a file of prompts"),
    ("[Chat]\nphrase = 'p'", "that of a file of prompts"),
    ("[seeds]\nphrase = 'p'", "that of a file of prompts"),
])  # fmt: skip
def test_a_bad_vocabulary_says_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=reason):
        Vocabulary.load(str(file))


def test_an_unknown_relation_names_the_near_ones() -> None:
    with pytest.raises(UnknownRelation, match="did you mean HinderedBy"):
        Vocabulary.load("skd")["hinderedby"]


def test_a_relation_name_has_at_most_64_characters() -> None:
    assert Relation("x" * 64, "p")
    with pytest.raises(InputError):
        Relation("x" * 65, "p")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_vocabulary_that_extends_itself_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(length):
        Path(f"v{number}.toml").write_text(f'extends = ["skd", "v{(number + 1) % length}.toml"]\n')
    with pytest.raises(InputError, match=r"vocabulary v0\.toml extends itself: v0\.toml extends .*v0\.toml$"):
        Vocabulary.load("v0.toml")


def test_a_chain_of_a_thousand_is_one_sentence_and_one_of_ten_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(1000):  # each twice, which would be 2 ** 10 readings if none were remembered
        below = "skd" if number == 999 else f"v{number + 1}.toml"
        Path(f"v{number}.toml").write_text(f'extends = ["{below}", "{below}"]\n')
    with pytest.raises(InputError, match=r"vocabulary v0\.toml extends more than"):
        Vocabulary.load("v0.toml")
    assert Vocabulary.load("v990.toml").names == Vocabulary.load("skd").names


@pytest.mark.parametrize("name", ["overall", "vectors", "settings", "examples", "known", "head", "split"])
def test_other_names_are_free(name: str) -> None:
    assert Relation(name, "p").name == name


def test_a_relation_reads_in_a_language_as_its_vocabulary_says(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text(
        '[xNeed]\nphrase = "but first"\nquestion = "What first?"\ntemplates = ["{tail}, then {head}"]\n'
        'phrases = { ja = "。その前に、", "pt-BR" = "mas antes" }\nquestions = { ja = "その前に何をする" }\n',
        encoding="utf-8",
    )
    vocabulary = Vocabulary.load(str(tmp_path / "v.toml"))
    japanese = vocabulary.in_language("ja-JP")["xNeed"]
    assert (japanese.phrase, japanese.question, japanese.templates) == ("。その前に、", "その前に何をする", ())
    brazilian = vocabulary.in_language("pt-BR")["xNeed"]
    assert (brazilian.phrase, brazilian.question) == ("mas antes", "What first?")
    for lang in ("en", "pt", "pt-PT", "fr"):
        assert vocabulary.in_language(lang)["xNeed"] == vocabulary["xNeed"]


@pytest.mark.parametrize("name", ["atomic", "atomic2020", "skd"])
def test_the_usual_relations_have_a_phrase_and_a_question_in_japanese(name: str) -> None:
    for relation in Vocabulary.load(name):
        japanese = relation.in_language("ja")
        assert japanese.phrase != relation.phrase
        assert japanese.question != relation.question
        assert "PersonX" not in japanese.phrase + japanese.question


@pytest.mark.parametrize("text", ["phrases = { ja = 1 }", 'phrases = "ja"', 'questions = { "j a" = "何" }'])
def test_what_names_no_language_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.toml").write_text(f'[xNeed]\nphrase = "but first"\n{text}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"phrases|questions"):
        Vocabulary.load(str(tmp_path / "v.toml"))
