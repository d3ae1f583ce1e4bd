"""How good a critic is on the judgements of test events, beside two baselines trained on the same judgements.

An overall AUC alone flatters: a relation prior that reads no text can have a high one. So the report gives the
prior and the mean of the relations' own AUCs too, and an interval over events, for triples of one event err
together. Where no such judgements tell good from bad, nothing is known: an AUC of .5 in an interval from 0 to 1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.acceptance import RECALLS
from critic.interface import Critic
from critic.verdicts import Splits, Verdicts, split_verdicts, training_verdicts
from kg.model import Judgement, Split

_MIN_RELATION_ROWS = 20  # rows of a relation below which its own AUC is noise
_RESAMPLES = 500  # of the bootstrap; 1,000 move its ends by 0.2 points of AUC
_BINS = 10  # of the calibration error, of equal width
_UNKNOWN: dict[str, Any] = {
    "auc": 0.5, "auc_interval": [0.0, 1.0], "relation_auc": None, "relations": {}, "average_precision": None,
    "precision_at_recall": {}, "ece": None, "brier": None,
}  # fmt: skip


def report(
    critic: Critic,
    judgements: Sequence[Judgement],
    splits: Splits | None = None,
    *,
    split: Split = "test",
    seed: int = 0,
    in_folds: bool = False,
) -> dict[str, Any]:
    """Measure a critic and the baselines on the judgements of a split.

    The baselines learn from the judgements that the critic learned from: a relation prior (share of good triples,
    no text), and TF-IDF of words and word pairs with logistic regression.

    Args:
        critic: any kind.
        judgements: any judgements.
        splits: splits of events that do not follow from their key.
        split: whose events.
        seed: of the bootstrap.
        in_folds: whether the critic learnt in folds (`critic.kinds`).

    Returns:
        `role`, `split`, numbers of `rows`, `events`, `good` and `trained_rows`, and `systems`: name to measures, see
        `measure`. All of it can be written as JSON. Where the judged triples are all good or all bad, or none, the
        measures say that nothing is known: an AUC of .5 in an interval from 0 to 1, None for the others.
    """
    trained = training_verdicts(judgements, critic.role, splits, in_folds=in_folds)
    tested = split_verdicts(judgements, split, splits)
    systems: dict[str, Callable[[], NDArray[np.float64]]] = {
        "critic": lambda: critic.score(tested.triples),
        "relation prior": lambda: _relation_prior(trained, tested),
        "TF-IDF + logistic regression": lambda: _tfidf(trained, tested),
    }
    if not 0 < trained.good.sum() < len(trained):  # a critic that needs no verdict
        del systems["TF-IDF + logistic regression"]
    known = 0 < tested.good.sum() < len(tested)
    return {
        "role": critic.role,
        "split": split,
        "rows": len(tested),
        "events": len(set(tested.events)),
        "good": int(tested.good.sum()),
        "trained_rows": len(trained),
        "systems": {
            name: measure(score(), tested, seed=seed) if known else dict(_UNKNOWN) for name, score in systems.items()
        },
    }


def measure(scores: NDArray[np.float64], verdicts: Verdicts, *, seed: int = 0) -> dict[str, Any]:
    """Measure scores against verdicts, of which some are good and some are not.

    Args:
        scores: (len(verdicts),) in [0, 1].
        verdicts: the truth.
        seed: of the bootstrap.

    Returns:
        `auc`, `auc_interval` (95 %, bootstrap over events), `relation_auc` (mean over the relations of `relations`,
        None where there is none), `relations` (name to `rows` and `auc`, for those with 20 rows and both kinds),
        `average_precision`, `precision_at_recall` ("0.5" to "0.9"), `ece` (10 bins) and `brier`; all in [0, 1].
    """
    from sklearn.metrics import (  # noqa: PLC0415 - takes a second
        average_precision_score,
        brier_score_loss,
        precision_recall_curve,
        roc_auc_score,
    )

    good = verdicts.good
    precision, recall, _ = precision_recall_curve(good, scores)  # recall falls
    by_relation: dict[str, dict[str, float]] = {}
    names = np.array(verdicts.relations)
    for relation in sorted(set(verdicts.relations)):
        mine = names == relation
        if mine.sum() >= _MIN_RELATION_ROWS and 0 < good[mine].sum() < mine.sum():
            by_relation[relation] = {"rows": int(mine.sum()), "auc": float(roc_auc_score(good[mine], scores[mine]))}
    return {
        "auc": float(roc_auc_score(good, scores)),
        "auc_interval": _auc_interval(scores, verdicts, seed),
        "relation_auc": float(np.mean([row["auc"] for row in by_relation.values()])) if by_relation else None,
        "relations": by_relation,
        "average_precision": float(average_precision_score(good, scores)),
        "precision_at_recall": {f"{wish:g}": float(precision[np.flatnonzero(recall >= wish)[-1]]) for wish in RECALLS},
        "ece": _calibration_error(scores, good),
        "brier": float(brier_score_loss(good, scores)),
    }


def format_report(report: Mapping[str, Any]) -> str:
    """Return a report as a small table, in percentages; a sentence where nothing could be measured."""
    good, bad = report["good"], report["rows"] - report["good"]
    if not good or not bad:
        return (
            f"{report['role']} critic, trained on {report['trained_rows']:,} judged triples; how good it is cannot be "
            f"said: of {report['split']} events there are {good} good and {bad} bad judged triples, and a report needs "
            f"both. For more: kg query unjudged --param split={report['split']} --json, then kg critic "
            "import-judgements FILE"
        )
    lines = [
        (
            f"{report['role']} critic, trained on {report['trained_rows']:,} judged triples; on {report['rows']:,} of "
            f"{report['events']:,} {report['split']} events ({report['good'] / report['rows']:.0%} good), in %:"
        ),
        f"{'':30}{'AUC':>6}{'95 % interval':>15}{'by relation':>13}{'AP':>6}{'P@.8':>6}{'ECE':>6}{'Brier':>7}",
    ]
    for name, row in report["systems"].items():
        low, high = row["auc_interval"]
        mean = "-" if row["relation_auc"] is None else f"{100 * row['relation_auc']:.1f}"
        lines.append(
            f"{name:30}{100 * row['auc']:6.1f}{f'{100 * low:.1f} to {100 * high:.1f}':>15}{mean:>13}"
            f"{100 * row['average_precision']:6.1f}{100 * row['precision_at_recall']['0.8']:6.1f}"
            f"{100 * row['ece']:6.1f}{100 * row['brier']:7.1f}"
        )
    return "\n".join(lines)


def _auc_interval(scores: NDArray[np.float64], verdicts: Verdicts, seed: int) -> list[float]:
    """Return the 2.5 % and 97.5 % quantiles of the AUC over resampled events."""
    from scipy.stats import rankdata  # noqa: PLC0415 - takes a second

    random = np.random.default_rng(seed)
    _, event = np.unique(verdicts.events, return_inverse=True)
    events = int(event.max()) + 1
    found = []
    for _ in range(_RESAMPLES):
        drawn = np.repeat(
            np.arange(len(event)), np.bincount(random.integers(0, events, events), minlength=events)[event]
        )
        good = verdicts.good[drawn]
        if 0 < (wins := int(good.sum())) < len(drawn):  # Mann and Whitney's U, 20 times as fast as roc_auc_score
            ranks = rankdata(scores[drawn])[good].sum()
            found.append((ranks - wins * (wins + 1) / 2) / (wins * (len(drawn) - wins)))
    return [float(value) for value in np.quantile(found, [0.025, 0.975])]


def _calibration_error(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: mean distance of score and share of good, by bins of the score."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return float(sum(abs((scores - good)[bins == one].sum()) for one in range(_BINS)) / len(scores))


def _relation_prior(trained: Verdicts, tested: Verdicts) -> NDArray[np.float64]:
    """Return each relation's share of good triples, as if one good and one bad triple more had been judged."""
    names = np.array(trained.relations)
    prior = {
        relation: (trained.good[names == relation].sum() + 1) / ((names == relation).sum() + 2)
        for relation in set(tested.relations)
    }
    return np.array([prior[relation] for relation in tested.relations])


def _tfidf(trained: Verdicts, tested: Verdicts) -> NDArray[np.float64]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - takes a second
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1_000))
    model.fit(_sentences(trained), trained.good)
    return np.asarray(model.predict_proba(_sentences(tested))[:, 1], dtype=np.float64)


def _sentences(verdicts: Verdicts) -> list[str]:
    return [f"{triple.head} {triple.relation} {triple.tail}" for triple in verdicts.triples]
