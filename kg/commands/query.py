"""`kg query` and `kg stats`: what the graph says."""

import csv
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kg import strict_json
from kg.errors import InputError
from kg.terminal import data, say, say_json, visible
from kg.workspace import Workspace

if TYPE_CHECKING:
    from kg.store.queries import Query

_ROWS = 100
_MOST_ROWS = 1_000_000_000
_LEAST_SECONDS = 0.001
_MOST_SECONDS = 1_000_000
_MOST_DEPTH = 100
_INTEGER_DIGITS = 20
_SPACE = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # what would end a cell or a line
_WIDEST = 120  # columns of Markdown on a terminal; longer lines are hard to read


def query(
    cypher: Annotated[str, typer.Argument(metavar="CYPHER|NAME|FILE", help="What to ask.", show_default=False)] = "",
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter, k=v; v is JSON, or else a text. Repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help=f"Most rows printed; {_ROWS} if left out.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which the server ends it.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values, with a header.")] = False,
    as_tsv: Annotated[
        bool,
        typer.Option("--tsv", help="Tab-separated values, with a header; nothing is quoted."),
    ] = False,
) -> None:
    """Ask the graph: a shipped query by its name, a file, or reading Cypher. Without any, list the shipped ones."""
    from kg.graph.connection import open_graph
    from kg.store import adhoc, queries

    if as_json + as_csv + as_tsv > 1:
        raise InputError("--json, --csv and --tsv: give one of them")
    _check_bounds(limit, timeout)
    if not cypher:
        print_table(["name", "what it returns", "parameters"], [_described(name) for name in queries.named()])
        return
    chosen = _chosen(cypher)
    parameters = chosen.defaults | dict(parse_parameter(text) for text in param or ())
    missing = [f"{name} ({text})" for name, text in chosen.parameters.items() if name not in parameters]
    if missing:
        raise InputError(f"query {chosen.name} wants --param {missing[0].partition(' ')[0]}=…: {'; '.join(missing)}")
    with open_graph(Workspace.default()) as graph:
        answer = adhoc.run(graph.store, chosen.text, parameters, limit_rows=limit or _ROWS, timeout_seconds=timeout)
    if as_json:
        for row in answer.rows:
            say_json(_plain(dict(zip(answer.columns, row, strict=True))))
    elif as_csv or as_tsv:
        rows = [answer.columns, *([cell_text(value) for value in row] for row in answer.rows)]
        if as_csv:
            csv.writer(data(), lineterminator="\n").writerows(rows)
        else:
            data().writelines("\t".join(_SPACE.sub(" ", cell) for cell in row) + "\n" for row in rows)
    else:
        print_table(answer.columns, answer.rows)
    if cypher not in queries.named():  # a shipped query names what a young graph does not have yet
        print_notes(answer.notes)
    if answer.cut and limit is None:
        say(f"Cut after {_ROWS:,} rows; there are more (--limit).", err=True)


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    with_hash: Annotated[
        bool, typer.Option("--hash", help="Also the content hash: equal for equal graphs, wherever they are.")
    ] = False,
) -> None:
    """Count what is in the graph."""
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        counts = graph.statistics()
        if with_hash:
            from kg.progress import Bar
            from kg.snapshot.hashing import hash_graph

            with Bar(total=counts["edges"], unit="edges", desc="hash") as bar:
                counts["content_hash"] = hash_graph(graph, bar.update)
    if as_json:
        say_json(counts, default=_plain)
        return
    relations = counts.pop("relations")
    print_table(
        ["", "count"], [[name, count if isinstance(count, str) else f"{count:,}"] for name, count in counts.items()]
    )
    if relations:
        print_table(["relation", "edges"], [[name, f"{count:,}"] for name, count in relations.items()])


def _check_bounds(limit: int | None, timeout: float) -> None:
    if limit is not None and not 1 <= limit <= _MOST_ROWS:
        raise InputError(f"--limit {limit} is not between 1 and {_MOST_ROWS:,}")
    if not _LEAST_SECONDS <= timeout <= _MOST_SECONDS:
        raise InputError(f"--timeout {timeout:g} is not between {_LEAST_SECONDS} and {_MOST_SECONDS:,} seconds")


