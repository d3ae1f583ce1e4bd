r"""Cypher 5 as text: its tokens, and whether they can only read.

The lexer takes Neo4j's own tokens apart as Neo4j does, and refuses what Neo4j reads in surprising ways: an escape such
as `\u0027` takes effect before strings and comments are told apart, so it may stand in a string only, and may not
mean a quote or a backslash there. What cannot be read for certain is refused; a name that is mistaken for a
keyword can be written in backticks.

The rules look at every token, however deep it is nested, because a plan does not list subqueries within expressions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from kg.errors import UnsafeQuery

ALLOWED_PROCEDURES = frozenset({
    "db.labels", "db.relationshiptypes", "db.propertykeys", "db.schema.visualization",
    "db.schema.nodetypeproperties", "db.schema.reltypeproperties",
    "db.index.fulltext.querynodes", "db.index.fulltext.queryrelationships",
    "db.index.vector.querynodes", "db.index.vector.queryrelationships",
})  # fmt: skip

TokenType = Literal["word", "name", "string", "number", "symbol"]

_TOKEN = re.compile(
    r"""
      (?P<space>[\t-\r\x1c-\x20\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]++)
    | (?P<comment>//[^\r\n]*+ | /\*(?:[^*]|\*(?!/))*+\*/)
    | (?P<string>'(?:[^'\\]|\\.)*+' | "(?:[^"\\]|\\.)*+")
    | (?P<name>`(?:[^`]|``)*+`)
    | (?P<number>(?:
          0[xX][0-9a-fA-F_]++ | 0o[0-7_]++
        | (?:[0-9](?:_?[0-9])*+(?:\.[0-9](?:_?[0-9])*+)? | \.[0-9](?:_?[0-9])*+)(?:[eE][+-]?[0-9](?:_?[0-9])*+)?
      )(?![\w$]))
    | (?P<word>[^\W\d][\w$]*+)
    | (?P<symbol>\.\. | :: | \.(?![0-9]) | /(?!\*) | [,:;|&!%$(){}\[\]<>=+\-*^?~]
        | [\u2010-\u2015\u27e8\u27e9\u3008\u3009\ufe58\ufe63-\ufe65\uff0d\uff1c\uff1e])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<bare>.))", re.DOTALL)
_CLOSING = {")": "(", "]": "[", "}": "{"}

_BEGINNINGS = frozenset({"MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN", "CALL"})
_REFUSED = {
    "LOAD": "LOAD CSV opens files and addresses",
    "TRANSACTIONS": "CALL … IN TRANSACTIONS commits",
    "USE": "USE goes to another graph",
} | dict.fromkeys(
    ("CREATE", "MERGE", "SET", "DELETE", "DETACH", "NODETACH", "REMOVE", "FOREACH", "INSERT", "DROP", "ALTER", "GRANT",
     "DENY", "REVOKE"),
)  # fmt: skip
_NAMESPACES = frozenset({
    "date", "datetime", "duration", "localdatetime", "localtime", "time", "point", "vector.similarity",
})  # fmt: skip
# Words that may stand beside a name, a value or a closing bracket. Any other two make a clause that is not known here.
_KEYWORDS = frozenset(
    re.findall(r"\w+", """
    ALL AND ANY AS ASC ASCENDING BINDINGS BOTH BTREE BY CALL CASE COLLECT CONTAINS COUNT DESC DESCENDING DIFFERENT
    DISTINCT ELEMENT ELEMENTS ELSE END ENDS EXISTS FINISH FROM GROUP GROUPS IN INDEX IS JOIN LEADING LIMIT LOCAL MATCH
    NORMALIZED NOT NULL OFFSET ON OPTIONAL OR ORDER PATH PATHS POINT PROPERTY RANGE REPEATABLE RETURN SCAN SEEK SHORTEST
    SIGNED SKIP STARTS TEXT THEN TIMEZONE TRAILING TYPED UNION UNWIND USING VALUE WHEN WHERE WITH WITHOUT XOR YIELD ZONE
    ZONED
    """)
)  # fmt: skip
_CLAUSES = frozenset({"CALL", "FINISH", "MATCH", "OPTIONAL", "ORDER", "RETURN", "UNION", "UNWIND", "WITH", "YIELD"})
_BEFORE_WITH = frozenset({"STARTS", "ENDS", "TIME", "TIMESTAMP"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement that is neither space nor comment.

    Attributes:
        type: a bare word, a name in backticks, a string, a number or a symbol.
        text: the piece as written; of a name in backticks, the name itself.
        keyword: the word in upper case if it may be a keyword where it stands, else "".
    """

    type: TokenType
    text: str
    keyword: str = ""

    def is_symbol(self, symbol: str) -> bool:
        """Tell whether the token is this symbol."""
        return self.type == "symbol" and self.text == symbol

    def is_name(self) -> bool:
        """Tell whether the token can be a part of a name."""
        return self.type in ("word", "name")


_NOTHING = Token("symbol", "")


def tokens(text: str) -> list[Token]:
    """Return the tokens of a statement.

    A word right after a point, a colon or a dollar sign, or right before a colon, is a name and never a keyword.

    >>> [token.text for token in tokens("match (n:Set) /* all */ return n.`a``b`, 'x'")]
    ['match', '(', 'n', ':', 'Set', ')', 'return', 'n', '.', 'a`b', ',', "'x'"]
    >>> [token.keyword for token in tokens("match (:Set) return $set") if token.keyword]
    ['MATCH', 'RETURN']

    Raises:
        UnsafeQuery: the text cannot be taken apart for certain.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnsafeQuery(f"half of a surrogate pair, {_short(text[error.start])}, is no text") from error
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match or not match.lastgroup:
            _refuse_text(text, place)
        kind, piece = match.lastgroup, match[0]
        place = match.end()
        if kind == "string":
            _check_escapes(piece)
        elif kind in ("comment", "name") and "\\u" in piece:
            raise UnsafeQuery(f"\\u in {_short(piece)} takes effect before Neo4j reads; write the character itself")
        if kind == "name":
            piece = piece[1:-1].replace("``", "`")
        if kind not in ("space", "comment"):
            found.append(Token(kind, piece))  # type: ignore[arg-type]
    return [
        Token(token.type, token.text, token.text.upper()) if _may_be_keyword(token, before, after) else token
        for before, token, after in zip([_NOTHING, *found], found, [*found[1:], _NOTHING], strict=False)
    ]


