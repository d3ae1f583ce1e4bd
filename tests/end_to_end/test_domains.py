"""The example domains beside the shop: each goes from its files to a student, and speaks its language all the way."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.batches import draw_batch
from critic.judging import Question, ask, sentence_of
from critic.runs import calibrate_critic, score_edges, train_critic
from ingest.cleaning import Completion, clean_events
from ingest.teacher.prompts import Prompts
from kg.commands.init import DOMAINS, make_domain
from kg.distill import distill, vocabulary_of
from kg.encoder import Encoder
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import next_task
from kg.judge_prompt import render
from kg.languages import has_unspaced
from kg.store import queries
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests.repeats import only_thorough

JAPANESE, FAULTS = DOMAINS / "japanese", DOMAINS / "faults"


def letters(_: Encoder, texts: list[str]) -> NDArray[np.float32]:
    """Vectors of hashed pairs of letters: quick, and texts with the same letters are near."""
    found = np.full((len(texts), 64), 1e-3, np.float32)
    for row, text in enumerate(texts):
        for left, right in pairwise(text):
            found[row, (ord(left) * 31 + ord(right)) % 64] += 1
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@only_thorough
def test_a_corpus_in_japanese_goes_from_its_files_to_a_student_in_japanese(
    graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[str] = []
    monkeypatch.setattr(Encoder, "encode", letters)
    monkeypatch.setattr(Encoder, "speaking", lambda own, lang: spoken.append(lang) or own)
    make_domain("japanese", tmp_path / "mine")
    encoder = Encoder(None, workspace.folder("embeddings"))
    report, _ = distill(
        graph, workspace, encoder, corpus=tmp_path / "mine", vocabulary=vocabulary_of(tmp_path / "mine"),
        kinds=("ranker",), epochs=3,
    )  # fmt: skip
    assert "ranker-" in report
    assert set(spoken) == {"ja"}
    edges = list(graph.edges())
    assert {edge.triple.lang for edge in edges} == {"ja"}
    assert all(edge.score is not None for edge in edges)
    predicted = [edge.triple for edge in edges if edge.predicted]
    assert predicted
    assert all(has_unspaced(triple.tail) and not triple.tail.endswith("。") for triple in predicted)
    batch = draw_batch(graph, size=3)
    task = next_task(graph, batch.run, "me")
    assert task
    question = ask(task, graph.vocabulary())
    assert re.fullmatch(r"[XY].*。.*(?<!。)。", question.sentence)
    assert " " not in question.sentence
    assert "PersonX" not in question.question


@only_thorough
def test_heads_that_are_no_events_go_from_their_files_to_a_student(
    graph: KnowledgeGraph, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "encode", letters)
    encoder = Encoder(None, workspace.folder("embeddings"))
    report, _ = distill(
        graph, workspace, encoder, corpus=FAULTS, vocabulary=vocabulary_of(FAULTS), kinds=("ranker",), epochs=3
    )
    assert "ranker-" in report
    predicted = [edge.triple for edge in graph.edges() if edge.predicted]
    assert {triple.relation for triple in predicted} == {"causedBy", "fixedBy", "toolFor"}
    assert not any("Person" in triple.head for triple in predicted)
    scored = {edge.triple for edge in graph.edges() if edge.score is not None}
    train_critic(graph, workspace, encoder, aspect="typical")
    calibrate_critic(graph, workspace)
    score_edges(graph, workspace)
    query = queries.load("aspects")
    rows = graph.store.read(query.text, **query.defaults)
    assert len(rows) == len(scored)
    assert all(row["plausible"] is not None and row["typical"] is not None for row in rows)


def test_nothing_in_the_domain_of_faults_is_about_persons_or_wired_to_them() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in FAULTS.iterdir() if path.name != "README.md")
    assert "Person" not in written
    relation = Vocabulary.load(str(FAULTS / "vocabulary.toml"))["fixedBy"]
    sentence = sentence_of("the tap drips", relation, "replace the washer")
    assert sentence == "the tap drips and what helps is to replace the washer."
    prompt = render(
        Question("task", "draw", "the tap drips", relation.question, "replace the washer", sentence), 0, chat=True
    )
    assert "Person" not in prompt
    assert "PersonX and PersonY stand for any two people" in render(
        Question("task", "draw", "PersonX naps", "", "calm", "PersonX naps and feels calm."), 0, chat=True
    )
    said = clean_events([Completion("the doorbell does not ring.")], persons=False)
    assert [*said.kept] == ["the doorbell does not ring"]


def test_the_files_of_the_japanese_domain_fit_one_another() -> None:
    vocabulary = Vocabulary.load(str(JAPANESE / "vocabulary.toml"))
    assert vocabulary.lang == "ja"
    rows = [json.loads(line) for line in (JAPANESE / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    events = {row["event"] for row in rows}
    written = {(row["event"], row["relation"], tail.rstrip("。")) for row in rows for tail in row["tails"]}
    assert (len(events), len(rows), len(written)) == (60, 240, 480)
    header, *lines = (JAPANESE / "judgements.tsv").read_text(encoding="utf-8").splitlines()
    judged = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    assert len(judged) == 240
    for row in judged:
        assert (row["lang"], row["head"] in events) == ("ja", True)
        assert row["origin"] == "another event" or (row["head"], row["relation"], row["tail"]) in written
    asked = set((JAPANESE / "events.txt").read_text(encoding="utf-8").splitlines())
    assert len(asked) == 10
    assert not asked & events


def test_the_prompts_of_the_japanese_domain_have_japanese_names_alone() -> None:
    prompts = Prompts(str(JAPANESE / "prompts"), lang="ja")
    for name in Vocabulary.load(str(JAPANESE / "vocabulary.toml")).names:
        prompt = prompts.for_inferences("XがYに本を返す", name)
        assert "佐藤さんが鈴木さんに本を返す。" in prompt.text.splitlines()[-1]
        assert not re.search(r"[A-Za-z]", prompt.text)
        assert prompts.borrowed([name]) == []
    assert prompts.for_events(prompts.seeds, 0, 0).text.endswith("11. 出来事：")
