"""Sequences packed into trees: what several of them begin with is read once.

The tails of an (event, relation) begin with the same tokens, and so do all relations of an event. Sequences are put
in order and laid out as a forest: each token stands behind its parent, sees its ancestors only, and has its depth for
a position, so that a causal model computes for it what it would compute in a row of its own. The output head is
applied where a tail's token is foretold and nowhere else, once where several tails go on from the same token. Nothing
is approximated: losses, gradients and log-probabilities are those of the plain computation, up to rounding.

Models of `transformers` that take position numbers and a mask of four dimensions can be packed, or one mask for each
kind of layer, full or with a sliding window. Of a model that `peft` wraps, give `get_base_model()`: adapters are in it.
"""

import inspect
import random
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import Any

import numpy as np
import torch
from more_itertools import chunked
from torch import Tensor

from kg.errors import InputError

ROW_TOKENS = (
    512  # of one row of a pack: attention grows with its square, a tenth of the work at 512; a cut row is read twice
)

_FULL, _SLIDING = "full_attention", "sliding_attention"

Sequence_ = tuple[Sequence[int], Sequence[int]]
"""Tokens of what is given, at least one, and of the tail that follows, with its end if it has one."""


@dataclass(frozen=True)
class Pack:
    """Sequences as rows of trees: B rows of L places, N places with a head, T tokens of tails, S sequences.

    Attributes:
        tokens: (B, L), 0 where nothing stands.
        depths: (B, L), how many tokens come before each token in its own sequences.
        visible: (B, L, L), whether a place (second) may look at another one (third).
        heads: (N,), places of the flattened rows from which a token of a tail is foretold.
        sources: (T,), for each token of a tail, from which of the `heads` it is foretold.
        targets: (T,), the tokens of the tails, in the order of the sequences.
        owners: (T,), to which sequence each of them belongs.
        last: (S,), place of the flattened rows of each sequence's last token that is read: the last but one of its
            tail, or the last of what is given if it has no tail.
        sequences: S.
    """

    tokens: Tensor
    depths: Tensor
    visible: Tensor
    heads: Tensor
    sources: Tensor
    targets: Tensor
    owners: Tensor
    last: Tensor
    sequences: int

    def to(self, device: torch.device) -> "Pack":
        """Return the same pack on another device."""
        moved: dict[str, Any] = {
            name: part.to(device) if isinstance(part, Tensor) else part for name, part in vars(self).items()
        }
        return Pack(**moved)


