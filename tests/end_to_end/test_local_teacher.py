"""The loop with the teacher that writes everything itself: a tiny model made here stands for the one from pip."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

import kg.distill
from critic.kinds import BLEND
from ingest.teacher import local
from ingest.teacher.corpus import EVENTS, TAILS, write_corpus
from ingest.teacher.local import LocalTeacher
from kg.cli import app
from kg.distill import distill
from kg.encoder import Encoder
from kg.errors import NotReady, TeacherError
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import phrase_id
from kg.language_model import packaged
from kg.language_model.packaged import Conversion
from kg.language_model.weights import HOW_TO_GET
from kg.recorded import TEACHERS, RecordedTeacher
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from student.files import read_manifest
from tests import command
from tests.conftest import empty
from tests.end_to_end.test_teachers import GEMMA, FakeEncoder, write
from tests.repeats import only_thorough

WROTE, ASKED = 60, 4
VERBS = ("paints", "sells", "breaks", "finds", "washes", "hides", "lends", "draws")
ARTICLES = ("a", "the", "this")
FOLLOWS: dict[str, tuple[str, ...]] = {
    "Event:": ("PersonX",),
    "PersonX": VERBS,
    **dict.fromkeys(VERBS, ARTICLES),
    **dict.fromkeys(ARTICLES, ("fence", "bike", "lamp", "kite", "boat", "cup", "drum", "chair")),
    "as": ("careful", "cheerful", "clumsy", "honest"),
    "feels": ("proud", "tired", "pleased", "annoyed"),
    **dict.fromkeys(("wants", "intends", "has"), ("to",)),
    "to": ("rest", "leave", "celebrate", "practise", "apologise"),
    "Alex": ("smiles", "sleeps", "laughs", "leaves"),
    "if": ("it",),
    "it": ("rains", "snows", "burns"),
}
"""What the tiny model says behind a word; behind any other it ends."""


def make_model(path: Path) -> Path:
    """Make a model that goes on from the last word alone, with a word of the table."""
    words = ["[END]", "[UNK]", *dict.fromkeys([*FOLLOWS, *(word for some in FOLLOWS.values() for word in some)])]
    place = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(place, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]").save_pretrained(path)
    size = len(words)
    config = GPT2Config(
        vocab_size=size, n_positions=1024, n_embd=size, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.transformer.h.parameters():
            parameter.zero_()
        model.transformer.wpe.weight.zero_()
        model.transformer.wte.weight.copy_(torch.eye(size))
        model.lm_head.weight.zero_()
        for word in words:
            for rank, following in enumerate(FOLLOWS.get(word, ("[END]",))):
                model.lm_head.weight[place[following], place[word]] = 20.0 - rank / 20
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small recorded teachers of the same events."""
    folder = tmp_path_factory.mktemp("recorded")
    events = [f"PersonX does thing {number}" for number in range(100)]
    for name in ("strong", "weak"):
        tails = {event: [f"good {name} {n}", f"bad {name} {n}"] for n, event in enumerate(events)}
        write(folder, tails, name)
    return folder


def stand_in(patch: pytest.MonkeyPatch, model: Path, recorded: Path) -> None:
    """Put small things in the place of the language model, the recorded teachers and the sentence encoder."""
    for module in ("kg.language_model.opening", "ingest.teacher.local"):
        patch.setattr(f"{module}.packaged_model", lambda: Conversion(model, "whole", 1, {}, ""))
    for name, whose in (("strong", "teacher"), ("weak", GEMMA)):
        files = recorded / f"completions{name}.jsonl", recorded / f"judgements{name}.tsv"
        patch.setitem(TEACHERS, name, RecordedTeacher(*files, whose, is_noisy=name == "weak"))
    patch.setattr(kg.distill, "noisy_kind", lambda: BLEND)
    patch.setattr(Encoder, "described", lambda *_: FakeEncoder())


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch, model: Path, recorded: Path) -> None:
    stand_in(monkeypatch, model, recorded)


def run(graph: KnowledgeGraph, workspace: Workspace, **options: object) -> str:
    chosen = {"kinds": ("ranker",), "epochs": 1, "events": WROTE, "tails": ASKED} | options
    report, _ = distill(graph, workspace, FakeEncoder(), **chosen)  # type: ignore[arg-type]
    return report


