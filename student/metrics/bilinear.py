"""The score of ConceptNet tails: the Bilinear AVG classifier of Li et al. (ACL 2016), by which COMET measured its own.

    u(phrase) = tanh(W mean(word vectors) + b)        P(h, R, t) = sigmoid(u(h)' M_R u(t))

Learnt from triples against three corruptions of each, of its head, its relation and its tail, by AdaGrad. Word vectors
are learnt with the rest, from what a sentence encoder says of each word; Li et al. had theirs from the corpus behind
ConceptNet.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from torch import Tensor, nn

from kg.errors import InputError
from kg.languages import words as cut
from kg.progress import Bar
from kg.threads import adapt
from student.interface import Encode
from student.metrics.files import Answer

WORDS, UNITS = 200, 150
BATCH, RATE, EPOCHS = 200, 0.05, 6
_SPREAD = 0.1  # of word vectors that are drawn
_TOLD = 0.3  # of those that an encoder gives
_DROPOUT = 0.2  # of units, in training
_UNKNOWN = 0
_CHUNK = 4_096
_TRUE = 0.5  # the probability from which COMET counts a triple as true

Triple = tuple[str, str, str]
"""Head, relation, tail."""


class Bilinear(nn.Module):
    """The classifier, over the words and relations of its training.

    Args:
        words: the known ones, each once; number 0 is for all others.
        relations: their names.
    """

    def __init__(self, words: Sequence[str], relations: Sequence[str]) -> None:
        super().__init__()
        self.words = {word: number for number, word in enumerate(words, 1)}
        self.relations = {name: number for number, name in enumerate(relations)}
        self.vectors = nn.EmbeddingBag(len(words) + 1, WORDS, mode="mean")
        nn.init.normal_(self.vectors.weight, std=_SPREAD)
        self.units = nn.Linear(WORDS, UNITS)
        self.matrices = nn.Parameter(torch.randn(len(relations), UNITS, UNITS) / UNITS)
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, triples: Sequence[Triple]) -> Tensor:
        """Return the logits (n,) of n triples, at least one, of known relations."""
        left, right = (self._units([triple[place] for triple in triples]) for place in (0, 2))  # (n, UNITS)
        relations = torch.tensor([self.relations[relation] for _, relation, _ in triples])
        order = relations.argsort(stable=True)
        counts = relations.bincount(minlength=len(self.relations)).tolist()
        parts = zip(left[order].split(counts), right[order].split(counts), self.matrices, strict=True)  # type: ignore[no-untyped-call]
        logits = torch.cat([(one @ matrix * two).sum(1) for one, two, matrix in parts])
        return logits[order.argsort()]

    @torch.inference_mode()
    def probabilities(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        """Return how probable triples are to be true, (n,), each in [0, 1]; nan for a relation that is not known."""
        self.eval()
        found = np.full(len(triples), np.nan)
        known = [place for place, (_, relation, _) in enumerate(triples) if relation in self.relations]
        for some in chunked(known, _CHUNK):
            found[some] = self([triples[place] for place in some]).sigmoid().double().numpy()
        return found

    def _units(self, phrases: Sequence[str]) -> Tensor:
        numbers = [[self.words.get(word, _UNKNOWN) for word in words_of(phrase)] or [_UNKNOWN] for phrase in phrases]
        starts = np.cumsum([0, *map(len, numbers)])[:-1]
        flat = torch.tensor([number for some in numbers for number in some])
        units: Tensor = self.drop(torch.tanh(self.units(self.vectors(flat, torch.from_numpy(starts)))))
        return units


def train_bilinear(
    triples: Sequence[Triple], encode: Encode | None = None, *, seed: int = 0, epochs: int = EPOCHS
) -> Bilinear:
    """Train a classifier on true triples.

    Args:
        triples: at least two.
        encode: a sentence encoder, from whose vectors of words the classifier's start; without it they are drawn.
        seed: of weights, order and corruptions.
        epochs: passes over the triples.

    Raises:
        InputError: fewer than two triples.
    """
    if len(triples) <= 1:
        raise InputError("a classifier of triples learns from two at least: each is held against others")
    words = sorted({word for head, _, tail in triples for phrase in (head, tail) for word in words_of(phrase)})
    random = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Bilinear(words, sorted({relation for _, relation, _ in triples})).train()
        if encode:
            with torch.no_grad():
                model.vectors.weight[1:] = torch.from_numpy(_start(encode(words)))
        optimiser = torch.optim.Adagrad(model.parameters(), lr=RATE)
        steps = epochs * -(-len(triples) // BATCH)
        with Bar(total=steps, desc="train the classifier", unit="steps") as bar:
            for _ in range(epochs):
                for batch in chunked(random.permutation(len(triples)).tolist(), BATCH):
                    adapt()
                    true = [triples[place] for place in batch]
                    logits = model([*true, *_corrupted(true, triples, random)])
                    targets = (torch.arange(len(logits)) < len(true)).float()
                    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
                    optimiser.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
                    bar.learn(len(true), loss.item(), "triples")
    return model.eval()


def _start(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (n, d) on their principal axes, (n, WORDS), 0 where there are fewer."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - takes a second

    axes = PCA(min(WORDS, *vectors.shape), random_state=0).fit_transform(vectors)
    found = np.zeros((len(vectors), WORDS), np.float32)
    found[:, : axes.shape[1]] = _TOLD * axes / max(1e-9, axes.std())
    return found


def score_of_greedy(model: Bilinear, answers: Sequence[Answer], threshold: float | None = None) -> dict[str, Any]:
    """Return COMET's score: which share of triples, with their greedy tails, has a probability of a half or more.

    Returns:
        `prefixes`, those whose relation the classifier knows, and `score` of these, None where there are none; with a
        threshold `tuned`, the share that reaches this one.
    """
    found = model.probabilities([(one.head, one.relation, one.greedy) for one in answers])
    known = found[~np.isnan(found)]
    limits = {"score": _TRUE} | ({} if threshold is None else {"tuned": threshold})
    shares = {name: float((known >= limit).mean()) if len(known) else None for name, limit in limits.items()}
    return {"prefixes": len(known), **shares}


def check(model: Bilinear, labelled: Sequence[tuple[Triple, bool]], seed: int = 0) -> dict[str, Any]:
    """Return how well a classifier tells labelled triples apart.

    Args:
        model: the classifier, which has not learnt from them.
        labelled: triples, and whether each is good.
        seed: of the halves.

    Returns:
        `labelled`, those whose relation the classifier knows, `accuracy` at a probability of a half, `tuned`, that of
        each half at the threshold that is best on the other, and `threshold`, the best one on all.

    Raises:
        InputError: the classifier knows the relation of fewer than two of them.
    """
    scores = model.probabilities([triple for triple, _ in labelled])
    known = ~np.isnan(scores)
    scores, good = scores[known], np.array([is_good for _, is_good in labelled], np.bool_)[known]
    if len(scores) <= 1:
        raise InputError("the classifier knows the relation of fewer than two labelled triples")
    halves = np.array_split(np.random.default_rng(seed).permutation(len(scores)), 2)
    right = [
        accuracy(scores[mine], good[mine], best_threshold(scores[other], good[other])) * len(mine)
        for mine, other in (halves, halves[::-1])
    ]
    return {
        "labelled": len(scores), "accuracy": accuracy(scores, good, _TRUE), "tuned": sum(right) / len(scores),
        "threshold": best_threshold(scores, good),
    }  # fmt: skip


def accuracy(scores: NDArray[np.float64], good: NDArray[np.bool_], threshold: float) -> float:
    """Return which share of triples is told right by a threshold of their probability."""
    return float(((scores >= threshold) == good).mean())


def best_threshold(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Return the threshold that tells most triples right, between two scores.

    >>> best_threshold(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, False, True, True]))
    0.5
    """
    values = np.unique(scores)
    between = [values[0], *((values[1:] + values[:-1]) / 2).tolist()]
    return float(max(between, key=lambda threshold: accuracy(scores, good, threshold)))


def words_of(phrase: str) -> list[str]:
    """Return the words of a phrase, in lower case, as `kg.languages.words` cuts them, or between underscores."""
    return cut(phrase.lower().replace("_", " "))


def _corrupted(true: Sequence[Triple], triples: Sequence[Triple], random: np.random.Generator) -> list[Triple]:
    """Return three corruptions of each triple: its head, its relation, its tail taken from another one."""
    found = []
    for place in range(3):
        others = random.integers(len(triples), size=len(true))
        for triple, other in zip(true, others.tolist(), strict=True):
            head, relation, tail = (triples[other] if part == place else triple for part in range(3))
            found.append((head[0], relation[1], tail[2]))
    return found
