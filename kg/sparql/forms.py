"""The forms that an answer can have, and which of them an `Accept` header asks for."""

from collections.abc import Sequence
from typing import NamedTuple


class Form(NamedTuple):
    """A form of an answer.

    Attributes:
        media: its media type.
        also: other media types that ask for it.
        of_triples: whether it holds triples (CONSTRUCT, DESCRIBE), rather than rows (SELECT) or a truth (ASK).
    """

    media: str
    also: tuple[str, ...] = ()
    of_triples: bool = False


FORMS = {
    "json": Form("application/sparql-results+json", ("application/json",)),
    "xml": Form("application/sparql-results+xml", ("application/xml", "text/xml")),
    "csv": Form("text/csv; charset=utf-8"),
    "tsv": Form("text/tab-separated-values; charset=utf-8"),
    "ttl": Form("text/turtle; charset=utf-8", ("application/x-turtle",), of_triples=True),
    "nt": Form("application/n-triples", ("text/plain",), of_triples=True),
    "jsonld": Form("application/ld+json", ("application/json",), of_triples=True),
    "rdfxml": Form("application/rdf+xml", ("application/xml", "text/xml"), of_triples=True),
}
"""Name to form; where a client takes all, the first of its kind."""

TABLE, PAGE = "table", "text/html"
"""The form that a person reads, which is JSON of `columns`, `rows` and `cut`; the media type of a page with one."""


def accepted(header: str) -> list[str]:
    """Return names of forms, and `PAGE`, that a header `Accept` asks for, the most wanted first; all, if it is empty.

    >>> accepted("text/csv;q=0.5, application/sparql-results+json")
    ['json', 'csv']
    >>> accepted("text/html,*/*;q=0.1")[:2], accepted("image/png"), accepted("*/*;q=0.2, text/csv;q=0")[:2]
    (['text/html', 'json'], [], ['json', 'xml'])
    """
    wishes: dict[str, float] = {}
    for part in header.lower().split(","):
        media, *settings = (piece.strip() for piece in part.split(";"))
        given = next((value for name, _, value in (one.partition("=") for one in settings) if name == "q"), "1")
        try:
            weight = float(given)
        except ValueError:
            weight = 0.0
        if media:
            wishes[media] = weight
    if not wishes:
        wishes = {"*/*": 1.0}
    names = {name: (form.media.partition(";")[0], *form.also) for name, form in FORMS.items()} | {PAGE: (PAGE,)}
    weights = {name: _weight(types, wishes) for name, types in names.items()}
    return sorted((name for name in names if weights[name] > 0), key=lambda name: -weights[name])


def _weight(types: Sequence[str], wishes: dict[str, float]) -> float:
    """Return how much a form of some media types is wanted: what is named counts before a type, a type before all."""
    for kinds in (types, [f"{media.partition('/')[0]}/*" for media in types], ["*/*"]):
        if found := [wishes[kind] for kind in kinds if kind in wishes]:
            return max(found)
    return 0.0
