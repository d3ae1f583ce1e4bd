"""An estimate of how good a set of edges is, as text."""

from critic.estimating import NO_SCORES, Estimate


def format_estimate(found: Estimate) -> str:
    """Return an estimate as text, the evidence first."""
    lines = [f"{found.edges:,} edges; {_evidence(found)}", f"{'from judgements':18}{_judged(found)}"]
    mean = (
        f"not known: {NO_SCORES}"
        if found.mean is None
        else f"{_percent(found.mean)}, the mean score of {found.scored:,} edges"
    )
    off = "" if found.off is None else f"; on those judged it says {_points(found.off)} what verdicts say"
    lines.append(f"{'from the critic':18}{mean}{off}")
    if found.both is None:
        return "\n".join([*lines, f"{'from both':18}not known: {found.why_not_both}"])
    how = f"scores count by {found.both.tuning:.2f} (prediction-powered inference)"
    return "\n".join([*lines, f"{'from both':18}{_interval(found.both.value, found.both.interval)}; {how}"])


def _evidence(found: Estimate) -> str:
    others = f"{found.others:,} more judged only by {'machines' if found.who == 'people' else 'people'}"
    if not found.read:
        return f"{found.who} judged none of them" + (f", {others}" if found.others else "")
    judged = f"{found.read:,} judged by {found.who}, {found.good:,} of these accepted"
    return judged + (f"; {others}, which do not count" if found.others else "")


def _judged(found: Estimate) -> str:
    if found.judged is None:
        low, high = found.bounds
        return f"between {_percent(low)} and {_percent(high)}, no estimate: {found.why}"
    basis = {
        "all": "all are judged",
        "as told": "the judged ones are a random sample, as you say",
        "drawn": f"{found.used:,} (of {found.events:,} events) were drawn with known chances, as {_batches(found)}",
    }[found.basis]
    return f"{_interval(found.judged.value, found.judged.interval)}; {basis}{f'; {found.note}' if found.note else ''}"


def _batches(found: Estimate) -> str:
    return f"batch{'es' if len(found.batches) > 1 else ''} {', '.join(found.batches)}"


def _interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{_percent(value)} ({100 * low:.1f} to {100 * high:.1f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(off: float) -> str:
    return f"{abs(100 * off):.1f} points {'more' if off > 0 else 'less'} than"
