"""`kg ingest events|inferences|resume`: ask a live teacher, after saying what it will cost."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kg import strict_json
from kg.errors import InputError
from kg.interrupts import is_interrupt
from kg.terminal import ask, say, say_json
from kg.wide import RayAddress, workers
from kg.workspace import Workspace

if TYPE_CHECKING:
    from ingest.teacher.messages import Interface, Request
    from ingest.teacher.plan import Plan
    from ingest.teacher.run import Taught

Model = Annotated[
    str,
    typer.Option(
        help="The model, by its name at the provider; of a local teacher a folder, a hub's name, or gemma.",
        show_default=False,
    ),
]
Prompts = Annotated[str, typer.Option(metavar="paper|release|DIR", help="The prompts' folder.")]
Vocabulary = Annotated[str, typer.Option(metavar="NAME|FILE", help="A shipped vocabulary or a TOML file.")]
InterfaceName = Annotated[
    str, typer.Option("--interface", help="chat, completions, or local (a base model in this process).")
]
BaseUrl = Annotated[str | None, typer.Option(help="The provider; without it, $OPENAI_BASE_URL or OpenAI.")]
Lang = Annotated[str, typer.Option(help="BCP 47 tag of the texts.")]
Seed = Annotated[int, typer.Option(help="Of the choice of seeds, and of a local teacher.")]
Budget = Annotated[float | None, typer.Option(min=0, help="US dollars that the run may cost in all.")]
InFlight = Annotated[int, typer.Option(min=1, help="Most requests at once.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")]
MaxFailures = Annotated[float, typer.Option(min=0, max=1, help="Share of failed requests that is no error.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and ask nothing.")]
ShowPrompt = Annotated[
    bool, typer.Option("--show-prompt", help="Show the first prompt of each relation, and the request it is sent as.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before spending.")]


def generate_events(
    count: Annotated[int, typer.Option(min=1, help="How many events.", show_default=False)],
    model: Model,
    seeds: Annotated[Path | None, typer.Option(help="One event a line; without it, those of the prompts.")] = None,
    prompts: Prompts = "paper",
    vocabulary: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Relations to make known already.")
    ] = None,
    interface: InterfaceName = "chat",
    base_url: BaseUrl = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Events a request; 20, or 100 by completions.")] = None,
    lang: Lang = "en",
    seed: Seed = 0,
    budget: Budget = None,
    in_flight: InFlight = 64,
    timeout: Timeout = 120,
    max_failures: MaxFailures = 0.05,
    ray: RayAddress = None,
    dry_run: DryRun = False,
    show_prompt: ShowPrompt = False,
    yes: Yes = False,
) -> None:
    """Let a live teacher write events that are like the seeds."""
    from ingest.teacher.openai import resolve
    from ingest.teacher.plan import Plan
    from ingest.teacher.prompts import Prompts as Folder
    from ingest.teacher.prompts import read_events
    from kg.vocabulary import Vocabulary as Relations

    relations = tuple(Relations.load(vocabulary)) if vocabulary else ()
    texts = tuple(read_events(seeds) if seeds else Folder(prompts).seeds)
    chosen = interface_of(interface)
    plan = Plan(
        "events", model, chosen, None if chosen == "local" else resolve(base_url), prompts, lang,
        samples or (100 if chosen == "completions" else 20), texts,
        seed=seed, count=count, relations=relations,
    )  # fmt: skip
    _teach(plan, budget, in_flight, timeout, max_failures, ray=ray, dry_run=dry_run, show_prompt=show_prompt, yes=yes)


def generate_inferences(
    model: Model,
    events: Annotated[
        str | None,
        typer.Option(metavar="CYPHER|FILE", help="A query that returns event, or one event a line; without it, all."),
    ] = None,
    relations: Annotated[str | None, typer.Option(help="Names, parted by commas; without it, all.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Tails for an event and a relation.")] = 10,
    prompts: Prompts = "paper",
    vocabulary: Vocabulary = "skd",
    interface: InterfaceName = "chat",
    base_url: BaseUrl = None,
    lang: Lang = "en",
    seed: Seed = 0,
    budget: Budget = None,
    in_flight: InFlight = 64,
    timeout: Timeout = 120,
    max_failures: MaxFailures = 0.05,
    ray: RayAddress = None,
    dry_run: DryRun = False,
    show_prompt: ShowPrompt = False,
    yes: Yes = False,
) -> None:
    """Let a live teacher write the tails of events and relations."""
    from ingest.teacher.openai import resolve
    from ingest.teacher.plan import Plan, relations_of
    from kg.vocabulary import Vocabulary as Relations

    asked = relations_of(Relations.load(vocabulary), relations)
    chosen = interface_of(interface)
    plan = Plan(
        "inferences", model, chosen, None if chosen == "local" else resolve(base_url), prompts, lang, samples,
        find_events(events, lang), seed=seed, relations=asked,
    )  # fmt: skip
    _teach(plan, budget, in_flight, timeout, max_failures, ray=ray, dry_run=dry_run, show_prompt=show_prompt, yes=yes)


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, as kg runs list names it.", show_default=False)],
    budget: Budget = None,
    in_flight: InFlight = 64,
    timeout: Timeout = 120,
    max_failures: MaxFailures = 0.05,
    ray: RayAddress = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Go on with a run that was interrupted, ran out of money, or had failures; what is paid for is not paid again."""
    from ingest.teacher.plan import open_plan

    plan = open_plan(Workspace.default(), run)
    _teach(plan, budget, in_flight, timeout, max_failures, ray=ray, dry_run=dry_run, yes=yes)


