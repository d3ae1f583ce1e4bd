"""Every field of the edges as columns: one Parquet file, zstd, in row groups.

The form to compute on (pandas, Polars, DuckDB, Spark), and the one that loses nothing.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kg.exchange.target import export_file
from kg.graph.rows import EdgeRow

_ROW_GROUP = 20_000  # edges; what is held in memory at a time

SCHEMA = pa.schema(
    [
        pa.field("head", pa.string(), nullable=False),
        pa.field("relation", pa.string(), nullable=False),
        pa.field("tail", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("accepted", pa.bool_()),
        pa.field("predicted", pa.bool_(), nullable=False),
        pa.field("critic", pa.string()),
        pa.field("logprob", pa.float64()),
        pa.field("weight", pa.float64()),
        pa.field("runs", pa.list_(pa.string()), nullable=False),
        pa.field("sources", pa.list_(pa.string()), nullable=False),
        pa.field("details", pa.string()),
        pa.field("published", pa.float64()),
        pa.field("scores", pa.list_(pa.string()), nullable=False),
        pa.field("statements", pa.list_(pa.string()), nullable=False),
        pa.field("tail_lang", pa.string()),
        pa.field("head_uri", pa.string()),
        pa.field("tail_uri", pa.string()),
        pa.field("head_id", pa.string(), nullable=False),
        pa.field("tail_id", pa.string(), nullable=False),
    ]
)


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
                writer.write_batch(pa.RecordBatch.from_pydict(_columns(rows), SCHEMA))
                count += len(rows)
    return count


def _columns(rows: Sequence[EdgeRow]) -> dict[str, Sequence[object]]:
    columns: dict[str, Sequence[object]] = dict(zip(EdgeRow._fields, zip(*rows, strict=True), strict=True))
    del columns["element"]
    for name in ("tail_lang", "head_uri", "tail_uri"):
        columns[name] = [value or None for value in columns[name]]
    return columns
