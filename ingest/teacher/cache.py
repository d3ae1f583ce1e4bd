"""The cache of paid replies: one SQLite file, so that no request is ever paid for twice.

A reply is stored under the key of the exact request (`Request.key`) before it is used. Only accepted replies are;
what was paid for and could not be used is kept apart, for the budget, and so is what was on its way when a process
ended. WAL with `synchronous = NORMAL`: a process that
is killed loses nothing, a power cut may lose the last moments and damages nothing.
"""

import json
import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from ingest.teacher.messages import Completion, Reply, Request, Usage
from kg.errors import KGError
from kg.workspace import private_file, private_folder

_BUSY_SECONDS = 60
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, run TEXT, raw TEXT, model TEXT, prompt_tokens INTEGER,
  completion_tokens INTEGER, share REAL, at TEXT DEFAULT CURRENT_TIMESTAMP, texts TEXT
);
CREATE TABLE IF NOT EXISTS losses (
  run TEXT, key TEXT, reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, share REAL,
  at TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS dialects (server TEXT PRIMARY KEY, words TEXT);
CREATE INDEX IF NOT EXISTS paid ON replies (run);
"""


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
                yield cls(connection)
            finally:
                connection.close()
        except (sqlite3.OperationalError, OSError) as error:
            raise KGError(f"cannot use the kept replies {path}: {error}") from error
        except sqlite3.Error as error:
            raise KGError(f"the kept replies {path} are damaged ({error}); move that file away") from error

    def get(self, *forms: Request) -> Reply | None:
        """Return the reply to just this request, if it was paid for; of several forms of one, to the first that was."""
        for request in forms:
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

    def lose(self, request: Request, reason: str, usage: Usage, run: str, share: float = 1) -> None:
        """Note what was paid for, or may have been, and cannot be used."""
        self._connection.execute(
            "INSERT INTO losses (run, key, reason, prompt_tokens, completion_tokens, share) VALUES (?, ?, ?, ?, ?, ?)",
            (run, request.key, reason, usage.prompt_tokens, usage.completion_tokens, share),
        )

    def send(self, request: Request, run: str) -> int:
        """Note that a request is on its way: without `land` it counts as lost, at the most that it can cost."""
        usage = Usage(request.about_prompt_tokens, request.most_completion_tokens)
        self.lose(request, "on its way when the process ended", usage, run)
        return int(self._connection.execute("SELECT last_insert_rowid()").fetchone()[0])

    def land(self, flight: int) -> None:
        """Note that a request that was on its way is settled."""
        self._connection.execute("DELETE FROM losses WHERE rowid = ?", (flight,))

    def paid(self, run: str) -> Usage:
        """Return what a run has paid for so far, losses included, each token by its share of the price."""
        row = self._connection.execute(
            "SELECT total(share * prompt_tokens), total(share * completion_tokens) FROM ("
            "SELECT prompt_tokens, completion_tokens, share FROM replies WHERE run = ? "
            "UNION ALL SELECT prompt_tokens, completion_tokens, share FROM losses WHERE run = ?)",
            (run, run),
        ).fetchone()
        return Usage(*row)

    def dialect(self, server: str) -> set[str]:
        """Return what was learnt of a server's and model's dialect (`ingest.teacher.openai`)."""
        row = self._connection.execute("SELECT words FROM dialects WHERE server = ?", (server,)).fetchone()
        return set(row[0].split()) if row else set()

    def learn(self, server: str, words: AbstractSet[str]) -> None:
        """Keep what was learnt of a server's and model's dialect, beside what is known of it."""
        known = " ".join(sorted(words | self.dialect(server)))
        self._connection.execute("INSERT OR REPLACE INTO dialects VALUES (?, ?)", (server, known))
