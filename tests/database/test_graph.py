"""The graph's verbs on a real Neo4j."""

import pytest

from kg.errors import GraphChanged, NotFound, NotReady, UnknownRelation
from kg.graph.knowledge import Added, KnowledgeGraph
from kg.identity import head_id, phrase_id, split_of, tail_id
from kg.model import Acceptance, Assertion, Edge, Judgement, Triple
from kg.run import Run
from kg.store.bolt import Store
from kg.vocabulary import Relation, Vocabulary

FIRE = Triple("PersonX fires PersonY", "xReact", "guilty")
WANT = Triple("PersonX fires PersonY", "xWant", "to hire someone else")
NOTHING = Triple("PersonX fires PersonY", "xEffect", "none")
HIRE = Triple("to hire someone else", "xNeed", "to read applications")

STUDENT = Run("predict", model="student-1")


def picture(graph: KnowledgeGraph) -> tuple[set[Edge], set[tuple]]:
    """All that runs have said, as values that can be compared."""
    return set(graph.edges()), set(graph.phrases())


def claims(*triples: Triple) -> list[Assertion]:
    return [Assertion(triple) for triple in triples]


def test_adding_twice_keeps_one_triple(graph: KnowledgeGraph, begun: Run) -> None:
    assert graph.add(claims(FIRE, WANT, FIRE), begun) == Added(3, 2)
    assert graph.add(claims(FIRE, WANT), begun) == Added(2, 0)
    assert sorted(edge.triple for edge in graph.edges()) == sorted([FIRE, WANT])
    assert graph.run(begun.id)["added"] == 2


def test_all_that_is_said_about_a_triple_comes_back(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(FIRE, split="test", logprob=-0.5, weight=2.0, sources=("a", "b"), score=0.25)], begun)
    (edge,) = graph.edges()
    assert edge == Edge(
        FIRE, "test", (begun.id,), predicted=False, logprob=-0.5, weight=2.0, sources=("a", "b"),
        published=0.25,
    )  # fmt: skip


def test_a_text_that_is_head_and_tail_is_one_node(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(WANT, HIRE), begun)
    nodes = {phrase.text: phrase.labels for phrase in graph.phrases()}
    assert nodes["to hire someone else"] == ("Event", "Inference")
    assert len(nodes) == 3


def test_no_effect_is_a_fact_but_no_phrase(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE, NOTHING), begun)
    assert {phrase.text for phrase in graph.phrases()} == {FIRE.head, FIRE.tail}
    assert NOTHING in {edge.triple for edge in graph.edges()}
    assert graph.statistics()["edges"] == 2
    graph.undo(begun.id)
    assert graph.store.read("MATCH (n:Nothing) RETURN count(n) AS n") == [{"n": 0}]


def test_the_split_follows_from_the_key_unless_one_is_published(graph: KnowledgeGraph, begun: Run) -> None:
    heads = [f"PersonX does thing {number}" for number in range(40)]
    graph.add([Assertion(Triple(head, "xWant", "to rest")) for head in heads], begun)
    assert {event.text: event.split for event in graph.events()} == {head: split_of(phrase_id(head)) for head in heads}
    graph.add([Assertion(Triple(heads[0], "xWant", "to rest"), split="test")], begun)
    assert graph.splits_of([phrase_id(heads[0])]) == {phrase_id(heads[0]): "test"}
    assert [event.text for event in graph.events("test") if event.text == heads[0]]


def test_the_same_text_in_two_languages_is_two_phrases(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(
        [
            Assertion(Triple("寝る", "xWant", "起きる", "ja")),
            Assertion(Triple("寝る", "xWant", "起きる", "zh")),
        ],
        begun,
    )
    assert {(phrase.text, phrase.lang) for phrase in graph.phrases()} == {
        (text, lang) for text in ("寝る", "起きる") for lang in ("ja", "zh")
    }


def test_an_edge_is_predicted_while_only_students_assert_it(graph: KnowledgeGraph, begun: Run) -> None:
    graph.begin(STUDENT)
    graph.add(claims(FIRE), STUDENT)
    assert [edge.predicted for edge in graph.edges()] == [True]
    graph.add(claims(FIRE), begun)
    assert [(edge.predicted, edge.runs) for edge in graph.edges()] == [(False, (STUDENT.id, begun.id))]
    graph.undo(begun.id)
    assert [edge.predicted for edge in graph.edges()] == [True]


def test_undo_restores_the_graph_before_the_run(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(FIRE, logprob=-1.0), Assertion(NOTHING)], begun)
    before = picture(graph)
    other = Run("load", model="another", dataset="other")
    graph.begin(other)
    graph.add([Assertion(FIRE, logprob=-3.0), *claims(WANT, HIRE, NOTHING)], other)
    assert picture(graph) != before
    assert graph.undo(other.id) == 4
    assert picture(graph) == before
    assert graph.undo(other.id) == 0
    assert picture(graph) == before
    assert graph.run(other.id)["status"] == "undone"


