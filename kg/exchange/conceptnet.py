"""ConceptNet's assertions: five columns parted by tabs, the last of them JSON; `.gz` is packed.

    /a/[/r/IsA/,/c/en/cat/,/c/en/animal/]   /r/IsA   /c/en/cat   /c/en/animal   {"dataset": ..., "weight": 1.0}

A phrase without a URI gets the one that its text would have in ConceptNet, with `_`, `/` and line breaks in it
percent-encoded, and decoded when they come back. Where a URI does not say text, language and itself (`Q42` does not),
the JSON does, in `skd_start` or `skd_end`. Weights that are not known become 1.0, sources that are no JSON objects
become contributors. Splits, runs and all that a critic said are left out. There is no place for "no effect".
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

import orjson

from kg import strict_json
from kg.errors import InputError
from kg.exchange.rows import (
    Rows,
    as_details,
    as_json,
    clean_part,
    json_object,
    parse_rows,
    read_number,
    tab_cells,
    text_of,
)
from kg.exchange.target import export_file, open_text
from kg.exchange.tsv import BREAK
from kg.identity import concept_uri, own_uri, read_concept_uri
from kg.lines import Line, Rejected
from kg.model import NOTHING, Assertion, Edge, Triple
from kg.vocabulary import Vocabulary

_DBPEDIA = ("capital", "field", "genre", "genus", "influencedBy", "knownFor", "language", "leader", "occupation",
            "product")  # fmt: skip
_ODD = re.compile("[_/\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile("%(?:5F|2F|09|0[A-D]|1[C-E]|C2%85|E2%80%A[89])")
_NAMES = {f"/r/dbpedia/{name}": f"dbpedia_{name}" for name in _DBPEDIA}
_URIS = {name: uri for uri, name in _NAMES.items()}


def relation_name(uri: str) -> str:
    """Return the name of a relation.

    >>> relation_name("/r/IsA"), relation_name("/r/dbpedia/genre")
    ('IsA', 'dbpedia_genre')
    """
    return _NAMES.get(uri) or uri.removeprefix("/r/")


def relation_uri(name: str) -> str:
    """Return the URI of a relation.

    >>> relation_uri("IsA"), relation_uri("dbpedia_genre")
    ('/r/IsA', '/r/dbpedia/genre')
    """
    return _URIS.get(name) or f"/r/{name}"


def assertion_uri(relation: str, start: str, end: str) -> str:
    """Return the URI of an assertion.

    >>> assertion_uri("/r/IsA", "/c/en/cat", "/c/en/animal")
    '/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]'
    """
    parts = (part if part.startswith("/") else f"/{part}" for part in (relation, start, end))
    return f"/a/[{','.join(f'{part}/' for part in parts)}]"


def read_conceptnet(lines: Iterable[Line | Rejected], vocabulary: Vocabulary) -> Rows:
    """Yield the rows of assertions, 5.5 to 5.8: URI, relation, start, end, JSON.

    Texts and languages are those of the URIs. `sources` are kept as JSON, all else that the JSON says as `details`.
    """

    def parse(line: Line) -> Iterator[Assertion]:
        cells = tab_cells(line.text)
        if len(cells) != 5:  # noqa: PLR2004
            raise InputError(f"{len(cells)} columns where 5 are expected: URI, relation, start, end, JSON")
        uri, relation, start, end, text = cells
        details = json_object(text)
        weight, sources = details.pop("weight", None), details.pop("sources", [])
        if isinstance(weight, str):
            raise InputError(f"weight {weight[:40]!r} is not a number")
        if not isinstance(sources, list):
            raise InputError("sources is not a list")
        if uri != assertion_uri(relation, start, end):
            details["uri"] = uri
        head, head_lang, head_uri = _read_end(details.pop("skd_start", None), start, "start")
        tail, tail_lang, tail_uri = _read_end(details.pop("skd_end", None), end, "end")
        yield Assertion(
            Triple(
                head, vocabulary[relation_name(relation)].name, tail, head_lang,
                "" if tail_lang == head_lang else tail_lang, head_uri, tail_uri,
            ),
            weight=None if weight is None else read_number(weight, "weight"),
            sources=tuple(map(as_json, sources)),
            details=as_details(details),
        )  # fmt: skip

    return parse_rows(lines, parse)


def _read_end(own: object, uri: str, name: str) -> tuple[str, str, str]:
    if own is None:
        return concept_parts(uri, name)
    if not isinstance(own, dict):
        raise InputError(f"skd_{name} is not an object")
    text, lang, other = (clean_part(text_of(own, part), name) for part in ("label", "language", "uri"))
    return text, lang, other


def concept_parts(uri: str, name: str) -> tuple[str, str, str]:
    """Return text and language of a URI, and the URI itself where they do not say it all.

    Raises:
        InputError: the URI is neither a concept nor an address.
    """
    if not uri.startswith(("/c/", "/x/")) and "://" not in uri:
        raise InputError(f"{name} {uri[:80]!r} is not a URI like /c/en/test")
    text, lang = read_concept_uri(uri)
    plain = clean_part(unescape(text), name)
    if uri in (concept_uri(text, lang), plain_uri(plain, lang)):
        return plain, clean_part(lang, name), uri if plain == NOTHING else ""
    return clean_part(text, name), clean_part(lang, name), clean_part(uri, name)


def write_conceptnet(edges: Iterable[Edge], path: Path) -> int:
    """Write edges as ConceptNet's assertions.

    Args:
        edges: what to write, in this order.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.

    Returns:
        The number of edges written.

    Raises:
        InputError: an edge says "no effect", or the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        for edge in edges:
            file.write("\t".join(_cells(edge)) + "\n")
            count += 1
    return count


