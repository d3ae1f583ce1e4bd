"""Kinds of critics on files of judgements, and the calibration of their scores."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save
from typer.testing import CliRunner, Result

from critic.calibration import Calibration, calibration_error, choose_calibration, perfect_range, reliability
from critic.evaluation import Learning, evaluate, trainings
from critic.interface import TrainingSet
from critic.kinds import BLEND, KINDS, LIKELIHOOD, MEAN_NLL, NLL, UNSUPERVISED, CriticKind
from critic.legs import concatenated, head_key, joined, legs_of
from critic.likelihood.view import View, shared
from critic.metrics import PRIOR, TFIDF, relation_prior, tfidf
from critic.verdicts import Verdicts, verdicts_on
from kg.cli import app
from kg.errors import InputError, NotReady
from kg.identity import head_id, split_of
from kg.language_model.scoring import Likelihood
from kg.model import Judgement, Triple
from kg.vocabulary import Vocabulary

SKD = Vocabulary.load("skd")
GOOD, BAD = "to rest well", "to rest badly"


def judged(heads: int, name: str = "thing") -> Verdicts:
    """Half of the heads' rows are good, which the last word of the tail tells; two rows a head."""
    return verdicts_on([
        Judgement(Triple(f"PersonX does {name} {head}", relation, f"{(BAD, GOOD)[good]} {head} {relation}"), "a", value)
        for head in range(heads)
        for relation, good, value in (("xWant", head % 3 > 0, 2 if head % 3 else -2), ("xNeed", False, -1))
    ])  # fmt: skip


class Reader:
    """A critic that has read who is good; as sure as half of what it should be."""

    role = "filter"
    seen: list[TrainingSet] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, share: float) -> None:
        self.share = share

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.array([0.6 if "well" in triple.tail else 0.45 for triple in triples])

    def save(self, _folder: Path) -> None: ...


def read(given: TrainingSet) -> Reader:
    Reader.seen.append(given)
    return Reader(0.5)


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Reader.seen = []
    before = dict(KINDS)
    for name in (UNSUPERVISED, NLL, MEAN_NLL):  # these ask a real language model
        monkeypatch.delitem(KINDS, name)
    module = ModuleType("readers")
    module.__dict__.update(read=read)
    monkeypatch.setitem(sys.modules, "readers", module)
    monkeypatch.setitem(KINDS, BLEND, CriticKind("reads", "readers:read", "readers:read"))
    monkeypatch.setitem(KINDS, LIKELIHOOD, CriticKind("reads", "readers:read", "readers:read", needs_verdicts=False))
    yield
    KINDS.clear()
    KINDS.update(before)  # in their order


def learning(corpus: Sequence[Triple] | None = None) -> Learning:
    return Learning(corpus, SKD, lambda texts: np.zeros((len(texts), 2), dtype=np.float32))


def test_no_head_is_both_learnt_from_and_tested_however_it_is_written() -> None:
    tested, others = judged(40), judged(50)
    spelt = [
        Triple(triple.head.replace("PersonX", "person  X"), triple.relation, triple.tail) for triple in others.triples
    ]
    trained = joined(Verdicts(tuple(spelt), others.good), judged(5, "other"))
    for legs in (
        legs_of(tested, trained), legs_of(tested, trained, folds=7), legs_of(tested, trained, train_rows=30)
    ):  # fmt: skip
        for leg in legs:
            learnt, asked = ({head_key(triple) for triple in part.triples} for part in (leg.trained, leg.tested))
            assert learnt
            assert asked
            assert not learnt & asked
            assert leg.left_out == 2 * len(asked)
    folds = legs_of(tested, trained, folds=7)
    assert sorted(triple for leg in folds for triple in leg.tested.triples) == list(tested.triples)
    assert {len(leg.tested) for leg in folds} <= {10, 12}


