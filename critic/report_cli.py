"""`kg critic report`: the critics of a graph as a page, for somebody who has to choose one."""

from pathlib import Path
from typing import Annotated

import typer

from kg.terminal import say
from kg.workspace import Workspace


def report(
    folder: Annotated[Path, typer.Argument(help="Where the page and its pictures go.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Of the resampled events. Same seed, same result.")] = 0,
) -> None:
    """Say which critic to use and how sure that is: one HTML file, and its pictures as PNG; no model runs.

    It rests on the scores that the graph keeps of each critic, and on verdicts on validation events.
    """
    from critic.report.evidence import collect
    from critic.report.page import PAGE, write_report
    from critic.runs import kinds_of
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        evidence = collect(graph, kinds_of(graph, workspace))
    say(*write_report(evidence, folder, seed))
    say(f"The report is {folder / PAGE}")
