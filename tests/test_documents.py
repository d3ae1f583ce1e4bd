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
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(ROOT.glob("*.md"))


def tracked(*patterns: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def test_the_file_tree_names_every_module() -> None:
    tree = README.split("## Files", 1)[1]
    for name in tracked("kg/*.py", "ingest/*.py", "critic/*.py", "student/*.py"):
        if not name.endswith("__init__.py"):
            assert re.search(rf"\b{re.escape(Path(name).name)}\b", tree), f"{name} is not in the README's file tree"


def test_every_function_in_the_way_of_a_record_exists() -> None:
    table = README.split("## The way of a record", 1)[1].split("\n## ", 1)[0]
    names = re.findall(r"\| `((?:kg|ingest|critic|student)\.[\w.]+)` \|", table)
    assert len(names) >= 9
    for name in names:
        module, *path = name.rsplit(".", 1)
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:  # a method: module.Class.method
            module, cls = module.rsplit(".", 1)
            found = getattr(importlib.import_module(module), cls)
        assert hasattr(found, path[0]), f"{name} does not exist"


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
    for name in tracked("*.lock", "kg/*.lock*", "kg/*.toml"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), f"{name} names an address"
