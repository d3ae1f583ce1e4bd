"""Training of the critics that need no verdict: a mixture is fitted to what models say of the teacher's triples."""

import numpy as np

from critic.interface import TrainingSet
from critic.kinds import MEAN_NLL, NLL, UNSUPERVISED
from critic.unsupervised.likelihoods import Likelihoods
from critic.unsupervised.mixture import Mixture, choose_weight
from critic.unsupervised.model import Unsupervised, similarity, values_of
from critic.unsupervised.wording import templates_of
from kg.errors import NotReady
from kg.language_model.masked import is_masked
from kg.language_model.opening import DEFAULT

_MAX_TRIPLES = 2_500  # of the teacher's that are asked about, several questions each; of fewer the threshold is chance
_MIN_TRIPLES = 20  # below which two components are chance


def train_unsupervised(given: TrainingSet) -> Unsupervised:
    """Choose weight and threshold by the mixture that fits the teacher's triples best.

    Raises:
        NotReady: too few triples, or the language model is not installed.
        InputError: a model cannot be asked.
    """
    return _train(given, UNSUPERVISED)


def train_nll(given: TrainingSet) -> Unsupervised:
    """Fit a mixture to the summed log-probabilities of sentences; errors as `train_unsupervised`."""
    return _train(given, NLL)


def train_mean_nll(given: TrainingSet) -> Unsupervised:
    """Fit a mixture to the mean log-probabilities of their tokens; errors as `train_unsupervised`."""
    return _train(given, MEAN_NLL)


def _train(given: TrainingSet, kind: str) -> Unsupervised:
    triples = [triple for triple in given.corpus if triple.relation in given.vocabulary and not triple.says_nothing]
    if len(triples) < _MIN_TRIPLES:
        raise NotReady(
            f"the {given.role} critic learns from the teacher's triples of training events: it needs {_MIN_TRIPLES}, "
            f"and there are {len(triples)}; load more with kg ingest load FILE --split train"
        )
    random = np.random.default_rng(given.seed)
    if len(triples) > _MAX_TRIPLES:
        triples = [triples[row] for row in np.sort(random.choice(len(triples), _MAX_TRIPLES, replace=False))]
    relations = [triple.relation for triple in triples]
    likelihoods = Likelihoods(
        {name: templates_of(given.vocabulary[name]) for name in given.vocabulary.names}, models_of(given.base)
    )
    measured = likelihoods.measure(triples)
    weight = choose_weight(measured[:, 0], measured[:, 1], relations, given.seed) if kind == UNSUPERVISED else 1.0
    values = values_of(kind, measured, similarity(kind, triples, given.encode), weight)
    mixture = Mixture.fit(values, relations, given.seed)
    return Unsupervised(given.role, kind, likelihoods, weight, mixture, given.encode)


def models_of(name: str | None) -> tuple[str, str]:
    """Return the model that is asked, and the causal one that ranks sentences: the same, unless it is a masked one."""
    asked = name or DEFAULT
    return asked, DEFAULT if asked != DEFAULT and is_masked(asked) else asked
