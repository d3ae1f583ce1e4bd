"""The report of an evaluation, as Markdown that a terminal can show: first the result in words, then the figures."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from student.curve import loss_lines
from student.evaluation import CONTROLS
from student.kinds import KINDS

_CAUTION = """\
The judge goes by the relation and the tail: whatever compares a head with a tail would rank as a student does, and so
applaud it. What the check below cannot tell apart, this judge cannot tell apart in a student either. Only judgements of
the student's own predictions (kg student evaluate --judgements FILE) say how good they are."""

_LEGEND = """\
"Readers accept" is the share of acceptable rows by blind readers' verdicts, with its 95 % interval: of all rows, or
of a random sample of just this set. Where only some rows have a verdict it is what the share must lie between, were all
others bad, or good: kg query to_judge draws some to judge. "New" are relation-tail pairs that the training has not."""

_ALONE = "Sets that name no teacher are of the strong teacher's loop alone, kg distill --teacher strong."

_CHANCE = 0.5  # the AUC of a judge that knows nothing
_FEW_JUDGED = 30  # rows below which the normal interval of a share is a rough one
_SHOWN_ANNOTATORS = 6


def format_report(content: Mapping[str, Any], tables: Sequence[str] = ()) -> str:
    """Return the report of `kg.evaluate.evaluate` as text.

    Where the judge is no better than chance, the estimates are left out: the figures that need no judge remain.

    Args:
        content: `split`, `judged` (how many triples of its events are), `paid` (what verdicts say of each teacher's
            filter and students), `judge` (the judge's own report, with the `sources` of its verdicts), `sets` (rows of
            `evaluation.measure`), `students` (id to `kind`, `perplexity`, `metrics`, `links`, `comparisons`,
            `corrected` and `training_changed`), `verdicts` (how many fresh ones were `used`, and how many `left_out`,
            by reason).
        tables: others, about the filter, as text.
    """
    judges, rows = content["judges"], {row["name"]: row for row in content["sets"]}
    trusted = [name for name, judge in judges.items() if _is_trusted(judge)]
    lines = [f"# What students say about the {content['split']} events", ""]
    if content["judged"]:
        lines += [f"- {sentence}" for sentence in paid_sentences(content["paid"], content["split"])]
    else:
        lines.append(
            f"- Not one triple about {content['split']} events is judged, so whether the filter or a student paid is"
            f" not known: kg query unjudged --param split={content['split']} and kg query to_judge draw some to judge."
        )
    for student_id, detail in content["students"].items():
        lines.append(f"- {_headline(student_id, detail, rows, judges[detail['judge']])}")
    lines += [f"- {_no_judge(judge)}" for name, judge in judges.items() if name not in trusted]
    lines += [*_verdicts(content["verdicts"]), "", *(line for table in tables for line in (*table.split("\n"), ""))]
    lines += ["## Teachers, students and controls", ""] if tables else []
    lines += [*_table(content["sets"], trusted), "", _LEGEND]
    for name, judge in judges.items():
        lines += ["", _judge(name if len(judges) > 1 else "", judge)]
        if name in trusted:
            lines += [_CAUTION] if name == "sentence encoder" else []
            lines += _check(rows, name)
            if error := judge["error"]:
                sets = f"{error['sets']} sets above that readers" if error["sets"] > 1 else "one set above that readers"
                lines.append(
                    f"Over the {sets} judged, its estimates are off by {100 * error['error']:.0f} points in the mean."
                )
    if len(judges) > 1:
        lines += ["", "Students of different judges are compared by verdicts only."]
    lines += _reference(content["reference"])
    for student_id, detail in content["students"].items():
        lines += ["", f"## {student_id}", "", *_section(student_id, detail, rows, trusted=detail["judge"] in trusted)]
    return "\n".join(lines)


