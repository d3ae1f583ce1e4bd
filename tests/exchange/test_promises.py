"""What holds for every format: complete or absent, streamed, cheap to import."""

import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from kg.errors import InputError
from kg.exchange.graphml import write_graphml
from kg.exchange.parquet import write_parquet
from kg.exchange.rdf.writing import write_rdf
from kg.exchange.skd import write_jsonl
from kg.exchange.tsv import write_tsv
from kg.graph.rows import EdgeRow, row_of
from kg.identity import phrase_id
from kg.model import Edge, Phrase, Triple
from kg.vocabulary import Vocabulary
from tests.repeats import only_thorough

Write = Callable[[Iterable[Edge], Path], int]
NO_RELATIONS = Vocabulary([])

WRITERS: dict[str, Write] = {
    ".jsonl": lambda edges, path: write_jsonl(edges, path, thresholds={}, verdicts={}),
    ".tsv": write_tsv,
    ".parquet": lambda edges, path: write_parquet(pages(edges), path),
    ".graphml": lambda edges, path: write_graphml(phrases(), edges, path),
    ".ttl": lambda edges, path: write_rdf(phrases(), pages(edges), path, relations=NO_RELATIONS, runs=[]),
    ".nt": lambda edges, path: write_rdf(phrases(), pages(edges), path, relations=NO_RELATIONS, runs=[]),
}
every_format = pytest.mark.parametrize("suffix", WRITERS)


def phrases() -> Iterator[Phrase]:
    return (Phrase(f"PersonX counts to {number}") for number in range(100))


def many(count: int) -> Iterator[Edge]:
    edge = Edge(Triple("", "xWant", "to rest"), "train", ("run",), predicted=False, score=0.5)
    for number in range(count):
        yield replace(edge, triple=Triple(f"PersonX counts to {number}", "xWant", "to rest"))


def pages(edges: Iterable[Edge]) -> Iterator[list[EdgeRow]]:
    stream = map(row_of, edges)
    while page := list(islice(stream, 250)):
        yield page


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


def stop_after(count: int, error: BaseException) -> Iterator[Edge]:
    yield from many(count)
    raise error


@every_format
@pytest.mark.parametrize("error", [Interrupted(), InputError("the source is broken")])
def test_an_interrupted_export_leaves_what_was_there(tmp_path: Path, suffix: str, error: BaseException) -> None:
    path = tmp_path / f"graph{suffix}"
    with pytest.raises(type(error)):
        WRITERS[suffix](stop_after(50, error), path)
    assert list(tmp_path.iterdir()) == []
    assert WRITERS[suffix](many(3), path) == 3
    before = path.read_bytes()
    with pytest.raises(type(error)):
        WRITERS[suffix](stop_after(50, error), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_the_same_graph_makes_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    WRITERS[suffix](many(100), first)
    WRITERS[suffix](many(100), second)
    assert first.read_bytes() == second.read_bytes()


@every_format
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / f"graph{suffix}"
    with pytest.raises(InputError, match=r"cannot write .*file/graph"):
        WRITERS[suffix](many(1), path)
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder"):
        WRITERS[suffix](many(1), tmp_path / f"folder{suffix}")


@only_thorough
@every_format
def test_memory_does_not_grow_with_the_edges(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.exchange.parquet._ROW_GROUP", 500)
    monkeypatch.setattr("kg.identity.phrase_id", phrase_id.__wrapped__)  # its cache is bounded, but not by this little

    def peak(count: int) -> int:
        tracemalloc.start()
        WRITERS[suffix](many(count), tmp_path / f"graph{suffix}")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for _ in range(3):
        peak(2_000)  # whatever is made on first use
    assert peak(6_000) < 1.5 * peak(1_500)


@every_format
def test_edges_are_read_one_after_the_other(tmp_path: Path, suffix: str) -> None:
    stream = many(10)
    assert WRITERS[suffix](islice(stream, 4), tmp_path / f"graph{suffix}") == 4
    assert next(stream).triple.head == "PersonX counts to 4"


def test_the_package_itself_imports_nothing_heavy() -> None:
    heavy = "{'pyarrow', 'pyoxigraph', 'networkx', 'orjson'}"
    code = f"import kg.exchange, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


@every_format
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # a file cannot grow beyond
    try:
        with pytest.raises(InputError, match=r"cannot write .*graph"):
            WRITERS[suffix](many(3_000), tmp_path / f"graph{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
