"""Training a critic: scores from the teacher's triples, and a regression on the judgements."""

from collections.abc import Sequence

import numpy as np

from critic.features import SCORES
from critic.model import FOLDS, Critic, Encode, cross_scores, design, folds_of, vectors_of
from critic.verdicts import KINDS, Kind, Splits, Verdicts, split_in, training_verdicts
from kg.errors import NotReady
from kg.model import Judgement, Triple, half_of, head_id
from kg.vocabulary import Vocabulary

_MIN_VERDICTS = 10  # good ones, and bad ones
_MIN_RELATION_ROWS = 20  # the teacher's triples of a relation outside of any fold
_MAX_CORPUS = 20_000  # the teacher's triples that are learnt from, drawn at random; more cost their embedding
_INVERSE_RIDGE = 0.1  # scikit-learn's C


def train(
    judgements: Sequence[Judgement],
    corpus: Sequence[Triple],
    vocabulary: Vocabulary,
    encode: Encode,
    *,
    seed: int,
    kind: Kind,
    splits: Splits | None = None,
) -> Critic:
    """Train a critic on its share of the judgements; the order of what is given does not matter.

    Of the judgements it takes those of train-split events in the half that belongs to the kind (`half_of`), so that
    filter and judge learn from different events; of the corpus the filter takes what is not of test events, the
    judge what is of its own half besides.

    Args:
        judgements: any judgements.
        corpus: the teacher's triples, whatever their quality.
        vocabulary: the relations that there may be.
        encode: the sentence encoder.
        seed: same seed, same critic on the same machine.
        kind: filter or judge.
        splits: splits of events that do not follow from their key.

    Raises:
        NotReady: too few judgements or triples; the message says what is needed.
    """
    half = KINDS.index(kind)
    usable = [
        triple
        for triple in sorted(set(corpus))
        if not triple.says_nothing
        and split_in(triple, splits) != "test"
        and (kind == "filter" or half_of(head_id(triple)) == half)
    ]
    return fit(training_verdicts(judgements, kind, splits), usable, vocabulary, encode, seed=seed, kind=kind)


def fit(
    verdicts: Verdicts, corpus: Sequence[Triple], vocabulary: Vocabulary, encode: Encode, *, seed: int, kind: Kind
) -> Critic:
    """Fit a critic to all the verdicts and triples given; `train` says which these should be.

    Raises:
        NotReady: too few verdicts or triples.
    """
    good = int(verdicts.good.sum())
    if min(good, len(verdicts) - good) < _MIN_VERDICTS:
        raise NotReady(
            f"the {kind} critic needs at least {_MIN_VERDICTS} good and {_MIN_VERDICTS} bad judged triples "
            f"of its half of the train events; there are {good} and {len(verdicts) - good}"
        )
    random = np.random.default_rng(seed)
    if len(corpus) > _MAX_CORPUS:
        corpus = [corpus[row] for row in np.sort(random.choice(len(corpus), _MAX_CORPUS, replace=False))]
    relations = _learnable(corpus, vocabulary)
    if not relations:
        raise NotReady(
            f"the {kind} critic learns from the teacher's triples: it needs about {2 * _MIN_RELATION_ROWS} of a "
            f"relation, of several events; there are {len(corpus)} in all"
        )
    learnt = [triple for triple in corpus if triple.relation in relations]
    rows, dealt = vectors_of(learnt, relations, encode), folds_of(learnt)
    folds = [[score.fit(rows.of(dealt != fold), random) for score in SCORES[kind]] for fold in range(FOLDS)]

    judged = vectors_of(verdicts.triples, relations, encode)
    scores = cross_scores(folds, judged, folds_of(verdicts.triples))
    known = scores[judged.relations >= 0]
    if not len(known):
        raise NotReady(f"no judged triple has a relation with enough triples to learn from ({', '.join(relations)})")
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
    inputs = design(scores, judged.relations, len(relations), mean, deviation)

    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    regression = LogisticRegression(C=_INVERSE_RIDGE, max_iter=1_000).fit(inputs, verdicts.good)
    weights = np.concatenate([regression.coef_[0], regression.intercept_])
    return Critic(kind, relations, folds, {"mean": mean, "deviation": deviation, "weights": weights}, encode)


def _learnable(corpus: Sequence[Triple], vocabulary: Vocabulary) -> list[str]:
    """Return the relations, in the vocabulary's order, that keep enough triples whatever fold is taken away."""
    names = np.array([triple.relation for triple in corpus], dtype=object)
    dealt = folds_of(corpus)
    return [
        relation
        for relation in vocabulary.names
        if min(((names == relation) & (dealt != fold)).sum() for fold in range(FOLDS)) >= _MIN_RELATION_ROWS
    ]
