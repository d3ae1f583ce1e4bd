"""Every field of the edges as columns: one Parquet file, zstd, in row groups.

The form to compute on (pandas, Polars, DuckDB, Spark), and the one that loses nothing.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kg.exchange.target import export_file
from kg.graph.rows import EdgeRow
from kg.model import EDGE_FIELDS, FieldType

_ROW_GROUP = 20_000  # edges; what is held in memory at a time

_TEXT, _LIST = pa.string(), pa.list_(pa.string())
_TYPES: dict[FieldType, pa.DataType] = {"text": _TEXT, "number": pa.float64(), "flag": pa.bool_(), "texts": _LIST}
_FIRST = ("score", "accepted", "predicted", "critic", "logprob", "weight", "runs")  # what most people look for

SCHEMA = pa.schema([
    *(pa.field(name, _TEXT, nullable=False) for name in ("head", "relation", "tail", "lang", "split")),
    *(
        pa.field(name, _TYPES[EDGE_FIELDS[name]], nullable=name != "predicted" and EDGE_FIELDS[name] != "texts")
        for name in dict.fromkeys((*_FIRST, *EDGE_FIELDS))
    ),
    *(pa.field(name, _TEXT) for name in ("tail_lang", "head_uri", "tail_uri")),
    *(pa.field(name, _TEXT, nullable=False) for name in ("head_id", "tail_id")),
])  # fmt: skip


def write_parquet(pages: Iterable[Sequence[EdgeRow]], path: Path) -> int:
    """Write edges with all that is said about them.

    Args:
        pages: lists of edges as rows (`kg.graph.rows.EdgeRow`), which become columns without an object in between.
        path: file to make; an older one is replaced.

    Returns:
        The number of edges written.

    Raises:
        InputError: the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
        for page in pages:
            for start in range(0, len(page), _ROW_GROUP):
                rows = page[start : start + _ROW_GROUP]
                writer.write_batch(pa.RecordBatch.from_pydict(columns_of(rows), SCHEMA))
                count += len(rows)
    return count


def columns_of(rows: Sequence[EdgeRow]) -> dict[str, Sequence[object]]:
    """Return edges as the columns of `SCHEMA`."""
    columns: dict[str, Sequence[object]] = dict(zip(EdgeRow._fields, zip(*rows, strict=True), strict=True))
    del columns["element"]
    for name in ("tail_lang", "head_uri", "tail_uri"):
        columns[name] = [value or None for value in columns[name]]
    return columns
