"""What several annotators' verdicts on a triple come to: by the paper's majority rule, and by Dawid and Skene."""

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from critic.reliability import Judged
from kg.model import JUDGEMENT_VALUES, Triple

Majority = Literal["accepted", "rejected", "tied", "unfamiliar"]
MAJORITIES: tuple[Majority, ...] = get_args(Majority)

UNFAMILIAR = JUDGEMENT_VALUES[-1]
_STEPS = 300  # of the EM algorithm at most; each takes 5 ms, and 30 ms with 10,000 triples
_CHANGE = 1e-6  # of a step, in mean log-likelihood, below which it ends


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What the model of Dawid and Skene (1979) makes of verdicts: each annotator errs at rates of their own.

    Attributes:
        good: triple to the probability in [0, 1] that it is acceptable; "unfamiliar" is no verdict.
        accepts_good: annotator to the estimated share of acceptable triples that the annotator accepts.
        rejects_bad: annotator to the estimated share of the others that the annotator rejects.
    """

    good: dict[Triple, float]
    accepts_good: dict[str, float]
    rejects_bad: dict[str, float]


def majority(values: Collection[int]) -> Majority:
    """Return the majority of verdicts on a triple; none if any annotator said -9 (West et al. 2021, app. A), or a tie.

    >>> majority([2, 1, -1]), majority([2, -1]), majority([2, 2, -9]), majority([-1, -2])
    ('accepted', 'tied', 'unfamiliar', 'rejected')
    """
    if UNFAMILIAR in values:
        return "unfamiliar"
    balance = sum(1 if value > 0 else -1 for value in values)
    return "accepted" if balance > 0 else "rejected" if balance < 0 else "tied"


def dawid_skene(judged: Judged) -> DawidSkene | None:
    """Return the consensus of annotators by the model of Dawid and Skene; None where all verdicts are alike.

    Args:
        judged: any number of annotators a triple.
    """
    rows = [
        (place, name, int(value > 0))
        for place, by in enumerate(judged.values())
        for name, value in by.items()
        if value != UNFAMILIAR
    ]
    if len({label for *_, label in rows}) < 2:  # noqa: PLR2004 - accepted and not
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # crowd-kit words some calls as pandas 2 had them
        from crowdkit.aggregation import DawidSkene as Model  # noqa: PLC0415 - takes three seconds
        from pandas import DataFrame  # noqa: PLC0415

        model = Model(n_iter=_STEPS, tol=_CHANGE).fit(DataFrame(rows, columns=["task", "worker", "label"]))
    triples = list(judged)
    rates = model.errors_.to_dict("index")  # (annotator, verdict) to {truth: share}
    names = sorted({name for _, name, _ in rows})
    return DawidSkene(
        good={triples[place]: float(share) for place, share in sorted(model.probas_[1].items())},
        accepts_good={name: float(rates.get((name, 1), {}).get(1, 0)) for name in names},
        rejects_bad={name: float(rates.get((name, 0), {}).get(0, 0)) for name in names},
    )
