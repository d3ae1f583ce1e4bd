"""The cache of paid replies: one SQLite file, so that no request is ever paid for twice.

A reply is stored under the key of the exact request (`Request.key`) before it is used. Only accepted replies are. A
request that was paid for, or may have been, without a usable reply is a loss, kept apart for the budget: so is a
request that was on its way when a process ended. WAL with `synchronous = NORMAL`: a process that is killed loses
nothing, a power cut may lose the last moments and damages nothing.
"""

import errno
import json
import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ingest.cleaning import Completion
from ingest.teacher.messages import Reply, Request, Usage
from kg.errors import KGError
from kg.workspace import private_file, private_folder

_BUSY_SECONDS = 60
_ROOM = "; make room there and run the command again"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, run TEXT, raw TEXT, model TEXT, prompt_tokens INTEGER,
  completion_tokens INTEGER, share REAL, at TEXT DEFAULT CURRENT_TIMESTAMP, texts TEXT
);
CREATE TABLE IF NOT EXISTS losses (
  run TEXT, key TEXT, reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, share REAL,
  at TEXT DEFAULT CURRENT_TIMESTAMP, certain INTEGER
);
CREATE TABLE IF NOT EXISTS dialects (server TEXT PRIMARY KEY, words TEXT);
CREATE INDEX IF NOT EXISTS paid ON replies (run);
"""


class Loss(NamedTuple):
    """Requests of a run that cost, or may have cost, money and brought nothing that can be used.

    Attributes:
        reason: what happened to them.
        certain: whether they were paid for; else they may have been.
        requests: how many there are.
        usage: their tokens, each by its share of the price; at the most where they only may have been paid for.
    """

    reason: str
    certain: bool
    requests: int
    usage: Usage


class ReplyCache:
    """Replies by the exact request. Use `ReplyCache.open`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["ReplyCache"]:
        """Yield the cache of a folder.

        Raises:
            KGError: the file is damaged, or cannot be written.
        """
        path = folder / "replies.sqlite"
        try:
            private_folder(folder)
            connection = sqlite3.connect(private_file(path), timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.executescript(_SCHEMA)
                _bring_up_to_date(connection)
                yield cls(connection)
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            room = _ROOM if "disk is full" in str(error) else ""
            raise KGError(f"cannot use the kept replies {path}: {error}{room}") from error
        except OSError as error:  # also of other files that are written beside
            room = _ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise KGError(f"cannot use {error.filename or path}: {error.strerror or error}{room}") from error
        except sqlite3.Error as error:
            raise KGError(f"the kept replies {path} are damaged ({error}); move that file away") from error

    def get(self, *wordings: Request) -> Reply | None:
        """Return the reply that was paid for to just this request; of several wordings, to the first that has one."""
        for request in wordings:
            row = self._connection.execute(
                "SELECT texts, raw, model, prompt_tokens, completion_tokens, share FROM replies WHERE key = ?",
                (request.key,),
            ).fetchone()
            if row is not None:
                completions = tuple(Completion(*fields) for fields in json.loads(row[0]))
                return Reply(completions, row[1], row[2], Usage(row[3], row[4]), share=row[5])
        return None

    def put(self, request: Request, reply: Reply, run: str) -> None:
        """Keep an accepted reply; when this returns, killing the process does not lose it."""
        self._connection.execute(
            "INSERT OR IGNORE INTO replies "
            "(key, run, raw, model, prompt_tokens, completion_tokens, share, texts) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (request.key, run, reply.raw, reply.model, reply.usage.prompt_tokens,
             reply.usage.completion_tokens, reply.share, json.dumps(reply.completions)),
        )  # fmt: skip

    def note_loss(
        self, request: Request, reason: str, usage: Usage, run: str, *, certain: bool, share: float = 1
    ) -> int:
        """Note a request that was paid for, or may have been, without a usable reply; return the number of the note."""
        noted = self._connection.execute(
            "INSERT INTO losses (run, key, reason, prompt_tokens, completion_tokens, share, certain) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run, request.key, reason, usage.prompt_tokens, usage.completion_tokens, share, certain),
        )
        return int(noted.lastrowid or 0)

    def note_sent(self, request: Request, run: str) -> int:
        """Note that a request is on its way: until it is settled it counts as lost, at the most that it can cost."""
        return self.note_loss(request, "on its way when the process ended", request.assumed_usage, run, certain=False)

    def note_settled(self, number: int) -> None:
        """Take back the note that a request is on its way."""
        self._connection.execute("DELETE FROM losses WHERE rowid = ?", (number,))

    def paid(self, run: str) -> Usage:
        """Return what a run has paid for so far, losses included, each token by its share of the price."""
        row = self._connection.execute(
            "SELECT total(share * prompt_tokens), total(share * completion_tokens) FROM ("
            "SELECT prompt_tokens, completion_tokens, share FROM replies WHERE run = ? "
            "UNION ALL SELECT prompt_tokens, completion_tokens, share FROM losses WHERE run = ?)",
            (run, run),
        ).fetchone()
        return Usage(*row)

    def losses(self, run: str) -> list[Loss]:
        """Return the losses of a run by their reasons, the most frequent reason first."""
        rows = self._connection.execute(
            "SELECT reason, coalesce(certain, 0) AS sure, count(*) AS number, "
            "total(share * prompt_tokens), total(share * completion_tokens) "
            "FROM losses WHERE run = ? GROUP BY reason, sure ORDER BY number DESC, reason",
            (run,),
        )
        return [Loss(reason, bool(sure), number, Usage(*tokens)) for reason, sure, number, *tokens in rows]

    def number(self, run: str) -> int:
        """Return how many replies a run has paid for."""
        return int(self._connection.execute("SELECT count(*) FROM replies WHERE run = ?", (run,)).fetchone()[0])

    def dialect(self, server: str) -> set[str]:
        """Return the words that were learnt of a server and its model (`ingest.teacher.dialect`)."""
        row = self._connection.execute("SELECT words FROM dialects WHERE server = ?", (server,)).fetchone()
        return set(row[0].split()) if row else set()

    def learn(self, server: str, words: AbstractSet[str]) -> None:
        """Keep words that were learnt of a server and its model, beside those that are known."""
        known = " ".join(sorted(words | self.dialect(server)))
        self._connection.execute("INSERT OR REPLACE INTO dialects VALUES (?, ?)", (server, known))


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Give a file of an older version the columns that it lacks."""
    if "certain" not in {row[1] for row in connection.execute("PRAGMA table_info(losses)")}:
        connection.execute("ALTER TABLE losses ADD COLUMN certain INTEGER")
