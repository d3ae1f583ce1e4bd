"""The process that answers one query: a program of its own, which is killed when the query takes too long.

It reads what is asked as JSON from stdin, writes the answer to stdout, and says on stderr, as a last line of JSON, how
it went. Before it opens the store it gives away what a query might take: sockets (on Linux), memory, time, room on
the disk. It imports nothing of this software, so that it is there in some hundredths of a second.

The store's file `in-use` is locked while it is read, and who clears stores away leaves that one (`kg.sparql.kept`).
"""

import ctypes
import fcntl
import json
import platform
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pyoxigraph as ox

_MEMORY_BYTES = 2 << 30
_ANSWER_BYTES = 256 << 20
_SOCKET = {"x86_64": 41, "aarch64": 198}  # numbers of the system call
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # of prctl
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _NOT_PERMITTED = 0x7FFF0000, 0x00050001
_ROWS_OF = {
    "json": ox.QueryResultsFormat.JSON, "xml": ox.QueryResultsFormat.XML, "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}  # fmt: skip
_TRIPLES_OF = {
    "ttl": ox.RdfFormat.TURTLE, "nt": ox.RdfFormat.N_TRIPLES, "jsonld": ox.RdfFormat.JSON_LD,
    "rdfxml": ox.RdfFormat.RDF_XML,
}  # fmt: skip
_TABLE = "table"


def main() -> None:
    """Answer the query on stdin."""
    asked = json.load(sys.stdin)
    try:
        form, of_triples = _answer(asked)
        said: dict[str, Any] = {"form": form, "of_triples": of_triples}
    except _Gone:
        said = {"failed": "gone", "why": "the store was replaced"}
    except SyntaxError as error:
        said = {"failed": "syntax", "why": str(error)}
    except _Unacceptable as error:
        said = {"failed": "form", "why": str(error)}
    except MemoryError:
        said = {"failed": "memory", "why": ""}
    except (OSError, RuntimeError, ValueError) as error:
        said = {"failed": "size" if getattr(error, "errno", 0) == 27 else "query", "why": str(error)}  # noqa: PLR2004 - EFBIG
    sys.stderr.write(f"\n{json.dumps(said)}\n")


class _Gone(Exception):  # noqa: N818 - reads as what happened
    """The store is not there any more."""


class _Unacceptable(Exception):  # noqa: N818 - reads as what happened
    """None of the forms fits the kind of query."""


def _answer(asked: dict[str, Any]) -> tuple[str, bool]:
    """Write the answer to stdout; return the name of its form, and whether the query is answered by triples."""
    _limit(int(asked["seconds"]) + 2)
    forbid_sockets()
    folder = Path(asked["store"])
    try:
        with (folder / "in-use").open("rb") as used:
            fcntl.flock(used, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return _write(ox.Store.read_only(str(folder / "data")), asked)
    except (FileNotFoundError, BlockingIOError) as error:
        raise _Gone from error


def _write(store: ox.Store, asked: dict[str, Any]) -> tuple[str, bool]:
    found = store.query(asked["query"], base_iri=asked["base"], prefixes=asked["prefixes"])
    is_rows = not isinstance(found, ox.QueryTriples)
    fitting = [name for name in asked["forms"] if name == _TABLE or (name in _ROWS_OF) == is_rows]
    if not fitting:
        kind = "rows, or true or false" if is_rows else "triples"
        raise _Unacceptable(
            f"the query is answered by {kind}, which have none of the forms {', '.join(asked['forms'])}"
        )
    name = str(fitting[0])
    with open(1, "wb", closefd=False) as file:
        if name == _TABLE:
            file.write(json.dumps(_table(found, asked["rows"], asked["prefixes"])).encode())
        elif isinstance(found, ox.QueryTriples):
            prefixes = asked["prefixes"] if name in ("ttl", "rdfxml") else None
            ox.serialize(found, file, _TRIPLES_OF[name], prefixes=prefixes)
        else:
            found.serialize(file, _ROWS_OF[name])
    return name, not is_rows


def _table(
    found: ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples, most: int, prefixes: dict[str, str]
) -> dict[str, Any]:
    """Return the first rows of an answer as texts; a name of the store by its prefix."""
    if isinstance(found, ox.QueryBoolean):
        return {"columns": ["answer"], "rows": [["true" if found else "false"]], "cut": False}
    if isinstance(found, ox.QueryTriples):
        columns = ["subject", "predicate", "object"]
        values: Any = ((one.subject, one.predicate, one.object) for one in found)
    else:
        columns = [variable.value for variable in found.variables]
        values = (list(solution) for solution in found)
    rows = [[_text(value, prefixes) for value in row] for row in islice(values, most + 1)]
    return {"columns": columns, "rows": rows[:most], "cut": len(rows) > most}


def _text(value: Any, prefixes: dict[str, str]) -> str | None:
    if isinstance(value, ox.NamedNode):
        start, name = max(
            ((start, name) for name, start in prefixes.items() if value.value.startswith(start)), default=("", "")
        )
        return f"{name}:{value.value[len(start) :]}" if start else f"<{value.value}>"
    if isinstance(value, ox.Literal):
        return value.value
    return None if value is None else str(value)


def _limit(seconds: int) -> None:
    """Bound memory, processor time and the size of the answer: a query that nobody waits for any more ends, too."""
    sys.stdout.flush()
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, _ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        hard = resource.getrlimit(what)[1]
        with suppress(OSError, ValueError):  # a system that does not bound it
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


class _Instruction(ctypes.Structure):
    _fields_: ClassVar[Sequence[Any]] = [
        ("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint),
    ]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_: ClassVar[Sequence[Any]] = [("length", ctypes.c_ushort), ("first", ctypes.POINTER(_Instruction))]


def forbid_sockets() -> bool:
    """Let the kernel refuse sockets to this process from now on; return whether it does. Only Linux can."""
    number = _SOCKET.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    program = (_Instruction * 4)(
        _Instruction(_LOAD, 0, 0, 0),
        _Instruction(_EQUAL, 0, 1, number),
        _Instruction(_RETURN, 0, 0, _NOT_PERMITTED),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    )
    libc = ctypes.CDLL(None)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not libc.prctl(_SECCOMP, _FILTER, ctypes.byref(_Program(4, program)), 0, 0)


if __name__ == "__main__":
    main()
