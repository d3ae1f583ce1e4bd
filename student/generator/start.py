"""What the training of a generator starts from: a pre-trained model with updates of low rank, or a small new one.

A pre-trained base is taken in words, its vocabulary cut to what is needed (`kg.language_model.trimming`), and updates
of low rank of its layers are trained (LoRA, Hu et al. 2022): at equal time as good as training all weights.
"""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

from kg.errors import InputError
from kg.language_model import packing
from kg.language_model.opening import open_language_model
from kg.language_model.packing import Sequence_
from kg.language_model.precision import fast_dtype
from kg.language_model.trimming import trim
from kg.model import Triple
from student.generator.tokens import MAX_EVENT_TOKENS, MAX_TAIL_TOKENS, Codec

LAYERS, WIDTH, HEADS = 3, 256, 4  # what two cores can train in minutes, from scratch
LONGEST_ROW = MAX_EVENT_TOKENS + MAX_TAIL_TOKENS + 32  # the phrase of a relation has some words
LARGE_VOCABULARY = 50_000  # tokens from which on a base's vocabulary is cut
_RANK = 16  # of the updates
_PROBES = ("to go home and rest", "glad that it is over")


class Start(NamedTuple):
    """What a training starts from.

    Attributes:
        model: on the CPU; the weights to be trained are those that require a gradient.
        codec: its texts to tokens and back.
        digest: of what a base was read from.
        derived_from: as `kg.language_model.terms` has it.
    """

    model: Any
    codec: Codec
    digest: str = ""
    derived_from: str | None = None


def fresh(triples: Sequence[Triple], relations: Sequence[str]) -> Start:
    """Return a small model without any training."""
    codec = Codec.fit(dict.fromkeys(text for triple in triples for text in (triple.head, triple.tail)), relations)
    config = GPT2Config(
        vocab_size=len(codec),
        n_positions=LONGEST_ROW,
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        bos_token_id=codec.end,
        eos_token_id=codec.end,
    )
    return Start(GPT2LMHeadModel(config), codec)


def opened(base: str, triples: Sequence[Triple], relations: Sequence[str], phrases: Mapping[str, str]) -> Start:
    """Return the pre-trained model at `base`, to be updated in low rank.

    Raises:
        InputError: the model is not whole, no causal language model, reads too few tokens, has no token for an end, or
            cannot be packed.
        NotReady: it is the language model from pip, which is not installed.
    """
    found = open_language_model(base)
    model, tokenizer = found.model, found.tokenizer
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer at {base!r} has no token for the end of a text")
    codec = Codec(tokenizer, relations, {name: phrases[name].strip() or name for name in relations})
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or codec.longest
    if positions < codec.longest:
        raise InputError(f"the model at {base!r} reads {positions} tokens; a generator needs {codec.longest}")
    if len(tokenizer) > LARGE_VOCABULARY:
        heads = {codec.prompt(triple.head, triple.relation) for triple in triples}
        with suppress(InputError):  # of another kind of tokenizer all is kept
            trimmed = trim(model, tokenizer, sorted(heads | {f" {triple.tail}" for triple in triples}))
            codec = Codec(trimmed, relations, codec.phrases)
    model.generation_config = GenerationConfig(
        bos_token_id=codec.tokenizer.bos_token_id, eos_token_id=codec.end, pad_token_id=codec.tokenizer.pad_token_id
    )
    try:
        _check_packing(model, codec, triples[0])
        return Start(_updated(model), codec, found.digest, found.derived_from)
    except InputError as error:
        raise InputError(f"{base} cannot be trained here: {error}") from error
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise InputError(f"{base} cannot be trained here: {' '.join(str(error).split())[:200]}") from error


def _check_packing(model: Any, codec: Codec, triple: Triple) -> None:
    """Make sure that a model reads two tails in one row as it reads each alone; some look at places, whatever the mask.

    Raises:
        InputError: it does not.
    """
    given = codec.given(triple.head, triple.relation)
    sequences = [(given, codec.tail(text)) for text in _PROBES]
    with torch.inference_mode():
        packed = tail_losses(model, sequences)
        alone = []
        for start, tail in sequences:
            logits = model(input_ids=torch.tensor([[*start, *tail]])).logits[0, len(start) - 1 : -1].float()
            alone.append(torch.nn.functional.cross_entropy(logits, torch.tensor(tail), reduction="none"))
    if not torch.allclose(packed, torch.cat(alone), rtol=1e-3, atol=1e-3):
        raise InputError("it does not read texts that share a row as it reads each alone")


def _updated(model: Any) -> Any:
    """Return a model with updates of low rank in all of its layers, which alone are to be trained."""
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - takes seconds

    settings = LoraConfig(r=_RANK, lora_alpha=2 * _RANK, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out|.is_gradient_checkpointing")  # nothing for users
        return get_peft_model(model.to(fast_dtype()), settings, autocast_adapter_dtype=False)


def tail_losses(model: Any, sequences: Sequence[Sequence_]) -> Tensor:
    """Return the negative log-likelihood of every token of the tails, (tokens,)."""
    return packing.losses(model, packing.pack(sequences).to(model.device))
