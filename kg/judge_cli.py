"""`kg critic judge`: people judge a batch of tasks in a terminal, or a language model does, after its price is said."""

from typing import TYPE_CHECKING, Annotated

import typer

from ingest.teacher.cli import BaseUrl, Budget, DryRun, InFlight, InterfaceName, Timeout, Yes
from kg.errors import InputError
from kg.terminal import ask, say
from kg.workspace import Workspace

if TYPE_CHECKING:
    from kg.judge import Judged, ModelJudge

_VOTES, _IN_FLIGHT, _TIMEOUT = 3, 64, 120.0


def judge(
    annotator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who judges; without it, the name of this user, or of the model."),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Which batch, by its run or its name; without it, the newest with something left, for a model the "
            "newest.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Let this language model judge, by its name at the provider; it is marked as a machine, and takes "
            "nobody's place. All options below are for a model.",
        ),
    ] = None,
    votes: Annotated[int, typer.Option(min=1, help="How often it is asked about each triple; odd.")] = _VOTES,
    interface: InterfaceName = "chat",
    base_url: BaseUrl = None,
    budget: Budget = None,
    in_flight: InFlight = _IN_FLIGHT,
    timeout: Timeout = _TIMEOUT,
    dry_run: DryRun = False,
    show_prompt: Annotated[
        bool, typer.Option("--show-prompt", help="Show the first prompt of each relation, and how it is sent.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Judge triples one at a time, a key a verdict; each is kept at once. Or let a language model do it."""
    if model is None:
        given = {
            "--votes": votes != _VOTES, "--interface": interface != "chat", "--base-url": base_url is not None,
            "--budget": budget is not None, "--in-flight": in_flight != _IN_FLIGHT, "--timeout": timeout != _TIMEOUT,
            "--dry-run": dry_run, "--show-prompt": show_prompt, "--yes": yes,
        }  # fmt: skip
        if alone := [name for name, is_given in given.items() if is_given]:
            raise InputError(f"{', '.join(alone)}: for a language model that judges; say which one: --model NAME")
        _judge_here(annotator, batch)
        return
    from ingest.teacher.cli import interface_of, requests_bar, show_request
    from ingest.teacher.local import make_ready
    from ingest.teacher.openai import OpenAITeacher, resolve
    from kg.graph.connection import open_graph
    from kg.judge import ModelJudge

    chosen, workspace = interface_of(interface), Workspace.default()
    address = None if chosen == "local" else resolve(base_url)
    if chosen != "local" and not dry_run:
        OpenAITeacher(model, chosen, base_url=address).check_key()
    with (
        open_graph(workspace) as graph,
        ModelJudge.open(
            graph, workspace, model, interface=chosen, base_url=address, batch=batch, annotator=annotator,
            votes=votes, timeout_seconds=timeout, in_flight=in_flight,
        ) as judging,
    ):  # fmt: skip
        needed, cached = judging.quote()
        say(f"Run {judging.run.id}, batch {judging.batch}: {needed}", err=not dry_run)
        if cached:
            how = "kept from before" if chosen == "local" else "paid for already"
            say(f"{cached:,} more are {how}.", err=not dry_run)
        if show_prompt:
            for request in judging.first_requests():
                show_request(request)
        if dry_run:
            say("Nothing was asked. To go on, the same without --dry-run")
            return
        if needed.requests and chosen == "local":
            make_ready(model)
        elif needed.requests and not yes:
            ask("Ask the model?")
        with requests_bar(needed.requests + cached) as tell:
            judged = judging.judge(budget_usd=budget, in_flight=in_flight, progress=tell)
    _report(judging, judged)


def _report(judging: "ModelJudge", judged: "Judged") -> None:
    """Say what came of it; exit with 1 if a triple has no verdict."""
    from critic.agreement_report import format_with_people

    tally = judged.tally
    say(
        f"Run {judging.run.id}: {judged.verdicts:,} of {judged.tasks:,} triples have a verdict of {judging.annotator}, "
        f"a machine; {tally.asked + tally.cached:,} replies ({tally.cached:,} of them kept from before)",
        f"{tally.tokens.prompt_tokens:,.0f} prompt and {tally.tokens.completion_tokens:,.0f} completion tokens"
        + ("" if judged.cost_usd is None else f", ${judged.cost_usd:,.4f} spent by this run in all"),
        *format_with_people([judged.with_people] if judged.with_people else []),
    )
    if tally.failed:
        say(
            f"{tally.failed:,} votes dropped, since no usable answer came; see {judged.folder / 'failures.jsonl'}",
            err=True,
        )
    if tally.stopped or judged.verdicts < judged.tasks:
        enough = f" with --budget {tally.needed:.10g}" if tally.needed else ""
        say(f"{tally.stopped or 'not all triples have a verdict'}; to go on: the same command{enough}", err=True)
        raise typer.Exit(1)


def _judge_here(annotator: str | None, batch: str | None) -> None:
    from critic.annotators import check_name, user_name
    from critic.session import Keys
    from critic.session import judge as judge_batch
    from kg.graph.connection import open_graph
    from kg.graph.tasks import find_batch

    name = check_name(annotator) if annotator else user_name()
    with open_graph(Workspace.default()) as graph:
        judge_batch(graph, find_batch(graph, batch, name)["id"], name, Keys())
