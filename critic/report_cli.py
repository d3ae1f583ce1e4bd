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
    """Say which critic to use and how sure that is: one HTML file, and its pictures as PNG.

    It rests on verdicts on validation events, and on the scores that the graph keeps of each critic; critics in
    this workspace are asked for those that it lacks.
    """
    from critic.report.evidence import collect
    from critic.report.page import PAGE, write_report
    from critic.runs import critic_in, kinds_of
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        evidence = collect(
            graph, kinds_of(graph, workspace), lambda critic, some: critic_in(workspace, critic).score(some)
        )
    say(*write_report(evidence, folder, seed))
    say(f"The report is {folder / PAGE}")
