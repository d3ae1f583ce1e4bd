"""A small world in which it is known what is good: a tail fits its event's topic and its relation, or it does not."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.checkpoint import load_critic, train_role
from critic.features import Match, TailTypicality, Vectors
from critic.interface import ABOUT, Critic, TrainingSet
from critic.kinds import KINDS, CriticKind
from critic.metrics import format_report, measure, report
from critic.model import folds_of
from critic.roles import ROLES, Role
from critic.training import train_blend
from critic.verdicts import Verdicts, split_verdicts, training_verdicts
from kg.errors import InputError, NotFound, NotReady
from kg.identity import head_id
from kg.model import NOTHING, Judgement, Triple
from kg.vocabulary import Vocabulary

RELATIONS = ("xWant", "xNeed", "xReact")
TOPICS = 6
DIMENSION = 24


class World(NamedTuple):
    corpus: list[Triple]
    judgements: list[Judgement]
    vocabulary: Vocabulary

    def train(self, role: str = "filter", seed: int = 0) -> Critic:
        return train_role(self.judgements, self.corpus, self.vocabulary, encode, seed=seed, role=role)

    def triples(self) -> list[Triple]:
        return [judgement.triple for judgement in self.judgements]


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed "PersonX topic3 event17" or "topic3 xWant tail2" by its topic, its relation and noise of its own."""
    vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
    for row, text in enumerate(texts):
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
        vectors[row] = np.random.default_rng(seed).normal(0, 0.15, DIMENSION)
        for word in text.split():
            if word.startswith("topic"):
                vectors[row, int(word[5:])] += 1
            elif word in RELATIONS:
                vectors[row, TOPICS + RELATIONS.index(word)] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def world() -> World:
    corpus, judgements = [], []
    for event in range(150):
        topic = event % TOPICS
        head = f"PersonX topic{topic} event{event}"
        for number, relation in enumerate(RELATIONS):
            tails = [f"topic{topic} {relation} tail{event}-{tail}" for tail in range(3)]
            corpus.extend(Triple(head, relation, tail) for tail in tails)
            other = RELATIONS[(number + 1) % len(RELATIONS)]
            judged = {
                tails[0]: 2,
                f"topic{(topic + 1) % TOPICS} {relation} tail{event}-x": -1,
                f"topic{topic} {other} tail{event}-y": -2,
            }
            judgements.extend(Judgement(Triple(head, relation, tail), "me", value) for tail, value in judged.items())
    return World(corpus, judgements, Vocabulary.load("skd"))


def test_it_learns_which_tails_fit_an_event_it_never_saw(world: World) -> None:
    tested = split_verdicts(world.judgements, "test")
    scores = world.train().score(tested.triples)
    assert scores.shape == (len(tested),)
    assert scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()
    assert measure(scores, tested)["auc"] > 0.95


def test_the_same_seed_gives_the_same_scores_whatever_the_order(world: World) -> None:
    shuffled = World(world.corpus[::-1] + world.corpus[:5], world.judgements[::-1], world.vocabulary)
    first, second = world.train().score(world.triples()), shuffled.train().score(world.triples())
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, world.train(seed=1).score(world.triples()))


def test_a_page_of_triples_scores_like_one_at_a_time(world: World) -> None:
    critic, triples = world.train(), world.triples()[:20]
    np.testing.assert_allclose(critic.score(triples), [critic.score([triple])[0] for triple in triples])
    assert critic.score([]).shape == (0,)


@pytest.mark.parametrize("role", list(ROLES))
def test_a_saved_critic_is_the_same_critic(world: World, tmp_path: Path, role: str) -> None:
    critic = world.train(role)
    critic.save(tmp_path)
    loaded = load_critic(tmp_path, encode)
    assert (loaded.role, loaded.relations) == (role, ("xReact", "xWant", "xNeed"))
    np.testing.assert_array_equal(loaded.score(world.triples()), critic.score(world.triples()))


