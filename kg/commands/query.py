"""`kg query` and `kg stats`: what the graph says."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kg import strict_json
from kg.errors import InputError
from kg.terminal import say, say_json, visible
from kg.workspace import Workspace


def query(
    cypher: Annotated[str, typer.Argument(metavar="CYPHER|NAME|FILE", help="What to ask.", show_default=False)] = "",
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter, k=v; v is JSON, or else a text. Repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows printed.")] = 100,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which the server ends it.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Ask the graph: a shipped query by its name, a file, or reading Cypher. Without any, list the shipped ones."""
    from kg import adhoc, queries
    from kg.connection import open_graph

    if not cypher:
        print_table(["name", "what it returns", "parameters"], [_described(name) for name in queries.named()])
        return
    if cypher in queries.named():
        chosen = queries.load(cypher)
    elif cypher.endswith(".cypher"):
        chosen = queries.load_file(Path(cypher))
    elif cypher.replace("_", "").isalnum():
        raise InputError(f"no query {cypher!r}; there are {', '.join(queries.named())}")
    else:
        chosen = queries.Query("ad hoc", cypher)
    parameters = chosen.defaults | dict(_parameter(text) for text in param or ())
    missing = [f"{name} ({text})" for name, text in chosen.parameters.items() if name not in parameters]
    if missing:
        raise InputError(f"query {chosen.name} wants --param {missing[0].partition(' ')[0]}=…: {'; '.join(missing)}")
    with open_graph(Workspace.default()) as graph:
        answer = adhoc.run(graph.store, chosen.text, parameters, limit_rows=limit, timeout_seconds=timeout)
    if as_json:
        for row in answer.rows:
            say_json(dict(zip(answer.columns, row, strict=True)), default=_plain)
    else:
        print_table(answer.columns, answer.rows)
    if answer.cut:
        say(f"Cut after {limit:,} rows; there are more (--limit).", err=True)


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    with_hash: Annotated[
        bool, typer.Option("--hash", help="Also the content hash: equal for equal graphs, wherever they are.")
    ] = False,
) -> None:
    """Count what is in the graph."""
    from kg.connection import open_graph
    from kg.content import hash_graph
    from kg.terminal import tqdm

    with open_graph(Workspace.default()) as graph:
        counts = graph.statistics()
        if with_hash:
            with tqdm(total=counts["edges"], unit=" edges", desc="hash", disable=None) as bar:
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


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--param {text!r} is not of the form name=value")
    try:
        return name, strict_json.read(value)
    except ValueError:
        return name, value


def _described(name: str) -> list[str]:
    from kg import queries

    found = queries.load(name)
    parameters = ", ".join(
        f"{parameter}={json.dumps(found.defaults[parameter])}" if parameter in found.defaults else parameter
        for parameter in found.parameters
    )
    return [name, found.summary, parameters]


def _json(value: Any) -> str:
    return strict_json.write(value, default=_plain)


def _plain(value: Any) -> Any:
    """Return nodes and relationships as their properties, and all else that JSON lacks as text."""
    return dict(value.items()) if hasattr(value, "items") else str(value)


def print_table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print rows as a table that fits the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(Text(visible(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_cell(value))) for value in row))
    Console(highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value).strip('"')
