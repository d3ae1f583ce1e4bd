"""Bolt: rows in and out of a Neo4j database, with bounded retries and translated errors.

Below this module is the driver, above it the graph. Rows are dicts of scalars and lists.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from kg.errors import QueryError, StoreError, StoreUnavailable
from kg.store.lean import without_modules

with without_modules("numpy", "pandas", "pyarrow"):  # the driver takes their values as parameters; here none has any
    import neo4j
    from neo4j import exceptions

Row = dict[str, Any]
T = TypeVar("T")

_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_HOST = re.compile(r"[a-z0-9+]+://(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?![^/?#])", re.IGNORECASE)
# What a database says that can write no more, and what it says from then on, until its server is started again.
_STOPPED = ("DatabaseUnavailable", "Could not append transaction", "critical error", "No space left", "Disk quota")
_FETCH_ROWS = 10_000
_CONNECT_SECONDS = 15.0
_CLOSE_SECONDS = 60.0
_IDLE_SECONDS = 30.0  # after which a connection is tried before it is used: what stands between may have cut it
_AGAIN_SECONDS = 3.0  # for which a reading statement is asked again when its connection breaks
_GRACE_SECONDS = 3.0  # Neo4j looks every 2 s for what is past its time
_LOST_COMMITS = 3  # how often a commit whose answer was lost is sent again; every statement is idempotent

_ENDING = "there, SHOW TRANSACTIONS lists it, and TERMINATE TRANSACTION 'its id' or a restart of the server ends it"
_RETURN = "start it again"
_PRIVATE_ENDING = "`kg server stop` ends it, and the next command starts the server again"
_PRIVATE_RETURN = "the next command starts it again"

_REASONS = {
    "TransactionTimedOut": "the statement was ended at its time limit; narrow it, or raise --timeout",
    "OutOfMemory": "the statement wants more memory than the server gives to one; narrow it",
    "AccessMode": "the statement writes, and only reading is allowed here",
}
"""Part of an error's code to what it means for a statement."""

logging.getLogger("neo4j").setLevel(logging.CRITICAL)  # errors are translated and raised, not logged


@dataclass(frozen=True, slots=True)
class Explained:
    """The server's plan for a statement.

    Attributes:
        kind: `r` reads, `rw` and `w` write, `s` changes the schema or administers.
        operators: name and details of each step; what is nested in expressions is not among them.
        unknown: a sentence for each label, type or property that the graph does not have.
    """

    kind: str
    operators: list[Row]
    unknown: list[str]


class Transaction:
    """Statements that take effect together or not at all."""

    def __init__(self, transaction: neo4j.ManagedTransaction) -> None:
        self._transaction = transaction

    def run(self, text: str, /, **parameters: Any) -> list[Row]:
        """Return the rows of one statement, with the keys in the statement's order."""
        return _rows(self._transaction.run(text, parameters))

    def create(self, text: str, /, **parameters: Any) -> tuple[list[Row], int]:
        """Return the rows of one statement and the number of relationships that it created."""
        result = self._transaction.run(text, parameters)
        rows = _rows(result)
        return rows, result.consume().counters.relationships_created


