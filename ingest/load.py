"""Load: one file becomes one run of the graph."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ingest.readers import READERS, Reader, guess_format
from ingest.readers.atomic import read_atomic2019
from ingest.readers.kgx import read_kgx, read_nodes
from ingest.readers.teachers import read_completions
from kg.errors import InputError
from kg.exchange.kgx import pair_of
from kg.exchange.rdf.reading import open_rdf
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.lines import Rejected, RejectedFile, file_hash, read_lines
from kg.model import Assertion, Edge, Split
from kg.run import Run, write_record
from kg.snapshot.restoring import restore_descriptions, restore_records
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: its run, the format it read, numbers of rows, and where the rejected ones are listed."""

    run: str
    format_name: str
    offered: int
    added: int
    rejected: int
    dropped: Counter[str]
    rejected_file: Path


@dataclass(frozen=True, slots=True)
class LoadedRdf:
    """What the load of an RDF file did: edges in it, and the statements that were not understood."""

    edges: int
    rejected: int
    rejected_file: Path


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
        graph: where it goes.
        workspace: where the run's folder is.
        path: the file.
        format_name: a key of `READERS`, or `auto`.
        vocabulary: a shipped name or a path; None takes the format's own.
        lang: BCP 47 tag of the texts; None takes the format's own.
        split: the split of all its events, where the file is one split of a published data set.
        model: the model that wrote it.
        licence: under which it comes.
        progress: called with numbers of rows written.

    Raises:
        InputError: the file cannot be read, or not one of its rows can.
    """
    if format_name == "auto":
        format_name = guess_format(path)
    if format_name not in READERS:
        raise InputError(f"format {format_name!r} is not one of {', '.join(READERS)}, auto")
    reader, default_vocabulary, default_lang = READERS[format_name]
    lang = lang or default_lang
    relations = Vocabulary.load(vocabulary or default_vocabulary)
    parameters = {
        "format": format_name, "sha256": file_hash(path), "vocabulary": list(relations.names), "lang": lang,
        "split": split,
    }  # fmt: skip
    run = Run("load", model=model, dataset=path.name, licence=licence, parameters=parameters)
    folder = workspace.folder("runs", run.id)
    dropped: Counter[str] = Counter()
    if reader in (read_completions, read_atomic2019):
        reader = partial(reader, dropped=dropped)
    bad_nodes: list[Rejected] = []
    if reader is read_kgx:
        nodes, bad_nodes = read_nodes(path, lang)
        reader, path = partial(read_kgx, nodes=nodes), pair_of(path)[1]
    with RejectedFile(folder / "rejected.jsonl") as rejected, ExitStack() as stack:
        for node in bad_nodes:
            rejected.add(node)
        graph.add_vocabulary(relations)
        stack.enter_context(graph.running(run))
        offered, added = graph.add(_accepted(reader, path, relations, lang, split, rejected), run, progress)
        numbers = {"offered": offered, "rejected": rejected.count, "dropped": dropped.total()}
        graph.finish(run, **numbers)
        write_record(folder, run, numbers)
        if not offered and rejected.first:
            raise InputError(
                f"no row of {path} can be read as {format_name}; line {rejected.first.line}: {rejected.first.reason}"
            )
    return Loaded(run.id, format_name, offered, added, rejected.count, dropped, rejected.path)


def load_rdf(graph: KnowledgeGraph, workspace: Workspace, path: Path, progress: Progress = lambda _: None) -> LoadedRdf:
    """Add what an RDF file says, with the runs that it names; what is not understood is listed.

    Raises:
        InputError: the file cannot be read as RDF, or has no relation.
    """
    folder = workspace.folder("runs", f"rdf-{file_hash(path)[:12]}")
    with open_rdf(path) as rdf, RejectedFile(folder / "rejected.jsonl") as rejected:
        restore_descriptions(graph, rdf.vocabulary, runs=rdf.runs())

        def edges() -> Iterator[Edge]:
            for edge in rdf.edges():
                if isinstance(edge, Rejected):
                    rejected.add(edge)
                else:
                    yield edge

        for line in rdf.broken:
            rejected.add(line)
        count = restore_records(graph, rdf.phrases(), edges(), progress)
        for statement in rdf.not_understood():
            rejected.add(statement)
    return LoadedRdf(count, rejected.count, rejected.path)


def _accepted(
    reader: Reader, path: Path, vocabulary: Vocabulary, lang: str, split: Split | None, rejected: RejectedFile
) -> Iterator[Assertion]:
    for row in reader(read_lines(path), vocabulary, lang):
        if isinstance(row, Rejected):
            rejected.add(row)
        else:
            yield row if split is None else replace(row, split=split)