def test_what_only_the_undone_run_said_about_a_shared_edge_goes(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(FIRE, logprob=-1.0)], begun)
    other = Run("load", model="another")
    graph.begin(other)
    graph.add(claims(FIRE), other)
    graph.undo(begun.id)
    assert [(edge.runs, edge.logprob) for edge in graph.edges()] == [((other.id,), None)]


def test_an_undone_run_can_be_loaded_again(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE), begun)
    graph.finish(begun, offered=1)
    graph.undo(begun.id)
    graph.begin(begun)
    assert graph.add(claims(FIRE), begun) == Added(1, 1)
    graph.finish(begun, offered=1)
    assert (graph.run(begun.id)["status"], graph.run(begun.id)["added"]) == ("finished", 1)


def test_undoing_an_unknown_run_says_so(graph: KnowledgeGraph) -> None:
    with pytest.raises(NotFound, match="no-such-run"):
        graph.undo("no-such-run")


def test_a_relation_outside_the_vocabulary_is_refused(graph: KnowledgeGraph, begun: Run) -> None:
    with pytest.raises(UnknownRelation, match="did you mean xWant"):
        graph.add(claims(Triple("PersonX naps", "xwant", "to rest")), begun)
    assert list(graph.edges()) == []


def test_a_vocabulary_comes_back_from_the_graph(graph: KnowledgeGraph) -> None:
    own = Vocabulary([Relation("mayBuy", "so PersonX may buy", symmetric=True)])
    graph.add_vocabulary(own)
    assert graph.vocabulary()["mayBuy"] == own["mayBuy"]
    assert graph.vocabulary()["xWant"] == Vocabulary.load("skd")["xWant"]


def test_an_empty_graph_says_what_to_do(store: Store, graph: KnowledgeGraph) -> None:
    store.run("MATCH (n:Relation) DELETE n")
    with pytest.raises(NotReady, match="kg ingest load"):
        graph.vocabulary()


def test_judgements_are_kept_per_annotator_and_undone(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE), begun)
    before = picture(graph)
    run = Run("judgements", dataset="verdicts")
    graph.begin(run)
    verdicts = [Judgement(FIRE, "rater1", 2), Judgement(FIRE, "rater2", -1), Judgement(WANT, "rater1", 1)]
    assert graph.record_judgements(verdicts, run) == Added(3, 3)
    assert graph.record_judgements(verdicts, run) == Added(3, 0)
    assert set(graph.judgements()) == set(verdicts)
    assert graph.record_judgements([Judgement(FIRE, "rater1", 1)], run) == Added(1, 0)
    assert Judgement(FIRE, "rater1", 1) in graph.judgements()
    assert set(graph.edges()) == before[0], "a judgement asserts no edge"
    graph.undo(run.id)
    assert graph.judgements() == []
    assert picture(graph) == before


def test_a_judged_phrase_outlives_the_run_that_asserted_it(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE), begun)
    run = Run("judgements", dataset="verdicts")
    graph.begin(run)
    graph.record_judgements([Judgement(FIRE, "rater1", 2)], run)
    graph.undo(begun.id)
    assert list(graph.phrases()) == []
    assert graph.store.read("MATCH (p:Phrase) RETURN labels(p) AS labels") == [{"labels": ["Phrase"]}] * 2


def thresholds(critic: str, recall: float, **values: float) -> Acceptance:
    return Acceptance(f"rule-{critic}-{recall}", critic, recall, {f"{recall:g}": values})


def test_scores_are_written_and_accepted_by_relation(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE, WANT, NOTHING), begun)
    rule = thresholds("critic-1", 0.8, overall=0.5, xWant=0.7)
    scored = graph.record_scores("critic-1", lambda triples: [0.6] * len(triples), rule)
    assert scored == 2, "no effect is never scored"
    assert {edge.triple: edge.accepted for edge in graph.edges()} == {FIRE: True, WANT: False, NOTHING: None}
    assert graph.record_scores("critic-1", lambda triples: [0.9] * len(triples), rule) == 0
    assert graph.record_scores("critic-1", lambda triples: [0.9] * len(triples), rule, every=True) == 2
    assert graph.record_scores("critic-2", lambda triples: [0.1] * len(triples), rule) == 2


