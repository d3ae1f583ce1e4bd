"""The likeliest tokens of many, and tokens drawn at random, without sorting a whole vocabulary."""

from collections.abc import Sequence

import torch
from torch import Tensor

_BLOCK = 64  # of tokens whose largest number is looked at first
_LIKELY = 512  # tokens of a nucleus that are looked for first; eight times as many where it is larger


def largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the largest numbers of each row and their places, largest first: (n, m) to (n, count), twice.

    The largest lie in the blocks with the largest maxima; to look only there is much faster than to sort all.
    """
    rows, columns = scores.shape
    blocks = -(-columns // _BLOCK)
    if blocks <= count:
        return scores.topk(min(count, columns))
    padded = torch.nn.functional.pad(scores, (0, blocks * _BLOCK - columns), value=-torch.inf).view(
        rows, blocks, _BLOCK
    )
    best = padded.amax(-1).topk(count).indices.sort().values  # (n, count)
    inside = padded.gather(1, best[..., None].expand(-1, -1, _BLOCK))  # (n, count, block)
    values, places = inside.flatten(1).topk(count)
    found = best.gather(1, places // _BLOCK) * _BLOCK + places % _BLOCK
    return values, found.clamp_max(columns - 1)  # of rows with less than `count` numbers above minus infinity


def draw(scores: Tensor, temperature: float, nucleus: float, chances: Sequence[float], likely: int = _LIKELY) -> Tensor:
    """Return a token drawn from each row of log-probabilities by a number from 0 to 1: (n, m) to (n,)."""
    scores = (scores / temperature).log_softmax(-1)
    values, places = largest(scores, min(likely, scores.shape[1]))
    shares = values.double().exp()
    before = shares.cumsum(-1) - shares
    lacking = (before[:, -1] < nucleus) & (shares.shape[1] < scores.shape[1])  # the nucleus goes on below
    shares = shares.masked_fill(before >= nucleus, 0.0)
    shares[:, 0] = shares[:, 0].clamp_min(torch.finfo(shares.dtype).tiny)  # the likeliest, even of an empty nucleus
    summed = shares.cumsum(-1)
    chance = torch.tensor(chances, dtype=torch.float64, device=scores.device)[:, None]
    found = torch.searchsorted(summed, chance * summed[:, -1:], right=True)
    drawn = places.gather(1, found.clamp_max((shares > 0).sum(-1, keepdim=True) - 1)).squeeze(1)
    if lacking.any():
        rows = lacking.nonzero().squeeze(1)
        more = [chances[row] for row in rows.tolist()]
        drawn[rows] = draw(scores[rows], 1.0, nucleus, more, 8 * likely)
    return drawn
