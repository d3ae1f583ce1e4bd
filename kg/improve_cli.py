"""`kg student improve`: rounds of students that learn from what the critic accepts of the students before."""

import shlex
import sys
from typing import Annotated

import typer

from kg.terminal import say
from kg.workspace import Workspace
from student.cli import EncoderName, KindName, WeightName

_RANKER, _EQUAL = KindName("ranker"), WeightName("equal")


def improve(
    rounds: Annotated[int, typer.Option(min=1, help="How many; those that were run before count, too.")] = 2,
    kind: Annotated[KindName, typer.Option(help="Of the students, as of kg student train.")] = _RANKER,
    count: Annotated[int, typer.Option(min=1, help="Tails for each training event and relation.")] = 5,
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH|none", help="What each student starts from, as of kg student train."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; without it, by its size.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")] = 0,
    weight: Annotated[
        WeightName,
        typer.Option(help="Of a triple: equal, the critic's score, or the frequency of the tail among its pair's."),
    ] = _EQUAL,
    encoder: EncoderName = None,
) -> None:
    """Train students in rounds: what the critic accepts of one's predictions joins the next one's training."""
    from kg.commands.query import print_table
    from kg.encoder import Encoder
    from kg.graph.connection import open_graph
    from kg.improve import claims, verdict
    from kg.improve import improve as run_rounds
    from student.runs import base_named

    workspace = Workspace.default()
    command = shlex.join(["kg", *sys.argv[1:]])
    try:
        with open_graph(workspace) as graph:
            found = run_rounds(
                graph, workspace, kind.value, Encoder(encoder, workspace.folder("embeddings")), rounds=rounds,
                count=count, base=base_named(kind.value, base), epochs=epochs, seed=seed, weight=weight.value,
                say=lambda line: say(line, err=True),
            )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(command) from interrupt
    print_table(
        ["round", "training triples", "new triples", "accepted", "distinct tails", "good by verdicts"],
        [[one.number, one.triples, one.new, one.accepted, one.tails, verdict(one)] for one in found],
    )
    say(*claims(found, command))
