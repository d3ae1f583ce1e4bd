"""A student as people take it home: its card, its folder, and the way to a hub."""

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner, Result

from kg.cli import app
from kg.errors import InputError, NotReady
from kg.language_model.terms import RESTRICTIONS, SENTENCE, write_notice
from kg.language_model.weights import TERMS
from kg.model import Triple
from kg.vocabulary import Vocabulary
from student import checkpoint
from student.generator import start
from student.generator.model import Generator
from student.publishing import upload, write_published
from tests.hub import Hub, reachable
from tests.student.conftest import MANIFEST, fake_encode

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # how the hub's library sends

CRITIC = {"id": "filter-1", "recall": 0.8, "thresholds": {"xWant": 0.7123, "*": 0.5}}
MADE_FROM: dict[str, Any] = MANIFEST | {
    "events": 4, "content_hash": "c0ffee", "critic": CRITIC, "encoder": {"name": None, "sha256": "0"},
}  # fmt: skip


@pytest.fixture(scope="module")
def students(
    base: Path, tmp_path_factory: pytest.TempPathFactory, eight: list[Triple], vocabulary: Vocabulary
) -> dict[str, Path]:
    """The folders of three students: a ranker, and generators from scratch and of a base."""
    place = tmp_path_factory.mktemp("students")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "LAYERS", 1)
        patch.setattr(start, "WIDTH", 32)
        for name, kind, of in [
            ("ranker", "ranker", None),
            ("scratch", "generator", None),
            ("of-base", "generator", base),
        ]:
            checkpoint.train_checkpoint(
                kind, eight, vocabulary, place / name, encode=fake_encode, seed=1, epochs=1,
                base=str(of) if of else None, manifest=MADE_FROM | {"base": str(of) if of else None},
            )  # fmt: skip
    return {folder.name: folder for folder in place.iterdir()}


