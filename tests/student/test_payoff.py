"""The benchmark that asks whether distillation pays, on a toy: its lessons, its legs, and what its tables claim."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from critic.acceptance import RECALLS
from kg.identity import head_id
from kg.model import Judgement, Split, Triple
from kg.readings import STARTER
from kg.vocabulary import Vocabulary
from student.interface import Prediction
from student.metrics.comet import bleu_2
from student.metrics.files import Answer
from tests.benchmarks import lessons, payoff
from tests.benchmarks.atomic import WRONG, corrupted, of_atomic, of_beams, prefixes, read_atomic, table_of_comet
from tests.benchmarks.lessons import CEILING, RAW, WEIGHTED, Class, Lesson, Measured, World, difference, filtered, share
from tests.benchmarks.payoff import of_starter, table_of_readings, verdicts
from tests.readings import sets_of
from tests.student.conftest import fake_encode

ACCEPTED = "accepted at recall 0.5"
WORDS = ("nap", "rest", "sleep", "doze", "snooze")


@pytest.fixture(scope="module")
def world() -> World:
    """Sixty events with a good and a bad tail each, which a critic can tell apart by the tail."""
    triples = [
        Triple(f"PersonX does thing {n}", "xWant", f"{'to' if good else 'the'} {WORDS[n % 5]}")
        for n in range(60)
        for good in (True, False)
    ]
    splits: dict[str, Split] = {
        head_id(one): "validation" if n // 2 % 6 == 0 else "train" for n, one in enumerate(triples)
    }
    truth = {one: one.tail.startswith("to ") for one in triples}
    judgements = [Judgement(one, "ann", 2 if is_good else -1) for one, is_good in truth.items()]
    mine = [one for one in triples if splits[head_id(one)] == "train"]
    return World(mine, {one: truth[one] for one in mine}, judgements, splits, Vocabulary.load("skd"))


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Class:
    folder = tmp_path_factory.mktemp("payoff")
    return Class(folder, Vocabulary.load("skd"), fake_encode, None, 1, 2, (RAW, ACCEPTED, WEIGHTED))


def test_lessons_are_what_passes_at_each_recall_and_what_is_truly_good(world: World, students: Class) -> None:
    found = filtered(students.folder, world, "kernel", fake_encode, "fake")
    filters = [f"accepted at recall {one:g}" for one in sorted(RECALLS, reverse=True)]
    names = [RAW, *filters, f"{filters[-1]} and weighted", WEIGHTED, CEILING]
    assert [one.name for one in found.lessons] == names
    sizes = [len(one.triples) for one in found.lessons[1:-2]]
    assert found.lessons[-3].triples == found.lessons[-4].triples
    assert set(found.lessons[-3].weights) == set(found.lessons[-3].triples)
    assert sizes == sorted(sizes, reverse=True)
    by_name = {one.name: one for one in found.lessons}
    assert set(by_name[CEILING].triples) == {one for one in world.triples if world.truth[one]}
    weights = by_name[WEIGHTED].weights
    means = [np.mean([weights[one] for one in world.triples if world.truth[one] == good]) for good in (True, False)]
    assert means[0] > means[1] + 0.3
    assert found.fresh == set(world.truth)
    blend = filtered(students.folder, world, "blend", fake_encode, "fake")
    assert 0 < len(blend.fresh) < len(found.fresh), "what taught the critic says nothing of how good it is"


class Parrot:
    """A student that says the same to everybody."""

    relations = ("xWant",)

    def predict(self, pairs: Sequence[tuple[str, str]], count: int) -> list[list[Prediction]]:
        return [[Prediction("to rest", -1.0)] * count for _ in pairs]


def test_a_benchmark_that_was_ended_goes_on_with_the_leg_that_is_missing(
    world: World, students: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    limit = 3

    def train(kind: str, _triples: object, _vocabulary: object, folder: Path, **options: Any) -> Parrot:
        assert (kind, bool(options["weights"])) == ("generator", options["objective"].weight == "score")
        if len(trained) == limit:
            raise KeyboardInterrupt
        folder.mkdir()
        trained.append(options["manifest"]["lesson"])
        return Parrot()

    monkeypatch.setattr(lessons.checkpoint, "train_checkpoint", train)
    asked = [("PersonX does nothing", "xWant"), ("PersonX does all", "xWant")]
    with pytest.raises(KeyboardInterrupt):
        of_starter(students, world, asked, "kernel", "fake", {})
    assert trained == [RAW, ACCEPTED, WEIGHTED]
    before = sorted(students.folder.glob("*.jsonl"))
    partly = of_starter(students._replace(train=False), world, asked, "kernel", "fake", {})
    assert f"| {RAW} | 100 | 2 | 0 | not judged: between 0.0% and 100.0%" in partly
    limit = 6
    whole = of_starter(students, world, asked, "kernel", "fake", {})
    assert f"| {RAW} | 100 | 4 | 0 |" in whole
    legs = sorted(students.folder.glob("*.jsonl"))
    assert len(legs) == 6
    assert set(before) < set(legs)
    assert not [path for path in students.folder.iterdir() if path.is_dir() and path.name != "run"]
    sets = sets_of(students.folder / "run")
    assert {name.split(", ")[1] for name in sets} == {RAW, ACCEPTED, WEIGHTED}
    assert all(len(rows) == 2 for rows in sets.values())
    assert trained == 2 * [RAW, ACCEPTED, WEIGHTED]
    assert of_starter(students, world, asked, "kernel", "fake", {}) == whole


def said(good: int, of: int) -> list[Triple]:
    return [Triple(f"PersonX does thing {n}", "xWant", "good" if n < good else "bad") for n in range(of)]


def test_a_share_is_claimed_only_where_all_is_read(world: World) -> None:
    learnt = [Lesson(name, world.triples, {}) for name in (RAW, ACCEPTED, WEIGHTED, CEILING)]
    tails = {
        RAW: said(20, 40),
        ACCEPTED: said(30, 40),
        WEIGHTED: said(32, 40),
        CEILING: [*said(30, 40), Triple("PersonX", "xWant", "unread")],
    }
    known = {one: one.tail == "good" for some in tails.values() for one in some if one.tail != "unread"}
    raw, accepted, weighted, ceiling = table_of_readings(learnt, tails, known).splitlines()[2:6]
    assert "| 40 | 40 | 50.0% (" in raw
    assert raw.endswith("|  |  |")
    assert "| 75.0% (" in accepted
    assert "| +25.0 (" in accepted
    assert "| +5.0 (" in accepted
    assert "| +30.0 (" in weighted
    assert "| 41 | 40 | not judged: between 73.2% and 75.6% (" in ceiling
    assert ceiling.endswith("| not judged |  |")


def test_intervals_are_over_events_and_of_both_means_at_once() -> None:
    alike = [Triple(f"PersonX does thing {n // 10}", "xWant", str(n)) for n in range(100)]
    apart = [Triple(f"PersonX does thing {n}", "xWant", str(n)) for n in range(100)]
    values = [n // 10 % 2 for n in range(100)]
    (mean, wide), (same, narrow) = share(Measured(values, alike)), share(Measured(values, apart))
    assert mean == same == 0.5
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert difference(Measured(values, alike), Measured(values, alike)) == (0, (0, 0))
    moved, (low, high) = difference(Measured([1] * 100, apart), Measured(values, apart))
    assert moved == 0.5
    assert low < 0.5 < high
    assert low == pytest.approx(1 - narrow[1])


def test_verdicts_of_the_corpus_and_of_earlier_sheets_count_by_text() -> None:
    known = verdicts()
    first = next(line.split("\t") for line in (STARTER / "readings.tsv").read_text(encoding="utf-8").splitlines()[1:])
    assert known[Triple(*first[:3])] == (int(first[4].split()[0]) > 0)
    trials = payoff.DATA / "trials"
    (path,) = trials.rglob("first-tails.tsv")
    rows = [line.split("\t")[2:] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert sum(Triple(*row) in known for row in rows) == 2016


def test_the_starter_world_has_nothing_of_test_events_but_the_pairs_that_are_asked() -> None:
    world, pairs = payoff.starter()
    assert len(pairs) == 336
    assert not {pair[0] for pair in pairs} & {one.head for one in world.triples}
    assert not {pair[0] for pair in pairs} & {one.triple.head for one in world.judgements}
    assert len(world.triples) == len(world.truth), "every tail of the weak teacher was judged"


TRUE = [Triple(f"PersonX does thing {n}", name, f"{name} {n % 40}") for n in range(200) for name in ("xWant", "xAttr")]
NONE = Triple("PersonX does thing 0", "oWant", "none")


def test_a_teacher_is_made_wrong_by_tails_of_other_events_and_relations() -> None:
    world = corrupted([*TRUE, NONE], 10**9, 150)
    bad = [one for one, is_good in world.truth.items() if not is_good]
    assert len(bad) / len(world.truth) == pytest.approx(WRONG, abs=0.05)
    assert all(not one.tail.startswith(one.relation) for one in bad)
    assert all(one in TRUE for one, is_good in world.truth.items() if is_good)
    assert NONE not in world.truth
    assert len(world.judgements) == 150
    assert {one.annotator for one in world.judgements} == {"corruption"}
    assert all(world.truth.get(one.triple, one.is_good) == one.is_good for one in world.judgements)
    assert set(world.splits.values()) == {"train", "validation"}
    assert {world.splits[head_id(one)] for one in world.triples} == {"train"}
    assert corrupted([*TRUE, NONE], 10**9, 150)[:-1] == world[:-1]
    assert 30 <= len(corrupted(TRUE, 30, 20).splits) * 2 <= 32


def test_students_of_a_corrupted_teacher_are_measured_by_the_protocol_of_comet(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small is None
    monkeypatch.setattr("tests.benchmarks.atomic.BEAMS", 2)
    (tmp_path / "dev.tsv").write_text(
        "PersonX does it\txWant\tto rest\nPersonX does it\txWant\tto nap\nPersonX does it\txAttr\tnone\n"
    )
    asked = prefixes(read_atomic(tmp_path / "dev.tsv"), 10)
    assert asked == [(("PersonX does it", "xAttr"), ("none",)), (("PersonX does it", "xWant"), ("to rest", "to nap"))]
    world = corrupted(TRUE[:120], 10**9, 60)
    taught = Class(tmp_path, world.vocabulary, fake_encode, None, 1, 1, (RAW, CEILING))
    filter_, comet = of_atomic(taught, world, asked, "kernel", "fake").split("\n\n")[:2]
    assert f"| {RAW} | {len(world.triples)} | 100% |" in filter_
    assert [line.split(" | ")[0] for line in comet.splitlines()[2:]] == [f"| {RAW}", f"| {CEILING}"]


def test_bleu_is_that_of_the_protocol() -> None:
    answers = [
        Answer("a", "xWant", "to go", ("to go", "to rest"), ("to go home", "to rest")),
        Answer("b", "xWant", "to nap", ("to nap", "a nap"), ("none",)),
        Answer("c", "xAttr", "kind", ("kind", "good"), ("kind",)),
        Answer("d", "xWant", "to nap", ("to nap", "a nap"), ("to nap", "none", "to sleep")),
    ]
    mean, _ = share(of_beams([answers]))
    assert mean == pytest.approx(bleu_2(answers)["beams"])
    assert f"{100 * mean:.2f}" in table_of_comet([Lesson(RAW, TRUE, {})], {RAW: [(answers, 3.0)]})
