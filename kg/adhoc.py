"""Ad-hoc Cypher of a user: only what reads, for a limited time.

Neo4j Community has no roles, so a statement is planned first (`EXPLAIN`) and refused unless its plan only reads:
`EXPLAIN` calls `LOAD CSV` and harmless procedures reading, too, so operators and procedures are checked by name.
It then runs in read access mode, where the server itself refuses writes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kg.errors import UnsafeQuery
from kg.store import Store

_REFUSED_OPERATORS = {
    "LoadCSV": "LOAD CSV opens files and addresses",
    "TerminateTransactions": "TERMINATE TRANSACTIONS is an administrator's",
}
_ALLOWED_PROCEDURES = frozenset({
    "db.labels", "db.relationshiptypes", "db.propertykeys", "db.schema.visualization",
    "db.schema.nodetypeproperties", "db.schema.reltypeproperties",
    "db.index.fulltext.querynodes", "db.index.fulltext.queryrelationships",
    "db.index.vector.querynodes", "db.index.vector.queryrelationships",
})  # fmt: skip
_PROCEDURE = re.compile(r"([\w.`]+)\(")
_PREFIX = re.compile(r"\s*(?:EXPLAIN|PROFILE|CYPHER)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of an ad-hoc statement.

    Attributes:
        columns: names, in the statement's order.
        rows: values of each row, in the order of the columns.
        cut: whether there were more rows than the limit.
    """

    columns: list[str]
    rows: list[list[Any]]
    cut: bool


def check(store: Store, text: str, parameters: Mapping[str, Any]) -> None:
    """Check that a statement does nothing but read.

    Raises:
        UnsafeQuery: it writes, changes the schema or settings, loads files, or calls an unknown procedure.
        QueryError: it is not valid Cypher.
    """
    if not text.strip():
        raise UnsafeQuery("the statement is empty")
    if _PREFIX.match(text):
        raise UnsafeQuery("leave out the prefix (EXPLAIN, PROFILE, CYPHER): the statement is planned and run as it is")
    kind, operators = store.explain(text, parameters)
    for step in operators:
        name, details = step["operator"], step["details"]
        if name in _REFUSED_OPERATORS:
            raise UnsafeQuery(f"only reading statements run here: {_REFUSED_OPERATORS[name]}")
        if name.startswith("ProcedureCall"):
            called = _PROCEDURE.search(details)
            procedure = called[1].replace("`", "") if called else details
            if procedure.lower() not in _ALLOWED_PROCEDURES:
                raise UnsafeQuery(f"only reading statements run here: procedure {procedure} is not on the list")
    if kind != "r":
        does = {"s": "changes the schema or administers the server"}.get(kind, "writes")
        raise UnsafeQuery(f"only reading statements run here: this one {does}")


def run(store: Store, text: str, parameters: Mapping[str, Any], *, limit_rows: int, timeout_seconds: float) -> Answer:
    """Return the first rows of a reading statement.

    Args:
        store: the database.
        text: one Cypher statement.
        parameters: values of its `$names`.
        limit_rows: most rows returned.
        timeout_seconds: after which the server ends it.

    Raises:
        UnsafeQuery: it does more than read.
        QueryError: it is not valid, a parameter is missing, or it took too long.
    """
    check(store, text, parameters)
    with store.stream(text, parameters, timeout_seconds) as (columns, stream):
        rows = list(islice(stream, limit_rows + 1))
    return Answer(columns, rows[:limit_rows], cut=len(rows) > limit_rows)