def _section(student_id: str, detail: Mapping[str, Any], rows: Mapping[str, Any], *, trusted: bool) -> list[str]:
    """Return the lines about one student."""
    lines = [_perplexity(detail["kind"], detail["perplexity"])]
    if (links := detail.get("links")) and links["mrr"] is not None:
        lines.append(_links(links))
    if drawn := loss_lines(detail.get("metrics") or {}):
        lines += ["", *drawn, ""]
    if detail["training_changed"]:
        lines += [
            "Its training query returns other triples now than when it was trained; the controls and what is new",
            "to training go by what the query returns now.",
        ]
    if detail["preference"]["rows"]:
        lines.append(_preference(detail["preference"]))
    if rows[f"{student_id}, raw"]["readers"]["share"] is not None:
        lines += ["", *_against(student_id, detail["teacher"], rows)]
    elif trusted:
        lines += ["", *(_comparison(name, found) for name, found in detail["comparisons"].items())]
    if corrected := detail["corrected"]:
        lines += ["", _correction(corrected)]
    return lines


def _is_trusted(judge: Mapping[str, Any]) -> bool:
    """Return whether the judge was found to tell good triples from bad ones at all."""
    return bool(judge["systems"]["critic"]["auc_interval"][0] > _CHANCE)


def _headline(
    student_id: str,
    detail: Mapping[str, Any],
    rows: Mapping[str, Any],
    judge: Mapping[str, Any],
) -> str:
    """Return the result of an evaluation for one student, in a sentence or two."""
    raw = rows[f"{student_id}, raw"]
    if raw["rows"] and raw["readers"]["share"] is not None:
        return _read_headline(student_id, detail["teacher"], rows)
    if corrected := detail["corrected"]:
        return (
            f"{student_id}: {_percent(corrected['estimate'])} of what it says is acceptable"
            f" ({_range(corrected['interval'], _percent)}), by the judge and {corrected['judged']} fresh verdicts."
        )
    if not raw["rows"]:
        return f"{student_id} says nothing about these events."
    if not _is_trusted(judge):
        return f"{student_id} says {raw['rows']:,} tails about {raw['events']} events; how good they are is not known."
    found = {name.removeprefix("raw against "): row for name, row in detail["comparisons"].items() if "raw" in name}
    beaten = [name for name, row in found.items() if row and row["beats"]]
    unbeaten = [name for name, row in found.items() if row and not row["beats"]]
    taught = rows[f"{detail['teacher']}, raw"]
    teacher = f", the teacher's {_percent(taught['estimates'][detail['judge']])}" if taught["rows"] else ""
    sentence = (
        f"{student_id}: the judge finds {_percent(raw['acceptance'])} of what it says acceptable"
        f" ({_range(raw['interval'], _percent)}){teacher}."
    )
    if beaten:
        sentence += f" It beats {_listed(beaten)}."
    if unbeaten:
        sentence += f" It does not beat {_listed(unbeaten)}."
    if error := judge["error"]:
        sentence += f" Where readers judged, its estimates are {100 * error['error']:.0f} points off in the mean."
    return sentence


def _read_headline(student_id: str, taught_by: str, rows: Mapping[str, Any]) -> str:
    """Return what readers say of a student, of its accepted tails, and of what it has to beat."""
    raw, kept = (rows[f"{student_id}, {name}"] for name in ("raw", "accepted"))
    found = raw["readers"]
    sentence = (
        f"{student_id}: readers accept {_percent(found['share'])} of what it says"
        f" ({_range(found['interval'], _percent)}; {found['read']:,} of {raw['rows']:,} rows read)."
    )
    if kept["rows"] and kept["readers"]["share"] is not None:
        gain = kept["readers"]["share"] - found["share"]
        sentence += (
            f" Of the {kept['rows']:,} that the critic lets pass they accept {_percent(kept['readers']['share'])}"
            f" ({_points(gain)} points)."
        )
    known = [
        f"{name} {_percent(row['readers']['share'])}"
        for name, row in rows.items()
        if row["rows"] and row["readers"]["share"] is not None and not name.endswith((", raw", ", accepted"))
        if row["teacher"] == taught_by
    ]
    teacher = rows[f"{taught_by}, raw"]["readers"]
    if teacher["share"] is not None:
        known.insert(0, f"the teacher {_percent(teacher['share'])}")
    return sentence + (f" Beside it: {_listed(known)}." if known else "")


