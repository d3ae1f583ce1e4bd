"""Pages computed here or by workers: the same results in the same order, whatever happens to a worker."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest

from kg import wide
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.rows import EdgeRow
from kg.graph.scoring import Scores
from kg.model import NOTHING, Triple
from kg.wide import here, workers
from kg.workspace import Workspace
from tests.repeats import only_thorough

PAGES = 24

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="the extra ray is not installed"
)  # and not imported yet
SECRET = "OPENAI_API_KEY"  # noqa: S105


def slowly(page: int) -> tuple[int, int, bool]:
    """Return a page's number, the worker that had it in hand, and whether that sees a secret."""
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    return page, os.getpid(), SECRET in os.environ


def refuse(page: int) -> int:
    if page == 3:
        raise InputError(f"page {page} is not to our taste")
    return page


def row(number: int, *, tail: str = "", split: str = "train", predicted: bool = False) -> EdgeRow:
    empty = dict.fromkeys(EdgeRow._fields)
    return EdgeRow(**empty | {  # type: ignore[arg-type]
        "head": f"event {number}", "relation": "xWant", "tail": f"tail {number}", "tail_id": tail or str(number),
        "split": split, "predicted": predicted, "lang": "en", "tail_lang": "", "head_uri": "", "tail_uri": "",
    })  # fmt: skip


def by_number(triples: list[Triple]) -> list[float]:
    return [float(triple.head.split()[-1]) for triple in triples]


def test_without_an_address_pages_are_computed_here_and_only_as_they_are_asked_for(tmp_path: Path) -> None:
    read: list[int] = []

    def pages() -> Iterator[int]:
        for page in range(PAGES):
            read.append(page)
            yield page

    with workers(None, Workspace(tmp_path)) as spread:
        assert list(islice(spread(pages(), lambda page: page * page), 3)) == [0, 1, 4]
    assert read == [0, 1, 2]


def test_an_error_of_a_page_comes_in_its_turn() -> None:
    results = here(range(PAGES), refuse)
    assert list(islice(results, 3)) == [0, 1, 2]
    with pytest.raises(InputError, match="page 3"):
        next(results)


@pytest.mark.parametrize("address", ["", "here", "example", "host:", ":port", "http://"])
def test_what_is_no_address_of_a_cluster_is_refused_before_anything_starts(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--ray takes local, or the HOST:PORT"), workers(address, Workspace(tmp_path)):
        pass


def test_an_address_where_nothing_listens_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", "127.0.0.1:99999", "..:6379"):
        with (
            pytest.raises(NotReady, match=rf"^no cluster of Ray at {address}: "),
            workers(address, Workspace(tmp_path)),
        ):
            pass


def test_scores_come_page_by_page_with_their_edges_whoever_computes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.graph.scoring._SCORED", 2)
    pages = [
        [row(0, tail=NOTHING)],
        [row(1), row(2, split="test"), row(3), row(4), row(5, predicted=True), row(6, tail=NOTHING)],
        [row(7, tail=NOTHING)],
        [row(8)],
        [row(9, tail=NOTHING)],
    ]
    asked: list[tuple[bool, list[float]]] = []

    def ahead(pages: Iterator[object], compute: object) -> Iterator[object]:  # as a cluster does it: all pages first
        questions = list(pages)
        asked.extend((taught, by_number(triples)) for taught, triples in questions)  # type: ignore[misc]
        return map(compute, questions)  # type: ignore[arg-type]

    for spread in (here, ahead):
        scores = Scores(
            by_number, lambda some: [-one for one in by_number(some)], spread,  # type: ignore[arg-type]
        )  # fmt: skip
        found = [(page, {one.head: score for one, score in scored}) for page, scored in scores.of(pages)]
        assert [page for page, _ in found] == pages
        assert [scored for _, scored in found] == [
            {}, {"event 1": -1, "event 3": -3, "event 4": -4, "event 2": 2, "event 5": 5}, {}, {"event 8": -8}, {},
        ]  # fmt: skip
    assert asked == [(False, [2, 5]), (True, [1, 3]), (True, [4]), (True, [8])]


def test_an_encoder_goes_to_a_worker_without_its_model(tmp_path: Path) -> None:
    encoder = Encoder(None, tmp_path, partial(here))
    encoder.__dict__["_model"] = encoder.__dict__["_tokenizer"] = lambda: "large"  # which cannot be pickled
    assert pickle.loads(pickle.dumps(encoder)).identity == encoder.identity  # noqa: S301


@only_thorough
@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["two_workers", "a_cluster_that_goes_away", "it_goes_away_unseen"])
def test_with_a_cluster(what: str, tmp_path: Path) -> None:
    """Ray ends a process of its own without a word, now or later, where its parts died: so each has a process."""
    environment = os.environ | {SECRET: "secret"}
    script = f"from tests.kg.test_wide import {what}; import pathlib; {what}(pathlib.Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{what} ended as told\n"), done.stdout  # Ray may say what it saw before it


def two_workers(folder: Path) -> None:
    """One of two workers is killed: each page is computed once, and all are what one process computes."""
    taken: list[int] = []

    def pages() -> Iterator[int]:
        for page in range(PAGES):
            taken.append(page)
            yield page

    texts = [f"PersonX does {number} things with PersonY" + " again" * (number % 5) for number in range(600)]
    found: list[tuple[int, int, bool]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kg.threads.allowed", lambda: 2)
        patch.setattr(wide, "_WINDOW_PAGES", PAGES // 2)
        with workers("local", Workspace(folder)) as spread:
            assert listening() == {"127.0.0.1"}
            for result in spread(pages(), slowly):
                found.append(result)
                if len(found) == 3:
                    assert len(taken) == PAGES // 2  # no more are read while nobody takes the results
                    os.kill(result[1], signal.SIGKILL)
            with pytest.raises(InputError, match="page 3"):
                list(spread(range(PAGES), refuse))
            apart = Encoder(None, folder / "apart", spread).encode(texts)
    assert [page for page, *_ in found] == list(range(PAGES))
    assert len({worker for _, worker, _ in found}) >= 2
    assert os.getpid() not in {worker for _, worker, _ in found}
    assert not any(sees for *_, sees in found)
    assert os.environ[SECRET] == "secret"
    np.testing.assert_array_equal(apart, Encoder(None, folder / "here").encode(texts))
    print("two_workers ended as told", flush=True)


def a_cluster_that_goes_away(folder: Path) -> None:
    """It is one sentence, with what goes on."""

    def go_away() -> None:
        with workers("local", Workspace(folder)) as spread:
            for number, _ in enumerate(spread(range(200), slowly)):
                if number == 3:
                    next(child for child in psutil.Process().children() if child.name() == "raylet").kill()

    with pytest.raises(NotReady, match=r"went away, .*; what is written stays, and the same command goes on"):
        go_away()
    print("a_cluster_that_goes_away ended as told", flush=True)


def it_goes_away_unseen(folder: Path) -> None:
    """Nor does a command in the background of a script, which no interrupt reaches, end without that sentence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    a_cluster_that_goes_away(folder)
    print("it_goes_away_unseen ended as told", flush=True)


def listening() -> set[str]:
    """Return the addresses on which this process and its children listen."""
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = []
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            sockets += process.net_connections("tcp")
    return {one.laddr.ip.removeprefix("::ffff:") for one in sockets if one.status == psutil.CONN_LISTEN}
