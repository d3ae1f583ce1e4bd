"""What a generator's training makes small: one seam between the losses of tokens and the number that is stepped on.

    tail or whole sequence    whether what is given counts, or the tail alone (Bosselut et al. 2019; Hwang et al. 2021)
    weights of triples        all alike; the critic's probability; how often the teacher said so, of all that it said of
                              the event and relation (its sample frequency)
    softened targets          the teacher's distribution at a temperature T beside the tail itself, times T^2, so that
                              the temperature does not change its share (Hinton et al. 2015): from a model with the same
                              tokens, or from stored probabilities of its likeliest tokens, made to sum to 1

Which of them are wanted says `student.objective`. A hard filter is the query that chooses the triples: without one,
what the critic accepted.
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from kg import strict_json
from kg.errors import InputError
from kg.lines import Line, read_lines
from kg.model import Triple


def weighted_mean(each: Tensor, lengths: Sequence[int], weights: Sequence[float], tokens: int | None = None) -> Tensor:
    """Return the mean over tokens of their losses, each times the weight of its triple.

    Args:
        each: losses of tokens, (T,), those of a triple together.
        lengths: how many tokens each triple has; their sum is T.
        weights: of the triples, as `relative` returns them, so that a batch counts by what its triples weigh.
        tokens: how many there are in all, where these are a part of them, whose share of the mean is wanted.
    """
    of_tokens = each.new_tensor(
        [weight for weight, length in zip(weights, lengths, strict=True) for _ in range(length)]
    )
    return (each * of_tokens).sum() / (tokens or len(each))


def relative(weights: Sequence[float], lengths: Sequence[int]) -> list[float]:
    """Return weights over their mean, in which a triple counts as often as it has tokens.

    >>> relative([0.5, 0.25], [1, 2])
    [1.5, 0.75]
    """
    mean = sum(weight * length for weight, length in zip(weights, lengths, strict=True)) / sum(lengths)
    return [weight / mean for weight in weights]


def softened(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 times the cross entropy of a teacher's softened distribution: (N,).

    Args:
        logits: the student's, (N, V).
        teacher: logits or log-probabilities of the same tokens, (N, V); minus infinity for what is not known, the rest
            is made to sum to 1.
        temperature: T.
    """
    wanted = (teacher / temperature).softmax(-1)
    said = (logits / temperature).log_softmax(-1)
    products = (wanted * said).masked_fill(wanted == 0, 0.0)
    return -products.sum(-1) * temperature**2


def mixed(hard: Tensor, soft: Tensor, share: float) -> Tensor:
    """Return the loss of tokens from that of the tails and that of the softened targets, which has the share."""
    return (1 - share) * hard + share * soft


def read_stored(path: Path) -> tuple[dict[Triple, list[dict[str, float]]], set[str]]:
    """Return the stored probabilities of a teacher's likeliest tokens, and the models that they are of.

    A line is a JSON object: head, relation, tail; `top`, for each token of the tail and for its end an object of
    tokens, spelt as the base's tokenizer spells them, with their log-probabilities; `model`, which may be left out.

    Raises:
        InputError: the file cannot be read, or a line is none of these.
    """
    found: dict[Triple, list[dict[str, float]]] = {}
    models: set[str] = set()
    for line in read_lines(path):
        if not isinstance(line, Line):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        try:
            row = strict_json.read(line.text)
            top = [{str(token): float(value) for token, value in place.items()} for place in row["top"]]
            triple = Triple(*(str(row[name]) for name in ("head", "relation", "tail")))
            models.add(str(row.get("model") or ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, line {line.number}: not head, relation, tail, and top, a list of objects of tokens and "
                f"log-probabilities ({type(error).__name__}: {error})"
            ) from error
        if not top or not all(place and all(value <= 0 for value in place.values()) for place in top):
            raise InputError(f"{path}, line {line.number}: top has a place without a log-probability, or one above 0")
        found[triple] = top
    return found, models
