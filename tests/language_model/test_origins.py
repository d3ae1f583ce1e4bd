"""Gemma's terms follow its texts into whatever learns from them."""

import json
from pathlib import Path

import pytest

from critic.runs import train_critic
from kg.distill import training_of
from kg.encoder import Encoder
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.origins import origin_of_run, origin_of_triples
from kg.language_model.terms import NOTICE, refuse_to_publish_without
from kg.language_model.weights import TERMS
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.store import queries
from kg.store.queries import Query
from kg.workspace import Workspace
from student.files import read_manifest
from student.runs import open_student, predict, train_student

TRIPLES = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n}") for n in range(160)]


def write(graph: KnowledgeGraph, model: str, triples: list[Triple], **parameters: object) -> Run:
    run = Run("load", model=model, dataset="texts", parameters=parameters)
    with graph.running(run):
        graph.add([Assertion(triple) for triple in triples], run)
        graph.finish(run)
    return run


def test_one_triple_that_gemma_wrote_is_enough(graph: KnowledgeGraph) -> None:
    write(graph, "gpt-4o", TRIPLES[:100])
    assert origin_of_triples(graph, TRIPLES) is None
    run = write(graph, "google/gemma-3-270m", TRIPLES[99:])
    assert origin_of_run(graph.run(run.id)) == "gemma"
    assert origin_of_triples(graph, TRIPLES[99:100]) == "gemma"  # which both wrote
    assert origin_of_triples(graph, TRIPLES[:99]) is None
    graph.undo(run.id)
    assert origin_of_triples(graph, TRIPLES) is None


def test_a_run_may_say_so_whatever_its_model_is_called(graph: KnowledgeGraph) -> None:
    write(graph, "a student", TRIPLES[:2], derived_from="gemma")
    write(graph, "another", TRIPLES[2:4], derived_from=["?"])
    assert origin_of_triples(graph, TRIPLES[:1]) == "gemma"
    assert origin_of_triples(graph, TRIPLES[2:4]) is None


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("teacher", ["gemma-3-270m", "gpt-4o"])
def test_students_critics_and_what_they_write_carry_the_origin_of_their_texts(
    teacher: str, graph: KnowledgeGraph, workspace: Workspace
) -> None:
    is_derived = teacher.startswith("gemma")
    write(graph, teacher, TRIPLES)
    judgements = Run("judgements", dataset="verdicts")
    with graph.running(judgements):
        graph.record_judgements(
            [Judgement(triple, "me", 2 if n % 2 else -1) for n, triple in enumerate(TRIPLES)], judgements
        )
        graph.finish(judgements)
    encoder = Encoder(None, workspace.folder("embeddings"))
    student = train_student(graph, workspace, "ranker", queries.load("training").where("true"), encoder, epochs=1)
    folders = [student.folder]
    check(student.folder, is_derived=is_derived)
    assert (read_manifest(student.folder).get("derived_from") == "gemma") == is_derived
    run, _ = predict(graph, open_student(graph, workspace, student.id)[1], student.id, count=1)
    assert (origin_of_run(graph.run(run.id)) == "gemma") == is_derived
    critic_folder = train_critic(graph, workspace, encoder).folder
    check(critic_folder, is_derived=is_derived)
    folders.append(critic_folder)
    for folder in folders:
        refuse_to_publish_without(folder)


@pytest.mark.usefixtures("fake")
def test_a_student_is_derived_from_what_the_runs_wrote_that_its_query_selects_alone(
    graph: KnowledgeGraph, workspace: Workspace
) -> None:
    free = write(graph, "gpt-4o", TRIPLES[:100]).id
    bound = write(graph, "google/gemma-3-270m", TRIPLES[50:]).id  # which wrote half of the other's, too
    all_of_it = queries.load("training").where
    encoder = Encoder(None, workspace.folder("embeddings"))
    for query, runs in (
        (training_of([free], raw=True), {free}),
        (training_of([bound], raw=True), {bound}),
        (training_of([bound, free], raw=True), {free, bound}),
        (all_of_it(f'"{free}" IN r.runs'), {free}),
        (all_of_it(f"NOT '{bound}' IN r.runs"), {free}),
        (all_of_it(f'NOT "{free}" IN r.runs'), {bound}),
        (all_of_it("true"), {free, bound}),
    ):
        manifest = read_manifest(train_student(graph, workspace, "ranker", query, encoder, epochs=1).folder)
        assert (set(manifest["runs"]), "derived_from" in manifest) == (runs, bound in runs), query.text


@pytest.mark.usefixtures("fake")
def test_a_query_that_does_not_say_whose_its_triples_are_is_asked_of_all_that_wrote_them(
    graph: KnowledgeGraph, workspace: Workspace
) -> None:
    write(graph, "gpt-4o", TRIPLES[:100])
    write(graph, "google/gemma-3-270m", TRIPLES[50:])
    query = Query("mine", "MATCH (h:Event {split: 'train'})-[r:xWant]->(t) "
                  "RETURN h.text AS head, type(r) AS relation, t.text AS tail, size(r.runs) AS runs")  # fmt: skip
    encoder = Encoder(None, workspace.folder("embeddings"))
    manifest = read_manifest(train_student(graph, workspace, "ranker", query, encoder, epochs=1).folder)
    assert ("runs" in manifest, manifest["derived_from"]) == (False, "gemma")


def check(folder: Path, *, is_derived: bool) -> None:
    assert (json.loads((folder / "manifest.json").read_text()).get("derived_from") == "gemma") == is_derived
    assert [(folder / name).exists() for name in (NOTICE, TERMS)] == [is_derived, is_derived]