def pack(sequences: Sequence[Sequence_], row_tokens: int = ROW_TOKENS) -> Pack:
    """Lay sequences out as trees.

    Args:
        sequences: what is given, and the tail. Equal ones may come more than once.
        row_tokens: about how long a row becomes; a row may be longer by a few sequences.

    Raises:
        ValueError: no sequence, or one where nothing is given.
    """
    if not sequences or not all(given for given, _ in sequences):
        raise ValueError("each sequence begins with at least one token, and there is at least one sequence")
    read = [(*given, *tail[:-1]) for given, tail in sequences]
    order = sorted(range(len(read)), key=read.__getitem__)
    total = len(read[order[0]]) + sum(
        len(read[right]) - _common(read[left], read[right]) for left, right in pairwise(order)
    )
    most = -(-total // row_tokens)  # rows, of nearly the same length, so that little is left empty
    total += (most - 1) * sum(map(len, read)) // len(read)  # a new row reads again what its first sequence shares
    rows: list[list[tuple[int, int, int]]] = [[]]  # (token, its parent's place in the row or -1, its depth)
    paths: dict[int, tuple[int, list[int]]] = {}  # sequence: its row, and the places of its tokens
    path: list[int] = []
    before: tuple[int, ...] = ()
    for number in order:
        if len(rows[-1]) * most >= total and len(rows) < most:
            rows.append([])
            before, path = (), []
        row, tokens = rows[-1], read[number]
        shared = _common(before, tokens)
        before, path = tokens, path[:shared]
        for depth in range(shared, len(tokens)):
            row.append((tokens[depth], path[-1] if path else -1, depth))
            path.append(len(row) - 1)
        paths[number] = len(rows) - 1, path
    return _laid_out(sequences, rows, paths)


def packs(
    sequences: Sequence[Sequence_], pack_tokens: int, row_tokens: int = ROW_TOKENS
) -> Iterator[tuple[Pack, list[int]]]:
    """Yield packs of about `pack_tokens` places and the numbers of their sequences, alike ones together."""
    read = [(*given, *tail[:-1]) for given, tail in sequences]
    some: list[int] = []
    size = 0
    before: tuple[int, ...] = ()
    for number in sorted(range(len(read)), key=read.__getitem__):
        size += len(read[number]) - _common(before, read[number])
        before = read[number]
        some.append(number)
        if size >= pack_tokens:
            yield pack([sequences[one] for one in some], row_tokens), some
            some, size, before = [], 0, ()
    if some:
        yield pack([sequences[one] for one in some], row_tokens), some


def batches(
    sequences: Sequence[Sequence_], events: Sequence[Hashable], pairs: int, relations: int, seed: int
) -> list[list[int]]:
    """Return one epoch: all sequences in shuffled batches, the tails of an (event, relation) never parted.

    Args:
        sequences: what is given, and the tail; those with the same given tokens are one pair.
        events: the event of each sequence.
        pairs: (event, relation) pairs in a batch.
        relations: how many pairs of the same event stand together: 1 draws pairs one by one, more read an event
            fewer times, but make a batch less varied.
        seed: of the order.
    """
    rng = random.Random(seed)  # noqa: S311 - an order, no secret
    first: dict[Hashable, int] = {}
    codes = np.fromiter((first.setdefault(event, len(first)) for event in events), np.int64, len(sequences))
    members, ends, counts = array("l"), array("l", [0]), array("l")  # of groups, of which there are many
    for _, numbers in groupby(np.argsort(codes, kind="stable").tolist(), key=codes.__getitem__):
        by_pair: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for number in numbers:
            by_pair[tuple(sequences[number][0])].append(number)
        of_event = list(by_pair.values())
        rng.shuffle(of_event)
        for group in chunked(of_event, relations):
            members.extend(chain.from_iterable(group))
            ends.append(len(members))
            counts.append(len(group))
    order = list(range(len(counts)))
    rng.shuffle(order)
    done: list[list[int]] = []
    room = 0
    for place in order:
        if room < counts[place]:
            done.append([])
            room = pairs
        done[-1] += members[ends[place] : ends[place + 1]]
        room -= counts[place]
    return done


def losses(model: Any, packed: Pack) -> Tensor:
    """Return the negative log-likelihood of every token of the tails: (T,), in the order of `packed.targets`.

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    return _losses(head_logits(model, packed), packed)


def losses_and_states(model: Any, packed: Pack, layer: int) -> tuple[Tensor, Tensor]:
    """Return the losses, and what a layer makes of each tail.

    Args:
        model: a causal language model.
        packed: sequences, all with a tail.
        layer: how many of the model's layers have been passed; 0 are the embeddings.

    Returns:
        What `losses` returns, and (S, width) the mean of the layer's states over the places from which the tokens of a
        tail are foretold: those of what is given last, and of the tail but its last token.

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    answer = _answer(model, packed, output_hidden_states=True)
    states = answer.hidden_states[layer].flatten(0, 1)[packed.heads][packed.sources].float()  # (T, width)
    summed = states.new_zeros(packed.sequences, states.shape[1]).index_add(0, packed.owners, states)
    lengths = torch.bincount(packed.owners, minlength=packed.sequences)
    return _losses(answer.logits[0], packed), summed / lengths[:, None]


def tail_loss(model: Any, packed: Pack, *, by_triple: bool = False) -> Tensor:
    """Return the mean negative log-likelihood, over all tokens of the tails, or as the mean of the sequences' means.

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    each = losses(model, packed)
    if not by_triple:
        return each.mean()
    lengths = torch.bincount(packed.owners, minlength=packed.sequences)
    return (each / lengths[packed.owners]).sum() / (lengths > 0).sum()


def sums(packed: Pack, each: Tensor) -> Tensor:
    """Return what belongs to each sequence of a figure for each token of the tails: (T,) to (S,)."""
    return each.new_zeros(packed.sequences).index_add(0, packed.owners, each)


def head_logits(model: Any, packed: Pack) -> Tensor:
    """Return the logits where tokens of tails are foretold: (N, V).

    Raises:
        InputError: a model whose layers cannot be packed.
    """
    logits: Tensor = _answer(model, packed).logits[0]
    return logits


def attention(model: Any, visible: Tensor, asking: Tensor, asked: Tensor) -> Any:
    """Return the mask that a model takes: one of four dimensions, or one for each kind of its layers.

    Args:
        model: a causal language model.
        visible: (B, Q, K), whether a token that asks descends from one that is asked, or is the same.
        asking: (B, Q), their depths.
        asked: (B, K), their depths.

    Raises:
        InputError: a model with layers of another kind, or without position numbers.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if "position_ids" not in inspect.signature(model.forward).parameters or kinds - {_FULL, _SLIDING}:
        raise InputError(f"a {config.model_type} model cannot read sequences packed into trees")
    window = getattr(config, "sliding_window", None)
    dtype = model.get_input_embeddings().weight.dtype
    full = _additive(visible, dtype)
    if window is None or (_SLIDING not in kinds and kinds):
        return dict.fromkeys(kinds, full) if kinds else full
    near = visible & (asking[..., :, None] - asked[..., None, :] < window)
    sliding = full if torch.equal(near, visible) else _additive(near, dtype)
    return {kind: sliding if kind == _SLIDING else full for kind in kinds} or sliding


@contextmanager
def head_at(model: Any, places: Tensor) -> Iterator[None]:
    """Apply the output head of a model to some places of its flattened rows only: its logits become (1, N, V)."""
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0].flatten(0, 1)[places].unsqueeze(0),))
    try:
        yield
    finally:
        hook.remove()


