"""What the documents say is true of the code."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.main

from kg.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("kg/domains/*/README.md")])


def tracked(*patterns: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def section(heading: str) -> str:
    """The part of README or CONTRIBUTING below a heading, whichever has it."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")]
    (found,) = [text.split(f"\n## {heading}\n", 1)[1] for text in texts if f"\n## {heading}\n" in text]
    return found.split("\n## ", 1)[0]


def tree() -> set[str]:
    """Paths that the file tree names: folders by two blanks a level; names before two blanks and what is said."""
    paths: set[str] = set()
    folders: list[str] = []
    for line in section("Files").split("```", 2)[1].strip("\n").splitlines():
        names = re.split(r"\s{2,}", line.strip(), maxsplit=1)[0]
        level = (len(line) - len(line.lstrip())) // 2
        parents = "".join(folders[:level])
        paths |= {parents + name for name in re.split(r",?\s", names)}
        if names.endswith("/"):
            folders[level:] = [names]
    return paths


def test_the_file_tree_names_every_module_where_it_is_and_nothing_else() -> None:
    named = tree()
    modules = {name for name in tracked("kg/*.py", "ingest/*.py", "critic/*.py", "student/*.py")
               if not name.endswith("__init__.py")}  # fmt: skip
    assert len(modules) > 50
    assert {name for name in named if name.endswith(".py")} == modules
    assert not {name for name in named if not (ROOT / name).exists()}


NO_STEP = {"ingest resume", "ingest cloze", "ingest batch", "ingest bulk", "critic export-judgements", "critic list",
           "critic compare", "critic annotators", "student list"}  # fmt: skip
"""Commands of the stages that are another way to a step of the table, or out of it, or that only look."""


def test_the_way_of_a_record_names_every_step_and_only_functions_that_exist() -> None:
    rows = [row.strip("| ").split(" | ") for row in section("The way of a record").splitlines() if row.startswith("| ")]
    names = [row[2].strip("`") for row in rows[1:]]
    assert names
    for name in names:
        assert re.fullmatch(r"(kg|ingest|critic|student)\.[\w.]+", name), name
        assert callable(found(name)), f"{name} does not exist"
    shown = re.findall(r"`kg (ingest|critic|student) ([\w-]+)", section("The way of a record"))
    stages = typer.main.get_command(app).commands
    steps = {f"{stage} {name}" for stage in ("ingest", "critic", "student") for name in stages[stage].commands}
    assert {" ".join(pair) for pair in shown} == steps - NO_STEP
    assert steps >= NO_STEP


def found(name: str) -> object:
    """What a dotted name stands for; AssertionError if nothing."""
    parts = name.split(".")
    for place in range(len(parts) - 1, 0, -1):
        try:
            at: object = importlib.import_module(".".join(parts[:place]))
        except ModuleNotFoundError:  # a class: module.Class.method
            continue
        for part in parts[place:]:
            assert hasattr(at, part), f"{name} does not exist"
            at = getattr(at, part)
        return at
    raise AssertionError(f"{name} does not exist")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_exists(document: Path) -> None:
    for line in re.findall(
        r"^\s*(?:\$ )?(?:\.venv/bin/)?kg +([^\n#|]+)", document.read_text(encoding="utf-8"), re.MULTILINE
    ):
        command = typer.main.get_command(app)
        for word in shlex.split(line):
            children = getattr(command, "commands", None)
            if not children:
                options = {option for parameter in command.params for option in parameter.opts}
                if re.fullmatch(r"--[a-z-]+", word):
                    assert word in options, f"{document.name}: kg {line}: no option {word}"
                continue
            assert word in children, f"{document.name}: kg {line}: no command {word}"
            command = children[word]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:kg|ingest|critic|student|cypher|tests)/[\w./-]*)`", text):
        if "NAME" not in name and "FORMAT" not in name:  # of something that the reader will write
            assert (ROOT / name).exists(), f"{document.name} names {name}"
    for name in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (ROOT / name).exists(), f"{document.name} links to {name}"


def test_no_document_is_missing() -> None:
    assert {"README.md", "CONTRIBUTING.md", "GLOSSARY.md", "DECISIONS.md", "DATA.md", "CHANGELOG.md"} <= {
        path.name for path in DOCUMENTS
    }
    assert (ROOT / "LICENSE").is_file()


def test_the_lock_names_no_address() -> None:
    locks = tracked("*.lock", "kg/*.lock*", "kg/*.toml")
    assert {"requirements.lock", "neo4j.lock.toml"} <= {Path(name).name for name in locks}
    for name in locks:
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), f"{name} names an address"
