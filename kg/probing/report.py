"""What a probe found, in lines for a person."""

from collections.abc import Iterator, Mapping
from typing import Any

_WAYS = {
    "sentence": "the probability of the whole sentence with each candidate",
    "next": "the probability of each candidate's tokens after what stands before the blank",
    "blank": "the mean log-probability of each candidate's tokens at masks in the blank",
}
_CORRECTIONS = {
    "none": "",
    "headless": "; less their log-probability in the sentence without the head",
    "heads": "; less their mean over the sentences of the relation",
    "posterior": "; less their mean over the sentences of the relation, weighted by how often they are a tail of its "
    "other facts",
}
_SHOWN = 20  # relations in lines; all are in report.json


def format_probe(found: Mapping[str, Any]) -> list[str]:
    """Return a probe's result, as `kg.probing.runs.run_probe` makes it, in lines."""
    return list(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    number, named = found["candidates"]["number"], found["candidates"]["source"]
    yield f"{found['model']} asked about {found['facts']:,} facts of {found['dataset']}, by {_WAYS[found['way']]};"
    which = {"tails": "the file's own tails", "own": "words of one token of the model's"}
    yield f"{number:,} candidates, {which.get(named, f'those of {named}')}{_CORRECTIONS[found['correction']]}"
    for reason, count in found["left_out"].items():
        yield f"{count:,} facts left out: {reason}"
    yield ""
    summary, base = found["summary"], found["baselines"]
    yield f"{'%, with 95 % intervals':<34}{'P@1':>22}{'P@10':>8}{'P@100':>8}{'MRR':>8}{'raw P@1':>9}"
    shown = sorted(summary["relations"].items(), key=lambda one: -one[1]["facts"])
    if len(shown) > 1:
        for name, one in shown[:_SHOWN]:
            yield _row(f"{name} ({one['facts']:,})", one["filtered"], one["raw"])
        yield _row("mean over relations", summary["relations_mean"]["filtered"], summary["relations_mean"]["raw"])
    yield _row("mean over facts", summary["facts_mean"]["filtered"], summary["facts_mean"]["raw"])
    yield _row("most frequent tail", base["most_frequent"]["facts_mean"]["filtered"], {})
    yield _row("relation's other facts", base["prior"]["facts_mean"]["filtered"], base["prior"]["facts_mean"]["raw"])
    low, high = found["lead"][1:]
    yield f"P@1 over the most frequent tail: {_signed(found['lead'][0])} points ({_signed(low)} to {_signed(high)})"
    yield from _variants(found)


def _variants(found: Mapping[str, Any]) -> Iterator[str]:
    if negated := found.get("negated"):
        yield f"Negated: {negated['facts']:,} facts" + (
            f", the same first candidate for {_percent(negated['same'])} %, "
            f"P@1 {_percent(_first(negated))} % of what is false now"
            if negated["facts"]
            else " have a negation"
        )
    if primed := found.get("misprimed"):
        yield f"Behind a wrong tail: {primed['facts']:,} facts" + (
            f", P@1 {_percent(_first(primed))} %, misled {_percent(primed['misled'])} %"
            if primed["facts"]
            else " have another tail in their relation"
        )


def _first(variant: Mapping[str, Any]) -> float:
    return float(variant["summary"]["facts_mean"]["filtered"]["P@1"][0])


def _row(name: str, filtered: Mapping[str, list[float]], raw: Mapping[str, list[float]]) -> str:
    value, low, high = filtered["P@1"]
    cells = f"{name[:33]:<34}{f'{_percent(value)} ({_percent(low)} to {_percent(high)})':>22}"
    if "MRR" in filtered:
        cells += "".join(f"{_percent(filtered[figure][0]):>8}" for figure in ("P@10", "P@100", "MRR"))
    return cells + (f"{_percent(raw['P@1'][0]):>9}" if raw else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}"
