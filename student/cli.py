"""`kg student`: train a small model on what the critic accepted, and let it infer. `kg.cli` adds `evaluate`."""

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kg.errors import InputError
from kg.model import Split
from kg.terminal import say
from kg.wide import RayAddress, workers
from kg.workspace import Workspace
from student import publish_cli, together
from student.generator.forms import NAMES
from student.kinds import KINDS
from student.objective import SCHEDULES, WEIGHTS, Objective

app = typer.Typer(help="Train a small model on a part of the graph, and let it infer.", no_args_is_help=True)
app.command()(publish_cli.publish)

ENCODER = "Sentence encoder; without it, all-MiniLM-L6-v2, or multilingual-e5-small for other languages than English."
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", metavar="NAME|PATH", help=ENCODER),
]
LangChoice = Annotated[
    str | None, typer.Option("--lang", "--language", metavar="TAG", help="Only triples in this language, such as ja.")
]
KindName = StrEnum("KindName", list(KINDS))  # type: ignore[misc] # the choices are those of the table
_TAKERS = " and ".join(name for name, kind in KINDS.items() if kind.takes_base)
FormName = StrEnum("FormName", list(NAMES))  # type: ignore[misc] # the choices are those of the table
LossName = StrEnum("LossName", ["tail", "whole"])
WeightName = StrEnum("WeightName", list(WEIGHTS))  # type: ignore[misc]
ScheduleName = StrEnum("ScheduleName", list(SCHEDULES))  # type: ignore[misc]
_LINEAR = ScheduleName("linear")
_TAIL, _EQUAL = LossName("tail"), WeightName("equal")
_DEFAULT = KindName("ranker")  # takes seconds

StudentId = Annotated[
    str | None, typer.Option("--student", metavar="ID", help="Which student; without it, the current one.")
]


@app.command()
def train(
    kind: Annotated[
        KindName, typer.Option(help=f"{' or '.join(f'{name} ({kind.does})' for name, kind in KINDS.items())}.")
    ] = _DEFAULT,
    where: Annotated[
        str | None,
        typer.Option(metavar="CYPHER", help="A condition over head, r and tail; without it, accepted triples."),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="A query that returns head, relation, tail (and lang)."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH|none",
            help=f"Pre-trained language model to start from ({_TAKERS} only); without it, gemma where it is installed, "
            "else none: from scratch.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; without it, by its size.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")] = 0,
    form: Annotated[
        FormName | None,
        typer.Option(
            "--format",
            help=f"How a language model is asked ({_TAKERS} only): in words, or as the published models of SKD, "
            "COMET-ATOMIC-2020 or COMET 2019 are; without it, in words with a base, in tokens from scratch.",
        ),
    ] = None,
    loss: Annotated[
        LossName, typer.Option(help=f"What counts ({_TAKERS} only): the tail, or the whole sequence.")
    ] = _TAIL,
    weight: Annotated[
        WeightName,
        typer.Option(help="Of a triple: equal, the critic's score, or the frequency of the tail among its pair's."),
    ] = _EQUAL,
    soft: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL|FILE",
            help="A teacher's probabilities to learn beside the tails: a model with the same "
            "tokens, or a .jsonl file with its likeliest tokens (student/generator/objectives.py says how).",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of these probabilities, above 0.")] = 1.0,
    soft_share: Annotated[float, typer.Option(min=0, max=1, help="Their share of the loss.")] = 0.5,
    schedule: Annotated[ScheduleName, typer.Option(help="Of the learning rate, after a warm-up.")] = _LINEAR,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after so many passes without a better loss on validation events, and take the best; "
            "0 trains to the end.",
        ),
    ] = 0,
    nothing: Annotated[
        bool,
        typer.Option(
            help="Learn ATOMIC's tail none, too, as COMET does: kg student answer may say it then, predict never does."
        ),
    ] = False,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            help=f"Processes of this machine that train it together ({_TAKERS} only), with a processor or a GPU each; "
            "accelerate launch starts them on several machines.",
        ),
    ] = 1,
    encoder: EncoderName = None,
    lang: LangChoice = None,
) -> None:
    """Train a student on triples of the training events, chosen by Cypher."""
    if together.launched()[0]:
        if KINDS[kind.value].takes_base:
            together.train_along()
        return
    from kg.commands.query import print_notes
    from kg.encoder import Encoder
    from kg.graph.connection import open_graph
    from kg.store import adhoc, queries
    from student.runs import accepted_in, base_named, train_student

    if where and query:
        raise InputError("give --where or --query, not both")
    if lang and query:
        raise InputError("--lang goes with the usual query; a query of your own says its language itself")
    if query is None:
        chosen = queries.load("training_nothing" if nothing else "training").where(where)
        chosen = accepted_in(lang, chosen) if lang else chosen
    else:
        chosen = queries.load(query) if query in queries.named() else queries.load_file(Path(query))
    workspace = Workspace.default()
    if processes > 1 and not KINDS[kind.value].takes_base:
        raise InputError(f"a {kind.value} is trained in one process; leave out --processes")
    several = together.together(processes) if KINDS[kind.value].takes_base else nullcontext()
    with several, open_graph(workspace) as graph:
        if where is not None or query not in (None, *queries.named()):
            notes = adhoc.check(graph.store, chosen.text, chosen.defaults)
            print_notes(notes if where is None else adhoc.of_condition(notes, where))
        trained = train_student(
            graph, workspace, kind.value, chosen, Encoder(encoder, workspace.folder("embeddings")),
            base=base_named(kind.value, base), epochs=epochs, seed=seed, form=form and form.value,
            objective=Objective(
                loss.value == "whole", weight.value, soft, temperature, soft_share, schedule.value, patience, nothing
            ),
        )  # fmt: skip
    say(f"Student {trained.id}, trained on {trained.triples:,} triples, is in {trained.folder}")


@app.command()
def predict(
    split: Annotated[Split, typer.Option(help="Whose events.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="Tails for each event and relation.")] = 5,
    student: StudentId = None,
    ray: RayAddress = None,
) -> None:
    """Write what a student infers about events as predicted edges; kg critic score scores them."""
    from kg.graph.connection import open_graph
    from kg.progress import Bar
    from student.runs import open_student
    from student.runs import predict as infer

    workspace = Workspace.default()
    with open_graph(workspace) as graph, workers(ray, workspace) as spread, Bar(unit="events", desc="predict") as bar:
        student_id, model = open_student(graph, workspace, student)
        run, added = infer(
            graph, model, student_id, split=split, count=count, progress=bar.update, spread=spread, workspace=workspace
        )
    say(f"{added:,} predicted edges added by {student_id} as run {run.id}; next: kg critic score")


@app.command("list")
def list_students() -> None:
    """List the students, the current one first."""
    from kg.commands.query import print_table
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        rows = [
            ["*" if student.get("current") else "", student["id"], student.get("triples"), student.get("at")]
            for student in graph.students()
        ]
    print_table(["", "id", "triples", "trained"], rows)


@app.command()
def use(
    student: Annotated[
        str, typer.Argument(metavar="ID", help="The student, as kg student list names it.", show_default=False)
    ],
) -> None:
    """Make a student the current one, which predict and evaluate take; undoing the run takes it back."""
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        run = graph.use_student(student)
    say(f"Student {student} is the current one, by run {run}")