def _chosen(cypher: str) -> "Query":
    from kg.store import queries

    if cypher in queries.named():
        return queries.load(cypher)
    if cypher.endswith(".cypher"):
        return queries.load_file(Path(cypher))
    if cypher.replace("_", "").isalnum():
        raise InputError(f"no query {cypher!r}; there are {', '.join(queries.named())}")
    return queries.Query("ad hoc", cypher)


def parse_parameter(text: str) -> tuple[str, Any]:
    """Return the name and the value of `k=v`; v is JSON, or else a text.

    Raises:
        InputError: it has no name, or a value that Neo4j has no place for.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--param {text[:80]!r} is not of the form name=value")
    try:
        found = json.loads(value, parse_int=_integer, parse_constant=_no_constant)
        _check_value(found, 0)
    except RecursionError as error:
        raise InputError(f"--param {name} is nested deeper than {_MOST_DEPTH} levels") from error
    except InputError as error:
        raise InputError(f"--param {name[:80]} {error}") from error
    except ValueError:
        found = value
    try:
        (name + _json(found)).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"--param {name[:80]!a} holds half of a surrogate pair, which is no text") from error
    return name, found


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS or not -(2**63) <= int(digits) < 2**63:
        raise InputError(f"is an integer of {len(digits.lstrip('-'))} digits; Neo4j's have 64 bits (quote a text)")
    return int(digits)


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are no JSON: a text


def _check_value(value: Any, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise InputError(f"is nested deeper than {_MOST_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_value(item, depth + 1)


def _described(name: str) -> list[str]:
    from kg.store import queries

    found = queries.load(name)
    parameters = ", ".join(
        f"{parameter}={json.dumps(found.defaults[parameter])}" if parameter in found.defaults else parameter
        for parameter in found.parameters
    )
    return [name, found.summary, parameters]


def _json(value: Any) -> str:
    return strict_json.write(_plain(value))


def _plain(value: Any) -> Any:
    """Return what JSON can say: nodes as their properties, NaN and infinity as null, times and all else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "iso_format"):  # dates, times and durations; a duration is a tuple besides
        return value.iso_format()
    if hasattr(value, "items"):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def print_notes(notes: Iterable[str]) -> None:
    """Print what the user should know of a statement, each once, a line each, on stderr."""
    for note in dict.fromkeys(notes):
        say(f"Note: {note}", err=True)


def print_markdown(text: str) -> None:
    """Print Markdown as it is; on a terminal with its tables in columns and its lines wrapped, at most 120 wide."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(highlight=False)
    if not console.is_terminal:
        say(*text.split("\n"))
        return
    shown = "\n".join(visible(line) for line in text.split("\n"))
    console.print(Markdown(shown, hyperlinks=False), width=min(console.width, _WIDEST))


def print_table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print rows as a table; where the terminal is too narrow for its longest words, a block of lines for each row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    names = [visible(column) for column in columns]
    cells = [[visible(cell_text(value)) for value in row] for row in rows]
    widths = [max(map(_longest_word, column)) for column in zip(names, *cells, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= console.width:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in names:
            table.add_column(Text(name), overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        console.print(table)
        return
    for number, row in enumerate(cells, 1):
        block = Table(box=None, show_header=False, pad_edge=False)
        block.add_column(style="bold", no_wrap=True)
        block.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            block.add_row(Text(name), Text(cell))
        console.print(*([""] if number > 1 else []), block, sep="\n")


def _longest_word(text: str) -> int:
    """Return the cells that the longest word of a text takes on a terminal."""
    from rich.cells import cell_len

    return max(map(cell_len, text.split()), default=0)


def cell_text(value: Any) -> str:
    """Return a value of an answer as the text of a table's cell; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    shown = _plain(value)
    return shown if isinstance(shown, str) else _json(shown)
