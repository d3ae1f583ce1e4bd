"""Published files go in, come out in their own format, and are equal as sets of rows."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PUBLISHED, Kg

Rows = set[tuple[str, ...]]


def lines(path: Path) -> Rows:
    """Rows of three texts; those with an empty one are rejected, which the load says."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line)
    return {tuple(row) for row in rows if all(map(str.strip, row))}


def assertions(path: Path) -> Rows:
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line)
    return {(*row[:4], json.dumps(json.loads(row[4]), sort_keys=True)) for row in rows}


def objects(path: Path) -> Rows:
    return {(json.dumps(json.loads(line), sort_keys=True),) for line in path.read_text(encoding="utf-8").splitlines()}


def answers(path: Path) -> Rows:
    """Rows of CSV; the one row without any answer says nothing, which the load says."""
    with path.open(encoding="utf-8", newline="") as file:
        return {tuple(row) for row in csv.reader(file) if set(row[1:10]) != {"[]"}}


PUBLISHED_TRIPLES = [
    ("atomic2019/dev.tsv", "tsv", lines, 0),
    ("atomic2019/v4_atomic_dev.csv", "atomic2019", answers, 0),
    ("atomic2020/extra_relations.tsv", "tsv", lines, 1),
    ("conceptnet/assertions_sample.csv", "conceptnet", assertions, 0),
    ("conceptnet/cn100k/valid.txt", "cn100k", lines, 0),
    ("lama/P413.jsonl", "lama", objects, 0),
    ("lama/squad.jsonl", "lama", objects, 0),
]


@pytest.mark.parametrize(
    ("name", "exported"),
    [("ckbp/v1_crowd.csv", "ckbp"), ("ckbp/v2_expert_dev.csv", "ckbp"), ("ckbc/labelled_dev.txt", "ckbc")],
)
@pytest.mark.usefixtures("graph")
def test_published_judgements_come_out_as_they_went_in(kg: Kg, tmp_path: Path, name: str, exported: str) -> None:
    if not (folder := os.environ.get(PUBLISHED)):
        pytest.skip(f"{PUBLISHED} is not set")
    source, copy = Path(folder) / name, tmp_path / "copy"
    kg("critic", "import-judgements", str(source))
    kg("critic", "export-judgements", str(copy), "--format", exported)
    with source.open(encoding="utf-8", newline="") as one, copy.open(encoding="utf-8", newline="") as other:
        dialect = {"delimiter": ","} if exported == "ckbp" else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        assert {tuple(row) for row in csv.reader(other, **dialect)} == {
            tuple(row) for row in csv.reader(one, **dialect)
        }


@pytest.mark.parametrize(("name", "exported", "rows", "status"), PUBLISHED_TRIPLES)
@pytest.mark.usefixtures("graph")
def test_a_published_file_comes_out_as_it_went_in(
    kg: Kg, tmp_path: Path, name: str, exported: str, rows: Callable[[Path], Rows], status: int
) -> None:
    if not (folder := os.environ.get(PUBLISHED)):
        pytest.skip(f"{PUBLISHED} is not set")
    source, copy = Path(folder) / name, tmp_path / "copy"
    kg("ingest", "load", str(source), status=status)
    kg("export", exported, str(copy))
    assert rows(copy) == rows(source)
