"""Masked language models: how likely some tokens of a sentence are, each guessed while others are still hidden.

The greedy pseudo-likelihood of Davison et al. 2019: all tokens that are asked for are hidden; the one that the model is
surest of is shown, and its log-probability counted; then the next one, knowing the first, until all are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kg.errors import InputError
from kg.pretrained import open_model, open_tokenizer, without_bars
from kg.threads import adapt

_PURPOSE = "masked language model"
_BATCH_TOKENS = 4_096  # of one pass at most, padding included
_LOGITS = 2**26  # numbers of one pass at most


class Hidden(NamedTuple):
    """A sentence of which some tokens are hidden.

    Attributes:
        tokens: of the whole sentence.
        hidden: places of tokens that the model does not see at first.
        asked: places among `hidden` that are guessed; the others stay hidden.
    """

    tokens: tuple[int, ...]
    hidden: tuple[int, ...]
    asked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MaskedModel:
    """An opened model, its tokenizer, and its name as it was asked for."""

    model: Any
    tokenizer: Any
    name: str


def is_masked(name: str) -> bool:
    """Tell whether a model is a masked one, by what its configuration says it was made as.

    Args:
        name: a folder, or a name on the Hugging Face hub.

    Raises:
        InputError: there is no such model.
    """
    import transformers  # noqa: PLC0415 - takes seconds

    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"no language model at {name[:200]!r}: {' '.join(str(error).split())[:200]}") from error
    made = [str(one) for one in config.architectures or ()]
    if any("CausalLM" in one or "LMHead" in one for one in made):
        return False
    masked = transformers.models.auto.modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return any("MaskedLM" in one for one in made) or config.model_type in masked


def open_masked_model(name: str) -> MaskedModel:
    """Open a masked language model, the whole of it or not at all.

    Raises:
        InputError: there is none, weights are missing, or its tokenizer has no token for a mask.
    """
    with without_bars():
        model = open_model("AutoModelForMaskedLM", name, _PURPOSE, dtype=torch.float32)
        tokenizer = open_tokenizer(name, name)
    if None in (tokenizer.mask_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id):
        raise InputError(f"{name} is no {_PURPOSE}: its tokenizer has no token for a mask, or for a sentence's ends")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise InputError(f"{name} is no {_PURPOSE}: its tokenizer has more tokens than the model")
    return MaskedModel(model, tokenizer, name)


def pseudo_likelihoods(opened: MaskedModel, sentences: Sequence[Hidden]) -> list[float]:
    """Return the summed log-probability of the tokens asked for in each sentence; 0 where none is.

    Args:
        opened: the model.
        sentences: with at least one token each, special ones at their ends included.
    """
    totals = [0.0] * len(sentences)
    size = min(_BATCH_TOKENS, _LOGITS // opened.model.config.get_text_config().vocab_size)
    asked = (number for number, one in enumerate(sentences) if one.asked)
    order = sorted(asked, key=lambda number: -len(sentences[number].tokens))
    while order:
        count = max(1, size // len(sentences[order[0]].tokens))  # the longest comes first
        some, order = order[:count], order[count:]
        for number, total in zip(some, _totals(opened, [sentences[number] for number in some]), strict=True):
            totals[number] = total
    return totals


def _totals(opened: MaskedModel, sentences: Sequence[Hidden]) -> list[float]:
    """Guess one token a pass in each sentence, until none is left."""
    length = max(len(one.tokens) for one in sentences)
    gold = torch.zeros((len(sentences), length), dtype=torch.long)  # (S, L)
    mask = torch.zeros_like(gold)
    left = torch.zeros_like(gold, dtype=torch.bool)
    hidden = torch.zeros_like(left)
    for row, one in enumerate(sentences):
        gold[row, : len(one.tokens)] = torch.tensor(one.tokens)
        mask[row, : len(one.tokens)] = 1
        hidden[row, list(one.hidden)] = True
        left[row, list(one.asked)] = True
    totals = torch.zeros(len(sentences), dtype=torch.float64)
    while (active := left.any(dim=1).nonzero().squeeze(1)).numel():
        adapt()
        shown = gold[active].masked_fill(hidden[active], opened.tokenizer.mask_token_id)
        found = _logprobs(opened.model, shown, mask[active], gold[active], left[active])
        best, place = found.max(dim=1)
        totals[active] += best
        left[active, place] = False
        hidden[active, place] = False
    return [float(total) for total in totals]


def _logprobs(model: Any, shown: Tensor, mask: Tensor, gold: Tensor, left: Tensor) -> Tensor:
    """Return the log-probability of each token that is left to guess, minus infinity elsewhere: (S, L)."""
    with torch.inference_mode():
        logits = model(input_ids=shown.to(model.device), attention_mask=mask.to(model.device)).logits
    rows, places = left.nonzero(as_tuple=True)
    asked = logits[rows, places].double().log_softmax(-1).gather(1, gold[rows, places].to(model.device)[:, None])
    found = torch.full(left.shape, -torch.inf, dtype=torch.float64)
    found[rows, places] = asked.squeeze(1).cpu()
    return found