def paid_sentences(paid: Sequence[Mapping[str, Any]], split: str) -> list[str]:
    """Return whether each teacher's filter and students paid, by how much and on which evidence.

    Args:
        paid: for each teacher `teacher`, `rows`, `filter` and `students`, as `kg.evaluate` makes them.
        split: whose events.
    """
    sentences: list[str] = []
    unknown: list[str] = []
    for found in paid:
        of = (
            f"the {found['teacher']}'s tails"
            if found["teacher"].endswith("teacher")
            else f"the tails of {found['teacher']}"
        )
        if gain := found["filter"]:
            sentences.append(
                f"{_verdict('the filter', f'for {of}', gain)}: readers accept {_percent(gain['shares'][0])} of what"
                f" passes and {_percent(gain['shares'][1])} of all, {_gain(gain)}, by verdicts on"
                f" {_of(gain['rows'][1], found['rows'])}."
            )
        else:
            unknown.append(f"the filter for {of}")
        for student_id, detail in found["students"].items():
            learnt = {"accepted": "the accepted of ", "raw": "all of "}.get(detail["learnt"], "some of ")
            name = f"{student_id} (of {learnt}{of})"
            if gain := detail["teacher"]:
                sentences.append(
                    f"{_verdict(name, 'beside its teacher', gain)}: readers accept {_percent(gain['shares'][0])} of"
                    f" {gain['rows'][0]:,} of its tails and {_percent(gain['shares'][1])} of {gain['rows'][1]:,} of its"
                    f" teacher's, {_gain(gain)}."
                )
            else:
                unknown.append(student_id)
            sentences += [
                f"{_verdict('learning from what passes', f'for {student_id}', gain)}: beside {other}, which learnt all,"
                f" {_gain(gain)}."
                for other, gain in detail["raw"].items()
                if gain
            ]
    if unknown:
        sentences.append(
            f"Not known to have paid or not: {_listed(unknown)}. Of what they let pass or say about {split} events"
            " neither all nor a random sample has verdicts; kg query to_judge draws some to judge."
        )
    return sentences


def _verdict(who: str, what: str, gain: Mapping[str, Any]) -> str:
    """Return whether something paid, as the beginning of a sentence."""
    what = f" {what}" if what else ""
    if gain["verdict"] == "unclear":
        return f"Whether {who} paid{what} cannot be told"
    begin = who.capitalize() if who.startswith(("the ", "learning")) else who
    return f"{begin} {'paid' if gain['verdict'] == 'better' else 'did not pay'}{what}"


def _gain(gain: Mapping[str, Any]) -> str:
    if gain["interval"] is None:
        return f"{_points(gain['difference'])} points, too few to tell"
    return f"{_points(gain['difference'])} points (95 % interval {_range(gain['interval'], _points)})"


def _of(read: int, rows: int) -> str:
    return f"all {rows:,} of them" if read == rows else f"a random sample of {read:,} of these {rows:,}"


def _against(student_id: str, teacher: str, rows: Mapping[str, Any]) -> list[str]:
    """Return how far readers set a student apart from the controls, where they read both."""
    own = rows[f"{student_id}, raw"]["readers"]["share"]
    return [
        f"- by readers, raw against {name}: {_points(own - row['readers']['share'])} points"
        for control in CONTROLS
        for name, row in rows.items()
        if name.startswith(control) and row["teacher"] == teacher and row["readers"]["share"] is not None
    ]


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


def _table(rows: Sequence[Mapping[str, Any]], judges: Sequence[str]) -> list[str]:
    names = ["estimate"] if len(judges) == 1 else [f"estimate by {name}" for name in judges]
    estimates = "".join(f" {name} |" for name in names)
    return [
        f"| set | rows | events | readers accept | read |{estimates} distinct | new |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(names)}---:|---:|",
        *(_row(row, judges) for row in rows),
    ]


