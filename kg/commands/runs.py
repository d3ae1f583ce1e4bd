"""`kg runs`: who asserted what, and taking it back."""

import json
from typing import Annotated

import typer

from kg.terminal import ask, say, say_json
from kg.workspace import Workspace

app = typer.Typer(help="See who asserted what, and take it back.", no_args_is_help=True)

_SHOWN = ("id", "kind", "status", "model", "dataset", "started", "finished", "offered", "added")


@app.command("list")
def list_runs(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the runs, the newest first."""
    from kg.commands.query import print_table
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        runs = graph.runs()
    if as_json:
        for run in runs:
            say_json({name: run.get(name) for name in _SHOWN} | run)
    else:
        print_table(list(_SHOWN), [[run.get(name) for name in _SHOWN] for run in runs])


def show(run_id: str) -> None:
    """Print all that is known of one run; `kg.cli` makes a command of it, with what a stage knows besides."""
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        run = graph.run(run_id)
    run["parameters"] = json.loads(run.get("parameters") or "{}")
    say_json({name: run.get(name) for name in _SHOWN} | run, indent=2)
    folder = workspace.place("runs", run_id)
    if folder.is_dir():
        say(
            f"Its files are in {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}",
            err=True,
        )


@app.command()
def undo(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run, as kg runs list names it.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take back what a run asserted: its evidence goes, and what is left without any goes with it."""
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    with open_graph(Workspace.default()) as graph:
        run = graph.run(run_id)
        if not yes:
            what = f"{run['kind']} of {run.get('dataset') or run.get('model')}, {run.get('added', 0):,} added"
            ask(f"Undo run {run_id} ({what})?")
        before = graph.statistics()
        with Bar(unit="edges", desc="undo") as bar:
            touched = graph.undo(run_id, bar.update)
        after = graph.statistics()
    gone = {name: before[name] - after[name] for name in ("edges", "judgements", "phrases")}
    say(
        f"Run {run_id} undone: {touched:,} lost its evidence; "
        f"{gone['edges']:,} edges, {gone['judgements']:,} judgements and {gone['phrases']:,} phrases deleted"
    )
