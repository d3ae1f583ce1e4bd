r"""KGTK's edge file, as CSKG is published (Ilievski et al. 2021): a TSV with a header, a line an edge.

    id  node1  relation  node2  node1;label  node2;label  relation;label  relation;dimension  source  sentence  weight

A node is its URI, or the key of its phrase; a label is the plain text, `'text'@lang` in another language than English,
or `"text"` with KGTK's escapes where it has a tab, a line break, a quotation mark, `\` or `|`. A cell of one of
these columns comes out as it was read; the cells of other columns stay in `details`. Splits, runs and scores are left
out.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kg.errors import InputError
from kg.exchange.conceptnet import relation_name
from kg.exchange.rows import Rows, as_details, cells_of, clean_part, parse_rows, read_header, read_number, tab_cells
from kg.exchange.target import export_file, open_text
from kg.identity import concept_uri, phrase_id, read_concept_uri, triple_id
from kg.lines import Line, Rejected
from kg.model import NOTHING, Assertion, Edge, Triple
from kg.vocabulary import Vocabulary

COLUMNS = (
    "id", "node1", "relation", "node2", "node1;label", "node2;label", "relation;label", "relation;dimension", "source",
    "sentence", "weight",
)  # fmt: skip
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "|": "\\|", '"': '\\"', "'": "\\'"}
_LAST = re.compile(r"[^/:#]*$")
_UNESCAPES = {written: plain for plain, written in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\.")
_SPECIAL = re.compile("[\\\\\t\n\r|\v\f\x1c-\x1e\x85\u2028\u2029]|^['\"]|^\\s|\\s$")
_BREAK = re.compile("[\t\n\r]")
_QUOTED = re.compile(r"'(.*)'@([A-Za-z0-9_-]+)|\"(.*)\"", re.DOTALL)


def read_kgtk(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of an edge file: node1, relation (or label), node2, and any other column.

    Cells beyond the triple are kept in `details` under `kgtk`; of several rows of one triple, those of the
    first row.

    Raises:
        InputError: the first line does not name the columns, each once.
    """
    header, rest = read_header(lines, tab_cells, ("node1", "relation", "node2"), {"label": "relation"})

    def parse(line: Line) -> Iterator[Assertion]:
        row = cells_of(line, header, tab_cells)
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

    return parse_rows(rest, parse)


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


def write_kgtk(edges: Iterable[Edge], path: Path, *, relations: Vocabulary) -> int:
    """Write edges as a KGTK edge file.

    Args:
        edges: what to write, in this order.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        relations: whose phrases become `relation;label`.

    Returns:
        The number of edges written.

    Raises:
        InputError: a URI has a tab or a line break, or is the name of "no effect"; or the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        file.write("\t".join(COLUMNS) + "\n")
        for edge in edges:
            row = edge.detail_map.get("kgtk") or {}
            cells = usual_cells(edge.triple, relations) | {"weight": "" if edge.weight is None else repr(edge.weight)}
            file.write("\t".join(str(row.get(name, cells.get(name, ""))) for name in COLUMNS) + "\n")
            count += 1
    return count


def usual_cells(triple: Triple, relations: Vocabulary) -> dict[str, str]:
    """Return the cells of an edge that was not read from such a file."""
    tail_lang = triple.tail_lang or triple.lang
    nothing = triple.says_nothing
    return {
        "id": triple_id(triple),
        "node1": node_name(triple.head, triple.lang, triple.head_uri),
        "relation": f"/r/{triple.relation}",
        "node2": NOTHING if nothing else node_name(triple.tail, tail_lang, triple.tail_uri),
        "node1;label": label_of(triple.head, triple.lang),
        "node2;label": label_of(triple.tail, "en" if nothing else tail_lang),
        "relation;label": relations[triple.relation].phrase,
    }


def node_name(text: str, lang: str, uri: str) -> str:
    """Return the name of a node: its URI, the URI of its text where that is plain, or the key of its phrase."""
    if uri:
        if _BREAK.search(uri) or uri == NOTHING:
            raise InputError(f"a node cannot be called {uri[:80]!r} in KGTK; export jsonl or parquet")
        return uri
    plain = concept_uri(text, lang)
    return plain if re.fullmatch(r"[^\s_/|\\'\"]+( [^\s_/|\\'\"]+)*", text) else phrase_id(text, lang)


def label_of(text: str, lang: str) -> str:
    r"""Return a label as the file has it.

    >>> label_of("to rest", "en"), label_of("傘", "ja"), label_of("a|b", "en")
    ('to rest', "'傘'@ja", '"a\\|b"')
    """
    if lang == "en" and not _SPECIAL.search(text):
        return text
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return f'"{escaped}"' if lang == "en" else f"'{escaped}'@{lang}"


def read_label(label: str) -> tuple[str, str]:
    r"""Return text and language of a label; of several (`a|b`) the first one.

    >>> read_label("'傘'@ja"), read_label('"a\\|b"'), read_label("a|b")
    (('傘', 'ja'), ('a|b', 'en'), ('a', 'en'))
    """
    if match := _QUOTED.fullmatch(label):
        text = match[1] if match[2] else match[3]
        plain = _ESCAPED.sub(lambda found: _UNESCAPES.get(found[0], found[0][1:]), text)
        return plain, match[2] or "en"
    return label.partition("|")[0], "en"
