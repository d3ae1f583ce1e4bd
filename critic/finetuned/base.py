"""The base of a fine-tuned critic: any model of `transformers` with a head for classification, and what of it learns.

A model is never trained as a whole: updates of low rank (LoRA, Hu et al. 2022) and the head are, so that a critic's
folder has these alone, whatever the size of its base. Of an encoder all layers learn. A causal language model is read
to its middle, where its states say most of a text, since those above are about the next token; the upper third of what
is read learns: what the layers below say of a text is the same in every epoch and every fold, and computed once.
"""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kg.encoder import DEFAULT_ENCODER, Encoder
from kg.errors import InputError
from kg.language_model.opening import DEFAULT as LANGUAGE_MODEL
from kg.language_model.opening import fingerprint, origin_of_model
from kg.language_model.packaged import is_available, packaged_model
from kg.pretrained import open_model, open_tokenizer, without_bars

MINILM = "minilm"
"""Stands for the default sentence encoder."""

_PURPOSE = "critic's base"
_HEADS = ("classifier.", "score.", "pre_classifier.", "pooler.", "bert.pooler.", "roberta.pooler.", "albert.pooler.")
_RANK = 16  # of the updates
_READ = 2  # a causal model's layers, divided by this, are read
_LEARNING = 3  # those that are read, divided by this, learn
_NO_PADDING = -1  # no token: texts of one length need none, and a causal model's head looks for the last that is none
_SEEDS = 2**63  # torch takes no larger one


