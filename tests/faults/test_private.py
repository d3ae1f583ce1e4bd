"""What the workspace keeps is its owner's alone, and what the environment has of secrets goes nowhere else."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from kg.server.server import Server
from kg.workspace import Workspace, new_file
from tests import command
from tests.repeats import only_thorough
from tests.teacher.provider import Provider

SECRET = "sk-of-the-test-5f0c"  # noqa: S105
RELATIONS = ("xWant", "xReact", "xNeed")


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """Let everybody read what is made with no thought."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    found = []
    for path in (folder, *(Path(at, name) for at, *names in os.walk(folder) for name in chain(*names))):
        with suppress(FileNotFoundError):  # a running server removes files
            if (bits := path.lstat().st_mode) & 0o077:
                found.append(f"{path} {bits:o}")
    return sorted(found)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def rows(count: int) -> tuple[str, str]:
    triples = [f"PersonX sees thing {place}\t{RELATIONS[place % 3]}\tto act on {place}" for place in range(count)]
    judged = "".join(f"{triple}\t{2 if place % 5 else -1}\trater\n" for place, triple in enumerate(triples))
    return "\n".join(triples) + "\none column\n", "head\trelation\ttail\tvalue\tannotator\n" + judged


def carelessly(arguments: list[str], environment: dict[str, str], folder: str, said: str) -> None:
    """The command as it is, of a user who lets everybody read what is made."""
    os.umask(0)
    command.run_here(arguments, environment, folder, said)


@only_thorough
@pytest.mark.timeout(600)
def test_nobody_else_reads_a_workspace_after_a_loop_of_commands(tmp_path: Path, encoder: Path) -> None:
    (tmp_path / "rows.tsv").write_text(rows(240)[0])
    (tmp_path / "judged.tsv").write_text(rows(240)[1])
    (tmp_path / "events.txt").write_text("PersonX naps\nPersonX eats\n")
    home = tmp_path / "made" / "home"
    environment = os.environ | {"KG_HOME": str(home), "OPENAI_API_KEY": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET}

    def kg(*arguments: str, status: int = 0) -> None:
        done = command.run(arguments, environment, tmp_path, tmp_path / ".said", how=carelessly)
        assert done.returncode == status, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"

    server = Server(home / "server")
    try:
        kg("ingest", "load", "rows.tsv", "--format", "atomic2020", status=1)  # one row is rejected
        with Provider() as provider:
            kg("ingest", "inferences", "--events", "events.txt", "--relations", "xWant", "--model", "m", "--yes",
               "--base-url", provider.url)  # fmt: skip
        kg("critic", "import-judgements", "judged.tsv")
        kg("critic", "train", "--kind", "blend", "--encoder", str(encoder))
        kg("critic", "calibrate")
        kg("critic", "score")
        kg("student", "train", "--kind", "ranker", "--encoder", str(encoder))
        kg("export", "jsonl", "deep/out.jsonl")
        kg("export", "snapshot", "shot")
        assert {path.name for path in home.iterdir()} >= {"server", "replies", "embeddings", "critics", "students"}
        assert list((home / "runs").glob("*/rejected.jsonl"))
        assert open_to_others(home) == []
        assert mode(tmp_path / "deep") == mode(tmp_path / "shot") == mode(tmp_path / "shot" / "edges") == 0o777
        assert mode(tmp_path / "deep" / "out.jsonl") == mode(tmp_path / "shot" / "manifest.json") == 0o666
        if Path("/proc").is_dir():
            environ = Path(f"/proc/{server.status().pid}/environ").read_bytes()
            assert b"NEO4J_HOME=" in environ
            assert SECRET.encode() not in environ
    finally:
        server.stop()
    assert open_to_others(home) == []


def test_an_export_has_the_umask_of_its_user(tmp_path: Path) -> None:
    os.umask(0o027)
    with new_file(tmp_path / "out" / "file", shared=True) as draft:
        draft.write_text("content")
    assert (mode(tmp_path / "out"), mode(tmp_path / "out" / "file")) == (0o750, 0o640)


def test_an_older_workspace_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shared.txt").touch()
    old = tmp_path / "old"
    (old / "runs" / "load-1").mkdir(parents=True)
    (old / "runs" / "load-1" / "run.json").touch()
    (old / "runs" / "link").symlink_to(elsewhere)
    Workspace(old)
    assert [entry for entry in open_to_others(old) if "link" not in entry] == []
    assert mode(elsewhere) == 0o777
    assert mode(elsewhere / "shared.txt") == 0o666


def test_a_folder_that_is_not_the_workspaces_own_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    for root in (tmp_path / "project", tmp_path):
        root.chmod(0o755)
        Workspace(root)
        assert mode(root) == 0o755
    assert mode(tmp_path / "project" / "runs") == 0o700
    monkeypatch.chdir("/")
    tmp_path.chmod(0o1777)
    Workspace(tmp_path)
    assert mode(tmp_path) == 0o1777


@pytest.mark.parametrize(
    "uri",
    ["bolt://neo4j:{}@127.0.0.1:9", "neo4j:{}@127.0.0.1", "http://neo4j:{}@h", "bolt://neo4j:{}/x@h", "bolt://neo4j:{}",
     "bolt://127.0.0.1:9?password={}", "neo4j://127.0.0.1:9?policy={0}&policy={0}", "bolt://127.0.0.1:9/{}", "{}"],
)  # fmt: skip
def test_a_secret_in_the_address_of_the_database_is_never_printed(tmp_path: Path, uri: str) -> None:
    environment = os.environ | {"KG_HOME": str(tmp_path), "NEO4J_URI": uri.format(SECRET)}
    for arguments in (["stats"], ["server", "status"], ["server", "status", "--json"], ["server", "start"]):
        for password in ("", "x"):
            done = command.run(arguments, environment | {"NEO4J_PASSWORD": password}, tmp_path, tmp_path / ".said")
            assert SECRET not in done.stdout + done.stderr
            if "@" in uri:
                assert done.returncode == 1
                assert "NEO4J_USERNAME and NEO4J_PASSWORD" in done.stderr
                assert len(done.stderr.splitlines()) == 1