def _teach(
    plan: "Plan", budget: float | None, in_flight: int, timeout: float, max_failures: float, *,
    ray: str | None, dry_run: bool, yes: bool, show_prompt: bool = False,
) -> None:  # fmt: skip
    from ingest.teacher import events, inferences
    from ingest.teacher.local import make_ready
    from ingest.teacher.quote import quote
    from ingest.teacher.run import Teaching
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    _check(plan, ray, dry_run=dry_run)
    offer = quote(workspace, plan)
    say(f"Run {offer.run}: {offer.estimate}", err=not dry_run)
    if plan.kind == "events" and offer.estimate.requests:
        say("That is one round; if too few events are new, more follow, six times as much at most.", err=not dry_run)
    if offer.cached:
        how = "kept from before" if plan.interface == "local" else "paid for already"
        say(f"{offer.cached:,} more are {how}.", err=not dry_run)
    if offer.borrowed:
        say(f"{plan.prompts} has no prompt for {', '.join(offer.borrowed)}: shipped ones are used.", err=not dry_run)
    if show_prompt:
        for request in offer.prompts:
            show_request(request)
    if dry_run:
        say(f"Nothing was asked. To go on: kg ingest resume {offer.run}, or kg ingest batch submit {offer.run}")
        return
    if offer.estimate.requests and plan.interface == "local":
        make_ready(plan.model)
    elif offer.estimate.requests and not yes:
        ask("Ask the teacher?")
    generate = events.generate_events if plan.kind == "events" else inferences.generate_inferences
    with resumable(_resume(offer.run, budget)):
        with (
            open_graph(workspace) as graph, workers(ray, workspace) as spread,
            requests_bar(offer.estimate.requests + offer.cached) as tell,
        ):  # fmt: skip
            teaching = Teaching(
                workspace, plan, budget_usd=budget, in_flight=in_flight, timeout_seconds=timeout, spread=spread,
                progress=tell,
            )  # fmt: skip
            taught = generate(graph, teaching)
        report(plan, taught, max_failures, budget)


def _check(plan: "Plan", ray: str | None, *, dry_run: bool) -> None:
    """Refuse what a teacher cannot be asked for.

    Raises:
        InputError: `--ray` for a provider.
        TeacherError: the provider needs a key.
    """
    from ingest.teacher.openai import OpenAITeacher

    if plan.interface == "local":
        return
    if ray:
        raise InputError("--ray is for a local teacher; of a provider, ask more at once: --in-flight")
    if not dry_run:
        OpenAITeacher(plan.model, plan.interface, base_url=plan.base_url).check_key()


@contextmanager
def resumable(command: str) -> Iterator[None]:
    """Give an interrupt the command that goes on where the run stopped."""
    try:
        yield
    except BaseException as error:
        if is_interrupt(error):
            raise KeyboardInterrupt(command) from None
        raise


def show_request(request: "Request") -> None:
    """Show a request as it is sent: its prompt as lines, and its body as JSON, without keys."""
    from ingest.teacher.blotting import blot

    about = f"{request.relation}, of {blot(request.event)!r}" if request.relation else "events"
    say("", f"Prompt for {about}:", "", *blot(request.prompt.text).split("\n"), "", f"Sent to {request.url} as:")
    say_json(json.loads(blot(strict_json.write(request.body))), indent=2)
    say("")


