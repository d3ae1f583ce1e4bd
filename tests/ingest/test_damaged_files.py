"""A damaged file: the bad line is named, its neighbours stay, and no number comes in that JSON lacks."""

import ast
import gzip
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg import strict_json
from kg.errors import InputError
from kg.exchange.conceptnet import write_conceptnet
from kg.exchange.formats import reading
from kg.exchange.kgx import read_kgx, write_kgx
from kg.exchange.rows import Rows
from kg.exchange.skd import write_jsonl
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Line, Rejected, file_hash, read_lines
from kg.model import Assertion, Edge, Triple
from kg.run import Run, write_record
from kg.vocabulary import Vocabulary
from tests.conftest import Kg

ROOT = Path(__file__).parents[2]
ROW = b"PersonX naps\txWant\tto rest\n"


def read(path: Path, format_name: str) -> Rows:
    given = reading(format_name)
    vocabulary = Vocabulary.load(given.vocabulary)
    rows: Rows = given(path=path, lines=read_lines(path), vocabulary=vocabulary, lang=given.lang)
    return rows


def lines(path: Path, content: bytes) -> tuple[list[str], list[tuple[int, str]]]:
    path.write_bytes(content)
    rows = list(read_lines(path))
    return (
        [row.text for row in rows if isinstance(row, Line)],
        [(row.line, row.reason) for row in rows if isinstance(row, Rejected)],
    )


def test_a_gzip_that_is_cut_inside_a_long_line_names_it(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntwo\n" + os.urandom(2_000_000).hex().encode() + b"\nthree\n")
    good, bad = lines(tmp_path / "f.gz", packed[: len(packed) // 2])
    assert good == ["one", "two"]
    ((number, reason),) = bad
    assert number == 3
    assert "cut short" in reason


@given(cut=st.integers(0, 200), row=st.binary(min_size=1, max_size=30))
def test_any_cut_of_a_gzip_keeps_whole_lines_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, cut: int, row: bytes
) -> None:
    rows = [b"%d %s" % (number, row.hex().encode()) for number in range(50)]
    packed = gzip.compress(b"\n".join(rows) + b"\n")
    good, bad = lines(tmp_path_factory.getbasetemp() / "cut.gz", packed[: max(3, len(packed) - cut)])
    assert good == [row.decode() for row in rows[: len(good)]]
    assert len(bad) == (cut > 0)


def test_gzip_of_several_members_is_one_file_and_garbage_after_it_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree")
    assert lines(tmp_path / "f", packed) == (["one", "two", "three"], [])
    assert lines(tmp_path / "f", packed + b"\0" * 100) == (["one", "two", "three"], [])
    good, bad = lines(tmp_path / "f", packed + b"garbage")
    assert good == ["one", "two", "three"]
    assert [number for number, _ in bad] == [4]
    assert "no gzip" in bad[0][1]
    broken = bytearray(packed)
    broken[-5] ^= 1  # of the check sum
    good, bad = lines(tmp_path / "f", bytes(broken))
    assert good == ["one", "two"]
    assert len(bad) == 1


def test_lines_end_in_any_of_the_usual_ways(tmp_path: Path) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        for last in (b"", end):
            assert lines(tmp_path / "f", b"\xef\xbb\xbfone" + end + b"two" + end + b"three" + last) == (
                ["one", "two", "three"], [],
            )  # fmt: skip
    assert lines(tmp_path / "f", b"a\rb\nc\n") == (["a\rb", "c"], [])
    assert lines(tmp_path / "f", b"") == ([], [])


def test_lines_over_chunks_are_whole_and_long_ones_are_named(tmp_path: Path) -> None:
    sizes = [262_143, 262_144, 262_145, 1, 524_288, 3, 524_289, 5, 2_000_000, 7]
    good, bad = lines(tmp_path / "f", b"".join(b"x" * size + b"\n" for size in sizes))
    assert [len(text) for text in good] == [size for size in sizes if size <= 524_288]
    assert [number for number, _ in bad] == [7, 9]


def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kg: Kg) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(InputError, match="pipe or a device"):
            list(read_lines(path))
        with pytest.raises(InputError, match="pipe or a device"):
            file_hash(path)
    with pytest.raises(InputError, match="directory"):
        list(read_lines(tmp_path))
    for name in ("/dev/zero", "/dev/null"):  # a pipe that has an end is copied: tests/exchange/test_streams.py
        assert "pipe or a device" in kg("ingest", "load", name, "--format", "atomic2020", status=1).stderr
        assert "pipe or a device" in kg("ingest", "load", name, status=1).stderr


@pytest.mark.parametrize("format_name", ["atomic2020", "cn100k", "conceptnet", "kgtk"])
def test_a_row_of_empty_cells_is_named(tmp_path: Path, format_name: str) -> None:
    header = b"node1\trelation\tnode2\n" if format_name == "kgtk" else b""
    columns = 4 if format_name == "conceptnet" else 2
    (tmp_path / "f").write_bytes(header + b"\n" + b"\t" * columns + b"\n \n\r\n")
    (row,) = read(tmp_path / "f", format_name)
    assert isinstance(row, Rejected)
    assert row.line == (3 if header else 2)


def test_a_bad_node_is_named_and_its_neighbours_stay(graph: KnowledgeGraph, kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "x_nodes.jsonl").write_text(
        '{"id": "X:1", "name": "PersonX naps"}\n{"id": "X:2", "name": 3}\n{"id": "X:3", "name": "to rest"}\nbad\n'
        '{"id": "X:3", "name": "to sleep"}\n\t\n'
    )
    edge = '{{"subject": "X:1", "predicate": "xWant", "object": "{}"}}\n'
    (tmp_path / "x_edges.jsonl").write_text("".join(edge.format(f"X:{number}") for number in (2, 3)))
    rows = list(read_kgx(tmp_path / "x_edges.jsonl", Vocabulary.load("skd"), "en"))
    assert [row.line if isinstance(row, Rejected) else row.triple.tail for row in rows] == [2, 4, 5, 6, 1, "to rest"]
    done = kg("ingest", "load", "x_edges.jsonl", "--format", "kgx", "--vocabulary", "skd", status=1)
    assert "1 rows read, 1 edges added" in done.stdout
    assert "5 rows rejected" in done.stderr
    (rejected,) = (tmp_path / "home" / "runs").glob("*/rejected.jsonl")
    assert "x_nodes.jsonl" in rejected.read_text()
    assert [edge.triple.tail for edge in graph.edges()] == ["to rest"]


NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 30, "1" + "0" * 400]
CAT = '/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t{{"weight": {}}}\n'


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_cannot_be_kept_rejects_its_row_only(tmp_path: Path, number: str) -> None:
    skd = '{{"head": "a", "relation": "xWant", "tail": "b", "p_valid_model": {0}, "rec_0.5": {0}}}\n'
    rows = {"conceptnet": CAT, "skd": skd, "lama": '{{"sub_label": "a", "obj_label": "b", "n": [{{"x": {}}}]}}\n'}
    for name, row in rows.items():
        (tmp_path / "f").write_text(row.format("0.5") + row.format(number) + row.format("1"))
        assert [isinstance(one, Assertion) for one in read(tmp_path / "f", name)] == [True, False, True], name
    if math.isfinite(float(number)):
        return
    (tmp_path / "f").write_text(f"node1\trelation\tnode2\tweight\n/c/en/a\t/r/IsA\t/c/en/b\t{number}\n")
    (bad,) = read(tmp_path / "f", "kgtk")
    assert isinstance(bad, Rejected)
    assert "weight" in bad.reason
    (tmp_path / "x_nodes.jsonl").write_text('{"id": "X:1", "name": "a"}\n{"id": "X:2", "name": "b"}\n')
    edge = '{{"subject": "X:1", "predicate": "IsA", "object": "X:2", "{}": {}}}\n'
    for name, value in (("weight", number), ("skd_weight", number), ("skd_weight", f'"{number}"')):
        (tmp_path / "x_edges.jsonl").write_text(edge.format(name, value))
        (bad,) = read_kgx(tmp_path / "x_edges.jsonl", Vocabulary.load("cskg"), "en")
        assert isinstance(bad, Rejected)


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10,
))  # fmt: skip
def test_json_that_is_written_can_be_read_strictly(value: object) -> None:
    text = strict_json.write(value)
    assert "NaN" not in json.dumps(json.loads(text, parse_constant=lambda _: pytest.fail(text)), allow_nan=False) or (
        "NaN" in str(value)
    )
    assert strict_json.read(text) == strict_json.read(strict_json.write(strict_json.read(text)))


