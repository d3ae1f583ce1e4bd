"""ConceptNet's assertions: five columns parted by tabs, the last of them JSON; `.gz` is packed.

    /a/[/r/IsA/,/c/en/cat/,/c/en/animal/]   /r/IsA   /c/en/cat   /c/en/animal   {"dataset": ..., "weight": 1.0}

A phrase without a URI gets the one that its text would have in ConceptNet, with `_`, `/` and line breaks in it
percent-encoded, and decoded when they come back. Weights that are not known become 1.0, sources that are no JSON
objects become contributors. Splits, runs and all that a critic said are left out. There is no place for "no effect".
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

import orjson

from kg import strict_json
from kg.errors import InputError
from kg.exchange.target import export_file, open_text
from kg.identity import concept_uri
from kg.model import Edge

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


def assertion_uri(relation: str, start: str, end: str) -> str:
    """Return the URI of an assertion.

    >>> assertion_uri("/r/IsA", "/c/en/cat", "/c/en/animal")
    '/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]'
    """
    parts = (part if part.startswith("/") else f"/{part}" for part in (relation, start, end))
    return f"/a/[{','.join(f'{part}/' for part in parts)}]"


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
    relation = _URIS.get(triple.relation) or f"/r/{triple.relation}"
    start = triple.head_uri or plain_uri(triple.head, triple.lang)
    end = triple.tail_uri or plain_uri(triple.tail, triple.tail_lang or triple.lang)
    details = edge.detail_map
    uri = details.pop("uri", None) or assertion_uri(relation, start, end)
    details["sources"] = [_source(source) for source in edge.sources]
    details["weight"] = 1.0 if edge.weight is None else edge.weight
    return uri, relation, start, end, strict_json.write(details, sort_keys=True)


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
