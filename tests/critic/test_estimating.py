"""How good a set of edges is, on a real Neo4j: what counts as a sample, whose verdicts count, and what is said."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from critic.estimate_report import format_estimate
from critic.estimating import Estimate, estimate_in
from kg.errors import InputError, NotFound, NotReady, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, tail_id
from kg.model import Assertion, Judgement, Triple
from kg.run import Run

Kg = Callable[..., object]
TRIPLES = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n}") for n in range(80)]
OTHERS = [Triple(f"PersonX does thing {n}", "xNeed", f"to get up {n}") for n in range(20)]
NONE = Triple("PersonX does thing 1", "xEffect", "none")
WANTS = "type(r) = 'xWant'"


@pytest.fixture
def loaded(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """A graph of 100 edges, a fact besides, with scores that rise with the number of the event."""
    graph.add([Assertion(triple) for triple in (*TRIPLES, *OTHERS, NONE)], begun)
    graph.store.run(
        "MATCH (head)-[r]->(:Phrase) SET r.score = 0.2 + toInteger(split(head.text, ' ')[3]) / 100.0, r.critic = 'c'"
    )
    return graph


def judge(
    graph: KnowledgeGraph, triples: Sequence[Triple], value: int, name: str = "ann", model: str | None = None
) -> None:
    run = Run("judgements", model=model, parameters={"of": [name, value, len(triples), str(triples[:1])]})
    with graph.running(run):
        graph.record_judgements([Judgement(triple, name, value) for triple in triples], run)
        graph.finish(run)


def draw(
    graph: KnowledgeGraph,
    chances: dict[Triple, float | None],
    *,
    edges: int,
    where: str | None = None,
    split: str | None = None,
    name: str | None = None,
) -> str:
    """Tasks as a draw leaves them in the graph."""
    run = Run("sample", dataset=name, parameters={"where": where, "split": split, "drawn": len(chances)})
    with graph.running(run):
        rows = [
            {
                "id": f"{run.id}-{place}",
                "head": head_id(one),
                "relation": one.relation,
                "tail": tail_id(one),
                "p": chance,
            }
            for place, (one, chance) in enumerate(chances.items())
        ]
        graph.store.run(
            "UNWIND $rows AS row MATCH (h:Phrase {id: row.head}), (t:Phrase {id: row.tail}) "
            "CREATE (task:Task {id: row.id, run: $run, relation: row.relation, probability: row.p}) "
            "CREATE (task)-[:HEAD]->(h) CREATE (task)-[:TAIL]->(t)",
            rows=rows, run=run.id,
        )  # fmt: skip
        graph.finish(run, edges=edges)
    return run.id


def estimate(graph: KnowledgeGraph, where: str | None = WANTS, **options: object) -> Estimate:
    found, _ = estimate_in(graph, where=where, **options)  # type: ignore[arg-type]
    return found


def test_verdicts_on_just_some_are_bounds_and_no_estimate(loaded: KnowledgeGraph) -> None:
    judge(loaded, TRIPLES[:10], 2)
    judge(loaded, TRIPLES[10:15], -1)
    found = estimate(loaded)
    assert (found.edges, found.read, found.good, found.used, found.basis) == (80, 15, 10, 0, "some")
    assert found.judged is None
    assert found.both is None
    assert found.bounds == (10 / 80, 75 / 80)
    assert found.mean == pytest.approx(0.2 + np.mean(range(80)) / 100)
    assert found.off == pytest.approx(np.mean([0.2 + n / 100 - (n < 10) for n in range(15)]))
    said = format_estimate(found)
    assert "between 12.5 % and 93.8 %, no estimate: the judged ones are no random sample" in said
    assert "40.4 points less" in said or "39.7 points less" in said


def test_verdicts_on_all_are_an_estimate_and_no_effect_is_no_edge_of_it(loaded: KnowledgeGraph) -> None:
    judge(loaded, OTHERS[:15], 1)
    judge(loaded, OTHERS[15:], -2)
    found = estimate(loaded, "type(r) IN ['xNeed', 'xEffect']")
    assert (found.edges, found.basis, found.bounds) == (20, "all", (0.75, 0.75))
    assert found.judged is not None
    assert found.judged.value == 0.75
    assert found.both is not None
    assert found.both.value == pytest.approx(0.75)


def test_a_batch_that_was_drawn_from_the_set_is_weighted_by_the_chance_of_each(loaded: KnowledgeGraph) -> None:
    low, high = TRIPLES[:60], TRIPLES[60:]
    chances: dict[Triple, float | None] = {**dict.fromkeys(low[::10], 0.1), **dict.fromkeys(high[::2], 0.5)}
    batch = draw(loaded, chances | {TRIPLES[1]: None}, edges=80, where=WANTS)  # a planted control has no chance
    judge(loaded, [*low[::20], *high[::2], TRIPLES[1]], 2)
    judge(loaded, low[10::20], -1)
    found = estimate(loaded)
    assert (found.basis, found.batches, found.read, found.used, found.note) == ("drawn", (batch,), 17, 16, "")
    assert found.judged is not None
    assert found.judged.value == pytest.approx((3 * 10 + 10 * 2) / 80)
    assert found.both is not None
    part = estimate(loaded, f"{WANTS} AND head.text >= 'PersonX does thing 6'")
    assert (part.edges, part.basis, part.used) == (24, "drawn", sum(t.head >= "PersonX does thing 6" for t in chances))


def test_a_batch_says_nothing_of_edges_that_it_could_not_draw(loaded: KnowledgeGraph) -> None:
    batch = draw(loaded, dict.fromkeys(TRIPLES[::4], 0.25), edges=80, where=WANTS)
    judge(loaded, TRIPLES[::4], 2)
    found = estimate(loaded, None)
    assert (found.edges, found.basis, found.judged) == (100, "some", None)
    assert found.why == f"batch {batch} was drawn from other edges, and 20 of these were not among them"
    with pytest.raises(InputError, match=r"is no sample of these edges: .* 20 of these were not"):
        estimate(loaded, None, batch=batch)
    with pytest.raises(NotFound, match=f"no batch is called 'sample-1'; .* are {batch}"):
        estimate(loaded, batch="sample-1")
    with pytest.raises(InputError, match="nothing of it that is among them is judged"):
        estimate(loaded, "type(r) = 'xNeed'", batch=batch)


def test_a_batch_of_one_split_is_no_sample_of_all(loaded: KnowledgeGraph) -> None:
    train = [edge.triple for edge in loaded.edges(split="train", where=WANTS)]
    draw(loaded, dict.fromkeys(train[::2], 0.5), edges=len(train), where=WANTS, split="train")
    judge(loaded, train[::2], 2)
    assert estimate(loaded).basis == "some"
    assert estimate(loaded, f"{WANTS} AND head.split = 'train'").basis == "drawn"


@pytest.mark.parametrize("poison", ["true) OR (true", "true) DETACH DELETE head //", "r.score >", 5, "x.y"])
def test_a_condition_that_came_with_a_run_is_not_believed(loaded: KnowledgeGraph, poison: object) -> None:
    draw(loaded, dict.fromkeys(TRIPLES[::4], 0.25), edges=80, where=poison)  # type: ignore[arg-type]
    judge(loaded, TRIPLES[::4], 2)
    assert estimate(loaded).basis == "some"
    assert loaded.statistics()["edges"] == 101


def test_what_makes_a_drawn_sample_less_than_one_is_said(loaded: KnowledgeGraph) -> None:
    draw(loaded, dict.fromkeys(TRIPLES[::4], 0.25), edges=70, where=WANTS)
    judge(loaded, TRIPLES[:40:4], 2)
    found = estimate(loaded)
    assert found.used == 10
    assert "10 of the 20 drawn are not judged yet, and taken to be no different" in found.note
    assert "the batch was drawn from 70 edges, where there are 80 now" in found.note
    assert found.note in format_estimate(found)


def test_several_batches_are_one_sample_and_each_counts_by_what_it_is_worth(loaded: KnowledgeGraph) -> None:
    first = draw(loaded, dict.fromkeys(TRIPLES[::8], 0.125), edges=80, where=WANTS, name="mine")
    second = draw(loaded, dict.fromkeys(TRIPLES[1::4], 0.25), edges=80, where=WANTS)
    other = draw(loaded, dict.fromkeys(OTHERS[::2], 0.5), edges=20, where="type(r) = 'xNeed'")
    judge(loaded, [*TRIPLES[::8], *OTHERS[::2]], 2)
    assert estimate(loaded).batches == (first,)
    judge(loaded, TRIPLES[1::4], -1)
    found = estimate(loaded)
    assert found.batches == (second, first), "those with the most verdicts first; another set's is none of it"
    assert other not in found.batches
    assert found.judged is not None
    assert (found.used, found.events, found.judged.value) == (30, 30, pytest.approx(10 / 30))
    assert f"30 (of 30 events) were drawn with known chances, as batches {second}, {first}" in format_estimate(found)
    assert estimate(loaded, batch=first).batches == estimate(loaded, batch="mine").batches == (first,)
    assert estimate(loaded, batch=first).judged.value == 1  # type: ignore[union-attr]
    third = draw(loaded, dict.fromkeys(TRIPLES[2::4], 0.25), edges=80, where=WANTS, name="mine")
    with pytest.raises(NotFound, match="2 batches are called 'mine'"):
        estimate(loaded, batch="mine")
    assert third != first


def test_an_unequal_batch_beside_an_equal_one_is_not_what_all_verdicts_together_say(loaded: KnowledgeGraph) -> None:
    low, high = TRIPLES[:40], TRIPLES[40:]
    draw(loaded, {**dict.fromkeys(low[::10], 0.1), **dict.fromkeys(high, 1.0)}, edges=80, where=WANTS)
    draw(loaded, dict.fromkeys([*low[1::5], *high[1::5]], 0.2), edges=80, where=WANTS)
    judge(loaded, low, 2)
    judge(loaded, high, -1)
    found = estimate(loaded)
    assert found.basis == "all"
    loaded.store.run("MATCH (j:Judgement)-[:HEAD]->(h) WHERE h.text ENDS WITH ' 3' DETACH DELETE j")
    some = estimate(loaded)
    assert (some.basis, some.used) == ("drawn", 52)
    assert some.judged is not None
    assert some.judged.value == pytest.approx(0.5), "12 of 52 are good, and half of all"


def test_those_judged_are_a_random_sample_if_the_user_says_so(loaded: KnowledgeGraph) -> None:
    judge(loaded, TRIPLES[::4], 2)
    found = estimate(loaded, at_random=True)
    assert found.basis == "as told"
    assert found.judged is not None
    assert found.judged.value == 1
    assert found.judged.interval[0] < 0.85
    assert (found.both, found.why_not_both) == (None, "it takes two verdicts that differ")
    with pytest.raises(InputError, match="leave out --at-random or --batch"):
        estimate(loaded, at_random=True, batch="x")


def test_people_outrank_machines_and_each_is_named(loaded: KnowledgeGraph) -> None:
    judge(loaded, TRIPLES, 2, name="gpt-4o")
    machines = estimate(loaded)
    assert (machines.who, machines.basis, machines.good) == ("machines", "all", 80)
    judge(loaded, TRIPLES[:20], -1)
    people = estimate(loaded)
    assert (people.who, people.basis, people.good, people.read, people.others) == ("people", "some", 0, 20, 60)
    assert "20 judged by people, 0 of these accepted; 60 more judged only by machines" in format_estimate(people)
    assert estimate(loaded, by="machines") == machines
    assert estimate(loaded, machines=["ann"], by="people").basis == "none"
    assert estimate(loaded, people=["gpt-4o"]).read == 80


def test_without_scores_only_judgements_speak(loaded: KnowledgeGraph) -> None:
    judge(loaded, TRIPLES[:40], 2)
    judge(loaded, TRIPLES[40:], -1)
    loaded.store.run("MATCH (head)-[r:xWant]->() WHERE head.text ENDS WITH '7' REMOVE r.score")
    some = estimate(loaded)
    assert (some.scored, some.both, some.why_not_both) == (72, None, "8 edges have no score; run kg critic score")
    loaded.store.run("MATCH ()-[r]->() REMOVE r.score")
    found = estimate(loaded)
    assert (found.mean, found.off, found.scored) == (None, None, 0)
    assert found.judged is not None
    assert found.judged.value == 0.5
    assert format_estimate(found).count("no edge has a score; run kg critic score") == 2


def test_the_scores_are_those_of_the_current_critic(loaded: KnowledgeGraph) -> None:
    loaded.record_critic("new")
    assert (estimate(loaded).scored, estimate(loaded).critic) == (0, "new")
    loaded.store.run("MATCH ()-[r:xWant]->() SET r.scores = ['0.25 new']")
    assert estimate(loaded).mean == pytest.approx(0.25)


def test_nothing_to_estimate_and_a_condition_that_writes_are_refused(loaded: KnowledgeGraph) -> None:
    with pytest.raises(NotReady, match="no edge with a tail to estimate that meets the condition"):
        estimate(loaded, "r.score > 2")
    with pytest.raises(UnsafeQuery):
        estimate(loaded, "true) SET r.score = 1 //")


@pytest.mark.usefixtures("loaded")
def test_the_command_says_which_evidence_there_is(kg: Kg, tmp_path: Path) -> None:
    rows = ["head\trelation\ttail\tannotator\tvalue"]
    rows += [f"{t.head}\txWant\t{t.tail}\tann\t{2 if n % 3 else -1}" for n, t in enumerate(TRIPLES[::2])]
    (tmp_path / "verdicts.tsv").write_text("\n".join(rows), encoding="utf-8")
    kg("critic", "import-judgements", "verdicts.tsv")
    said = kg("critic", "estimate", "--where", WANTS).stdout  # type: ignore[attr-defined]
    assert said.splitlines()[0] == "80 edges; 40 judged by people, 26 of these accepted"
    assert "no estimate" in said
    random = kg("critic", "estimate", "--where", WANTS, "--at-random").stdout  # type: ignore[attr-defined]
    assert "65.0 % (49.5 to 77.9); the judged ones are a random sample, as you say" in random
    assert "(prediction-powered inference)" in random
    told = kg("critic", "estimate", "--where", WANTS, "--at-random", "--json").stdout  # type: ignore[attr-defined]
    found = json.loads(told)
    assert found["judged"]["value"] == 0.65
    assert 0.4 < found["both"]["interval"][0] < found["both"]["value"] < found["both"]["interval"][1] < 0.9
    assert "Note:" in kg("critic", "estimate", "--where", "r.scoore IS NULL").stderr  # type: ignore[attr-defined]
    refused = kg("critic", "estimate", "--where", "COUNT { LOAD CSV FROM 'file:///x' AS l RETURN l } > 0", status=1)
    assert "LOAD CSV" in refused.stderr  # type: ignore[attr-defined]
