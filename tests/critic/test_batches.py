"""Batches drawn from a real graph: of one split, with the probabilities that they had, and controls planted."""

import inspect
import json

import pytest

from critic.batches import draw_batch
from critic.ways import DEFAULT_SPLIT, WAYS
from kg.cli import evaluate_student
from kg.errors import InputError, NotFound, NotReady, UnsafeQuery
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Task
from kg.identity import head_id, tail_id
from kg.model import Acceptance, Assertion, Judgement, Split, Triple
from kg.run import Run
from kg.snapshot.hashing import hash_graph
from kg.store import queries
from tests.conftest import Kg

Ends = tuple[str, str, str]


def triples(split: str, count: int, relation: str = "xWant") -> list[Triple]:
    return [Triple(f"PersonX does {split} {number}", relation, f"to do {split} {number}") for number in range(count)]


def ends(triple: Triple) -> Ends:
    return head_id(triple), triple.relation, tail_id(triple)


def drawn(graph: KnowledgeGraph, batch: str, control: str | None = None) -> set[Ends]:
    rows = graph.task_rows(batch)
    return {(row["head"], row["relation"], row["tail"]) for row in rows if row["control"] == control}


def critic(graph: KnowledgeGraph, name: str, scores: dict[Triple, float]) -> None:
    run = Run("train-critic", model=name)
    graph.begin(run)
    graph.record_critic(name, run=run.id)
    graph.finish(run, critic=name)
    acceptance = Acceptance(f"acceptance-{name}", name, 0.8, {"0.8": {"*": 0.5}})
    graph.record_acceptance(acceptance)
    graph.record_scores(name, lambda asked: [scores[one] for one in asked], acceptance)


