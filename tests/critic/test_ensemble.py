"""Verdicts on triples that a language model reads alike, beside the likelihood critic."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from critic.checkpoint import load_critic, train_role
from critic.ensemble.model import PARTS, Ensemble, Reading, parts_of
from critic.interface import FastCritic, TrainingSet
from critic.kinds import ENSEMBLE, KINDS, LIKELIHOOD
from critic.likelihood import view
from critic.metrics import report
from critic.model import folds_of
from critic.saved import FOLDS, read_arrays
from critic.verdicts import training_verdicts, verdicts_on
from kg.errors import InputError
from kg.identity import head_id
from kg.language_model.scoring import Question
from kg.model import Judgement, Triple
from kg.vocabulary import Vocabulary
from tests.critic.test_likelihood import encode
from tests.critic.weighing import moved_by_turned_verdicts

RELATIONS = ("xWant", "xNeed")
ASKED: list[str] = []


@pytest.fixture(autouse=True, scope="module")
def _told() -> Iterator[None]:
    """Have a language model whose states lie on a circle.

    Tails are good in two of its quarters, which no straight line parts.
    """

    def read(_model: None, _tokenizer: None, questions: Iterable[Question], *, ending: str) -> Iterator[Any]:
        assert ending == "."
        for question in questions:
            ASKED.append(question.tail)
            angle = float(question.tail.rpartition(" ")[2])
            said = SimpleNamespace(conditional=-3.0 - len(question.event), unconditional=-4.0, tokens=2)
            yield said, np.array([np.cos(angle), np.sin(angle), 0.1], np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "opened", lambda _: SimpleNamespace(digest="a digest", model=None, tokenizer=None))
        patch.setattr(view, "read", read)
        yield


@pytest.fixture(scope="module")
def judgements() -> list[Judgement]:
    random = np.random.default_rng(0)
    return [
        Judgement(
            Triple(f"PersonX waits {event}", relation, f"to turn {angle:.3f}"),
            "me",
            2 if angle % np.pi < np.pi / 2 else -2,
        )
        for event in range(80)
        for relation in RELATIONS
        for angle in random.uniform(0, 2 * np.pi, 3)
    ]


def train(judgements: Sequence[Judgement], kind: str = ENSEMBLE, role: str = "filter") -> FastCritic:
    corpus = [judgement.triple for judgement in judgements]
    critic = train_role(judgements, corpus, Vocabulary.load("skd"), encode, seed=0, role=role, kind=kind)
    assert isinstance(critic, FastCritic)
    return critic


@pytest.fixture(scope="module")
def trained(judgements: list[Judgement], _told: None) -> FastCritic:
    return train(judgements)


def triples_of(judgements: Sequence[Judgement]) -> list[Triple]:
    return [judgement.triple for judgement in judgements]


def test_it_sees_what_no_straight_line_parts(judgements: list[Judgement], trained: FastCritic) -> None:
    auc = {
        kind: report(critic, judgements, in_folds=True)["systems"]["critic"]["auc"]
        for kind, critic in ((ENSEMBLE, trained), (LIKELIHOOD, train(judgements, LIKELIHOOD)))
    }
    assert auc[LIKELIHOOD] < 0.65
    assert auc[ENSEMBLE] > 0.9


def test_nearness_is_that_of_states_and_numbers() -> None:
    random = np.random.default_rng(0)
    states, numbers = random.normal(size=(5, 4)), random.normal(size=(5, view.NUMBERS))
    states[4], numbers[4] = np.nan, np.nan
    arrays = {
        "state_mean": states[:4].mean(0), "state_deviation": states[:4].std(0),
        "number_mean": numbers[:4].mean(0), "number_deviation": numbers[:4].std(0),
    }  # fmt: skip
    reading = Reading.of((numbers, states), arrays)
    found = reading.nearness(reading)
    for one in range(4):
        for other in range(4):
            a, b = ((states[row] - arrays["state_mean"]) / arrays["state_deviation"] for row in (one, other))
            cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            apart = ((numbers[one] - numbers[other]) / arrays["number_deviation"]) ** 2
            assert found[one, other] == pytest.approx(
                np.exp(cosine - 1) + np.exp(-apart.sum() / (2 * view.NUMBERS)), rel=1e-4
            )
    assert np.isfinite(found).all()
    nobody = Reading.of((numbers[4:], np.zeros((1, 0))), arrays)
    np.testing.assert_allclose(nobody.nearness(reading)[0], found[4])


def test_verdicts_of_an_event_have_no_weight_in_its_score(
    judgements: list[Judgement], trained: FastCritic, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    arrays = read_arrays(tmp_path)
    learnt = training_verdicts(judgements, "filter", in_folds=True).triples
    parts = parts_of(learnt)
    assert {part % FOLDS for part in parts} == set(range(FOLDS))
    np.testing.assert_array_equal(parts % FOLDS, folds_of(learnt))
    for name in ("pulls", "fast_pulls"):
        assert arrays[name].shape == (PARTS, len(learnt))
        for part in range(PARTS):
            assert (arrays[name][part, parts == part] == 0).all()
            assert (arrays[name][part, parts != part] != 0).all()
    event = head_id(learnt[0])
    turned = [Judgement(one.triple, "me", -one.value) if head_id(one.triple) == event else one for one in judgements]
    after = train(turned)
    mine, others = ([one for one in learnt if (head_id(one) == event) is own] for own in (True, False))
    moved = [np.abs(trained.score(some) - after.score(some)).max() for some in (mine, others)]
    assert moved[0] < 0.02, "by what other verdicts had heard of them, when the scale was fitted"
    assert moved[1] > 0.05


def test_it_asks_once_a_triple_and_the_fast_critic_never(trained: FastCritic) -> None:
    unseen = [Triple("PersonX walks", "xWant", f"to dance {angle}") for angle in (0.1, 2.0, 4.0)]
    ASKED.clear()
    trained.score_fast(unseen)
    assert not ASKED
    scores = trained.score([*unseen, *unseen[:1]])
    assert len(ASKED) == len(unseen)
    assert scores[0] == scores[3]
    assert trained.score([]).shape == trained.score_fast([]).shape == (0,)
    odd = trained.score([Triple("PersonX walks", "HinderedBy", "to dance 1.0")])
    assert 0 < odd[0] < 1, "a relation without verdicts goes by what is near"


def test_a_saved_one_is_the_same_critic(judgements: list[Judgement], tmp_path: Path) -> None:
    critic = train(judgements, role="judge")
    critic.save(tmp_path)
    loaded = load_critic(tmp_path, encode)
    assert isinstance(loaded, Ensemble)
    assert loaded.role == "judge"
    some = triples_of(judgements)
    np.testing.assert_allclose(loaded.score(some), critic.score(some), atol=1e-5)
    np.testing.assert_allclose(loaded.score_fast(some), critic.score_fast(some), atol=1e-5)
    (tmp_path / LIKELIHOOD / "critic.json").write_text("{}")
    with pytest.raises(InputError, match="train it again"):
        load_critic(tmp_path, encode)


@pytest.mark.parametrize("kind", [ENSEMBLE, LIKELIHOOD])
def test_verdicts_that_count_little_teach_little(judgements: list[Judgement], kind: str) -> None:
    verdicts = verdicts_on(judgements)
    given = TrainingSet(verdicts, list(verdicts.triples), Vocabulary.load("skd"), encode, "filter", 0)
    little, as_all = moved_by_turned_verdicts(KINDS[kind].train, given)
    assert little < 0.01
    assert as_all > 0.05
