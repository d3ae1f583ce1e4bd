"""Readers: one function a format, from the lines of a file to assertions.

Each takes lines and yields `Assertion`s and, for rows that it cannot use, `Rejected`s; texts other than a teacher's
stay as they are published.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ingest.readers.atomic import read_atomic2019, read_atomic2020, read_cn100k
from ingest.readers.conceptnet import read_conceptnet
from ingest.readers.kgtk import read_kgtk
from ingest.readers.kgx import read_kgx
from ingest.readers.lama import read_lama
from ingest.readers.rows import Rows, json_object
from ingest.readers.teachers import read_completions, read_phalm, read_skd
from kg.errors import InputError
from kg.lines import Line, Rejected, read_lines
from kg.vocabulary import Vocabulary

Reader = Callable[[Iterable[Line | Rejected], Vocabulary, str], Rows]

_KEYS = {
    "skd": {"head", "relation", "tail"},
    "completions": {"event", "relation", "tails"},
    "phalm": {"event", "inference"},
    "kgx": {"subject", "predicate", "object"},
    "lama": {"sub_label", "obj_label"},
}


class Format(NamedTuple):
    """A format: its reader, and the vocabulary and language that are used where none is named."""

    read: Reader
    vocabulary: str
    lang: str = "en"


READERS: dict[str, Format] = {
    "skd": Format(read_skd, "skd2"),
    "atomic2020": Format(read_atomic2020, "atomic2020"),
    "atomic2019": Format(read_atomic2019, "atomic"),
    "conceptnet": Format(read_conceptnet, "conceptnet"),
    "kgtk": Format(read_kgtk, "cskg"),
    "kgx": Format(read_kgx, "cskg"),
    "lama": Format(read_lama, "lama"),
    "cn100k": Format(read_cn100k, "conceptnet"),
    "completions": Format(read_completions, "skd"),
    "phalm": Format(read_phalm, "atomic", "ja"),
}


def guess_format(path: Path) -> str:
    """Return the format that the first readable line of a file looks like.

    Raises:
        InputError: it looks like none of them.
    """
    first = next((line for line in read_lines(path) if isinstance(line, Line)), None)
    text = first.text if first else ""
    if text.lstrip().startswith("{"):
        keys = json_object(text).keys()
        for name, wanted in _KEYS.items():
            if wanted <= keys:
                return name
    elif text.startswith("event,"):
        return "atomic2019"
    elif {"node1", "node2"} <= set(text.split("\t")):
        return "kgtk"
    elif text.startswith("/a/["):
        return "conceptnet"
    elif text.count("\t") == 2:  # noqa: PLR2004 - head, relation, tail
        return "cn100k" if text.partition("\t")[0] in Vocabulary.load("conceptnet") else "atomic2020"
    raise InputError(f"{path} looks like none of {', '.join(READERS)}; its first line is {text[:80]!r}; say --format")
