"""How far annotators agree, as JSON and as text."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from critic.agreement import SIDE, Agreement, Group, WithPeople
from critic.consensus import majority
from critic.reliability import IN_COMMON, Figure

_SHOWN = 12  # rows of a table that a person reads; more are in the JSON


def as_json(found: Agreement) -> dict[str, Any]:
    """Return an agreement as JSON has it; triples with their consensus and majority as maps."""
    groups = {"people": _group_as_json(found.people), "machines": _group_as_json(found.machines)}
    why = [{"annotator": name, "because": said} for name, said in found.why.items()]
    return groups | {"with_people": [asdict(row) for row in found.with_people], "taken_for_machines": why}


def _group_as_json(group: Group) -> dict[str, Any]:
    consensus: dict[str, Any] | None = None
    if group.dawid_skene:
        rates = group.dawid_skene.accepts_good, group.dawid_skene.rejects_bad
        consensus = {
            "accepted": sum(share > SIDE for share in group.dawid_skene.good.values()),
            "triples": len(group.dawid_skene.good),
            "contradicts_majority": group.contradicted,
            "annotators": [
                {"annotator": name, "accepts_good": rates[0][name], "rejects_bad": rates[1][name]} for name in rates[0]
            ],
        }
    return {
        "annotators": [
            {"annotator": name, "judged": judged, "unfamiliar": unfamiliar}
            for name, (judged, unfamiliar) in group.annotators.items()
        ],
        "judgements": sum(judged for judged, _ in group.annotators.values()),
        "triples": group.triples,
        "judged_by_two_or_more": len(group.judged),
        "reliability": asdict(group.reliability) if group.reliability else None,
        "majority": dict(group.majorities),
        "dawid_skene": consensus,
        "consensus": [
            {
                "head": triple.head, "relation": triple.relation, "tail": triple.tail,
                "majority": majority(by.values()),
                "dawid_skene": group.dawid_skene.good.get(triple) if group.dawid_skene else None,
            }
            for triple, by in group.judged.items()
        ],
    }  # fmt: skip


def format_agreement(found: Agreement) -> str:
    """Return an agreement as text: people first, then machines, then machines beside people."""
    lines = _lines("People", found.people)
    if found.machines.triples:
        lines += ["", *_lines("Machines, which are never counted as people", found.machines)]
        lines += [
            f"{why}: {', '.join(name for name, said in found.why.items() if said == why)}"
            for why in sorted({*found.why.values()})
        ]
        lines += ["", *format_with_people(found.with_people)]
    return "\n".join(lines)


def _lines(title: str, group: Group) -> list[str]:
    if not group.triples:
        return [f"{title}: nobody has judged; kg critic import-judgements FILE brings verdicts"]
    judgements = sum(judged for judged, _ in group.annotators.values())
    unfamiliar = sum(count for _, count in group.annotators.values())
    counts = f"{len(group.annotators):,} annotators, {judgements:,} judgements of {group.triples:,} triples"
    lines = [f"{title}: {counts} ({unfamiliar:,} unfamiliar); two or more judged {len(group.judged):,}"]
    if group.reliability is None:
        return [*lines, "How far they agree cannot be said: no triple was judged by two"]
    scores = group.reliability
    lines.append(f"{'':44}{'':>8}  95 % interval")
    for name, figure in (
        ("pairwise agreement, accepted or not", scores.pairwise),
        (f"Cohen's kappa, mean of {len(scores.pairs):,} pairs", scores.cohen),
        ("Fleiss' kappa", scores.fleiss),
        ("Krippendorff's alpha, accepted or not", scores.alpha_accepted),
        ("Krippendorff's alpha, the scale from -2 to 2", scores.alpha_scale),
    ):
        lines.append(f"{name:44}{_shown(figure)}")
    pairs = sorted(scores.pairs, key=lambda pair: (pair.kappa.value is None, pair.kappa.value, pair.annotators))
    lines.append(f"Cohen's kappa of each pair with {IN_COMMON} triples in common or more, the lowest first:")
    lines += [
        f"  {' and '.join(pair.annotators):42}{_shown(pair.kappa)}  {pair.triples:,} triples" for pair in pairs[:_SHOWN]
    ]
    lines += _rest(len(pairs), "pairs")
    lines.append("Share accepted, minus the share that others accepted of the same triples:")
    biases = sorted(scores.biases, key=lambda row: (-abs(row.bias.value or 0), row.annotator))
    lines += [f"  {row.annotator:42}{_shown(row.bias, '+')}  {row.triples:,} triples" for row in biases[:_SHOWN]]
    lines += _rest(len(biases), "annotators")
    return [*lines, *_agreed(group)]


def _agreed(group: Group) -> list[str]:
    counts = group.majorities
    none = f"none on {counts['tied']:,} (a tie) and {counts['unfamiliar']:,} (somebody said unfamiliar)"
    lines = [f"Majority: {counts['accepted']:,} accepted, {counts['rejected']:,} rejected; {none}"]
    if group.dawid_skene is None:
        return [*lines, "Dawid and Skene: not defined, since all verdicts are alike"]
    found = group.dawid_skene
    accepted = sum(share > SIDE for share in found.good.values())
    against = f"on {group.contradicted:,} against the majority"
    lines.append(f"Dawid and Skene: {accepted:,} of {len(found.good):,} triples are good; {against}")
    worst = sorted(found.accepts_good, key=lambda name: (found.accepts_good[name] + found.rejects_bad[name], name))
    lines += [
        f"  {name:42}accepts {100 * found.accepts_good[name]:3.0f} % of the good, "
        f"rejects {100 * found.rejects_bad[name]:3.0f} % of the bad"
        for name in worst[:_SHOWN]
    ]
    return lines + _rest(len(worst), "annotators")


def format_with_people(rows: Sequence[WithPeople]) -> list[str]:
    """Return machines beside people as lines."""
    if not rows:
        return ["Machines beside people: no triple has a verdict of a machine and a majority of people"]
    lines = ["Machines beside the majority of people: share alike, Cohen's kappa, share accepted minus people's"]
    for row in rows[:_SHOWN]:
        lines.append(f"  {row.annotator}, {row.triples:,} triples")
        lines += [
            f"    {name:40}{_shown(figure, sign)}"
            for name, figure, sign in (("alike", row.alike, ""), ("kappa", row.kappa, ""), ("bias", row.bias, "+"))
        ]
    return lines + _rest(len(rows), "machines")


def _rest(count: int, what: str) -> list[str]:
    return [f"  … of {count:,} {what}; --json has all"] if count > _SHOWN else []


def _shown(figure: Figure, sign: str = "") -> str:
    if figure.value is None:
        return f"{'-':>8}"
    if figure.interval is None:
        return f"{figure.value:{sign}8.3f}"
    low, high = (f"{end:{sign}.3f}" for end in figure.interval)
    return f"{figure.value:{sign}8.3f}  {low} to {high}"
