"""`kg ingest batch`: the provider's batch interface, at half the price."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from kg.terminal import ask, say
from kg.workspace import Workspace

if TYPE_CHECKING:
    from ingest.teacher.batch import Batches

app = typer.Typer(help="Send a run as batches: half the price, within a day.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id, which --dry-run names.", show_default=False)]


@app.command()
def submit(run: RunId, yes: Annotated[bool, typer.Option("--yes", help="Do not ask before spending.")] = False) -> None:
    """Send what is neither paid for nor on its way. `kg ingest inferences --dry-run` makes a run to send."""
    with _batches(Workspace.default(), run) as batches:
        offer = batches.offer()
        say(f"Run {run}: {offer.estimate}", err=True)
        if offer.round > 1 and offer.estimate.requests:
            say(f"That is round {offer.round}: {offer.events:,} different events came before it.", err=True)
        if offer.estimate.requests and not yes:
            ask("Send the batch?")
        sent = batches.submit()
        for batch in sent:
            say(f"Batch {batch.id}: {batch.requests:,} requests, {batch.status}")
        ended = [] if sent else batches.uncollected()
    if not sent and not ended:
        say("Nothing was sent: all requests are paid for or on their way.")
    for fault in ended:
        say(f"Nothing was sent: {fault}.", err=True)
    if ended:
        raise typer.Exit(1)
    say(f"Next: kg ingest batch status {run}, then kg ingest batch collect {run}", err=True)


@app.command()
def status(run: RunId) -> None:
    """Say how far each batch is."""
    with _batches(Workspace.default(), run) as batches:
        for batch, state in batches.refresh():
            counts = state.request_counts
            done = f", {counts.completed:,} done, {counts.failed:,} failed" if counts else ""
            say(f"Batch {batch.id}: {batch.requests:,} requests, {batch.status}{done}")


@app.command()
def collect(run: RunId) -> None:
    """Bring in what the batches that ended have, in whatever way they ended, and write it into the graph."""
    from ingest.teacher import events, inferences
    from ingest.teacher.cli import report, resumable
    from ingest.teacher.plan import open_plan
    from ingest.teacher.run import Teaching
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with resumable(f"kg ingest batch collect {run}"):
        with _batches(workspace, run) as batches:
            done = batches.collect()
        say(f"{done.replies:,} replies collected, {done.failed:,} requests without one")
        for fault in done.faults:
            say(fault, err=True)
        plan = open_plan(workspace, run)
        generate = events.generate_events if plan.kind == "events" else inferences.generate_inferences
        with open_graph(workspace) as graph:
            taught = generate(graph, Teaching(workspace, plan, cached_only=True))
        report(plan, taught, 0.0)


@contextmanager
def _batches(workspace: Workspace, run: str) -> Iterator["Batches"]:
    from ingest.teacher.batch import Batches
    from ingest.teacher.lesson import Lesson
    from ingest.teacher.plan import open_plan

    with Lesson.open(workspace, open_plan(workspace, run)) as lesson:
        yield Batches(lesson)
