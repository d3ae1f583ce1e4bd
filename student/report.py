"""The report of an evaluation, as Markdown that a terminal can show: first the result in words, then the figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from student.kinds import KINDS

_CAUTION = """\
The judge goes by the relation and the tail: whatever compares a head with a tail would rank as a student does, and so
applaud it. What the check below cannot tell apart, this judge cannot tell apart in a student either. Only judgements of
the student's own predictions (kg student evaluate --judgements FILE) say how good they are."""

_CHANCE = 0.5  # the AUC of a judge that knows nothing
_FEW_JUDGED = 30  # rows below which the normal interval of a share is a rough one
_SHOWN_ANNOTATORS = 6


def format_report(content: Mapping[str, Any]) -> str:
    """Return the report of `kg.evaluate.evaluate` as text.

    Where the judge is no better than chance, the estimates are left out: the figures that need no judge remain.

    Args:
        content: `split`, `judge` (the judge's own report, with the `sources` of its verdicts), `sets` (rows of
            `evaluation.measure`), `students` (id to `kind`, `perplexity`, `comparisons`, `corrected` and
            `training_changed`), `verdicts` (how many fresh ones were `used`, and how many `left_out`, by reason).
    """
    judge, rows = content["judge"], {row["name"]: row for row in content["sets"]}
    trusted = _is_trusted(judge)
    lines = [f"# What students say about the {content['split']} events", ""]
    for student_id, detail in content["students"].items():
        lines.append(f"- {_headline(student_id, detail, rows, trusted=trusted)}")
    if not trusted:
        lines.append(f"- {_no_judge(judge)}")
    lines += [*_verdicts(content["verdicts"]), "", *_table(content["sets"], trusted=trusted), "", _judge(judge)]
    if trusted:
        lines += [_CAUTION, *_check(rows)]
    for student_id, detail in content["students"].items():
        lines += ["", f"## {student_id}", "", _perplexity(detail["kind"], detail["perplexity"])]
        if detail["training_changed"]:
            lines += [
                "Its training query returns other triples now than when it was trained; the controls and what is new",
                "to training go by what the query returns now.",
            ]
        if trusted:
            lines += ["", *(_comparison(name, found) for name, found in detail["comparisons"].items())]
        if corrected := detail["corrected"]:
            lines += ["", _correction(corrected)]
    return "\n".join(lines)


def _is_trusted(judge: Mapping[str, Any]) -> bool:
    """Return whether the judge was found to tell good triples from bad ones at all."""
    return bool(judge["systems"]["critic"]["auc_interval"][0] > _CHANCE)


def _headline(student_id: str, detail: Mapping[str, Any], rows: Mapping[str, Any], *, trusted: bool) -> str:
    """Return the result of an evaluation for one student, in a sentence or two."""
    raw = rows[f"{student_id}, raw"]
    if corrected := detail["corrected"]:
        return (
            f"{student_id}: {_percent(corrected['estimate'])} of what it says is acceptable"
            f" ({_range(corrected['interval'], _percent)}), by the judge and {corrected['judged']} fresh verdicts."
        )
    if not raw["rows"]:
        return f"{student_id} says nothing about these events."
    if not trusted:
        return f"{student_id} says {raw['rows']:,} tails about {raw['events']} events; how good they are is not known."
    found = {name.removeprefix("raw against "): row for name, row in detail["comparisons"].items() if "raw" in name}
    beaten = [name for name, row in found.items() if row and row["beats"]]
    unbeaten = [name for name, row in found.items() if row and not row["beats"]]
    taught = rows["teacher, raw"]
    teacher = f", the teacher's {_percent(taught['acceptance'])}" if taught["rows"] else ""
    sentence = (
        f"{student_id}: the judge finds {_percent(raw['acceptance'])} of what it says acceptable"
        f" ({_range(raw['interval'], _percent)}){teacher}."
    )
    if beaten:
        sentence += f" It beats {_listed(beaten)}."
    if unbeaten:
        sentence += f" It does not beat {_listed(unbeaten)}."
    return sentence


def _no_judge(judge: Mapping[str, Any]) -> str:
    found = judge["systems"]["critic"]
    return (
        f"The judge is no better than chance (AUC {found['auc']:.3f}, 95 % interval"
        f" {_range(found['auc_interval'], '{:.3f}'.format)}, on {judge['rows']} triples), so no acceptance is estimated"
        " here. Judge more triples of its half: kg query unjudged --param half=1, or the students' own:"
        " kg query to_judge."
    )


