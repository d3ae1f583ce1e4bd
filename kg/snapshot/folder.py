"""The canonical snapshot: one folder of Parquet files (zstd) that holds a whole graph, and a manifest.

    manifest.json                counts, content hash, relations, runs, critics, acceptances, students, format number
    phrases.parquet              id:ID, :LABEL, text, lang, uri, split, runs, logprob, splits, statements
    nothing.parquet              the node that stands for "no effect"
    edges/RELATION.parquet       :START_ID, :END_ID, then the fields of `kg.model.EDGE_FIELDS`
    judgements.parquet           id, head, relation, tail, annotator, value, at, runs, values
    duplicates.parquet           head, tail, id, relation, run, then as edges (since format 2)
    tasks.parquet                id, head, relation, tail, run, place, wanted, probability, control, judged, skipped,
                                 log (since format 3); for whom a task is held is of the moment, and left out

The columns with a colon are named as Neo4j's offline importer wants them, so that it reads the files as they are
(`kg ingest bulk`). A newer version reads what an older one wrote: `FORMAT` counts changes that a reader must know of.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from more_itertools import chunked

from kg import __version__, strict_json
from kg.checking import check_acceptance, check_critic, check_relation, check_run, check_student
from kg.errors import InputError
from kg.exchange.target import export_folder
from kg.graph.knowledge import KnowledgeGraph
from kg.model import EDGE_FIELDS, NOTHING, FieldType, Phrase
from kg.snapshot.hashing import ContentHash
from kg.vocabulary import Relation, Vocabulary

FORMAT = 3
MANIFEST = "manifest.json"

_ROWS = 100_000  # rows held in memory, over all relations
_LIST = pa.list_(pa.string())
PHRASES = pa.schema([
    ("id:ID", pa.string()), (":LABEL", pa.string()), ("text", pa.string()), ("lang", pa.string()),
    ("uri", pa.string()), ("split", pa.string()), ("runs", _LIST), ("logprob", pa.float64()),
    ("splits", _LIST), ("statements", _LIST),
])  # fmt: skip
_TYPES: dict[FieldType, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "flag": pa.bool_(), "texts": _LIST}
EDGES = pa.schema([
    (":START_ID", pa.string()), (":END_ID", pa.string()), *((name, _TYPES[kind]) for name, kind in EDGE_FIELDS.items()),
])  # fmt: skip
_LATER = {*list(EDGE_FIELDS)[9:], "splits", "values"}  # columns that the first format did not have
DUPLICATES = pa.schema([
    ("head", pa.string()), ("tail", pa.string()), ("id", pa.string()), ("relation", pa.string()), ("run", pa.string()),
    *((name, _TYPES[kind]) for name, kind in EDGE_FIELDS.items()),
])  # fmt: skip
JUDGEMENTS = pa.schema([
    ("id", pa.string()), ("head", pa.string()), ("relation", pa.string()), ("tail", pa.string()),
    ("annotator", pa.string()), ("value", pa.int64()), ("at", pa.string()), ("runs", _LIST),
    ("values", pa.list_(pa.int64())),
])  # fmt: skip
TASKS = pa.schema([
    ("id", pa.string()), ("head", pa.string()), ("relation", pa.string()), ("tail", pa.string()), ("run", pa.string()),
    ("place", pa.int64()), ("wanted", pa.int64()), ("probability", pa.float64()), ("control", pa.string()),
    ("judged", _LIST), ("skipped", _LIST), ("log", _LIST),
])  # fmt: skip
NOTHING_NODE = pa.schema([("id:ID", pa.string())])
_SINCE = {"duplicates.parquet": (2, DUPLICATES), "tasks.parquet": (3, TASKS)}
"""Files that the first format did not have, each with the format that brought it."""
_LARGE = {"large_string": "string", "large_list<item: large_string>": "list<item: string>",
          "list<element: string>": "list<item: string>", "list<element: int64>": "list<item: int64>",
          "large_list<item: int64>": "list<item: int64>"}  # fmt: skip


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk.

    Attributes:
        folder: where it is.
        manifest: what its `manifest.json` says.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @cached_property
    def runs(self) -> frozenset[str]:
        """Ids of the runs of the graph."""
        return frozenset(row["id"] for row in self.manifest["runs"])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The relations of the graph."""
        return Vocabulary((Relation(**row) for row in self.manifest["relations"]), str(self.folder))

    @property
    def descriptions(self) -> dict[str, list[dict[str, Any]]]:
        """The properties of runs, critics, acceptances and students."""
        return {name: self.manifest.get(name, []) for name in ("runs", "critics", "acceptances", "students")}

    @property
    def summary(self) -> str:
        """What is in it, as a sentence."""
        counts = self.manifest["counts"]
        return (
            f"{counts['phrases']:,} phrases, {counts['edges']:,} edges and {counts['judgements']:,} judgements of "
            f"{self.folder}, whose content hash is {self.manifest['content_hash']}"
        )

    def phrases(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of phrases as rows: id, text, lang, uri, labels, split, runs, logprob, splits, statements."""
        for batch in self._batches("phrases.parquet"):
            for row in batch:
                row["id"] = row.pop("id:ID")
                row["labels"] = [label for label in (row.pop(":LABEL") or "").split(";") if label]
                for name in ("runs", "splits", "statements"):
                    row[name] = row.get(name) or []
            yield batch

    def edges(self, relation: str) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of a relation's edges as rows: head, tail, properties, of which only what is known."""
        for batch in self._batches(f"edges/{relation}.parquet"):
            yield [
                {
                    "head": row.pop(":START_ID"), "tail": row.pop(":END_ID"),
                    "properties": {name: value for name, value in row.items() if value is not None and value != []},
                }
                for row in batch
            ]  # fmt: skip

    def judgements(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of judgements as rows."""
        for batch in self._batches("judgements.parquet"):
            for row in batch:
                row["values"] = row.get("values") or [row["value"]] * len(row["runs"] or ())
            yield batch

    def duplicates(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of duplicates that were set aside, as rows: head, tail, properties."""
        if "duplicates.parquet" not in self.manifest["files"]:
            return
        for batch in self._batches("duplicates.parquet"):
            yield [
                {
                    "head": row.pop("head"), "tail": row.pop("tail"),
                    "properties": {name: value for name, value in row.items() if value is not None},
                }
                for row in batch
            ]  # fmt: skip

    def tasks(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of tasks as rows."""
        if "tasks.parquet" in self.manifest["files"]:
            yield from self._batches("tasks.parquet")

    def nothing(self) -> list[Any]:
        """Return the keys of the node that stands for "no effect": one."""
        return [row["id:ID"] for batch in self._batches("nothing.parquet") for row in batch[:2]]

    def has_empty_lists(self) -> bool:
        """Tell whether an edge has an empty list of sources, as earlier versions wrote it."""
        for relation in self.manifest["edges"]:
            column = pq.read_table(self.folder / f"edges/{relation}.parquet", columns=["sources"])["sources"]
            if pc.any(pc.equal(pc.list_value_length(column), 0)).as_py():
                return True
        return False

    def _batches(self, name: str) -> Iterator[list[dict[str, Any]]]:
        path = self.folder / name
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(20_000):
                    yield batch.to_pylist()
        except (OSError, pa.ArrowException, ValueError) as error:  # a text that is not UTF-8, too
            raise InputError(f"cannot read {path}: {_line(error)}") from error


def open_snapshot(folder: Path) -> Snapshot:
    """Return the snapshot in a folder.

    Raises:
        InputError: there is none, or one that a newer version wrote, or what the manifest says is not valid. Rows
            are for `kg.snapshot.verifying`.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no snapshot: {path} is missing")
    try:
        manifest = strict_json.read(path.read_bytes())
        number = range(1, 1_000_000)[range(1, 1_000_000).index(manifest["format"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no snapshot: {path} is missing or damaged") from error
    if number > FORMAT:
        raise InputError(f"{folder} was written by version {manifest.get('version')}, which is newer; update this one")
    snapshot = Snapshot(folder, manifest)
    try:
        counts, edges = manifest["counts"], dict(manifest["edges"])
        expected = {
            "phrases.parquet": (PHRASES, counts["phrases"]), "judgements.parquet": (JUDGEMENTS, counts["judgements"]),
            "nothing.parquet": (NOTHING_NODE, 1),
            **{f"edges/{name}.parquet": (EDGES, count) for name, count in edges.items()},
            **{name: (schema, None) for name, (since, schema) in _SINCE.items() if number >= since},
        }  # fmt: skip
        unknown = edges.keys() - snapshot.vocabulary.names
        absent = ({"content_hash", "runs", "critics", "acceptances"} - manifest.keys()) | (
            expected.keys() ^ set(manifest["files"])
        )
        _check_descriptions(manifest)
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if unknown or absent:
        raise InputError(f"{path} is damaged: it does not describe {min(map(str, unknown or absent))}")
    if missing := [name for name in expected if not (folder / name).is_file()]:
        raise InputError(f"{folder} is not whole: {', '.join(missing[:3])} is missing")
    for name, (schema, count) in expected.items():
        _check(folder / name, schema, count)
    return snapshot


def _check_descriptions(manifest: Mapping[str, Any]) -> None:
    for name, count in [*manifest["counts"].items(), *manifest["edges"].items()]:
        if type(count) is not int or count < 0:
            raise InputError(f"its number of {name} is {str(count)[:40]!r}, which is none")
    if manifest["counts"]["edges"] != sum(manifest["edges"].values()):
        raise InputError("its number of edges is not the sum of those of the relations")
    for what, check in (
        ("relations", check_relation), ("runs", check_run), ("critics", check_critic),
        ("acceptances", check_acceptance), ("students", check_student),
    ):  # fmt: skip
        rows = manifest.get(what, []) if what == "students" else manifest[what]
        if not isinstance(rows, list):
            raise InputError(f"{what} is no list")
        names: set[str] = set()
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                raise InputError(f"{what}, number {number}: no JSON object")
            try:
                check(row)
            except InputError as error:
                raise InputError(f"{what}, number {number}: {error}") from None
            name = row["name" if what == "relations" else "id"]
            if name in names:
                raise InputError(f"{what}, number {number}: {name!r} is there twice")
            names.add(name)


def _check(path: Path, schema: pa.Schema, count: int | None) -> None:
    try:
        metadata = pq.read_metadata(path)
        found = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException, ValueError) as error:
        raise InputError(f"cannot read {path}: {_line(error)}") from error
    if absent := set(schema.names) - _LATER - set(found.names):
        raise InputError(f"{path} lacks the column {min(absent)}")
    if len(found.names) != len(set(found.names) & set(schema.names)):
        raise InputError(f"{path} has a column too many: {', '.join(found.names)}")
    for field in schema:
        if field.name not in found.names:
            continue
        kind = found.field(field.name).type
        if _LARGE.get(str(kind), str(kind)) != str(field.type):
            raise InputError(f"{path}: column {field.name} is of type {kind}, not {field.type}")
    if count is not None and metadata.num_rows != count:
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
            for batch in chunked(graph.phrases(every=True), _ROWS):
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
            content.add_judgement(row)
        counts["judgements"] = len(rows)
        pq.write_table(pa.Table.from_pylist(rows, JUDGEMENTS), draft / "judgements.parquet", compression="zstd")
        duplicates = graph.duplicate_rows()
        for row in duplicates:
            content.add_duplicate(row)
        flat = [{"head": row["head"], "tail": row["tail"], **row["properties"]} for row in duplicates]
        pq.write_table(pa.Table.from_pylist(flat, DUPLICATES), draft / "duplicates.parquet", compression="zstd")
        tasks = graph.task_rows()
        for row in tasks:
            content.add_task(row)
        pq.write_table(pa.Table.from_pylist(tasks, TASKS), draft / "tasks.parquet", compression="zstd")
        manifest = {
            "format": FORMAT, "version": __version__, "content_hash": str(content), "counts": counts,
            "edges": relations, **graph.descriptions(),
            "files": ["phrases.parquet", "nothing.parquet", "judgements.parquet", "duplicates.parquet",
                      "tasks.parquet",
                      *(f"edges/{name}.parquet" for name in relations)],
        }  # fmt: skip
        (draft / MANIFEST).write_text(strict_json.write(manifest, indent=1) + "\n", encoding="utf-8")
        graph.check_unchanged(watermark)
    return Snapshot(folder, manifest)


def export_snapshot(graph: KnowledgeGraph, path: Path, progress: Callable[[int], object]) -> str:
    """Write a snapshot as `write_snapshot` does; return what was done."""
    manifest = write_snapshot(graph, path, progress).manifest
    return f"{manifest['counts']['edges']:,} edges written to {path}; hash {manifest['content_hash']}"


def _write_edges(
    graph: KnowledgeGraph, folder: Path, content: ContentHash, progress: Callable[[int], object]
) -> tuple[dict[str, int], int]:
    counts: dict[str, int] = {}
    nothing = 0
    waiting: dict[str, list[tuple[Any, ...]]] = {}
    waiting_rows = 0
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
                content.add_edge_row(row)
                # Neo4j's importer makes an empty array of bytes of an empty list, where the graph has nothing.
                values = (None if value == [] else value for value in row.properties)
                waiting.setdefault(row.relation, []).append((row.head_id, row.tail_id, *values))
                counts[row.relation] = counts.get(row.relation, 0) + 1
                nothing += row.tail_id == NOTHING
            waiting_rows += len(page)
            if waiting_rows >= _ROWS:
                flush()
                waiting_rows = 0
            progress(len(page))
        flush()
    return dict(sorted(counts.items())), nothing


def _phrase_row(phrase: Phrase) -> tuple[Any, ...]:
    return (
        phrase.id, ";".join(phrase.labels), phrase.text, phrase.lang, phrase.uri or None, phrase.split,
        phrase.runs or None, phrase.logprob, phrase.splits or None, phrase.statements or None,
    )  # fmt: skip


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _batch(rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
