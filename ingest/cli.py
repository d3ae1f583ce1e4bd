"""`kg ingest`: bring files into the graph."""

from pathlib import Path
from typing import Annotated

import typer

from kg.model import Split
from kg.workspace import Workspace

app = typer.Typer(help="Bring what a teacher wrote or a data set published into the graph.", no_args_is_help=True)


@app.callback()
def stage() -> None:
    """Keep `load` a subcommand while it is the only one."""


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="The file to load.", show_default=False)],
    format_name: Annotated[
        str, typer.Option("--format", help="skd, atomic2020, atomic2019 or completions.", show_default=False)
    ],
    vocabulary: Annotated[
        str | None, typer.Option(help="A shipped vocabulary or a TOML file; without it, the format's own.")
    ] = None,
    lang: Annotated[str, typer.Option(help="BCP 47 tag of the texts.")] = "en",
    split: Annotated[
        Split | None,
        typer.Option(help="The split of all its events, if the file is one split of a data set."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that wrote it.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence under which it comes.")] = None,
) -> None:
    """Load a file as one run. Loading it again changes nothing; bad rows are listed, good ones kept."""
    from tqdm import tqdm

    from ingest.load import load_file
    from kg.connection import open_graph

    workspace = Workspace.default()
    with open_graph(workspace) as graph, tqdm(unit=" rows", desc=file.name, disable=None) as bar:
        loaded = load_file(
            graph, workspace, file, format_name, vocabulary=vocabulary, lang=lang, split=split, model=model,
            licence=licence, progress=bar.update,
        )  # fmt: skip
    known = " (nothing new)" if loaded.offered and not loaded.added else ""
    typer.echo(f"{loaded.offered:,} rows read, {loaded.added:,} edges added{known} as run {loaded.run}")
    for rule, count in loaded.dropped.most_common():
        typer.echo(f"{count:,} tails dropped in cleaning: {rule}")
    if loaded.rejected:
        typer.echo(f"{loaded.rejected:,} rows rejected; see {loaded.rejected_file}", err=True)
        raise typer.Exit(1)
