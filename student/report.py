"""The report of an evaluation, as Markdown that a terminal can show."""

from collections.abc import Mapping, Sequence
from typing import Any

_CAUTION = """\
Acceptance is the estimate of a judge critic, with a 95 % interval over events. The judge goes by the relation and the
tail: whatever compares a head with a tail would rank as a student does, and so applaud it. What the check below cannot
tell apart, this judge cannot tell apart in a student either. Only judgements of the student's own predictions
(kg student evaluate --judgements FILE) say how good they are. The starter corpus was judged by language models."""


def format_report(content: Mapping[str, Any]) -> str:
    """Return the report of `kg.distill.evaluate` as text.

    Args:
        content: `split`, `judge` (the judge's own report), `sets` (rows of `evaluation.measure`), `students` (kind to
            `student`, `perplexity`, `comparisons` and, if there were fresh verdicts, `corrected`).
    """
    judge = content["judge"]
    auc, prior = (judge["systems"][name]["auc"] for name in ("critic", "relation prior"))
    lines = [
        f"## What is said about the events of split {content['split']}",
        "",
        "| set | rows | events | acceptance (estimate) | 95 % interval | distinct | new to training |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_row(row) for row in content["sets"]),
        "",
        (
            f"Judge: trained on {judge['trained_rows']} judged triples of other events than the filter; on"
            f" {judge['rows']} triples of {judge['events']} test events its AUC is {auc:.3f}, that of the relation"
            f" prior {prior:.3f}."
        ),
        _CAUTION,
        *_check(content["sets"]),
    ]
    for kind, detail in content["students"].items():
        lines += ["", f"### The {kind} ({detail['student']})", "", _perplexity(kind, detail["perplexity"]), ""]
        lines += [_comparison(name, found) for name, found in detail["comparisons"].items()]
        if corrected := detail.get("corrected"):
            low, high = corrected["interval"]
            lines += [
                "",
                (
                    f"With {corrected['judged']} fresh judgements of its own predictions"
                    f" ({_percent(corrected['judged_acceptance'])} good), the acceptance of all of them is"
                    f" {_percent(corrected['estimate'])} ({_percent(low)} to {_percent(high)})."
                ),
            ]
    return "\n".join(lines)


def _check(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    found = {row["name"].partition(":")[0]: row["acceptance"] for row in rows if row["rows"]}
    if "gold" not in found or "another event" not in found:
        return []
    apart = found["gold"] - found["another event"]
    gold, other = _percent(found["gold"]), _percent(found["another event"])
    return [f"Check: it gives gold tails {gold} and the tails of another event {other}, {_points(apart)} points apart."]


def _row(row: Mapping[str, Any]) -> str:
    if not row["rows"]:
        return f"| {row['name']} | 0 | 0 | | | | |"
    low, high = row["interval"]
    return (
        f"| {row['name']} | {row['rows']:,} | {row['events']} | {_percent(row['acceptance'])} |"
        f" {_percent(low)} to {_percent(high)} | {_percent(row['distinct'])} | {_percent(row['novel'])} |"
    )


def _perplexity(kind: str, found: Mapping[str, Any]) -> str:
    if found["per_token"] is None:
        return "It can express none of the held-out tails, so it has no perplexity."
    if kind == "ranker":
        return (
            f"Perplexity of held-out tails among the tails it knows: {found['per_token']:,.0f}; it knows"
            f" {_percent(found['covered'])} of them."
        )
    return (
        f"Perplexity of held-out tails: {found['per_token']:,.1f} a token, {found['per_word']:,.1f} a word"
        f" ({_percent(found['covered'])} of the tails)."
    )


def _comparison(name: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return f"- {name}: nothing to compare"
    low, high = found["interval"]
    verdict = "beats it" if found["beats"] else "does not beat it"
    return f"- {name}: {_points(found['difference'])} points ({_points(low)} to {_points(high)}): {verdict}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
