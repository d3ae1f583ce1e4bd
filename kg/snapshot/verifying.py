"""A snapshot is read once before a row of it is written anywhere: every row is checked, and so is its content hash.

What a manifest says is no proof, since anybody can write one. Keys are held in memory as sorted arrays: 33 bytes a
phrase and 8 an edge of the relation at hand.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.checking import check_duplicate, check_edge, check_judgement, check_phrase, check_task
from kg.errors import InputError
from kg.graph.rows import EdgeRow
from kg.model import EDGE_FIELDS, NOTHING, Phrase
from kg.snapshot.folder import Snapshot
from kg.snapshot.hashing import ContentHash

_KEY = "S33"  # a key has 32 characters; one more tells a longer one


def verify(snapshot: Snapshot, progress: Callable[[int], object] = lambda _: None) -> None:
    """Make sure that a snapshot holds what its manifest says, and that all of it is valid.

    Args:
        snapshot: what to read.
        progress: called with the number of edges after each batch.

    Raises:
        InputError: a row is not, with its file and number, or the content hash is another.
    """
    content = ContentHash()
    ends = _Ends(snapshot, content)
    nothing = 0
    for name in snapshot.manifest["edges"]:
        nothing += _verify_edges(snapshot, name, ends, content, progress)
    if nothing != snapshot.manifest["counts"].get("nothing"):
        raise InputError(f'{snapshot.folder}: {nothing:,} edges say "no effect", and the manifest says another number')
    if snapshot.nothing() != [NOTHING]:
        raise InputError(f"{snapshot.folder / 'nothing.parquet'} is not the one row {NOTHING!r}")
    _verify_judgements(snapshot, ends, content)
    _verify_duplicates(snapshot, ends, content)
    _verify_tasks(snapshot, ends, content)
    if str(content) != (promised := snapshot.manifest["content_hash"]):
        raise InputError(
            f"{snapshot.folder} does not hold what its manifest says: the content hash is {content}, not {promised}"
        )


class _Ends:
    """The keys of a snapshot's phrases, checked while they are read, and which of them are events."""

    def __init__(self, snapshot: Snapshot, content: ContentHash) -> None:
        keys: list[NDArray[np.bytes_]] = [np.array([], _KEY)]
        events: list[NDArray[np.bool_]] = [np.array([], bool)]
        for number, row, last in _numbered(snapshot.phrases()):
            with _named(snapshot, "phrases.parquet", number):
                check_phrase(row)
                _check_known(snapshot, row["runs"])
            content.add_phrase(Phrase(
                row["text"], row["lang"], tuple(row["labels"]), row["split"], row["uri"] or "", tuple(row["runs"]),
                row["logprob"], tuple(row["splits"]), tuple(row["statements"]),
            ))  # fmt: skip
            if last:
                keys.append(np.array([one["id"] for one in last], _KEY))
                events.append(np.array(["Event" in one["labels"] for one in last], bool))
        together = np.concatenate(keys)
        order = np.argsort(together)
        self._keys, self._events = together[order], np.concatenate(events)[order]
        if (again := np.flatnonzero(self._keys[1:] == self._keys[:-1])).size:
            key = self._keys[again[0]].decode()
            raise InputError(f"{snapshot.folder / 'phrases.parquet'} has two rows of id {key!r}")

    def places(self, keys: Sequence[Any], *, heads: bool = False) -> NDArray[np.intp]:
        """Return the place of each key, from 1 on; 0 for `NOTHING`, -1 for one that is not there, or is no event."""
        if not self._keys.size:
            return np.array([0 if key == NOTHING else -1 for key in keys], np.intp)
        wanted = np.array([str(key).encode("ascii", "replace") for key in keys], _KEY)
        found = np.minimum(np.searchsorted(self._keys, wanted), self._keys.size - 1)
        usable = self._keys[found] == wanted
        if heads:
            return np.where(usable & self._events[found], found + 1, -1)
        return np.where(usable, found + 1, np.where(wanted == NOTHING.encode(), 0, -1))

    def __len__(self) -> int:
        return int(self._keys.size)


