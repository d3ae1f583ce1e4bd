"""An encoder with a decoder (T5, BART) as generator: what is given is encoded, and the tail is decoded.

The functions have the shapes of `kg.language_model`'s for causal models, so that the rest of the generator asks no
further: tokens of what is given and of the tail go in, log-probabilities or `Tail`s come out. Sequences are padded,
those of like length together.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from more_itertools import chunked
from torch import Tensor

from kg.language_model.generation import Tail
from kg.language_model.packing import Sequence_
from kg.threads import adapt

_BATCH = 64  # sequences scored, or prompts answered, at once


def first_token(model: Any) -> int:
    """Return the token that a decoder begins with: what its configuration says, or the padding, as T5 has it."""
    start = getattr(model.config, "decoder_start_token_id", None)
    return _pad(model) if start is None else int(start)


def losses(model: Any, sequences: Sequence[Sequence_]) -> Tensor:
    """Return the negative log-likelihood of every token of the tails, (tokens,), in the order of the sequences."""
    logits, targets = head_logits(model, sequences)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def head_logits(model: Any, sequences: Sequence[Sequence_]) -> tuple[Tensor, Tensor]:
    """Return the logits from which the tokens of the tails are foretold, (T, V), and these tokens, (T,)."""
    given, read = _padded([given for given, _ in sequences], model)
    start = first_token(model)
    decoded, counted = _padded([(start, *tail[:-1]) for _, tail in sequences], model)
    logits = model(input_ids=given, attention_mask=read, decoder_input_ids=decoded, use_cache=False).logits
    targets = torch.tensor([token for _, tail in sequences for token in tail], device=model.device)
    return logits[counted.bool()].float(), targets


def logprobs(model: Any, sequences: Sequence[Sequence_]) -> list[float]:
    """Return the summed log-probability of each tail after what is given, both in tokens."""
    found = [0.0] * len(sequences)
    order = sorted(range(len(sequences)), key=lambda place: tuple(map(len, sequences[place])))
    training = model.training
    model.eval()
    try:
        for places in chunked(order, _BATCH):
            adapt()
            some = [sequences[place] for place in places]
            with torch.inference_mode():
                each = -losses(model, some).double()
            for place, part in zip(places, torch.split(each, [len(tail) for _, tail in some]), strict=True):
                found[place] = float(part.sum())
    finally:
        model.train(training)
    return found


class PairWriter:
    """Writes tails behind prompts: beams or samples, by `generate` of `transformers`."""

    def __init__(
        self, model: Any, tokenizer: Any, *, ends: Collection[int], max_tokens: int, suppressed: Collection[int]
    ) -> None:
        """Choose what tails may be: as `kg.language_model.generation.Writer` has it."""
        self._model = model
        self._tokenizer = tokenizer
        self._end = next(iter(ends))
        self._options = {
            "max_new_tokens": max_tokens,
            "suppress_tokens": sorted({*suppressed} - {self._end}) or None,
            "eos_token_id": self._end,
            "pad_token_id": _pad(model),
        }
        self._nothing = {*suppressed, _pad(model)}

    def greedy(self, prompts: Sequence[Sequence[int]]) -> list[Tail]:
        """Return the tail behind each prompt whose every token is the likeliest."""
        return [tails[0] for tails in self._write(prompts, 1, do_sample=False)]

    def beams(self, prompts: Sequence[Sequence[int]], width: int, *, length_penalty: float = 1.0) -> list[list[Tail]]:
        """Return up to `width` different tails behind each prompt, best first.

        Args:
            prompts: tokens.
            width: number of beams.
            length_penalty: beams are compared by their log-probability over their length to this power.
        """
        return self._write(prompts, width, num_beams=width, do_sample=False, length_penalty=length_penalty)

    def samples(
        self, prompts: Sequence[Sequence[int]], count: int, *, nucleus: float, temperature: float
    ) -> list[list[Tail]]:
        """Return up to `count` different tails drawn behind each prompt; the same call draws the same."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self._write(prompts, count, do_sample=True, top_p=nucleus, temperature=temperature, top_k=0)

    def _write(self, prompts: Sequence[Sequence[int]], count: int, **options: Any) -> list[list[Tail]]:
        found: list[list[Tail]] = []
        for some in chunked(prompts, max(1, _BATCH // count)):
            adapt()
            given, read = _padded(some, self._model)
            with torch.inference_mode():
                rows = self._model.generate(
                    input_ids=given, attention_mask=read, num_return_sequences=count, **self._options, **options
                )
            tails = [self._tail(row[1:]) for row in rows.tolist()]
            found += [list({tail.tokens: tail for tail in of_one}.values()) for of_one in chunked(tails, count)]
        return found

    def _tail(self, row: Sequence[int]) -> Tail:
        ended = self._end in row
        tokens = tuple(row[: list(row).index(self._end)] if ended else row)
        text = self._tokenizer.decode(
            [token for token in tokens if token not in self._nothing], clean_up_tokenization_spaces=False
        )
        return Tail(text.removeprefix(" "), 0.0, tokens, ended, ())


def _pad(model: Any) -> int:
    pad = model.config.get_text_config().pad_token_id
    return 0 if pad is None else int(pad)


def _padded(rows: Sequence[Sequence[int]], model: Any) -> tuple[Tensor, Tensor]:
    """Return rows of tokens as one tensor, (rows, length), and where tokens stand in it."""
    length = max(map(len, rows))
    tokens = torch.full((len(rows), length), _pad(model))
    there = torch.zeros_like(tokens)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = torch.tensor(row)
        there[number, : len(row)] = 1
    return tokens.to(model.device), there.to(model.device)
