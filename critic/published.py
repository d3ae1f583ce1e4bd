"""Published judgements: rows of triples with a label 0 or 1, in and out.

| format | row | source |
|---|---|---|
| `ckbp` | CSV with a header: head, relation, tail, label, class, in v1 head_in_expert_test | Fang et al. 2021, 2023 |
| `ckbc` | TSV without one: relation, head, tail, label | Li et al. 2016 |

A label 1 becomes the value 1, 0 becomes -1; on the way out every good value is 1, every other 0. A row's other cells
become its annotator's name (`ckbp:cs_head/0`: class, and in v1 the flag), so that they come back; a row that
contradicts an earlier one of the same name is another annotator's, `#2`. Of all other annotators' verdicts on a triple,
CKBP gets one row without a class: their consensus (`kg.model.consensus`).
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from kg.errors import InputError
from kg.exchange.rows import csv_cells, read_header, tab_cells
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK
from kg.lines import Line, Rejected
from kg.model import JUDGEMENT_VALUES, Judgement, Triple, clean_text, consensus
from kg.vocabulary import Vocabulary

VOCABULARIES = {"ckbp": "ckbp", "ckbc": "conceptnet"}
_VALUES = {"1": 1, "0": -1}
_SPELT = _VALUES | {"1.0": 1, "0.0": -1, "true": 1, "false": -1}  # by pandas
_CKBP = ("head", "relation", "tail", "label", "class")
_V1 = "head_in_expert_test"
_LI = ("relation", "head", "tail", "label")
_CKBC = "ckbc"
_READ = re.compile(r"ckbp:(?P<kind>[^/#]*)(/(?P<flag>[^/#]*))?(#[0-9]+)?")


def guess_format(first: str) -> str:
    """Return the format of judgements that a first line looks like: `ckbp`, `ckbc`, or `tsv` for our own."""
    with suppress(InputError):
        if set(_CKBP[:4]) <= set(csv_cells(first)):
            return "ckbp"
    cells = first.split("\t")
    return "ckbc" if len(cells) == 4 and cells[3] in _VALUES else "tsv"  # noqa: PLR2004


def read_published(
    lines: Iterable[Line | Rejected], format_name: str, vocabulary: Vocabulary, lang: str
) -> Iterator[Judgement | Rejected]:
    """Yield the judgements of a file's lines, and the rows that are none."""
    cells = csv_cells if format_name == "ckbp" else tab_cells
    header, rest = read_header(lines, cells, _CKBP[:4]) if format_name == "ckbp" else (_LI, iter(lines))
    verdicts: dict[tuple[Triple, str], int] = {}
    for line in rest:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            found = cells(line.text)
            if len(found) != len(header):
                expected = f"{len(header)} are expected: {', '.join(header)}"
                raise InputError(f"{len(found)} columns where {expected}")  # noqa: TRY301 - as any other bad row
            judgement = _judgement(dict(zip(header, found, strict=True)), vocabulary, lang)
        except InputError as error:
            yield Rejected(line.number, str(error), line.text)
            continue
        triple, name, number = judgement.triple, judgement.annotator, 1
        while verdicts.setdefault((triple, name), judgement.value) != judgement.value:
            number += 1
            name = f"{judgement.annotator}#{number}"
        yield Judgement(triple, name, judgement.value)


def _judgement(row: Mapping[str, str], vocabulary: Vocabulary, lang: str) -> Judgement:
    if row["label"].casefold() not in _SPELT:
        raise InputError(f"label {row['label'][:40]!r} is not 0 or 1")
    triple = Triple(
        clean_text(row["head"]), vocabulary[row["relation"].replace(" ", "_")].name, clean_text(row["tail"]), lang
    )
    if triple.says_nothing:
        raise InputError("the tail 'none' says that there is no effect; only phrases are judged")
    told = [row[name] for name in ("class", _V1) if name in row]
    annotator = _CKBC if not told and row.keys() == {*_LI} else f"ckbp:{'/'.join(quote(one, safe=' ') for one in told)}"
    return Judgement(triple, annotator, _SPELT[row["label"].casefold()])


def write_published(judgements: Iterable[Judgement], path: Path, format_name: str) -> int:
    """Write judgements in a published format; -9 (unfamiliar) is left out, since it is neither.

    Args:
        judgements: what to write; of `ckbc` those read from it, of `ckbp` those read from it and the consensus of all
            others but these.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        format_name: `ckbp` or `ckbc`.

    Returns:
        The number of rows written.

    Raises:
        InputError: the file cannot be written.
    """
    chosen = [one for one in judgements if one.value in JUDGEMENT_VALUES[:4]]
    of_li = [one for one in chosen if re.fullmatch(rf"{_CKBC}(#[0-9]+)?", one.annotator)]
    with export_file(path) as draft, open_text(draft, path) as file:
        if format_name == "ckbc":
            for one in of_li:
                triple = one.triple
                if BREAK.search(triple.head + triple.tail):
                    raise InputError(f"({triple.head[:80]!r}, {triple.tail[:80]!r}) has a tab or line break")
                file.write(f"{triple.relation}\t{triple.head}\t{triple.tail}\t{int(one.is_good)}\n")
            return len(of_li)
        rows = _ckbp_rows([one for one in chosen if one not in {*of_li}])
        is_v1 = any(flag is not None for *_, flag in rows)
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*_CKBP, *([_V1] if is_v1 else [])])
        for triple, is_good, kind, flag in rows:
            relation = triple.relation.replace("general_", "general ")
            row = [triple.head, relation, triple.tail, int(is_good), kind]
            table.writerow([*row, *([flag or ""] if is_v1 else [])])
    return len(rows)


def _ckbp_rows(judgements: Iterable[Judgement]) -> list[tuple[Triple, bool, str, str | None]]:
    """Return triple, verdict, class and flag of each row of CKBP."""
    rows: list[tuple[Triple, bool, str, str | None]] = []
    others: dict[Triple, list[int]] = defaultdict(list)
    for one in judgements:
        if match := _READ.fullmatch(one.annotator):
            rows.append((one.triple, one.is_good, unquote(match["kind"]), match["flag"] and unquote(match["flag"])))
        else:
            others[one.triple].append(one.value)
    return rows + [(triple, consensus(values) > 0, "", None) for triple, values in others.items()]
