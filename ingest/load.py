"""Load: one file becomes one run of the graph."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from more_itertools import spy

import ingest.readers  # noqa: F401 - whose formats join the table
from kg.errors import InputError
from kg.exchange.formats import guess_format, reading
from kg.exchange.rows import Rows
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.lines import Rejected, RejectedFile, file_hash, read_lines
from kg.model import Assertion, Split
from kg.run import Run, write_record
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of a load: its run, the format it read, numbers of rows, and where the rejected ones are listed."""

    run: str
    format_name: str
    offered: int
    added: int
    rejected: int
    dropped: Counter[str]
    rejected_file: Path
    rejected_what: ClassVar[str] = "rows rejected"

    @property
    def lines(self) -> tuple[str, ...]:
        """The result in lines for a person."""
        known = " (nothing new)" if self.offered and not self.added else ""
        first = f"{self.offered:,} rows read, {self.added:,} edges added{known} as run {self.run}"
        return first, *(f"{count:,} dropped: {rule}" for rule, count in self.dropped.most_common())


def load_file(
    graph: KnowledgeGraph,
    workspace: Workspace,
    path: Path,
    format_name: str,
    *,
    vocabulary: str | None = None,
    lang: str | None = None,
    split: Split | None = None,
    model: str | None = None,
    licence: str | None = None,
    progress: Progress = lambda _: None,
) -> Loaded:
    """Load a file as one run; loading it again changes nothing.

    Args:
        graph: where the assertions go.
        workspace: where the run's folder is.
        path: the file.
        format_name: a format of `kg.exchange.formats` whose rows become a run, or `auto`.
        vocabulary: a shipped name or a path; None takes the format's own.
        lang: BCP 47 tag of the texts; None takes the vocabulary's, or else the format's own.
        split: the split of all its events, where the file is one split of a published data set.
        model: the model that wrote the file.
        licence: under which the file comes.
        progress: called with numbers of rows written.

    Raises:
        InputError: the file cannot be read, or not one of its rows can.
    """
    if format_name == "auto":
        format_name = guess_format(path)
    read = reading(format_name)
    relations = Vocabulary.load(vocabulary or read.vocabulary)
    lang = lang or relations.lang or read.lang
    sums = [file_hash(one) for one in read.files(path)]
    parameters = {
        "format": format_name, "sha256": sums[0], "vocabulary": list(relations.names), "lang": lang, "split": split,
        **({"partner": sums[1]} if sums[1:] else {}),
    }  # fmt: skip
    run = Run("load", model=model, dataset=path.name, licence=licence, parameters=parameters)
    folder = workspace.folder("runs", run.id)
    dropped: Counter[str] = Counter()
    rows = read(path=path, lines=read_lines(path), vocabulary=relations, lang=lang, dropped=dropped)
    with RejectedFile(folder / "rejected.jsonl") as rejected:
        first, assertions = spy(_accepted(rows, split, rejected))  # before a run begins, see whether it has anything
        if not first and rejected.first:
            raise InputError(
                f"no row of {path} can be read as {format_name}; line {rejected.first.line}: {rejected.first.reason}"
            )
        graph.add_vocabulary(relations)
        with graph.running(run):
            offered, added = graph.add(assertions, run, progress)
            numbers = {"offered": offered, "rejected": rejected.count, "dropped": dropped.total()}
            graph.finish(run, **numbers)
        write_record(folder, run, numbers)
    return Loaded(run.id, format_name, offered, added, rejected.count, dropped, rejected.path)


def _accepted(rows: Rows, split: Split | None, rejected: RejectedFile) -> Iterator[Assertion]:
    for row in rows:
        if isinstance(row, Rejected):
            rejected.add(row)
        else:
            yield row if split is None else replace(row, split=split)
