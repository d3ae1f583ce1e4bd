"""What only the ranker does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kg.model import Triple
from kg.vocabulary import Relation, Vocabulary
from student import checkpoint
from student.interface import Encode, Student
from student.metrics.ranking import Ranks, link_prediction
from student.ranker import training as ranker_training
from student.ranker.model import Ranker

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]


def test_only_tails_known_for_the_relation_are_predicted(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["ranker"]
    (answer,) = student.predict([("PersonX sees something new", "xWant")], 100)
    assert {prediction.tail for prediction in answer} == {t.tail for t in eight if t.relation == "xWant"}
    assert sum(np.exp(prediction.logprob) for prediction in answer) == pytest.approx(1, abs=1e-5)


def test_a_tail_of_another_relation_or_of_none_has_no_token(memorised: Memorised) -> None:
    student, _ = memorised["ranker"]
    event = "PersonX misses the bus"
    sums, tokens = student.logprobs(
        [Triple(event, "xWant", "to fly"), Triple(event, "xWant", "annoyed"), Triple(event, "xReact", "annoyed")]
    )
    assert tokens.tolist() == [0, 0, 1]
    assert sums[:2].tolist() == [0, 0]
    assert sums[2] < 0


def test_hostile_tails_survive_being_kept(train: Train, tmp_path: Path, encode: Encode) -> None:
    tails = ["<xWant>", "[GEN]", 'quotes " and \\', "line\nbreak", "next\u2028line", "\u0000", "é", "e\u0301"]
    triples = [Triple(f"PersonX does {number}", "xWant", tail) for number, tail in enumerate(tails)]
    student = train("ranker", tmp_path / "student", triples=triples)
    opened = checkpoint.load(tmp_path / "student", encode)
    assert isinstance(opened, Ranker)
    assert set(opened.tails) == set(tails)
    pairs = [(triple.head, triple.relation) for triple in triples]
    assert opened.predict(pairs, 8) == student.predict(pairs, 8)


def test_more_tails_than_candidates_are_sampled_and_still_learnt(
    train: Train, tmp_path: Path, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranker_training, "CANDIDATES", 2)
    monkeypatch.setattr(ranker_training, "BATCH_EVENTS", 1)
    student = train("ranker", tmp_path / "student", epochs=60)
    answers = student.predict([(triple.head, triple.relation) for triple in eight], 1)
    assert [answer[0].tail for answer in answers] == [triple.tail for triple in eight]


def test_one_triple_is_enough(train: Train, tmp_path: Path) -> None:
    triple = Triple("PersonX sleeps", "xWant", "to dream")
    student = train("ranker", tmp_path / "student", triples=[triple])
    ((prediction,),) = student.predict([("PersonX wakes", "xWant")], 5)
    assert (prediction.tail, prediction.logprob) == ("to dream", pytest.approx(0))


def test_a_relation_may_be_called_as_anything_in_its_files(train: Train, tmp_path: Path, encode: Encode) -> None:
    names = ["vectors", "known", "overall", "tails", "settings"]
    triples = [Triple(f"PersonX does {name}", name, f"to {name}") for name in names]
    vocabulary = Vocabulary(Relation(name, "p") for name in names)
    train("ranker", tmp_path / "student", triples=triples, vocabulary=vocabulary)
    opened = checkpoint.load(tmp_path / "student", encode)
    assert opened.relations == tuple(names)
    answers = opened.predict([("PersonX does it", name) for name in names], 5)
    assert [[one.tail for one in answer] for answer in answers] == [[f"to {name}"] for name in names]


def test_held_out_tails_are_ranked_among_those_of_their_relation(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["ranker"]
    assert isinstance(student, Ranks)
    assert link_prediction(student, eight, [])["hits"]["1"] == 1  # it knows them by heart
    foreign = [Triple("PersonX wins the race", "xWant", "to call a taxi")]
    found = link_prediction(student, foreign, eight)
    candidates = student.candidates("xWant")
    scores = dict(zip(candidates, student.table(["PersonX wins the race"], "xWant")[0].tolist(), strict=True))
    del scores["to celebrate"]
    assert found["mrr"] == pytest.approx(1 / sum(score >= scores["to call a taxi"] for score in scores.values()))