def _row(row: Mapping[str, Any], judges: Sequence[str]) -> str:
    novel = "" if row["novel"] is None else f" {_percent(row['novel'])}"
    distinct = f" {_percent(row['distinct'])}" if row["rows"] else ""
    found = [row["estimates"].get(name) for name in judges]
    judged = "".join(" |" if estimate is None else f" {_percent(estimate)} |" for estimate in found)
    return (
        f"| {row['name']} | {row['rows']:,} | {row['events']} | {_share(row['readers'])} | {row['readers']['read']:,} |"
        f"{judged}{distinct} |{novel} |"
    )


def _share(found: Mapping[str, Any]) -> str:
    low, high = (_percent(end) for end in found["interval"])
    if found["share"] is None:
        return f"{low} to {high}" if found["read"] else "not read"
    return f"**{_percent(found['share'])}** ({low} to {high})"


def _reference(found: Mapping[str, Any]) -> list[str]:
    """Return the table of the readings that come with the software."""
    if not found:
        return []
    agreement = found["agreement"]
    return [
        "",
        "## The reference run, read blind",
        "",
        "| set | rows | read | readers accept |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {row['rows']:,} | {row['read']:,} | {_share(row)} |" for name, row in found["sets"].items()),
        "",
        (
            f"Readers were language models that saw neither source nor score nor goal. {agreement['twice']:,} rows were"
            f" read twice: {_percent(agreement['same'])} the same, Cohen's kappa {agreement['kappa']:.2f}. Of the"
            f" planted gold tails they accept {_percent(agreement['gold'])}, of those of another event"
            f" {_percent(agreement['other'])}."
        ),
        *(["", _ALONE] if len({bool(re.search(r"\w teacher", name)) for name in found["sets"]}) > 1 else []),
    ]


def _links(found: Mapping[str, Any]) -> str:
    hits = ", ".join(f"Hits@{k} {_percent(share)}" for k, share in found["hits"].items())
    return (
        f"Of the {_percent(found['covered'])} of {found['rows']:,} held-out tails that it knows, among all tails of the"
        f" relation but other right ones: MRR {found['mrr']:.3f}, {hits}."
    )


def _preference(found: Mapping[str, Any]) -> str:
    auc = "" if found["auc"] is None else f" its AUC over {found['rows']:,} judged tails is {found['auc']:.3f}"
    pairs = (
        ""
        if found["accuracy"] is None
        else (
            f" of {found['pairs']:,} pairs of a good and a bad tail of one event and relation it prefers the good one"
            f" in {_percent(found['accuracy'])}"
        )
    )
    return f"Without any judge:{';'.join(filter(None, [auc, pairs])) or ' readers judged too little to say'}."


def _judge(name: str, judge: Mapping[str, Any]) -> str:
    auc, prior = (judge["systems"][name]["auc"] for name in ("critic", "relation prior"))
    sources = judge["sources"]
    annotators = [*sources["annotators"][:_SHOWN_ANNOTATORS]]
    if more := len(sources["annotators"]) - len(annotators):
        annotators.append(f"{more:,} more")
    sentence = f" The verdicts are those of {_listed(annotators)}" if annotators else ""
    sentence += f" ({', '.join(sources['datasets'])})" if sentence and sources["datasets"] else ""
    return (
        f"Judge{f' by the {name}' * bool(name)}: a critic trained on"
        f" {judge['trained_rows']:,} judged triples of other events than the filter; on"
        f" {judge['rows']:,} triples of {judge['events']} test events its AUC is {auc:.3f}, that of the relation prior"
        f" {prior:.3f}; intervals are over events.{sentence}{'.' if sentence else ''}"
        + "".join(f" {note}." for note in sources["notes"])
    )


def _check(rows: Mapping[str, Mapping[str, Any]], judge: str) -> list[str]:
    found: dict[str, float] = {}
    for name, row in rows.items():
        if row["rows"]:
            kind = next((kind for kind in ("gold", "another event") if name.startswith(kind)), name)
            found.setdefault(kind, row["estimates"].get(judge))
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
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # no -0.0
