r"""The terminal: whatever a person reads goes through here, and no data can steer it or mislead the eye.

Texts of the graph, of files, of providers and of the database are hostile until shown with escapes.

| function | for |
|---|---|
| `say` | lines; whatever is in one that moves the cursor or cannot be seen is shown as `\x1b`, `\n` or `\u202e` |
| `say_json` | data as JSON; there the same characters are JSON's own escapes, so that the value is verbatim |
| `ask` | a question |
| `visible` | a text that goes elsewhere: a table's cell |
| `data` | the stream for other data, such as CSV |

`guard` does the same, line feeds and tabs apart, to all else that is written to the terminal: by libraries, by
warnings, by tracebacks. A test keeps every other way to stdout and stderr out of the code. Files are written verbatim.
`has_reader` tells whether anybody reads.
"""

import io
import json
import os
import re
import select
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from kg import strict_json

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]")  # letters and marks without a shape
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_first_stdout: int | None = None
"""Stdout as it was at first: rich puts another file in its place where its reader has gone."""
_OURS = re.compile("(\x1b\\[[0-9;]*[mAK]|\r)")  # colours of rich, and what a progress bar moves


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with escapes for controls, for format characters (bidi, zero width) and for other unseen ones.

    Args:
        text: any text.
        keep: characters that stay as they are.

    >>> visible("a\x1b[2J\u202eb\n")
    'a\\x1b[2J\\u202eb\\n'
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(letter if letter in keep or not _is_unseen(letter) else _escape(letter) for letter in text)


def say(*lines: object, err: bool = False) -> None:
    """Print lines, each on a line of its own whatever is in it."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{visible(str(line))}\n" for line in lines))
    stream.flush()


def say_json(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> None:
    """Print a value as JSON that is plain to see on a terminal and verbatim to a program."""
    text = strict_json.write(value, indent=indent, default=default)
    sys.stdout.write("".join(map(_json_escape, text)) if not text.isprintable() or _BLANK.search(text) else text)
    sys.stdout.write("\n")
    sys.stdout.flush()


def ask(question: str) -> None:
    """Ask on stderr whether to go on; anything but yes ends the command."""
    import typer  # noqa: PLC0415 - libraries that print do not need it

    typer.confirm(visible(question), abort=True, err=True)


def data() -> TextIO:
    """Return the stream for data on stdout: verbatim in a pipe or a file, as a person can read it on a terminal."""
    stream = sys.stdout
    stream.flush()
    return stream.verbatim if isinstance(stream, _Guarded) and not stream.isatty() else stream


def has_reader() -> bool:
    """Return whether stdout is read, or may be: not if it is closed, or a pipe or a socket whose other end is."""
    try:
        poll = select.poll()
    except AttributeError:  # this system has none
        return False
    poll.register(_first_stdout or 1, 0)
    return not any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0))


def guard() -> None:
    """Make stdout and stderr of this process show what they are sent, for good."""
    global _first_stdout  # noqa: PLW0603 - of the process, as the streams are
    with suppress(OSError):  # it is closed
        _first_stdout = _first_stdout or os.dup(1)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, _Guarded):
            setattr(sys, name, _Guarded(stream))


class _Guarded(io.TextIOWrapper):
    """A stream that shows what it is sent; of what a terminal obeys, colours and a bar's moves reach terminals only.

    Attributes:
        verbatim: the stream that it stands for.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.reconfigure(errors="surrogatepass" if stream.encoding.lower() == "utf-8" else None, write_through=True)
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)
        self.verbatim = stream

    def write(self, text: str) -> int:
        """Write a text; return the number of characters sent."""
        if self.isatty() or os.environ.get("FORCE_COLOR"):
            parts = _OURS.split(text)
            shown = "".join(part if place % 2 else visible(part, "\n\t") for place, part in enumerate(parts))
        else:
            shown = visible(text, "\n\t")
        super().write(shown)
        return len(text)


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSEEN or bool(_BLANK.match(letter))


def _escape(letter: str) -> str:
    number = ord(letter)
    if letter in _SHORT:
        return _SHORT[letter]
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004


def _json_escape(letter: str) -> str:
    """Return a letter of JSON text; outside of its strings, line feeds are all that is unseen."""
    if letter == "\n" or not _is_unseen(letter):
        return letter
    return json.dumps(letter)[1:-1] if letter != "\x7f" else "\\u007f"
