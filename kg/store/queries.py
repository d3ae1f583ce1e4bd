"""The statements in `cypher/`: the only place where Cypher is written.

One statement a file; its path is its name. The header is the contract, and tests check it:

    // What the statement does, in a sentence.
    //
    // $event  text of the event
    // $lang   its language (default "en")
    // ->      relation, tail, score

Queries at the top of the folder are for users (`kg query NAME`); `graph/` and `schema/` serve `kg.graph`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from kg.errors import InputError, NotFound
from kg.store.cypher_text import check_condition
from kg.vocabulary import Relation

_PARAMETER = re.compile(r"\$(\w+)\s+(.*)")
_DEFAULT = re.compile(r"\(default (.+)\)$")
_WHERE = re.compile(r"\(([^()]*) /\* where \*/\)")  # the condition of a statement that a user may replace


@dataclass(frozen=True, slots=True)
class Query:
    """One statement and its contract.

    Attributes:
        name: path below `cypher/` without the ending.
        text: the statement.
        summary: the first sentence of the header.
        parameters: name to description.
        defaults: values of the parameters that may be left out.
        columns: names of the columns returned, in order.
    """

    name: str
    text: str
    summary: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    def of(self, relation: Relation) -> "Query":
        """Return the statement for one relation. Its name is an identifier: `Relation` accepts nothing else."""
        return replace(self, text=self.text.replace(":RELATION", f":{relation.name}"))

    def where(self, condition: str | None) -> "Query":
        """Return the statement with a user's Cypher condition over `head`, `r` and `tail` in place of its own.

        The line breaks keep a comment in the condition from swallowing what follows. Run it in read mode only.

        Raises:
            UnsafeQuery: the condition does not stay within its brackets.
        """
        if condition is None:
            return self
        if not _WHERE.search(self.text):
            raise InputError(f"query {self.name} takes no condition")
        check_condition(condition)
        return replace(self, text=_WHERE.sub(lambda _: f"(\n{condition}\n)", self.text))


def parse(text: str, name: str) -> Query:
    """Return the query in a file's text, header and statement."""
    summary: list[str] = []
    parameters: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    columns: tuple[str, ...] = ()
    lines = text.strip().splitlines()
    body = 0
    for body, line in enumerate(lines):  # noqa: B007 - where the header ends is used below
        if not line.startswith("//"):
            break
        comment = line.removeprefix("//").strip()
        if comment.startswith("->"):
            columns = tuple(column.strip() for column in comment.removeprefix("->").split(","))
        elif match := _PARAMETER.fullmatch(comment):
            parameters[match[1]] = match[2]
            if default := _DEFAULT.search(match[2]):
                defaults[match[1]] = json.loads(default[1])
        elif comment:
            summary.append(comment)
    return Query(name, "\n".join(lines[body:]).rstrip(";"), " ".join(summary), parameters, defaults, columns)


@cache
def load(name: str) -> Query:
    """Return a shipped query by its name.

    Raises:
        NotFound: there is no such query.
    """
    file = resources.files("cypher").joinpath(f"{name}.cypher")
    if not file.is_file():
        raise NotFound(f"no query {name!r}; there are {', '.join(named())}")
    return parse(file.read_text(encoding="utf-8"), name)


def load_file(path: Path) -> Query:
    """Return the query in a user's file."""
    try:
        return parse(path.read_text(encoding="utf-8"), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the query in {path}: {error}") from error


def schema(name: str = "constraints") -> list[str]:
    """Return the statements of a file in `cypher/schema/`: of constraints and indexes, each safe to repeat."""
    text = resources.files("cypher").joinpath(f"schema/{name}.cypher").read_text(encoding="utf-8")
    return [statement.strip() for statement in text.split(";") if statement.strip()]


@cache
def named() -> tuple[str, ...]:
    """Return the names of the queries for users, sorted."""
    return tuple(name for name in all_names() if "/" not in name)


@cache
def all_names() -> tuple[str, ...]:
    """Return the names of all queries, sorted."""
    return tuple(sorted(_names(resources.files("cypher"), "")))


def _names(folder: Traversable, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".cypher") and prefix != "schema/":
            yield prefix + entry.name.removesuffix(".cypher")
