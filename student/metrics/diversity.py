"""How much a system says that it does not say again: distinct tails and n-grams, entropy, self-BLEU.

Every one of them is as easily had by talking nonsense as BLEU is by saying the most frequent tail; they are read
beside each other, and beside the controls.
"""

import math
import random
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

from kg.languages import words
from student.metrics.comet import sentence_bleu_2
from student.metrics.files import Answer

_SAMPLE = 200  # tails that self-BLEU compares with one another: its cost is the square
_SEED = 0


def diversity(answers: Sequence[Answer]) -> dict[str, float | None]:
    """Return how diverse greedy tails are, and the beams of each prefix.

    Args:
        answers: at least one.

    Returns:
        `distinct`, the share of different tails; `distinct-1` and `distinct-2`, of different words and pairs of words
        (Li et al. 2016, arXiv 1510.03055); `entropy` of tails and `entropy of words`, in bits; `self-BLEU`, the mean
        BLEU-2 of tails against all others, in [0, 1], over at most 200 of them (Zhu et al. 2018); `beam self-BLEU`, the
        same within the beams of a prefix. None where there is nothing to count.
    """
    tails = [one.greedy.strip() for one in answers]
    said = [words(tail) for tail in tails]
    pairs = [pair for some in said for pair in pairwise(some)]
    singles = [word for some in said for word in some]
    beams = [one.generations for one in answers if len(one.generations) > 1]
    drawn = random.Random(_SEED)  # noqa: S311 - a sample, no secret
    values = [self_bleu(some) for some in (drawn.sample(beams, _SAMPLE) if len(beams) > _SAMPLE else beams)]
    return {
        "distinct": len(set(tails)) / len(tails),
        "distinct-1": len(set(singles)) / len(singles) if singles else None,
        "distinct-2": len(set(pairs)) / len(pairs) if pairs else None,
        "entropy": entropy(tails),
        "entropy of words": entropy(singles),
        "self-BLEU": self_bleu(drawn.sample(tails, _SAMPLE) if len(tails) > _SAMPLE else tails),
        "beam self-BLEU": sum(value or 0 for value in values) / len(values) if values else None,
    }


def entropy(things: Iterable[Hashable]) -> float:
    """Return the Shannon entropy of how often each of some things occurs, in bits.

    >>> entropy(["a", "a", "b", "c"])
    1.5
    """
    counts = Counter(things)
    total = counts.total()
    return sum(count / total * math.log2(total / count) for count in counts.values())


def self_bleu(tails: Sequence[str]) -> float | None:
    """Return the mean BLEU-2 of each tail against all others; None of fewer than two.

    >>> self_bleu(["to rest", "to rest", "sad"])
    0.6666666666666666
    """
    if len(tails) <= 1:
        return None
    scores = [sentence_bleu_2(tail, [*tails[:place], *tails[place + 1 :]]) for place, tail in enumerate(tails)]
    return sum(scores) / len(scores)