def test_heads_of_many_rows_leave_no_fold_empty() -> None:
    rows = [(0, 20), *((head, 5) for head in range(1, 12))]
    uneven = verdicts_on([
        Judgement(Triple(f"PersonX does thing {head}", "xWant", f"to rest {row}"), "a", 1 if row % 2 else -1)
        for head, count in rows for row in range(count)
    ])  # fmt: skip
    for folds in range(2, 13):
        for seed in range(3):
            legs = legs_of(uneven, verdicts_on([]), folds=folds, seed=seed)
            assert len(legs) == folds
            assert sorted(triple for leg in legs for triple in leg.tested.triples) == list(uneven.triples)
    assert {len({head_key(one) for one in leg.tested.triples}) for leg in legs} == {1}
    with pytest.raises(InputError, match="2 to 12 can be"):
        legs_of(uneven, verdicts_on([]), folds=13)


def test_a_kind_that_finds_too_few_good_triples_learns_what_there_is_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def needs_many(given: TrainingSet) -> Reader:
        if len(given.corpus) < 60:
            raise NotReady("more")
        return read(given)

    monkeypatch.setattr(sys.modules["readers"], "read", needs_many)
    legs = legs_of(judged(60), verdicts_on([]), folds=5)  # a third of the 96 rows to learn from is good
    assert evaluate(legs, learning(), [BLEND])["systems"][BLEND]["auc"] == 1
    assert all(len(given.corpus) == len(given.verdicts) for given in Reader.seen)
    with pytest.raises(NotReady, match="where triples come from --corpus or --train: more"):
        evaluate(legs, learning(judged(9, "teacher's").triples), [BLEND])


def test_others_count_no_more_than_the_rows_that_are_judged_as_the_tested_ones_are() -> None:
    (leg, *_) = legs_of(judged(60), judged(200, "other"), folds=4)
    counts = leg.trained.counts
    assert leg.own.sum() == 90
    assert set(counts[leg.own]) == {1.0}
    assert counts[~leg.own].sum() == pytest.approx(90)
    (leg, *_) = legs_of(judged(60), judged(9, "other"), folds=4)
    assert set(leg.trained.counts) == {1.0}, "fewer count each as much as an own one"
    for others in (legs_of(judged(60), judged(200, "other")), legs_of(judged(60), judged(200, "other"), train_rows=30)):
        assert others[0].own.all(), "of own rows there are too few to say what is different"
        assert set(others[0].trained.counts) == {1.0}


def test_probabilities_are_those_of_rows_that_are_judged_as_the_tested_ones_are() -> None:
    """The critic says .6 of what reads well, of which all are good in one set, and none in the other."""
    other = judged(300, "other")
    wrong = Verdicts(other.triples, np.array(["badly" in triple.tail for triple in other.triples]))
    found = evaluate(legs_of(judged(90), wrong, folds=3), learning(), [BLEND])["systems"]
    assert found[BLEND]["ece"] < 0.02
    assert found[BLEND]["auc"] == 1


@pytest.mark.parametrize("baseline", [relation_prior, tfidf])
def test_a_baseline_learns_little_from_verdicts_that_count_little(
    baseline: Callable[[Verdicts, Verdicts], NDArray[np.float64]],
) -> None:
    own, other = judged(60), judged(60, "other")
    turned = Verdicts(other.triples, ~other.good, weights=np.full(len(other), 1e-6))
    both = concatenated([own, turned])
    np.testing.assert_allclose(baseline(both, own), baseline(own, own), atol=0.05)
    equal = replace(both, weights=np.ones(len(both)))
    assert np.abs(baseline(equal, own) - baseline(own, own)).max() > 0.1


def test_rows_to_train_are_whole_heads_in_the_order_of_a_seeded_hash() -> None:
    nothing = verdicts_on([])
    (leg,) = legs_of(judged(40), nothing, train_rows=31)
    assert (len(leg.trained), len(leg.tested)) == (32, 48)
    (same,), (other,) = (legs_of(judged(40), nothing, train_rows=31, seed=seed) for seed in (0, 1))
    assert leg.trained.triples == same.trained.triples != other.trained.triples
    for options in ({"folds": 41}, {"folds": 1}, {"train_rows": 80}, {"train_rows": 0}, {"folds": 2, "train_rows": 9}):
        with pytest.raises(InputError):
            legs_of(judged(40), nothing, **options)


