"""Whether verdicts that count little teach a critic little."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from critic.interface import Critic, TrainingSet
from critic.verdicts import Verdicts

_LITTLE = 1e-6


def moved_by_turned_verdicts(train: Callable[[TrainingSet], Critic], given: TrainingSet) -> tuple[float, float]:
    """Return how far scores move at most when a third of the verdicts turn: these count little, or as all others."""
    verdicts = given.verdicts
    some = np.arange(len(verdicts)) % 3 == 0
    turned = np.where(some, ~verdicts.good, verdicts.good)

    def scores(good: np.ndarray, weight: float) -> np.ndarray:
        own = Verdicts(verdicts.triples, good, verdicts.annotators, np.where(some, weight, 1.0))
        return train(replace(given, verdicts=own)).score(verdicts.triples)

    little, as_all = (
        float(np.abs(scores(verdicts.good, weight) - scores(turned, weight)).max()) for weight in (_LITTLE, 1.0)
    )
    return little, as_all