class Store:
    """One database. Use it as a context manager.

    Attributes:
        uri: the address of the database, for messages, without secrets.
        private: whether the server is the one that this software starts and stops.
    """

    def __init__(
        self,
        uri: str,
        username: str,
        password: str,
        database: str = "neo4j",
        *,
        retry_seconds: float = 60,
        private: bool = False,
    ) -> None:
        """Connect to one database.

        Args:
            uri: the address of the server.
            username: whose password it is.
            password: not kept.
            database: name of the database.
            retry_seconds: for how long the driver repeats a transaction after transient errors.
            private: whether this software starts and stops the server.
        """
        check_address(uri)
        self.uri = shown_address(uri)
        self.private = private
        self._ending = _PRIVATE_ENDING if private else _ENDING
        self._return = _PRIVATE_RETURN if private else _RETURN
        self._left_behind = False
        self._database = database
        self._retry_seconds = retry_seconds
        # What one session wrote the next one reads, whichever member of a cluster it asks.
        self._bookmarks = neo4j.GraphDatabase.bookmark_manager()
        self._idle = threading.Condition()
        self._calls = 0
        with _translated(self.uri):
            self._driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(username, password),
                connection_timeout=_CONNECT_SECONDS,
                liveness_check_timeout=_IDLE_SECONDS,
                max_transaction_retry_time=retry_seconds,
                notifications_min_severity="OFF",
                telemetry_disabled=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._idle:  # another thread may still read ahead, or write behind
            self._idle.wait_for(lambda: not self._calls or self._left_behind, _CLOSE_SECONDS)
        self._driver.close()

    def verify(self) -> None:
        """Check that the database can be reached with these credentials.

        Raises:
            StoreError: the database cannot be reached; the message names the likely fault.
        """
        with _translated(self.uri):
            self._driver.verify_connectivity()  # at once, where a transaction would be tried again for a minute
        self.read("RETURN 1 AS answer")  # the database, too

    def read(self, text: str, /, **parameters: Any) -> list[Row]:
        """Return all rows of a reading statement; for results of bounded size."""
        return self._committed(neo4j.READ_ACCESS, lambda transaction: transaction.run(text, **parameters))

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction; return its result after the commit.

        `work` may run several times, so its statements must be safe to repeat.
        """
        return self._committed(neo4j.WRITE_ACCESS, work)

    def _committed(self, mode: str, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, again where the answer to its commit was lost: a reading one has that, too."""
        for attempt in range(1, _LOST_COMMITS + 1):
            try:
                with _translated(self.uri), self._session(mode) as session:
                    execute = session.execute_read if mode == neo4j.READ_ACCESS else session.execute_write
                    return execute(lambda transaction: work(Transaction(transaction)))
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, exceptions.IncompleteCommit) or attempt == _LOST_COMMITS:
                    raise
        raise AssertionError  # the last attempt returned or raised

    def run(self, text: str, /, **parameters: Any) -> list[Row]:
        """Run one statement in a transaction of its own: schema, and `CALL … IN TRANSACTIONS`.

        It must be safe to repeat: another process may make the same schema at the same moment.
        """

        def once() -> list[Row]:
            with _translated(self.uri), self._session(neo4j.WRITE_ACCESS) as session:
                return _rows(session.run(text, parameters))

        return _repeated(_may_work_again, self._retry_seconds)(once)

    def explain(self, text: str, parameters: Mapping[str, Any], *, timeout_seconds: float) -> Explained:
        """Return the server's plan for a statement, without running the statement."""
        query = neo4j.Query(f"EXPLAIN {text}", timeout=timeout_seconds)
        summary = self._limited(timeout_seconds, lambda session: session.run(query, dict(parameters)).consume())
        unknown = [
            status.status_description.partition(". ")[2]
            for status in summary.gql_status_objects
            if status.raw_classification == "UNRECOGNIZED"
        ]
        return Explained(str(summary.query_type), list(_operators(summary.plan or {})), unknown)

    def ask(
        self, text: str, parameters: Mapping[str, Any], *, limit_rows: int | None, timeout_seconds: float
    ) -> tuple[list[str], list[list[Any]]]:
        """Return columns and first rows of any reading statement, even of one that the server does not survive.

        Raises:
            QueryError: the statement is not valid, or not done in time: the server ends it after `timeout_seconds`. A
                server that is too busy to do that is given up a little later.
            StoreUnavailable: the server ended meanwhile.
        """
        query = neo4j.Query(text, timeout=timeout_seconds)

        def work(session: neo4j.Session) -> tuple[list[str], list[list[Any]]]:
            result = session.run(query, dict(parameters))
            return list(result.keys()), [record.values() for record in islice(result, limit_rows)]

        return self._limited(timeout_seconds, work)

    def _limited(self, timeout_seconds: float, work: Callable[[neo4j.Session], T]) -> T:
        """Return the result of `work`, which runs in a thread that is left alone when it takes too long."""
        answer: Future[T] = Future()

        def once() -> T:
            with _translated(self.uri), self._session(neo4j.READ_ACCESS, severity="WARNING") as session:
                return work(session)

        def run() -> None:
            try:
                again = 0.0 if self.private else min(_AGAIN_SECONDS, self._retry_seconds)
                answer.set_result(_repeated(_went_away, again)(once))
            except BaseException as error:  # noqa: BLE001 - raised where the answer is waited for
                if not answer.done():
                    answer.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return answer.result(timeout_seconds + _GRACE_SECONDS)
        except TimeoutError as error:
            raise QueryError(
                f"given up: the server is still busy with the statement {_GRACE_SECONDS:g} s after its time limit of "
                f"{timeout_seconds:g} s; {self._ending}"
            ) from error
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"Neo4j at {self.uri} went away while it worked on the statement, which may want more memory than it "
                f"has; {self._return}"
            ) from error
        finally:
            self._left_behind |= not answer.done()

    @contextmanager
    def _session(self, mode: str, severity: Literal["OFF", "WARNING"] = "OFF") -> Iterator[neo4j.Session]:
        with self._idle:
            self._calls += 1
        try:
            with self._driver.session(
                database=self._database,
                default_access_mode=mode,
                bookmark_manager=self._bookmarks,
                fetch_size=_FETCH_ROWS,
                notifications_min_severity=severity,
            ) as session:
                yield session
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()