def test_every_kind_stands_beside_the_baselines_and_sees_nothing_of_tested_heads() -> None:
    legs = legs_of(judged(60), verdicts_on([]), folds=5)
    corpus = [*judged(60).triples, *judged(9, "teacher's").triples]
    found = evaluate(legs, learning(corpus), [BLEND], seeds=[3, 4])
    assert json.loads(json.dumps(found)) == found
    assert list(found["systems"]) == [BLEND, PRIOR, TFIDF]
    assert (found["rows"], found["heads"], found["legs"], found["seeds"]) == (120, 60, 5, [3, 4])
    assert found["trained_rows"] == found["trained_count"] == 96
    reader = found["systems"][BLEND]
    assert (reader["auc"], reader["relation_auc"], reader["relation_auc_20"], reader["f1"]) == (1, 1, 1, 1)
    assert reader["spread"]["auc"] == 0
    assert reader["relation_auc_100"] is None
    assert len(Reader.seen) == trainings(legs, [BLEND], [3, 4]) == 50
    assert {given.seed for given in Reader.seen} == {3, 4}
    for number, leg in enumerate(legs):
        for given in Reader.seen[5 * number : 5 * number + 5]:
            learnt = {triple.head for triple in (*given.verdicts.triples, *given.corpus)}
            assert not learnt & {triple.head for triple in leg.tested.triples}
            assert any("teacher's" in triple.head for triple in given.corpus)


def test_without_a_corpus_the_good_rows_of_what_is_learnt_from_stand_for_it() -> None:
    (leg,) = legs_of(judged(60), verdicts_on([]), train_rows=60)
    evaluate([leg], learning(), [BLEND])
    assert set(Reader.seen[0].corpus) == {triple for triple in leg.trained.triples if GOOD in triple.tail}


def test_a_calibration_puts_scores_on_the_scale_of_probabilities_out_of_fold() -> None:
    """Scores that are too timid are stretched; those that are right are left alone."""
    random = np.random.default_rng(5)
    chances = random.uniform(0.02, 0.98, 3_000)
    good = random.random(3_000) < chances
    events = [f"event {row // 3}" for row in range(3_000)]
    timid = 1 / (1 + np.exp(-0.4 * np.log(chances / (1 - chances))))
    shifted = 1 / (1 + np.exp(1.0 - np.log(chances / (1 - chances))))
    stepped = chances**4 * 0.5 + 0.5 * (chances > 0.5)
    assert choose_calibration(chances, good, events) == Calibration()
    for scores, method in ((timid, "temperature"), (shifted, "platt"), (stepped, "isotonic")):
        found = choose_calibration(scores, good, events)
        assert found.method == method
        after = found.of(scores)
        assert calibration_error(after, good) < calibration_error(scores, good) / 2
        order = np.argsort(scores, kind="stable")
        assert (np.diff(after[order]) >= 0).all(), "a calibration keeps the order"
        assert ((found.of(np.array([0.0, 1.0])) >= 0) & (found.of(np.array([0.0, 1.0])) <= 1)).all()
    assert choose_calibration(timid[:30], good[:30], events[:30]) == Calibration(), "too few to say"
    assert choose_calibration(timid, good, ["one event"] * 3_000) == Calibration()


def test_the_calibration_error_is_over_bins_of_equal_size_and_equal_scores_stay_together() -> None:
    scores = np.array([0.2] * 30 + [0.9] * 30)
    good = np.arange(60) % 2 == 0  # half of each
    assert calibration_error(scores, good) == pytest.approx((0.3 + 0.4) / 2)
    rows = reliability(scores, good)
    assert [(row["score"], row["good"], row["rows"]) for row in rows] == [
        (pytest.approx(0.2), 0.5, 30), (pytest.approx(0.9), 0.5, 30),
    ]  # fmt: skip
    rising = np.linspace(0.01, 0.99, 30)  # two rows a bin
    expected = np.abs((rising - good[:30]).reshape(15, 2).sum(axis=1)).sum() / 30
    assert calibration_error(rising, good[:30]) == pytest.approx(expected)


