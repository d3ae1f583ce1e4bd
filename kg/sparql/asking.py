"""A query, asked of the kept store by a process of its own, within a time limit."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kg import strict_json
from kg.errors import InputError, NotReady, QueryError, QueryTooLong, Unacceptable
from kg.exchange.rdf.names import BASE, NAMESPACES, Names
from kg.sparql.kept import Kept, current
from kg.sparql.words import check_reading

PREFIXES = NAMESPACES | Names().prefixes | {"skd": BASE}
"""Those that a query need not declare."""

_CHILD = Path(__file__).with_name("child.py")
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR")  # and no secret
_AT_ONCE = threading.BoundedSemaphore(4)
_TRIES = 3  # another process may fill a new store twice while we begin to read


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        form: its name, of `kg.sparql.forms`.
        of_triples: whether the query is answered by triples.
        file: what it says, open at its beginning; it has no name, and goes when it is closed.
        kept: the store that was asked.
    """

    form: str
    of_triples: bool
    file: IO[bytes]
    kept: Kept


def ask(folder: Path, query: str, forms: Sequence[str], *, timeout_seconds: float, most_rows: int = 0) -> Answer:
    """Answer a query.

    Args:
        folder: where stores are.
        query: SPARQL that only reads; `PREFIXES` need no declaration.
        forms: names of forms, the most wanted first; the first that fits the kind of query is taken.
        timeout_seconds: after which the query is ended.
        most_rows: of a table.

    Raises:
        UnsafeQuery: the query does more than read this graph.
        InputError: the query is not valid.
        Unacceptable: none of the forms fits.
        QueryTooLong: it took too long.
        QueryError: it wants more memory, or a larger answer, than it may have.
        NotReady: there is no store yet.
    """
    check_reading(query)
    return ask_unchecked(folder, query, forms, timeout_seconds=timeout_seconds, most_rows=most_rows)


def ask_unchecked(
    folder: Path, query: str, forms: Sequence[str], *, timeout_seconds: float, most_rows: int = 0
) -> Answer:
    """Answer a query behind the second wall only; see `ask`."""
    if not _AT_ONCE.acquire(timeout=timeout_seconds):
        raise QueryTooLong("too many queries run at this moment; ask again in a few seconds")
    try:
        for _ in range(_TRIES):
            kept = current(folder)
            if kept is None:
                break
            asked = {
                "store": str(folder / kept.name), "query": query, "forms": list(forms), "prefixes": PREFIXES,
                "base": BASE, "rows": most_rows, "seconds": timeout_seconds,
            }  # fmt: skip
            with ExitStack() as stack:
                file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                said = _run(asked, file, timeout_seconds)
                if "form" in said:
                    file.seek(0)
                    stack.pop_all()  # whoever asked closes it
                    return Answer(said["form"], bool(said["of_triples"]), file, kept)
            if said["failed"] != "gone":
                raise _error(said, timeout_seconds)
    finally:
        _AT_ONCE.release()
    raise NotReady("the graph is not kept as RDF yet; ask again in a few seconds")


def _run(asked: dict[str, Any], file: IO[bytes], timeout_seconds: float) -> dict[str, Any]:
    """Run the process; return what it said on how it went."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-P", str(_CHILD)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=file, stderr=pipe, env=environment) as process:  # noqa: S603 - our own
        try:
            told = process.communicate(strict_json.write(asked).encode(), timeout=timeout_seconds)[1]
        except subprocess.TimeoutExpired:
            return {"failed": "time", "why": ""}
        finally:
            process.kill()
    lines = told.decode(errors="replace").strip().splitlines()
    try:
        found = strict_json.read(lines[-1])
    except (IndexError, ValueError):
        return {"failed": "memory", "why": ""}  # what else ends it without a word
    return found if isinstance(found, dict) else {"failed": "memory", "why": ""}


def _error(said: dict[str, Any], timeout_seconds: float) -> Exception:
    why = " ".join(str(said["why"]).split())[:500]
    match said["failed"]:
        case "syntax":
            return InputError(f"the query is not valid SPARQL: {why}")
        case "form":
            return Unacceptable(why)
        case "time":
            return QueryTooLong(f"the query was ended at its time limit of {timeout_seconds:g} s; narrow it")
        case "memory":
            return QueryError("the query wants more memory than the 2 GB that one may have; narrow it")
        case "size":
            return QueryError("the answer is larger than 256 MB; narrow the query, or export the graph")
    return QueryError(f"the query cannot be answered: {why}")