@pytest.mark.parametrize("text", [*NUMBERS, '{"a": [NaN]}', "[1e400]", "18446744073709551616", "[" * 100_000, "{", ""])
def test_json_that_no_store_can_keep_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.read(text)


def test_no_file_has_a_number_that_json_lacks(tmp_path: Path) -> None:
    """Not even from a graph that holds one, as older versions let in."""
    bad = [float("nan"), float("inf"), float("-inf")]
    edges = [
        Edge(Triple("a", "IsA", "b"), "train", ("run",), predicted=False, weight=number, logprob=number, score=number)
        for number in bad
    ]
    write_conceptnet(edges, tmp_path / "conceptnet")
    write_jsonl(edges, tmp_path / "jsonl", thresholds={}, verdicts={})
    write_kgx([], edges, tmp_path / "kgx", runs=[])
    write_record(tmp_path, Run("load", parameters={"numbers": bad}), {"share": bad[0]})
    texts = [line.rpartition("\t")[2] for line in (tmp_path / "conceptnet").read_text().splitlines()]
    texts += (tmp_path / "jsonl").read_text().splitlines()
    texts += (tmp_path / "kgx_edges.jsonl").read_text().splitlines()
    texts.append((tmp_path / "run.json").read_text())
    assert len(texts) == 10
    for text in texts:
        assert strict_json.read(text)


def test_a_query_shows_null_for_what_json_lacks(graph: KnowledgeGraph, kg: Kg) -> None:
    assert graph
    done = kg("query", "RETURN 0.0/0.0 AS a, [1.0/0.0, 2] AS b, {c: -1.0/0.0} AS d", "--json")
    assert strict_json.read(done.stdout) == {"a": None, "b": [None, 2], "d": {"c": None}}


KEPT = {
    "kg/strict_json.py", "kg/terminal.py",  # they are the way
    "kg/run.py", "ingest/teacher/messages.py",  # hashed, or measured
    "ingest/teacher/rendering.py",  # from one process of ours to another
    "kg/exchange/atomic.py", "ingest/teacher/cache.py", "kg/commands/query.py",  # lists of texts, defaults
    "kg/exchange/graphml.py", "kg/exchange/networkx.py",  # values in XML
    "kg/exchange/rows.py",  # refuses such numbers
    "kg/sparql/child.py",  # imports nothing of ours
    "kg/language_model/trimming.py",  # the files of a tokenizer, as transformers has them
}  # fmt: skip


def test_json_is_written_by_one_way() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("kg", "ingest", "critic", "student")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("dump", "dumps")
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
    }
    assert found == KEPT
