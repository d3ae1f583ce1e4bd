"""One graph with two languages: no training, score, draw or export mixes them unless it is asked to."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from critic.batches import draw_batch
from critic.kinds import BLEND, KINDS
from critic.runs import calibrate_critic, score_edges, train_critic
from ingest.duplicates.dedupe import dedupe
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.exchange import formats
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.store import queries
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from student.runs import accepted_in, train_student

ENGLISH = [Triple(f"PersonX does thing {n}", "xWant", f"to rest {n % 7}") for n in range(150)]
JAPANESE = [Triple(f"Xが{n}番のことをする", "xWant", f"{n % 7}時間休みたい", "ja") for n in range(150)]


def letters(_: Encoder, texts: list[str]) -> NDArray[np.float32]:
    """Vectors that follow from the letters, at once."""
    found = np.array([[sum(map(ord, text)) % prime + 1 for prime in (7, 11, 13, 17)] for text in texts], np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The languages that the encoder was asked to speak."""
    asked: list[str] = []
    monkeypatch.setattr(Encoder, "encode", letters)
    monkeypatch.setattr(Encoder, "speaking", lambda own, lang: asked.append(lang) or own)
    return asked


@pytest.fixture
def both(graph: KnowledgeGraph, begun: Run) -> Iterator[KnowledgeGraph]:
    graph.add_vocabulary(Vocabulary.load("skd"))
    graph.add([Assertion(triple) for triple in (*ENGLISH, *JAPANESE)], begun)
    rows = [Judgement(triple, "me", (2, -1)[n % 2]) for some in (ENGLISH, JAPANESE) for n, triple in enumerate(some)]
    graph.record_judgements(rows, begun)
    return graph


@pytest.mark.usefixtures("spoken")
def test_a_critic_whose_files_have_another_format_is_another_critic(
    both: KnowledgeGraph, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(None, workspace.folder("embeddings"))
    first = train_critic(both, workspace, encoder, lang="en")
    assert train_critic(both, workspace, encoder, lang="en").id == first.id
    monkeypatch.setitem(KINDS, BLEND, replace(KINDS[BLEND], format=7))
    assert train_critic(both, workspace, encoder, lang="en").id != first.id


def test_critic_and_student_learn_one_language(both: KnowledgeGraph, workspace: Workspace, spoken: list[str]) -> None:
    encoder = Encoder(None, workspace.folder("embeddings"))
    with pytest.raises(InputError, match="there are en, ja; choose one by --lang"):
        train_critic(both, workspace, encoder)
    with pytest.raises(NotReady, match="no training triple in language he"):
        train_critic(both, workspace, encoder, lang="he")
    scored = {}
    for lang in ("ja", "en"):
        trained = train_critic(both, workspace, encoder, lang=lang)
        assert spoken[-1] == lang
        calibrate_critic(both, workspace)
        assert score_edges(both, workspace) == 150
        scored |= {edge.triple: edge.critic for edge in both.edges() if edge.triple.lang == lang}
        assert {scored[triple] for triple in scored if triple.lang == lang} == {trained.id}
    assert {edge.triple: edge.critic for edge in both.edges()} == scored, "the other language keeps its critic's scores"

    for lang, words in (("ja", "Xが"), ("en", "PersonX")):  # whichever critic is current
        student = train_student(both, workspace, "ranker", accepted_in(lang), encoder, epochs=1)
        assert spoken[-1] == lang
        text = (student.folder / "tails.jsonl").read_text(encoding="utf-8")
        assert ("休み" in text) == (words == "Xが")
    for query in (queries.load("training"), queries.load("training").where("true")):
        with pytest.raises(InputError, match="learns one language; the query returns en, ja"):
            train_student(both, workspace, "ranker", query, encoder, epochs=1)


ONE = sorted(name for name, write in formats.writable().items() if write.needs_graph and not write.says_languages)


def test_a_draw_and_a_file_without_a_place_for_languages_have_one(both: KnowledgeGraph, tmp_path: Path) -> None:
    for way in ("random", "stratified"):
        with pytest.raises(InputError, match="en and ja, which are not mixed here; add --lang"):
            draw_batch(both, size=4, way=way)
    for lang in ("en", "ja"):
        batch = draw_batch(both, size=4, lang=lang, controls=True)
        tasks = both.store.read(queries.load("graph/tasks_of").text, batch=batch.run)
        assert {row["lang"] for row in tasks} == {lang}
    for name in ONE:
        write, file = formats.writable()[name], tmp_path / (f"{name}.source" if name == "pairs" else name)
        with pytest.raises(InputError, match=r"not mixed here|probe"):
            write(Selection(both, mixed=write.says_languages), path=file, base=None, form=None)
        assert not list(tmp_path.iterdir())
        if name != "lama":  # which wants a probe of each edge
            write(Selection(both, mixed=write.says_languages, lang="ja"), path=file, base=None, form=None)
            texts = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
            assert "PersonX" not in texts
            assert len(texts) > len(JAPANESE) * 10, "the other language is there, as it is or in JSON's escapes"
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_formats_that_mix_languages_say_which_is_which() -> None:
    assert ONE == ["atomic2019", "cn100k", "lama", "pairs", "tsv"]


def test_duplicates_are_found_within_a_language(graph: KnowledgeGraph, begun: Run, workspace: Workspace) -> None:
    same = [Triple("X", "xWant", "OK boss", lang) for lang in ("en", "ja", "de")]
    graph.add([Assertion(triple) for triple in same], begun)
    assert not dedupe(graph, workspace, soft=True, near=0.5).rules