def report(plan: "Plan", taught: "Taught", max_failures: float, budget: float | None = None) -> None:
    """Say what a run did; exit with 1 if it stopped early, or too many requests failed."""
    tally, account = taught.tally, taught.account
    answered = tally.asked + tally.cached
    local = plan.interface == "local"
    say(
        f"Run {taught.run}: {answered:,} replies ({tally.cached:,} of them kept from before), {taught.offered:,} texts "
        f"kept after cleaning, {taught.added:,} new in the graph"
    )
    say(
        f"{tally.tokens.prompt_tokens:,.0f} prompt and {tally.tokens.completion_tokens:,.0f} completion tokens"
        + ("" if local or account.cost_usd is None else f", ${account.cost_usd:,.4f} spent by this run in all")
    )
    for rule, number in taught.rules.most_common():
        say(f"{number:,} dropped in cleaning: {rule}")
    perhaps = sum(lost.requests for lost in account.perhaps_paid)
    if perhaps and not local:
        most = sum(lost.cost_usd or 0 for lost in account.perhaps_paid)
        say(
            f"{perhaps:,} requests without an answer may have been paid for"
            + ("" if account.cost_usd is None else f", ${most:,.4f} of that sum at most")
            + f"; kg runs show {taught.run} lists them",
            err=True,
        )
    if tally.failed:
        say(f"{tally.failed:,} requests failed; see {taught.folder / 'failures.jsonl'}", err=True)
    if plan.kind == "events" and taught.found < plan.count:
        say(f"{taught.found:,} of {plan.count:,} events so far{_what_next(taught)}", err=True)
    if tally.missing:
        if plan.kind == "inferences":
            say(f"{tally.missing:,} requests have no reply yet{_what_next(taught)}", err=True)
        raise typer.Exit(1)
    if tally.failed or tally.stopped:
        enough = budget if budget is None else max(budget, tally.needed)
        say(f"{tally.stopped or 'not all is done'}; to go on: {_resume(taught.run, enough)}", err=True)
    if tally.stopped or tally.failed > max_failures * (answered + tally.failed):
        raise typer.Exit(1)


def _what_next(taught: "Taught") -> str:
    """Return the second half of a sentence about what is not there yet: what brings it."""
    if taught.tally.missing:
        return (
            f": kg ingest batch submit {taught.run} sends what is not on its way, kg ingest batch collect {taught.run} "
            f"brings what is; kg ingest resume {taught.run} asks at once, at the full price"
        )
    return "" if taught.tally.stopped or taught.tally.failed else ": the teacher repeats itself; give it more --seeds"


def _resume(run: str, budget: float | None) -> str:
    return f"kg ingest resume {run}" + ("" if budget is None else f" --budget {budget:.10g}")


@contextmanager
def requests_bar(total: int) -> Iterator[Callable[..., Any]]:
    """Yield what keeps the live line: requests, rate, time left, tokens, money, failures."""
    from kg.progress import Bar

    with Bar(total=total, unit="requests") as bar:

        def tell(tally: Any, spent: float | None) -> None:
            done = tally.asked + tally.cached + tally.failed
            bar.total = max(bar.total, done)
            bar.set_postfix_str(
                f"{(tally.tokens.prompt_tokens + tally.tokens.completion_tokens) / 1000:,.0f}k tokens"
                + ("" if spent is None else f", ${spent:,.4f}")
                + (f", {tally.failed:,} failed" if tally.failed else ""),
                refresh=False,
            )
            bar.update(done - bar.n)

        yield tell


def interface_of(name: str) -> "Interface":
    """Return an interface by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in ("chat", "completions", "local"):
        raise InputError(f"interface {name!r} is not one of chat, completions, local")
    return name  # type: ignore[return-value]


def find_events(source: str | None, lang: str) -> tuple[str, ...]:
    """Return the events of a file, of a query, or of the whole graph, in the order of file, query or keys."""
    from ingest.teacher.prompts import read_events
    from kg.commands.query import print_notes
    from kg.graph.connection import open_graph
    from kg.store import adhoc

    if source and Path(source).is_file():
        return tuple(read_events(Path(source)))
    if source and "(" not in source and not re.search(r"\b(return|yield)\b", source, re.IGNORECASE):
        raise InputError(f"--events: there is no file {source[:200]}, and a query would return a column event")
    with open_graph(Workspace.default()) as graph:
        if source is None:
            return _some(event.text for event in graph.events() if event.lang == lang)
        answer = adhoc.run(graph.store, source, {}, limit_rows=None, timeout_seconds=600)
    print_notes(answer.notes)
    if "event" not in answer.columns:
        raise InputError(f"--events: a file, or a query with a column event; it has {', '.join(answer.columns)}")
    place = answer.columns.index("event")
    if bad := next((row[place] for row in answer.rows if not isinstance(row[place], str)), None):
        raise InputError(f"--events: column event must hold texts; it holds {bad!r}")
    return _some(row[place] for row in answer.rows)


def _some(events: Iterable[str]) -> tuple[str, ...]:
    if found := tuple(dict.fromkeys(events)):
        return found
    raise InputError("there are no events; run kg ingest events, or give --events FILE")
