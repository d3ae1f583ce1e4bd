"""Who is a machine, on a real Neo4j, and what `kg critic agreement` makes of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from critic.agreement import agreement_in
from critic.judgements import import_judgements
from critic.machines import machines_among, people_first
from kg.errors import InputError, NotFound, NotReady, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Judgement, Triple
from kg.recorded import TEACHERS
from kg.run import Run
from kg.workspace import Workspace

Kg = Callable[..., object]
TRIPLES = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n}") for n in range(12)]


def record(graph: KnowledgeGraph, model: str | None, *names: str, value: int = 2) -> Run:
    run = Run("judgements", model=model, parameters={"of": [*names, value]})
    with graph.running(run):
        graph.record_judgements([Judgement(triple, name, value) for name in names for triple in TRIPLES], run)
        graph.finish(run)
    return run


def test_a_model_that_judged_is_a_machine_whatever_its_name(graph: KnowledgeGraph) -> None:
    record(graph, None, "ann", "ben")
    run = record(graph, "some/model", "careful")
    assert machines_among(graph) == {"careful": "Judged by the model some/model"}
    graph.undo(run.id)
    assert machines_among(graph) == {}


def test_a_person_of_a_machines_name_is_not_counted_as_a_person(graph: KnowledgeGraph) -> None:
    record(graph, "some/model", "ann", value=-2)
    record(graph, None, "ann")
    assert list(machines_among(graph)) == ["ann"]


@pytest.mark.parametrize("teacher", TEACHERS.values(), ids=list(TEACHERS))
def test_the_readers_of_the_starter_corpus_are_machines_by_their_file(
    graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path, teacher: object
) -> None:
    file = tmp_path / "renamed.tsv"
    file.write_bytes(Path(teacher.judgements).read_bytes())  # type: ignore[attr-defined]
    import_judgements(graph, workspace, file)
    record(graph, None, "ann")
    found = machines_among(graph)
    assert len(found) >= 4
    assert found.keys() == graph.annotators().keys() - {"ann"}
    assert set(found.values()) == {"Readers of the starter corpus"}


def test_what_the_user_says_of_a_name_holds(graph: KnowledgeGraph) -> None:
    record(graph, None, "Gemma", "reader9", "ann")
    assert list(machines_among(graph)) == ["Gemma"]
    assert list(machines_among(graph, machines=["reader9"], people=["Gemma"])) == ["reader9"]
    with pytest.raises(NotFound, match="no annotator 'rita'; there are Gemma, ann, reader9"):
        machines_among(graph, machines=["rita"])
    with pytest.raises(InputError, match="'ann' is given as a machine and as a person"):
        machines_among(graph, machines=["ann"], people=["ann"])


def test_a_machine_has_no_say_where_people_judged(graph: KnowledgeGraph) -> None:
    record(graph, "some/model", "careful", "patient", value=-2)
    person = Judgement(TRIPLES[3], "ann", 2)
    run = Run("judgements")
    with graph.running(run):
        graph.record_judgements([person], run)
        graph.finish(run)
    found = people_first(graph)
    assert [one for one in found if one.triple == TRIPLES[3]] == [person]
    assert len(found) == 1 + 2 * (len(TRIPLES) - 1)


def test_a_condition_chooses_whose_judgements_count(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(triple) for triple in TRIPLES[:8]], begun)
    record(graph, None, "ann", "ben")
    every, _ = agreement_in(graph)
    some, notes = agreement_in(graph, where="tail.text <> 'to rest 3'")
    assert (every.people.triples, some.people.triples, notes) == (12, 7, [])
    with pytest.raises(UnsafeQuery):
        agreement_in(graph, where="true) DETACH DELETE head //")
    with pytest.raises(NotReady, match="of an edge that the condition leaves"):
        agreement_in(graph, where="r.score > 2")


def test_without_judgements_it_is_said_how_to_get_some(graph: KnowledgeGraph) -> None:
    with pytest.raises(NotReady, match="there is no judgement; bring some with kg critic import-judgements FILE"):
        agreement_in(graph)


def test_the_command_tells_people_from_machines(kg: Kg, graph: KnowledgeGraph, begun: Run, tmp_path: Path) -> None:
    graph.add([Assertion(triple) for triple in TRIPLES], begun)
    rows = ["head\trelation\ttail\tannotator\tvalue"]
    for number, triple in enumerate(TRIPLES):
        verdicts = {"ann": 2 if number < 6 else -1, "ben": 1 if number < 7 else -2, "gpt-4o": 2, "x\x1b[2J": -9}
        rows += [f"{triple.head}\txWant\t{triple.tail}\t{name}\t{value}" for name, value in verdicts.items()]
    (tmp_path / "verdicts.tsv").write_text("\n".join(rows), encoding="utf-8")
    kg("critic", "import-judgements", "verdicts.tsv")
    said = kg("critic", "agreement").stdout  # type: ignore[attr-defined]
    assert "People: 3 annotators, 36 judgements of 12 triples (12 unfamiliar); two or more judged 12" in said
    assert "Machines by their names: gpt-4o" in said
    assert "\x1b" not in said
    assert "x\\x1b[2J" in said
    told = kg("critic", "agreement", "--machine", "x\x1b[2J", "--json").stdout  # type: ignore[attr-defined]
    found = json.loads(told)
    assert [row["annotator"] for row in found["people"]["annotators"]] == ["ann", "ben"]
    assert found["people"]["reliability"]["pairwise"]["value"] == pytest.approx(11 / 12)
    assert found["people"]["majority"] == {"accepted": 6, "rejected": 5, "tied": 1, "unfamiliar": 0}
    gpt = next(row for row in found["with_people"] if row["annotator"] == "gpt-4o")
    assert (gpt["triples"], gpt["bias"]["value"]) == (11, pytest.approx(5 / 11))
    assert "Note:" in kg("critic", "agreement", "--where", "r.scoore IS NULL").stderr  # type: ignore[attr-defined]
    assert "only reading" in kg("critic", "agreement", "--where", "COUNT { CALL db.labels() RETURN 1 } > 0 SET r.x = 1",
                                status=1).stderr  # type: ignore[attr-defined]  # fmt: skip
