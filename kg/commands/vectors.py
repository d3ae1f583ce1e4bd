"""`kg vectors`: vectors of the graph's phrases, which serve `/related`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kg.terminal import say, say_json
from kg.wide import RayAddress, workers
from kg.workspace import Workspace

app = typer.Typer(
    help="Vectors of the graph's phrases: base vectors, retrofitted along the edges.", no_args_is_help=True
)

Language = Annotated[str, typer.Option(help="Language of words that are no ConceptNet URIs.")]


@app.command()
def build(
    base: Annotated[
        str,
        typer.Option(
            metavar="FILE|encoder",
            help="What to begin with: the sentence encoder, or word vectors in a file: word2vec's text, also "
            ".gz, or safetensors of kg vectors export.",
        ),
    ] = "encoder",
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="RELATION", help="Leave a relation out, as negative ones are anyway. Repeatable."),
    ] = None,
    sweeps: Annotated[int, typer.Option(min=0, max=100, help="0 only centres the base vectors.")] = 5,
    language: Language = "en",
    ray: RayAddress = None,
) -> None:
    """Give phrases vectors, in place of earlier ones; kg runs undo takes them back."""
    from functools import partial

    from kg.graph.connection import open_graph
    from kg.vectors.base import open_base
    from kg.vectors.building import build as build_vectors

    workspace = Workspace.default()
    with open_graph(workspace) as graph, workers(ray, workspace) as spread:
        begin = open_base(base, workspace.folder("embeddings"), language, spread)
        built = build_vectors(
            graph, workspace, begin, without=without or (), sweeps=sweeps, say=partial(say, err=True)
        )  # fmt: skip
    alone = built.terms - min(built.terms, built.from_base)
    say(
        f"{built.terms:,} phrases have vectors of {built.dimensions} numbers, {alone:,} of them by their neighbours "
        f"alone, from {built.edges:,} edges, as run {built.run}"
    )
    if built.seconds:
        say("Seconds: " + ", ".join(f"{step} {seconds:g}" for step, seconds in built.seconds.items()))
    else:
        say("They stood already: the same edges, the same base vectors")


@app.command()
def evaluate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Word, word, number a line.", show_default=False)
    ],
    base: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|encoder", help="Base vectors to compare with, on the same pairs.", show_default=False
        ),
    ] = None,
    language: Language = "en",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how the vectors' cosines rank pairs of words as people do (Spearman), and how many pairs they cover."""
    from kg.commands.query import print_table
    from kg.graph.connection import open_graph
    from kg.vectors.base import Phrase, open_base
    from kg.vectors.evaluating import correlate, read_pairs, words_of
    from kg.vectors.kept import standing, vectors_of

    workspace = Workspace.default()
    pairs = {path: read_pairs(path) for path in files}
    words = words_of(pair for found in pairs.values() for pair in found)
    with open_graph(workspace) as graph:
        run = standing(graph)
        ours = vectors_of(graph, words, language)
    before = {}
    if base:
        found, known = open_base(base, workspace.folder("embeddings"), language).find(
            [Phrase(word, language) for word in words]
        )
        before = {word: vector for word, vector, has in zip(words, found, known, strict=True) if has}
    rows: list[dict[str, Any]] = []
    for path, some in pairs.items():
        after = correlate(some, ours, before.__contains__ if base else lambda _: True)
        row = {"file": path.name, "pairs": after.pairs, "covered": after.covered, "spearman": after.spearman}
        if base:
            row["base"] = correlate(some, before, ours.__contains__).spearman
        rows.append(row)
    if as_json:
        for row in rows:
            say_json(row | {"run": run["id"]})
        return
    print_table(list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


@app.command()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=".txt, .vec (also .gz) or .safetensors.", show_default=False)
    ],
) -> None:
    """Write the vectors for other tools, and the licence of the graph beside them."""
    from kg.graph.connection import open_graph
    from kg.vectors.exporting import export as export_vectors

    with open_graph(Workspace.default()) as graph:
        done = export_vectors(graph, file)
    say(
        f"{done.terms:,} vectors in {file}; licence: {done.licence or 'none is known'} ({file.name}.licence.json)",
        err=True,
    )


def _shown(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else value
