"""`kg sparql`: the graph as RDF, asked."""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from kg.commands.query import print_table
from kg.errors import GraphChanged, InputError
from kg.sparql.forms import FORMS, TABLE
from kg.terminal import data, say
from kg.workspace import STANDARD, Workspace

if TYPE_CHECKING:
    from kg.graph.knowledge import KnowledgeGraph

_ROWS = 100
_ENDINGS = (".rq", ".sparql")
_MOST_SECONDS = 86_400.0
FormName = StrEnum("FormName", [TABLE, *FORMS])  # type: ignore[misc] # the choices are those of the table


def sparql(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY|FILE|-",
            help="SPARQL 1.1 that only reads; a file that ends in .rq or .sparql; - is stdin. The prefixes of "
            "kg export rdf need no declaration, and skd: is the base.",
            show_default=False,
        ),
    ],
    form: Annotated[
        FormName | None,
        typer.Option(
            "--format",
            help="Of the answer. Without it, a table for SELECT and ASK, and ttl for CONSTRUCT and DESCRIBE.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=_MOST_SECONDS, help="Seconds after which the query is ended.")
    ] = 30.0,
) -> None:
    """Ask the graph as RDF by SPARQL, from a copy in the workspace that is made anew when the graph has changed.

    Which state answered, a line on stderr says: its content hash is that of kg stats --hash.
    """
    from kg.graph.connection import open_graph
    from kg.sparql.asking import ask
    from kg.sparql.words import check_reading

    text = _text(query)
    check_reading(text)
    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        _fill(graph, workspace.place("sparql"))
    forms = [form.value] if form else ["ttl", TABLE]
    answer = ask(workspace.place("sparql"), text, forms, timeout_seconds=timeout, most_rows=_ROWS)
    with answer.file as file:
        if answer.form == TABLE:
            import json

            table = json.load(file)
            print_table(table["columns"], table["rows"])
            if table["cut"]:
                say(f"Cut after {_ROWS} rows; there are more (--format csv shows all).", err=True)
        else:
            _copy(file)
    say(f"Content hash {answer.kept.content_hash}", err=True)


def _text(query: str) -> str:
    path = Path(query)
    if path != STANDARD and path.suffix not in _ENDINGS:
        return query
    try:
        return sys.stdin.read() if path == STANDARD else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the query in {path}: {error}") from error


def _fill(graph: "KnowledgeGraph", folder: Path) -> None:
    """Bring the kept store up to date; where a run writes all the time, stay with the state that is kept."""
    from kg.progress import Bar
    from kg.sparql.kept import current, refresh

    try:
        with Bar(unit="edges", desc="RDF") as bar:
            refresh(
                graph, folder, progress=bar.update,
                waiting=lambda: say("Another process makes the copy; waiting for it.", err=True),
            )  # fmt: skip
    except GraphChanged as error:
        if current(folder) is None:
            raise
        say(f"Answered from an older state: {error}", err=True)


def _copy(file: IO[bytes]) -> None:
    out = data()
    with io.TextIOWrapper(file, encoding="utf-8", newline="") as lines:
        out.writelines(lines)
    out.flush()
