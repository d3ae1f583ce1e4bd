"""LAMA's probes (Petroni et al. 2019): facts with sentences that mask their object, one JSON object a line.

| part | relation | subject | object |
|---|---|---|---|
| T-REx | `predicate_id`, such as P19 | sub_label, sub_uri | obj_label, obj_uri |
| Google-RE | `pred`, such as /people/person/place_of_birth | sub_label, sub | obj_label, obj |
| ConceptNet | `pred`, such as AtLocation | sub | obj_label |
| SQuAD | none | sub_label | obj_label |

The whole row is the source of its triple, so that the row comes out as it went in; other edges have no sentence to
mask.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.exchange.rows import Rows, as_json, clean_part, json_object, make_triple, parse_rows, text_of
from kg.exchange.target import export_file, open_text
from kg.identity import own_uri
from kg.lines import Line, Rejected
from kg.model import Assertion, Edge, Triple
from kg.vocabulary import Vocabulary

NO_RELATION = "SQuAD"
"""Relation of the rows that name none, which are SQuAD's."""

_FREEBASE = re.compile(r"/[mg]/\w+")


def read_lama(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the facts of any part of LAMA; the relation must be in the vocabulary."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        head = text_of(row, "sub_label" if "sub_label" in row else "sub")
        plain = make_triple(head, _relation(row), text_of(row, "obj_label"), vocabulary, lang)
        triple = Triple(
            plain.head, plain.relation, plain.tail, lang, "", own_uri(plain.head, lang, _uri(row, "sub")),
            own_uri(plain.tail, lang, _uri(row, "obj")) or (f"/c/{lang}/none" if plain.says_nothing else ""),
        )  # fmt: skip
        yield Assertion(triple, sources=(as_json(row),))

    return parse_rows(lines, parse)


def _relation(row: dict[str, Any]) -> str:
    named = [name for name in ("predicate_id", "pred") if row.get(name) is not None]
    return text_of(row, named[0]).rpartition("/")[2] if named else NO_RELATION


def _uri(row: dict[str, Any], end: str) -> str:
    """Return the URI that tells an end from others of its name: Wikidata's identifier, or Freebase's."""
    if uri := row.get(f"{end}_uri"):
        return clean_part(str(uri), f"{end}_uri")
    key = row.get(end)
    return key if isinstance(key, str) and _FREEBASE.fullmatch(key) else ""


def write_lama(edges: Iterable[Edge], path: Path) -> int:
    """Write the probes of edges that were read from LAMA.

    Args:
        edges: what to write, in this order.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.

    Returns:
        The number of edges written, each with one row or more.

    Raises:
        InputError: an edge was not read from LAMA, or the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        for edge in edges:
            rows = [source for source in edge.sources if _is_probe(source)]
            if not rows:
                triple = edge.triple
                raise InputError(
                    f"({triple.head[:80]!r}, {triple.relation}, {triple.tail[:80]!r}) has no sentence of LAMA's; leave "
                    "such edges out with --where"
                )
            file.writelines(f"{row}\n" for row in rows)
            count += 1
    return count


def _is_probe(source: str) -> bool:
    try:
        return "obj_label" in json.loads(source)
    except (TypeError, ValueError):
        return False