def test_an_events_own_tails_do_not_raise_their_scores(world: World) -> None:
    judged = split_verdicts(world.judgements, "train")
    first_fold = folds_of(judged.triples) == 0
    verdicts = Verdicts(tuple(np.array(judged.triples, dtype=object)[first_fold]), judged.good[first_fold])
    event = verdicts.triples[0].head
    without = [triple for triple in world.corpus if triple.head != event]
    assert len(without) < len(world.corpus)
    mine = [triple for triple in world.corpus if triple.head == event]
    seen, unseen = (
        train_blend(TrainingSet(verdicts, corpus, world.vocabulary, encode, "filter", seed=0)).score(mine)
        for corpus in (world.corpus, without)
    )
    np.testing.assert_array_equal(seen, unseen)


def test_test_events_teach_nothing(world: World) -> None:
    tested = set(split_verdicts(world.judgements, "test").events)
    corpus = [triple for triple in world.corpus if head_id(triple) not in tested]
    judgements = [judgement for judgement in world.judgements if head_id(judgement.triple) not in tested]
    assert len(corpus) < len(world.corpus)
    fewer = World(corpus, judgements, world.vocabulary)
    np.testing.assert_array_equal(fewer.train().score(world.triples()), world.train().score(world.triples()))


def test_filter_judge_and_thresholds_use_different_events(world: World) -> None:
    shares = [set(training_verdicts(world.judgements, role).events) for role in ROLES]
    shares += [set(split_verdicts(world.judgements, split).events) for split in ("validation", "test")]
    assert all(shares)
    assert sum(map(len, shares)) == len(set.union(*shares)) == 150


def test_the_judge_has_nothing_that_ranks_tails_for_a_head(world: World) -> None:
    assert not {"Expectation", "Match"} & set(ROLES["judge"].parts)
    heads = [f"PersonX topic{number % TOPICS} event{number}" for number in range(40)]
    triples = [Triple(head, "xWant", "topic1 xWant tail") for head in heads]
    triples = [triple for triple in triples if folds_of([triple])[0] == 0]  # scored by the same fits
    np.testing.assert_allclose(np.ptp(world.train("judge").score(triples)), 0, atol=1e-12)
    assert np.ptp(world.train("filter").score(triples)) > 0.1


def test_a_published_split_is_kept(world: World) -> None:
    judgement = world.judgements[0]
    triple = judgement.triple
    for split in ("train", "validation", "test"):
        verdicts = split_verdicts([judgement], split, {head_id(triple): split})
        assert verdicts.triples == (triple,)


def test_annotators_are_outvoted_and_a_tie_or_unfamiliar_is_no_acceptance() -> None:
    votes = {"a": (2, 1, -1), "b": (2, -1), "c": (-9,), "d": (1,)}
    judgements = [
        Judgement(Triple("PersonX rests", "xWant", tail), f"annotator {number}", value)
        for tail, values in votes.items()
        for number, value in enumerate(values)
    ]
    judgements.append(Judgement(Triple("PersonX rests", "xWant", NOTHING), "a", 2))
    splits = {head_id(judgements[0].triple): "train"}
    verdicts = split_verdicts(judgements, "train", splits)
    assert [triple.tail for triple in verdicts.triples] == ["a", "b", "c", "d"]
    assert verdicts.good.tolist() == [True, False, False, True]


def test_a_relation_without_triples_to_learn_from_gets_the_base_rate(world: World) -> None:
    triples = [Triple(triple.head, "HinderedBy", triple.tail) for triple in world.triples()[:9]]
    scores = world.train().score(triples)
    assert np.ptp(scores) == 0
    assert 0.1 < scores[0] < 0.9


def test_the_tail_nothing_is_not_scored(world: World) -> None:
    with pytest.raises(InputError, match="only phrases are scored"):
        world.train().score([Triple("PersonX rests", "xWant", NOTHING)])


