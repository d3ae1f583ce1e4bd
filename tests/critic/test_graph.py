"""The critic's steps on a real Neo4j: what they say when there is too little, and what they draw to be judged."""

from itertools import product
from pathlib import Path

import pytest

from critic.roles import ROLES
from critic.runs import train_critic
from critic.verdicts import split_in, training_verdicts
from kg.encoder import Encoder
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import half_of, head_id
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.store import queries
from kg.workspace import Workspace

TRIPLES = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n}") for n in range(60)]


def drawn(graph: KnowledgeGraph, **parameters: object) -> set[str]:
    query = queries.load("unjudged")
    return {row["head"] for row in graph.store.read(query.text, **(query.defaults | parameters))}


def test_what_is_drawn_to_be_judged_is_what_a_critic_would_learn_from(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(triple) for triple in TRIPLES], begun)
    judgements = [Judgement(triple, "me", 2) for triple in TRIPLES]
    assert drawn(graph) == {triple.head for triple in TRIPLES if split_in(triple) == "train"}
    for name, role in ROLES.items():
        assert drawn(graph, half=role.half) == {triple.head for triple in training_verdicts(judgements, name).triples}
    for split, half in product(("train", "validation", "test"), (0, 1)):
        assert drawn(graph, split=split, half=half) == {
            triple.head for triple in TRIPLES if split_in(triple) == split and half_of(head_id(triple)) == half
        }


def test_what_is_judged_is_not_drawn_again_and_what_students_say_is_not_drawn(
    graph: KnowledgeGraph, begun: Run
) -> None:
    training = [triple for triple in TRIPLES if split_in(triple) == "train"]
    graph.add([Assertion(triple) for triple in TRIPLES], begun)
    graph.record_judgements([Judgement(training[0], "me", -1)], begun)
    prediction = Run("predict", model="student-1")
    graph.begin(prediction)
    graph.add([Assertion(Triple(training[0].head, "xNeed", "to be tired"))], prediction)
    assert drawn(graph) == {triple.head for triple in training[1:]}


def test_a_graph_without_training_triples_says_whose_triples_it_has(
    graph: KnowledgeGraph, begun: Run, workspace: Workspace, tmp_path: Path
) -> None:
    graph.add([Assertion(triple, split="test") for triple in TRIPLES[:40]], begun)
    graph.add([Assertion(triple, split="validation") for triple in TRIPLES[40:]], begun)
    graph.record_judgements([Judgement(TRIPLES[0], "me", 2)], begun)
    with pytest.raises(
        NotReady,
        match=r"0 of train events, 20 of validation events, 40 of test events; .*ingest load FILE --split train",
    ):
        train_critic(graph, workspace, Encoder(None, tmp_path))