@dataclass(slots=True)
class Base:
    """A base, opened, with updates and a new head that have learnt nothing yet.

    Attributes:
        model: of `transformers`, wrapped by `peft`, in evaluation mode, float32.
        tokenizer: its tokenizer.
        is_causal: whether it reads from left to right, so that event, phrase and tail are one text.
        kept: how many of the lower layers do not learn.
        layers: all that are read.
    """

    model: Any
    tokenizer: Any
    is_causal: bool
    kept: int
    layers: nn.ModuleList

    def learning(self) -> dict[str, Tensor]:
        """Return what learns, by name: updates and head."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    @torch.no_grad()
    def put(self, weights: dict[str, Tensor]) -> None:
        """Bring what learns to given weights.

        Raises:
            KeyError: one is missing.
            RuntimeError: one has another shape.
        """
        for name, weight in self.learning().items():
            weight.copy_(weights[name])

    def merged(self) -> Any:
        """Return a copy of the model into which the updates are counted."""
        return copy.deepcopy(self.model).merge_and_unload().eval()


def base_named(name: str | None) -> str:
    """Return the name of a base; None is the language model from pip where it is installed, else the sentence encoder.

    >>> base_named("all-MiniLM-L6-v2"), base_named("roberta-large-mnli")
    ('minilm', 'roberta-large-mnli')
    """
    if name is None:
        return LANGUAGE_MODEL if is_available() else MINILM
    if name in (DEFAULT_ENCODER, DEFAULT_ENCODER.rpartition("/")[2]):
        return MINILM
    is_folder = name not in (LANGUAGE_MODEL, MINILM) and Path(name).is_dir()
    return str(Path(name).resolve()) if is_folder else name


def origin_of_base(name: str) -> str | None:
    """Return what a base is derived from, as `kg.language_model.terms` has it.

    Raises:
        InputError: a file of its folder is damaged, or names terms that are unknown here.
    """
    return None if name == MINILM else origin_of_model(name)


def digest_of(name: str) -> str:
    """Return what a base is known by: a sum over its files, or the name of one on a hub."""
    return fingerprint(_place(name)) if name != LANGUAGE_MODEL else fingerprint(name)


def open_base(name: str, seed: int) -> Base:
    """Open a base, the whole of it or not at all; head and updates are new.

    Args:
        name: a folder, a name on the Hugging Face hub such as "roberta-large-mnli", `MINILM`, or "gemma" for the
            language model from pip.
        seed: of the new weights.

    Raises:
        NotReady: the language model from pip is asked for and is not installed.
        InputError: there is no such model, or it has no head for classification in `transformers`.
    """
    place = str(packaged_model().folder) if name == LANGUAGE_MODEL else _place(name)
    with torch.random.fork_rng(), without_bars():
        torch.manual_seed(seed % _SEEDS)
        model = open_model(
            "AutoModelForSequenceClassification", place, _PURPOSE, dtype=torch.float32, unneeded=_HEADS, labels=1
        )
        tokenizer = open_tokenizer(place, name)
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            raise InputError(f"{name} is no {_PURPOSE}: its tokenizer has tokens that the model does not know")
        model.config.get_text_config().pad_token_id = _NO_PADDING
        _begin_at_nothing(model, name)
        is_causal = hasattr(model, "score")  # what transformers calls the head of those that read from left to right
        layers = _layers(model, name)
        if is_causal:
            del layers[max(1, len(layers) // _READ) :]
            model.config.get_text_config().num_hidden_layers = len(layers)
        kept = len(layers) - max(1, len(layers) // _LEARNING) if is_causal else 0
        return Base(_updated(model, layers, kept), tokenizer, is_causal, kept, layers)


def _begin_at_nothing(model: Any, name: str) -> None:
    """Let the head say 0 of everything, so that a critic begins at the share of the good.

    Raises:
        InputError: it has no head with one output.
    """
    last = [part for part in model.modules() if isinstance(part, nn.Linear) and part.out_features == 1]
    if not last:
        raise InputError(f"{name} is no {_PURPOSE}: its head has no single output ({model.config.model_type})")
    with torch.no_grad():
        for weight in last[-1].parameters():
            weight.zero_()


def _place(name: str) -> str:
    return Encoder(None, Path()).name if name == MINILM else name


def _layers(model: Any, name: str) -> nn.ModuleList:
    count = model.config.get_text_config().num_hidden_layers
    found = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not found:
        raise InputError(f"{name} is no {_PURPOSE}: its layers cannot be found ({model.config.model_type})")
    return found[0]


def _updated(model: Any, layers: nn.ModuleList, kept: int) -> Any:
    """Return a model in which updates of the layers from `kept` on, and whatever is above all layers, learn."""
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - takes seconds
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415 - takes seconds

    names = {module: name for name, module in model.named_modules()}
    inside = [part for layer in layers[kept:] for part in layer.modules() if isinstance(part, nn.Linear | Conv1D)]
    settings = LoraConfig(r=_RANK, lora_alpha=2 * _RANK, target_modules=[names[part] for part in inside])
    head = [
        weight
        for name, weight in model.named_parameters()
        if f"{name}.".startswith(_HEADS) or name.startswith(_HEADS) or ".pooler." in name
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out|.is_gradient_checkpointing")  # nothing for users
        wrapped = get_peft_model(model, settings, autocast_adapter_dtype=False)
    for weight in head:
        weight.requires_grad_(requires_grad=True)
    return wrapped.eval()


def tokens_of(base: Base, pairs: Sequence[tuple[str, str]]) -> list[dict[str, list[int]]]:
    """Return the inputs of the model for each pair of texts: tokens, and of which text each is where the model asks."""
    firsts, seconds = [first for first, _ in pairs], [f"{second}." for _, second in pairs]
    limit = min(256, getattr(base.model.config.get_text_config(), "max_position_embeddings", 256) - 2)
    if base.is_causal:
        texts: tuple[list[str], ...] = ([f"{one}, {two}" for one, two in zip(firsts, seconds, strict=True)],)
    else:
        texts = (firsts, seconds)
    cut = base.tokenizer(*texts, truncation=True, max_length=limit, split_special_tokens=True, verbose=False)
    wanted = [name for name in ("input_ids", "token_type_ids") if name in cut]
    return [{name: cut[name][row] for name in wanted} for row in range(len(pairs))]