def check_reading(text: str) -> None:
    """Check that a statement can do nothing but read the graph, by its words alone.

    Raises:
        UnsafeQuery: the statement may write, administer, open files or addresses, or is not understood; the message
            says why.
    """
    pieces = tokens(text)
    if not pieces:
        raise UnsafeQuery("the statement is empty")
    for place, token in enumerate(pieces):
        before = pieces[place - 1] if place else Token("symbol", ";")
        if token.keyword in _REFUSED:
            does = _REFUSED[token.keyword] or f"{token.keyword} does not only read"
            _refuse(f"{does} (a name {token.text} goes into backticks)")
        elif before.is_symbol(";"):
            _check_beginning(token)
        elif _stand_together(before, token):
            _refuse(f"{_short(before.text)} {_short(token.text)} is not understood (a name goes into backticks)")
        if token.keyword == "CALL":
            _check_call(pieces, place + 1)
        if token.is_symbol("("):
            _check_function(pieces, place - 1)


def check_condition(text: str) -> None:
    """Check that a condition stays within the brackets that it is put into.

    Raises:
        UnsafeQuery: its brackets do not match, or it goes on with another clause.
    """
    pieces = tokens(text)
    if not pieces:
        raise UnsafeQuery("the condition is empty")
    opened: list[str] = []
    for place, token in enumerate(pieces):
        if token.type == "symbol":
            if token.text in _CLOSING.values():
                opened.append(token.text)
            elif token.text in _CLOSING and (not opened or opened.pop() != _CLOSING[token.text]):
                raise UnsafeQuery(f"only reading conditions run here: its {token.text} closes what it did not open")
            elif token.text == ";":
                raise UnsafeQuery("only reading conditions run here: this one ends with ; and goes on")
        elif token.keyword in _CLAUSES and "{" not in opened:
            if token.keyword == "WITH" and place and pieces[place - 1].keyword in _BEFORE_WITH:
                continue
            raise UnsafeQuery(
                f"only reading conditions run here: {token.keyword} begins a clause (a name goes into backticks)"
            )
    if opened:
        raise UnsafeQuery(f"only reading conditions run here: a {opened[-1]} of this one is never closed")