def test_too_little_to_learn_from_is_said(world: World) -> None:
    with pytest.raises(NotReady, match=r"at least 10 good and 10 bad .* there are 0 and 0"):
        World(world.corpus, [], world.vocabulary).train()
    good = [judgement for judgement in world.judgements if judgement.is_good]
    with pytest.raises(
        NotReady, match=r"there are 192 and 0; .* of test events; .*unjudged --param split=train --param half=0"
    ):
        World(world.corpus, good, world.vocabulary).train()
    with pytest.raises(
        NotReady, match=r"about 40 of a relation.* of the 27 that it may learn from, \d+ have x\w+; .*--split train"
    ):
        World(world.corpus[:30], world.judgements, world.vocabulary).train()


def test_a_folder_without_a_critic_and_a_damaged_one_are_told_apart(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no critic in"):
        load_critic(tmp_path, encode)
    world.train().save(tmp_path)
    weights = (tmp_path / "critic.safetensors").read_bytes()
    (tmp_path / "critic.safetensors").write_bytes(weights[:1000])
    with pytest.raises(InputError, match="damaged"):
        load_critic(tmp_path, encode)
    (tmp_path / "critic.safetensors").write_bytes(weights)
    (tmp_path / "critic.json").write_text('{"format": 0, "kind": "blend", "role": "filter", "relations": []}')
    with pytest.raises(InputError, match="another version"):
        load_critic(tmp_path, encode)


def test_a_report_has_the_baselines_beside_the_critic(world: World) -> None:
    found = report(world.train(), world.judgements)
    assert json.loads(json.dumps(found)) == found
    assert (found["rows"], found["events"]) == (
        9 * found["events"],
        len(set(split_verdicts(world.judgements, "test").events)),
    )
    critic, prior, tfidf = found["systems"].values()
    assert critic["auc"] > max(prior["auc"], tfidf["auc"])
    low, high = critic["auc_interval"]
    assert low <= critic["auc"] <= high
    assert prior["relation_auc"] == 0.5
    assert set(critic["relations"]) == set(RELATIONS)
    assert list(critic["precision_at_recall"]) == ["0.5", "0.6", "0.7", "0.8", "0.9"]
    table = format_report(found).splitlines()
    assert len(table) == 5
    assert max(map(len, table)) <= 100
    assert f"{100 * critic['auc']:.1f}" in table[2]


def test_a_report_without_good_and_bad_test_judgements_says_that_nothing_is_known(world: World) -> None:
    tested = _judged(world, "test")
    trained = [judgement for judgement in world.judgements if judgement not in tested]
    good = [judgement for judgement in tested if judgement.is_good]
    for judgements, rows in ((trained, 0), (trained + good, len(good))):
        found = report(world.train(), judgements)
        assert json.loads(json.dumps(found)) == found
        assert (found["rows"], found["good"]) == (rows, rows)
        assert {tuple(system["auc_interval"]) for system in found["systems"].values()} == {(0, 1)}
        text = format_report(found)
        assert f"of test events there are {rows} good and 0 bad judged triples" in text
        assert "kg query unjudged --param split=test" in text


def _judged(world: World, split: str) -> list[Judgement]:
    triples = set(split_verdicts(world.judgements, split).triples)
    return [judgement for judgement in world.judgements if judgement.triple in triples]


def test_measures_of_a_perfect_and_of_a_constant_score() -> None:
    triples = tuple(Triple(f"PersonX {number}", "xWant", "a") for number in range(40))
    verdicts = Verdicts(triples, np.arange(40) < 10)
    perfect = measure(verdicts.good.astype(float), verdicts)
    assert (perfect["auc"], perfect["average_precision"], perfect["ece"], perfect["brier"]) == (1, 1, 0, 0)
    assert set(perfect["precision_at_recall"].values()) == {1.0}
    constant = measure(np.full(40, 0.75), verdicts)
    assert (constant["auc"], constant["ece"]) == (0.5, 0.5)
    assert set(constant["precision_at_recall"].values()) == {0.25}


class Coin:
    """A critic of another kind: as sure of everything as the share of good verdicts that it saw."""

    def __init__(self, role: str, share: float) -> None:
        self.role, self.share = role, share

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.full(len(triples), self.share)

    def save(self, folder: Path) -> None:
        (folder / ABOUT).write_text(json.dumps({"kind": "coin", "role": self.role, "share": self.share}))

    @classmethod
    def load(cls, _folder: Path, about: dict, _encode: object) -> "Coin":
        return cls(about["role"], about["share"])


def fit_coin(given: TrainingSet) -> Coin:
    return Coin(given.role, float(given.verdicts.good.mean()))


def test_another_kind_is_a_row_and_learns_from_its_roles_half(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("coins")
    module.__dict__.update(fit_coin=fit_coin, Coin=Coin)
    monkeypatch.setitem(sys.modules, "coins", module)
    monkeypatch.setitem(KINDS, "coin", CriticKind("tosses", "coins:fit_coin", "coins:Coin.load"))
    for role in ROLES:
        coin = train_role(world.judgements, world.corpus, world.vocabulary, encode, seed=0, role=role, kind="coin")
        coin.save(tmp_path)
        loaded = load_critic(tmp_path, encode)
        share = training_verdicts(world.judgements, role).good.mean()
        assert (loaded.role, loaded.score(world.triples()[:2]).tolist()) == (role, [share, share])
        assert report(loaded, world.judgements)["systems"]["critic"]["auc"] == 0.5


def test_a_third_role_gets_the_data_of_its_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "second judge", Role(1, ("Match",), all_triples=False, scores_edges=False))
    events = training_verdicts(world.judgements, "second judge").events
    assert set(events) == set(training_verdicts(world.judgements, "judge").events) != set()
    assert world.train("second judge").role == "second judge"


def test_the_scores_are_the_closed_forms_of_a_linear_discriminant() -> None:
    random = np.random.default_rng(3)
    heads, tails = random.normal(size=(2, 300, 12))
    for relations in (random.integers(0, 4, 300), random.integers(0, 2, 300), np.zeros(300, dtype=np.intp)):
        rows = Vectors(heads, tails + relations[:, None] * np.linspace(0, 1, 12), relations)
        means = np.stack([rows.tails[relations == one].mean(axis=0) for one in range(relations.max() + 1)])
        weights = np.linalg.solve(shrunk(rows.tails - means[relations]), means.T)
        shares = np.bincount(relations) / len(relations)
        logits = rows.tails @ weights + np.log(shares) - (means * weights.T).sum(axis=1) / 2
        expected = logits[np.arange(300), relations] - np.logaddexp.reduce(logits, axis=1)
        np.testing.assert_allclose(TailTypicality.fit(rows, random).score(rows), expected, atol=1e-9)


def test_the_match_of_head_and_tail_is_the_closed_form() -> None:
    heads, tails = np.random.default_rng(4).normal(size=(2, 200, 10))
    rows = Vectors(heads, tails + 0.5 * heads, np.zeros(200, dtype=np.intp))
    other = np.random.default_rng(5).permutation(np.arange(200))
    real, swapped = rows.heads * rows.tails, rows.heads * rows.tails[other]
    centred = np.concatenate([real - real.mean(axis=0), swapped - swapped.mean(axis=0)])
    weights = np.linalg.solve(shrunk(centred), real.mean(axis=0) - swapped.mean(axis=0))
    np.testing.assert_allclose(Match.fit(rows, np.random.default_rng(5)).weights, weights, atol=1e-9)


def shrunk(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance of centred rows with three tenths of it made spherical, written out."""
    covariance = centred.T @ centred / len(centred)
    width = centred.shape[1]
    return 0.7 * covariance + 0.3 * np.trace(covariance) / width * np.eye(width)


def test_an_encoder_that_tells_no_tail_from_another_is_no_error(world: World) -> None:
    def dull(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.eye(1, 8, dtype=np.float32), (len(texts), 1))

    critic = train_role(world.judgements, world.corpus, world.vocabulary, dull, seed=0, role="filter")
    assert np.isfinite(critic.score(world.corpus)).all()
