"""How likely a language model finds a tail: after its event and relation, after the relation alone, and the difference.

Only the tail's tokens count. Events and relations are read once for all that follow (`packing`), and so are the
beginnings that tails have in common. Questions come and scores go in a stream: memory does not grow with their number.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from more_itertools import chunked

from kg.language_model.packing import Sequence_, losses, packs, sums
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
        tails = tokens(tokenizer, [behind(question.tail) + ending for question in some], special=False)
        after = tokens(tokenizer, [question.event + question.phrase for question in some])
        alone = tokens(tokenizer, [question.phrase.lstrip(" .,;:") for question in some])
        rows: list[tuple[Sequence_, Sequence_]] = []
        for question, given, phrase, tail in zip(some, after, alone, tails, strict=True):
            whole = tail if end is None else (*tail, end)
            if not whole:
                raise ValueError(f"a tail without tokens: {question}")
            rows.append(((given, whole), (phrase, whole)))
        distinct = list(dict.fromkeys(sequence for row in rows for sequence in row))
        found = dict(zip(distinct, logprobs(model, distinct), strict=True))
        for row in rows:
            yield Likelihood(found[row[0]], found[row[1]], len(row[0][1]))


def logprobs(model: Any, sequences: Sequence[Sequence_]) -> list[float]:
    """Return the summed log-probability of each tail after what is given, both in tokens.

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    found = [0.0] * len(sequences)
    size = max(1, min(_PACK_TOKENS, _LOGITS // model.config.get_text_config().vocab_size))
    training = model.training
    model.eval()
    try:
        for packed, numbers in packs(sequences, size):
            adapt()
            with torch.inference_mode():
                placed = packed.to(model.device)
                totals = sums(placed, -losses(model, placed).double()).tolist()
            for number, total in zip(numbers, totals, strict=True):
                found[number] = total
    finally:
        model.train(training)
    return found


def tokens(tokenizer: Any, texts: Sequence[str], *, special: bool = True) -> list[tuple[int, ...]]:
    """Return the tokens of texts; the spelling of a special token in a text is text."""
    distinct = list(dict.fromkeys(texts))
    cut = tokenizer(distinct, add_special_tokens=special, split_special_tokens=True, verbose=False)["input_ids"]
    known = {text: tuple(ids) for text, ids in zip(distinct, cut, strict=True)}
    return [known[text] for text in texts]
