"""A vocabulary cut to what is needed: a language model of many languages spends most of its weights on tokens.

Kept are the tokens of given texts, everyday words, all bytes and the special tokens, and with each of them the tokens
that it is merged from. So the given texts are cut into the same tokens as before, and any other text can still be
spelt, if by more tokens. Of the tokens that are left the model says the same, but that they share the probability of
those that are gone. Embeddings, head and tokenizer are cut together; what is saved opens as any other model.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from more_itertools import chunked
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer

from kg.errors import InputError

EVERYDAY = 32_000  # ids among which ASCII tokens are everyday words or line ends: a tokenizer numbers by frequency

_ROUND_TEXTS = 1_000  # texts that are tokenised together
_SPACES = "▁Ġ"  # how tokenizers write the space before a word


def trim(model: Any, tokenizer: Any, texts: Iterable[str], everyday: int = EVERYDAY) -> Any:
    """Cut the vocabulary of a model, in place, and return the tokenizer that belongs to it.

    Args:
        model: a causal language model of `transformers`.
        tokenizer: its tokenizer, of byte-pair encoding that falls back to bytes.
        texts: in whole, or in parts as they will be tokenised.
        everyday: how many of the first ids are looked through for everyday words; 0 keeps none.

    Raises:
        InputError: a tokenizer of another kind.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = _kept(tokenizer, state, texts, everyday)
    trimmed = _cut_tokenizer(tokenizer, state, kept)
    _cut_model(model, kept)
    return trimmed


def _kept(tokenizer: Any, state: dict[str, Any], texts: Iterable[str], everyday: int) -> list[int]:
    """Return the ids that are kept, in order."""
    spelling = state["model"]
    if spelling["type"] != "BPE":
        raise InputError(f"a vocabulary of the kind {spelling['type']} cannot be trimmed, only byte-pair encoding")
    vocabulary: dict[str, int] = spelling["vocab"]
    letters = [f"<0x{byte:02X}>" for byte in range(256)] if spelling["byte_fallback"] else ByteLevel.alphabet()
    if not vocabulary.keys() >= set(letters):
        raise InputError("a vocabulary that cannot spell every byte cannot be trimmed")
    added = {token["content"] for token in state["added_tokens"] if not token["content"].isspace()}
    wanted = {
        name for name, number in vocabulary.items() if number < everyday and _is_everyday(name) and name not in added
    }
    for some in chunked(texts, _ROUND_TEXTS):
        cut = tokenizer(some, split_special_tokens=True, verbose=False)["input_ids"]
        wanted.update(tokenizer.convert_ids_to_tokens(sorted({number for ids in cut for number in ids})))
    special = set(tokenizer.all_special_ids)
    parts = _closed({*wanted, *letters}, vocabulary, spelling["merges"])
    return sorted({vocabulary[name] for name in parts if name in vocabulary} | special)


def _is_everyday(name: str) -> bool:
    word = name.lstrip(_SPACES)
    return word.isascii() and (word.isprintable() or word.isspace())


def _closed(names: Iterable[str], vocabulary: Mapping[str, int], merges: Sequence[Sequence[str]]) -> set[str]:
    """Return tokens and all that they are merged from, letter by letter.

    Which merges lead to a token does not depend on the text around: of two neighbours the pair that was learnt first is
    merged first, and none is ever taken apart again. So the merges inside a token are those of the token by itself.
    """
    ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
    closed = set(names)
    for name in names:
        parts = list(name)
        while True:
            closed.update(part for part in parts if part in vocabulary)
            pairs = list(pairwise(parts))
            first = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)), default=None)
            if first not in ranks:
                break
            place = pairs.index(first)
            parts[place : place + 2] = ["".join(first)]
    return closed


def _cut_tokenizer(tokenizer: Any, state: dict[str, Any], kept: Sequence[int]) -> Any:
    """Return a tokenizer of the kept ids, which are numbered anew in their order."""
    numbers = {old: new for new, old in enumerate(kept)}
    spelling = state["model"]
    vocabulary = {name: numbers[old] for name, old in spelling["vocab"].items() if old in numbers}
    added = [token | {"id": numbers[token["id"]]} for token in state["added_tokens"] if token["id"] in numbers]
    names = vocabulary | {token["content"]: token["id"] for token in added}
    spelling["vocab"] = vocabulary
    spelling["merges"] = [
        (left, right) for left, right in spelling["merges"] if {left, right, left + right} <= vocabulary.keys()
    ]
    state["added_tokens"] = added
    _renumber(state["post_processor"], names)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        settings = json.loads(Path(folder, "tokenizer_config.json").read_text(encoding="utf-8"))
        settings.pop("added_tokens_decoder", None)  # says again what stands in the other file
        Path(folder, "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        Path(folder, "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _renumber(processor: Any, names: Mapping[str, int]) -> None:
    """Give the tokens that a tokenizer puts around texts their new numbers, wherever they stand."""
    for part in [processor, *(processor or {}).get("processors", [])]:
        for token in (part or {}).get("special_tokens", {}).values():
            token["ids"] = [names[name] for name in token["tokens"]]
        for name in {"sep", "cls"} & (part or {}).keys():
            part[name] = [part[name][0], names[part[name][0]]]


def _cut_model(model: Any, kept: Sequence[int]) -> None:
    """Leave only the rows of kept ids in embeddings and head, and say so in the settings."""
    numbers = {old: new for new, old in enumerate(kept)}
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    rows = torch.tensor(kept, device=embeddings.weight.device)
    tied = head.weight is embeddings.weight
    for part in (embeddings, head):
        part.weight = torch.nn.Parameter(part.weight.detach()[rows].clone())
    if tied:
        head.weight = embeddings.weight
    if head.bias is not None:
        head.bias = torch.nn.Parameter(head.bias.detach()[rows].clone())
    embeddings.num_embeddings = head.out_features = len(kept)
    embeddings.padding_idx = numbers.get(embeddings.padding_idx)
    for part in (model, model.base_model):
        if hasattr(part, "vocab_size"):
            part.vocab_size = len(kept)
    model.base_model.padding_idx = embeddings.padding_idx
    for settings in {
        id(one): one for one in (model.config, model.config.get_text_config(), model.generation_config)
    }.values():
        for name, old in settings.to_dict().items():
            if name.endswith("_token_id") and old is not None:
                setattr(settings, name, [numbers[one] for one in old] if isinstance(old, list) else numbers.get(old))
        if hasattr(settings, "vocab_size"):
            settings.vocab_size = len(kept)
