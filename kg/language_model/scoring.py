"""How likely a language model finds a tail: after its event and relation, after the relation alone, and the difference.

And what it makes of the tail: the states in the middle of its layers, which tell more than likelihoods do.

Only the tail's tokens count. Events and relations are read once for all that follow (`packing`), and so are the
beginnings that tails have in common. Questions come and scores go in a stream: memory does not grow with their number.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray

from kg.language_model.packing import Pack, Sequence_, losses, losses_and_states, packs, sums
from kg.languages import behind
from kg.threads import adapt

_STREAM = 4_096  # questions whose common beginnings are found together
_PACK_TOKENS = 2_048  # places of one pass at most
_LOGITS = 2**26  # numbers of one pass at most, 256 MB: a large vocabulary means smaller passes


class Question(NamedTuple):
    """A tail to be weighed, in words.

    Attributes:
        event: "PersonX shears a sheep".
        phrase: what stands between event and tail, with its mark: ", because PersonX wanted". Without the event the
            mark and the space before it are left out: "because PersonX wanted".
        tail: "to save the wool"; a space is put before it.
    """

    event: str
    phrase: str
    tail: str


class Likelihood(NamedTuple):
    """Log-probabilities of a tail's tokens.

    Attributes:
        conditional: their sum after event and phrase.
        unconditional: their sum after the phrase without the event.
        tokens: how many they are, the end among them if one was asked for.
    """

    conditional: float
    unconditional: float
    tokens: int

    @property
    def conditional_mean(self) -> float:
        """Mean log-probability of a token after event and phrase."""
        return self.conditional / self.tokens

    @property
    def unconditional_mean(self) -> float:
        """Mean log-probability of a token without the event."""
        return self.unconditional / self.tokens

    @property
    def gain(self) -> float:
        """How much likelier the event makes the tail: conditional less unconditional."""
        return self.conditional - self.unconditional


def weigh(
    model: Any, tokenizer: Any, questions: Iterable[Question], *, ending: str = "", end: int | None = None
) -> Iterator[Likelihood]:
    """Yield the likelihood of each tail, in the order of the questions.

    Args:
        model: a causal language model of `transformers`.
        tokenizer: its tokenizer; whatever it puts before a text (a token for the beginning) stands before the event.
        questions: texts; each part is cut into tokens by itself.
        ending: text right behind each tail, "." for one, that is weighed with it.
        end: token behind that.

    Raises:
        InputError: a model whose layers cannot be packed.
        ValueError: a tail without a token.
    """
    for some in chunked(questions, _STREAM):
        rows = _sequences(tokenizer, some, ending, end)
        distinct = list(dict.fromkeys(chain.from_iterable(rows)))
        found = dict(zip(distinct, logprobs(model, distinct), strict=True))
        for given, alone in rows:
            yield Likelihood(found[given], found[alone], len(given[1]))


def read(
    model: Any, tokenizer: Any, questions: Iterable[Question], *, ending: str = ""
) -> Iterator[tuple[Likelihood, NDArray[np.float32]]]:
    """Yield what `weigh` yields, and what the model makes of each tail after event and phrase.

    That is a vector as wide as the model: the mean of the states behind the first half of its layers, over the places
    from which the tail's tokens are foretold.

    Raises:
        InputError: a model whose layers cannot be packed.
        ValueError: a tail without a token.
    """
    layer = model.config.get_text_config().num_hidden_layers // 2
    for some in chunked(questions, _STREAM):
        rows = _sequences(tokenizer, some, ending, None)
        given = list(dict.fromkeys(one for one, _ in rows))
        seen: dict[Sequence_, tuple[float, NDArray[np.float32]]] = {}
        for packed, numbers in _packed(model, given):
            with torch.inference_mode():
                each, states = losses_and_states(model, packed, layer)
                totals = sums(packed, -each.double()).tolist()
            told = zip(totals, states.cpu().numpy(), strict=True)
            seen |= zip((given[number] for number in numbers), told, strict=True)
        alone = list(dict.fromkeys(one for _, one in rows))
        found = dict(zip(alone, logprobs(model, alone), strict=True))
        for after, before in rows:
            total, state = seen[after]
            yield Likelihood(total, found[before], len(after[1])), state


def logprobs(model: Any, sequences: Sequence[Sequence_]) -> list[float]:
    """Return the summed log-probability of each tail after what is given, both in tokens.

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    found = [0.0] * len(sequences)
    for packed, numbers in _packed(model, sequences):
        with torch.inference_mode():
            totals = sums(packed, -losses(model, packed).double()).tolist()
        for number, total in zip(numbers, totals, strict=True):
            found[number] = total
    return found


def _sequences(
    tokenizer: Any, questions: Sequence[Question], ending: str, end: int | None
) -> list[tuple[Sequence_, Sequence_]]:
    """Return each question's tokens, with the event and without."""
    tails = tokens(tokenizer, [behind(question.tail) + ending for question in questions], special=False)
    after = tokens(tokenizer, [question.event + question.phrase for question in questions])
    alone = tokens(tokenizer, [question.phrase.lstrip(" .,;:") for question in questions])
    rows: list[tuple[Sequence_, Sequence_]] = []
    for question, given, phrase, tail in zip(questions, after, alone, tails, strict=True):
        whole = tail if end is None else (*tail, end)
        if not whole:
            raise ValueError(f"a tail without tokens: {question}")
        rows.append(((given, whole), (phrase, whole)))
    return rows


def _packed(model: Any, sequences: Sequence[Sequence_]) -> Iterator[tuple[Pack, list[int]]]:
    """Yield packs on the model's device and the numbers of their sequences; the model is not in training meanwhile."""
    size = max(1, min(_PACK_TOKENS, _LOGITS // model.config.get_text_config().vocab_size))
    training = model.training
    model.eval()
    try:
        for packed, numbers in packs(sequences, size):
            adapt()
            yield packed.to(model.device), numbers
    finally:
        model.train(training)


def tokens(tokenizer: Any, texts: Sequence[str], *, special: bool = True) -> list[tuple[int, ...]]:
    """Return the tokens of texts; the spelling of a special token in a text is text."""
    distinct = list(dict.fromkeys(texts))
    cut = tokenizer(distinct, add_special_tokens=special, split_special_tokens=True, verbose=False)["input_ids"]
    known = {text: tuple(ids) for text, ids in zip(distinct, cut, strict=True)}
    return [known[text] for text in texts]