def _answer(model: Any, packed: Pack, **more: bool) -> Any:
    """Return what a model says of a pack; its logits are (1, N, V)."""
    masks = attention(model, packed.visible, packed.depths, packed.depths)
    with head_at(model, packed.heads):
        return model(
            input_ids=packed.tokens, attention_mask=masks, position_ids=packed.depths, use_cache=False,
            return_dict=True, **more,
        )  # fmt: skip


def _losses(logits: Tensor, packed: Pack) -> Tensor:
    logits = logits.float()  # (N, V)
    return logits.logsumexp(-1)[packed.sources] - logits[packed.sources, packed.targets]


def _additive(visible: Tensor, dtype: torch.dtype) -> Tensor:
    mask = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min).unsqueeze(1)  # (B, 1, Q, K)


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with in common."""
    most = min(len(left), len(right))
    return next((place for place in range(most) if left[place] != right[place]), most)


def _laid_out(
    sequences: Sequence[Sequence_],
    rows: list[list[tuple[int, int, int]]],
    paths: dict[int, tuple[int, list[int]]],
) -> Pack:
    length = max(map(len, rows))
    tokens = np.zeros((len(rows), length), dtype=np.int64)
    depths = np.zeros_like(tokens)
    visible = np.zeros((len(rows), length, length), dtype=bool)
    visible[:, range(length), range(length)] = True  # also where nothing stands, for a softmax over nothing is not one
    for number, row in enumerate(rows):
        for place, (token, parent, depth) in enumerate(row):
            tokens[number, place], depths[number, place] = token, depth
            if parent >= 0:
                visible[number, place] |= visible[number, parent]
    heads: dict[int, int] = {}
    sources, targets, owners, last = [], [], [], []
    for number, (given, tail) in enumerate(sequences):
        row_number, path = paths[number]
        start = row_number * length
        last.append(start + path[-1])
        for place, target in enumerate(tail, len(given) - 1):
            sources.append(heads.setdefault(start + path[place], len(heads)))
            targets.append(target)
            owners.append(number)
    return Pack(
        tokens=torch.from_numpy(tokens),
        depths=torch.from_numpy(depths),
        visible=torch.from_numpy(visible),
        heads=_numbers(heads),
        sources=_numbers(sources),
        targets=_numbers(targets),
        owners=_numbers(owners),
        last=_numbers(last),
        sequences=len(sequences),
    )


def _numbers(numbers: Iterable[int]) -> Tensor:
    return torch.tensor(list(numbers), dtype=torch.long)
