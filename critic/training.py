"""Training of the blend: scores from the teacher's triples, and a regression on the judgements."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from critic.features import PARTS, Part
from critic.interface import TrainingSet
from critic.model import Blend, cross_scores, design, folds_of, vectors_of
from critic.roles import ROLES
from critic.saved import FOLDS
from kg.errors import NotReady
from kg.model import Triple
from kg.vocabulary import Vocabulary

_MIN_RELATION_ROWS = 20  # the teacher's triples of a relation outside of any fold
_MAX_CORPUS = 20_000  # the teacher's triples that are learnt from, drawn at random; more cost their embedding
_INVERSE_RIDGE = 0.1  # scikit-learn's C


def train_blend(given: TrainingSet) -> Blend:
    """Fit a blend to all the verdicts and triples given.

    Raises:
        NotReady: too few triples.
    """
    random = np.random.default_rng(given.seed)
    _, relations, folds = learn_parts(given, random)
    verdicts, encode = given.verdicts, given.encode
    judged = vectors_of(verdicts.triples, relations, encode)
    scores = cross_scores(folds, judged, folds_of(verdicts.triples))
    known = scores[judged.relations >= 0]
    if not len(known):
        raise no_relation_judged(relations)
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
    inputs = design(scores, judged.relations, len(relations), mean, deviation)

    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    regression = LogisticRegression(C=_INVERSE_RIDGE, max_iter=1_000).fit(inputs, verdicts.good, verdicts.counts)
    weights = np.concatenate([regression.coef_[0], regression.intercept_])
    return Blend(given.role, relations, folds, {"mean": mean, "deviation": deviation, "weights": weights}, encode)


def learn_parts(
    given: TrainingSet, random: np.random.Generator
) -> tuple[Sequence[Triple], list[str], list[list[Part]]]:
    """Fit the scores of the role to the teacher's triples; return the triples, the relations, and a list a fold.

    Raises:
        NotReady: too few triples.
    """
    corpus = given.corpus
    if len(corpus) > _MAX_CORPUS:
        corpus = [corpus[row] for row in np.sort(random.choice(len(corpus), _MAX_CORPUS, replace=False))]
    relations = _learnable(corpus, given.vocabulary)
    if not relations:
        (most, count), *_ = [*Counter(triple.relation for triple in corpus).most_common(1), ("any relation", 0)]
        raise NotReady(
            f"the {given.role} critic learns from the teacher's triples of training events: it needs about "
            f"{2 * _MIN_RELATION_ROWS} of a relation, of several events; of the {len(corpus):,} that it may learn "
            f"from, {count:,} have {most}; load more with kg ingest load FILE --split train"
        )
    learnt = [triple for triple in corpus if triple.relation in relations]
    rows, dealt = vectors_of(learnt, relations, given.encode), folds_of(learnt)
    folds = [
        [PARTS[part].fit(rows.of(dealt != fold), random) for part in ROLES[given.role].parts] for fold in range(FOLDS)
    ]
    return learnt, relations, folds


def no_relation_judged(relations: Sequence[str]) -> NotReady:
    """Return the error that no judged triple has one of the relations that could be learnt."""
    return NotReady(f"no judged triple has a relation with enough triples to learn from ({', '.join(relations)})")


def _learnable(corpus: Sequence[Triple], vocabulary: Vocabulary) -> list[str]:
    """Return the relations, in the vocabulary's order, that keep enough triples whatever fold is taken away."""
    names = np.array([triple.relation for triple in corpus], dtype=object)
    dealt = folds_of(corpus)
    return [
        relation
        for relation in vocabulary.names
        if min(((names == relation) & (dealt != fold)).sum() for fold in range(FOLDS)) >= _MIN_RELATION_ROWS
    ]
