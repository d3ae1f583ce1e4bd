"""Reading texts with a model that has a classification head: batches of equal length, and weights of eight bits.

Texts stand in batches with texts of exactly their own number of tokens. So nothing is padded, and a logit does not
depend on what is read beside, beyond rounding. With weights of eight bits a model reads about four times as fast on a
CPU with instructions for that, and twice as fast on an older one; logits move a little then, also with the batch.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from torch import Tensor, nn

from kg.threads import adapt

Inputs = dict[str, list[int]]
"""Of one text: `input_ids`, and `token_type_ids` where the model asks for them."""

BATCH_TOKENS = 1_024  # of one pass without gradients


def batches(texts: Sequence[Inputs], size: int) -> list[list[int]]:
    """Return rows of texts of equal length, shortest first, at most `size` tokens or one text a batch."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        by_length[len(text["input_ids"])].append(row)
    return [
        batch for length, rows in sorted(by_length.items()) for batch in chunked(rows, max(1, size // max(1, length)))
    ]


def logits(model: Any, texts: Sequence[Inputs]) -> Tensor:
    """Return the logits of texts of one length: (n,)."""
    found: Tensor = model(**{name: torch.tensor([text[name] for text in texts]) for name in texts[0]}).logits[:, 0]
    return found


def read(model: Any, texts: Sequence[Inputs]) -> NDArray[np.float64]:
    """Return the logit of each text, (n,), in the order of the texts."""
    found = np.empty(len(texts))
    for batch in batches(texts, BATCH_TOKENS):
        adapt()
        with torch.inference_mode():
            found[batch] = logits(model, [texts[row] for row in batch]).double().numpy()
    return found


def eight_bit(model: Any) -> Any:
    """Return a copy of a model whose linear layers have weights of eight bits, one scale for each output.

    The lowest layer stays whole, since what it loses is lost to all above it.
    """
    from torch.ao import quantization  # noqa: PLC0415 - takes a second

    found: Any = quantization  # its functions have no types
    by_channel = found.PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    settings = found.QConfig(activation=found.default_dynamic_quant_observer, weight=by_channel)
    layers = next((one for one in model.modules() if isinstance(one, nn.ModuleList)), nn.ModuleList())
    whole = {part for layer in layers[:1] for part in layer.modules()}
    names = {name: settings for name, one in model.named_modules() if isinstance(one, nn.Linear) and one not in whole}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is to move to a package of its own
        return found.quantize_dynamic(model, names, torch.qint8)


class Lower:
    """The lower layers of a model, which say the same of a text each time, and so are asked once.

    Attributes:
        states: text, as a tuple of its tokens, to what the highest of these layers says of it: (tokens, width).
    """

    def __init__(self, model: Any, layers: nn.ModuleList, count: int) -> None:
        """Choose the layers: the `count` lowest, none where that is 0."""
        self.states: dict[tuple[int, ...], Tensor] = {}
        self._model, self._layers, self._count = model, layers, count
        self._has_tuple = False

    def learn(self, texts: Sequence[Inputs]) -> None:
        """Ask the layers about those of the texts that are new."""
        new = list({key: text for text in texts if (key := tuple(text["input_ids"])) not in self.states}.values())
        if not self._count or not new:
            return
        seen: list[Tensor] = []

        def stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._has_tuple = isinstance(output, tuple)
            seen.append(output[0] if self._has_tuple else output)
            raise _SeenError

        hook = self._layers[self._count - 1].register_forward_hook(stop)
        try:
            for batch in batches(new, BATCH_TOKENS):
                adapt()
                try:
                    with torch.no_grad():
                        logits(self._model, [new[row] for row in batch])
                except _SeenError:
                    for row, states in zip(batch, seen.pop(), strict=True):
                        self.states[tuple(new[row]["input_ids"])] = states.clone()
        finally:
            hook.remove()

    @contextmanager
    def instead(self) -> Iterator[Any]:
        """Let a model be asked without its lower layers for a while; yield a function from texts to logits."""
        lower = list(self._layers[: self._count])
        place = _Place()
        for number, layer in enumerate(lower):
            self._layers[number] = _Remembered(place, layer, has_tuple=self._has_tuple)

        def ask(texts: Sequence[Inputs]) -> Tensor:
            if lower:
                place.states = torch.stack([self.states[tuple(text["input_ids"])] for text in texts])
            return logits(self._model, texts)

        try:
            yield ask
        finally:
            for number, layer in enumerate(lower):
                self._layers[number] = layer


class _SeenError(Exception):
    """The highest of the lower layers has spoken; the rest of the model need not."""


class _Place:
    """Where the states of the texts that are asked about stand."""

    states: Tensor


class _Remembered(nn.Module):
    """Says what a layer said."""

    def __init__(self, place: _Place, layer: nn.Module, *, has_tuple: bool) -> None:
        super().__init__()
        self._place, self._has_tuple = place, has_tuple
        if hasattr(layer, "attention_type"):  # which some models read
            self.attention_type = layer.attention_type

    def forward(self, *_given: Any, **_options: Any) -> Any:
        return (self._place.states,) if self._has_tuple else self._place.states
