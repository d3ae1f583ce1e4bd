"""The kept store: the graph as the RDF export says it, on disk, made anew where the graph was written to since.

    sparql/
    ├── lock              held by the one process that fills a store
    ├── current.json      which store is asked, of which content hash
    └── store-xxxxxxxx/   data/, and in-use, which is locked by who reads

A store is filled beside the current one and takes its place when it is whole: whoever is killed meanwhile leaves the
old one, and what was left is cleared away by whoever fills the next one. The content hash (`kg.snapshot.hashing`) is
made of the same rows, in the same pass.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

import orjson
from filelock import FileLock, Timeout

from kg import __version__, strict_json
from kg.errors import NotReady
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.rows import EdgeRow
from kg.model import Phrase
from kg.snapshot.hashing import ContentHash, add_opinions
from kg.workspace import new_file, new_folder, private_file, private_folder

_CURRENT, _LOCK, _IN_USE, _DATA = "current.json", "lock", "in-use", "data"


@dataclass(frozen=True, slots=True)
class Kept:
    """A store.

    Attributes:
        name: of its folder.
        stamp: of the state of the graph that it was filled from.
        content_hash: of that state.
        edges: how many there were.
    """

    name: str
    stamp: str
    content_hash: str
    edges: int


def current(folder: Path) -> Kept | None:
    """Return the store that is asked; None where there is none yet."""
    try:
        return Kept(**orjson.loads((folder / _CURRENT).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def refresh(
    graph: KnowledgeGraph,
    folder: Path,
    *,
    progress: Progress = lambda _: None,
    waiting: Callable[[], None] = lambda: None,
) -> Kept:
    """Return the store of the graph as it is, filled first if it is of another state.

    Args:
        graph: what it is filled from.
        folder: where stores are.
        progress: called with numbers of edges.
        waiting: called before another process is waited for, which fills a store.

    Raises:
        NotReady: the graph is empty.
        GraphChanged: something was written to it meanwhile; the store there was is left.
    """
    stamp = _stamp(graph)
    if (found := current(folder)) and found.stamp == stamp:
        return found
    lock = FileLock(private_file(private_folder(folder) / _LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        stamp = _stamp(graph)
        if (found := current(folder)) and found.stamp == stamp:  # the other process has filled it
            return found
        _clear(folder)
        name = f"store-{secrets.token_hex(4)}"
        with new_folder(folder / name) as draft:
            (draft / _IN_USE).touch(mode=0o600)
            edges, content_hash = _fill(graph, draft / _DATA, progress)
        filled = Kept(name, stamp, content_hash, edges)
        with new_file(folder / _CURRENT) as file:
            file.write_text(strict_json.write(asdict(filled)), encoding="utf-8")
        _clear(folder)
        return filled
    finally:
        lock.release()


def _stamp(graph: KnowledgeGraph) -> str:
    """Return what tells this state of this graph from others: its writes, its runs, and the programs that fill."""
    runs = sorted(f"{run['id']} {run.get('started')}" for run in graph.runs())
    if not runs:
        raise NotReady("the graph is empty; load something first: kg distill, or kg ingest load FILE")
    state = [graph.watermark(), runs, __version__, version("pyoxigraph")]
    return hashlib.blake2b(orjson.dumps(state), digest_size=16).hexdigest()


def _fill(graph: KnowledgeGraph, path: Path, progress: Progress) -> tuple[int, str]:
    """Fill a new store; return the number of edges and the content hash."""
    from pyoxigraph import RdfFormat, Store  # noqa: PLC0415 - not needed where the store is of this state

    part = Selection(graph, progress=progress)
    watermark = graph.watermark()
    content = ContentHash()
    source, sink = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    writing = _Writing(part, content, sink)
    writing.start()
    try:
        with source:
            store = Store(str(path))
            store.bulk_load(source, format=RdfFormat.N_TRIPLES)
    finally:
        writing.join()
    if writing.failed:
        raise writing.failed
    store.flush()
    store.optimize()
    add_opinions(content, graph)
    graph.check_unchanged(watermark)
    return writing.edges, str(content)


class _Writing(threading.Thread):
    """Writes the graph's lines into a pipe, from which the store reads."""

    def __init__(self, part: Selection, content: ContentHash, sink: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._part, self._content, self._sink = part, content, sink
        self.edges = 0
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Write until all is written, or the reader has gone."""
        from kg.exchange.rdf.names import Names  # noqa: PLC0415 - as in `_fill`
        from kg.exchange.rdf.writing import write_lines  # noqa: PLC0415

        try:
            with self._sink:
                self.edges = write_lines(
                    self._sink, Names(), self._phrases(), self._pages(), self._part.relations, self._part.runs,
                    "reification",
                )  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - raised where the store is filled
            self.failed = error

    def _phrases(self) -> Iterator[Phrase]:
        for phrase in self._part.every_phrase:
            self._content.add_phrase(phrase)
            yield phrase

    def _pages(self) -> Iterator[Sequence[EdgeRow]]:
        for page in self._part.pages:
            for row in page:
                self._content.add_edge_row(row)
            yield page


def _clear(folder: Path) -> None:
    """Remove stores that are neither asked nor read, and what a process that was killed has left."""
    found = current(folder)
    for store in folder.glob("*store-*"):
        if found and store.name == found.name:
            continue
        try:
            with (store / _IN_USE).open("rb") as used:
                fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(store, ignore_errors=True)
        except FileNotFoundError:
            shutil.rmtree(store, ignore_errors=True)
        except BlockingIOError:
            continue  # the next one clears it away
