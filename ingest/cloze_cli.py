"""`kg ingest cloze`: edges from the blanks that a language model fills."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.teacher import cli as teacher_cli
from kg.terminal import say
from kg.workspace import Workspace


def cloze(
    model: Annotated[
        str, typer.Option(help="A folder or a name on a model hub, causal or masked; gemma comes with pip.")
    ] = "gemma",
    events: Annotated[
        str | None,
        typer.Option(metavar="CYPHER|FILE", help="A query that returns event, or one event a line; without it, all."),
    ] = None,
    relations: Annotated[str | None, typer.Option(help="Names, parted by commas; without it, all.")] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Tails for an event and a relation, at most.")] = 5,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="What tails may be: own (words of one token of the model's), or a file with one a line; without it, "
            "whatever a causal model finds likeliest.",
            show_default=False,
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(help="LAMA's relations.jsonl; without it, the vocabulary's phrases.", show_default=False),
    ] = None,
    vocabulary: teacher_cli.Vocabulary = "skd",
    lang: teacher_cli.Lang = "en",
) -> None:
    """Let a language model fill the blank behind events and relations; its best tails become edges with probabilities.

    The same command again goes on where an interrupted one stopped.
    """
    from ingest.cloze import fill
    from ingest.teacher.plan import relations_of
    from kg.graph.connection import open_graph
    from kg.probing.wording import read_templates
    from kg.progress import Bar
    from kg.vocabulary import Vocabulary

    asked = relations_of(Vocabulary.load(vocabulary), relations)
    texts = teacher_cli.find_events(events, lang)
    published = read_templates(templates) if templates else None
    workspace = Workspace.default()
    with (
        teacher_cli.resumable("the same command"),
        open_graph(workspace) as graph,
        Bar(total=len(texts) * len(asked), unit="pairs", desc="cloze") as bar,
    ):
        filled = fill(
            graph, workspace, texts, asked, model=model, top=top, candidates=candidates, templates=published, lang=lang,
            progress=bar.update,
        )  # fmt: skip
    known = f" ({filled.kept:,} answered before)" if filled.kept else ""
    say(
        f"Run {filled.run}: {filled.pairs:,} pairs of event and relation{known}, {filled.offered:,} tails kept after "
        f"cleaning, {filled.added:,} edges new in the graph"
    )
    for rule, number in filled.rules.most_common():
        say(f"{number:,} dropped in cleaning: {rule}")