@pytest.fixture
def gemma_student(students: dict[str, Path], tmp_path: Path) -> Path:
    """A student whose manifest says that it is derived from Gemma, with all that the terms ask for."""
    folder = tmp_path / "derived"
    shutil.copytree(students["scratch"], folder)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"derived_from": "gemma", "base": "gemma"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write_notice(folder)
    (folder / TERMS).write_text("Gemma Terms of Use … Prohibited Use Policy")
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that this process would send to."""
    with reachable() as found:
        yield found


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["student", "publish", *map(str, arguments)])


def test_the_card_names_base_licence_data_critic_thresholds_and_metrics(
    students: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "report.md").write_text("Readers accept 70 % of its tails.")
    done = run(
        students["of-base"], "--output", tmp_path / "mine", "--licence", "mit", "--report", tmp_path / "report.md"
    )
    assert done.exit_code == 0, done.output
    card = ModelCard.load(tmp_path / "mine" / "README.md")
    assert card.data.license == "mit"
    assert card.data.language == "en"
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "text-generation"
    base = json.loads((students["of-base"] / "manifest.json").read_text())["base"]
    for text in (f"a local model, {Path(base).name}", "RETURN 1", "c0ffee", "8 triples of 4 events", "`filter-1`",
                 "xWant 0.7123, any relation 0.5", "recall of 0.8", "| loss | ", "Readers accept 70 %"):  # fmt: skip
        assert text in card.text, text


def test_nothing_that_is_published_names_a_folder_of_this_machine(students: dict[str, Path], tmp_path: Path) -> None:
    place = json.loads((students["of-base"] / "manifest.json").read_text())["base"]
    write_published(students["of-base"], tmp_path / "mine", name="mine")
    for path in (tmp_path / "mine").iterdir():
        assert place.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("name", ["ranker", "scratch", "of-base"])
def test_what_is_published_is_the_student(
    name: str, students: dict[str, Path], tmp_path: Path, eight: list[Triple]
) -> None:
    write_published(students[name], tmp_path / "mine", name="mine")
    own, published = (checkpoint.load(folder, fake_encode) for folder in (students[name], tmp_path / "mine"))
    np.testing.assert_array_equal(published.logprobs(eight), own.logprobs(eight))
    assert {path.name for path in students[name].iterdir()} | {"README.md"} == {
        path.name for path in (tmp_path / "mine").iterdir()
    }


@pytest.mark.parametrize("name", ["scratch", "of-base"])
def test_the_prompt_of_the_card_is_what_the_student_was_trained_on(
    name: str, students: dict[str, Path], tmp_path: Path
) -> None:
    write_published(students[name], tmp_path / "mine", name="mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    prompt = json.loads(card.split("prompt = tokenizer(")[1].split(", return_tensors")[0])
    student = checkpoint.load(students[name], fake_encode)
    assert isinstance(student, Generator)
    given = student.codec.given("PersonX misses the bus", student.relations[0])
    assert tuple(student.codec.tokenizer(prompt)["input_ids"]) == given


def test_a_student_derived_from_gemma_goes_out_with_notice_restrictions_and_terms(
    gemma_student: Path, tmp_path: Path
) -> None:
    write_published(gemma_student, tmp_path / "mine", name="mine")
    card = ModelCard.load(tmp_path / "mine" / "README.md")
    assert card.data.license == "gemma"
    assert card.data.base_model == "google/gemma-3-270m"
    assert SENTENCE in card.text
    assert RESTRICTIONS in card.text


@pytest.mark.parametrize("lacking", ["NOTICE", TERMS])
def test_without_them_neither_a_folder_nor_a_hub_gets_it(
    lacking: str, gemma_student: Path, tmp_path: Path, hub: Hub
) -> None:
    (gemma_student / lacking).unlink()
    for publish in (
        lambda: write_published(gemma_student, tmp_path / "mine", name="mine"),
        lambda: upload(gemma_student, "me/mine"),
    ):
        with pytest.raises(NotReady, match=f"cannot be published: {lacking} must carry"):
            publish()
    assert not (tmp_path / "mine").exists()
    assert not hub.repositories


def test_another_licence_than_gemmas_is_refused_where_gemmas_terms_hold(gemma_student: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its licence cannot be mit"):
        write_published(gemma_student, tmp_path / "mine", name="mine", licence="mit")


def test_a_hub_gets_the_folder_in_a_private_repository(students: dict[str, Path], tmp_path: Path, hub: Hub) -> None:
    for _ in range(2):  # a second time adds a version
        done = run(students["of-base"], "--to", "me/mine")
        assert done.exit_code == 0, done.output
        assert f"{hub.address}/me/mine" in done.output
    assert hub.repositories == {"me/mine": True}
    write_published(students["of-base"], tmp_path / "mine", name="mine")
    assert hub.files["me/mine"] == {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}


def test_what_an_older_version_had_beside_is_gone(students: dict[str, Path], hub: Hub) -> None:
    upload(students["of-base"], "me/mine")
    before = set(hub.files["me/mine"])
    upload(students["ranker"], "me/mine")
    now = set(hub.files["me/mine"])
    assert "config.json" in before - now
    assert {"README.md", "tails.jsonl", "model.safetensors"} <= now


def test_a_repository_is_public_only_when_asked(students: dict[str, Path], hub: Hub) -> None:
    upload(students["ranker"], "me/open", public=True)
    assert hub.repositories == {"me/open": False}


def test_what_a_hub_refuses_is_told_in_one_line(
    students: dict[str, Path], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.refuses = 400
    with pytest.raises(InputError, match=r"hub refused me/mine: .*licence is no licence"):
        upload(students["ranker"], "me/mine")
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(InputError, match=r"hub refused me/mine: .*set HF_TOKEN"):
        upload(students["ranker"], "me/mine")
    with pytest.raises(InputError, match="no name of a repository"):
        upload(students["ranker"], "a/b/c")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NotReady, match="cannot send me/mine"):
        upload(students["ranker"], "me/mine")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub:port")
    with pytest.raises(InputError, match="cannot send me/mine to the model hub: Invalid port"):
        upload(students["ranker"], "me/mine")


def test_what_a_hub_has_against_the_card_is_told_and_no_password_is(
    students: dict[str, Path], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.objects_to = '"license" must be one of a list'
    with pytest.raises(InputError, match=r'cannot send me/mine to the model hub: .*"license" must be one of a list'):
        upload(students["ranker"], "me/mine")
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    monkeypatch.setenv("HF_ENDPOINT", hub.address.replace("http://", "http://me:secret@"))
    with pytest.raises(InputError, match="hub refused me/mine") as caught:
        upload(students["ranker"], "me/mine")
    assert "secret" not in str(caught.value)


def test_a_copy_that_cannot_be_made_is_told_in_one_line_and_nothing_is_sent(
    students: dict[str, Path], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match=r"cannot make a copy of .*: No space left on device"):
        upload(students["ranker"], "me/mine")
    assert not hub.repositories


def test_a_folder_of_something_else_is_left_alone(students: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes")
    with pytest.raises(InputError, match="no published student"):
        write_published(students["ranker"], tmp_path / "mine", name="mine")
    with pytest.raises(InputError, match="the student itself"):
        write_published(students["ranker"], students["ranker"], name="mine")
    assert (tmp_path / "mine" / "README.md").read_text() == "my notes"
    assert isinstance(run(students["ranker"]).exception, InputError)  # neither --to nor --output