def picture(graph: KnowledgeGraph) -> object:
    """All that the loop came to, without times; numbers rounded, as sums of another order of batches differ."""
    edges = [
        (edge.triple, edge.split, edge.runs, edge.predicted, edge.accepted,
         *(None if number is None else round(number, 3) for number in (edge.score, edge.logprob)))
        for edge in graph.edges()
    ]  # fmt: skip
    runs = sorted((run["id"], run["status"], run["offered"], run["added"]) for run in graph.runs())
    return edges, list(graph.phrases()), graph.judgements(), runs


@only_thorough
@pytest.mark.usefixtures("small_world")
def test_the_loop_runs_to_its_end_on_what_the_local_teacher_writes(graph: KnowledgeGraph, workspace: Workspace) -> None:
    said: list[str] = []
    report = run(graph, workspace, teachers=("local",), say=said.append)
    assert [line.partition(" (")[0] for line in said[:2]] == [
        "1/7 write 60 events and the local teacher's tails", "2/7 train the critic on the judgements",
    ]  # fmt: skip
    written = {row["kind"]: row for row in graph.runs() if row["kind"] in ("events", "inferences")}
    assert {row["model"] for row in written.values()} == {"gemma"}
    assert "load" not in {row["kind"] for row in graph.runs()}, "nothing recorded is in the graph"
    events = list(graph.events())
    assert len(events) == WROTE
    assert len({judgement.annotator for judgement in graph.judgements()}) == 1
    assert len(graph.judgements()) == 2 * 2 * 2 * 100, "the verdicts on both recorded teachers"

    own = [edge for edge in graph.edges(split="train") if written["inferences"]["id"] in edge.runs]
    assert {edge.triple.relation for edge in own} == set(Vocabulary.load("skd").names)
    assert all(edge.score is not None for edge in own)
    manifests = [read_manifest(workspace.place("students", row["id"])) for row in graph.students()]
    learnt = {"r.accepted" in manifest["cypher"]: manifest for manifest in manifests}
    assert len(manifests) == len(learnt) == 2
    assert learnt[True]["triples"] == sum(bool(edge.accepted) for edge in own) > 0
    assert learnt[False]["triples"] == len(own)
    assert {manifest["derived_from"] for manifest in manifests} == {"gemma"}
    assert {tuple(manifest["runs"]) for manifest in manifests} == {(written["inferences"]["id"],)}

    assert "not known" in report
    assert "| local teacher, raw |" in report
    assert "kg query to_judge" in report
    assert "nan" not in report.lower().split()
    before = picture(graph)
    assert run(graph, workspace, teachers=("local",)) == report
    assert picture(graph) == before


@only_thorough
@pytest.mark.usefixtures("small_world")
def test_strong_and_local_teachers_have_students_of_their_own(graph: KnowledgeGraph, workspace: Workspace) -> None:
    report = run(graph, workspace, teachers=("local", "strong"))
    sources = {row["id"]: row["model"] for row in graph.runs() if row["kind"] in ("load", "inferences")}
    assert sorted(sources.values()) == ["gemma", "teacher"]
    students = [read_manifest(workspace.place("students", row["id"])) for row in graph.students()]
    found = sorted((sources[source], "r.accepted" in one["cypher"], one.get("derived_from", "nobody"))
                   for one in students for source in one["runs"])  # fmt: skip
    assert found == [("gemma", False, "gemma"), ("gemma", True, "gemma"), ("teacher", True, "nobody")]
    for name in ("strong", "local"):
        assert f"| {name} teacher, raw |" in report
    own, _ = report.split("## The reference run, read blind")
    assert "weak teacher" not in own, "readings that ship are of both recorded teachers, this run had one of them"


@only_thorough
@pytest.mark.usefixtures("small_world")
def test_the_tails_are_about_the_events_that_were_written_and_no_others(
    graph: KnowledgeGraph, workspace: Workspace
) -> None:
    run(graph, workspace, teachers=("strong", "local"))
    (tails,) = [row["id"] for row in graph.runs() if row["kind"] == "inferences"]
    texts = (workspace.place("runs", tails) / "texts.jsonl").read_text(encoding="utf-8")
    asked = [json.loads(line) for line in texts.splitlines()]
    assert len(asked) == len(set(asked)) == WROTE
    assert not any("thing" in event for event in asked)
    assert {edge.triple.head for edge in graph.edges() if tails in edge.runs} <= set(asked)
    assert {phrase_id(event) for event in asked} <= {phrase_id(event.text) for event in graph.events()}


