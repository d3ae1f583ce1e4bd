"""`kg export`: the graph in other shapes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kg.commands.query import print_notes
from kg.errors import InputError
from kg.exchange import formats
from kg.model import Split
from kg.terminal import say
from kg.workspace import Workspace, is_stream

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[*formats.writable()]

LangChoice = Annotated[
    str | None, typer.Option("--lang", "--language", metavar="TAG", help="Only triples in this language, such as ja.")
]

_HELP = "; ".join(f"{row.export_name}: {row.title}".replace("`", "") for row in formats.FORMATS.values() if row.write)


def export(
    format_name: Annotated[FormatName, typer.Argument(metavar="FORMAT", help=f"{_HELP}.", show_default=False)],
    file: Annotated[
        Path,
        typer.Argument(
            help="The file to write; it appears when it is complete. Lines and RDF may end in .gz. - is stdout.",
            show_default=False,
        ),
    ],
    where: Annotated[
        str | None, typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.score > 0.9'.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Smallest score.")] = None,
    accepted: Annotated[bool, typer.Option("--accepted", help="Only accepted edges.")] = False,
    split: Annotated[Split | None, typer.Option(help="Only edges of this split's events.")] = None,
    lang: LangChoice = None,
    base: Annotated[str | None, typer.Option(help="RDF: the IRI under which all names are; set your own.")] = None,
    form: Annotated[
        Literal["reification", "reifier", "graphs"] | None,
        typer.Option(help="RDF: how scores and runs hang on a triple: RDF 1.1, RDF 1.2, or a graph for each run."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="dataset: send it to this repository on the hub that HF_ENDPOINT and HF_TOKEN say, too.",
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository that anybody may see.")] = False,
) -> None:
    """Write the graph, or a part of it, to a file. Something else that writes meanwhile is an error."""
    from kg.exchange.selection import Selection
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    write = formats.writable()[format_name]
    options = {"base": base, "form": form}
    if any(value and name not in write.takes for name, value in options.items()):
        raise InputError("--base and --form go with rdf only")
    if to and format_name != "dataset":
        raise InputError("--to goes with dataset only")
    if public and not to:
        raise InputError("--public goes with --to only")
    filtered = where is not None or min_score is not None or accepted or split is not None or lang is not None
    if filtered and not write.filters:
        raise InputError(f"{format_name} takes no part of the graph; leave out the filters, or export parquet")
    if file.suffix.lower() == ".gz" and not write.packs:
        raise InputError(f"{format_name} is not packed by gzip; leave out .gz")
    if is_stream(file) and not write.streams:
        raise InputError(f"{format_name} is more than one file, and cannot go to {file}")
    if not write.needs_graph:
        done = write(None, path=file, **options)
    else:
        with open_graph(Workspace.default()) as graph, Bar(unit="edges", desc=file.name) as bar:
            part = Selection(
                graph,
                where=where,
                min_score=min_score,
                accepted=accepted or None,
                split=split,
                lang=lang,
                mixed=write.says_languages,
                progress=bar.update,
            )
            print_notes(part.notes)
            done = write(part, path=file, **options)
    say(done if isinstance(done, str) else f"{done:,} edges written to {file}", err=is_stream(file))
    if to:
        from kg.hub import send

        say(f"It is at {send(file, to, 'dataset', message='Publish the data set', public=public)}")
