"""`kg ingest`: bring files, and what a live teacher writes, into the graph."""

from pathlib import Path
from typing import Annotated

import typer

import ingest.readers  # noqa: F401 - whose formats join the table
from ingest import cloze_cli
from ingest.teacher import batch_cli
from ingest.teacher import cli as teacher_cli
from kg.errors import InputError
from kg.exchange import formats
from kg.model import Split
from kg.terminal import say
from kg.workspace import Workspace

app = typer.Typer(help="Bring what a teacher wrote or a data set published into the graph.", no_args_is_help=True)


app.command("events")(teacher_cli.generate_events)
app.command("inferences")(teacher_cli.generate_inferences)
app.command("cloze")(cloze_cli.cloze)
app.command("resume")(teacher_cli.resume)
app.add_typer(batch_cli.app, name="batch")


@app.command()
def load(
    file: Annotated[
        Path,
        typer.Argument(
            help="The file to load, plain or gzip; a pipe, - for stdin; the folder of a snapshot.", show_default=False
        ),
    ],
    format_name: Annotated[
        str, typer.Option("--format", help=f"{', '.join(formats.readable())}; without it, what the file looks like.")
    ] = "auto",
    vocabulary: Annotated[
        str | None, typer.Option(help="A shipped vocabulary or a TOML file; without it, the format's own.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="BCP 47 tag of the texts; without it, the vocabulary's, ja for phalm, else en.")
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(help="The split of all its events, if the file is one split of a data set."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that wrote it.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence under which it comes.")] = None,
) -> None:
    """Load a file as one run. Loading it again changes nothing; bad rows are listed, good ones kept.

    Snapshots and RDF keep the runs that they have.
    """
    from ingest.load import load_file
    from kg.exchange.target import import_file
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with import_file(file) as path:
        chosen = formats.guess_format(path) if format_name == "auto" else format_name
        read = formats.reading(chosen)
        if not read.vocabulary and (vocabulary or lang or split or model or licence):
            raise InputError(
                "a snapshot and RDF say themselves which vocabulary, language, split, model and licence they have"
            )
        unit = "rows" if read.vocabulary else "edges"
        with open_graph(workspace) as graph, Bar(unit=unit, desc=file.name) as bar:
            if read.vocabulary:
                loaded = load_file(
                    graph, workspace, path, chosen, vocabulary=vocabulary, lang=lang, split=split, model=model,
                    licence=licence, progress=bar.update,
                )  # fmt: skip
            else:
                loaded = read(graph=graph, workspace=workspace, path=path, progress=bar.update)
    if format_name == "auto":
        say(f"Read as {chosen}.", err=True)
    say(*loaded.lines)
    if loaded.rejected:
        say(f"{loaded.rejected:,} {loaded.rejected_what}; see {loaded.rejected_file}", err=True)
        raise typer.Exit(1)


@app.command()
def bulk(folder: Annotated[Path, typer.Argument(help="A snapshot: kg export snapshot FOLDER.")]) -> None:
    """Fill an empty database from a snapshot by Neo4j's offline importer, ten times as fast as loading it.

    The private server is stopped for it and started again. For a server of your own the command is printed; run it on
    the server's machine, where the folder must be, and then this command once more, which adds runs and judgements.
    """
    import os

    from kg.graph.connection import open_graph
    from kg.snapshot import bulk as importer
    from kg.snapshot.folder import open_snapshot
    from kg.snapshot.verifying import verify

    snapshot, workspace = open_snapshot(folder), Workspace.default()
    verify(snapshot)
    if os.environ.get("NEO4J_URI"):
        with open_graph(workspace) as graph:
            if importer.is_empty(graph):
                say(importer.import_command(snapshot, os.environ.get("NEO4J_DATABASE") or "neo4j"))
                say("Stop the database, run this on its machine, start it, and repeat this command.", err=True)
                return
            importer.complete(graph, snapshot)
    else:
        importer.import_privately(workspace, snapshot)
    say(snapshot.summary)


@app.command()
def dedupe(
    soft: Annotated[bool, typer.Option("--soft", help="Also by soft uniqueness: BLEU-2 below 0.5.")] = False,
    near: Annotated[
        float | None, typer.Option(min=0.3, max=1, help="Also near-duplicates across the graph, by this Jaccard index.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Set them aside; without it they are only listed.")] = False,
) -> None:
    """Find edges that say again what another one says."""
    from ingest.duplicates.dedupe import dedupe as find
    from kg.graph.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph:
        found = find(graph, workspace, soft=soft, near=near, apply=apply)
    for rule, number in found.rules.most_common():
        say(f"{number:,} edges: {rule}")
    left = found.edges - found.rules.total()
    share = left / found.edges if found.edges else 1
    say(f"{found.edges:,} edges, {'size (div)' if soft else 'left'} {left:,} ({share:.1%}); see {found.file}")
    if found.rules:
        say(f"{found.deleted:,} edges deleted" if apply else "Nothing is deleted; --apply does it.", err=not apply)
