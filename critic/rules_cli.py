"""`kg critic rules`: what named checks hold against edges, or how good the checks are by verdicts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kg.errors import InputError
from kg.terminal import say, say_json
from kg.workspace import Workspace


def rules(
    accepted: Annotated[bool, typer.Option("--accepted", help="Check accepted edges only.")] = False,
    judgements: Annotated[
        list[Path] | None,
        typer.Option(
            help="Say how good the rules are by these verdicts, those on test events left out; the graph stays aside. "
            "Repeatable."
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="The relations of the judgements; without it, those of all shipped ones."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Flag edges that break a rule, such as a tail that repeats its head, and say why. None is changed or deleted."""
    if judgements:
        _measure(judgements, vocabulary, as_json)
        return
    if vocabulary:
        raise InputError("a graph has its own vocabulary; --vocabulary is for --judgements")
    from critic.flagging import flag_edges
    from kg.graph.connection import open_graph
    from kg.progress import Bar

    workspace = Workspace.default()
    with open_graph(workspace) as graph, Bar(unit="edges", desc="check") as bar:
        found = flag_edges(graph, workspace, accepted_only=accepted, progress=bar.update)
    if as_json:
        say_json({"run": found.run, "file": str(found.path), "edges": found.edges, "flagged": found.flagged,
                  "rules": found.counts})  # fmt: skip
        return
    for flag in found.first:
        say(f"{flag.rule:14}{flag.triple.head} | {flag.triple.relation} | {flag.triple.tail}: {flag.reason}")
    say(*(f"{count:,} flags by {name}" for name, count in found.counts.items()))
    say(f"{found.flagged:,} of {found.edges:,} edges are flagged, as run {found.run}; all flags: {found.path}")


def _measure(files: list[Path], vocabulary: str | None, as_json: bool) -> None:
    from critic.evaluation_cli import shipped_or
    from critic.evaluation_files import read_verdicts
    from critic.rules import Checking, measure

    own, bad = shipped_or(vocabulary), list[str]()
    verdicts = read_verdicts(files, own, "en", ("train", "validation"), bad)
    if not verdicts.triples:
        raise InputError("there is no judged triple of a train or validation event")
    accepted = [triple for triple, good in zip(verdicts.triples, verdicts.good, strict=True) if good]
    rows: list[dict[str, Any]] = list(measure(verdicts, Checking.of(own, accepted)))
    if as_json:
        say_json({"rows": len(verdicts), "bad": int((~verdicts.good).sum()), "rules": rows})
    else:
        bad_rows = int((~verdicts.good).sum())
        say(
            f"{len(verdicts):,} judged triples of train and validation events, {bad_rows:,} of them bad:",
            f"{'':14}{'flagged':>9}{'bad':>7}{'precision':>11}{'bad anyway':>12}{'recall':>9}",
            *(_line(row) for row in rows),
            "bad anyway: the share of bad ones among all rows of the relations that a rule flags anything of",
        )
    if bad:
        say(*bad, err=True)
        raise typer.Exit(1)


def _line(row: dict[str, Any]) -> str:
    shares = ("-" if row[name] is None else f"{100 * row[name]:.1f} %" for name in ("precision", "base", "recall"))
    precision, base, recall = shares
    return f"{row['rule']:14}{row['flagged']:>9,}{row['bad']:>7,}{precision:>11}{base:>12}{recall:>9}"
