"""A small world in which only verdicts tell what is good: tails of some hidden topics, for heads of some others."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.checkpoint import load_critic
from critic.interface import Critic, TrainingSet
from critic.kernel import training
from critic.kernel.model import Judged, Kernel
from critic.kernel.training import train_kernel
from critic.kinds import KERNEL, KINDS
from critic.metrics import measure
from critic.model import folds_of
from critic.training import train_blend
from critic.verdicts import Verdicts
from kg.errors import InputError, NotReady
from kg.model import NOTHING, Triple
from kg.vocabulary import Vocabulary
from tests.critic.weighing import moved_by_turned_verdicts

TOPICS = 8


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed "… topic3 …" by its topic and a noise of its own."""
    vectors = np.zeros((len(texts), TOPICS + 8))
    for row, text in enumerate(texts):
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
        vectors[row, TOPICS:] = np.random.default_rng(seed).normal(0, 0.15, 8)
        vectors[row, int(text.split("topic")[1].split()[0])] = 1
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def is_good(triple: Triple) -> bool:
    """Hide a rule that is no matter of topics that go together: the parity of their sum, the other way for xNeed."""
    head, tail = (int(text.split("topic")[1].split()[0]) for text in (triple.head, triple.tail))
    return bool((head + tail + (triple.relation == "xNeed")) % 2)


@pytest.fixture(scope="module")
def given() -> TrainingSet:
    random = np.random.default_rng(1)
    triples = sorted(
        Triple(f"PersonX topic{head % TOPICS} event{head}", relation, f"topic{random.integers(TOPICS)} tail{head}-{n}")
        for head in range(120)
        for relation in ("xWant", "xNeed")
        for n in range(4)
    )
    verdicts = Verdicts(tuple(triples), np.array([is_good(triple) for triple in triples]))
    return TrainingSet(verdicts, triples, Vocabulary.load("skd"), encode, "filter", 0)


@pytest.fixture(scope="module")
def critic(given: TrainingSet) -> Kernel:
    return train_kernel(given)


def test_it_learns_from_verdicts_on_near_triples_what_the_blend_cannot(given: TrainingSet, critic: Kernel) -> None:
    new = tuple(Triple(triple.head + " again", triple.relation, triple.tail + " again") for triple in given.corpus)
    asked = Verdicts(new, np.array([is_good(triple) for triple in new]))
    scores = critic.score(new)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert measure(scores, asked)["auc"] > 0.9
    assert measure(train_blend(given).score(new), asked)["auc"] < 0.7
    np.testing.assert_allclose(critic.score(new[:9]), [critic.score([one])[0] for one in new[:9]], atol=2e-6)
    assert critic.score([]).shape == (0,)
    assert KINDS[KERNEL].train(given).score(new).tolist() == scores.tolist(), "same seed, same critic"


def test_no_verdict_moves_a_score_of_its_own_fold(given: TrainingSet, critic: Kernel) -> None:
    mine = folds_of(given.verdicts.triples) == 2
    turned = Verdicts(given.verdicts.triples, np.where(mine, ~given.verdicts.good, given.verdicts.good))
    other = train_kernel(replace(given, verdicts=turned))
    before, after = (one.score(given.verdicts.triples) for one in (critic, other))
    assert mine.any()
    np.testing.assert_allclose(before[mine], after[mine], atol=2e-6)
    assert np.abs(before[~mine] - after[~mine]).mean() > 0.05


def test_the_dual_weights_are_those_of_kernel_ridge_regression(given: TrainingSet, critic: Kernel) -> None:
    from sklearn.kernel_ridge import KernelRidge  # noqa: PLC0415 - takes a second

    triples, good = given.verdicts.triples, given.verdicts.good
    heads, tails = (encode([getattr(one, name) for one in triples]) for name in ("head", "tail"))
    own = np.array([one.relation == "xNeed" for one in triples], dtype=np.intp)
    near = Judged(heads, tails, own).nearness(Judged(heads, tails, own)).astype(float)
    expected = np.empty_like(near)
    for one in range(0, len(triples), 97):
        for other in range(len(triples)):
            far = 2 * (1 - heads[one] @ heads[other]) + 2 * (1 - tails[one] @ tails[other])
            same = float(own[one] == own[other])
            expected[one, other] = np.exp(-far) * (0.3 + same) + same
    np.testing.assert_allclose(near[::97], expected[::97], atol=1e-5)
    kept = folds_of(triples) != 1
    fitted = KernelRidge(alpha=1.0, kernel="precomputed").fit(near[np.ix_(kept, kept)], np.where(good[kept], 1, -1))
    pulls = critic._arrays["pulls"][1]  # noqa: SLF001
    np.testing.assert_allclose(pulls[kept], fitted.dual_coef_, atol=1e-3)
    assert not pulls[~kept].any()


@pytest.mark.parametrize("train", [train_kernel, train_blend])
def test_verdicts_that_count_little_teach_little(given: TrainingSet, train: Callable[[TrainingSet], Critic]) -> None:
    little, as_all = moved_by_turned_verdicts(train, given)
    assert little < 0.01
    assert as_all > 0.05


def test_of_very_many_verdicts_those_that_count_most_teach(given: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "MOST_ROWS", 50)
    weights = np.where(np.arange(len(given.verdicts)) % 24 == 0, 1.0, 0.1)
    rows = training.drawn(replace(given.verdicts, weights=weights), np.random.default_rng(0))
    assert len(rows) == 50
    assert {*np.flatnonzero(weights == 1.0)} < {*rows}
    assert (np.diff(rows) > 0).all()


def test_it_is_saved_as_numbers_and_opened_the_same(given: TrainingSet, critic: Kernel, tmp_path: Path) -> None:
    critic.save(tmp_path)
    opened = load_critic(tmp_path, encode)
    np.testing.assert_array_equal(opened.score(given.corpus), critic.score(given.corpus))
    (tmp_path / "critic.safetensors").write_bytes((tmp_path / "critic.safetensors").read_bytes()[:999])
    with pytest.raises(InputError, match="damaged"):
        load_critic(tmp_path, encode)
    about = (tmp_path / "critic.json").read_text()
    (tmp_path / "critic.json").write_text(about.replace('"format": 1', '"format": 9'))
    with pytest.raises(InputError, match="another version"):
        load_critic(tmp_path, encode)


def test_what_it_cannot_learn_or_score_is_said(given: TrainingSet, critic: Kernel) -> None:
    with pytest.raises(InputError, match="only phrases are scored"):
        critic.score([Triple("PersonX topic1 a", "xWant", NOTHING)])
    unknown = critic.score([Triple("PersonX topic1 a", "HinderedBy", "topic2 b")])
    assert 0 < unknown[0] < 1
    verdicts = given.verdicts
    with pytest.raises(NotReady, match="of one event"):
        train_kernel(replace(given, verdicts=Verdicts(verdicts.triples, folds_of(verdicts.triples) == 0)))
