"""A data set as hubs and the library `datasets` know one: a Parquet file for each split, and a card (README.md).

The files have the columns of `kg.exchange.parquet`. The card says which splits are where, so that
`datasets.load_dataset(FOLDER)` finds them, who wrote the texts, and what a critic said of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kg.errors import InputError
from kg.exchange.parquet import SCHEMA, columns_of
from kg.exchange.target import export_folder
from kg.graph.rows import EdgeRow
from kg.run import teachers_of

CARD = "README.md"
_SPLITS = ("train", "validation", "test")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGER = "1M<n<10M"
_COLUMNS = (
    "A line for each run that asserted a triple; the column `runs` has their ids. `predicted` is true where students "
    "alone wrote a triple; `score` and `accepted` are what `critic` said of it."
)


def export_dataset(pages: Iterable[Sequence[EdgeRow]], path: Path, runs: Sequence[Mapping[str, Any]]) -> int:
    """Write edges as a data set.

    Args:
        pages: lists of edges as rows.
        path: folder to make; an older data set there is replaced.
        runs: of the graph, as `KnowledgeGraph.runs` returns them.

    Returns:
        The number of edges written.

    Raises:
        InputError: there is no edge, the folder is something else than a data set, or it cannot be written.
    """
    if path.exists() and not ((path / CARD).is_file() and (path / "data").is_dir()):
        raise InputError(f"{path} exists and is no data set; choose another name")
    splits: Counter[str] = Counter()
    relations: Counter[str] = Counter()
    langs: set[str] = set()
    of_runs: set[str] = set()
    with export_folder(path) as draft:
        (draft / "data").mkdir()
        with ExitStack() as stack:
            files: dict[str, pq.ParquetWriter] = {}
            for page in pages:
                for split in _SPLITS:
                    rows = [row for row in page if row.split == split]
                    if not rows:
                        continue
                    if split not in files:
                        file = pq.ParquetWriter(draft / "data" / f"{split}.parquet", SCHEMA, compression="zstd")
                        files[split] = stack.enter_context(file)
                    files[split].write_batch(pa.RecordBatch.from_pydict(columns_of(rows), SCHEMA))
                    splits[split] += len(rows)
                relations.update(row.relation for row in page)
                langs.update(row.lang for row in page)
                of_runs.update(run for row in page for run in row.runs)
        if not splits:
            raise InputError("there is no edge to make a data set of; load some, or widen the filter")
        wrote = [run for run in runs if run["id"] in of_runs]
        card = _card(path.resolve().name, splits, relations, sorted(langs), wrote)
        (draft / CARD).write_text(card, encoding="utf-8")
    return splits.total()


def _card(
    name: str,
    splits: Mapping[str, int],
    relations: Mapping[str, int],
    langs: Sequence[str],
    runs: Sequence[Mapping[str, Any]],
) -> str:
    from huggingface_hub import DatasetCardData  # noqa: PLC0415 - takes a second

    count = sum(splits.values())
    licences = sorted({str(run["licence"]) for run in runs if run.get("licence")})
    data = DatasetCardData(
        license="other" if licences else "unknown",
        language=list(langs),
        pretty_name=name,
        size_categories=[next((size for most, size in _SIZES if count < most), _LARGER)],
        tags=["knowledge-graph", "commonsense", "skd-graph"],
        configs=[{
            "config_name": "default",
            "data_files": [
                {"split": split, "path": f"data/{split}.parquet"} for split in _SPLITS if split in splits
            ],
        }],
    )  # fmt: skip
    teachers = teachers_of(runs)
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {name}",
        f"{count:,} triples: an event, a relation and an inference, with what was said of each.",
        _table(("split", "triples"), [(split, splits[split]) for split in _SPLITS if split in splits]),
        _table(("relation", "triples"), sorted(relations.items())),
        "## Who wrote it",
        _COLUMNS,
        _table(
            ("run", "kind", "written by", "from", "licence"),
            [
                (run["id"], run.get("kind"), teachers.get(run["id"]) or run.get("model"), run.get("dataset"),
                 run.get("licence"))
                for run in runs
            ],
        ),
        "## Licence",
        f"As the runs say: {', '.join(licences)}."
        if licences
        else "No run states one; state it above before this goes anywhere.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str("" if value is None else value).split()).replace("|", "\\|")
