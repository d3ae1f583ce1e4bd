"""`kg critic`: learn from judgements, choose thresholds, score every edge."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from critic import evaluation_cli, evidence_cli, report_cli, rules_cli, tasks_cli
from critic.aspects import ASPECTS, PLAUSIBLE
from critic.kinds import BLEND, KINDS
from kg.model import OVERALL, Acceptance
from kg.terminal import say
from kg.wide import RayAddress, workers
from kg.workspace import Workspace, is_stream

app = typer.Typer(
    help="Learn from judgements which triples are acceptable, and score all of them.", no_args_is_help=True
)

ENCODER = "Sentence encoder; without it, all-MiniLM-L6-v2, or multilingual-e5-small for other languages than English."
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", metavar="NAME|PATH", help=ENCODER),
]
LangChoice = Annotated[
    str | None, typer.Option("--lang", "--language", metavar="TAG", help="Only triples in this language, such as ja.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")]
AspectName = StrEnum("AspectName", list(ASPECTS))  # type: ignore[misc] # the choices are those of the table
_PLAUSIBLE = AspectName(PLAUSIBLE)
KindName = StrEnum("KindName", list(KINDS))  # type: ignore[misc] # the choices are those of the table
_DEFAULT = KindName(BLEND)


@app.command("import-judgements")
def import_judgements(
    file: Annotated[
        Path,
        typer.Argument(
            help="A TSV with head, relation, tail, annotator, value; Label Studio's or Argilla's JSON; SKD's lines; "
            "CKBP's CSV, or Li et al.'s TSV of labels.",
            show_default=False,
        ),
    ],
    lang: Annotated[str, typer.Option(help="BCP 47 tag of the texts.")] = "en",
) -> None:
    """Bring annotators' verdicts into the graph. Doing it again changes nothing."""
    from critic.judgements import import_judgements as bring
    from kg.exchange.target import import_file
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with import_file(file) as path, open_graph(workspace) as graph:
        done = bring(graph, workspace, path, lang)
    known = " (nothing new)" if done.offered and not done.added else ""
    say(f"{done.offered:,} judgements read, {done.added:,} added{known} as run {done.run}")
    if done.rejected:
        say(f"{done.rejected:,} rows rejected; see {done.rejected_file}", err=True)
        raise typer.Exit(1)


@app.command("export-judgements")
def export_judgements(
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    format_name: Annotated[
        Literal["tsv", "label-studio", "argilla", "skd", "ckbp", "ckbc"],
        typer.Option(
            "--format",
            help="Our TSV; Label Studio's or Argilla's JSON; SKD's lines with valid; CKBP's CSV, Li et al.'s TSV.",
        ),
    ] = "tsv",
) -> None:
    """Write verdicts for another graph, for an annotation tool, or in the form of a published data set."""
    from critic.judgements import export_judgements as write
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        count = write(graph, file, format_name)
    say(f"{count:,} judgements written to {file}", err=is_stream(file))


@app.command()
def train(
    kind: Annotated[
        KindName, typer.Option(help=f"{' or '.join(f'{name} ({kind.does})' for name, kind in KINDS.items())}.")
    ] = _DEFAULT,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Model to fine-tune, or to ask without judgements (causal or masked): gemma, a name on the Hugging "
            "Face hub or a folder; minilm, only to fine-tune. Without it, gemma where it is installed.",
        ),
    ] = None,
    encoder: EncoderName = None,
    seed: Seed = 0,
    lang: LangChoice = None,
    aspect: Annotated[
        AspectName, typer.Option(help="What scores are the probability of; typical is what is always or often true.")
    ] = _PLAUSIBLE,
) -> None:
    """Train the critic on the judgements of the training events, and report on the test events."""
    from critic.metrics import format_report
    from critic.runs import train_critic
    from kg.encoder import Encoder
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        trained = train_critic(
            graph, workspace, Encoder(encoder, workspace.folder("embeddings")), seed=seed, kind=kind.value,
            base=base, lang=lang, aspect=aspect.value,
        )  # fmt: skip
    say(*format_report(trained.report).split("\n"))
    if (method := trained.report["calibration"]) == "none":
        say("Calibration: none; verdicts that it did not learn from ask for no other scale")
    else:
        say(f"Calibration: {method}, chosen out of fold on train and validation events")
    say(f"Critic {trained.id} is in {trained.folder}; next: kg critic calibrate")


