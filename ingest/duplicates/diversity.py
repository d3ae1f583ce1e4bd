"""Soft uniqueness: how many inferences are left when those that only vary another one are taken away.

West et al. 2021, section 3: an inference is softly unique if its BLEU-2 against the other inferences of the same event
and relation is below 0.5; the worst is removed, one by one, until all are. The size that remains is "size (div)".
BLEU-2 is nltk's sentence BLEU with smoothing method 1, as COMET's evaluation has it.
"""

from collections.abc import Sequence
from itertools import pairwise

from kg.languages import words

_SOFT = 0.5


def soft_duplicates(tails: Sequence[str]) -> list[tuple[int, float]]:
    """Return the tails of one event and relation that are to go, in that order, each with its BLEU-2 then.

    Args:
        tails: distinct ones; of two that are equally bad, the later one goes. Scripts without blanks are compared by
            characters.

    >>> soft_duplicates(["to go home", "to go home now", "to sleep"])
    [(0, 1.0)]
    """
    texts = [words(tail) for tail in tails]
    pairs = [set(pairwise(text)) for text in texts]
    left = list(range(len(tails)))
    gone: list[tuple[int, float]] = []
    while True:
        scores = {place: _bleu2(place, left, texts, pairs) for place in left}
        worst = max(left, key=lambda place: (scores[place], place), default=None)
        if worst is None or scores[worst] < _SOFT:
            return gone
        left.remove(worst)
        gone.append((worst, scores[worst]))


def _bleu2(
    place: int, left: Sequence[int], texts: Sequence[Sequence[str]], pairs: Sequence[set[tuple[str, str]]]
) -> float:
    """Return BLEU-2 against the others, or 0 where no pair of words is shared: BLEU-2 is at most 0.32 then."""
    others = [other for other in left if other != place]
    if not any(pairs[place] & pairs[other] for other in others):
        return 0.0
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu  # noqa: PLC0415 - takes a second

    references = [texts[other] for other in others]
    smoothing = SmoothingFunction().method1
    return float(sentence_bleu(references, texts[place], weights=(0.5, 0.5), smoothing_function=smoothing))
