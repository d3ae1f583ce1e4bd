"""`kg critic`: learn from judgements, choose thresholds, score every edge."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from critic.kinds import BLEND, KINDS
from critic.ways import DEFAULT_SPLIT, WAYS
from kg.model import OVERALL, Acceptance, Split
from kg.terminal import say
from kg.workspace import Workspace, is_stream

app = typer.Typer(
    help="Learn from judgements which triples are acceptable, and score all of them.", no_args_is_help=True
)

annotators_app = typer.Typer(help="Name who may judge on the page, each by a secret token.", no_args_is_help=True)
app.add_typer(annotators_app, name="annotators")

AnnotatorName = Annotated[str, typer.Argument(metavar="NAME", help="The annotator.", show_default=False)]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", metavar="NAME|PATH", help="Sentence encoder; without it, all-MiniLM-L6-v2."),
]
Seed = Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")]
KindName = StrEnum("KindName", list(KINDS))  # type: ignore[misc] # the choices are those of the table
_DEFAULT = KindName(BLEND)
WayName = StrEnum("WayName", list(WAYS))  # type: ignore[misc] # the choices are those of the table
_RANDOM = WayName("random")


@app.command("import-judgements")
def import_judgements(
    file: Annotated[
        Path,
        typer.Argument(
            help="A TSV with head, relation, tail, annotator, value; or CKBP's CSV, or Li et al.'s TSV of labels.",
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
    format_name: Annotated[Literal["ckbp", "ckbc"], typer.Option("--format", help="CKBP's CSV, or Li et al.'s TSV.")],
) -> None:
    """Write verdicts as labels 0 and 1, in the form of a published data set."""
    from critic.published import write_published
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        count = write_published(graph.judgements(), file, format_name)
    say(f"{count:,} judgements written to {file}", err=is_stream(file))


@app.command()
def train(
    kind: Annotated[
        KindName, typer.Option(help=f"{' or '.join(f'{name} ({kind.does})' for name, kind in KINDS.items())}.")
    ] = _DEFAULT,
    encoder: EncoderName = None,
    seed: Seed = 0,
) -> None:
    """Train the critic on the judgements of the training events, and report on the test events."""
    from critic.metrics import format_report
    from critic.runs import train_critic
    from kg.encoder import Encoder
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        trained = train_critic(
            graph, workspace, Encoder(encoder, workspace.folder("embeddings")), seed=seed, kind=kind.value
        )
    say(*format_report(trained.report).split("\n"))
    say(f"Critic {trained.id} is in {trained.folder}; next: kg critic calibrate")


@app.command()
def calibrate(
    recall: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the good triples to keep.")] = 0.8,
) -> None:
    """Choose the thresholds that keep a share of the good triples, on the validation events."""
    from critic.runs import calibrate_critic
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        with Bar(unit="edges", desc="accept") as bar:
            acceptance = calibrate_critic(graph, workspace, recall=recall, progress=bar.update)
        accepted = graph.statistics()["accepted"]
    say(*_shown(acceptance))
    say(f"Acceptance {acceptance.id} for recall {recall:g}; {accepted:,} edges are accepted")


def _shown(acceptance: Acceptance) -> list[str]:
    """Return a line for each relation; a column for each teacher where some have thresholds of their own."""
    teachers = list(acceptance.teachers)
    relations = sorted({*acceptance.by_relation(), *(name for one in teachers for name in acceptance.by_relation(one))})
    lines = [f"{'':<24} overall  {'  '.join(teachers)}"] if teachers else []
    for relation in relations:
        own = [f"  {acceptance.threshold(relation, one):{len(one)}.3f}" for one in teachers]
        name = "all others" if relation == OVERALL else relation
        lines.append(f"{name:<24} {acceptance.threshold(relation):{7 if teachers else 0}.3f}{''.join(own)}")
    return lines


@app.command()
def score(
    every: Annotated[bool, typer.Option("--all", help="Also the edges that this critic scored before.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All edges, and none of them by the fast critic of a likelihood critic.")
    ] = False,
) -> None:
    """Score the edges that the current critic has not scored yet."""
    from critic.runs import score_edges
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph, Bar(unit="edges", desc="score") as bar:
        scored = score_edges(graph, workspace, every=every, full=full, progress=bar.update)
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
            ["*" if critic.get("current") else "", critic["id"], recalls.get(critic["id"]), critic.get("at")]
            for critic in graph.critics()
        ]
    print_table(["", "id", "recall", "trained"], rows)


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


@app.command()
def sample(
    size: Annotated[int, typer.Option(min=1, max=100_000, help="How many triples.")] = 100,
    way: Annotated[
        WayName, typer.Option("--from", help=f"{'; '.join(f'{name}: {way.does}' for name, way in WAYS.items())}.")
    ] = _RANDOM,
    split: Annotated[Split, typer.Option(help="Whose events.")] = DEFAULT_SPLIT,
    where: Annotated[
        str | None, typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.predicted'.")
    ] = None,
    per_triple: Annotated[int, typer.Option(min=1, max=1000, help="By how many annotators each is judged.")] = 1,
    controls: Annotated[
        bool, typer.Option("--controls", help="Plant a tenth as many: judged good, and tails of other events.")
    ] = False,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ID ID", help="From critics: which two; without it, those that were current last."),
    ] = None,
    seed: Seed = 0,
    name: Annotated[str | None, typer.Option(help="A name for the batch.", show_default=False)] = None,
) -> None:
    """Draw triples to be judged, as tasks that annotators share; kg runs undo takes them back."""
    from critic.batches import describe, draw_batch
    from kg.commands.query import print_notes
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    with open_graph(Workspace.default()) as graph, Bar(unit="edges", desc="sample") as bar:
        batch = draw_batch(
            graph, size=size, way=way.value, split=split, where=where, per_triple=per_triple, controls=controls,
            critics=between, seed=seed, name=name, progress=bar.update,
        )  # fmt: skip
    print_notes(list(batch.notes))
    say(*describe(batch), f"Next: kg critic judge --batch {batch.run}")


@app.command()
def judge(
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who judges; without it, the name of this user.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Which batch, by its run or its name; without it, the newest with something left."
        ),
    ] = None,
) -> None:
    """Judge triples one at a time, a key a verdict. Each is kept at once; Ctrl-C loses nothing."""
    from critic.annotators import check_name, user_name
    from critic.session import Keys
    from critic.session import judge as judge_batch
    from kg.graph.connection import open_graph
    from kg.graph.tasks import find_batch

    name = check_name(annotator) if annotator else user_name()
    with open_graph(Workspace.default()) as graph:
        judge_batch(graph, find_batch(graph, batch, name)["id"], name, Keys())


@annotators_app.command("add")
def add(name: AnnotatorName) -> None:
    """Add an annotator, and print their token; it is shown this once."""
    from critic.annotators import add_annotator

    say(f"The token of {name}, shown this once: {add_annotator(Workspace.default(), name)}")


@annotators_app.command("list")
def list_annotators() -> None:
    """List the annotators; of their tokens only hashes are kept."""
    from critic.annotators import annotators
    from kg.commands.query import print_table

    print_table(["name", "added"], [[one.name, one.added] for one in annotators(Workspace.default())])


@annotators_app.command("remove")
def remove(name: AnnotatorName) -> None:
    """Remove an annotator, whose token ends; their verdicts stay."""
    from critic.annotators import remove_annotator

    remove_annotator(Workspace.default(), name)
    say(f"{name} is removed; what they judged stays")
