"""Pre-trained models of others: opened whole or not at all.

Where a checkpoint lacks weights, `transformers` makes them up and says so in a log. Here that is an error, as is a
checkpoint that is a pickle or brings code of its own.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kg.errors import InputError

PAIR = "AutoModelForSeq2SeqLM"
"""The class of `transformers` that opens an encoder with a decoder as a language model."""

_PROBE_TOKENS = 6  # of the sequence that shows whether a model looks ahead
_TOLERANCE = 1e-4  # of the largest logit; a causal model computes the same twice, even in half precision


def open_model(
    kind: str, name: str, purpose: str, *, dtype: Any, unneeded: tuple[str, ...] = (), labels: int | None = None
) -> Any:
    """Return a pre-trained model in evaluation mode, all of its weights from a safetensors file.

    Args:
        kind: the class of `transformers` that opens it, such as "AutoModel".
        name: a folder, or a name on the Hugging Face hub.
        purpose: the use of the model, for messages: "sentence encoder".
        dtype: of the weights, a `torch.dtype` or "auto".
        unneeded: beginnings of the names of weights that may be missing, as the purpose has no use for them, or as
            they are to be trained.
        labels: how many logits a head for classification has; an `unneeded` weight of another shape is made anew then.

    Raises:
        InputError: there is none, it has no safetensors file, a weight is missing or of another shape, it is an
            encoder and a decoder, or it needs code of its own.
    """
    import transformers  # noqa: PLC0415 - takes seconds
    from safetensors import SafetensorError  # noqa: PLC0415

    head = {} if labels is None else {"num_labels": labels, "ignore_mismatched_sizes": True}
    try:
        with _quiet():
            config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
            if getattr(config, "is_encoder_decoder", False) and kind != PAIR:
                raise InputError(
                    f"{name} is no {purpose}: it is an encoder and a decoder ({config.model_type}), of which only one "
                    "would be used"
                )
            model, loading = getattr(transformers, kind).from_pretrained(
                name, use_safetensors=True, trust_remote_code=False, dtype=dtype, output_loading_info=True, **head
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise InputError(f"cannot make a {purpose} of {name}: {' '.join(str(error).split())[:200]}") from error
    lacking = {*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])}
    missing = sorted(key for key in lacking if not key.startswith(unneeded))
    if missing:
        raise InputError(
            f"{name} is no {purpose}: {len(missing)} of its weights are missing, the first {missing[0]}; nothing is "
            "trained on, or asked of, weights that are made up"
        )
    return model.eval()


def open_tokenizer(place: str, name: str) -> Any:
    """Return the tokenizer of a pre-trained model.

    Args:
        place: a folder, or a name on the Hugging Face hub.
        name: how the model was called, for messages.

    Raises:
        InputError: there is none, or it is damaged.
    """
    import transformers  # noqa: PLC0415 - takes seconds

    try:
        return transformers.AutoTokenizer.from_pretrained(place, use_fast=True, trust_remote_code=False)
    except Exception as error:  # tokenizers and transformers raise what they like on damaged files
        said = " ".join(str(error).split())[:200]
        raise InputError(f"no tokenizer of a pre-trained model at {name!r}: {said}") from error


def is_pair(name: str) -> bool:
    """Return whether a model, a folder or a name on a hub, is an encoder with a decoder; False where nobody knows."""
    import transformers  # noqa: PLC0415 - takes seconds

    try:
        with _quiet():
            config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError):
        return False  # opening it says why
    return bool(getattr(config, "is_encoder_decoder", False))


def check_causal(model: Any, name: str, purpose: str) -> None:
    """Make sure that a model's output for a token depends on no later token.

    Raises:
        InputError: the output does, as in BERT, or the model cannot be asked like a language model.
    """
    import torch  # noqa: PLC0415 - takes seconds

    tokens = torch.arange(1, _PROBE_TOKENS + 1, device=model.device)[None]  # (1, T)
    other = tokens.clone()
    other[0, -1] = 0
    try:
        with torch.inference_mode(), _quiet():
            before, after = (model(input_ids=ids).logits[0, :-1].float() for ids in (tokens, other))
            looks_ahead = bool((before - after).abs().max() > _TOLERANCE * before.abs().max())
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise InputError(f"{name} is no {purpose}: {' '.join(str(error).split())[:200]}") from error
    if looks_ahead:
        raise InputError(
            f"{name} is no {purpose}: what it says of a token depends on later ones ({model.config.model_type}); "
            "choose a causal language model, such as a GPT-2"
        )


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep the progress bars of `transformers` off the terminal: bars for a second, over ours."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - takes seconds

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the reports of `transformers` off the terminal: what is wrong is raised."""
    log = logging.getLogger("transformers")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
