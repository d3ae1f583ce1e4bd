"""Kinds of critics on files of judgements, split by head: no graph and no server takes part.

Critics of each kind learn from the training set of each leg (`critic.legs`), and are put on the scale of probabilities
by the calibration that the set asks for, chosen out of fold. What they say of the test sets of all legs is measured
together, beside two baselines that learn from the same rows.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.calibration import Calibration, choose_calibration
from critic.interface import Critic, Encode, FastCritic, TrainingSet
from critic.kinds import KINDS
from critic.legs import Leg, chosen, concatenated, head_key, rows_of
from critic.metrics import PRIOR, TFIDF, measure, relation_prior, tfidf
from critic.roles import FILTER
from critic.verdicts import Verdicts
from kg.errors import NotReady
from kg.model import Triple
from kg.vocabulary import Vocabulary

Floats = NDArray[np.float64]

_INNER_FOLDS = 4  # of the scores from which a calibration is chosen
_MIN_OF_EACH = 10  # good and bad rows that a critic learns from
_SPREAD = ("auc", "relation_auc", "relation_auc_20", "relation_auc_100", "average_precision", "f1", "ece", "brier")


@dataclass(frozen=True, slots=True)
class Learning:
    """All that a kind learns from, but for the judgements.

    Attributes:
        corpus: triples of a teacher, whatever their quality; None takes the good ones of each training set or, where
            these are too few, all of it.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        transductive: whether kinds without verdicts learn from the tested triples as they stand, since nothing else is
            given; `evaluate` sets it.
    """

    corpus: Sequence[Triple] | None
    vocabulary: Vocabulary
    encode: Encode
    transductive: bool = False


def evaluate(
    legs: Sequence[Leg],
    learning: Learning,
    kinds: Sequence[str],
    *,
    seeds: Sequence[int] = (0,),
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Measure kinds of critics, and the baselines, on the test sets of all legs together.

    Args:
        legs: as `legs_of` makes them.
        learning: what else there is to learn from.
        kinds: names in `critic.kinds`.
        seeds: each kind learns once with each.
        progress: called with the number of critics trained, `trainings` in all.

    Returns:
        Numbers of `rows`, `heads`, `good`, `trained_rows` and `trained_count`, how much these count
        (means of the legs), `left_out` (of all), `legs`, `seeds`,
        `transductive`, whether what needs no verdict learnt from the tested triples themselves, and `systems`: name to
        `measure`'s figures, those that are numbers being means over the seeds, with `spread` (their standard
        deviations, where there are several seeds) and `calibrations` (how often each method was chosen). A critic that
        has a fast one is there twice. All of it can be written as JSON.

    Raises:
        NotReady: too little to learn from, or all rows to measure on are good, or all bad.
    """
    tested = concatenated([leg.tested for leg in legs])
    if not 0 < tested.good.sum() < len(tested):
        raise NotReady(
            f"of {len(tested):,} rows to measure on {int(tested.good.sum()):,} are good; both kinds are needed"
        )
    labelled = all(_is_enough(leg.trained) for leg in legs)
    for kind in kinds:
        if KINDS[kind].needs_verdicts and not labelled:
            raise NotReady(
                f"{kind} learns from judgements, at least {_MIN_OF_EACH} good and {_MIN_OF_EACH} bad ones of heads "
                "that are not tested; give some to learn from (--train, --folds or --train-rows)"
            )
    given = learning.corpus is not None or any(len(leg.trained) or leg.left_out for leg in legs)
    learning = replace(learning, transductive=not given)
    systems: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as shares:
        for kind in kinds:
            shares.enter_context(KINDS[kind].share())
        for kind in kinds:
            for seed in seeds:
                for name, scores, calibrations in _scores(kind, legs, learning, seed, progress):
                    figures = measure(scores, tested, seed=seed) | {"calibrations": calibrations}
                    systems.setdefault(name, []).append(figures)
    found = {name: _mean_of(figures) for name, figures in systems.items()}
    prior = np.concatenate([relation_prior(leg.trained, leg.tested) for leg in legs])
    found[PRIOR] = measure(prior, tested)
    if labelled:
        found[TFIDF] = measure(np.concatenate([tfidf(leg.trained, leg.tested) for leg in legs]), tested)
    return {
        "rows": len(tested),
        "heads": len({head_key(triple) for triple in tested.triples}),
        "good": int(tested.good.sum()),
        "legs": len(legs),
        "trained_rows": round(float(np.mean([len(leg.trained) for leg in legs]))),
        "trained_count": round(float(np.mean([leg.trained.counts.sum() for leg in legs]))),
        "left_out": sum(leg.left_out for leg in legs),
        "transductive": learning.transductive,
        "seeds": list(seeds),
        "systems": found,
    }


