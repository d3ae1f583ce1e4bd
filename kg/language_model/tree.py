"""A tree of tokens that grows while a language model reads it: what prompts and tails share is read and kept once.

Every token stands in one row with its parent before it, sees its ancestors only, and leaves keys and values behind.
A beam that goes on from another one is a leaf with another parent: nothing is copied or put in order again, and a
prompt is there once for all its beams, an event once for all its relations. Prompts may be added at any time, and what
no leaf descends from is forgotten.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from kg.language_model.packing import attention, head_at, pack

_PRUNE_AT = 0.75  # forget dead tokens when fewer than this share of all are alive: it costs a copy

Trunk = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (1, heads, tokens, width), of what all prompts begin with."""


class Tree:
    """Tokens as far as they are read, and the leaves from which they go on.

    Attributes:
        model: a causal language model of `transformers`.
    """

    def __init__(self, model: Any, trunk: Trunk = []) -> None:  # noqa: B006 - never changed
        self.model = model
        self._cache = DynamicCache()  # without the model's configuration: no layer forgets by itself
        for layer, (keys, values) in enumerate(trunk):
            self._cache.update(keys, values, layer)
        self._trunk = trunk[0][0].shape[2] if trunk else 0
        self._depths = torch.arange(self._trunk, device=model.device)
        self._lines = torch.zeros(0, self._trunk, dtype=torch.bool, device=model.device)  # leaf x token: descends from
        self._cache_name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"

    @property
    def leaves(self) -> int:
        """How many leaves there are; they are numbered from 0."""
        return len(self._lines)

    def plant(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts, put their last tokens behind the leaves that are there, and return what follows: (S, V).

        Raises:
            InputError: a model whose layers cannot be packed.
            ValueError: a prompt without tokens.
        """
        packed = pack([(prompt, ()) for prompt in prompts], sys.maxsize).to(self.model.device)
        tokens = packed.tokens[0]  # (P,)
        before = torch.zeros(len(tokens), len(self._depths), dtype=torch.bool, device=self.model.device)
        before[:, : self._trunk] = True
        visible = torch.cat([before, packed.visible[0]], dim=1)  # (P, N + P)
        logits = self._read(tokens, visible, packed.depths[0] + self._trunk, packed.last)
        self._lines = torch.cat([torch.nn.functional.pad(self._lines, (0, len(tokens))), visible[packed.last]])
        return logits

    def grow(self, parents: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Go on from leaves by one token each, and return what follows: (Q, V).

        The new tokens are the leaves from now on, in their order; a leaf may have several children, or none.
        """
        lines = self._lines[torch.tensor(parents, device=self.model.device)]  # (Q, N)
        own = torch.eye(len(tokens), dtype=torch.bool, device=self.model.device)
        visible = torch.cat([lines, own], dim=1)
        everything = torch.arange(len(tokens), device=self.model.device)
        logits = self._read(torch.tensor(tokens, device=self.model.device), visible, lines.sum(1), everything)
        self._lines = visible
        self._prune()
        return logits

    def trunk(self) -> Trunk:
        """Return the keys and values of everything that was read, for other trees to begin with."""
        return [(layer.keys, layer.values) for layer in self._cache.layers]

    def _read(self, tokens: Tensor, visible: Tensor, depths: Tensor, heads: Tensor) -> Tensor:
        self._depths = torch.cat([self._depths, depths])
        masks = attention(self.model, visible[None], depths[None], self._depths[None])
        with head_at(self.model, heads):
            answer = self.model(
                input_ids=tokens[None],
                attention_mask=masks,
                position_ids=depths[None],
                use_cache=True,
                return_dict=True,
                **{self._cache_name: self._cache},
            )
        logits: Tensor = answer.logits[0].float()
        return logits

    def _prune(self) -> None:
        alive = self._lines.any(0)
        alive[: self._trunk] = True
        kept = alive.nonzero().squeeze(1)
        if len(kept) >= _PRUNE_AT * len(alive):
            return
        self._depths, self._lines = self._depths[kept], self._lines[:, kept]
        for layer in self._cache.layers:
            layer.keys, layer.values = layer.keys[:, :, kept], layer.values[:, :, kept]


@contextmanager
def cut_head(model: Any, allowed: Iterable[int] | None) -> Iterator[list[int] | None]:
    """Let a model foretell only some tokens for a while; its logits are theirs, in the order that is yielded.

    Args:
        model: a causal language model.
        allowed: numbers of tokens; None leaves the model as it is, and None is yielded.
    """
    if allowed is None:
        yield None
        return
    kept = sorted(set(allowed))
    head = model.get_output_embeddings()
    rows = torch.tensor(kept, device=head.weight.device)
    cut = torch.nn.Linear(head.in_features, len(kept), bias=head.bias is not None, device="meta")
    cut.weight = torch.nn.Parameter(head.weight.detach()[rows], requires_grad=False)
    if head.bias is not None:
        cut.bias = torch.nn.Parameter(head.bias.detach()[rows], requires_grad=False)
    model.set_output_embeddings(cut)
    try:
        yield kept
    finally:
        model.set_output_embeddings(head)
