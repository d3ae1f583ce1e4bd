"""How good a student's tails are, beside the teacher's and beside controls that need no student.

There are no people here: a judge critic estimates which share of a set is acceptable. The judge must have learnt from
other events than the critic that filtered, and must contain nothing that ranks tails as a student does. Even so the
judge is no ruler: differences between sets mean more than absolute figures, and judgements of the student's own tails
(`correct_with_judgements`) mean more than both.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from kg.languages import words
from kg.model import Triple
from student.interface import Encode, Student

Judge = Callable[[Sequence[Triple]], NDArray[np.float64]]
Floats = NDArray[np.float64]

Readers = Callable[[Sequence[Triple]], dict[str, Any]]
"""What readers say of a set, as `read_share` returns it."""

CONTROLS = ("nearest training event", "most frequent tail", "another event")
"""Sets that a student must beat: what retrieval and guessing would have said."""

_RESAMPLES = 2_000  # of the bootstrap over events
_SIGNIFICANT = 1.96  # standard errors of a 95 % interval


def controls(
    held_out: Sequence[Triple], training: Sequence[Triple], encode: Encode, seed: int
) -> dict[str, list[Triple]]:
    """Return the tails that retrieval and guessing give the held-out events: `CONTROLS`, each a list of triples.

    Args:
        held_out: the teacher's triples of the held-out events.
        training: the triples that the student was trained on.
        encode: the sentence encoder, for the nearest training event (by cosine).
        seed: of the choice of another event.
    """
    pairs = sorted({(triple.head, triple.relation, triple.lang) for triple in held_out})
    known: dict[tuple[str, str], list[str]] = defaultdict(list)
    for triple in training:
        known[triple.head, triple.relation].append(triple.tail)
    frequent: dict[str, str] = {}
    for relation in sorted({triple.relation for triple in training}):
        counts = Counter(triple.tail for triple in training if triple.relation == relation)
        frequent[relation] = min(counts, key=lambda tail: (-counts[tail], tail))
    nearest = _nearest(sorted({head for head, _, _ in pairs}), sorted({triple.head for triple in training}), encode)
    random = np.random.default_rng(seed)
    heads = sorted({head for head, _, _ in pairs})
    order = random.permutation(heads).tolist()
    shifted = dict(zip(order, np.roll(order, 1).tolist(), strict=True)) if order else {}
    by_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
    for triple in held_out:
        by_pair[triple.head, triple.relation].append(triple.tail)
    found: dict[str, list[Triple]] = {name: [] for name in CONTROLS}
    for head, relation, lang in pairs:
        tails = {
            "nearest training event": known.get((nearest[head], relation), []) if nearest else [],
            "most frequent tail": [frequent[relation]] if relation in frequent else [],
            "another event": by_pair.get((shifted[head], relation), []) if shifted[head] != head else [],
        }
        for name in CONTROLS:
            found[name].extend(Triple(head, relation, tail, lang) for tail in tails[name])
    return found


def remembering(judge: Judge) -> Judge:
    """Return a judge that says of a triple what the judge said of it first: sets and comparisons share most triples."""
    known: dict[Triple, float] = {}

    def remembered(triples: Sequence[Triple]) -> Floats:
        if new := [triple for triple in dict.fromkeys(triples) if triple not in known]:
            known.update(zip(new, judge(new).tolist(), strict=True))
        return np.array([known[triple] for triple in triples], dtype=np.float64)

    return remembered


def measure(
    sets: Mapping[str, Sequence[Triple]], judge: Judge, readers: Readers, training: Sequence[Triple] | None, seed: int
) -> list[dict[str, Any]]:
    """Measure sets of triples about the same held-out events.

    Returns:
        A row a set: `name`, `rows`, `events`, `readers` (what `readers` returns), `acceptance` (mean of the judge's
        probabilities, an estimate) with its 95 % `interval` (bootstrap over events; None for a single event),
        `distinct` (share of different relation-tail pairs), `novel` (share of relation-tail pairs that the training
        triples do not have; None if no training is given, for sets that belong to students of several). A set without
        rows has None.
    """
    seen = {(triple.relation, triple.tail) for triple in training or ()}
    rows = []
    for name, triples in sets.items():
        row: dict[str, Any] = {"name": name, "rows": len(triples), "events": len({t.head for t in triples})}
        row |= {"readers": readers(triples)} | dict.fromkeys(("acceptance", "interval", "distinct", "novel"))
        if triples:
            tails = [(triple.relation, triple.tail) for triple in triples]
            scores = judge(triples)
            row["acceptance"] = float(scores.mean())
            row["interval"] = _interval(_by_event(triples, scores), _draws(triples, seed))
            row["distinct"] = len(set(tails)) / len(tails)
            if training is not None:
                row["novel"] = sum(tail not in seen for tail in tails) / len(tails)
        rows.append(row)
    return rows


def read_share(
    triples: Sequence[Triple], verdicts: Mapping[Triple, bool], sample: Mapping[Triple, bool] | None
) -> dict[str, Any]:
    """Return which share of a set its readers accept, or between which shares it must lie.

    Args:
        triples: the set.
        verdicts: whether a triple is acceptable, of those that were read.
        sample: the verdicts on a random sample of just this set, if there is one.

    Returns:
        `basis`: "all" of the rows were read, a random "sample", "some" or "none"; `read`, how many; `share`, the part
        of these that is acceptable (None for "some" and "none"), with its 95 % `interval` (Wilson 1927); of "some" and
        "none" the interval is what it would be if all others were bad, or good.
    """
    known = [verdicts[triple] for triple in triples if triple in verdicts]
    basis = "all" if known and len(known) == len(triples) else "some" if known else "none"
    if basis != "all" and sample:
        basis, known = "sample", list(sample.values())
    good = sum(known)
    if basis in ("all", "sample"):
        found = binomtest(good, len(known)).proportion_ci(method="wilson")
        return {"basis": basis, "read": len(known), "share": good / len(known), "interval": [found.low, found.high]}
    rows = max(1, len(triples))
    bounds = [good / rows, (good + len(triples) - len(known)) / rows]
    return {"basis": basis, "read": len(known), "share": None, "interval": bounds}


def known_verdicts(
    triples: Sequence[Triple], verdicts: Mapping[Triple, bool], sample: Mapping[Triple, bool] | None
) -> Mapping[Triple, bool]:
    """Return the verdicts that say how good a set is: on all of it or on a random sample; else none.

    Args:
        triples: the set.
        verdicts: whether a triple is acceptable, of those that were read.
        sample: the verdicts on a random sample of just this set, if there is one.
    """
    if all(triple in verdicts for triple in triples):
        return {triple: verdicts[triple] for triple in triples}
    return sample or {}


def judged_difference(ours: Mapping[Triple, bool], theirs: Mapping[Triple, bool], seed: int) -> dict[str, Any] | None:
    """Compare two sets by verdicts on them, each on all of a set or on a random sample of it; None where one is empty.

    Returns:
        `shares`, the parts of each that are acceptable, `rows`, how many of each were read, their `difference` and its
        95 % `interval` (paired bootstrap over the events of both; None where all resamples are alike, or for a single
        event), and `verdict`: "better" or "worse" where the whole interval is on that side of 0, else "unclear".
    """
    if not ours or not theirs:
        return None
    heads = sorted({triple.head for triple in (*ours, *theirs)})
    sums = []
    for verdicts in (ours, theirs):
        places = np.searchsorted(heads, [triple.head for triple in verdicts])
        good = np.bincount(places, [float(verdict) for verdict in verdicts.values()], len(heads))
        sums.append(np.stack([good, np.bincount(places, minlength=len(heads))], axis=1))
    shares = [float(total[:, 0].sum() / total[:, 1].sum()) for total in sums]
    draws = np.random.default_rng(seed).integers(len(heads), size=(_RESAMPLES, len(heads)))
    totals = [total[draws].sum(axis=1) for total in sums]  # (resamples, 2)
    usable = (totals[0][:, 1] > 0) & (totals[1][:, 1] > 0)
    values = totals[0][usable, 0] / totals[0][usable, 1] - totals[1][usable, 0] / totals[1][usable, 1]
    low, high = (float(end) for end in np.percentile(values, [2.5, 97.5]))
    interval = [low, high] if low < high else None
    verdict = "unclear" if interval is None or low <= 0 <= high else "better" if low > 0 else "worse"
    rows = [len(ours), len(theirs)]
    return {
        "shares": shares,
        "rows": rows,
        "difference": shares[0] - shares[1],
        "interval": interval,
        "verdict": verdict,
    }


def judge_error(rows: Sequence[Mapping[str, Any]], judge: str) -> dict[str, Any] | None:
    """Return how far a judge's estimates are from readers: `sets` compared, their mean absolute `error`; or None.

    Args:
        rows: sets, each with `estimates`, by judge, and `readers`, as `read_share` has it.
        judge: name of the judge.
    """
    errors = [
        abs(row["estimates"][judge] - row["readers"]["share"])
        for row in rows
        if row["estimates"].get(judge) is not None and row["readers"]["share"] is not None
    ]
    return {"sets": len(errors), "error": float(np.mean(errors))} if errors else None


def compare(student: Sequence[Triple], control: Sequence[Triple], judge: Judge, seed: int) -> dict[str, Any] | None:
    """Compare a student's set with a control's on the events that both speak of; None where there is none.

    Returns:
        `difference` of the judged acceptances, its 95 % `interval` (paired bootstrap over events; None for a single
        event), and `beats`: whether the whole interval is above 0.
    """
    common = {triple.head for triple in student} & {triple.head for triple in control}
    ours = [triple for triple in student if triple.head in common]
    theirs = [triple for triple in control if triple.head in common]
    if not common:
        return None
    draws = _draws(ours, seed)
    sums = [_by_event(triples, judge(triples)) for triples in (ours, theirs)]
    interval = _interval(sums[0], draws, sums[1])
    means = [total[:, 0].sum() / total[:, 1].sum() for total in sums]
    return {
        "difference": float(means[0] - means[1]),
        "interval": interval,
        "beats": interval is not None and interval[0] > 0,
    }


def perplexity(student: Student, held_out: Sequence[Triple]) -> dict[str, Any]:
    """Return how well a student expects the held-out tails: `per_token`, `per_word`, and `covered`.

    `covered` is the share of the tails that the student can express at all: a ranker knows only tails of the training
    events, each of which is one token, so a ranker's figures do not compare with a generator's.
    """
    usable = [triple for triple in held_out if triple.relation in student.relations]
    sums, tokens = student.logprobs(usable)
    known = tokens > 0
    if not known.any():
        return {"per_token": None, "per_word": None, "covered": 0.0}
    count = sum(len(words(triple.tail)) for triple, is_known in zip(usable, known, strict=True) if is_known)
    total = float(-sums[known].sum())
    return {
        "per_token": float(np.exp(total / tokens[known].sum())),
        "per_word": float(np.exp(total / max(count, 1))),
        "covered": float(known.sum() / len(held_out)),
    }


def preference(student: Student, verdicts: Mapping[Triple, bool]) -> dict[str, Any]:
    """Return whether a student finds what readers accept more probable than what they reject; no judge is needed.

    Args:
        student: its mean log-probability of a tail's token is its score.
        verdicts: whether a triple is acceptable; triples of relations that it does not know are left out.

    Returns:
        `rows` that were scored, `auc` over all of them (None where all are good, or all bad), `pairs` of a good and a
        bad tail of the same event and relation, and the share of these in which the good one has the higher score,
        `accuracy` (ties count half; None without pairs).
    """
    usable = [triple for triple in sorted(verdicts) if triple.relation in student.relations]
    sums, tokens = student.logprobs(usable)
    scored = np.flatnonzero(tokens)
    good = np.array([verdicts[usable[place]] for place in scored], dtype=bool)
    scores = sums[scored] / tokens[scored]
    pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, place in enumerate(scored):
        pairs[usable[place].head, usable[place].relation].append(number)
    won = [
        0.5 if scores[one] == scores[other] else float(scores[one] > scores[other])
        for numbers in pairs.values()
        for one in numbers
        for other in numbers
        if good[one] and not good[other]
    ]
    auc = float(roc_auc_score(good, scores)) if len(set(good.tolist())) > 1 else None
    return {"rows": len(scored), "auc": auc, "pairs": len(won), "accuracy": float(np.mean(won)) if won else None}


def correct_with_judgements(scores: Floats, judged: Sequence[int], verdicts: Sequence[bool]) -> dict[str, Any]:
    """Correct the judge's estimate with verdicts on some of the rows (prediction-powered inference).

    The estimate is the mean of the scores plus the mean of verdict minus score over the judged rows, which must be a
    random sample (Angelopoulos et al. 2023, s2.1).

    Args:
        scores: (n,) of all rows, in [0, 1].
        judged: indices of the judged rows, at least 2.
        verdicts: whether each of them was found good.

    Returns:
        `estimate`, its 95 % `interval`, the number of `judged` rows, and their plain mean `judged_acceptance`.
    """
    good = np.asarray(verdicts, dtype=np.float64)
    errors = good - scores[list(judged)]
    estimate = min(1.0, max(0.0, float(scores.mean() + errors.mean())))
    error = float(np.sqrt(scores.var(ddof=1) / len(scores) + errors.var(ddof=1) / len(errors)))
    return {
        "estimate": estimate,
        "interval": [max(0.0, estimate - _SIGNIFICANT * error), min(1.0, estimate + _SIGNIFICANT * error)],
        "judged": len(errors),
        "judged_acceptance": float(good.mean()),
    }


def _nearest(events: Sequence[str], training: Sequence[str], encode: Encode) -> dict[str, str]:
    if not training:
        return {}
    similarity = encode(events) @ encode(training).T  # (E, T)
    return {event: training[best] for event, best in zip(events, similarity.argmax(axis=1), strict=True)}


def _by_event(triples: Sequence[Triple], scores: Floats) -> Floats:
    """Return the sum of scores and the number of rows of each event, (events, 2), events sorted."""
    heads, index = np.unique([triple.head for triple in triples], return_inverse=True)
    return np.stack([np.bincount(index, scores, len(heads)), np.bincount(index, minlength=len(heads))], axis=1)


def _draws(triples: Sequence[Triple], seed: int) -> NDArray[np.intp]:
    events = len({triple.head for triple in triples})
    return np.random.default_rng(seed).integers(events, size=(_RESAMPLES, events))


def _resampled(by_event: Floats, draws: NDArray[np.intp]) -> Floats:
    """Return the mean score of each resample of events: (resamples,)."""
    sums = by_event[draws].sum(axis=1)
    return np.asarray(sums[:, 0] / sums[:, 1])


def _interval(by_event: Floats, draws: NDArray[np.intp], less: Floats | None = None) -> list[float] | None:
    """Return the 95 % interval of the mean, or of its difference to that of `less`; None for a single event."""
    if len(by_event) < 2:  # noqa: PLR2004 - one event says nothing of the spread between events
        return None
    values = _resampled(by_event, draws) - (0 if less is None else _resampled(less, draws))
    low, high = np.percentile(values, [2.5, 97.5])
    return [float(low), float(high)]
