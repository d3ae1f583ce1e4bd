"""What a person reads is plain to see; what a program reads is verbatim."""

import ast
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg import terminal
from kg.commands.query import print_markdown, print_table
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from kg.workspace import is_stream
from tests.conftest import Kg

ROOT = Path(__file__).parents[2]
HOSTILE = [
    *map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0)), *"\u202a\u202b\u202c\u202d\u202e",
    *"\u2066\u2067\u2068\u2069\u200b\u200c\u200d\u200e\u200f\u061c\u2028\u2029\u2060\ufeff\u00ad\u180e\u3164\ufff9",
    "\U000e0041", "\U0001d173", "\ud800", "\udfff",
]  # fmt: skip
hostile = st.text(st.sampled_from(HOSTILE) | st.characters(), max_size=20)


def unseen(text: str) -> list[str]:
    return [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_every_unseen_character_is_escaped_by_its_number() -> None:
    assert terminal.visible("a\x1b[2J\x9b\u202e\U000e0041\ud800b") == r"a\x1b[2J\x9b\u202e\U000e0041\ud800b"
    assert terminal.visible("two\nlines\tof\r") == r"two\nlines\tof\r"
    for letter in map(chr, range(sys.maxunicode + 1)):
        assert bool(unseen(letter)) <= (terminal.visible(letter) != letter)
    assert terminal.visible("naïve 傘 😀 e\u0301 \u00a0") == "naïve 傘 😀 e\u0301 \u00a0"


def run(code: str, **environment: str) -> tuple[str, str]:
    program = f"from kg import terminal\nterminal.guard()\nimport sys\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, cwd=ROOT, env=os.environ | environment
    )
    return done.stdout.decode(), done.stderr.decode()


@given(text=hostile)
def test_a_line_stays_a_line_whatever_is_in_it(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream := io.StringIO())
        terminal.say(f"before {text} after", text)
        lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert not unseen("".join(lines))


