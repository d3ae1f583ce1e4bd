"""`kg export`: the graph in other shapes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kg.commands.query import print_notes
from kg.errors import InputError, NotReady
from kg.model import Edge, Split
from kg.terminal import say
from kg.workspace import Workspace, is_stream

if TYPE_CHECKING:
    from kg.exchange.rdf.lines import Form
    from kg.graph.knowledge import KnowledgeGraph

FormatName = Literal[
    "jsonl", "tsv", "cn100k", "atomic2019", "conceptnet", "kgtk", "kgx", "lama", "parquet", "snapshot", "graphml",
    "gexf", "node-link", "rdf", "shapes",
]  # fmt: skip


def export(
    format_name: Annotated[
        FormatName,
        typer.Argument(
            metavar="FORMAT",
            help="jsonl (SKD), tsv (ATOMIC-2020), atomic2019, conceptnet, cn100k, kgtk (CSKG), kgx, lama, parquet "
            "(edges), snapshot (all, in a folder), graphml, gexf, node-link, rdf (.nt .nq .ttl .trig .jsonld), "
            "shapes (SHACL).",
        ),
    ],
    file: Annotated[
        Path, typer.Argument(help="The file to write; it appears when it is complete. Lines and RDF may end in .gz.")
    ],
    where: Annotated[
        str | None, typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.score > 0.9'.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Smallest score.")] = None,
    accepted: Annotated[bool, typer.Option("--accepted", help="Only accepted edges.")] = False,
    split: Annotated[Split | None, typer.Option(help="Only edges of this split's events.")] = None,
    base: Annotated[str | None, typer.Option(help="RDF: the IRI under which all names are; set your own.")] = None,
    form: Annotated[
        Literal["reification", "reifier", "graphs"] | None,
        typer.Option(help="RDF: how scores and runs hang on a triple: RDF 1.1, RDF 1.2, or a graph for each run."),
    ] = None,
) -> None:
    """Write the graph, or a part of it, to a file. Something else that writes meanwhile is an error."""
    from kg.graph.connection import open_graph
    from kg.store import adhoc, queries

    if (base and format_name not in ("rdf", "shapes")) or (form and format_name != "rdf"):
        raise InputError("--base and --form go with rdf only")
    if file.suffix == ".gz" and format_name in ("kgx", "parquet", "snapshot", "gexf", "node-link", "shapes"):
        raise InputError(f"{format_name} is not packed by gzip; leave out .gz")
    if format_name == "shapes":
        _write_shapes(file, base)
        return
    filters: dict[str, Any] = {"where": where, "min_score": min_score, "accepted": accepted or None, "split": split}
    with open_graph(Workspace.default()) as graph:
        if format_name == "snapshot":
            _write_snapshot(graph, file, filters)
            return
        if where is not None:
            for name in ("graph/edges", "graph/phrases"):  # the condition goes into either
                query = queries.load(name).where(where)
                notes = adhoc.check(graph.store, query.text, dict.fromkeys(query.parameters))
            print_notes(adhoc.of_condition(notes, where))
        if format_name in ("rdf", "parquet"):
            count = _write_pages(format_name, graph, file, filters, base, form)
        else:
            count = _write(format_name, graph, filters, file)
    say(f"{count:,} edges written to {file}", err=is_stream(file))


def _write(  # noqa: PLR0911 - one for each format
    format_name: FormatName, graph: "KnowledgeGraph", filters: dict[str, Any], file: Path
) -> int:
    from kg.progress import Bar

    watermark = graph.watermark()
    still = graph.unchanged_since(watermark, graph.edges(**filters))
    edges: Iterator[Edge] = iter(Bar(still, unit="edges", desc=file.name))
    match format_name:
        case "jsonl":
            from kg.exchange.skd import write_jsonl

            critic, thresholds = None, {}
            try:
                critic = graph.current_critic()["id"]
                thresholds = graph.current_acceptance(critic).thresholds
            except NotReady:
                pass
            verdicts = {judgement.triple: judgement.value for judgement in graph.judgements()}
            return write_jsonl(edges, file, critic=critic, thresholds=thresholds, verdicts=verdicts)
        case "tsv" | "cn100k":
            from kg.exchange.tsv import write_tsv

            return write_tsv(edges, file, relation_first=format_name == "cn100k")
        case "atomic2019":
            from kg.exchange.atomic import write_atomic2019
            from kg.vocabulary import Vocabulary

            names = {*Vocabulary.load("atomic").names, *graph.statistics()["relations"]}
            return write_atomic2019(edges, file, relations=sorted(names))
        case "conceptnet":
            from kg.exchange.conceptnet import write_conceptnet

            return write_conceptnet(edges, file)
        case "kgtk":
            from kg.exchange.kgtk import write_kgtk

            return write_kgtk(edges, file, relations=graph.vocabulary())
        case "lama":
            from kg.exchange.lama import write_lama

            return write_lama(edges, file)
        case "kgx":
            from kg.exchange.kgx import write_kgx

            return write_kgx(graph.phrases(**filters), edges, file, runs=graph.runs())
        case "gexf" | "node-link":
            from kg.exchange.drawn import write_drawn

            return write_drawn(graph.phrases(**filters), edges, file, format_name)
    from kg.exchange.graphml import write_graphml

    return write_graphml(graph.phrases(**filters), edges, file)


def _write_pages(
    format_name: FormatName,
    graph: "KnowledgeGraph",
    file: Path,
    filters: dict[str, Any],
    base: str | None,
    form: "Form | None",
) -> int:
    from kg.exchange.parquet import write_parquet
    from kg.exchange.rdf.names import BASE
    from kg.exchange.rdf.writing import write_rdf
    from kg.progress import Bar

    watermark = graph.watermark()
    whole = not any(value is not None for value in filters.values())
    conditions = {name: value for name, value in filters.items() if name != "where"}
    with Bar(unit="edges", desc=file.name) as bar:

        def pages() -> Iterator[list[Any]]:
            every = graph.edge_pages(where=filters["where"], parameters=conditions)
            for page in graph.unchanged_since(watermark, every):
                bar.update(len(page))
                yield page

        if format_name == "parquet":
            return write_parquet(pages(), file)
        return write_rdf(
            graph.phrases(**filters, every=whole), pages(), file, relations=graph.vocabulary(), runs=graph.runs(),
            base=base or BASE, form=form or "reification",
        )  # fmt: skip


def _write_shapes(file: Path, base: str | None) -> None:
    from kg.exchange.rdf.names import BASE
    from kg.exchange.rdf.writing import write_shapes

    write_shapes(file, base or BASE)
    say(f"The shapes of RDF under {base or BASE} are in {file}")


def _write_snapshot(graph: "KnowledgeGraph", folder: Path, filters: dict[str, Any]) -> None:
    from kg.progress import Bar
    from kg.snapshot.folder import write_snapshot

    if any(value is not None for value in filters.values()):
        raise InputError("a snapshot holds the whole graph; leave out the filters, or export parquet")
    with Bar(unit="edges", desc=folder.name) as bar:
        manifest = write_snapshot(graph, folder, bar.update).manifest
    say(f"{manifest['counts']['edges']:,} edges written to {folder}; hash {manifest['content_hash']}")
