"""Two scores an edge: how plausible it is, and how typical, from the same verdicts."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.aspects import ASPECTS, in_aspect
from critic.kinds import KERNEL
from critic.report.evidence import collect
from critic.report.page import PAGE, write_report
from critic.runs import calibrate_critic, score_edges, train_critic
from kg.encoder import Encoder
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.scores import read_scores
from kg.model import JUDGEMENT_VALUES, Assertion, Judgement, Triple
from kg.run import Run
from kg.store import queries
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

KINDS = {"warm": 2, "red": 1, "edible": -1}
TRIPLES = [Triple(f"PersonX buys coat {n}", "xAttr", f"{kind} {n % 3}") for n in range(60) for kind in KINDS]


def letters(_: Encoder, texts: list[str]) -> NDArray[np.float32]:
    """Vectors of hashed pairs of letters, at once."""
    found = np.full((len(texts), 64), 1e-3, np.float32)
    for row, text in enumerate(texts):
        for left, right in pairwise(text):
            found[row, (ord(left) * 31 + ord(right)) % 64] += 1
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@pytest.mark.parametrize(("aspect", "good"), [("plausible", {2, 1}), ("typical", {2})])
def test_a_verdict_says_both_aspects(aspect: str, good: set[int]) -> None:
    given = [Judgement(TRIPLES[0], str(value), value) for value in JUDGEMENT_VALUES]
    said = in_aspect(given, aspect)
    assert {int(one.annotator) for one in said if one.is_good} == good
    assert [(one.triple, one.annotator) for one in said] == [(one.triple, one.annotator) for one in given]
    assert all(one.value == int(one.annotator) for one in said if one.annotator in ("2", "-2", "-9"))


def test_an_edge_has_a_score_of_each_aspect(
    graph: KnowledgeGraph, begun: Run, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "encode", letters)
    graph.add_vocabulary(Vocabulary.load("skd"))
    graph.add([Assertion(triple) for triple in TRIPLES], begun)
    graph.record_judgements([Judgement(one, "me", KINDS[one.tail.split()[0]]) for one in TRIPLES], begun)
    encoder = Encoder(None, workspace.folder("embeddings"))
    critics, accepted = {}, {}
    for aspect in reversed(ASPECTS):
        critics[aspect] = train_critic(graph, workspace, encoder, kind=KERNEL, aspect=aspect).id
        calibrate_critic(graph, workspace)
        assert score_edges(graph, workspace) == len(TRIPLES)
        accepted[aspect] = Counter(edge.triple.tail.split()[0] for edge in graph.edges(accepted=True))
    assert accepted["plausible"]["red"] > 30 > accepted["typical"]["red"], accepted
    assert (
        min(counts["warm"] for counts in accepted.values()) > 30 > max(counts["edible"] for counts in accepted.values())
    )
    query = queries.load("aspects")
    rows = graph.store.read(query.text, **query.defaults)
    assert len(rows) == len(TRIPLES)
    edges = {(edge.triple.head, edge.triple.tail): edge for edge in graph.edges()}
    for row in rows:
        edge = edges[row["head"], row["tail"]]
        kept = read_scores(edge.score, edge.critic, edge.scores)
        assert {name: row[name] for name in critics} == {name: kept[critic] for name, critic in critics.items()}
    mean = {
        kind: [np.mean([row[name] for row in rows if row["tail"].startswith(kind)]) for name in ASPECTS]
        for kind in KINDS
    }
    assert mean["warm"][1] > mean["red"][1] + 0.2, "what is typical is told from what is plausible alone"
    assert mean["red"][0] > mean["edible"][0] + 0.2
    graph.use_critic(critics["typical"])
    again = graph.store.read(query.text, **query.defaults)
    assert again == rows, "both scores are said whichever critic is current"
    for aspect, critic in critics.items():
        graph.use_critic(critic)
        found = collect(graph, {})
        assert ([one.critic for one in found.critics], found.aspect, found.others) == ([critic], aspect, 1)
        (one,) = found.critics
        marked = zip(one.verdicts.triples, one.verdicts.good, strict=True)
        good = {triple.tail.split()[0] for triple, is_good in marked if is_good}
        assert good == {kind for kind, value in KINDS.items() if value >= ASPECTS[aspect]}
        assert write_report(found, tmp_path / aspect)
        page = (tmp_path / aspect / PAGE).read_text(encoding="utf-8")
        assert f"the probability that a triple is {aspect}; 1 of another aspect" in page
