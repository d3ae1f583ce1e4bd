"""What students of every kind promise, and those that learn by passes over the data."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import transformers

from kg.errors import InputError, NotFound, UnknownRelation
from kg.identity import unordered_hash
from kg.language_model import terms
from kg.language_model.terms import NOTICE, SENTENCE, refuse_to_publish_without
from kg.lines import file_hash
from kg.model import NOTHING, Triple
from kg.vocabulary import Vocabulary
from student import checkpoint
from student.files import read_manifest
from student.generator.tokens import Codec
from student.interface import Encode, Student
from student.kinds import KINDS
from tests.student.conftest import EPOCHS

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]

every_kind = pytest.mark.parametrize("kind", list(KINDS))
by_passes = pytest.mark.parametrize("kind", list(EPOCHS))

JAPANESE = [
    Triple("PersonXがバスに乗り遅れる", "xWant", "タクシーを呼ぶ", "ja"),
    Triple("PersonXがバスに乗り遅れる", "xReact", "がっかりする", "ja"),
    Triple("PersonXが試合に勝つ", "xWant", "お祝いをする", "ja"),
    Triple("PersonXが試合に勝つ", "xReact", "嬉しい", "ja"),
]


def pairs_of(triples: list[Triple]) -> list[tuple[str, str]]:
    return [(triple.head, triple.relation) for triple in triples]


@by_passes
def test_a_student_learns_eight_triples_by_heart(kind: str, memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised[kind]
    answers = student.predict(pairs_of(eight), 1)
    assert [answer[0].tail for answer in answers] == [triple.tail for triple in eight]


@every_kind
def test_predictions_are_distinct_and_the_most_probable_come_first(
    kind: str, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised[kind]
    pairs = [*pairs_of(eight), ("PersonX sees something new", "xWant")]
    answers = student.predict(pairs, 4)
    assert len(answers) == len(pairs) == 9
    for answer in answers:
        assert 1 <= len(answer) <= 4
        assert len({prediction.tail for prediction in answer}) == len(answer)
        logprobs = [prediction.logprob for prediction in answer]
        assert logprobs == sorted(logprobs, reverse=True)
        assert all(value <= 0 and math.isfinite(value) for value in logprobs)
        assert all(prediction.tail.strip() and prediction.tail != NOTHING for prediction in answer)


@every_kind
def test_answers_come_in_the_order_of_the_questions_and_equal_questions_get_equal_answers(
    kind: str, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised[kind]
    pairs = pairs_of(eight)
    answers = student.predict(pairs, 1)
    backwards = student.predict([*pairs[::-1], pairs[0]], 1)
    tails = [[prediction.tail for prediction in answer] for answer in answers]
    assert [[prediction.tail for prediction in answer] for answer in backwards] == [*tails[::-1], tails[0]]
    assert student.predict([], 3) == []


@every_kind
def test_a_predicted_logprob_is_that_of_logprobs(kind: str, memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised[kind]
    event, relation = pairs_of(eight)[0]
    (answer,) = student.predict([(event, relation)], 3)
    sums, tokens = student.logprobs([Triple(event, relation, prediction.tail) for prediction in answer])
    assert (tokens > 0).all()
    np.testing.assert_allclose(sums / tokens, [prediction.logprob for prediction in answer], atol=1e-4)


@by_passes
def test_what_was_learnt_is_more_probable_than_what_was_not(
    kind: str, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised[kind]
    right, wrong = Triple(eight[0].head, "xWant", eight[0].tail), Triple(eight[0].head, "xWant", eight[2].tail)
    sums, tokens = student.logprobs([right, wrong])
    assert sums[0] / tokens[0] > sums[1] / tokens[1]


@every_kind
def test_an_opened_student_predicts_as_the_trained_one(
    kind: str, memorised: Memorised, eight: list[Triple], encode: Encode
) -> None:
    student, folder = memorised[kind]
    opened = checkpoint.load(folder, encode)
    assert opened.kind == kind
    assert opened.relations == student.relations
    pairs = [*pairs_of(eight), ("PersonX sees something new", "xReact")]
    assert opened.predict(pairs, 3) == student.predict(pairs, 3)


@every_kind
def test_manifest_and_metrics_stay_with_the_checkpoint(kind: str, memorised: Memorised, encode: Encode) -> None:
    student, folder = memorised[kind]
    expected = {"cypher": "RETURN 1", "parameters": {"floor": 0.5}, "lang": "en", "triples": 8, "seed": 7}
    opened = checkpoint.load(folder, encode)
    own = [path for path in folder.iterdir() if path.name not in ("manifest.json", "metrics.json")]
    saved = unordered_hash(f"{path.name} {file_hash(path)}" for path in own)
    assert student.manifest == opened.manifest == read_manifest(folder) == expected | {"saved": saved}
    assert opened.metrics == student.metrics
    assert opened.metrics["triples"] == 8
    assert opened.metrics["seed"] == 7


@by_passes
def test_the_loss_of_every_pass_is_kept_and_falls(kind: str, memorised: Memorised, encode: Encode) -> None:
    _, folder = memorised[kind]
    opened = checkpoint.load(folder, encode)
    assert len(opened.metrics["loss"]) == opened.metrics["epochs"]
    assert opened.metrics["loss"][-1] < opened.metrics["loss"][0]


@every_kind
def test_relations_are_in_the_order_of_the_vocabulary(kind: str, memorised: Memorised, vocabulary: Vocabulary) -> None:
    student, _ = memorised[kind]
    assert student.relations == tuple(name for name in vocabulary.names if name in {"xWant", "xReact"})


@every_kind
def test_nothing_in_a_checkpoint_is_a_pickle_and_nothing_is_left_beside_it(kind: str, memorised: Memorised) -> None:
    _, folder = memorised[kind]
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".jsonl", ".safetensors"}
    assert list(folder.parent.iterdir()) == [folder]


@by_passes
def test_the_same_seed_gives_the_same_student_and_another_seed_another(
    kind: str, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    first, again = train(kind, tmp_path / "a"), train(kind, tmp_path / "b")
    other = train(kind, tmp_path / "c", seed=4)
    assert first.predict(pairs_of(eight), 3) == again.predict(pairs_of(eight), 3)
    assert first.metrics["loss"] == again.metrics["loss"] != other.metrics["loss"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


@every_kind
def test_training_again_replaces_an_older_checkpoint(kind: str, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "student"
    train(kind, folder)
    (folder / "stray").touch()
    train(kind, folder, manifest={"lang": "en", "second": True})
    manifest = read_manifest(folder)
    assert manifest == {"lang": "en", "second": True, "saved": manifest["saved"]}
    assert not (folder / "stray").exists()


@every_kind
def test_the_tail_that_says_nothing_is_not_learnt(kind: str, train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    nothing = Triple("PersonX misses the bus", "xEffect", NOTHING)
    student = train(kind, tmp_path / "student", triples=[*eight, nothing])
    assert student.metrics["triples"] == 8
    assert "xEffect" not in student.relations


@by_passes
def test_japanese_is_learnt_and_predicted(kind: str, tmp_path: Path, vocabulary: Vocabulary, encode: Encode) -> None:
    epochs = 60 if kind == "generator" else 150
    checkpoint.train_checkpoint(
        kind, JAPANESE, vocabulary, tmp_path / "ja", encode=encode, seed=1, epochs=epochs, manifest={"lang": "ja"}
    )
    student = checkpoint.load(tmp_path / "ja", encode)
    answers = student.predict(pairs_of(JAPANESE), 2)
    assert [answer[0].tail for answer in answers] == [triple.tail for triple in JAPANESE]
    assert all("\ufffd" not in prediction.tail for answer in answers for prediction in answer)


@every_kind
def test_a_student_says_what_it_cannot_answer(kind: str, memorised: Memorised) -> None:
    student, _ = memorised[kind]
    with pytest.raises(InputError, match=r"not trained on relation 'xNeed'; it knows .*xWant"):
        student.predict([("PersonX wins", "xNeed")], 1)
    with pytest.raises(InputError, match="not trained on relation 'xNeed'"):
        student.logprobs([Triple("PersonX wins", "xNeed", "to run")])
    with pytest.raises(InputError, match="at least 1 tail, not 0"):
        student.predict([("PersonX wins", "xWant")], 0)


@every_kind
def test_a_bad_option_is_refused_and_leaves_no_folder(
    kind: str, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    folder = tmp_path / "student"
    with pytest.raises(InputError, match="no triple to train"):
        train(kind, folder, triples=[])
    with pytest.raises(InputError, match="no triple to train"):
        train(kind, folder, triples=[Triple("PersonX sleeps", "xEffect", NOTHING)])
    with pytest.raises(InputError, match="one language, the triples have en, ja"):
        train(kind, folder, triples=[*eight, *JAPANESE])
    with pytest.raises(InputError, match="at least 1 epoch, not 0"):
        train(kind, folder, epochs=0)
    with pytest.raises(UnknownRelation, match="did you mean xWant"):
        train(kind, folder, triples=[Triple("PersonX sleeps", "xWnat", "to dream")])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no student of kind 'oracle'; there are {' and '.join(KINDS)}"):
        train("oracle", tmp_path / "student")


def test_only_the_generator_takes_a_base(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only the generator can start from a base model"):
        train("ranker", tmp_path / "student", base="gpt2")


def test_a_checkpoint_that_is_not_there_is_not_found(tmp_path: Path, encode: Encode) -> None:
    with pytest.raises(NotFound, match=r"no student in .*absent; train one with `kg student train`"):
        checkpoint.load(tmp_path / "absent", encode)
    with pytest.raises(NotFound, match="no student in"):
        read_manifest(tmp_path / "absent")


DAMAGE = [
    ("generator", "model.safetensors"),
    ("generator", "config.json"),
    ("generator", "tokenizer.json"),
    ("ranker", "model.safetensors"),
    ("ranker", "tails.safetensors"),
    ("ranker", "tails.jsonl"),
    *((kind, name) for kind in KINDS for name in ("student.json", "manifest.json", "metrics.json")),
]


@pytest.mark.parametrize(("kind", "name"), DAMAGE)
@pytest.mark.parametrize("damage", ["cut", "garbage", "gone"])
def test_a_damaged_checkpoint_says_so_and_what_to_do(
    kind: str, name: str, damage: str, memorised: Memorised, tmp_path: Path, encode: Encode
) -> None:
    _, whole = memorised[kind]
    folder = tmp_path / "student"
    folder.mkdir()
    for path in whole.iterdir():
        (folder / path.name).symlink_to(path)
    content = (whole / name).read_bytes()
    (folder / name).unlink()
    if damage != "gone":
        (folder / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x80\x00 no student")
    expected = NotFound if (name, damage) == ("student.json", "gone") else InputError
    with pytest.raises(expected, match=r"train (it|one|the student)"):
        checkpoint.load(folder, encode)


@pytest.mark.parametrize(
    "content", [[], {}, {"kind": "oracle"}, {"kind": "generator"}, {"kind": "ranker"}, {"kind": ["ranker"]}]
)
def test_settings_that_make_no_sense_are_an_input_error(content: object, tmp_path: Path, encode: Encode) -> None:
    (tmp_path / "student.json").write_text(json.dumps(content))
    with pytest.raises(InputError):
        checkpoint.load(tmp_path, encode)


@pytest.mark.parametrize("phrases", [["so"], "so", {"xWant": "so"}, {"xWant": "so", "xReact": 3}, {"xNeed": "so"}])
def test_a_generator_whose_phrases_are_not_those_of_its_relations_is_damaged(
    phrases: object, memorised: Memorised, tmp_path: Path, encode: Encode
) -> None:
    change_settings(memorised, tmp_path, phrases=phrases)
    with pytest.raises(InputError, match="does not say by which words its student is asked; train the student again"):
        checkpoint.load(tmp_path, encode)


@pytest.mark.parametrize("others", ["PersonX naps", [3], None])
def test_a_generator_whose_other_events_are_no_texts_is_damaged(
    others: object, memorised: Memorised, tmp_path: Path, encode: Encode
) -> None:
    change_settings(memorised, tmp_path, others=others)
    with pytest.raises(InputError, match="does not say which events tails are held against; train the student again"):
        checkpoint.load(tmp_path, encode)


def test_a_generator_of_version_0_1_has_neither_phrases_nor_other_events(
    memorised: Memorised, tmp_path: Path, encode: Encode, eight: list[Triple]
) -> None:
    change_settings(memorised, tmp_path)
    settings = json.loads((tmp_path / "student.json").read_text())
    del settings["phrases"], settings["others"]
    (tmp_path / "student.json").write_text(json.dumps(settings))
    opened = checkpoint.load(tmp_path, encode)
    assert opened.predict(pairs_of(eight), 2) == memorised["generator"][0].predict(pairs_of(eight), 2)


def change_settings(memorised: Memorised, folder: Path, **changed: object) -> None:
    """Copy the generator's checkpoint into a folder, with other settings."""
    _, whole = memorised["generator"]
    for path in whole.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    settings = json.loads((folder / "student.json").read_text())
    (folder / "student.json").write_text(json.dumps(settings | changed))


