"""Opening a causal language model: by folder, by its name on a hub, or the one that comes with pip.

Weights are float32 in memory: half precision overflows in Gemma, and a CPU without bfloat16 units is 40 times slower
with it. Only safetensors are read, never code of a model's own (`kg.pretrained`).
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.language_model.packaged import conversion_folder, packaged_model
from kg.language_model.terms import GEMMA, derived, origin_of_config, origin_of_folder, origin_of_name
from kg.lines import file_hash
from kg.pretrained import PAIR, check_causal, is_pair, open_model, open_tokenizer, without_bars

DEFAULT = GEMMA
"""The name of the model that comes with pip, `skd-graph[lm]`; a folder of that name is `./gemma`."""

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_MEANING = ("*.safetensors", "tokenizer.json", "tokenizer.model", "vocab.*", "merges.txt")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A causal language model, opened.

    Attributes:
        model: of `transformers`, in evaluation mode, float32, on the CPU.
        tokenizer: of `transformers`, the fast kind; all of its tokens have a row in the model.
        name: as it was asked for: `DEFAULT`, a folder, or a name on a hub.
        digest: SHA-256 over weights and tokenizer: equal digests give equal log-probabilities, to rounding.
        derived_from: `kg.language_model.terms.GEMMA` where Gemma's terms hold for the model, and for what is made of
            it; else None.
    """

    model: Any
    tokenizer: Any
    name: str
    digest: str
    derived_from: str | None


def open_language_model(
    name: str | None = None, purpose: str = "causal language model", *, pairs: bool = False
) -> LanguageModel:
    """Open a causal language model, the whole of it or not at all.

    Args:
        name: a folder, a name on the Hugging Face hub, or `DEFAULT`, which None stands for.
        purpose: what the model is to be, for messages: "teacher".
        pairs: whether it may be an encoder with a decoder, too, whose decoder is causal.

    Raises:
        NotReady: the default is asked for, and its package is not installed.
        InputError: there is none, weights are missing, it looks ahead, needs code of its own or is a pickle, its
            tokenizer is another model's; the default's package is damaged, or it cannot be converted.
    """
    if name in (None, DEFAULT):
        found = packaged_model()
        model, tokenizer = _open(str(found.folder), DEFAULT, purpose)
        sums = {name: sum_ for name, sum_ in found.sums.items() if any(Path(name).match(one) for one in _MEANING)}
        return LanguageModel(model, tokenizer, DEFAULT, _digest(sums), GEMMA)
    name = str(name)
    is_folder = bool(name) and Path(name).is_dir()
    if not is_folder and not _HUB_NAME.fullmatch(name):
        raise InputError(f"no {purpose} {name[:200]}: neither a folder nor a name on a model hub")
    origin = origin_of_folder(Path(name)) if is_folder else None  # before minutes are spent on the weights
    model, tokenizer = _open(name, name, purpose, pairs=pairs)
    digest = _digest(_sums(_folder(name, purpose)))
    return LanguageModel(model, tokenizer, name, digest, derived(origin, origin_of_config(model.config.model_type)))


def fingerprint(name: str) -> str:
    """Return what a model is known by without opening it: a sum over its files, or the name of one on a hub."""
    if name == DEFAULT:
        return conversion_folder().name
    sums = _sums(Path(name)) if name and Path(name).is_dir() else {}
    return _digest(sums) if sums else name


def origin_of_model(name: str) -> str | None:
    """Return what a model is derived from without opening it, as `LanguageModel.derived_from` has it.

    A hub that cannot be reached is not an error: then the name tells.

    Raises:
        InputError: a file of the folder is damaged, or names terms that this version does not know.
    """
    if name == DEFAULT:
        return GEMMA
    if name and Path(name).is_dir():
        return origin_of_folder(Path(name))
    if not (origin := origin_of_name(name)) and _HUB_NAME.fullmatch(name):
        with suppress(InputError):
            return origin_of_folder(_folder(name, "teacher"))
    return origin


def _open(place: str, name: str, purpose: str, *, pairs: bool = False) -> tuple[Any, Any]:
    """Return the model and the tokenizer in a folder, or of a name on the hub."""
    import torch  # noqa: PLC0415 - takes seconds

    with without_bars():
        if pairs and is_pair(place):
            model = open_model(PAIR, place, purpose, dtype=torch.float32)
        else:
            model = open_model("AutoModelForCausalLM", place, purpose, dtype=torch.float32)
            check_causal(model, place, purpose)
        tokenizer = open_tokenizer(place, name)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise InputError(
            f"{name} is no {purpose}: its tokenizer has {len(tokenizer)} tokens and the model {rows}; they do not "
            "belong together"
        )
    return model, tokenizer


def _folder(name: str, purpose: str) -> Path:
    """Return the folder in which the files of an opened model lie."""
    if Path(name).is_dir():
        return Path(name)
    from transformers.utils import cached_file  # noqa: PLC0415 - takes seconds

    try:
        with suppress(OSError):  # what is known already asks no hub
            return Path(str(cached_file(name, "config.json", local_files_only=True))).parent
        return Path(str(cached_file(name, "config.json"))).parent
    except (OSError, ValueError) as error:
        raise InputError(f"cannot make a {purpose} of {name}: {' '.join(str(error).split())[:200]}") from error


def _sums(folder: Path) -> dict[str, str]:
    """Return the sum of each file in a folder that has a say in what a model computes."""
    return {path.name: file_hash(path) for pattern in _MEANING for path in folder.glob(pattern)}


def _digest(sums: Mapping[str, str]) -> str:
    """Return one sum for the sums of several files.

    >>> _digest({"b": "1", "a": "2"}) == _digest({"a": "2", "b": "1"}) != _digest({"a": "1", "b": "2"})
    True
    """
    return hashlib.sha256("".join(f"{name} {sums[name]}\n" for name in sorted(sums)).encode()).hexdigest()