def trainings(legs: Sequence[Leg], kinds: Sequence[str], seeds: Sequence[int]) -> int:
    """Return how many critics `evaluate` trains."""
    return sum((1 if _is_honest(kind) else 1 + _INNER_FOLDS) for kind in kinds) * len(legs) * len(seeds)


def kinds_without_verdicts() -> list[str]:
    """Return the names of the kinds that need no judgement."""
    return [name for name, kind in KINDS.items() if not kind.needs_verdicts]


def _scores(
    kind: str, legs: Sequence[Leg], learning: Learning, seed: int, progress: Callable[[int], object]
) -> Iterator[tuple[str, Floats, dict[str, int]]]:
    """Yield name, calibrated scores of all test sets, and the methods chosen: of the critic, and of its fast one."""
    found: dict[str, list[Floats]] = {}
    methods: dict[str, int] = {}
    for leg in legs:
        critic = _train(kind, leg.trained, leg.tested.triples, learning, seed)
        progress(1)
        calibration = _calibration(kind, critic, leg, learning, seed, progress)
        methods[calibration.method] = methods.get(calibration.method, 0) + 1
        found.setdefault(kind, []).append(calibration.of(critic.score(leg.tested.triples)))
        if isinstance(critic, FastCritic):
            found.setdefault(f"{kind}, fast", []).append(calibration.of(critic.score_fast(leg.tested.triples)))
    for name, scores in found.items():
        yield name, np.concatenate(scores), methods


def _calibration(
    kind: str, critic: Critic, leg: Leg, learning: Learning, seed: int, progress: Callable[[int], object]
) -> Calibration:
    """Return the calibration that the training set asks for, by scores that owe nothing to the verdicts beside them.

    It is chosen on rows that are judged as the tested ones are, since the share of good ones differs from set to set.
    """
    trained = leg.trained
    if not trained.triples:
        return Calibration()
    own = chosen(trained.triples, leg.own)
    if _is_honest(kind):
        scores = critic.score(own)
    else:
        scores = np.empty(len(own))
        heads = [head_key(triple) for triple in trained.triples]
        dealt = np.array([_bucket(head) for head in heads], dtype=np.intp)
        for fold in range(_INNER_FOLDS):
            mine = dealt == fold
            others, held = rows_of(trained, ~mine), chosen(trained.triples, mine & leg.own)
            if not _is_enough(others):
                return Calibration()
            if not held:
                progress(1)
                continue
            hidden = [*held, *leg.tested.triples]
            scores[mine[leg.own]] = _train(kind, others, hidden, learning, seed).score(held)
            progress(1)
    return choose_calibration(scores, trained.good[leg.own], [head_key(triple) for triple in own], seed)


def _train(kind: str, trained: Verdicts, hidden: Sequence[Triple], learning: Learning, seed: int) -> Critic:
    """Return a critic that has seen nothing of the heads of some triples, or, if nothing else is there, no verdict."""
    heads = {head_key(triple) for triple in hidden}
    if learning.transductive:
        corpora: list[Sequence[Triple]] = [hidden]
        heads = set()
    elif learning.corpus is not None:
        corpora = [learning.corpus]
    else:
        corpora = [chosen(trained.triples, trained.good), trained.triples]
    *others, last = (
        sorted({triple for triple in corpus if not triple.says_nothing and head_key(triple) not in heads})
        for corpus in corpora
    )
    given = TrainingSet(trained, last, learning.vocabulary, learning.encode, FILTER, seed)
    for usable in others:
        with suppress(NotReady):
            return KINDS[kind].train(replace(given, corpus=usable))
    try:
        return KINDS[kind].train(given)
    except NotReady as error:
        raise NotReady(f"{kind}, in an evaluation, where triples come from --corpus or --train: {error}") from error


def _mean_of(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return figures with means over the seeds, and their spread."""
    found = dict(figures[0])
    if len(figures) == 1:
        return found
    spread: dict[str, float] = {}
    for name in _SPREAD:
        values = [one[name] for one in figures]
        if None not in values:
            found[name] = float(np.mean(values))
            spread[name] = float(np.std(values, ddof=1))
    found["precision_at_recall"] = {
        recall: float(np.mean([one["precision_at_recall"][recall] for one in figures]))
        for recall in found["precision_at_recall"]
    }
    methods = {name for one in figures for name in one["calibrations"]}
    found["calibrations"] = {name: sum(one["calibrations"].get(name, 0) for one in figures) for name in sorted(methods)}
    return found | {"spread": spread}


def _is_honest(kind: str) -> bool:
    """Return whether a kind's scores of what taught it owe nothing to the verdicts on it."""
    return KINDS[kind].in_folds or not KINDS[kind].needs_verdicts


def _is_enough(verdicts: Verdicts) -> bool:
    good = int(verdicts.good.sum())
    return min(good, len(verdicts) - good) >= _MIN_OF_EACH


def _bucket(head: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"inner\0{head}".encode(), digest_size=4).digest(), "big") % _INNER_FOLDS