GEMMA = {"vocab_size": 300, "num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 32, "head_dim": 16,
         "num_attention_heads": 2, "num_key_value_heads": 1, "sliding_window": 8}  # fmt: skip


@pytest.mark.parametrize("kind", ["generator", "ranker"])
def test_a_student_of_texts_that_gemma_wrote_says_so_and_carries_the_notice(
    kind: str, train: Train, tmp_path: Path, encode: Encode
) -> None:
    train(kind, tmp_path / "plain")
    assert "derived_from" not in read_manifest(tmp_path / "plain")
    assert not (tmp_path / "plain" / NOTICE).exists()
    student = train(kind, tmp_path / "derived", manifest={"lang": "en", "derived_from": "gemma"})
    assert student.manifest["derived_from"] == "gemma"
    assert checkpoint.load(tmp_path / "derived", encode).manifest["derived_from"] == "gemma"
    assert SENTENCE in (tmp_path / "derived" / NOTICE).read_text(encoding="utf-8")


def test_a_student_of_a_gemma_is_derived_from_it_and_so_is_a_student_of_that(train: Train, tmp_path: Path) -> None:
    train("generator", tmp_path / "scratch")
    base = tmp_path / "base"
    Codec.load(tmp_path / "scratch", ["xWant"], {}).save(base)
    model = transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(**GEMMA))
    model.save_pretrained(base)
    (base / "GEMMA_TERMS.html").write_text("Gemma Terms of Use, Prohibited Use Policy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terms, "find_package", lambda: None)
        for name, start in (("first", base), ("second", tmp_path / "first")):
            student = train("generator", tmp_path / name, base=str(start), epochs=1)
            saved = student.manifest["saved"]
            assert student.manifest == {"lang": "en", "derived_from": "gemma", "saved": saved}
            assert read_manifest(tmp_path / name) == student.manifest
            refuse_to_publish_without(tmp_path / name)
