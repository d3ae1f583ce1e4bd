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
from kg.language_model.precision import training_dtype
from kg.language_model.trimming import trim
from kg.languages import behind
from kg.model import Triple
from student.generator import pairwise
from student.generator.forms import NATURAL, Form, add_tokens, form_named
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


def fresh(
    triples: Sequence[Triple],
    relations: Sequence[str],
    phrases: Mapping[str, str] | None = None,
    form: str | None = None,
) -> Start:
    """Return a small model without any training.

    Args:
        triples: whose words it will have tokens for.
        relations: that can be asked for.
        phrases: their words; of the natural form alone.
        form: in which it is asked; None is by tokens.
    """
    texts = dict.fromkeys(text for triple in triples for text in (triple.head, triple.tail))
    if form == NATURAL:
        words = {name: (phrases or {}).get(name, "").strip() or name for name in relations}
        codec = Codec.fit(texts, relations, words)
    else:
        codec = Codec.fit(texts, relations, form=form)
    config = GPT2Config(
        vocab_size=len(codec),
        n_positions=max(LONGEST_ROW, codec.longest),
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        bos_token_id=codec.end,
        eos_token_id=codec.end,
    )
    return Start(GPT2LMHeadModel(config), codec)


def opened(
    base: str,
    triples: Sequence[Triple],
    relations: Sequence[str],
    phrases: Mapping[str, str],
    form: str | None = None,
) -> Start:
    """Return the pre-trained model at `base`, to be updated in low rank; an encoder with a decoder, too.

    Args:
        base: a folder, a name on a hub, or the model from pip.
        triples: whose words are kept of a large vocabulary.
        relations: that can be asked for.
        phrases: their words.
        form: in which it is asked; None is in words. The rows of special tokens that a form adds are trained.

    Raises:
        InputError: the model is not whole, no causal language model, reads too few tokens, has no token for an end, or
            cannot be packed.
        NotReady: it is the language model from pip, which is not installed.
    """
    found = open_language_model(base, pairs=True)
    model, tokenizer = found.model, found.tokenizer
    is_pair = bool(model.config.is_encoder_decoder)
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer at {base!r} has no token for the end of a text")
    codec = Codec(tokenizer, relations, {name: phrases[name].strip() or name for name in relations})
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or codec.longest
    if positions < codec.longest:
        raise InputError(f"the model at {base!r} reads {positions} tokens; a generator needs {codec.longest}")
    if len(tokenizer) > LARGE_VOCABULARY and not is_pair:
        heads = {codec.prompt(triple.head, triple.relation) for triple in triples}
        with suppress(InputError):  # of another kind of tokenizer all is kept
            trimmed = trim(model, tokenizer, sorted(heads | {behind(triple.tail) for triple in triples}))
            codec = Codec(trimmed, relations, codec.phrases)
    added: list[int] = []
    if published := form_named(form):
        added = _add_tokens(model, codec, published)
        codec = Codec(codec.tokenizer, relations, {}, form)
    model.generation_config = GenerationConfig(
        bos_token_id=codec.tokenizer.bos_token_id,
        eos_token_id=codec.end,
        pad_token_id=codec.tokenizer.pad_token_id,
        **({"decoder_start_token_id": pairwise.first_token(model)} if is_pair else {}),
    )
    try:
        if not is_pair:
            _check_packing(model, codec, triples[0])
        return Start(_updated(model, added), codec, found.digest, found.derived_from)
    except InputError as error:
        raise InputError(f"{base} cannot be trained here: {error}") from error
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise InputError(f"{base} cannot be trained here: {' '.join(str(error).split())[:200]}") from error


def _add_tokens(model: Any, codec: Codec, form: Form) -> list[int]:
    """Give tokenizer and model the special tokens of a form; return the rows that are new.

    A relation's token begins as the mean of its phrase's, any other one as the mean of all.
    """
    tokenizer = codec.tokenizer
    new = add_tokens(tokenizer, form, codec.relations, keeps_end=bool(model.config.is_encoder_decoder))
    numbers = tokenizer.convert_tokens_to_ids(new)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    words = {form.mark.format(name): codec.phrases[name] for name in codec.relations} if form.mark else {}
    with torch.no_grad():
        for part in (model.get_input_embeddings(), model.get_output_embeddings()):
            before = part.weight[:rows].clone()
            for name, number in zip(new, numbers, strict=True):
                known = tokenizer(words[name], add_special_tokens=False)["input_ids"] if name in words else []
                part.weight[number] = (before[known] if known else before).mean(0)
    model.config.get_text_config().eos_token_id = tokenizer.eos_token_id
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return list(numbers)


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


def _updated(model: Any, rows: Sequence[int] = ()) -> Any:
    """Return a model with updates of low rank in all of its layers, which alone are to be trained.

    Args:
        model: the one to be updated.
        rows: of its embeddings that are trained, too, as they stand for tokens that are new.
    """
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - takes seconds

    settings = LoraConfig(r=_RANK, lora_alpha=2 * _RANK, target_modules="all-linear")
    if rows:
        settings.trainable_token_indices = list(rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out|.is_gradient_checkpointing")  # nothing for users
        dtype = training_dtype(model.config.get_text_config().model_type)
        return get_peft_model(model.to(dtype), settings, autocast_adapter_dtype=False)


def tail_losses(model: Any, sequences: Sequence[Sequence_]) -> Tensor:
    """Return the negative log-likelihood of every token of the tails, (tokens,), in the order of the sequences."""
    if model.config.is_encoder_decoder:
        return pairwise.losses(model, sequences)
    return packing.losses(model, packing.pack(sequences).to(model.device))
