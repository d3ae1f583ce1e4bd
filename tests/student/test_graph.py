"""A student between export and predicted edges, on a real Neo4j."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kg.errors import InputError, NotReady, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.model import NOTHING, Assertion, Split, Triple
from kg.run import Run
from kg.store import queries
from kg.store.queries import Query
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from student import runs
from student.checkpoint import load
from student.data import select
from student.interface import Student
from student.kinds import KINDS
from student.runs import predict
from tests.apart import apart
from tests.student.conftest import fake_encode

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]

EVERY = queries.load("training").where("true")


def put(graph: KnowledgeGraph, run: Run, triples: list[Triple], split: Split) -> None:
    graph.add([Assertion(triple, split=split) for triple in triples], run)


def test_selected_triples_come_with_a_manifest(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    put(graph, begun, [*eight, Triple(eight[0].head, "xEffect", NOTHING)], "train")
    put(graph, begun, [Triple("PersonX is held out", "xWant", "to rest")], "test")
    data = select(graph, EVERY)
    assert sorted(data.triples) == sorted(eight)
    manifest = data.manifest
    assert manifest["cypher"] == EVERY.text
    assert (manifest["lang"], manifest["triples"], manifest["events"]) == ("en", 8, 4)
    assert manifest["relations"] == ["xReact", "xWant"]
    assert select(graph, EVERY) == data


def test_nothing_is_selected_where_it_is_wanted(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    nothing = Triple(eight[0].head, "xEffect", NOTHING)
    put(graph, begun, [*eight, nothing], "train")
    query = queries.load("training_nothing")
    assert sorted(select(graph, query.where("true"), nothing=True).triples) == sorted([*eight, nothing])
    assert sorted(select(graph, query.where("true")).triples) == sorted(eight)
    with pytest.raises(NotReady, match="no triple to train on"):
        select(graph, query, nothing=True)  # no phrase is accepted yet
    with pytest.raises(
        InputError, match=r"write a condition that lets it through, such as \(r.accepted OR tail:Nothing"
    ):
        select(graph, query.where("r.score > 0.9 OR tail:Phrase"), nothing=True)


def test_the_content_hash_follows_the_triples(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    put(graph, begun, eight[:7], "train")
    before = select(graph, EVERY).manifest["content_hash"]
    put(graph, begun, eight[7:], "train")
    assert select(graph, EVERY).manifest["content_hash"] != before


def test_parameters_reach_the_query_and_the_manifest(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    put(graph, begun, eight, "train")
    data = select(graph, queries.load("training").where("type(r) = $relation"), {"relation": "xWant"})
    assert {triple.relation for triple in data.triples} == {"xWant"}
    assert data.manifest["parameters"] == {"relation": "xWant"}


@pytest.mark.parametrize("split", ["test", "validation"])
def test_nothing_is_trained_on_held_out_events(
    split: Split, graph: KnowledgeGraph, begun: Run, eight: list[Triple]
) -> None:
    put(graph, begun, eight, "train")
    put(graph, begun, [Triple("PersonX is held out", "xWant", "to rest")], split)
    query = Query("mine", "MATCH (h:Event)-[r]->(t) RETURN h.text AS head, type(r) AS relation, t.text AS tail")
    with pytest.raises(InputError, match="1 events are not of the training split, the first 'PersonX is held out'"):
        select(graph, query)


def test_an_event_that_the_graph_does_not_have_is_not_trained_on(
    graph: KnowledgeGraph, begun: Run, eight: list[Triple]
) -> None:
    put(graph, begun, eight, "train")
    query = Query("mine", "RETURN 'PersonX invents' AS head, 'xWant' AS relation, 'to be' AS tail")
    with pytest.raises(InputError, match="not of the training split"):
        select(graph, query)


@pytest.mark.parametrize(
    ("columns", "missing"),
    [("h.text AS head, type(r) AS relation", "tail"), ("t.text AS tail", "head, relation"), ("1 AS x", "head, rel")],
)
def test_a_missing_column_is_named(
    columns: str, missing: str, graph: KnowledgeGraph, begun: Run, eight: list[Triple]
) -> None:
    put(graph, begun, eight, "train")
    with pytest.raises(InputError, match=f"must return head, relation and tail; {missing}.* missing"):
        select(graph, Query("mine", f"MATCH (h:Event)-[r]->(t) RETURN {columns}"))


def test_mixed_languages_are_refused_and_one_other_language_is_fine(
    graph: KnowledgeGraph, begun: Run, eight: list[Triple]
) -> None:
    japanese = Triple("PersonXがバスに乗り遅れる", "xWant", "タクシーを呼ぶ", "ja")
    put(graph, begun, [*eight, japanese], "train")
    with pytest.raises(InputError, match="one language; the query returns en, ja"):
        select(graph, EVERY)
    data = select(graph, queries.load("training").where('head.lang = "ja"'))
    assert data.triples == [japanese]
    assert data.manifest["lang"] == "ja"


def test_no_row_is_not_ready(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    put(graph, begun, eight, "train")
    with pytest.raises(NotReady, match="no triple to train on"):
        select(graph, queries.load("training"))  # nothing is accepted yet


def test_a_query_that_writes_is_refused(graph: KnowledgeGraph, begun: Run, eight: list[Triple]) -> None:
    put(graph, begun, eight, "train")
    with pytest.raises(UnsafeQuery):
        select(graph, Query("mine", "MATCH (h:Event) SET h.split = 'train' RETURN h.text AS head"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_predictions_become_predicted_edges_until_a_teacher_says_the_same(
    kind: str, graph: KnowledgeGraph, begun: Run, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised[kind]
    put(graph, begun, eight, "train")
    event = "PersonX misses the train"
    put(graph, begun, [Triple(event, "xNeed", "to be late")], "test")
    seen: list[int] = []
    run, added = predict(graph, student, "student-1", count=3, progress=seen.append)
    edges = {edge.triple: edge for edge in graph.edges(split="test") if edge.predicted}
    assert added == len(edges) > 2
    assert seen == [1]
    assert {triple.head for triple in edges} == {event}
    assert {triple.relation for triple in edges} == {"xWant", "xReact"}
    assert all(edge.runs == (run.id,) and edge.logprob is not None and edge.logprob <= 0 for edge in edges.values())
    record = graph.run(run.id)
    assert (record["kind"], record["model"], record["added"]) == ("predict", "student-1", added)

    confirmed = min(edges)
    graph.add([Assertion(confirmed, split="test")], begun)
    after = {edge.triple: edge for edge in graph.edges(split="test")}
    assert not after[confirmed].predicted
    assert set(after[confirmed].runs) == {run.id, begun.id}
    assert all(after[triple].predicted for triple in edges if triple != confirmed)

    graph.undo(run.id)
    left = {edge.triple for edge in graph.edges(split="test")}
    assert left == {Triple(event, "xNeed", "to be late"), confirmed}


def test_predicting_again_infers_about_other_events_only(
    graph: KnowledgeGraph, begun: Run, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised["ranker"]
    put(graph, begun, eight, "test")
    asked: list[int] = []
    first, _ = predict(graph, student, "student-1", count=2, progress=asked.append)
    again, added = predict(graph, student, "student-1", count=2, progress=asked.append)
    assert (again.id, added) == (first.id, 0)
    assert asked == [4]
    known = {edge.triple for edge in graph.edges() if not edge.predicted}
    assert known == set(eight)  # what the teacher said stays the teacher's

    put(graph, begun, [Triple("PersonX is late", "xNeed", "to sleep")], "test")
    later, added = predict(graph, student, "student-1", count=2, progress=asked.append)
    assert (later.id, asked) == (first.id, [4, 5])
    assert added > 0
    graph.undo(first.id)
    assert predict(graph, student, "student-1", count=2, progress=asked.append)[1] > added
    assert asked == [4, 5, 5]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student, "manifest", student.manifest | {"saved": "trained again elsewhere"})
        other, _ = predict(graph, student, "student-1", count=2, progress=asked.append)
    assert other.id != first.id
    assert asked == [4, 5, 5, 5]


def test_workers_open_the_student_by_its_name_and_infer_what_one_process_infers(
    graph: KnowledgeGraph, begun: Run, memorised: Memorised, eight: list[Triple], workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    student, folder = memorised["ranker"]
    opened: list[tuple[Path, str]] = []

    def open_student(found: Workspace, student_id: str) -> Student:
        opened.append((found.root, student_id))
        return load(folder, fake_encode)

    monkeypatch.setattr(runs, "student_in", open_student)
    monkeypatch.setattr(runs, "_EVENTS", 3)
    put(graph, begun, eight, "test")
    told: list[int] = []
    found = []
    for more in ({}, {"spread": apart, "workspace": workspace, "progress": told.append}):
        run, added = predict(graph, student, "student-1", count=2, **more)  # type: ignore[arg-type]
        found.append((added, [(edge.triple, edge.logprob) for edge in graph.edges() if edge.predicted]))
        graph.undo(run.id)
    assert found[0] == found[1]
    assert found[0][0] > 0
    assert opened == [(workspace.root, "student-1")] * 2  # two pages, for each of which `apart` starts anew
    assert told == [3, 1]


def test_a_split_without_events_of_the_language_is_not_ready(
    graph: KnowledgeGraph, begun: Run, memorised: Memorised, eight: list[Triple]
) -> None:
    student, _ = memorised["ranker"]
    put(graph, begun, eight, "train")
    put(graph, begun, [Triple("PersonXが勝つ", "xWant", "祝う", "ja")], "test")
    with pytest.raises(NotReady, match="no event of split test in language en"):
        predict(graph, student, "student-1")


CAT, VERB = "/c/en/cat/n", "/c/en/cat/v"
SENSES = [
    Triple("cat", "IsA", "animal", head_uri=CAT, tail_uri="/c/en/animal/n"),
    Triple("cat", "IsA", "animal", head_uri=VERB, tail_uri="/c/en/animal/n"),
    Triple("cat", "IsA", "animal"),
    Triple("cat", "Synonym", "chat", tail_lang="fr", head_uri=CAT, tail_uri="/c/fr/chat/n"),
    Triple("cat", "Synonym", "chat", tail_lang="fr", head_uri=VERB),
    Triple("cat", "Synonym", "kitty", head_uri=CAT),
    Triple("cat", "IsA", "none", tail_uri="/c/en/none"),
]


@pytest.mark.parametrize("kind", list(KINDS))
def test_senses_and_languages_go_all_the_way_from_a_graph_to_predicted_edges(
    kind: str, graph: KnowledgeGraph, begun: Run, train: Train, tmp_path: Path
) -> None:
    graph.add_vocabulary(Vocabulary.load("conceptnet"))
    put(graph, begun, SENSES, "train")
    put(graph, begun, [Triple("dog", "RelatedTo", "x", head_uri="/c/en/dog/n")], "test")
    data = select(graph, EVERY)
    assert set(data.triples) == set(SENSES[:-1]), "a student cannot tell the word none from no effect"
    assert data.manifest["events"] == 3
    assert data.tails == {"IsA": {"animal": ["en", "/c/en/animal/n"]}, "Synonym": {"chat": ["fr", ""]}}
    train(kind, tmp_path / "s", triples=data.triples, vocabulary=graph.vocabulary(), epochs=3,
          manifest=data.manifest | {"tails": data.tails})  # fmt: skip
    student = load(tmp_path / "s", fake_encode)
    predict(graph, student, "student-1", split="test", count=3)
    edges = [edge.triple for edge in graph.edges(split="test") if edge.predicted]
    assert {triple.head_uri for triple in edges} <= {"/c/en/dog/n"}
    known = {("IsA", "animal"): ("", "/c/en/animal/n"), ("Synonym", "chat"): ("fr", ""), ("Synonym", "kitty"): ("", "")}
    for triple in edges:
        if (sense := known.get((triple.relation, triple.tail))) is not None:
            assert (triple.tail_lang, triple.tail_uri) == sense
    if kind == "ranker":
        assert {(triple.relation, triple.tail) for triple in edges} >= known.keys()
    assert graph.statistics()["events"] == 4, "no event was made for a text without its URI"


def test_a_query_that_does_not_return_the_uris_of_its_events_is_told_so(graph: KnowledgeGraph, begun: Run) -> None:
    put(graph, begun, [Triple("cat", "xWant", "to rest", head_uri=CAT)], "train")
    query = Query("mine", "MATCH (h:Event)-[r]->(t) RETURN h.text AS head, type(r) AS relation, t.text AS tail")
    with pytest.raises(InputError, match=r"return head\.uri AS head_uri"):
        select(graph, query)
