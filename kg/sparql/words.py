"""The words of a SPARQL query, before it runs: whatever could ask another machine, or more than read, is refused.

Oxigraph takes a query apart without tokens: `SERVICE:x`, `SERVICESILENT<…>` and `1SERVICE` name a service there, too,
and whether `<b#>` is an address, or less-than and a comment, depends on what stands before. So each way to read a text
is followed, and a word is looked at wherever one of them finds it outside strings, comments and addresses. The process
that runs the query (`kg.sparql.child`) has no sockets: that is the wall behind this one.
"""

import re

from kg.errors import UnsafeQuery

MOST_LETTERS = 20_000
"""Of a query."""

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_ADDRESS = re.compile(r'<(?:[^\x00-\x20<>"{}|^`\\]|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})*>')
_PIECE = re.compile(
    r"""
    (?P<skipped> \s+ | \#[^\r\n]* )
  | (?P<string> '''(?:'{0,2}(?:[^'\\]|\\.))*''' | \"\"\"(?:"{0,2}(?:[^"\\]|\\.))*\"\"\"
              | '(?:[^'\\\r\n]|\\.)*' | "(?:[^"\\\r\n]|\\.)*" )
  | (?P<name> [?$:]\w+ )         # of a variable, or after a prefix
  | (?P<word> [^\W\d]\w* )
  | (?P<symbol> \\. | /(?!/) | [^'"\\/] )   # two slashes stand in addresses only
    """,
    re.VERBOSE | re.DOTALL,
)
_ASCII = 0x80

_SERVICE = "SERVICE asks another machine"
_REFUSED = {
    "FROM": "FROM names another data set, and there is only this graph",
    **dict.fromkeys(("LOAD", "INSERT", "DELETE", "CLEAR", "DROP", "CREATE", "COPY", "MOVE", "ADD", "WITH"), ""),
}
"""Beginning of a word to what the word does."""


def check_reading(text: str) -> None:
    """Check that a query can do nothing but read this graph, by its words alone.

    Raises:
        UnsafeQuery: the query may ask another machine, names other data, changes something, is too long, or is
            written so that its words cannot be told for certain.

    >>> check_reading('SELECT ?service { ?service rdfs:label "room service" } # no SERVICE')
    >>> check_reading("ASK { SERVICE:x { } }")
    Traceback (most recent call last):
    kg.errors.UnsafeQuery: only reading queries of this graph run here: SERVICE asks another machine
    """
    if not text.strip():
        raise UnsafeQuery("the query is empty")
    if len(text) > MOST_LETTERS:
        raise UnsafeQuery(f"the query has {len(text):,} characters; {MOST_LETTERS:,} are the most")
    _check_characters(text)
    seen: set[int] = set()
    places = [0]
    while places:
        place = places.pop()
        if place in seen or place == len(text):
            continue
        seen.add(place)
        if address := _ADDRESS.match(text, place):
            places.append(address.end())
        if piece := _PIECE.match(text, place):
            if piece.lastgroup == "word":
                _check_word(piece[0])
            places.append(piece.end())


def _check_characters(text: str) -> None:
    """Check that no escape means a letter or a sign that a query is made of, whoever decodes it and when."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnsafeQuery(f"half of a surrogate pair, {text[error.start]!a}, is no text") from error
    for escape in _ESCAPE.finditer(text):
        if int(escape[1] or escape[2], 16) < _ASCII:
            raise UnsafeQuery(f"{escape[0]} is refused: write the character itself")


def _check_word(word: str) -> None:
    upper = word.casefold().upper()  # letters such as the long s are taken for what they resemble
    does = _SERVICE if "SERVICE" in upper else None
    for beginning, why in _REFUSED.items():
        if upper == beginning or (beginning == "FROM" and upper.startswith(beginning)):
            does = why or f"{beginning} changes something"
    if does:
        raise UnsafeQuery(f"only reading queries of this graph run here: {does}")