@given(value=st.dictionaries(hostile, hostile | st.floats(allow_nan=False, allow_infinity=False)))
def test_json_is_plain_to_see_and_says_the_same(value: dict) -> None:
    for indent in (None, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", stream := io.StringIO())
            terminal.say_json(value, indent=indent)
        assert not unseen(stream.getvalue().replace("\n", ""))
        assert json.loads(stream.getvalue()) == value


def test_json_has_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_json({"a": [float("nan"), 1.5], "b": {"c": float("-inf")}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": None}}


def test_what_libraries_write_is_shown_too_and_data_is_verbatim() -> None:
    bad = "a\x1b[31m\x1b]0;t\x07\u202e\r"
    out, err = run(
        f"import warnings\nbad = {bad!r}\nprint(bad)\nterminal.data().write(bad)\nprint('end')\n"
        "warnings.warn(bad)\nsys.stderr.write('\\ud800\\n')\nraise ValueError(bad)"
    )
    shown = r"a\x1b[31m\x1b]0;t\x07\u202e\r"
    assert out == f"{shown}\n{bad}end\n"
    assert err.count(shown) == 2
    assert r"\ud800" in err
    assert not unseen(err.replace("\n", ""))


def test_a_terminal_that_is_not_unicode_gets_escapes() -> None:
    assert run("terminal.say('傘')", PYTHONIOENCODING="ascii")[0] == "\\u5098\n"


def test_a_pipe_that_closes_is_no_traceback() -> None:
    code = "from kg import terminal; terminal.guard(); [terminal.say('x' * 1000) for _ in range(1000)]"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert b"BrokenPipeError" in process.stderr.read()  # the command ends with status 1


def test_a_pipe_of_another_process_is_no_reader_that_wants_no_more() -> None:
    """Typer ends a command without a word at any broken pipe; only that of stdout is what it thinks it is."""
    code = (
        "import typer\nfrom kg import cli\ncli.app = typer.Typer()\n@cli.app.command()\ndef end():\n    {}\ncli.main()"
    )
    for body, told in (
        ("raise BrokenPipeError(32, 'Broken pipe')", "kg: a process that this command had begun ended before it"),
        ("[cli.say('x' * 1000) for _ in range(1000)]", ""),
    ):
        command = [sys.executable, "-c", code.format(body)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout
            assert process.stderr
            if not told:
                process.stdout.read(1)
                process.stdout.close()
            said = process.stderr.read().decode()
            assert said.startswith(told)
            assert bool(said) == bool(told)
        assert process.returncode == 1


def test_on_a_terminal_colours_and_bars_work_and_data_do_nothing() -> None:
    code = (
        "from kg import terminal; terminal.guard()\n"
        "from kg.progress import Bar\n"
        "from kg.commands.query import print_table\n"
        "import sys, time\n"
        "print_table(['a\\x1b[2J\\u202e'], [['b\\x1b[31m[/x]\\n']])\n"
        "bar = Bar(range(3), unit='steps', desc='c\\x1b[31m\\u202e')\n"
        "list(bar)\n"
        "terminal.say('d\\x1b[31m')\n"
        "terminal.data().write('e\\x1b]0;t\\x07\\n')\n"
    )
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"},
    ) as process:  # fmt: skip
        os.close(slave)
        said = b""
        try:
            while part := os.read(master, 4096):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(master)
    assert process.returncode == 0, said
    text = said.decode()
    for shown in (r"a\x1b[2J\u202e", r"b\x1b[31m[/x]\n", r"c\x1b[31m\u202e:", r"d\x1b[31m", r"e\x1b]0;t\x07"):
        assert shown in text
    assert "\x1b[1m" in text  # the header is bold
    assert "\r" in text.replace("\r\n", "")  # the bar goes back
    assert "\x1b[31m" not in text
    assert not {*unseen(text)} - {"\x1b", "\r", "\n"}


WAYS_ROUND = {"print", "typer.echo", "typer.secho", "typer.confirm", "typer.prompt", "click.echo",
              "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "rich.print", "os.write"}  # fmt: skip
MODULES = {"tqdm", "click", "rich", "rich.console", "getpass"}
ALLOWED = {
    ("kg/progress.py", "tqdm"), ("kg/progress.py", "sys.stderr"), ("kg/terminal.py", "sys.stdout"),
    ("kg/terminal.py", "sys.stderr"), ("kg/terminal.py", "typer.confirm"),
    ("kg/cli.py", "sys.stderr"), ("kg/interrupts.py", "os.write"),  # fixed words, before anything is imported
    ("kg/cli.py", "sys.exit with a message"),  # the status of an interrupt
    ("kg/sparql/child.py", "sys.stdout"), ("kg/sparql/child.py", "sys.stderr"),  # pipes to the process that asked
    ("kg/commands/query.py", "rich.console"),  # tables of visible cells
}  # fmt: skip


def ways_round(source: str) -> set[str]:
    """How a source would write to the terminal by another way than `kg.terminal`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(module), attr=name) if f"{module}.{name}" in WAYS_ROUND:
                found.add(f"{module}.{name}")
            case ast.Name(name) if name in WAYS_ROUND:
                found.add(name)
            case ast.Call(ast.Name("input")):
                found.add("input")
            case ast.Import(names):
                found |= {alias.name for alias in names} & MODULES
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} & MODULES
                found |= {f"{module}.{alias.name}" for alias in names} & WAYS_ROUND
                found |= {f"{module}.{alias.name}" for alias in names} & MODULES
            case ast.Call(ast.Name("exit") | ast.Attribute(ast.Name("sys"), "exit"), [argument, *_]) if not (
                isinstance(argument, ast.Constant) and isinstance(argument.value, int)
            ):
                found.add("sys.exit with a message")
    return found


def test_no_module_goes_round_the_terminal() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), way)
        for package in ("kg", "ingest", "critic", "student")
        for path in (ROOT / package).rglob("*.py")
        for way in ways_round(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED
    for code in ("print(1)", "import sys\nsys.stderr.write('x')", "import typer\ntyper.echo('x')",
                 "from tqdm import tqdm", "from typer import echo", "from sys import stderr", "sys.exit(f'{x}')",
                 "from rich.console import Console", "write = sys.stdout.write"):  # fmt: skip
        assert ways_round(code), code


BAD = "x\x1b[2J\x9b31m\u202e\u2066\u200b\u2028\u061c\r\n\ty"


def test_every_command_shows_hostile_data_and_files_keep_it(graph: KnowledgeGraph, kg: Kg, tmp_path: Path) -> None:
    run, other = Run("load", model=f"model {BAD}", dataset=f"data {BAD}"), Run("load", dataset=f"rows {BAD}")
    for one in (run, other):
        graph.begin(one)
        graph.add([Assertion(Triple(f"PersonX {BAD}", "xWant", f"to rest {BAD}"))], one)
        graph.finish(one)
    (tmp_path / f"rows{BAD}.tsv").write_text(f"PersonX\txWnat\t{BAD[:-3]}\n", encoding="utf-8")
    name = f"`{BAD}`"
    query = f"MATCH (h)-[r:xWant]->(t) RETURN t.text AS {name}, [t.text] AS list, t AS node"
    for arguments, status in [
        (("query", query), 0), (("query", query, "--json"), 0), (("query", f"RETURN {name}"), 1),
        (("query", f"x{BAD}"), 1), (("query", "why", "--param", f"event={BAD}"), 0),
        (("runs", "list"), 0), (("runs", "list", "--json"), 0), (("runs", "show", run.id), 0),
        (("runs", "show", BAD), 1), (("runs", "undo", BAD, "--yes"), 1), (("ingest", "resume", BAD), 1),
        (("ingest", "load", f"rows{BAD}.tsv", "--format", "atomic2020"), 1),
        (("ingest", "load", BAD), 1), (("ingest", "load", f"rows{BAD}.tsv", "--format", BAD), 1),
        (("export", "tsv", f"out{BAD}.tsv"), 1), (("export", "jsonl", f"out{BAD}.jsonl"), 0),
        (("export", BAD, "x"), 2), (("stats", f"--{BAD}"), 2),
        (("student", "predict", "--student", BAD), 1), (("stats",), 0),
    ]:  # fmt: skip
        done = kg(*arguments, status=status)
        for said in (done.stdout, done.stderr):
            assert not unseen(said.replace("\n", "")), (arguments, said)
            assert status == 2 or "\ty" not in said
        if status == 1:
            assert len(done.stderr.splitlines()) == 1, (arguments, done.stderr)
    row = json.loads(kg("query", query, "--json").stdout)
    assert row[BAD] == f"to rest {BAD}"
    listed = kg("runs", "list").stdout
    assert listed.count(r"\x1b[2J\x9b31m\u202e") >= 2
    assert listed.count(r"\u061c\r\n\ty") >= 2
    assert json.loads((tmp_path / f"out{BAD}.jsonl").read_bytes())["tail"] == f"to rest {BAD}"


def test_an_export_to_stdout_or_a_pipe_is_verbatim_and_alone(
    graph: KnowledgeGraph, kg: Kg, begun: Run, tmp_path: Path
) -> None:
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to\u202e rest"))], begun)
    row = "PersonX naps\txWant\tto\u202e rest\n"
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")  # what /dev/stdout is; that one is not for tests to break
    done = kg("export", "tsv", "stdout")
    assert done.stdout == row
    assert "1 edges written to stdout" in done.stderr
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    kg("export", "tsv", "pipe")
    assert os.read(end, 1000).decode() == row
    os.close(end)
    assert (tmp_path / "stdout").is_symlink()
    assert (tmp_path / "pipe").is_fifo()
    assert is_stream(Path("/dev/stdout"))
    assert is_stream(Path("/dev/null"))
    assert not is_stream(Path("/dev/shm/rows.tsv"))  # noqa: S108


def test_a_table_too_wide_for_the_terminal_is_a_block_for_each_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns, rows = ["tail", "claimed_by"], [["to rest", "predict-dc4880e87fe9"], ["ねる", None]]
    monkeypatch.setenv("COLUMNS", "30")
    print_table(columns, rows)
    assert capsys.readouterr().out.splitlines()[0].split() == columns
    monkeypatch.setenv("COLUMNS", "24")
    print_table(columns, rows)
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        "tail        to rest", "claimed_by  predict-dc48", "            80e87fe9", "", "tail        ねる", "claimed_by",
    ]  # fmt: skip


REPORT = (
    "# What\n\n- " + "a \x1b[2J word " * 12 + "\n\n| set | rows |\n|---|---:|\n| mine | 1,008 |\n| a longer name | 7 |"
)


def test_a_report_is_laid_out_on_a_terminal_and_left_alone_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_markdown(REPORT)
    assert capsys.readouterr().out == REPORT.replace("\x1b", "\\x1b") + "\n"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_markdown(REPORT)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "\x1b" not in "".join(lines)
    assert max(map(len, lines)) <= 60
    (one, other) = [line for line in lines if line.endswith(("1,008", " 7"))]
    assert len(one) == len(other), "in columns"
