"""The canonical snapshot: one folder of Parquet files (zstd) that holds a whole graph, and a manifest.

    manifest.json                counts, content hash, relations, runs, critics and acceptances, format number
    phrases.parquet              id:ID, :LABEL, text, lang, uri, split, runs, logprob
    nothing.parquet              the node that stands for "no effect"
    edges/RELATION.parquet       :START_ID, :END_ID, runs, predicted, logprob, score, critic, accepted, weight, ...
    judgements.parquet           id, head, relation, tail, annotator, value, at, runs

The columns with a colon are named as Neo4j's offline importer wants them, so that it reads the files as they are
(`kg ingest bulk`). A newer version reads what an older one wrote: `FORMAT` counts changes that a reader must know of.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kg import __version__
from kg.content import ContentHash
from kg.errors import InputError
from kg.exchange.target import export_folder
from kg.graph import KnowledgeGraph
from kg.model import NOTHING, Phrase
from kg.vocabulary import Relation, Vocabulary

FORMAT = 1
MANIFEST = "manifest.json"

_ROWS = 100_000  # rows held in memory, over all relations
_LIST = pa.list_(pa.string())
PHRASES = pa.schema([
    ("id:ID", pa.string()), (":LABEL", pa.string()), ("text", pa.string()), ("lang", pa.string()),
    ("uri", pa.string()), ("split", pa.string()), ("runs", _LIST), ("logprob", pa.float64()),
])  # fmt: skip
EDGES = pa.schema([
    (":START_ID", pa.string()), (":END_ID", pa.string()), ("runs", _LIST), ("predicted", pa.bool_()),
    ("logprob", pa.float64()), ("score", pa.float64()), ("critic", pa.string()), ("accepted", pa.bool_()),
    ("weight", pa.float64()), ("sources", _LIST), ("details", pa.string()),
])  # fmt: skip
JUDGEMENTS = pa.schema([
    ("id", pa.string()), ("head", pa.string()), ("relation", pa.string()), ("tail", pa.string()),
    ("annotator", pa.string()), ("value", pa.int64()), ("at", pa.string()), ("runs", _LIST),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot on disk.

    Attributes:
        folder: where it is.
        manifest: what its `manifest.json` says.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def vocabulary(self) -> Vocabulary:
        """The relations of the graph."""
        return Vocabulary((Relation(**row) for row in self.manifest["relations"]), str(self.folder))

    def phrases(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of phrases as rows: id, text, lang, uri, labels, split, runs, logprob."""
        for batch in self._batches("phrases.parquet"):
            for row in batch:
                row["id"] = row.pop("id:ID")
                row["labels"] = [label for label in (row.pop(":LABEL") or "").split(";") if label]
                row["runs"] = row["runs"] or []
            yield batch

    def edges(self, relation: str) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of a relation's edges as rows: head, tail, properties, of which only what is known."""
        for batch in self._batches(f"edges/{relation}.parquet"):
            yield [
                {
                    "head": row.pop(":START_ID"), "tail": row.pop(":END_ID"),
                    "properties": {name: value for name, value in row.items() if value is not None},
                }
                for row in batch
            ]  # fmt: skip

    def judgements(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of judgements as rows."""
        return self._batches("judgements.parquet")

    def _batches(self, name: str) -> Iterator[list[dict[str, Any]]]:
        path = self.folder / name
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(20_000):
                    yield batch.to_pylist()
        except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error


def open_snapshot(folder: Path) -> Snapshot:
    """Return the snapshot in a folder.

    Raises:
        InputError: there is none, or one that a newer version wrote.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        number = int(manifest["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no snapshot: {path} is missing or damaged") from error
    if number > FORMAT:
        raise InputError(f"{folder} was written by version {manifest.get('version')}, which is newer; update this one")
    snapshot = Snapshot(folder, manifest)
    try:
        counts, edges = manifest["counts"], dict(manifest["edges"])
        expected = {
            "phrases.parquet": (PHRASES, counts["phrases"]), "judgements.parquet": (JUDGEMENTS, counts["judgements"]),
            **{f"edges/{name}.parquet": (EDGES, count) for name, count in edges.items()},
        }  # fmt: skip
        unknown = edges.keys() - snapshot.vocabulary.names
        missing = [name for name in manifest["files"] if not (folder / name).is_file()]
        absent = {"content_hash", "runs", "critics", "acceptances"} - manifest.keys()
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if unknown or absent:
        raise InputError(f"{path} is damaged: it does not describe {min(unknown or absent)}")
    if missing:
        raise InputError(f"{folder} is not whole: {', '.join(missing[:3])} is missing")
    for name, (schema, count) in expected.items():
        _check(folder / name, schema, count)
    return snapshot


def _check(path: Path, schema: pa.Schema, count: int) -> None:
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    if absent := set(schema.names) - set(metadata.schema.to_arrow_schema().names):
        raise InputError(f"{path} lacks the column {min(absent)}")
    if metadata.num_rows != count:
        raise InputError(f"{path} has {metadata.num_rows:,} rows where the manifest says {count:,}")


def write_snapshot(graph: KnowledgeGraph, folder: Path, progress: Callable[[int], object] = lambda _: None) -> Snapshot:
    """Write a whole graph into a new folder, which appears when it is complete; an older snapshot is replaced.

    Raises:
        InputError: something other than a snapshot is there, or it cannot be written.
        GraphChanged: something was written to the graph meanwhile.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no snapshot; choose another name")
    content = ContentHash()
    counts = {"phrases": 0, "edges": 0, "judgements": 0}
    watermark = graph.watermark()
    with export_folder(folder) as draft:
        with pq.ParquetWriter(draft / "phrases.parquet", PHRASES, compression="zstd") as file:
            stream = graph.phrases(every=True)
            while batch := list(islice(stream, _ROWS)):
                for phrase in batch:
                    content.add_phrase(phrase)
                file.write_batch(_batch(map(_phrase_row, batch), PHRASES))
                counts["phrases"] += len(batch)
        pq.write_table(pa.table({"id:ID": [NOTHING]}), draft / "nothing.parquet", compression="zstd")
        (draft / "edges").mkdir()
        relations, counts["nothing"] = _write_edges(graph, draft / "edges", content, progress)
        counts["edges"] = sum(relations.values())
        rows = graph.judgement_rows()
        for row in rows:
            content.add_judgement(row["id"], row["value"], row["runs"])
        counts["judgements"] = len(rows)
        pq.write_table(pa.Table.from_pylist(rows, JUDGEMENTS), draft / "judgements.parquet", compression="zstd")
        manifest = {
            "format": FORMAT, "version": __version__, "content_hash": str(content), "counts": counts,
            "edges": relations, **graph.descriptions(),
            "files": ["phrases.parquet", "nothing.parquet", "judgements.parquet",
                      *(f"edges/{name}.parquet" for name in relations)],
        }  # fmt: skip
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        graph.check_unchanged(watermark)
    return Snapshot(folder, manifest)


def _write_edges(
    graph: KnowledgeGraph, folder: Path, content: ContentHash, progress: Callable[[int], object]
) -> tuple[dict[str, int], int]:
    counts: dict[str, int] = {}
    nothing = 0
    waiting: dict[str, list[tuple[Any, ...]]] = {}
    held = 0
    with ExitStack() as stack:
        files: dict[str, pq.ParquetWriter] = {}

        def flush() -> None:
            for relation, rows in waiting.items():
                if relation not in files:
                    writer = pq.ParquetWriter(folder / f"{relation}.parquet", EDGES, compression="zstd")
                    files[relation] = stack.enter_context(writer)
                files[relation].write_batch(_batch(rows, EDGES))
            waiting.clear()

        for page in graph.edge_pages():
            for row in page:
                head, tail, relation, said = row[1], row[2], row[4], row[11:]
                content.add_edge_row(head, relation, tail, said)
                waiting.setdefault(relation, []).append((head, tail, *said))
                counts[relation] = counts.get(relation, 0) + 1
                nothing += tail == NOTHING
            held += len(page)
            if held >= _ROWS:
                flush()
                held = 0
            progress(len(page))
        flush()
    return dict(sorted(counts.items())), nothing


def _phrase_row(phrase: Phrase) -> tuple[Any, ...]:
    return (
        phrase.id, ";".join(phrase.labels), phrase.text, phrase.lang, phrase.uri or None, phrase.split,
        phrase.runs or None, phrase.logprob,
    )  # fmt: skip


def _batch(rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