def test_a_right_critic_is_within_the_range_19_times_of_20_and_a_wrong_one_is_not() -> None:
    random = np.random.default_rng(7)
    scores = random.uniform(0, 1, 500)
    low, high = perfect_range(scores)
    errors = [calibration_error(scores, random.random(500) < scores) for _ in range(400)]
    assert 0.92 < np.mean([low <= error <= high for error in errors]) < 0.98
    assert calibration_error(scores, random.random(500) < scores / 2) > high


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put a function in the language model's place; return what will be the numbers of triples that it is asked."""
    asked: list[int] = []

    class Opened:
        digest, model, tokenizer = "d", None, None

    def read(_model: object, _tokenizer: object, questions: object, ending: str) -> list[tuple[Likelihood, object]]:
        some = list(questions)  # type: ignore[call-overload]
        assert ending == "."
        asked.append(len(some))
        state = np.float32(1 / 3) * np.arange(4, dtype=np.float32)
        return [(Likelihood(-len(one.tail) / 3, -1.0, 2), state + len(one.tail)) for one in some]

    monkeypatch.setattr("critic.likelihood.view.opened", lambda _: Opened)
    monkeypatch.setattr("critic.likelihood.view.read", read)
    return asked


def numbers(triples: Sequence[Triple]) -> NDArray[np.float64]:
    return np.concatenate(View({"xWant": "wants", "xNeed": "needs"}).look(triples), axis=1)


def test_the_language_model_is_asked_once_by_critics_that_share(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch)
    triples = judged(6).triples
    alone = numbers(triples)
    with shared():
        first, second = numbers(triples[:8]), numbers(triples)
    again = numbers(triples)
    assert asked == [12, 8, 4, 12]
    np.testing.assert_array_equal(first, alone[:8])
    np.testing.assert_array_equal(second, alone)
    np.testing.assert_array_equal(again, alone)


def test_what_the_language_model_said_is_kept_in_a_folder_and_asked_for_again_where_it_is_damaged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = counting(monkeypatch)
    triples = judged(6).triples
    alone = numbers(triples)
    for count, total in ((8, [12, 8]), (12, [12, 8, 4]), (12, [12, 8, 4])):
        with shared(tmp_path):
            np.testing.assert_array_equal(numbers(triples[:count]), alone[:count])
        assert asked == total
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    with shared(tmp_path):
        np.testing.assert_array_equal(numbers(triples), alone)
    assert asked == [12, 8, 4, 12]
    stored = load(kept.read_bytes())
    for damage in (
        {"states": stored["states"][:, 0]}, {"states": stored["states"] * np.float32(np.nan)},
        {"numbers": stored["numbers"][:, :2]}, {"numbers": stored["numbers"] * np.inf},
    ):  # fmt: skip
        kept.write_bytes(save(stored | {name: np.ascontiguousarray(array) for name, array in damage.items()}))
        with shared(tmp_path):
            np.testing.assert_array_equal(numbers(triples), alone)
        assert asked.pop() == 12


# The command


def run(*arguments: str, home: Path) -> Result:
    return CliRunner().invoke(app, ["critic", "evaluate", *arguments], env={"KG_HOME": str(home)}, prog_name="kg")


def as_ckbp(verdicts: Verdicts) -> str:
    rows = zip(verdicts.triples, verdicts.good, strict=True)
    lines = [f"{triple.head},{triple.relation},{triple.tail},{int(good)},cs_head" for triple, good in rows]
    return "\n".join(["head,relation,tail,label,class", *lines]) + "\n"


def as_ckbc(verdicts: Verdicts) -> str:
    rows = zip(verdicts.triples, verdicts.good, strict=True)
    return "".join(f"IsA\t{triple.head}\t{triple.tail}\t{int(good)}\n" for triple, good in rows)


def as_tsv(verdicts: Verdicts) -> str:
    rows = zip(verdicts.triples, verdicts.good, strict=True)
    lines = [f"{triple.head}\t{triple.relation}\t{triple.tail}\t{2 if good else -1}\tme" for triple, good in rows]
    return "\n".join(["head\trelation\ttail\tvalue\tannotator", *lines]) + "\n"


