"""Which edges get full scores, on a real Neo4j; and whose terms a critic that asks a language model is under."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import critic.runs
from critic.kinds import BLEND, LIKELIHOOD
from critic.likelihood import view
from critic.runs import score_edges, train_critic
from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.terms import NOTICE, SENTENCE
from kg.model import OVERALL, Acceptance, Assertion, Judgement, Triple
from kg.run import Run
from kg.workspace import Workspace

FULL, FAST = 0.75, 0.25


class Both:
    """A critic whose scores say how they were made."""

    role = "filter"

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.full(len(triples), FULL)

    def score_fast(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.full(len(triples), FAST)

    def save(self, _folder: object) -> None: ...


@pytest.fixture
def judged(graph: KnowledgeGraph, begun: Run) -> KnowledgeGraph:
    """Edges of all splits, some judged and one predicted, and thresholds that only full scores reach."""
    graph.add([Assertion(Triple("PersonX rests", "xWant", tail), split="train") for tail in ("a", "b")], begun)
    graph.add([Assertion(Triple("PersonX runs", "xWant", tail), split="test") for tail in ("a", "b")], begun)
    graph.add([Assertion(Triple("PersonX eats", "xWant", "a"), split="validation")], begun)
    student = Run("predict", model="student-1")
    graph.begin(student)
    graph.add([Assertion(Triple("PersonX rests", "xNeed", "c"))], student)
    graph.record_judgements([Judgement(Triple("PersonX rests", "xWant", "a"), "me", 2)], begun)
    graph.record_critic("critic-1")
    graph.record_acceptance(Acceptance("one", "critic-1", 0.8, {"0.8": {OVERALL: 0.5}}))
    return graph


def shown(graph: KnowledgeGraph) -> dict[tuple[str, str], float | None]:
    return {(edge.triple.head.split()[1], edge.triple.tail): edge.score for edge in graph.edges()}


def test_only_what_teachers_wrote_about_training_events_and_nobody_judged_is_scored_fast(
    judged: KnowledgeGraph, workspace: Workspace, begun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(critic.runs, "open_critic", lambda *_: ("critic-1", Both()))
    everything = {("rests", "a"), ("rests", "b"), ("rests", "c"), ("runs", "a"), ("runs", "b"), ("eats", "a")}
    assert score_edges(judged, workspace) == 6
    before = shown(judged)
    assert before == dict.fromkeys(everything, FULL) | {("rests", "b"): FAST}
    assert {edge.triple.tail for edge in judged.edges() if not edge.accepted} == {"b"}
    judged.record_judgements([Judgement(Triple("PersonX runs", "xWant", "a"), "me", -2)], begun)
    assert score_edges(judged, workspace, every=True) == 6
    assert shown(judged) == before  # a verdict on a test event moves no score
    assert score_edges(judged, workspace, full=True) == 6
    assert shown(judged) == dict.fromkeys(everything, FULL)


def test_a_critic_without_a_fast_one_scores_every_edge_itself(
    judged: KnowledgeGraph, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Both()
    monkeypatch.delattr(Both, "score_fast")
    monkeypatch.setattr(critic.runs, "open_critic", lambda *_: ("critic-1", slow))
    assert score_edges(judged, workspace) == 6
    assert set(shown(judged).values()) == {FULL}


class Encoder:
    """Stands for the sentence encoder."""

    identity = "fake"
    description = {"name": None, "sha256": "fake"}  # noqa: RUF012 - read only

    @staticmethod
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(list(text.encode())).normal(size=8) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 8)

    def speaking(self, _: str) -> "Encoder":
        return self


@pytest.mark.usefixtures("_no_model")
def test_a_critic_that_asks_the_language_model_carries_its_terms(
    graph: KnowledgeGraph, workspace: Workspace, begun: Run
) -> None:
    triples = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n}") for n in range(200)]
    graph.add([Assertion(triple) for triple in triples], begun)
    graph.record_judgements([Judgement(one, "me", 2 if n % 2 else -2) for n, one in enumerate(triples)], begun)
    for kind, origin in ((BLEND, None), (LIKELIHOOD, "gemma")):
        trained = train_critic(graph, workspace, Encoder(), kind=kind)  # type: ignore[arg-type]
        manifest = json.loads((trained.folder / "manifest.json").read_text(encoding="utf-8"))
        assert (manifest["kind"], manifest.get("derived_from")) == (kind, origin)
        assert (trained.folder / NOTICE).is_file() == bool(origin)
    assert SENTENCE in (trained.folder / NOTICE).read_text(encoding="utf-8")
    assert trained.report["trained_rows"] > 100  # both halves, and validation events
    judge = train_critic(graph, workspace, Encoder(), kind=LIKELIHOOD, role="judge")  # type: ignore[arg-type]
    assert 0 < judge.report["trained_rows"] < trained.report["trained_rows"]


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the number of a tail's letters be its likelihood."""
    monkeypatch.setattr(view.View, "digest", "a digest")
    monkeypatch.setattr(
        view.View,
        "_ask",
        lambda _, triples: [
            view.Answer(-len(one.tail), -len(one.tail) - 1.0, 2.0, np.ones(3, np.float32)) for one in triples
        ],
    )