def _cells(edge: Edge) -> tuple[str, ...]:
    triple = edge.triple
    if triple.says_nothing:
        raise InputError(
            f"ConceptNet has no place for {triple.relation} none, as of {triple.head[:80]!r}; "
            "leave these out with --where 'NOT tail:Nothing'"
        )
    relation = relation_uri(triple.relation)
    start, said_of_start = _end(triple.head, triple.lang, triple.head_uri)
    end, said_of_end = _end(triple.tail, triple.tail_lang or triple.lang, triple.tail_uri)
    details = edge.detail_map
    uri = details.get("uri")
    if isinstance(uri, str) and not BREAK.search(uri):
        del details["uri"]
    else:
        uri = assertion_uri(relation, start, end)
    for name, own in (("skd_start", said_of_start), ("skd_end", said_of_end)):
        if own:
            details[name] = own
    details["sources"] = [_source(source) for source in edge.sources]
    details["weight"] = 1.0 if edge.weight is None else edge.weight
    return uri, relation, start, end, strict_json.write(details, sort_keys=True)


@lru_cache(maxsize=65_536)
def _end(text: str, lang: str, uri: str) -> tuple[str, dict[str, str] | None]:
    """Return the URI of an end as its column has it, and what else has to be told of the end."""
    column = uri or plain_uri(text, lang)
    try:
        read, read_lang, read_uri = concept_parts(column, "")
        says_all = (read, read_lang) == (text, lang) and own_uri(text, lang, read_uri) == own_uri(text, lang, uri)
    except InputError:
        says_all = False
    if says_all and not BREAK.search(column):
        return column, None
    own = uri or concept_uri(NOTHING, lang) if text == NOTHING else uri
    return plain_uri(text, quote(lang, safe="")), {
        "label": text,
        "language": lang,
        "uri": own or concept_uri(text, lang),
    }


def plain_uri(text: str, lang: str) -> str:
    r"""Return the URI of a phrase that has none of its own.

    >>> plain_uri("PersonX eats ___", "en")
    '/c/en/PersonX_eats_%5F%5F%5F'
    """
    return concept_uri(_ODD.sub(lambda match: quote(match[0], safe="").replace("_", "%5F"), text), lang)


def unescape(text: str) -> str:
    r"""Return a text as it was before `plain_uri`.

    >>> unescape("PersonX eats %5F%5F%5F")
    'PersonX eats ___'
    """
    return _ESCAPED.sub(lambda match: unquote(match[0]), text)


def _source(text: str) -> object:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"contributor": text}
    return found if isinstance(found, dict) else {"contributor": text}