def check_address(uri: str) -> None:
    """Check the form of a database's address.

    Raises:
        StoreError: the text is no address of a Neo4j, or has a user or password.
    """
    if "@" in uri:
        raise StoreError(
            "NEO4J_URI has a user or password before an @; leave only neo4j://host:7687 there, and give these in "
            "NEO4J_USERNAME and NEO4J_PASSWORD"
        )
    if uri.partition("://")[0] not in _SCHEMES or not _HOST.match(uri):
        raise StoreError(f"NEO4J_URI {shown_address(uri)!r} is not an address like neo4j://host:7687")


def shown_address(uri: str) -> str:
    """Return an address as it may be printed: without user, password, path and query, which may be secret.

    >>> shown_address("neo4j+s://graph.example:7687?policy=eu"), shown_address("bolt://neo4j:secret@h")
    ('neo4j+s://graph.example:7687', '…')
    """
    found = _HOST.match(uri)
    return found[0] if found else "…"


def _rows(result: neo4j.Result) -> list[Row]:
    keys = result.keys()
    # `dict(record)` and `record[key]` look every key up again.
    return [dict(zip(keys, tuple.__iter__(record), strict=True)) for record in result]


def _operators(plan: Mapping[str, Any]) -> Iterator[Row]:
    details = str(plan.get("args", {}).get("Details", ""))
    yield {"operator": str(plan.get("operatorType", "")).partition("@")[0], "details": details}
    for child in plan.get("children", ()):
        yield from _operators(child)


def _repeated(is_transient: Callable[[BaseException], bool], seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(0.1, 2),
        reraise=True,
    )


def _may_work_again(error: BaseException) -> bool:
    """Tell whether a statement failed only because of another process, a broken connection, or another leader."""
    cause = error.__cause__
    came_too_close = isinstance(cause, exceptions.Neo4jError) and (
        cause.is_retryable() or "EquivalentSchemaRuleAlreadyExists" in (cause.code or "")
    )
    return came_too_close or _went_away(error)


def _went_away(error: BaseException) -> bool:
    """Tell whether a connection broke, or the member of a cluster that it led to went away."""
    cause = error.__cause__
    return isinstance(cause, exceptions.DriverError) and cause.is_retryable()


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    try:
        yield
    except exceptions.Neo4jError as error:
        raise _refused(uri, error) from error
    except (exceptions.ServiceUnavailable, exceptions.SessionExpired, exceptions.IncompleteCommit) as error:
        raise StoreUnavailable(
            f"no answer from Neo4j at {uri}; check NEO4J_URI, or run `kg server status` for the private server"
        ) from error
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:  # a name of a host may be no valid one, too
            raise StoreError(f"the name of the host in NEO4J_URI is not valid: {uri}") from error
        raise QueryError(f"a text has a character that is no Unicode, {error.object[error.start]!a}") from error
    except (exceptions.ConfigurationError, UnicodeError) as error:
        raise StoreError(f"the driver does not accept the rest of NEO4J_URI, from {uri} on") from error
    except exceptions.DriverError as error:
        raise StoreError(f"the connection to {uri} failed: {error}") from error


def _refused(uri: str, error: exceptions.Neo4jError) -> StoreError:
    code = error.code or ""
    if isinstance(error, exceptions.AuthError):
        return StoreError(f"{uri} refuses the credentials; set NEO4J_USERNAME and NEO4J_PASSWORD to the server's own")
    for sign, reason in _REASONS.items():
        if sign in code:
            return QueryError(reason)
    if "DatabaseNotFound" in code:
        return StoreError(f"{uri} has no such database; set NEO4J_DATABASE to one of its own")
    if any(sign in f"{code} {error.message}" for sign in _STOPPED):
        return StoreUnavailable(
            f"the database at {uri} has stopped by itself, as it does when its disk is full; look at its log, make "
            "room, start it again, and run the same command again"
        )
    message = (error.message or str(error) or code).splitlines()[0]
    return QueryError(f"the database does not accept the statement: {message}")
