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
from critic.calibration import calibration_error, perfect_range
from critic.interface import Critic
from critic.verdicts import Splits, Verdicts, split_verdicts, training_verdicts
from kg.model import Judgement, Split

_MIN_RELATION_ROWS = 20  # rows of a relation below which its own AUC is noise
_MIN_OF_EACH = 20  # good rows, and bad ones, of a relation whose AUC is a figure to compare with others
_MANY_ROWS = 100  # of a relation, as CKBP's figures are averaged
_RESAMPLES = 500  # of the bootstrap; 1,000 move its ends by 0.2 points of AUC
_UNKNOWN: dict[str, Any] = {
    "auc": 0.5, "auc_interval": [0.0, 1.0], "relation_auc": None, "relation_auc_20": None, "relation_auc_100": None,
    "relations": {}, "average_precision": None, "precision_at_recall": {}, "f1": None, "ece": None,
    "ece_if_perfect": None, "brier": None,
}  # fmt: skip


PRIOR, TFIDF = "relation prior", "TF-IDF + logistic regression"
"""The names of the baselines."""


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
        PRIOR: lambda: relation_prior(trained, tested),
        TFIDF: lambda: tfidf(trained, tested),
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
        None where there is none), `relations` (name to `rows`, `good` and `auc`, for those with 20 rows and both
        kinds), `relation_auc_20` (mean over those with 20 good and 20 bad rows), `relation_auc_100` (over those with
        100 rows), `average_precision`, `precision_at_recall` ("0.5" to "0.9"), `f1` (of what scores at least .5),
        `ece` and `ece_if_perfect` (`critic.calibration`) and `brier`; all in [0, 1].
    """
    from sklearn.metrics import (  # noqa: PLC0415 - takes a second
        average_precision_score,
        brier_score_loss,
        f1_score,
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
            auc = float(roc_auc_score(good[mine], scores[mine]))
            by_relation[relation] = {"rows": int(mine.sum()), "good": int(good[mine].sum()), "auc": auc}
    balanced = [
        row["auc"] for row in by_relation.values() if min(row["good"], row["rows"] - row["good"]) >= _MIN_OF_EACH
    ]
    large = [row["auc"] for row in by_relation.values() if row["rows"] >= _MANY_ROWS]
    return {
        "auc": float(roc_auc_score(good, scores)),
        "auc_interval": _auc_interval(scores, verdicts, seed),
        "relation_auc": _mean([row["auc"] for row in by_relation.values()]),
        "relation_auc_20": _mean(balanced),
        "relation_auc_100": _mean(large),
        "relations": by_relation,
        "average_precision": float(average_precision_score(good, scores)),
        "precision_at_recall": {f"{wish:g}": float(precision[np.flatnonzero(recall >= wish)[-1]]) for wish in RECALLS},
        "f1": float(f1_score(good, scores >= 0.5)),  # noqa: PLR2004 - as published
        "ece": calibration_error(scores, good),
        "ece_if_perfect": list(perfect_range(scores, seed)),
        "brier": float(brier_score_loss(good, scores)),
    }


def format_report(report: Mapping[str, Any]) -> str:
    """Return a report as a small table, in percentages; a sentence where nothing could be measured."""
    good, bad = report["good"], report["rows"] - report["good"]
    if not good or not bad:
        return (
            f"{report['role']} critic, trained on {report['trained_rows']:,} judged triples; how good it is cannot be "
            f"said: of {report['split']} events there are {good} good and {bad} bad judged triples, and a report needs "
            f"both. For more: kg query unjudged --param split={report['split']} --tsv, then kg critic "
            "import-judgements FILE"
        )
    lines = [
        (
            f"{report['role']} critic, trained on {report['trained_rows']:,} judged triples; on {report['rows']:,} of "
            f"{report['events']:,} {report['split']} events ({report['good'] / report['rows']:.0%} good), in %:"
        ),
        (
            f"{'':29}{'AUC':>6}{'95 % interval':>15}{'by relation':>12}{'AP':>6}{'P@.8':>6}{'ECE':>6}{'if right':>13}"
            f"{'Brier':>7}"
        ),
    ]
    for name, row in report["systems"].items():
        low, high = row["auc_interval"]
        least, most = row["ece_if_perfect"]
        mean = "-" if row["relation_auc"] is None else f"{100 * row['relation_auc']:.1f}"
        lines.append(
            f"{name:29}{100 * row['auc']:6.1f}{f'{100 * low:.1f} to {100 * high:.1f}':>15}{mean:>12}"
            f"{100 * row['average_precision']:6.1f}{100 * row['precision_at_recall']['0.8']:6.1f}"
            f"{100 * row['ece']:6.1f}{f'{100 * least:.1f} to {100 * most:.1f}':>13}{100 * row['brier']:7.1f}"
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


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def relation_prior(trained: Verdicts, tested: Verdicts) -> NDArray[np.float64]:
    """Return each relation's share of good triples, as if one good and one bad triple more had been judged."""
    names, counts = np.array(trained.relations), trained.counts
    prior = {
        relation: (counts[(names == relation) & trained.good].sum() + 1) / (counts[names == relation].sum() + 2)
        for relation in set(tested.relations)
    }
    return np.array([prior[relation] for relation in tested.relations])


def tfidf(trained: Verdicts, tested: Verdicts) -> NDArray[np.float64]:
    """Return the probabilities by words and pairs of words of triples, learnt from verdicts of both kinds."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - takes a second
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1_000))
    model.fit(_sentences(trained), trained.good, logisticregression__sample_weight=trained.counts)
    return np.asarray(model.predict_proba(_sentences(tested))[:, 1], dtype=np.float64)


def _sentences(verdicts: Verdicts) -> list[str]:
    return [f"{triple.head} {triple.relation} {triple.tail}" for triple in verdicts.triples]