def _verdicts(found: Mapping[str, Any]) -> list[str]:
    if not found["left_out"]:
        return []
    total = found["used"] + sum(found["left_out"].values())
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in found["left_out"].items())
    return [f"- Of {total:,} fresh verdicts {found['used']:,} were used. Left out: {reasons}."]


def _table(rows: Sequence[Mapping[str, Any]], *, trusted: bool) -> list[str]:
    estimates = " acceptance (estimate) | 95 % interval |" if trusted else ""
    return [
        f"| set | rows | events |{estimates} distinct | new to training |",
        f"|---|---:|---:|{'---:|---:|' if trusted else ''}---:|---:|",
        *(_row(row, trusted=trusted) for row in rows),
    ]


def _row(row: Mapping[str, Any], *, trusted: bool) -> str:
    estimates = novel = distinct = ""
    if row["rows"]:
        estimates = f" {_percent(row['acceptance'])} | {_range(row['interval'], _percent)} |"
        distinct = f" {_percent(row['distinct'])}"
        novel = "" if row["novel"] is None else f" {_percent(row['novel'])}"
    elif trusted:
        estimates = " | |"
    return f"| {row['name']} | {row['rows']:,} | {row['events']} |{estimates if trusted else ''}{distinct} |{novel} |"


def _judge(judge: Mapping[str, Any]) -> str:
    auc, prior = (judge["systems"][name]["auc"] for name in ("critic", "relation prior"))
    sources = judge["sources"]
    annotators = [*sources["annotators"][:_SHOWN_ANNOTATORS]]
    if more := len(sources["annotators"]) - len(annotators):
        annotators.append(f"{more:,} more")
    sentence = f" The verdicts are those of {_listed(annotators)}" if annotators else ""
    sentence += f" ({', '.join(sources['datasets'])})" if sentence and sources["datasets"] else ""
    return (
        f"Judge: a critic trained on {judge['trained_rows']:,} judged triples of other events than the filter; on"
        f" {judge['rows']:,} triples of {judge['events']} test events its AUC is {auc:.3f}, that of the relation prior"
        f" {prior:.3f}; intervals are over events.{sentence}{'.' if sentence else ''}"
        + "".join(f" {note}." for note in sources["notes"])
    )


def _check(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = {name.partition(":")[0]: row["acceptance"] for name, row in rows.items() if row["rows"]}
    if "gold" not in found or "another event" not in found:
        return []
    apart = found["gold"] - found["another event"]
    gold, other = _percent(found["gold"]), _percent(found["another event"])
    return [f"Check: it gives gold tails {gold} and the tails of another event {other}, {_points(apart)} points apart."]


def _perplexity(kind: str, found: Mapping[str, Any]) -> str:
    if found["per_token"] is None:
        return "It can express none of the held-out tails, so it has no perplexity."
    return KINDS[kind].perplexity.format(
        token=found["per_token"], word=found["per_word"], covered=_percent(found["covered"])
    )


def _comparison(name: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return f"- {name}: nothing to compare"
    if found["interval"] is None:
        return f"- {name}: {_points(found['difference'])} points on {_range(None, _points)}, too few to tell"
    verdict = "beats it" if found["beats"] else "does not beat it"
    return f"- {name}: {_points(found['difference'])} points ({_range(found['interval'], _points)}): {verdict}"


def _correction(found: Mapping[str, Any]) -> str:
    rough = "" if found["judged"] >= _FEW_JUDGED else f" With fewer than {_FEW_JUDGED} the interval is a rough one."
    interval = _range(found["interval"], _percent)
    return (
        f"With {found['judged']} fresh judgements of its own predictions ({_percent(found['judged_acceptance'])} good),"
        f" the acceptance of all of them is {_percent(found['estimate'])} ({interval}).{rough}"
    )


def _range(interval: Sequence[float] | None, shown: Any) -> str:
    """Return an interval in words: "12.0 % to 34.0 %", or why there is none worth printing."""
    if interval is None:
        return "a single event"
    low, high = (shown(end) for end in interval)
    return f"{low} to {high}" if low != high else "no spread between events"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
