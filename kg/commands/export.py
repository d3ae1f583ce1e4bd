"""`kg export`: the graph in other shapes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from kg.errors import NotReady
from kg.model import Split
from kg.workspace import Workspace

app = typer.Typer(help="Write the graph, or a part of it, to a file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The file to write; it appears when it is complete.", show_default=False)]
Where = Annotated[
    str | None,
    typer.Option(metavar="CYPHER", help="A condition over head, r and tail, e.g. 'r.score > 0.9'."),
]
MinScore = Annotated[float | None, typer.Option(min=0, max=1, help="Smallest score.")]
Accepted = Annotated[bool, typer.Option("--accepted", help="Only accepted edges.")]
OfSplit = Annotated[Split | None, typer.Option(help="Only edges of this split's events.")]


@app.command()
def jsonl(
    file: File,
    where: Where = None,
    min_score: MinScore = None,
    accepted: Accepted = False,
    split: OfSplit = None,
) -> None:
    """Write JSON lines with the fields of SKD's release."""
    from kg.exchange.jsonl import write_jsonl

    def write(graph: Any, edges: Iterable[Any], _: dict[str, Any]) -> int:
        try:
            thresholds = graph.current_acceptance(graph.current_critic()["id"]).thresholds
        except NotReady:
            thresholds = {}
        verdicts = {judgement.triple: judgement.value for judgement in graph.judgements()}
        return write_jsonl(edges, file, thresholds=thresholds, verdicts=verdicts)

    _export(write, file, where, min_score, accepted, split)


@app.command()
def tsv(
    file: File,
    where: Where = None,
    min_score: MinScore = None,
    accepted: Accepted = False,
    split: OfSplit = None,
) -> None:
    """Write head, relation, tail, parted by tabs, as ATOMIC-2020 does."""
    from kg.exchange.tsv import write_tsv

    _export(lambda _, edges, __: write_tsv(edges, file), file, where, min_score, accepted, split)


@app.command()
def parquet(
    file: File,
    where: Where = None,
    min_score: MinScore = None,
    accepted: Accepted = False,
    split: OfSplit = None,
) -> None:
    """Write one Parquet file with all that is said about each edge."""
    from kg.exchange.parquet import write_parquet

    _export(lambda _, edges, __: write_parquet(edges, file), file, where, min_score, accepted, split)


@app.command()
def graphml(
    file: File,
    where: Where = None,
    min_score: MinScore = None,
    accepted: Accepted = False,
    split: OfSplit = None,
) -> None:
    """Write GraphML for Gephi and networkx."""
    from kg.exchange.graphml import write_graphml

    def write(graph: Any, edges: Iterable[Any], filters: dict[str, Any]) -> int:
        return write_graphml(graph.phrases(**filters), edges, file)

    _export(write, file, where, min_score, accepted, split)


@app.command()
def rdf(
    file: File,
    where: Where = None,
    min_score: MinScore = None,
    accepted: Accepted = False,
    split: OfSplit = None,
    base: Annotated[str | None, typer.Option(help="The IRI under which all names are; set it to your own.")] = None,
) -> None:
    """Write Turtle (.ttl) or N-Triples (.nt): SKOS phrases, reified triples with their properties, PROV runs."""
    from kg.exchange.rdf import BASE, write_rdf

    def write(graph: Any, edges: Iterable[Any], filters: dict[str, Any]) -> int:
        phrases, relations, runs = graph.phrases(**filters), graph.vocabulary(), graph.runs()
        return write_rdf(phrases, edges, file, relations=relations, runs=runs, base=base or BASE)

    _export(write, file, where, min_score, accepted, split)


def _export(
    write: Callable[[Any, Iterable[Any], dict[str, Any]], int],
    file: Path,
    where: str | None,
    min_score: float | None,
    accepted: bool,
    split: Split | None,
) -> None:
    from tqdm import tqdm

    from kg import adhoc, queries
    from kg.connection import open_graph

    filters: dict[str, Any] = {"where": where, "min_score": min_score, "accepted": accepted or None, "split": split}
    with open_graph(Workspace.default()) as graph:
        query = queries.load("graph/edges").where(where)
        adhoc.check(graph.store, query.text, dict.fromkeys(query.parameters))
        count = write(graph, tqdm(graph.edges(**filters), unit=" edges", desc=file.name, disable=None), filters)
    typer.echo(f"{count:,} edges written to {file}")