def distill_here(arguments: list[str], environment: dict[str, str], folder: str, output: str) -> None:
    """Run the loop in this process from here on, slowly where it is to be killed."""
    command.take_over(environment, folder, output)
    model, recorded, seconds = arguments
    torch.set_num_threads(1)
    stand_in(pytest.MonkeyPatch(), Path(model), Path(recorded))
    if float(seconds):
        write_some = LocalTeacher._write  # noqa: SLF001

        def slowly(self: LocalTeacher, requests: Sequence[object]) -> object:
            time.sleep(float(seconds))
            return write_some(self, requests)  # type: ignore[arg-type]

        LocalTeacher._write = slowly  # type: ignore[method-assign,assignment]  # noqa: SLF001
        local._BATCH_SEQUENCES = 24  # noqa: SLF001
    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        run(graph, workspace, teachers=("local",))


def replies(home: Path) -> int:
    try:
        with sqlite3.connect(f"file:{home}/replies/replies.sqlite?mode=ro", uri=True) as connection:
            (number,) = connection.execute("SELECT count(*) FROM replies").fetchone()
        connection.close()
    except sqlite3.OperationalError:
        return 0
    return int(number)


@pytest.mark.timeout(600)
@only_thorough
def test_a_loop_that_is_killed_while_it_writes_and_while_it_learns_ends_as_an_undisturbed_one(
    graph: KnowledgeGraph, store: Store, environment: dict[str, str], tmp_path: Path, model: Path, recorded: Path
) -> None:
    home = Path(environment["KG_HOME"])
    arguments = [str(model), str(recorded)]
    moments: list[Callable[[], bool]] = [
        lambda: replies(home) >= 3,  # of six requests for events, at least
        lambda: replies(home) >= 100,  # of 420 for tails
        lambda: any((home / "students").glob("*/student.json")),
    ]
    seen = []
    for comes in moments:
        process = command.start([*arguments, "0.05"], environment, tmp_path, tmp_path / ".said", how=distill_here)
        deadline = time.monotonic() + 300
        while not comes() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.is_alive(), (tmp_path / ".said.err").read_text(encoding="utf-8")
        process.kill()
        process.join()
        seen.append(replies(home))
    assert 3 <= seen[0] < 100 <= seen[1] < 420 < seen[2], "two kills hit the writing"
    done = command.run([*arguments, "0"], environment, tmp_path, tmp_path / ".said", how=distill_here)
    assert done.returncode == 0, done.stderr
    assert replies(home) == seen[2], "what was written is not written again"
    disturbed = picture(graph)

    empty(store)
    other = environment | {"KG_HOME": str(tmp_path / "other")}
    undisturbed = command.run([*arguments, "0"], other, tmp_path, tmp_path / ".said", how=distill_here)
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert picture(graph) == disturbed
    assert all(disturbed)  # type: ignore[call-overload]


def test_a_teacher_whose_requests_fail_is_one_sentence(
    graph: KnowledgeGraph, workspace: Workspace, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FOLLOWS, "Event:", ("[END]",))
    stand_in(monkeypatch, make_model(workspace.root / "silent"), recorded)
    with pytest.raises(TeacherError, match=r"requests to gemma failed; .*failures.jsonl says why") as caught:
        write_corpus(graph, workspace, Vocabulary.load("skd"), events=5, tails=1)
    assert "\n" not in str(caught.value)


def test_without_the_language_model_it_is_one_sentence_and_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(packaged, "find_package", lambda: None)
    for chosen in (["local"], ["strong", "local"]):
        failed = CliRunner().invoke(app, ["distill", *(part for name in chosen for part in ("--teacher", name))])
        assert isinstance(failed.exception, NotReady)
        assert HOW_TO_GET in str(failed.exception)
        assert "\n" not in str(failed.exception)
    assert not (tmp_path / "home").exists()


def test_help_says_how_much_the_local_teacher_writes() -> None:
    shown = " ".join(CliRunner().invoke(app, ["distill", "--help"], env=os.environ | {"COLUMNS": "400"}).output.split())
    assert f"{EVENTS} events and {TAILS} tails for each relation" in shown


def test_a_teacher_that_writes_no_event_is_one_sentence(
    graph: KnowledgeGraph, workspace: Workspace, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FOLLOWS, "Event:", ("rains",))
    stand_in(monkeypatch, make_model(workspace.root / "rainy"), recorded)
    with pytest.raises(
        TeacherError, match="gemma wrote too few events to go on with; see what was dropped in"
    ) as caught:
        write_corpus(graph, workspace, Vocabulary.load("skd"), events=5, tails=1)
    assert "\n" not in str(caught.value)
    assert not list(graph.edges())
