"""Ad-hoc Cypher of a user: reading statements only, for a limited time.

Neo4j Community has no roles, so a statement is refused unless its words (`kg.store.cypher_text`) and then its plan
(`EXPLAIN`) say that it only reads: the words also show what is nested in expressions, of which a plan says nothing.
It then runs in read access mode, where the server itself refuses writes. The private server's configuration
(`kg.server.home`) is the wall behind this one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg.errors import QueryError, UnsafeQuery
from kg.store.bolt import Store
from kg.store.cypher_text import ALLOWED_PROCEDURES, check_reading, tokens

PLAN_SECONDS = 60.0

_REFUSED_OPERATORS = {
    "LoadCSV": "LOAD CSV opens files and addresses",
    "TerminateTransactions": "TERMINATE TRANSACTIONS is an administrator's",
}
_PROCEDURE = re.compile(r"([\w.`]+)\(")
_NAMED = re.compile(r"`(.*)`")  # the label, type or property that a note is about
_FILE_URLS = "dbms.security.allow_csv_import_from_file_urls"

_OPEN = (
    f"your Neo4j lets Cypher open files and addresses: put {_FILE_URLS}=false and "
    "internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0 into its neo4j.conf"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of an ad-hoc statement.

    Attributes:
        columns: names, in the statement's order.
        rows: values of each row, in the order of the columns.
        cut: whether there were more rows than the limit.
        notes: warnings: names that the graph does not have, a server that is open to files.
    """

    columns: list[str]
    rows: list[list[Any]]
    cut: bool
    notes: list[str]


def check(
    store: Store, text: str, parameters: Mapping[str, Any], *, timeout_seconds: float = PLAN_SECONDS
) -> list[str]:
    """Check that a statement does nothing but read; return warnings about the statement, a line each.

    Raises:
        UnsafeQuery: the statement writes, changes the schema or settings, loads files, calls what is not on the list,
            or is not understood.
        QueryError: the statement is not valid Cypher.
    """
    check_reading(text)
    plan = store.explain(text, parameters, timeout_seconds=timeout_seconds)
    for step in plan.operators:
        name, details = step["operator"], step["details"]
        if name in _REFUSED_OPERATORS:
            raise UnsafeQuery(f"only reading statements run here: {_REFUSED_OPERATORS[name]}")
        if name.startswith("ProcedureCall"):
            called = _PROCEDURE.search(details)
            procedure = called[1].replace("`", "") if called else details
            if procedure.lower() not in ALLOWED_PROCEDURES:
                raise UnsafeQuery(f"only reading statements run here: procedure {procedure} is not on the list")
    if plan.kind != "r":
        does = {"s": "changes the schema or administers the server"}.get(plan.kind, "writes")
        raise UnsafeQuery(f"only reading statements run here: this one {does}")
    return plan.unknown + _open_walls(store)


def of_condition(notes: Iterable[str], condition: str) -> list[str]:
    """Return those notes on a statement that are about a condition in it, rather than what we wrote around it."""
    words = {token.text for token in tokens(condition)}
    return [note for note in notes if not (named := _NAMED.search(note)) or named[1] in words]


def run(
    store: Store, text: str, parameters: Mapping[str, Any], *, limit_rows: int | None, timeout_seconds: float
) -> Answer:
    """Return the first rows of a reading statement.

    Args:
        store: the database.
        text: one Cypher statement.
        parameters: values of its `$names`.
        limit_rows: most rows returned, or None for all.
        timeout_seconds: after which the server ends it; a little later it is given up here, too.

    Raises:
        UnsafeQuery: the statement does more than read.
        QueryError: the statement is not valid, a parameter is missing, or it took too long.
        StoreUnavailable: the server ended meanwhile.
    """
    notes = check(store, text, parameters, timeout_seconds=timeout_seconds)
    most = None if limit_rows is None else limit_rows + 1
    columns, rows = store.ask(text, parameters, limit_rows=most, timeout_seconds=timeout_seconds)
    return Answer(columns, rows[:limit_rows], cut=len(rows) == most, notes=notes)


def _open_walls(store: Store) -> list[str]:
    """Return a warning if the server would let a statement read files that this software failed to refuse."""
    if store.private:
        return []  # `kg.graph.connection` says so if it runs with an older configuration
    try:
        found = store.read("SHOW SETTINGS $name YIELD value", name=_FILE_URLS)
    except QueryError:
        return []  # a server that does not tell
    if not any(row["value"] == "true" for row in found):
        return []
    return [_OPEN]
