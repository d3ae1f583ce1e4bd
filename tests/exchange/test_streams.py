"""Pipes, devices, stdin and stdout; and files that hold nothing of use."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from tests.conftest import Kg

ROW = "PersonX naps\txWant\tto rest\r\n"
COMMAND = [sys.executable, "-c", "from kg.cli import main; main()"]


def load(kg: Kg, path: Path, *options: str, status: int = 0) -> str:
    done = kg("ingest", "load", str(path), *options, status=status)
    return done.stdout + done.stderr


@pytest.fixture
def filled(kg: Kg, graph: KnowledgeGraph, tmp_path: Path) -> KnowledgeGraph:
    (tmp_path / "f.tsv").write_bytes(ROW.encode())
    load(kg, tmp_path / "f.tsv")
    return graph


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_an_export_to_stdout_is_all_that_is_there(environment: dict[str, str], name: str) -> None:
    before = Path("/dev/stdout").is_symlink()
    done = subprocess.run([*COMMAND, "export", "tsv", name], env=environment, capture_output=True, check=True)
    assert done.stdout == b"PersonX naps\txWant\tto rest\n"
    assert b"1 edges written" in done.stderr
    assert Path("/dev/stdout").is_symlink() == before


def test_an_export_of_two_files_does_not_go_to_stdout(kg: Kg) -> None:
    assert "more than one file" in kg("export", "kgx", "-", status=1).stderr


@pytest.mark.usefixtures("filled")
def test_an_export_to_a_named_pipe_leaves_the_pipe(kg: Kg, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    kg("export", "jsonl", str(tmp_path / "pipe"))
    reader.join(60)
    assert json.loads(got[0])["tail"] == "to rest"
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_is_read_as_a_file_is(kg: Kg, graph: KnowledgeGraph, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(ROW.encode() * 1000))
    writer.start()
    assert "1,000 rows read, 1 edges added" in load(kg, tmp_path / "pipe")
    writer.join(60)
    assert [edge.triple.tail for edge in graph.edges()] == ["to rest"], "a carriage return is no part of a text"


def test_stdin_is_read(environment: dict[str, str], graph: KnowledgeGraph) -> None:
    done = subprocess.run([*COMMAND, "ingest", "load", "-"], env=environment, input=ROW.encode(), capture_output=True)  # noqa: PLW1510 - looked at below
    assert (done.returncode, b"1 rows read" in done.stdout) == (0, True), done.stderr
    assert graph.statistics()["edges"] == 1


def test_a_header_alone_is_no_row_and_no_error(kg: Kg, graph: KnowledgeGraph, tmp_path: Path) -> None:
    for name, header in (("a.csv", "event,xWant,prefix,split"), ("k.tsv", "id\tnode1\trelation\tnode2")):
        (tmp_path / name).write_text(f"{header}\r\n")
        assert "0 rows read, 0 edges added" in load(kg, tmp_path / name)
    assert graph.statistics()["edges"] == 0


def test_bad_rows_alone_are_an_error_and_leave_no_run(kg: Kg, graph: KnowledgeGraph, tmp_path: Path) -> None:
    (tmp_path / "f.tsv").write_text("PersonX naps\txWnat\tto rest\n" * 3)
    said = load(kg, tmp_path / "f.tsv", status=1)
    assert "no row of" in said
    assert "line 1" in said
    assert "did you mean xWant" in said
    assert graph.runs() == []
    assert load(kg, tmp_path / "f.tsv", "--format", "nonsense", status=1).startswith("kg: format 'nonsense' is not one")