def test_new_thresholds_change_what_is_accepted(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE, WANT), begun)
    graph.record_critic("critic-1", metrics={"auc": 0.8})
    graph.record_scores("critic-1", lambda triples: [0.6] * len(triples), thresholds("critic-1", 0.8, overall=0.5))
    rule = thresholds("critic-1", 0.5, overall=0.7)
    graph.record_acceptance(rule)
    assert graph.statistics()["accepted"] == 0
    assert graph.current_acceptance("critic-1") == rule
    assert graph.current_critic()["id"] == "critic-1"
    graph.record_critic("critic-2")
    assert graph.current_critic()["id"] == "critic-2"
    with pytest.raises(NotReady, match="calibrate"):
        graph.current_acceptance("critic-2")


def test_undoing_a_scoring_removes_its_scores(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE, WANT), begun)
    run = Run("score", model="critic-1")
    graph.begin(run)
    graph.record_scores("critic-1", lambda triples: [0.6] * len(triples), thresholds("critic-1", 0.8, overall=0.5))
    graph.undo(run.id)
    assert [(edge.score, edge.critic, edge.accepted) for edge in graph.edges()] == [(None, None, None)] * 2


def test_edges_are_filtered_in_the_database(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(FIRE, split="train"), Assertion(HIRE, split="test")], begun)
    graph.record_scores("c", lambda triples: [0.6] * len(triples), thresholds("c", 0.8, overall=0.5, xNeed=0.9))
    assert [edge.triple for edge in graph.edges(split="test")] == [HIRE]
    assert [edge.triple for edge in graph.edges(accepted=True)] == [FIRE]
    assert list(graph.edges(min_score=0.7)) == []
    assert {phrase.text for phrase in graph.phrases(split="test")} == {HIRE.head, HIRE.tail}
    assert {phrase.text for phrase in graph.phrases(accepted=True)} == {FIRE.head, FIRE.tail}
    assert {phrase.text for phrase in graph.phrases(where="tail.text = 'guilty' // comment")} == {
        FIRE.head,
        FIRE.tail,
    }
    assert list(graph.phrases(min_score=0.7)) == []
    assert [
        edge.triple for edge in graph.edges(where="tail.text = $text // comment", parameters={"text": "guilty"})
    ] == [FIRE]


def test_pages_lose_nothing(graph: KnowledgeGraph, begun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.graph.reading._PAGE_EVENTS", 7)
    monkeypatch.setattr("kg.graph.reading._PAGE_PHRASES", 5)
    monkeypatch.setattr("kg.graph.knowledge._WRITE_ROWS", 11)
    triples = [Triple(f"PersonX sees {i}", relation, f"thing {j}") for i in range(30) for j in range(3)
               for relation in ("xWant", "xNeed")]  # fmt: skip
    assert graph.add(claims(*triples), begun) == Added(180, 180)
    assert sorted(edge.triple for edge in graph.edges()) == sorted(triples)
    assert len(list(graph.phrases())) == 33
    assert graph.undo(begun.id) == 180
    assert list(graph.phrases()) == []


def test_what_is_read_while_something_writes_is_an_error(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add(claims(FIRE), begun)
    still = graph.unchanged_since(graph.watermark(), graph.edges())
    assert [edge.triple for edge in still] == [FIRE]
    mixed = graph.unchanged_since(graph.watermark(), graph.edges())
    assert next(mixed).triple == FIRE
    graph.add(claims(WANT), begun)
    with pytest.raises(GraphChanged, match="repeat it when no run is writing"):
        list(mixed)


def test_sources_of_one_run_are_joined_and_another_run_keeps_to_its_own(graph: KnowledgeGraph, begun: Run) -> None:
    for number in (1, 2, 1):
        graph.add([Assertion(FIRE, sources=(f"{number}.0", "0.0"))], begun)
    other = Run("load", dataset="other")
    graph.begin(other)
    graph.add([Assertion(FIRE, sources=("9.9",))], other)
    assert next(graph.edges()).sources == ("1.0", "0.0", "2.0")


def test_senses_and_languages_are_phrases_of_their_own(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add_vocabulary(Vocabulary.load("conceptnet"))
    triples = {
        Triple("cat", "IsA", "none", "en", "", "", "/c/en/none"),
        Triple("cat", "IsA", "none"),
        Triple("cat", "IsA", "animal", "en", "", "/c/en/cat/n", ""),
        Triple("chat", "Synonym", "cat", "fr", "en"),
        Triple("cat", "ExternalURL", "http://e.org/cat", "en", "und", "", "http://e.org/cat"),
    }
    graph.add([Assertion(triple) for triple in triples], begun)
    assert {edge.triple for edge in graph.edges()} == triples
    assert {edge.id for edge in graph.phrases()} == {
        key for triple in triples for key in (head_id(triple), tail_id(triple)) if key != "none"
    }
    concepts = {phrase.uri for phrase in graph.phrases() if "Concept" in phrase.labels}
    assert concepts == {"/c/en/cat/n", "http://e.org/cat"}
    assert graph.undo(begun.id) == 5
    assert not list(graph.phrases(every=True))
