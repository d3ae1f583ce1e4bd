"""`kg probe`: what a language model knows, asked by sentences with a blank."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kg.terminal import say, say_json
from kg.workspace import Workspace


class WayName(StrEnum):
    """How a model is asked."""

    AUTO = "auto"
    SENTENCE = "sentence"
    NEXT = "next"
    BLANK = "blank"


class CorrectionName(StrEnum):
    """What is taken off."""

    NONE = "none"
    HEADLESS = "headless"
    HEADS = "heads"
    POSTERIOR = "posterior"


class NamesName(StrEnum):
    """Which facts stay."""

    KEEP = "keep"
    SPELLED = "spelled"
    GUESSED = "guessed"


def probe(
    file: Annotated[
        Path, typer.Argument(help="A file of LAMA's, plain or gzip: any of its parts.", show_default=False)
    ],
    model: Annotated[
        str, typer.Option(help="A folder or a name on a model hub, causal or masked; gemma comes with pip.")
    ] = "gemma",
    candidates: Annotated[
        str,
        typer.Option(
            help="What is compared: tails (those of the file), own (words of one token of the model's), or a file with "
            "one a line."
        ),
    ] = "tails",
    way: Annotated[
        WayName,
        typer.Option(
            help="blank: the masks of a masked model. sentence: the probability of the whole sentence. next: of the "
            "candidate alone, where the blank is last. auto: the first of these that the model can."
        ),
    ] = WayName.AUTO,
    correction: Annotated[
        CorrectionName,
        typer.Option(
            help="What a model finds likely anyway is taken off: headless (in the sentence without its head), heads (on"
            " the mean of the relation's sentences), posterior (heads, weighted by the tails of the relation's other "
            "facts)."
        ),
    ] = CorrectionName.NONE,
    templates: Annotated[
        Path | None,
        typer.Option(
            help="LAMA's relations.jsonl; without it, one beside the file, else the vocabulary's phrases.",
            show_default=False,
        ),
    ] = None,
    vocabulary: Annotated[str, typer.Option(help="A shipped vocabulary or a TOML file: the relations.")] = "lama",
    names: Annotated[
        NamesName,
        typer.Option(
            help="Leave out facts that the head's name gives away: spelled (it has the tail in it) or guessed (by the "
            "model from the name, too)."
        ),
    ] = NamesName.KEEP,
    negated: Annotated[bool, typer.Option("--negated", help="Also ask the negation of each sentence.")] = False,
    misprimed: Annotated[
        bool, typer.Option("--misprimed", help="Also ask behind a wrong tail of the same relation.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many facts, taken evenly from the file; without it, all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the intervals and of wrong tails.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Ask a language model about the facts of a file, and say how often it is right. Nothing is trained.

    A causal model's answer is the candidate that makes the whole sentence likeliest, wherever the blank stands.
    """
    from kg.graph.connection import open_graph
    from kg.probing.clozes import read_clozes
    from kg.probing.report import format_probe
    from kg.probing.runs import run_probe
    from kg.probing.wording import read_templates
    from kg.progress import Bar
    from kg.vocabulary import Vocabulary

    beside = file.parent / "relations.jsonl"
    if templates is None and beside.is_file() and beside != file:
        templates = beside
    published = read_templates(templates) if templates else {}
    clozes = read_clozes(file, Vocabulary.load(vocabulary), published)
    workspace = Workspace.default()
    variants = [name for name, wanted in (("negated", negated), ("misprimed", misprimed)) if wanted]
    with open_graph(workspace) as graph, Bar(total=len(clozes.rows), unit="facts", desc=file.name) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done)

        probed = run_probe(
            graph, workspace, file, clozes, model=model, candidates=candidates, way=way.value,
            correction=correction.value, names=names.value, variants=variants, sample=sample, seed=seed, progress=tell,
        )  # fmt: skip
    if as_json:
        say_json(probed.found, indent=2)
        return
    say(*format_probe(probed.found))
    say(f"Run {probed.run}; its answers are in {probed.folder / 'answers.jsonl'}")
    if clozes.rejected:
        first = clozes.rejected[0]
        say(f"{len(clozes.rejected):,} rows rejected, the first: {first.reason}", err=True)
