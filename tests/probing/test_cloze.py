import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ingest import cloze
from ingest.cleaning import Completion
from ingest.cloze import blank_of, fill
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.origins import origin_of_run
from kg.language_model.opening import LanguageModel, open_language_model
from kg.probing.wording import Blank, Template
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace

EVENTS = ["PersonX misses the bus", "PersonX shears a sheep", "PersonX bakes bread for PersonY"]
RELATIONS = [relation for relation in Vocabulary.load("skd") if relation.name in ("xWant", "xReact")]
WORDS = ["tired", "to call a taxi", "late again", "hungry", "to save the wool", "to thank Chris"]


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS), encoding="utf-8")
    return path


def shares(opened: LanguageModel, blank: Blank) -> dict[str, float]:
    """One pass a sentence: the share of each word in the probability of all of them."""
    found = []
    for word in WORDS:
        ids = opened.tokenizer(blank.fill(word))["input_ids"]
        with torch.inference_mode():
            logits = opened.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        found.append(float(logits[range(len(ids) - 1), ids[1:]].sum()))
    return dict(zip(WORDS, np.array(found) - np.logaddexp.reduce(found), strict=True))


def test_the_best_candidates_become_edges_with_their_shares_and_can_be_undone(
    graph: KnowledgeGraph, workspace: Workspace, causal_folder: Path, words: Path
) -> None:
    before = graph.statistics()
    filled = fill(graph, workspace, EVENTS, RELATIONS, model=str(causal_folder), top=2, candidates=str(words))
    found = {(edge.triple.head, edge.triple.relation, edge.triple.tail): edge for edge in graph.edges()}
    assert (filled.pairs, filled.offered, filled.added, filled.kept) == (6, 12, 12, 0)
    opened = open_language_model(str(causal_folder))
    for event in EVENTS:
        for relation in RELATIONS:
            expected = shares(opened, blank_of(event, relation, {}))
            for word in sorted(WORDS, key=lambda one: -expected[one])[:2]:
                tail = word.replace("Chris", "PersonY") if "PersonY" in event else word
                assert found[event, relation.name, tail].logprob == pytest.approx(expected[word], abs=1e-4)
    run = graph.run(filled.run)
    assert (run["kind"], run["status"], run["model"]) == ("cloze", "finished", str(causal_folder))
    assert {edge.runs for edge in found.values()} == {(filled.run,)}
    assert not any(edge.predicted for edge in found.values())
    assert origin_of_run(run) == "gemma"
    assert graph.undo(filled.run) == 12
    assert graph.statistics()["edges"] == before["edges"]


def test_a_run_that_was_killed_goes_on_and_ends_like_one_that_was_not(
    graph: KnowledgeGraph, workspace: Workspace, words: Path, causal_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloze, "_TOGETHER", 2)
    asked: list[Blank] = []
    dying = True

    def among(model: str, candidates: str) -> cloze.Answer:
        answer = real(model, candidates)

        def counted(blanks: Sequence[Blank], top: int) -> Iterator[list[Completion]]:
            if dying and asked:
                raise KeyboardInterrupt
            asked.extend(blanks)
            yield from answer(blanks, top)

        return counted

    real = cloze._among  # noqa: SLF001 - the seam to the model
    monkeypatch.setattr(cloze, "_among", among)
    settings: dict[str, Any] = {"model": str(causal_folder), "top": 2, "candidates": str(words)}
    with pytest.raises(KeyboardInterrupt):
        fill(graph, workspace, EVENTS, RELATIONS, **settings)
    (run,) = graph.runs()
    assert (run["status"], list(graph.edges())) == ("interrupted", [])
    answers = workspace.folder("runs", run["id"]) / "answers.jsonl"
    with answers.open("a", encoding="utf-8") as file:
        file.write('[["Alex bakes bre')
    dying = False
    filled = fill(graph, workspace, EVENTS, RELATIONS, **settings)
    assert (filled.run, filled.kept, filled.offered) == (run["id"], 2, 12)
    assert len(asked) == len(set(asked)) == 6
    assert len(answers.read_text().splitlines()) == 6
    resumed = [(edge.triple, edge.logprob) for edge in graph.edges()]
    straight = fill(graph, Workspace(workspace.root / "other"), EVENTS, RELATIONS, **settings)
    assert (straight.kept, straight.added) == (0, 0)
    assert [(edge.triple, edge.logprob) for edge in graph.edges()] == resumed
    again = fill(graph, workspace, EVENTS, RELATIONS, **settings)
    assert (again.kept, again.added, len(asked)) == (6, 0, 12)


def test_without_candidates_a_model_goes_on_as_it_likes_up_to_an_end(
    graph: KnowledgeGraph, workspace: Workspace, causal_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloze, "_ENDS", re.compile("V"))  # what this model says often
    filled = fill(graph, workspace, EVENTS, RELATIONS, model=str(causal_folder), top=2)
    edges = list(graph.edges())
    assert 0 < len(edges) == filled.offered <= 12
    assert not any("V" in edge.triple.tail for edge in edges)
    sums: defaultdict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        assert edge.logprob is not None
        assert edge.logprob < 0
        sums[edge.triple.head, edge.triple.relation] += math.exp(edge.logprob)
    assert max(sums.values()) <= 1, "probabilities of different tails"
    dropped = [json.loads(line) for line in (filled.folder / "dropped.jsonl").read_text().splitlines()]
    assert len(dropped) == filled.rules.total()


def test_a_masked_model_fills_blanks_with_its_own_words(
    graph: KnowledgeGraph, workspace: Workspace, masked_folder: Path
) -> None:
    relation = Relation("IsFor", "is for")
    fill(graph, workspace, ["the bus"], [relation], model=str(masked_folder), top=3, templates={})
    edges = list(graph.edges())
    assert len(edges) == 3
    assert {edge.triple.tail for edge in edges} <= {"bus", "taxi", "late", "tired", "call", "the", "miss"}


def test_sentences_have_names_for_persons_and_published_words_where_there_are_some() -> None:
    want, place = Relation("xWant", "as a result, PersonX wants"), Relation("P19", "has as place of birth")
    assert blank_of("PersonX thanks PersonY", want, {}) == Blank("Alex thanks Chris, as a result, Alex wants ", ".")
    assert blank_of("Kai", place, {}) == Blank("Kai has as place of birth ", ".")
    assert blank_of("Kai", place, {"P19": Template.of("[Y] is where [X] was born .")}) == Blank(
        "", " is where Kai was born."
    )


def test_a_blank_at_the_beginning_needs_candidates(
    graph: KnowledgeGraph, workspace: Workspace, causal_folder: Path
) -> None:
    with pytest.raises(InputError, match="needs --candidates"):
        fill(
            graph, workspace, ["Kai"], [Relation("P19", "born")], model=str(causal_folder),
            templates={"P19": Template.of("[Y] is where [X] was born .")},
        )  # fmt: skip
