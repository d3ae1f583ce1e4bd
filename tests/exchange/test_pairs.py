"""COMET-ATOMIC-2020's file pairs."""

import gzip
from pathlib import Path

import pytest

from ingest.load import load_file
from kg.errors import InputError
from kg.exchange.formats import guess_format
from kg.exchange.pairs import read_pairs, write_pairs
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Rejected
from kg.model import Assertion, Edge, Triple
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

VOCABULARY = Vocabulary.load("atomic2020")
SOURCES = (
    "PersonX naps xWant [GEN]\nPersonX naps oReact [GEN] \nPersonX naps xDream [GEN]\na b\nbread AtLocation [GEN]\n"
)
TARGETS = "to rest\nnone\nof sheep\nc\n\n"


def pair(folder: Path, sources: str = SOURCES, targets: str = TARGETS, name: str = "train") -> Path:
    (folder / f"{name}.source").write_text(sources)
    (folder / f"{name}.target").write_text(targets)
    return folder / f"{name}.source"


@pytest.mark.parametrize("ending", ["source", "target"])
def test_lines_of_the_same_number_go_together_whichever_file_is_named(ending: str, tmp_path: Path) -> None:
    path = pair(tmp_path).with_suffix(f".{ending}")
    assert guess_format(path) == "pairs"
    rows = list(read_pairs(path, VOCABULARY, "en"))
    assert [row.triple for row in rows if isinstance(row, Assertion)] == [
        Triple("PersonX naps", "xWant", "to rest"), Triple("PersonX naps", "oReact", "none"),
    ]  # fmt: skip
    assert {row.split for row in rows if isinstance(row, Assertion)} == {"train"}
    bad = {row.line: row.reason for row in rows if isinstance(row, Rejected)}
    assert bad.keys() == {3, 4, 5}
    for line, reason in {3: "xDream", 4: "does not end in", 5: "tail: the text is empty"}.items():
        assert reason in bad[line]


def test_a_file_without_its_partner_or_with_another_number_of_lines_is_refused(tmp_path: Path) -> None:
    path = pair(tmp_path, targets=TARGETS + "to eat\n")
    with pytest.raises(InputError, match=r"train.source has 5 lines and train.target has 6 lines"):
        list(read_pairs(path, VOCABULARY, "en"))
    path.with_suffix(".target").unlink()
    with pytest.raises(InputError, match=r"train\.target is missing"):
        list(read_pairs(path, VOCABULARY, "en"))


def test_a_blank_line_in_the_middle_shifts_nothing(tmp_path: Path) -> None:
    path = pair(tmp_path, "a xWant [GEN]\nb xWant [GEN]\n\nc xWant [GEN]\n", "to a\n\n\nto c\n", "my_own")
    rows = list(read_pairs(path, VOCABULARY, "en"))
    assert [(row.triple.head, row.triple.tail, row.split) for row in rows if isinstance(row, Assertion)] == [
        ("a", "to a", None), ("c", "to c", None),
    ]  # fmt: skip
    assert [row.line for row in rows if isinstance(row, Rejected)] == [2]


def test_both_files_are_written_or_none(tmp_path: Path) -> None:
    good = Edge(Triple("PersonX naps", "xWant", "to rest"), "train", ("run",), predicted=False)
    bad = Edge(Triple("PersonX naps", "xWant", "to\trest"), "train", ("run",), predicted=False)
    with pytest.raises(InputError, match="tab or line break"):
        write_pairs([good, bad], tmp_path / "x.target.gz")
    assert not list(tmp_path.iterdir())
    assert write_pairs([good], tmp_path / "x.target.gz") == 1
    assert gzip.decompress((tmp_path / "x.source.gz").read_bytes()) == b"PersonX naps xWant [GEN]\n"
    assert gzip.decompress((tmp_path / "x.target.gz").read_bytes()) == b"to rest\n"
    with pytest.raises(InputError, match=r"end in \.source and .target"):
        write_pairs([good], tmp_path / "x.tsv")


def test_a_changed_partner_is_another_run(graph: KnowledgeGraph, tmp_path: Path) -> None:
    path = pair(tmp_path, "PersonX naps xWant [GEN]\n", "to rest\n")
    workspace = Workspace(tmp_path / "workspace")
    first = load_file(graph, workspace, path, "auto")
    path.with_suffix(".target").write_text("to sleep\n")
    second = load_file(graph, workspace, path, "auto")
    assert first.run != second.run
    assert {edge.triple.tail for edge in graph.edges()} == {"to rest", "to sleep"}
