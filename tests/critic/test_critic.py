"""A small world in which it is known what is good: a tail fits its event's topic and its relation, or it does not."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.features import SCORES, Expectation, Match
from critic.metrics import format_report, measure, report
from critic.model import Critic, folds_of
from critic.training import fit, train
from critic.verdicts import KINDS, Verdicts, split_verdicts, training_verdicts
from kg.errors import InputError, NotFound, NotReady
from kg.model import NOTHING, Judgement, Triple, head_id
from kg.vocabulary import Vocabulary

RELATIONS = ("xWant", "xNeed", "xReact")
TOPICS = 6
DIMENSION = 24


class World(NamedTuple):
    corpus: list[Triple]
    judgements: list[Judgement]
    vocabulary: Vocabulary

    def train(self, kind: str = "filter", seed: int = 0) -> Critic:
        return train(self.judgements, self.corpus, self.vocabulary, encode, seed=seed, kind=kind)

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


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_critic_is_the_same_critic(world: World, tmp_path: Path, kind: str) -> None:
    critic = world.train(kind)
    critic.save(tmp_path)
    loaded = Critic.load(tmp_path, encode)
    assert (loaded.kind, loaded.relations) == (kind, ("xReact", "xWant", "xNeed"))
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
        fit(verdicts, corpus, world.vocabulary, encode, seed=0, kind="filter").score(mine)
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
    shares = [set(training_verdicts(world.judgements, kind).events) for kind in KINDS]
    shares += [set(split_verdicts(world.judgements, split).events) for split in ("validation", "test")]
    assert all(shares)
    assert sum(map(len, shares)) == len(set.union(*shares)) == 150


def test_the_judge_has_nothing_that_ranks_tails_for_a_head(world: World) -> None:
    assert not {Expectation, Match} & set(SCORES["judge"])
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
    with pytest.raises(NotReady, match=r"and 0$"):
        World(world.corpus, good, world.vocabulary).train()
    with pytest.raises(NotReady, match="about 40 of a relation"):
        World(world.corpus[:30], world.judgements, world.vocabulary).train()


def test_a_folder_without_a_critic_and_a_damaged_one_are_told_apart(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no critic in"):
        Critic.load(tmp_path, encode)
    world.train().save(tmp_path)
    weights = (tmp_path / "critic.safetensors").read_bytes()
    (tmp_path / "critic.safetensors").write_bytes(weights[:1000])
    with pytest.raises(InputError, match="damaged"):
        Critic.load(tmp_path, encode)
    (tmp_path / "critic.safetensors").write_bytes(weights)
    (tmp_path / "critic.json").write_text('{"format": 0, "kind": "filter", "relations": []}')
    with pytest.raises(InputError, match="another version"):
        Critic.load(tmp_path, encode)


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


def test_a_report_without_test_judgements_is_refused(world: World) -> None:
    trained = [judgement for judgement in world.judgements if judgement not in _judged(world, "test")]
    with pytest.raises(NotReady, match="good and bad judged triples of test events; there are 0"):
        report(world.train(), trained)


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