@pytest.fixture
def loaded(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """A graph with 40 edges of test events and 60 of others, and some that say "no effect"."""
    splits: tuple[tuple[Split, int], ...] = (("train", 40), ("validation", 20), ("test", 40))
    for split, count in splits:
        graph.add([Assertion(one, split=split) for one in triples(split, count)], begun)
        graph.add([Assertion(Triple(f"PersonX does {split} 0", "xEffect", "none"))], begun)
    graph.finish(begun)
    return graph


def test_what_is_judged_evaluated_and_asked_for_is_of_one_split_by_default() -> None:
    evaluated = inspect.signature(evaluate_student).parameters["split"].default
    assert {DEFAULT_SPLIT, evaluated, queries.load("to_judge").defaults["split"]} == {"test"}


@pytest.mark.parametrize("way", ["random", "stratified"])
def test_a_batch_is_of_its_split_with_the_probability_of_each(loaded: KnowledgeGraph, way: str) -> None:
    batch = draw_batch(loaded, size=10, way=way, per_triple=3)
    rows = loaded.task_rows(batch.run)
    assert drawn(loaded, batch.run) < {ends(one) for one in triples("test", 40)}
    assert [(row["probability"], row["wanted"], row["control"]) for row in rows] == [(0.25, 3, None)] * 10
    assert sorted(row["place"] for row in rows) == list(range(10))
    assert (batch.edges, batch.probabilities, loaded.run(batch.run)["edges"]) == (40, (0.25, 0.25), 40)
    other = draw_batch(loaded, size=50, way=way, split="validation")
    assert drawn(loaded, other.run) == {ends(one) for one in triples("validation", 20)}


def test_a_condition_narrows_what_is_drawn_from(loaded: KnowledgeGraph) -> None:
    batch = draw_batch(loaded, size=50, where="head.text ENDS WITH '1'")
    assert (batch.edges, batch.tasks) == (4, 4)
    with pytest.raises(NotReady, match="no edge of a test event that meets the condition with a tail"):
        draw_batch(loaded, size=5, where="r.predicted")
    with pytest.raises(UnsafeQuery):
        draw_batch(loaded, size=5, where="true) SET r.score = 1 //")
    with pytest.raises(UnsafeQuery):
        draw_batch(loaded, size=5, where="COUNT { LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l } > 0")


def test_drawing_the_same_again_changes_nothing(loaded: KnowledgeGraph) -> None:
    one = draw_batch(loaded, size=10)
    before = hash_graph(loaded)
    again = draw_batch(loaded, size=10)
    assert (one.new, again.run, again.new) == (True, one.run, False)
    assert hash_graph(loaded) == before
    assert draw_batch(loaded, size=10, seed=1).run != one.run


def test_what_anybody_judged_is_drawn_but_not_chosen(loaded: KnowledgeGraph) -> None:
    every = triples("test", 40) + triples("train", 40) + triples("validation", 20)
    critic(loaded, "critic-1", {one: place % 10 / 10 for place, one in enumerate(every)})
    people = Run("judgements", dataset="people")
    loaded.begin(people)
    nearest = [one for place, one in enumerate(triples("test", 40)) if place % 10 == 5]
    loaded.record_judgements([Judgement(nearest[0], "ann", 2)], people)
    batch = draw_batch(loaded, size=3, way="uncertain")
    assert drawn(loaded, batch.run) == {ends(one) for one in nearest[1:]}
    assert (batch.edges, batch.probabilities) == (None, None)
    assert {row["probability"] for row in loaded.task_rows(batch.run)} == {None}
    assert ends(nearest[0]) in drawn(loaded, draw_batch(loaded, size=40).run)


def test_two_critics_disagree_those_that_were_current_last_or_those_that_are_named(loaded: KnowledgeGraph) -> None:
    every = triples("test", 40) + triples("train", 40) + triples("validation", 20)
    for number in range(3):
        critic(loaded, f"critic-{number}", {one: float(place == number) for place, one in enumerate(every)})
        if not number:
            with pytest.raises(NotReady, match="two critics"):
                draw_batch(loaded, size=2, way="critics")
    last = draw_batch(loaded, size=2, way="critics")
    assert drawn(loaded, last.run) == {ends(one) for one in every[1:3]}
    named = draw_batch(loaded, size=2, way="critics", critics=("critic-0", "critic-2"))
    assert drawn(loaded, named.run) == {ends(every[0]), ends(every[2])}
    with pytest.raises(NotFound, match="critic-9"):
        draw_batch(loaded, size=2, way="critics", critics=("critic-0", "critic-9"))
    for way, pair in (("critics", ("critic-0", "critic-0")), ("random", ("critic-0", "critic-1"))):
        with pytest.raises(InputError):
            draw_batch(loaded, size=2, way=way, critics=pair)


@pytest.mark.parametrize("way", ["uncertain", "teacher-student"])
def test_where_there_is_nothing_to_choose_from_the_next_step_is_named(loaded: KnowledgeGraph, way: str) -> None:
    with pytest.raises(NotReady, match="kg critic score"):
        draw_batch(loaded, size=2, way=way)
    assert loaded.statistics()["tasks"] == 0
    assert [run["kind"] for run in loaded.runs()] == ["load"]


def test_controls_are_planted_and_nobody_who_judges_can_tell(loaded: KnowledgeGraph) -> None:
    people = Run("judgements", dataset="people")
    loaded.begin(people)
    good, bad = triples("test", 40)[:10], triples("test", 40)[10:20]
    given = [Judgement(one, "bob", value) for value, some in ((2, good), (-1, bad)) for one in some]
    loaded.record_judgements([*given, *(Judgement(one, "bob", 2) for one in triples("train", 40))], people)
    batch = draw_batch(loaded, size=20, controls=True)
    gold, other = drawn(loaded, batch.run, "gold"), drawn(loaded, batch.run, "other")
    assert (batch.tasks, batch.gold, batch.other, len(gold), len(other)) == (22, 1, 1, 1, 1)
    assert gold < {ends(one) for one in good} - drawn(loaded, batch.run)
    (crossed,) = other
    known = {ends(one) for one in triples("test", 40)}
    assert crossed not in known
    assert crossed[0] in {head for head, *_ in known}
    assert crossed[2] in {tail for *_, tail in known}
    given_to_ann = []
    while task := tasks.next_task(loaded, batch.run, "ann"):
        given_to_ann.append(task)
        tasks.give_verdict(loaded, task.id, "ann", 1)
    assert {ends(task.triple) for task in given_to_ann} >= gold | other
    assert set(Task.__slots__) == {"id", "batch", "triple"}
    assert {row["probability"] for row in loaded.task_rows(batch.run) if row["control"]} == {None}


def test_controls_are_as_many_as_there_may_be(loaded: KnowledgeGraph) -> None:
    batch = draw_batch(loaded, size=40, controls=True)
    assert (batch.gold, batch.other) == (0, 2)
    alone = draw_batch(loaded, size=40, controls=True, where="head.text ENDS WITH 'test 7'")
    assert (alone.tasks, alone.gold, alone.other) == (1, 0, 0)


def test_the_command_says_split_probability_and_what_can_be_learnt(loaded: KnowledgeGraph, kg: Kg) -> None:
    said = kg("critic", "sample", "--size", "10", "--controls", "--name", "first").stdout
    batch = tasks.find_batch(loaded, "first")["id"]
    assert f"11 tasks, 0 judged good and 1 tails of other events planted among them, in batch {batch}\n" in said
    assert "All are about test events, as is what kg student evaluate and kg query to_judge take." in said
    assert "drawn (random) from 40 edges, each with a probability of 0.25" in said
    assert f"kg critic judge --batch {batch}" in said
    assert "(nothing new)" in kg("critic", "sample", "--size", "10", "--controls", "--name", "first").stdout
    every = triples("test", 40) + triples("train", 40) + triples("validation", 20)
    critic(loaded, "critic-1", dict.fromkeys(every, 0.5))
    chosen = kg("critic", "sample", "--size", "5", "--from", "uncertain", "--split", "validation").stdout
    assert "All are about validation events, as is what kg student evaluate and kg query to_judge take with" in chosen
    assert "no unbiased estimate" in chosen
    counts = json.loads(kg("stats", "--json").stdout)
    assert counts["tasks"] == 16
    kg("runs", "undo", batch, "--yes")
    assert json.loads(kg("stats", "--json").stdout)["tasks"] == 5
    assert set(WAYS) == {"random", "stratified", "uncertain", "teacher-student", "critics"}
