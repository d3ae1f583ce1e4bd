"""`kg export`: the graph in other shapes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kg.errors import InputError, NotReady
from kg.model import Edge, Split
from kg.workspace import Workspace

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

FormatName = Literal["jsonl", "tsv", "cn100k", "atomic2019", "conceptnet", "parquet", "snapshot", "graphml", "rdf"]


def export(
    format_name: Annotated[
        FormatName,
        typer.Argument(
            metavar="FORMAT",
            help="jsonl (SKD), tsv (ATOMIC-2020), atomic2019, conceptnet, cn100k, parquet (edges), snapshot (all, in a "
            "folder), graphml, or rdf: Turtle (.ttl) or N-Triples (.nt).",
        ),
    ],
    file: Annotated[Path, typer.Argument(help="The file to write; it appears when it is complete.")],
    where: Annotated[
        str | None, typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.score > 0.9'.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Smallest score.")] = None,
    accepted: Annotated[bool, typer.Option("--accepted", help="Only accepted edges.")] = False,
    split: Annotated[Split | None, typer.Option(help="Only edges of this split's events.")] = None,
    base: Annotated[str | None, typer.Option(help="RDF: the IRI under which all names are; set your own.")] = None,
) -> None:
    """Write the graph, or a part of it, to a file. Something else that writes meanwhile is an error."""
    from tqdm import tqdm

    from kg import adhoc, queries
    from kg.connection import open_graph
    from kg.exchange.snapshot import write_snapshot

    if base and format_name != "rdf":
        raise InputError("--base goes with rdf only")
    filters: dict[str, Any] = {"where": where, "min_score": min_score, "accepted": accepted or None, "split": split}
    if format_name == "snapshot" and any(filters.values()):
        raise InputError("a snapshot holds the whole graph; leave out the filters, or export parquet")
    with open_graph(Workspace.default()) as graph:
        if format_name == "snapshot":
            with tqdm(unit=" edges", desc=file.name, disable=None) as bar:
                manifest = write_snapshot(graph, file, bar.update).manifest
            typer.echo(f"{manifest['counts']['edges']:,} edges written to {file}; hash {manifest['content_hash']}")
            return
        query = queries.load("graph/edges").where(where)
        adhoc.check(graph.store, query.text, dict.fromkeys(query.parameters))
        still = graph.unchanged_since(graph.watermark(), graph.edges(**filters))
        edges = tqdm(still, unit=" edges", desc=file.name, disable=None)
        count = _write(format_name, graph, edges, filters, file, base)
    typer.echo(f"{count:,} edges written to {file}")


def _write(  # noqa: PLR0911 - one for each format
    format_name: str,
    graph: "KnowledgeGraph",
    edges: Iterable[Edge],
    filters: dict[str, Any],
    file: Path,
    base: str | None,
) -> int:
    match format_name:
        case "jsonl":
            from kg.exchange.jsonl import write_jsonl

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
        case "parquet":
            from kg.exchange.parquet import write_parquet

            return write_parquet(edges, file)
        case "graphml":
            from kg.exchange.graphml import write_graphml

            return write_graphml(graph.phrases(**filters), edges, file)
        case _:
            from kg.exchange.rdf import BASE, write_rdf

            phrases, relations, runs = graph.phrases(**filters), graph.vocabulary(), graph.runs()
            return write_rdf(phrases, edges, file, relations=relations, runs=runs, base=base or BASE)
