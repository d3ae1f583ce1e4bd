"""Published judgements: rows of triples with a label 0 or 1, in and out.

| format | row | source |
|---|---|---|
| `ckbp` | CSV with a header: head, relation, tail, label, class, in v1 head_in_expert_test | Fang et al. 2021, 2023 |
| `ckbc` | TSV without one: relation, head, tail, label | Li et al. 2016 |

A label 1 becomes the value 1, 0 becomes -1; on the way out every good value is 1, every other 0. What else a row says
becomes its annotator's name, so that it comes back; a row that contradicts an earlier one of the same name is another
annotator's, `#2`.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from kg.errors import InputError
from kg.exchange.target import export_file, open_text
from kg.lines import Line, Rejected
from kg.model import Judgement, Triple, clean_text
from kg.vocabulary import Vocabulary

VOCABULARIES = {"ckbp": "ckbp", "ckbc": "conceptnet"}
_VALUES = {"1": 1, "0": -1}
_CKBP = ("head", "relation", "tail", "label", "class")
_V1 = "head_in_expert_test"
_CKBC = "ckbc"


def guess_format(first: str) -> str:
    """Return the format of judgements that a first line looks like: `ckbp`, `ckbc`, or `tsv` for our own."""
    if first.startswith(",".join(_CKBP)):
        return "ckbp"
    cells = first.split("\t")
    return "ckbc" if len(cells) == 4 and cells[3] in _VALUES else "tsv"  # noqa: PLR2004


def read_published(
    lines: Iterable[Line | Rejected], format_name: str, vocabulary: Vocabulary, lang: str
) -> Iterator[Judgement | Rejected]:
    """Yield the judgements of a file's lines, and the rows that are none."""
    header: list[str] = []
    said: dict[tuple[Triple, str], int] = {}
    for line in lines:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            cells = next(csv.reader([line.text], strict=True)) if format_name == "ckbp" else line.text.split("\t")
            if format_name == "ckbp" and not header:
                header = cells
                continue
            judgement = _judgement(cells, header, vocabulary, lang)
        except (InputError, csv.Error) as error:
            yield Rejected(line.number, str(error), line.text)
            continue
        triple, name, number = judgement.triple, judgement.annotator, 1
        while said.setdefault((triple, name), judgement.value) != judgement.value:
            number += 1
            name = f"{judgement.annotator}#{number}"
        yield Judgement(triple, name, judgement.value)


def _judgement(cells: list[str], header: list[str], vocabulary: Vocabulary, lang: str) -> Judgement:
    names = header or ["relation", "head", "tail", "label"]
    if len(cells) != len(names):
        raise InputError(f"{len(cells)} columns where {len(names)} are expected: {', '.join(names)}")
    row = dict(zip(names, cells, strict=True))
    if row["label"] not in _VALUES:
        raise InputError(f"label {row['label'][:40]!r} is not 0 or 1")
    triple = Triple(
        clean_text(row["head"]), vocabulary[row["relation"].replace(" ", "_")].name, clean_text(row["tail"]), lang
    )
    if triple.says_nothing:
        raise InputError("the tail 'none' says that there is no effect; only phrases are judged")
    annotator = "/".join(row[name] for name in ("class", _V1) if name in row) if header else _CKBC
    return Judgement(triple, annotator, _VALUES[row["label"]])


def write_published(judgements: Iterable[Judgement], path: Path, format_name: str) -> int:
    """Write judgements in a published format; -9 (unfamiliar) is left out, since it is neither.

    Args:
        judgements: what to write; of `ckbc` those read from it, of `ckbp` all others.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        format_name: `ckbp` or `ckbc`.

    Returns:
        The number of rows written.

    Raises:
        InputError: the file cannot be written.
    """
    chosen = [one for one in judgements if one.value in (2, 1, -1, -2)]
    with export_file(path) as draft, open_text(draft, path) as file:
        if format_name == "ckbc":
            chosen = [one for one in chosen if one.annotator.partition("#")[0] == _CKBC]
            for one in chosen:
                triple = one.triple
                file.write(f"{triple.relation}\t{triple.head}\t{triple.tail}\t{int(one.is_good)}\n")
            return len(chosen)
        chosen = [one for one in chosen if one.annotator.partition("#")[0] != _CKBC]
        table = csv.writer(file, lineterminator="\n")
        is_v1 = any("/" in one.annotator for one in chosen)
        table.writerow([*_CKBP, *([_V1] if is_v1 else [])])
        for one in chosen:
            kind, _, flag = one.annotator.partition("#")[0].partition("/")
            relation = one.triple.relation.replace("general_", "general ")
            row = [one.triple.head, relation, one.triple.tail, int(one.is_good), kind]
            table.writerow([*row, *([flag] if is_v1 else [])])
    return len(chosen)
