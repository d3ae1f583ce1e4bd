"""Every field of the edges as columns: one Parquet file, zstd, in row groups.

The form to compute on (pandas, Polars, DuckDB, Spark), and the one that loses nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kg.exchange.target import export_file
from kg.model import Edge, head_id, tail_id

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
        pa.field("tail_lang", pa.string()),
        pa.field("head_uri", pa.string()),
        pa.field("tail_uri", pa.string()),
        pa.field("head_id", pa.string(), nullable=False),
        pa.field("tail_id", pa.string(), nullable=False),
    ]
)


def write_parquet(edges: Iterable[Edge], path: Path) -> int:
    """Write edges with all that is said about them.

    Args:
        edges: what to write, in this order.
        path: file to make; an older one is replaced.

    Returns:
        The number of edges written.

    Raises:
        InputError: the file cannot be written.
    """
    count = 0
    stream = iter(edges)
    with export_file(path) as draft, pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(stream, _ROW_GROUP)):
            writer.write_batch(pa.RecordBatch.from_pydict(_columns(batch), SCHEMA))
            count += len(batch)
    return count


def _columns(edges: Sequence[Edge]) -> dict[str, list[object]]:
    return {
        "head": [edge.triple.head for edge in edges],
        "relation": [edge.triple.relation for edge in edges],
        "tail": [edge.triple.tail for edge in edges],
        "lang": [edge.triple.lang for edge in edges],
        "split": [edge.split for edge in edges],
        "score": [edge.score for edge in edges],
        "accepted": [edge.accepted for edge in edges],
        "predicted": [edge.predicted for edge in edges],
        "critic": [edge.critic for edge in edges],
        "logprob": [edge.logprob for edge in edges],
        "weight": [edge.weight for edge in edges],
        "runs": [edge.runs for edge in edges],
        "sources": [edge.sources for edge in edges],
        "details": [edge.details for edge in edges],
        "tail_lang": [edge.triple.tail_lang or None for edge in edges],
        "head_uri": [edge.triple.head_uri or None for edge in edges],
        "tail_uri": [edge.triple.tail_uri or None for edge in edges],
        "head_id": [head_id(edge.triple) for edge in edges],
        "tail_id": [tail_id(edge.triple) for edge in edges],
    }
