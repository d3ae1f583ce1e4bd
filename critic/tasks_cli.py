"""`kg critic sample` and `annotators`: tasks to be judged, and who judges them. `kg.judge_cli` has `judge`."""

from enum import StrEnum
from typing import Annotated

import typer

from critic.ways import DEFAULT_SPLIT, WAYS
from kg.model import Split
from kg.terminal import say
from kg.workspace import Workspace

annotators_app = typer.Typer(help="Name who may judge on the page, each by a secret token.", no_args_is_help=True)

AnnotatorName = Annotated[str, typer.Argument(metavar="NAME", help="The annotator.", show_default=False)]
LangChoice = Annotated[
    str | None, typer.Option("--lang", "--language", metavar="TAG", help="Only triples in this language, such as ja.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same draw from the same graph.")]
WayName = StrEnum("WayName", list(WAYS))  # type: ignore[misc] # the choices are those of the table
_RANDOM = WayName("random")


def sample(
    size: Annotated[int, typer.Option(min=1, max=100_000, help="How many triples.")] = 100,
    way: Annotated[
        WayName, typer.Option("--from", help=f"{'; '.join(f'{name}: {way.does}' for name, way in WAYS.items())}.")
    ] = _RANDOM,
    split: Annotated[Split, typer.Option(help="Whose events.")] = DEFAULT_SPLIT,
    where: Annotated[
        str | None, typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.predicted'.")
    ] = None,
    lang: LangChoice = None,
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
            graph, size=size, way=way.value, split=split, where=where, lang=lang, per_triple=per_triple,
            controls=controls, critics=between, seed=seed, name=name, progress=bar.update,
        )  # fmt: skip
    print_notes(list(batch.notes))
    say(*describe(batch), f"Next: kg critic judge --batch {batch.run}")


@annotators_app.command("add")
def add(name: AnnotatorName) -> None:
    """Add an annotator, and print their link for kg serve; it is shown this once."""
    from critic.annotators import add_annotator

    token = add_annotator(Workspace.default(), name)
    say(f"The link of {name}, shown this once: http://127.0.0.1:8137/judge?token={token}")
    say("(8137 is the usual port of kg serve; another one stands in the address that it prints)", err=True)


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
