"""`kg critic agreement` and `kg critic estimate`: what judgements are worth, and what they say of a set of edges."""

from typing import Annotated, Literal

import typer

from kg.terminal import say, say_json
from kg.workspace import Workspace

Machines = Annotated[
    list[str] | None,
    typer.Option(
        "--machine",
        metavar="NAME",
        help="This annotator is no person, though nothing in the graph says so. Repeatable.",
    ),
]
People = Annotated[
    list[str] | None,
    typer.Option("--person", metavar="NAME", help="This annotator is a person, whatever it looks like. Repeatable."),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="CYPHER", help="Only these edges: a condition over head, r and tail, e.g. \"head.split = 'train'\"."
    ),
]
Seed = Annotated[int, typer.Option(help="Of the resampled triples. Same seed, same result.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, with all that the text leaves out.")]


def agreement(
    where: Where = None, machine: Machines = None, person: People = None, seed: Seed = 0, as_json: AsJson = False
) -> None:
    """Say how far annotators agree, people and machines apart, what they come to, and who accepts more than others."""
    from critic.agreement import agreement_in
    from critic.agreement_report import as_json as shown_as_json
    from critic.agreement_report import format_agreement
    from kg.commands.query import print_notes
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        found, notes = agreement_in(graph, where=where, machines=machine or (), people=person or (), seed=seed)
    print_notes(notes)
    if as_json:
        say_json(shown_as_json(found))
    else:
        say(*format_agreement(found).split("\n"))


def estimate(
    where: Where = None,
    by: Annotated[
        Literal["people", "machines"] | None,
        typer.Option(help="Whose judgements count; without it people's, where they judged any of the edges."),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The batch of tasks that is the sample, by its run or name; without it, all batches that are one.",
        ),
    ] = None,
    at_random: Annotated[
        bool, typer.Option("--at-random", help="Those judged were drawn at random, as kg query to_judge draws them.")
    ] = False,
    machine: Machines = None,
    person: People = None,
    as_json: AsJson = False,
) -> None:
    """Estimate which share of some edges is acceptable: from judgements, from the critic, and from both."""
    from dataclasses import asdict

    from critic.estimate_report import format_estimate
    from critic.estimating import estimate_in
    from kg.commands.query import print_notes
    from kg.graph.connection import open_graph

    with open_graph(Workspace.default()) as graph:
        found, notes = estimate_in(
            graph, where=where, by=by, batch=batch, at_random=at_random, machines=machine or (), people=person or ()
        )
    print_notes(notes)
    if as_json:
        say_json(asdict(found))
    else:
        say(*format_estimate(found).split("\n"))