@pytest.mark.parametrize("write", [as_ckbp, as_ckbc, as_tsv])
def test_files_of_every_form_are_measured_without_a_graph(tmp_path: Path, write: object) -> None:
    test, train = tmp_path / "test", tmp_path / "train"
    test.write_text(write(judged(40)))  # type: ignore[operator]
    train.write_text(write(judged(60)))  # type: ignore[operator]
    done = run("--test", str(test), "--train", str(train), "--kind", BLEND, "--json", home=tmp_path)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["rows"], found["trained_rows"], found["left_out"]) == (80, 40, 80)
    assert found["systems"][BLEND]["auc"] == 1
    assert not (tmp_path / "server").exists()
    shown = run("--test", str(test), "--folds", "4", "--kind", BLEND, home=tmp_path).stdout.splitlines()
    assert shown[0] == "80 rows of 40 heads (32.5% good), in 4 folds; learnt from 60 of other heads"
    assert [line.split("  ")[0] for line in shown[3:6]] == [BLEND, PRIOR, TFIDF]
    assert max(map(len, shown)) <= 150


def test_without_labels_only_what_needs_none_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text(as_tsv(judged(20)))
    done = run("--test", str(tmp_path / "f"), "--json", home=tmp_path)
    assert list(json.loads(done.stdout)["systems"]) == [
        name for name, kind in KINDS.items() if not kind.needs_verdicts
    ] + [PRIOR]
    assert not len(Reader.seen[0].verdicts)
    assert set(Reader.seen[0].corpus) == set(judged(20).triples), "as they stand: nobody says which are good"
    assert (
        "learnt from the tested triples, without their labels"
        in run("--test", str(tmp_path / "f"), home=tmp_path).output
    )
    refused = run("--test", str(tmp_path / "f"), "--kind", BLEND, home=tmp_path)
    assert isinstance(refused.exception, NotReady)
    assert "blend learns from judgements" in str(refused.exception)
    for name in [name for name, kind in KINDS.items() if not kind.needs_verdicts]:
        monkeypatch.delitem(KINDS, name)
    assert "every kind learns from judgements" in str(run("--test", str(tmp_path / "f"), home=tmp_path).exception)


def test_bad_rows_are_told_and_their_neighbours_count(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(as_ckbp(judged(40)) + "PersonX naps,xWant,to rest,maybe,c\n")
    done = run("--test", str(tmp_path / "f"), "--folds", "2", "--kind", BLEND, home=tmp_path)
    assert done.exit_code == 1
    assert "80 rows of 40 heads" in done.stdout
    assert "1 rows of" in done.stderr
    assert "line 82: label 'maybe' is not 0 or 1" in done.stderr
    (tmp_path / "f").write_text(as_ckbp(verdicts_on([])))
    assert "has no judged triple" in str(run("--test", str(tmp_path / "f"), home=tmp_path).exception)
    good = judged(40)
    (tmp_path / "f").write_text(as_tsv(Verdicts(good.triples, np.ones(80, dtype=np.bool_))))
    alike = run("--test", str(tmp_path / "f"), "--kind", LIKELIHOOD, home=tmp_path)
    assert "both kinds are needed" in str(alike.exception)


def test_test_events_are_out_where_other_splits_are_asked_for(tmp_path: Path) -> None:
    verdicts = judged(60)
    (tmp_path / "f").write_text(as_tsv(verdicts))
    (tmp_path / "corpus.tsv").write_text(
        "".join(f"{one.head}\t{one.relation}\t{one.tail}\n" for one in verdicts.triples)
    )
    options = ["--split", "train", "--split", "validation", "--corpus", str(tmp_path / "corpus.tsv")]
    done = run("--test", str(tmp_path / "f"), "--folds", "3", "--kind", BLEND, "--json", *options, home=tmp_path)
    kept = [triple for triple in verdicts.triples if split_of(head_id(triple)) != "test"]
    assert 0 < len(kept) < len(verdicts)
    assert json.loads(done.stdout)["rows"] == len(kept)
    used = {triple for given in Reader.seen for triple in (*given.corpus, *given.verdicts.triples)}
    assert used == set(kept)
