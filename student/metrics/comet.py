"""The protocol of COMET (Bosselut et al. 2019): BLEU-2 over all beam candidates, and what is new to the training.

Perplexity on tails, the rest of that protocol, needs the student itself: `student.evaluation.perplexity`.
"""

from collections.abc import Collection, Sequence
from typing import Any

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from kg.languages import words
from kg.model import NOTHING
from student.metrics.files import Answer, by_relation

_WEIGHTS = (0.5, 0.5)
_NOTHINGS = 1 / 3  # a prefix is left out where more of its references than this share say "none"
_MARKS = frozenset(("<unk>", "<END>"))  # what their vocabulary puts into texts, and no word

Triples = Collection[tuple[str, str, str]]


def bleu_2(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return BLEU-2 as `bleu_atomic.py` computes it; every figure in [0, 1].

    Sentence BLEU of words between blanks, smoothed by NLTK's method 1; the mean over all candidates of a relation, then
    over relations. Without generations the greedy tail is the only candidate.

    Returns:
        `beams` and `greedy`, the means over relations, None where not one prefix is left; `relations`, for each its
        `beams`, `greedy` and number of `prefixes`; `left_out`, the prefixes of which more than a third of the
        references say nothing.
    """
    kept = [answer for answer in answers if _nothings(answer.references) <= _NOTHINGS]
    relations: dict[str, dict[str, float]] = {}
    for relation, some in by_relation(kept).items():
        beams = [sentence_bleu_2(tail, one.references) for one in some for tail in one.generations or (one.greedy,)]
        greedy = [sentence_bleu_2(one.greedy, one.references) for one in some]
        relations[relation] = {"prefixes": len(some), "beams": _mean(beams), "greedy": _mean(greedy)}
    means = {
        name: _mean([row[name] for row in relations.values()]) if relations else None for name in ("beams", "greedy")
    }
    return means | {"relations": relations, "left_out": len(answers) - len(kept)}


def novelty(answers: Sequence[Answer], training: Triples) -> dict[str, float]:
    """Return which shares of the greedy tails are new to the training, each in [0, 1].

    Args:
        answers: at least one.
        training: head, relation, tail of what the system was trained on.

    Returns:
        `N/T sro`, of triples; `N/T o`, of tails, whatever their event and relation; `N/U o`, of the different tails
        those that are new.
    """
    triples = {tuple(part.strip() for part in triple) for triple in training}
    tails = {tail for _, _, tail in triples}
    said = [(one.head.strip(), one.relation.strip(), one.greedy.strip()) for one in answers]
    different = {tail for _, _, tail in said}
    return {
        "N/T sro": sum(triple not in triples for triple in said) / len(said),
        "N/T o": sum(tail not in tails for _, _, tail in said) / len(said),
        "N/U o": len(different - tails) / len(different),
    }


def sentence_bleu_2(tail: str, references: Sequence[str]) -> float:
    """Return the smoothed BLEU-2 of a tail, in [0, 1].

    >>> round(sentence_bleu_2("to go home", ["to go away"]), 4)
    0.5774
    """
    return float(
        sentence_bleu(
            [_words(one) for one in references], _words(tail), _WEIGHTS, smoothing_function=SmoothingFunction().method1
        )
    )


def _words(text: str) -> list[str]:
    return [word for word in words(text) if word not in _MARKS]


def _nothings(references: Sequence[str]) -> float:
    return sum(_words(one) == [NOTHING] for one in references) / len(references)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
