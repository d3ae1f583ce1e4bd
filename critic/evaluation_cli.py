"""`kg critic evaluate`: kinds of critics on files of judgements, without a graph."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from critic.kinds import KINDS
from kg.errors import InputError, NotReady
from kg.model import SPLITS
from kg.terminal import say, say_json
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

KindName = StrEnum("KindName", list(KINDS))  # type: ignore[misc] # the choices are those of the table
SplitName = StrEnum("SplitName", list(SPLITS))  # type: ignore[misc]


def evaluate(
    test: Annotated[
        Path,
        typer.Option(
            help="Judgements to measure on: CKBP's CSV (v1, v2), Li et al.'s TSV of labels, our TSV, or any other file "
            "that kg critic import-judgements reads.",
            show_default=False,
        ),
    ],
    train: Annotated[
        list[Path] | None,
        typer.Option(
            help="Judgements to learn from. Rows whose head is tested are left out. Beside --folds or --train-rows "
            "they count no more together than the tested file's own rows, and calibrate nothing. Repeatable."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Deal the tested rows by head into so many folds; the others teach each."),
    ] = None,
    train_rows: Annotated[
        int | None,
        typer.Option(
            min=1, help="Learn from the tested file's heads, in the order of a hash, until there are so many rows."
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="A teacher's triples to learn from, whatever their quality, in any format of kg ingest load; without "
            "it, the good rows of what is learnt from, or, if nothing is, the tested triples. Repeatable."
        ),
    ] = None,
    kind: Annotated[
        list[KindName] | None,
        typer.Option(
            help="Kinds of critics; without it, blend, or where there is nothing to learn from all that need no "
            "judgement. Repeatable.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        list[SplitName] | None,
        typer.Option(help="Only events of this split, by their keys, as a graph has them. Repeatable."),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="The relations of files that bring none; without it, those of all that are shipped.",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME|PATH", help="Sentence encoder; without it, all-MiniLM-L6-v2."),
    ] = None,
    lang: Annotated[str, typer.Option(help="BCP 47 tag of the texts.")] = "en",
    seed: Annotated[int, typer.Option(help="Same seed, same result on the same machine, to rounding.")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, max=20, help="Train with so many seeds, from --seed on; give means and spreads.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, with all that the text leaves out.")
    ] = False,
) -> None:
    """Measure kinds of critics on files of judgements, split by head, beside two baselines; no graph is needed."""
    from critic.evaluation import Learning, kinds_without_verdicts, trainings
    from critic.evaluation import evaluate as measure
    from critic.evaluation_files import read_corpus, read_verdicts
    from critic.evaluation_report import format_evaluation
    from critic.legs import legs_of
    from kg.encoder import Encoder
    from kg.progress import Bar

    own = shipped_or(vocabulary)
    bad: list[str] = []
    tested = read_verdicts([test], own, lang, split, bad)
    taught = read_verdicts(train or [], own, lang, split, bad)
    triples = read_corpus(corpus, own, lang, split, bad) if corpus else None
    if bad:
        say(*bad, err=True)
    if not tested.triples:
        raise InputError(f"{test} has no judged triple" + (" of these splits" if split else ""))
    legs = legs_of(tested, taught, folds=folds, train_rows=train_rows, seed=seed)
    kinds = list(dict.fromkeys(one.value for one in kind or ()))
    if not kinds:
        kinds = ["blend"] if train or folds or train_rows else kinds_without_verdicts()
    if not kinds:
        raise NotReady("every kind learns from judgements; give some to learn from: --train, --folds or --train-rows")
    learning = Learning(triples, own, Encoder(encoder, Workspace.default().folder("embeddings")).encode)
    numbers = range(seed, seed + seeds)
    with Bar(total=trainings(legs, kinds, numbers), unit="critics", desc="train", delay=1, leave=False) as bar:
        found = measure(legs, learning, kinds, seeds=numbers, progress=bar.update)
    found = {"test": str(test), "train": [str(path) for path in train or ()], "folds": folds} | found
    if as_json:
        say_json(found)
    else:
        say(*format_evaluation(found).split("\n"))
    if bad:
        raise typer.Exit(1)


def shipped_or(name: str | None) -> Vocabulary:
    """Return the relations of a vocabulary; without a name, those of all shipped ones."""
    if name is not None:
        return Vocabulary.load(name)
    shipped = ("cskg", "skd2", "ckbp")
    return Vocabulary((relation for one in shipped for relation in Vocabulary.load(one)), "the shipped vocabularies")