@app.command()
def calibrate(
    recall: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the good triples to keep.")] = 0.8,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="One smallest score for all relations, in place of those of a recall."),
    ] = None,
) -> None:
    """Choose the thresholds that keep a share of the good triples, on the validation events."""
    from critic.runs import calibrate_critic
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        with Bar(unit="edges", desc="accept") as bar:
            acceptance = calibrate_critic(graph, workspace, recall=recall, threshold=threshold, progress=bar.update)
        accepted = graph.statistics()["accepted"]
    say(*_shown(acceptance))
    if acceptance.intervals:
        say("In brackets: the 95 % interval of the overall threshold, over resampled events")
    say(f"Acceptance {acceptance.id} for recall {acceptance.recall:g}; {accepted:,} edges are accepted")


def _shown(acceptance: Acceptance) -> list[str]:
    """Return a line for each relation; a column for each teacher where some have thresholds of their own."""
    teachers = list(acceptance.teachers)
    relations = sorted({*acceptance.by_relation(), *(name for one in teachers for name in acceptance.by_relation(one))})
    lines = [f"{'':<24} overall  {'  '.join(teachers)}"] if teachers else []
    for relation in relations:
        own = [f"  {acceptance.threshold(relation, one):{len(one)}.3f}" for one in teachers]
        name = "all others" if relation == OVERALL else relation
        ends = acceptance.intervals.get(relation)
        width = f"  ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
        lines.append(f"{name:<24} {acceptance.threshold(relation):{7 if teachers else 0}.3f}{''.join(own)}{width}")
    return lines


@app.command()
def score(
    every: Annotated[bool, typer.Option("--all", help="Also the edges that this critic scored before.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All edges, and none of them by the fast critic of a likelihood critic.")
    ] = False,
    ray: RayAddress = None,
) -> None:
    """Score the edges that the current critic has not scored yet."""
    from critic.runs import score_edges
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph, workers(ray, workspace) as spread, Bar(unit="edges", desc="score") as bar:
        scored = score_edges(graph, workspace, every=every, full=full, progress=bar.update, spread=spread)
        counts = graph.statistics()
    say(f"{scored:,} edges scored; {counts['accepted']:,} of {counts['scored']:,} are accepted")


@app.command("list")
def list_critics() -> None:
    """List the critics, the current one first."""
    from kg.commands.query import print_table
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        recalls = {row["critic"]: row["recall"] for row in graph.descriptions()["acceptances"] if row.get("current")}
        rows = [
            [
                "*" if critic.get("current") else "",
                critic["id"],
                critic.get("lang"),
                critic.get("aspect", PLAUSIBLE),
                recalls.get(critic["id"]),
                critic.get("at"),
            ]
            for critic in graph.critics()
        ]
    print_table(["", "id", "language", "aspect", "recall", "trained"], rows)


@app.command()
def use(
    critic: Annotated[
        str, typer.Argument(metavar="ID", help="The critic, as kg critic list names it.", show_default=False)
    ],
) -> None:
    """Make a critic the current one, with the scores that it gave; no model runs, and undoing the run takes it back."""
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    with open_graph(Workspace.default()) as graph, Bar(unit="edges", desc="use") as bar:
        run = graph.use_critic(critic, bar.update)
        counts = graph.statistics()
    say(
        f"Critic {critic} is the current one, by run {run}; {counts['accepted']:,} of {counts['scored']:,} edges that "
        "have a score are accepted"
    )


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="ID", help="A critic, as kg critic list names it.", show_default=False)],
    other: Annotated[str, typer.Argument(metavar="ID", help="The one to compare it with.", show_default=False)],
) -> None:
    """Compare two critics by the scores that they gave: how they agree, and where verdicts contradict them most."""
    from critic.comparison import compare as compare_critics
    from critic.comparison import format_comparison
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        say(*format_comparison(compare_critics(graph, one, other)).split("\n"))


app.command()(tasks_cli.sample)
app.add_typer(tasks_cli.annotators_app, name="annotators")
app.command()(evidence_cli.agreement)
app.command()(evidence_cli.estimate)
app.command()(evaluation_cli.evaluate)
app.command()(report_cli.report)
app.command()(rules_cli.rules)
