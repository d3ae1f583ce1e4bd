"""KGTK's edge files, as CSKG is published (Ilievski et al. 2021): a TSV whose header names the columns."""

import re
from collections.abc import Iterable, Iterator

from ingest.readers.rows import Rows, as_details, clean_part, parse_rows, read_number
from kg.errors import InputError
from kg.exchange.conceptnet import relation_name
from kg.exchange.kgtk import node_name, read_label, usual_cells
from kg.identity import read_concept_uri
from kg.lines import Line, Rejected
from kg.model import NOTHING, Assertion, Triple
from kg.vocabulary import Vocabulary

_LAST = re.compile(r"[^/:#]*$")


def read_kgtk(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of an edge file: node1, relation (or label), node2, and any other column.

    What a column says beyond the triple is kept in `details` under `kgtk`; of several rows of one triple, what the
    first one says.
    """
    header: list[str] = []

    def parse(line: Line) -> Iterator[Assertion]:
        cells = line.text.split("\t")
        if not header:
            names = ["relation" if name == "label" else name for name in cells]
            if not {"node1", "relation", "node2"} <= set(names):
                raise InputError(
                    "the first line must name the columns: node1, relation, node2 and others, parted by tabs"
                )
            header.extend(names)
            return
        if len(cells) != len(header):
            raise InputError(f"{len(cells)} columns where the header has {len(header)}")
        row = dict(zip(header, cells, strict=True))
        relation = vocabulary[_relation(row["relation"])].name
        head, head_lang, head_uri = _node(row["node1"], row.get("node1;label", ""), "node1", lang)
        tail, tail_lang, tail_uri = _node(row["node2"], row.get("node2;label", ""), "node2", lang)
        if row["node2"] == NOTHING:
            tail_lang, tail_uri = head_lang, ""
        triple = Triple(
            head, relation, tail, head_lang, "" if tail_lang == head_lang else tail_lang, head_uri, tail_uri
        )
        weight = row.pop("weight", "")
        number = read_number(weight, "weight") if weight else None
        usual = usual_cells(triple, vocabulary)
        other = {name: value for name, value in row.items() if value != usual.get(name, "")}
        yield Assertion(triple, weight=number, details=as_details({"kgtk": other} if other else {}))

    return parse_rows(lines, parse)


def _relation(uri: str) -> str:
    return relation_name(uri) if uri.startswith("/r/") else _LAST.findall(uri)[0]


def _node(name: str, label: str, column: str, lang: str) -> tuple[str, str, str]:
    if label:
        text, own = read_label(label)
        own = lang if own == "en" else own
    elif name == NOTHING:
        text, own = NOTHING, lang
    else:
        text, own = read_concept_uri(name)
    text = clean_part(text, column)
    is_usual = name == node_name(text, own, "") and text != NOTHING
    return text, own, "" if is_usual or name == NOTHING else name
