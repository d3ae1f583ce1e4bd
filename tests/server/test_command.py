"""`kg server`, as typed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kg.commands.server import app
from kg.server.server import Server
from tests.repeats import only_thorough


@pytest.fixture
def workspace(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder of the shared server's workspace the default one."""
    monkeypatch.setenv("KG_HOME", str(server.folder.parent))
    return server.folder.parent


def kg_server(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@only_thorough
@pytest.mark.usefixtures("workspace")
def test_start_status_and_stop_tell_what_is_so(server: Server) -> None:
    server.stop()
    assert kg_server("status").startswith("Not running")
    assert kg_server("start").startswith("Started Neo4j at bolt://127.0.0.1:")
    assert kg_server("start").startswith("Running already: Neo4j at bolt://127.0.0.1:")
    assert kg_server("status").startswith("Running: Neo4j 5.26.30 at bolt://127.0.0.1:")
    facts = json.loads(kg_server("status", "--json"))
    assert facts["state"] == "running"
    assert facts["uri"] == server.status().uri
    assert Path(facts["password_file"]).read_text(encoding="ascii") not in json.dumps(facts)
    assert kg_server("stop") == "Stopped\n"
    assert kg_server("stop") == "Not running\n"


def test_a_server_of_the_users_own_is_named_and_nothing_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KG_HOME", str(tmp_path))
    monkeypatch.setenv("NEO4J_URI", "bolt://graph.example:7687")
    assert "own server at bolt://graph.example:7687 is used" in kg_server("start")
    assert "own server at bolt://graph.example:7687 is used instead" in kg_server("status")
    assert json.loads(kg_server("status", "--json"))["used_instead"] == "bolt://graph.example:7687"
    assert Server(tmp_path / "server").status().state == "stopped"


@only_thorough
def test_the_console_is_the_server_until_it_is_interrupted(server: Server, workspace: Path) -> None:
    server.stop()
    command = [sys.executable, "-c", "from kg.commands.server import app; app()", "console"]
    environment = os.environ | {"KG_HOME": str(workspace)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as console:
        assert console.stdout is not None
        lines = iter(console.stdout.readline, "")
        assert any(line.rstrip().endswith("Started.") for line in lines)
        assert server.status().pid == console.pid
        assert not server.start().started
        console.send_signal(signal.SIGINT)
        assert any(line.rstrip().endswith("Stopped.") for line in lines)
    assert server.status().state == "stopped"