def _may_be_keyword(token: Token, before: Token, after: Token) -> bool:
    is_name = before.type == "symbol" and before.text in (".", ":", "$")
    return token.type == "word" and token.text.isascii() and not is_name and not after.is_symbol(":")


def _check_escapes(string: str) -> None:
    for escape in _ESCAPE.finditer(string):
        if escape["bare"] == "u":
            raise UnsafeQuery(f"\\u in {_short(string)} wants four hexadecimal digits, or a second backslash before it")
        if escape["code"] and chr(int(escape["code"], 16)) in "'\"`\\":
            raise UnsafeQuery(
                f"{escape[0]} in {_short(string)} means a quote or a backslash; write it as \\' \\\" or \\\\"
            )


def _check_beginning(token: Token) -> None:
    if token.keyword in ("EXPLAIN", "PROFILE", "CYPHER"):
        raise UnsafeQuery("leave out the prefix (EXPLAIN, PROFILE, CYPHER): the statement is planned and run as it is")
    if token.keyword not in _BEGINNINGS and not token.is_symbol(";"):
        _refuse(f"they begin with MATCH, OPTIONAL MATCH, WITH, UNWIND, CALL or RETURN, not with {_short(token.text)}")


def _stand_together(before: Token, token: Token) -> bool:
    """Tell whether two tokens without a known keyword follow each other as only a clause's name and a value do."""
    is_bare = token.type == "word" and token.keyword not in _KEYWORDS
    ends = before.type in ("name", "string", "number") or before.text in _CLOSING
    if before.type == "word":
        return before.keyword not in _KEYWORDS and (
            is_bare or token.type not in ("word", "symbol") or token.text == "$"
        )
    return ends and is_bare


def _check_call(pieces: Sequence[Token], place: int) -> None:
    """Check what is called by the tokens from a place on: a subquery, or a procedure of the list."""
    if place < len(pieces) and pieces[place].text in ("{", "("):
        return
    name = ".".join(_dotted(pieces, place, 1))
    if name.lower() not in ALLOWED_PROCEDURES:
        _refuse(f"procedure {_short(name)} is not on the list")


def _check_function(pieces: Sequence[Token], place: int) -> None:
    """Check the name that ends at a place, before a bracket. Only Neo4j's own functions have one without points."""
    parts = list(_dotted(pieces, place, -1))
    before = place - len(parts) * 2 + 1
    if before >= 0 and pieces[before].keyword == "CALL":
        return
    name = ".".join(reversed(parts))
    namespace, point, _ = name.rpartition(".")
    if point and namespace.lower() not in _NAMESPACES:
        _refuse(f"function {_short(name)} is not on the list")


def _dotted(pieces: Sequence[Token], place: int, step: Literal[1, -1]) -> Iterator[str]:
    """Yield the parts of the dotted name that begins, or ends, at a place."""
    while 0 <= place < len(pieces) and pieces[place].is_name():
        yield pieces[place].text
        if not (0 <= place + step < len(pieces) and pieces[place + step].is_symbol(".")):
            return
        place += 2 * step


def _refuse(why: str) -> NoReturn:
    raise UnsafeQuery(f"only reading statements run here: {why}")


def _refuse_text(text: str, place: int) -> NoReturn:
    rest = text[place:]
    if rest[0] in "'\"`" or rest.startswith("/*"):
        raise UnsafeQuery(f"what begins with {_short(rest)} has no end")
    raise UnsafeQuery(f"{_short(rest)} is not understood; odd characters of a name go into backticks")


def _short(text: str) -> str:
    return ascii(text[:40]) if not text.isprintable() else text[:40]
