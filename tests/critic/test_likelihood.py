"""A small world in which only a language model can tell: a good tail is one that the model expects after its event."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from critic.acceptance import choose_thresholds
from critic.checkpoint import load_critic, train_role
from critic.interface import FastCritic
from critic.kinds import BLEND, KINDS, LIKELIHOOD, noisy_kind
from critic.likelihood import view
from critic.likelihood.model import Likelihood
from critic.likelihood.view import View
from critic.metrics import report
from critic.roles import ROLES
from critic.verdicts import split_in, split_verdicts, training_verdicts
from kg.errors import InputError, NotReady
from kg.identity import half_of, head_id
from kg.language_model.opening import open_language_model
from kg.model import NOTHING, OVERALL, Judgement, Triple
from kg.vocabulary import Vocabulary
from tests.language_model import tiny

RELATIONS = ("xWant", "xNeed")
WORDS = ("rest", "call", "run", "sleep", "eat", "taxi", "home", "bus")


class World(NamedTuple):
    corpus: list[Triple]
    judgements: list[Judgement]
    vocabulary: Vocabulary

    def train(self, role: str = "filter", seed: int = 0) -> Likelihood:
        critic = train_role(
            self.judgements, self.corpus, self.vocabulary, encode, seed=seed, role=role, kind=LIKELIHOOD
        )
        assert isinstance(critic, Likelihood)
        return critic

    def triples(self) -> list[Triple]:
        return [judgement.triple for judgement in self.judgements]


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed a text as noise of its own."""
    seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") for text in texts]
    vectors = np.stack([np.random.default_rng(seed).normal(size=16) for seed in seeds] or [np.zeros(16)])
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)[: len(texts)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in place of the one that comes with pip."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(1)
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(folder)
    made = tiny.llama(vocab_size=len(tokenizer))
    with torch.no_grad():  # or all tails would be about as likely
        made.lm_head.weight.mul_(8)
    made.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def _installed(model: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "DEFAULT", str(model))
        patch.setattr(view, "fast_dtype", lambda: torch.float32)
        yield
    view.opened.cache_clear()


@pytest.fixture(scope="module")
def world(model: Path) -> World:
    """Good are the tails whose mean log-probability is above the middle of all."""
    opened = open_language_model(str(model))
    random = np.random.default_rng(0)
    vocabulary = Vocabulary.load("skd")
    triples = [
        Triple(f"PersonX {WORDS[event % 8]} {event}", relation, " ".join(["to", *random.choice(WORDS, 3)]))
        for event in range(100)
        for relation in RELATIONS
        for _ in range(3)
    ]
    triples = list(dict.fromkeys(triples))
    likely = [means(opened, vocabulary, triple) for triple in triples]
    middle = float(np.median(likely))
    judgements = [
        Judgement(triple, "me", 2 if mean > middle else -2) for triple, mean in zip(triples, likely, strict=True)
    ]
    return World(triples, judgements, vocabulary)


@pytest.fixture(scope="module")
def trained(world: World, _installed: None) -> Likelihood:
    return world.train()


def state(opened: Any, vocabulary: Vocabulary, triple: Triple) -> Any:
    """Return the mean state of the middle layer where a tail's tokens are foretold: one pass, one sequence."""
    asked = f"{triple.head}, {vocabulary[triple.relation].phrase}".replace("PersonX", "Alex")
    before = opened.tokenizer(asked)["input_ids"]
    tail = opened.tokenizer(f" {triple.tail}.", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        states = opened.model(torch.tensor([before + tail]), output_hidden_states=True).hidden_states
    return states[opened.model.config.num_hidden_layers // 2][0, len(before) - 1 : -1].mean(0).numpy()


def means(opened: Any, vocabulary: Vocabulary, triple: Triple) -> float:
    """Return the mean log-probability of a tail's tokens, asked plainly: one pass, one sequence."""
    asked = f"{triple.head}, {vocabulary[triple.relation].phrase}".replace("PersonX", "Alex")
    before = opened.tokenizer(asked)["input_ids"]
    tail = opened.tokenizer(f" {triple.tail}.", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = opened.model(torch.tensor([before + tail])).logits[0, len(before) - 1 : -1]
    return float(logits.log_softmax(-1).gather(1, torch.tensor(tail)[:, None]).mean())


def test_the_view_is_the_likelihood_of_the_tail_in_words(world: World, model: Path) -> None:
    opened, triples = open_language_model(str(model)), world.corpus[:6]
    numbers, states = View({name: world.vocabulary[name].phrase for name in RELATIONS}).look(triples)
    assert numbers.shape == (6, view.NUMBERS)
    np.testing.assert_allclose(numbers[:, 0], [means(opened, world.vocabulary, one) for one in triples], atol=1e-4)
    tokens = np.exp(numbers[:, 6])
    np.testing.assert_allclose(numbers[:, 1], numbers[:, 0] * tokens, rtol=1e-9)
    np.testing.assert_allclose(numbers[:, 5], numbers[:, 1] - numbers[:, 3], rtol=1e-9)
    assert np.ptp(numbers[:, 2] - numbers[:, 0]) > 0.01
    np.testing.assert_allclose(states, [state(opened, world.vocabulary, one) for one in triples], atol=1e-4)
    assert np.ptp(states, axis=0).max() > 0.01
    numbers, states = View({"xWant": "so"}).look([Triple("a", "xNeed", "b"), Triple("a", "xWant", "b")])
    assert np.isnan(numbers[0]).all()
    assert np.isnan(states[0]).all()
    assert np.isfinite(states[1]).all()
    assert View({"xWant": "so"}).look([Triple("a", "xNeed", "b")])[1].shape == (1, 0)


def test_it_hears_what_only_the_language_model_knows(world: World, trained: Likelihood) -> None:
    tested = world.judgements
    full = report(trained, tested, in_folds=True)["systems"]["critic"]["auc"]
    blend = train_role(tested, world.corpus, world.vocabulary, encode, seed=0, role="filter", kind=BLEND)
    assert full > 0.9
    assert report(blend, tested)["systems"]["critic"]["auc"] < 0.75


def test_a_saved_one_is_the_same_critic(world: World, tmp_path: Path) -> None:
    for role in ROLES:
        critic = world.train(role)
        folder = tmp_path / role
        folder.mkdir()
        critic.save(folder)
        loaded = load_critic(folder, encode)
        assert isinstance(loaded, FastCritic)
        np.testing.assert_allclose(loaded.score(world.triples()), critic.score(world.triples()), atol=1e-4)
        np.testing.assert_array_equal(loaded.score_fast(world.triples()), critic.score_fast(world.triples()))
    (folder / "critic.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="damaged"):
        load_critic(folder, encode)


def test_the_same_seed_gives_the_same_scores_whatever_the_order(world: World, trained: Likelihood) -> None:
    shuffled = World(world.corpus[::-1] + world.corpus[:5], world.judgements[::-1], world.vocabulary)
    one, other = trained, shuffled.train()
    np.testing.assert_array_equal(one.score(world.triples()), other.score(world.triples()))
    np.testing.assert_array_equal(one.score_fast(world.triples()), other.score_fast(world.triples()))


def test_a_page_scores_like_one_at_a_time(world: World, trained: Likelihood) -> None:
    critic, triples = trained, world.triples()[:12]
    for score in (critic.score, critic.score_fast):
        np.testing.assert_allclose(score(triples), [score([triple])[0] for triple in triples], atol=1e-4)
        assert score([]).shape == (0,)
        with pytest.raises(InputError, match="only phrases are scored"):
            score([Triple("PersonX rests", "xWant", NOTHING)])


def test_the_fast_critic_asks_no_language_model(
    world: World, trained: Likelihood, monkeypatch: pytest.MonkeyPatch
) -> None:
    critic = trained
    unseen = [Triple("PersonX walks", "xWant", "to dance"), Triple("PersonX walks", "HinderedBy", "to dance")]
    monkeypatch.setattr(view, "read", None)
    assert np.isfinite(critic.score_fast([*world.triples(), *unseen])).all()
    with pytest.raises(TypeError):
        critic.score(unseen)


def test_a_verdict_moves_no_score_of_its_own_event(world: World, trained: Likelihood) -> None:
    event = world.judgements[0].triple.head
    assert split_in(world.judgements[0].triple) == "train"
    turned = [Judgement(one.triple, "me", -one.value) if one.triple.head == event else one for one in world.judgements]
    mine = [triple for triple in world.triples() if triple.head == event]
    others = [triple for triple in world.triples() if triple.head != event]
    before, after = trained, World(world.corpus, turned, world.vocabulary).train()
    np.testing.assert_allclose(before.score(mine), after.score(mine), atol=1e-4)
    np.testing.assert_array_equal(*(np.argsort(critic.score_fast(mine)) for critic in (before, after)))
    assert np.abs(before.score(others) - after.score(others)).max() > 1e-4


def test_it_learns_from_train_and_validation_events_and_never_from_test_events(
    world: World, trained: Likelihood
) -> None:
    filters, judges = (training_verdicts(world.judgements, role, in_folds=True).triples for role in ROLES)
    assert (
        {split_in(triple) for triple in filters} == {split_in(triple) for triple in judges} == {"train", "validation"}
    )
    assert set(filters) == {triple for triple in world.triples() if split_in(triple) != "test"}
    assert {half_of(head_id(triple)) for triple in judges} == {ROLES["judge"].half}
    kept = [one for one in world.judgements if split_in(one.triple) != "test"]
    assert len(kept) < len(world.judgements)
    without = World(world.corpus, kept, world.vocabulary).train()
    np.testing.assert_array_equal(without.score(world.triples()), trained.score(world.triples()))


def test_a_threshold_keeps_the_same_share_of_the_good_by_the_fast_critic(world: World, trained: Likelihood) -> None:
    critic = trained
    known = split_verdicts(world.judgements, "validation")
    everything = training_verdicts(world.judgements, "filter", in_folds=True)
    for recall in (0.5, 0.8):
        threshold = choose_thresholds(critic.score(known.triples), known.good, known.relations, recall)[OVERALL]
        good = [triple for triple, is_good in zip(everything.triples, everything.good, strict=True) if is_good]
        full, fast = ((score(good) >= threshold).mean() for score in (critic.score, critic.score_fast))
        assert abs(full - fast) < 0.06


def test_a_mild_annotator_makes_no_tail_good(world: World) -> None:
    """One annotator accepts nearly all and was given one relation; the other one rejects nearly all of the rest."""
    random = np.random.default_rng(1)
    biased = [
        Judgement(
            one.triple,
            "mild" if (mild := one.triple.relation == "xWant") else "strict",
            2 if random.random() < (0.9 if mild else 0.1) else -2,
        )
        for one in world.judgements
    ]
    alike = [Judgement(one.triple, "me", one.value) for one in biased]
    is_mild = np.array([triple.relation == "xWant" for triple in world.triples()])
    apart = []
    for judgements in (biased, alike):
        scores = World(world.corpus, judgements, world.vocabulary).train().score(world.triples())
        apart.append(scores[is_mild].mean() - scores[~is_mild].mean())
    assert apart[1] > 0.4
    assert apart[0] < apart[1] / 2


def test_another_language_model_is_refused(trained: Likelihood, tmp_path: Path) -> None:
    trained.save(tmp_path)
    about = json.loads((tmp_path / "critic.json").read_text())
    (tmp_path / "critic.json").write_text(json.dumps(about | {"model": "another"}))
    loaded = load_critic(tmp_path, encode)
    with pytest.raises(InputError, match="other weights than those this critic learnt with; train it again"):
        loaded.score([Triple("PersonX walks", "xWant", "to dance")])
    (tmp_path / "critic.json").write_text(json.dumps(about | {"format": 0}))
    with pytest.raises(InputError, match="another version"):
        load_critic(tmp_path, encode)


def test_too_little_is_said(world: World) -> None:
    good = [one for one in world.judgements if one.is_good]
    with pytest.raises(NotReady, match="at least 10 good and 10 bad"):
        World(world.corpus, good, world.vocabulary).train()
    event = next(triple.head for triple in world.triples() if split_in(triple) == "train")
    bad = [Judgement(Triple(event, "xWant", f"to {number}"), "me", -2) for number in range(12)]
    with pytest.raises(NotReady, match="are of one event"):
        World(world.corpus, good + bad, world.vocabulary).train()


def test_it_is_the_default_where_the_language_model_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("critic.kinds.find_package", lambda: None)
    assert noisy_kind() == BLEND
    monkeypatch.setattr("critic.kinds.find_package", lambda: "there")
    assert noisy_kind() == LIKELIHOOD
    assert KINDS[LIKELIHOOD].on_language_model
    assert not KINDS[BLEND].on_language_model
