"""Judgements in a file: the verdicts of annotators on triples.

A TSV with a header that names head, relation, tail, value and annotator (or rater); other columns are not read. Or a
published format (`critic.published`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from critic.published import VOCABULARIES, guess_format, read_published
from kg.errors import InputError
from kg.exchange.rows import cells_of, read_header, tab_cells
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Line, Rejected, RejectedFile, file_hash, read_lines
from kg.model import JUDGEMENT_VALUES, NOTHING, Judgement, Triple, clean_text
from kg.run import Run, write_record
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

_COLUMNS = ("head", "relation", "tail", "value")


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: its run, numbers of rows, and where the rejected ones are listed."""

    run: str
    offered: int
    added: int
    rejected: int
    rejected_file: Path


def import_judgements(graph: KnowledgeGraph, workspace: Workspace, path: Path, lang: str = "en") -> Imported:
    """Bring a file of judgements into the graph as one run; doing it again changes nothing.

    Published formats (`critic.published`) are told by their first line, and bring their relations.

    Raises:
        InputError: the file cannot be read, or not one of its rows can.
        NotReady: the graph knows no relation yet.
    """
    first = next((line.text for line in read_lines(path) if isinstance(line, Line)), "")
    if (format_name := guess_format(first)) in VOCABULARIES:
        graph.add_vocabulary(Vocabulary.load(VOCABULARIES[format_name]))
    vocabulary = graph.vocabulary()
    run = Run("judgements", dataset=path.name, parameters={"sha256": file_hash(path), "lang": lang})
    folder = workspace.folder("runs", run.id)
    with RejectedFile(folder / "rejected.jsonl") as rejected:
        if format_name in VOCABULARIES:
            rows = list(read_published(read_lines(path), format_name, vocabulary, lang))
            judgements = [row for row in rows if isinstance(row, Judgement)]
            for row in rows:
                if isinstance(row, Rejected):
                    rejected.add(row)
        else:
            judgements = list(read_judgements(path, vocabulary, lang, rejected))
        if not judgements and rejected.first:
            raise InputError(f"no row of {path} is a judgement; line {rejected.first.line}: {rejected.first.reason}")
    with graph.running(run):
        offered, added = graph.record_judgements(judgements, run)
        numbers = {"offered": offered, "rejected": rejected.count}
        graph.finish(run, **numbers)
    write_record(folder, run, numbers)
    return Imported(run.id, offered, added, rejected.count, rejected.path)


def read_judgements(
    path: Path, vocabulary: Vocabulary, lang: str = "en", rejected: RejectedFile | None = None
) -> Iterator[Judgement]:
    """Yield the judgements of a file; bad rows go to `rejected`, or are an error where there is none.

    Raises:
        InputError: the file cannot be read, its header lacks a column, or a row is bad and there is no `rejected`.
    """
    try:
        header, lines = read_header(read_lines(path), tab_cells, (*_COLUMNS, "annotator"), {"rater": "annotator"})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for line in lines:
        row: Judgement | Rejected
        if isinstance(line, Rejected):
            row = line
        else:
            try:
                row = _judgement(cells_of(line, header, tab_cells), vocabulary, lang)
            except InputError as error:
                row = Rejected(line.number, str(error), line.text)
        if isinstance(row, Judgement):
            yield row
        elif rejected is not None:
            rejected.add(row)
        else:
            raise InputError(f"{path}, line {row.line}: {row.reason}")


def _judgement(row: Mapping[str, str], vocabulary: Vocabulary, lang: str) -> Judgement:
    if row["tail"] == NOTHING:
        raise InputError("the tail 'none' says that there is no effect; only phrases are judged")
    if row["value"] not in map(str, JUDGEMENT_VALUES):
        raise InputError(f"value {row['value'][:40]!r} is not one of {', '.join(map(str, JUDGEMENT_VALUES))}")
    triple = Triple(clean_text(row["head"]), vocabulary[row["relation"]].name, clean_text(row["tail"]), lang)
    return Judgement(triple, clean_text(row["annotator"]), int(row["value"]))
