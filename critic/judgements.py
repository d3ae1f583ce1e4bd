"""Judgements in a file: the verdicts of annotators on triples.

A TSV with a header that names head, relation, tail, value and annotator (or rater), and, where the texts are not of one
language, lang, tail_lang, head_uri and tail_uri; other columns are not read. Or a
published format (`critic.published`), or an annotation tool's file (`critic.labelling`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from critic.labelling import FORMATS as LABELLING
from critic.labelling import LANGUAGES, guess_labelling, read_labelling, write_labelling
from critic.published import VOCABULARIES, guess_format, read_published, write_published
from kg.errors import InputError
from kg.exchange.rows import cells_of, read_header, tab_cells
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Line, Rejected, RejectedFile, file_hash, read_lines
from kg.model import JUDGEMENT_VALUES, NOTHING, Judgement, Triple, clean_text
from kg.run import Run, write_record
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

_COLUMNS = ("head", "relation", "tail", "value")


class RejectedRows(Protocol):
    """Where rows go that cannot be used, such as a `RejectedFile`."""

    def add(self, rejected: Rejected) -> None:
        """Take a row."""
        ...


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

    Other formats are told by their first line; published ones (`critic.published`) bring their relations.

    Raises:
        InputError: the file cannot be read, or not one of its rows can.
        NotReady: the graph knows no relation yet.
    """
    if (own := vocabulary_of(path)) is not None:
        graph.add_vocabulary(own)
    vocabulary = graph.vocabulary()
    run = Run("judgements", dataset=path.name, parameters={"sha256": file_hash(path), "lang": lang})
    folder = workspace.folder("runs", run.id)
    with RejectedFile(folder / "rejected.jsonl") as rejected:
        judgements = list(read_file(path, vocabulary, lang, rejected))
        if not judgements and rejected.first:
            raise InputError(f"no row of {path} is a judgement; line {rejected.first.line}: {rejected.first.reason}")
    with graph.running(run):
        offered, added = graph.record_judgements(judgements, run)
        numbers = {"offered": offered, "rejected": rejected.count}
        graph.finish(run, **numbers)
    write_record(folder, run, numbers)
    return Imported(run.id, offered, added, rejected.count, rejected.path)


def export_judgements(graph: KnowledgeGraph, path: Path, format_name: str) -> int:
    """Write all judgements of a graph into a file; return how many were written, of SKD's and CKBP's form rows.

    Args:
        graph: where they are.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        format_name: `tsv`, or one of `critic.labelling` or `critic.published`.

    Raises:
        InputError: the file cannot be written, or the format has no place for a text.
    """
    judgements = graph.judgements()
    if format_name in LABELLING:
        return write_labelling(judgements, path, format_name, graph.vocabulary())
    if format_name in VOCABULARIES:
        return write_published(judgements, path, format_name)
    return write_judgements(judgements, path)


def vocabulary_of(path: Path) -> Vocabulary | None:
    """Return the vocabulary that a published data set brings; None for any other file.

    Raises:
        InputError: the file cannot be read.
    """
    name = VOCABULARIES.get(guess_format(_first(path)))
    return None if name is None else Vocabulary.load(name)


def read_file(path: Path, vocabulary: Vocabulary, lang: str, rejected: RejectedRows) -> Iterator[Judgement]:
    """Yield the judgements of a file of any of the formats, told by its first line; bad rows go to `rejected`.

    Raises:
        InputError: the file cannot be read, or its header lacks a column.
    """
    first = _first(path)
    format_name, labelling = guess_format(first), guess_labelling(first)
    if format_name not in VOCABULARIES and not labelling:
        yield from read_judgements(path, vocabulary, lang, rejected)
        return
    for row in (
        read_labelling(path, labelling, vocabulary, lang)
        if labelling
        else read_published(read_lines(path), format_name, vocabulary, lang)
    ):
        if isinstance(row, Judgement):
            yield row
        else:
            rejected.add(row)


def _first(path: Path) -> str:
    return next((line.text for line in read_lines(path) if isinstance(line, Line)), "")


def read_judgements(
    path: Path, vocabulary: Vocabulary, lang: str = "en", rejected: RejectedRows | None = None
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
    more = {name: clean_text(row[name]) for name in LANGUAGES if row.get(name)}
    triple = Triple(
        clean_text(row["head"]), vocabulary[row["relation"]].name, clean_text(row["tail"]), **{"lang": lang} | more
    )
    return Judgement(triple, clean_text(row["annotator"]), int(row["value"]))


def write_judgements(judgements: Iterable[Judgement], path: Path) -> int:
    """Write judgements as `read_judgements` reads them; return how many.

    Columns for languages and URIs are there if any triple has more than English texts.

    Args:
        judgements: what to write, in the order of the file.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.

    Raises:
        InputError: the file cannot be written, or a text has a tab or line break.
    """
    rows = list(judgements)
    plain = all(one.triple == Triple(one.triple.head, one.triple.relation, one.triple.tail) for one in rows)
    columns = ("head", "relation", "tail", *(() if plain else LANGUAGES))
    with export_file(path) as draft, open_text(draft, path) as file:
        file.write("\t".join([*columns, "annotator", "value"]) + "\n")
        for one in rows:
            cells = [*(getattr(one.triple, name) for name in columns), one.annotator, str(one.value)]
            if broken := next((cell for cell in cells if BREAK.search(cell)), None):
                raise InputError(f"{broken[:80]!r} has a tab or line break")
            file.write("\t".join(cells) + "\n")
    return len(rows)
