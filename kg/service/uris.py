"""ConceptNet's URIs as they come in a request: undone from the address, read, and made of free text.

A text's `_` and `/` are percent-encoded in its URI (`kg.exchange.conceptnet`), and stay so where the rest of an address
is decoded: a client may send a URI as it stands in an answer, or encoded once more.
"""

import re
from urllib.parse import unquote

from kg.errors import InputError
from kg.exchange.conceptnet import plain_uri
from kg.exchange.normal_form import standard_text

_OWN = "%(?:5F|2F|09|0[A-D]|1[C-E]|C2%85|E2%80%A[89])"  # what `plain_uri` encodes in a text
_TWICE = re.compile(r"%25(?=(?:5F|2F|09|0[A-D]|1[C-E]|C2(?:%25|%)85|E2(?:%25|%)80(?:%25|%)A[89]))", re.IGNORECASE)
_SLASH = re.compile("%2F", re.IGNORECASE)
_KEPT = re.compile(f"({_OWN})")
_ASSERTION = re.compile(r"/a/\[(/r/[^,]+?)/?,(/.+?)/?,(/.+?)/?\]")


def uri_of(raw: str) -> str:
    """Return a URI from its part of an address, which is still percent-encoded.

    >>> uri_of("/c/en/PersonX_eats_%5F%5F%5F"), uri_of("/c/en/PersonX_eats_%255F"), uri_of("/c/fr/th%C3%A9")
    ('/c/en/PersonX_eats_%5F%5F%5F', '/c/en/PersonX_eats_%5F', '/c/fr/thé')
    """
    parts = _KEPT.split(_TWICE.sub("%", raw))
    text = "".join(part if place % 2 else unquote(part) for place, part in enumerate(parts))
    return text.rstrip("/") or "/"


def parameters_of(query: bytes) -> dict[str, str]:
    """Return the parameters of an address by name, the last of each name, as `uri_of` reads them.

    Here `%2F` is a slash, as most clients encode that of a URI.

    >>> parameters_of(b"node=%2Fc%2Fen%2Fx_%5F&end=/c/en/1%252F2&text=ground+beef")
    {'node': '/c/en/x_%5F', 'end': '/c/en/1%2F2', 'text': 'ground beef'}
    """
    pairs = (part.partition("=") for part in query.decode("latin-1").split("&") if part)
    return {unquote(name): uri_of(_SLASH.sub("/", value).replace("+", " ")) for name, _, value in pairs}


def read_assertion(uri: str) -> tuple[str, str, str]:
    """Return relation, start and end of the URI of an assertion.

    Raises:
        InputError: the text is no such URI.

    >>> read_assertion("/a/[/r/IsA/,/c/en/cat/n/,/c/en/pet/]")
    ('/r/IsA', '/c/en/cat/n', '/c/en/pet')
    """
    found = _ASSERTION.fullmatch(uri)
    if not found:
        raise InputError(f"{uri[:200]} is not the URI of an assertion, like /a/[/r/IsA/,/c/en/cat/,/c/en/animal/]")
    return found[1], found[2], found[3]


def is_below(uri: str, prefix: str) -> bool:
    """Tell whether a URI is another one or stands below that.

    >>> is_below("/c/en/cat/n", "/c/en/cat"), is_below("/c/en/cats", "/c/en/cat")
    (True, False)
    """
    return uri == prefix or uri.startswith(f"{prefix.rstrip('/')}/")


def standard_uri(text: str, lang: str) -> str:
    """Return the URI of a text in normal form; of a text without words, that of the text itself.

    >>> standard_uri("this is a test", "en")
    '/c/en/this_is_test'
    """
    return plain_uri(standard_text(text, lang) or text.strip(), lang)
