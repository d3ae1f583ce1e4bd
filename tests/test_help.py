"""Every command has help that answers at once and loads nothing heavy."""

import json
import resource
import subprocess
import sys
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from kg.cli import app

HEAVY = ("torch", "transformers", "neo4j", "sklearn", "pyarrow", "pyoxigraph", "networkx", "rdflib", "jgo", "numpy")


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]

    def walk(command: object, path: tuple[str, ...]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            found.append((*path, name))
            walk(child, (*path, name))

    walk(typer.main.get_command(app), ())
    return found


def command_at(path: tuple[str, ...]) -> Any:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    return command


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_a_command_explains_itself_and_each_of_its_parameters(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="kg", env={"COLUMNS": "1000"})
    assert result.exit_code == 0
    assert "Usage: kg" in result.output
    shown = " ".join(result.output.split())
    command = command_at(path)
    for name, text in [("it", command.help), *((" ".join(one.opts), one.help) for one in command.params)]:
        assert len((text or "").split()) > 1, f"kg {' '.join(path)}: nothing is said about {name}"
        assert " ".join(text.split())[:60] in shown, f"kg {' '.join(path)}: its help leaves out {name}"


def test_all_help_pages_together_load_nothing_heavy() -> None:
    script = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from kg.cli import app\n"
        f"for path in {commands()!r}:\n"
        "    assert CliRunner().invoke(app, [*path, '--help']).exit_code == 0\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_help_takes_less_than_a_second_of_cpu_time() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "from kg.cli import main; main()", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1
