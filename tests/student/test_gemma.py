"""A student of the language model that comes with pip, trained for a few steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kg.language_model import terms
from kg.language_model.trimming import EVERYDAY
from kg.model import Triple
from student import checkpoint
from student.files import read_manifest
from student.generator.model import Generator
from student.interface import Encode, Student
from tests.repeats import only_thorough

Train = Callable[..., Student]

JAPANESE = "タクシーを呼ぶ"


@only_thorough
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_student_of_the_language_model_learns_in_words_and_can_still_spell_japanese(
    gemma: Path, train: Train, tmp_path: Path, eight: list[Triple], encode: Encode
) -> None:
    assert (gemma / "model.safetensors").is_file()
    train("generator", tmp_path / "student", base="gemma", epochs=9)
    assert read_manifest(tmp_path / "student")["derived_from"] == "gemma"
    terms.refuse_to_publish_without(tmp_path / "student")
    student = checkpoint.load(tmp_path / "student", encode)
    assert isinstance(student, Generator)
    assert student.metrics["base"] == "gemma"
    assert student.metrics["loss"][-1] < 0.5 * student.metrics["loss"][0]
    assert len(student.codec) < EVERYDAY + 5_000
    assert 100e6 < student.metrics["parameters"] < 130e6
    learnt, asked = eight[0], Triple("PersonXがバスに乗り遅れる", "xWant", JAPANESE, "ja")
    found = student.predict([(triple.head, triple.relation) for triple in (learnt, asked)], 3)
    assert {len(tails) for tails in found} == {3}
    assert found[0][0].tail == learnt.tail

    tail = student.codec.tail(JAPANESE)
    assert student.codec.tokenizer.decode(tail[:-1]).strip() == JAPANESE
    sums, tokens = student.logprobs([asked])
    assert np.isfinite(sums[0])
    assert tokens[0] == len(tail)
