"""`kg runs`: who asserted what, and taking it back."""

import json
import shutil
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from kg.errors import NotFound
from kg.run import PROBE_KIND, round_of
from kg.terminal import ask, say, say_json, visible
from kg.workspace import Workspace

app = typer.Typer(help="See who asserted what, and take it back.", no_args_is_help=True)

_NEWER = frozenset({"cost_usd"})  # what a stage knows better than the graph, which is told at the end of a run
_SHOWN = ("id", "kind", "status", "model", "dataset", "started", "finished", "offered", "added")
_LEAVE_FILES = {
    "evaluate",
    PROBE_KIND,
    "train-critic",
    "train-student",
}  # kinds whose undoing leaves files


@app.command("list")
def list_runs(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the runs, the newest first; their ids are never cut or broken."""
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        runs = graph.runs()
    if as_json:
        for run in runs:
            say_json({name: run.get(name) for name in _SHOWN} | run)
    else:
        _print_runs(runs)


def _print_runs(runs: list[dict[str, Any]]) -> None:
    """Print a line a run, cut to the terminal; what is cut is never the id, which is for copying."""
    from rich.cells import cell_len, set_cell_size

    rows = [("id", "status", "started", "added", "about")]
    for run in runs:
        number, _ = round_of(run)
        told = [f"round {number}"] if number else []
        about = ", ".join([*told, *(str(run[name]) for name in ("reason", "model", "dataset") if run.get(name))])
        started = str(run.get("started") or "")[:16].replace("T", " ")
        rows.append((run["id"], str(run.get("status")), started, f"{run.get('added') or 0:,}", about))
    lines = [[visible(cell) for cell in row] for row in rows]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(4)]
    columns = max(shutil.get_terminal_size().columns, widths[0])
    for *cells, about in lines:
        cells[3] = cells[3].rjust(widths[3])
        line = "  ".join([*map(set_cell_size, cells, widths), about])
        say(line if cell_len(line) <= columns else set_cell_size(line, columns - 1) + "…")


def show(run_id: str, of_stage: Mapping[str, Any]) -> None:
    """Print all that is known of one run; `kg.cli` makes a command of it.

    Args:
        run_id: the run.
        of_stage: what a stage knows of the run besides; the status is said only where the graph has no such run yet.
    """
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        try:
            run = dict(of_stage) | graph.run(run_id) | {name: of_stage[name] for name in _NEWER & of_stage.keys()}
        except NotFound:
            if not of_stage:
                raise
            run = dict(of_stage)
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
    """Leave the graph as the other runs make it, or say which of them rest on this one."""
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        run = graph.run(run_id)
        if not yes:
            what = f"{run['kind']} of {run.get('dataset') or run.get('model')}, {run.get('added', 0):,} added"
            ask(f"Undo run {run_id} ({what})?")
        before = graph.statistics()
        with Bar(unit="edges", desc="undo") as bar:
            touched = graph.undo(run_id, bar.update)
        after = graph.statistics()
        current = {"critic": _current(graph.critics()), "student": _current(graph.students())}
    gone = {name: max(0, before[name] - after[name]) for name in ("edges", "judgements", "phrases")}
    say(
        f"Run {run_id} undone: {touched:,} changed; {gone['edges']:,} edges, {gone['judgements']:,} judgements and "
        f"{gone['phrases']:,} phrases deleted"
    )
    if run["kind"] == "dedupe":
        say(f"{max(0, after['edges'] - before['edges']):,} edges are back")
    for name, found in current.items():
        if run["kind"] in (f"train-{name}", f"use-{name}"):
            say(f"The current {name} is {found or 'none'}")
    if run["kind"] in ("evaluate", PROBE_KIND):
        say("It wrote nothing in the graph")
    if run["kind"] in _LEAVE_FILES:
        say(f"Its files stay in {workspace.root}: {_files(workspace, run)}")


def _current(found: list[dict[str, Any]]) -> str | None:
    return next((one["id"] for one in found if one.get("current")), None)


def _files(workspace: Workspace, run: dict[str, Any]) -> str:
    places = [f"runs/{run['id']}", f"critics/{run.get('critic')}", f"students/{run.get('student')}"]
    return ", ".join(place for place in places if (workspace.root / place).is_dir()) or "there are none"
