"""Rendering: a template that anybody may have written becomes a prompt, and can do nothing else.

Templates are rendered by a process of their own, in Jinja's sandbox, without files,
environment or globals, within bounds of time, memory and length that no template can reach around. One such process
serves a whole command; one that was killed by a bound is replaced.

    a line of JSON in:  {"source": …, "values": {…}, "query": [x, y], "pairs": [[x, y], …]}
    a line of JSON out: {"text": …} or {"line": …, "fault": …}
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from kg.errors import InputError
from kg.languages import whole_word

_MOST_CHARACTERS = 256 * 1024
_MOST_BYTES = 512 * 1024**2  # of address space, the interpreter's own included
_MOST_SECONDS = 2.0  # of computing, after which a template is interrupted and its line named
_MOST_SECONDS_AT_ALL = 4  # after which its process is killed: one long step cannot be interrupted
_TEMPLATE = "<template>"  # how Jinja calls a file that it has not read itself


class Pair(NamedTuple):
    """Names that stand for the first two persons of a language, and what these are called in events."""

    x: str
    y: str
    first: str = "PersonX"
    second: str = "PersonY"
    honorific: str = ""


def put_names(text: str, pair: Pair) -> str:
    """Return a text with first names for its persons.

    >>> put_names("PersonX fires PersonY's cook", Pair("Alex", "Chris"))
    "Alex fires Chris's cook"
    >>> put_names("XがYさんに会う", Pair("佐藤さん", "鈴木さん", "X", "Y", "さん"))
    '佐藤さんが鈴木さんに会う'
    """
    names = {pair.first: pair.x, pair.second: pair.y}
    pattern = "|".join(whole_word(person) for person in names)
    return re.sub(f"({pattern})(?:{re.escape(pair.honorific)})?", lambda found: names[found[1]], text)


class Renderer:
    """Renders templates in a process of its own, which starts when it is first needed and ends with this object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(
        self, name: str, source: str, values: Mapping[str, Any], query: Pair | None = None, pairs: Sequence[Pair] = ()
    ) -> str:
        """Return the text that a template makes of values.

        Args:
            name: of the file, for messages.
            source: the template.
            values: what the template sees, JSON.
            query: first names that the template sees as `query`.
            pairs: those that it sees as `pair(0)`, `pair(1)`, …, over and over.

        Raises:
            InputError: the template is at fault, or wants too much; file and line are named where there is one.
        """
        order = json.dumps({"source": source, "values": values, "query": query, "pairs": pairs}) + "\n"
        with self._lock:
            answer = self._answer(order.encode())
        if answer is None:
            raise InputError(f"{name} cannot be rendered: it takes too much time or memory")
        if "fault" in answer:
            place = f", line {answer['line']}," if answer["line"] else ""
            raise InputError(f"{name}{place} cannot be rendered: {answer['fault']}")
        return str(answer["text"])

    def _answer(self, order: bytes) -> dict[str, Any] | None:
        """Return what the process says, or None if it ended."""
        if self._process is None:
            code = f"import sys; sys.path[:] = {sys.path!r}; from ingest.teacher.rendering import _serve; _serve()"
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={}, start_new_session=True,
            )  # fmt: skip
            weakref.finalize(self, _end, self._process)
        process = self._process
        try:
            assert process.stdin  # noqa: S101 - a pipe, as asked for
            assert process.stdout  # noqa: S101
            process.stdin.write(order)
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        except BaseException:  # an interrupt: what it says later is no answer to the next order
            _end(process)
            self._process = None
            raise
        if not line.endswith(b"\n"):
            _end(process)
            self._process = None
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _serve() -> None:
    """Answer orders until there are no more: what the process does."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    signal.signal(signal.SIGPROF, _too_slow)
    with contextlib.suppress(ValueError, OSError):  # not everywhere
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for order in orders:
        answers.write(json.dumps(_rendered(**json.loads(order))).encode() + b"\n")
        answers.flush()


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"it computes for more than {_MOST_SECONDS:g} seconds")


def _rendered(source: str, values: dict[str, Any], query: list[str] | None, pairs: list[list[str]]) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _MOST_SECONDS_AT_ALL
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    if query:
        values["query"] = Pair(*query)
    if pairs:
        names = [Pair(*pair) for pair in pairs]
        values["pair"] = lambda place: names[place % len(names)]
    try:
        signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
        try:
            text = _text(source, values)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except MemoryError as error:
        return {"line": _line(error), "fault": "it takes too much memory"}
    except RecursionError as error:
        return {"line": _line(error), "fault": "it is nested too deeply"}
    except Exception as error:  # noqa: BLE001 - whatever a template does is the template's fault
        reason = " ".join(str(error).split()) or type(error).__name__
        return {"line": _line(error), "fault": reason.encode("utf-8", "backslashreplace").decode()[:200]}
    return {"text": text}


def _text(source: str, values: dict[str, Any]) -> str:
    parts, size = [], 0
    for part in _compiled(source).generate(values):
        size += len(part)
        if size > _MOST_CHARACTERS:
            raise ValueError(f"it makes more than {_MOST_CHARACTERS // 1024} kB of text")
        parts.append(part)
    text = "".join(parts)
    text.encode()  # half a character is said here, not when it is sent
    return text


@lru_cache(maxsize=64)
def _compiled(source: str) -> Any:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - only the process needs it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False
    )
    for name in set(sandbox.globals) - {"range"}:
        del sandbox.globals[name]
    sandbox.filters["named"] = put_names
    return sandbox.from_string(source)


def _line(error: BaseException) -> int | None:
    """Return the line of the template at which an error came up, as far as that is known."""
    if isinstance(number := getattr(error, "lineno", None), int):
        return number
    found, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == _TEMPLATE:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