def _verify_edges(
    snapshot: Snapshot, relation: str, ends: _Ends, content: ContentHash, progress: Callable[[int], object]
) -> int:
    """Check the edges of a relation; return how many of them say "no effect"."""
    name = f"edges/{relation}.parquet"
    pairs: list[NDArray[np.intp]] = [np.array([], np.intp)]
    start = nothing = 0
    for batch in snapshot.edges(relation):
        heads = ends.places([row["head"] for row in batch], heads=True)
        tails = ends.places([row["tail"] for row in batch])
        for number, (row, head, tail) in enumerate(zip(batch, heads, tails, strict=True), start + 1):
            properties = row["properties"]
            with _named(snapshot, name, number):
                check_edge(properties)
                _check_known(snapshot, properties["runs"])
                if head < 0:
                    raise InputError(f"its head {repr(row['head'])[:80]} is no event of phrases.parquet")
                if tail < 0:
                    raise InputError(f"its tail {repr(row['tail'])[:80]} is not in phrases.parquet")
            values = {name: () if kind == "texts" else None for name, kind in EDGE_FIELDS.items()} | properties
            content.add_edge_row(
                EdgeRow("", row["head"], row["tail"], "", relation, "", "", "", "", "", "train", **values)
            )
        nothing += int((tails == 0).sum())
        pairs.append(heads * (len(ends) + 1) + tails)
        start += len(batch)
        progress(len(batch))
    together = np.concatenate(pairs)
    if np.unique(together).size != together.size:
        raise InputError(f"{snapshot.folder / name} has two rows of the same head and tail")
    return nothing


def _verify_judgements(snapshot: Snapshot, ends: _Ends, content: ContentHash) -> None:
    name = "judgements.parquet"
    ids: set[str] = set()
    for number, row, _ in _numbered(snapshot.judgements()):
        with _named(snapshot, name, number):
            check_judgement(row, snapshot.vocabulary.names)
            _check_known(snapshot, row["runs"])
            if (ends.places([row["head"], row["tail"]]) < 1).any():
                raise InputError("its head or tail is not in phrases.parquet")
            if row["id"] in ids:
                raise InputError(f"its id {row['id']!r} is that of a row before")
        ids.add(row["id"])
        content.add_judgement(row)


def _verify_duplicates(snapshot: Snapshot, ends: _Ends, content: ContentHash) -> None:
    for number, row, _ in _numbered(snapshot.duplicates()):
        with _named(snapshot, "duplicates.parquet", number):
            check_duplicate(row, snapshot.vocabulary.names)
            _check_known(snapshot, [row["properties"]["run"], *row["properties"].get("runs", ())])
            if (ends.places([row["head"], row["tail"]]) < 0).any():
                raise InputError("its head or tail is not in phrases.parquet")
        content.add_duplicate(row)


def _verify_tasks(snapshot: Snapshot, ends: _Ends, content: ContentHash) -> None:
    ids: set[str] = set()
    for number, row, _ in _numbered(snapshot.tasks()):
        with _named(snapshot, "tasks.parquet", number):
            check_task(row, snapshot.vocabulary.names)
            said = (entry.split(" ")[0] for entry in row["log"])
            _check_known(snapshot, [row["run"], *row["judged"], *row["skipped"], *said])
            if (ends.places([row["head"], row["tail"]]) < 1).any():
                raise InputError("its head or tail is not in phrases.parquet")
            if row["id"] in ids:
                raise InputError(f"its id {row['id']!r} is that of a row before")
        ids.add(row["id"])
        content.add_task(row)


def _check_known(snapshot: Snapshot, runs: Sequence[str]) -> None:
    if not snapshot.runs.issuperset(runs):
        raise InputError(f"run {min(set(runs) - snapshot.runs)!r} is not described in the manifest")


def _numbered(batches: Iterator[list[dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    """Yield rows with their number from 1 on, and with the last one of a batch the whole batch."""
    number = 0
    for batch in batches:
        for place, row in enumerate(batch, 1):
            number += 1
            yield number, row, batch if place == len(batch) else []


class _named:  # noqa: N801 - read as a word: with _named(...)
    """Adds file and row to what is wrong; a class, since a generator costs more than the checks."""

    def __init__(self, snapshot: Snapshot, name: str, number: int) -> None:
        self._place = (snapshot, name, number)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError | TypeError | ValueError | KeyError | AttributeError):
            snapshot, name, number = self._place
            raise InputError(f"{snapshot.folder / name}, row {number:,}: {error}") from None
