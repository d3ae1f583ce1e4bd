"""The classifier of ConceptNet triples: its formula, and that it learns."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kg.errors import InputError
from student.metrics import bilinear
from student.metrics.bilinear import Bilinear, accuracy, best_threshold, check, score_of_greedy, train_bilinear
from student.metrics.files import Answer

ANIMALS, TOOLS = ["cat", "dog", "cow", "hen"], ["saw", "axe", "drill", "rake"]
TRUE = [(one, "IsA", "animal") for one in ANIMALS] + [(one, "UsedFor", "cutting wood") for one in TOOLS]


def test_a_probability_is_what_the_papers_formula_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bilinear, "WORDS", 3)
    monkeypatch.setattr(bilinear, "UNITS", 2)
    model = Bilinear(["big", "cat", "animal"], ["IsA", "UsedFor"])
    vectors, weight, bias = (value.detach().numpy() for value in (model.vectors.weight, *model.units.parameters()))
    left = np.tanh(weight @ ((vectors[1] + vectors[2]) / 2) + bias)  # "big cat"
    right = np.tanh(weight @ ((vectors[0] + vectors[3]) / 2) + bias)  # an unknown word and "animal"
    logit = left @ model.matrices[0].detach().numpy() @ right
    triples = [("cat", "UsedFor", "cat"), ("Big_cat", "IsA", "wild animal"), ("cat", "Unheard", "cat")]
    found = model.probabilities(triples)
    assert found[1] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
    assert np.isnan(found[2])
    assert model.probabilities(triples[::-1])[1:].tolist() == pytest.approx(found[:2][::-1].tolist())


def test_it_tells_the_true_from_the_corrupted() -> None:
    model = train_bilinear(TRUE * 4, epochs=40)
    false = [(one, "IsA", "cutting wood") for one in ANIMALS] + [(one, "UsedFor", "animal") for one in TOOLS]
    true, wrong = model.probabilities(TRUE), model.probabilities(false)
    assert true.min() > wrong.max()


def test_words_start_from_what_an_encoder_says_of_them() -> None:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[text in ANIMALS, text in TOOLS, 0.2] for text in texts], np.float32)

    model = train_bilinear(TRUE, encode, epochs=0)
    vectors = model.vectors.weight.detach().numpy()
    assert vectors.shape == (1 + len(model.words), bilinear.WORDS)
    given = encode(list(model.words))
    near = np.linalg.norm(vectors[1:, None] - vectors[None, 1:], axis=2)
    expected = np.linalg.norm(given[:, None] - given[None], axis=2)
    np.testing.assert_allclose(near, expected * near.max() / expected.max(), atol=1e-6)


def test_the_same_seed_trains_the_same_classifier() -> None:
    first, second = (train_bilinear(TRUE, seed=5, epochs=2) for _ in range(2))
    other = train_bilinear(TRUE, seed=6, epochs=2)
    assert torch.equal(first.matrices, second.matrices)
    assert not torch.equal(first.matrices, other.matrices)


def test_a_threshold_is_the_one_that_tells_most_right() -> None:
    scores, good = np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([False, True, False, True, True])
    threshold = best_threshold(scores, good)
    assert (
        accuracy(scores, good, threshold) == max(accuracy(scores, good, at) for at in np.linspace(0, 1, 101)) == 4 / 5
    )


def test_labels_say_how_many_are_told_right_and_by_which_threshold() -> None:
    random = np.random.default_rng(0)
    good = random.random(400) < 0.5
    scores = np.where(good, random.uniform(0.2, 0.5, 400), random.uniform(0, 0.25, 400))
    model = SimpleNamespace(probabilities=lambda _: np.append(scores, np.nan))
    labelled = [(("cat", "IsA", str(number)), bool(one)) for number, one in enumerate([*good, True])]
    found = check(model, labelled)  # type: ignore[arg-type]
    assert (found["labelled"], found["accuracy"]) == (400, accuracy(scores, good, 0.5))
    assert 0.2 <= found["threshold"] <= 0.25
    assert 0.85 < found["tuned"] <= accuracy(scores, good, found["threshold"])
    with pytest.raises(InputError, match="fewer than two labelled"):
        check(SimpleNamespace(probabilities=lambda _: np.full(2, np.nan)), labelled[:2])  # type: ignore[arg-type]


def test_one_triple_is_too_few() -> None:
    with pytest.raises(InputError, match="two at least"):
        train_bilinear(TRUE[:1])


def test_the_score_is_the_share_of_greedy_tails_that_are_taken_for_true() -> None:
    given = {("cat", "IsA", "animal"): 0.5, ("saw", "IsA", "cutting wood"): 0.49, ("cat", "Unheard", "animal"): np.nan}
    model = SimpleNamespace(probabilities=lambda triples: np.array([given[triple] for triple in triples]))
    answers = [Answer(head, relation, tail, (), ("x",)) for head, relation, tail in given]
    assert score_of_greedy(model, answers) == {"prefixes": 2, "score": 0.5}
    assert score_of_greedy(model, answers[2:]) == {"prefixes": 0, "score": None}
    assert score_of_greedy(model, answers, 0.4) == {"prefixes": 2, "score": 0.5, "tuned": 1.0}
