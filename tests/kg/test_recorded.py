"""The recorded teachers that come with the software: what is read from their files, and the verdicts on it."""

import hashlib

import pytest

import ingest.readers  # noqa: F401 - whose formats join the table
from critic.judgements import read_judgements
from critic.verdicts import verdicts_on
from kg.exchange.formats import reading
from kg.identity import head_id, split_of
from kg.language_model.terms import origin_of_name
from kg.lines import read_lines
from kg.model import Assertion, Judgement
from kg.recorded import TEACHERS, RecordedTeacher
from kg.vocabulary import Vocabulary


def read(teacher: RecordedTeacher) -> list[Assertion]:
    """What loading the completions of a teacher asserts."""
    path, vocabulary = teacher.completions, Vocabulary.load("skd")
    rows = list(
        reading("completions")(path=path, lines=read_lines(path), vocabulary=vocabulary, lang="en", dropped=None)
    )
    assert all(isinstance(row, Assertion) for row in rows)
    return rows  # type: ignore[return-value]


def judgements(teacher: RecordedTeacher) -> list[Judgement]:
    return list(read_judgements(teacher.judgements, Vocabulary.load("skd")))


@pytest.mark.parametrize(("name", "triples"), [("strong", 20_140), ("weak", 4_393)])
def test_a_recorded_teacher_has_as_many_triples_as_the_documents_say(name: str, triples: int) -> None:
    assert len({row.triple for row in read(TEACHERS[name])}) == triples


def test_every_triple_of_the_weak_teacher_is_judged_and_nothing_else_is() -> None:
    weak = TEACHERS["weak"]
    rows, verdicts = read(weak), verdicts_on(judgements(weak))
    assert {row.triple for row in rows} == set(verdicts.triples)
    assert f"{verdicts.good.mean():.3f}" == "0.235"
    assert all(row.logprob is not None and row.logprob < 0 for row in rows)
    assert not any(name in row.triple.tail.split() for row in rows for name in ("Alex", "Chris", "Sam"))
    heads = {head_id(row.triple) for row in rows}
    splits = [split_of(head) for head in heads]
    assert [splits.count(split) for split in ("train", "validation", "test")] == [88, 24, 48]
    assert heads <= {head_id(row.triple) for row in read(TEACHERS["strong"])}


def test_who_learns_from_the_weak_teacher_is_under_its_terms() -> None:
    assert {name: origin_of_name(teacher.model) for name, teacher in TEACHERS.items()} == {
        "strong": None, "weak": "gemma",
    }  # fmt: skip
    assert {name: teacher.licence for name, teacher in TEACHERS.items()} == {"strong": "CC0-1.0", "weak": None}


def test_what_was_read_blind_is_what_ships() -> None:
    sums = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in TEACHERS["weak"][:2]]
    assert sums == ["0ab51e99862b9fbd", "4f382f68ed7f39c2"]
