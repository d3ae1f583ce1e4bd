"""Small models with random weights, of the kinds that differ in masks and positions."""

import json
from collections.abc import Callable
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 120
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip


def gemma3(window: int = 5, layers: int = 4, **changes: Any) -> Any:
    """A window shorter than the sequences, in three of four layers."""
    kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    config = Gemma3TextConfig(
        **_SHAPE | changes, head_dim=8, num_hidden_layers=layers, sliding_window=window, query_pre_attn_scalar=8,
        layer_types=[kinds[number % 4] for number in range(layers)],
    )  # fmt: skip
    return _made(Gemma3ForCausalLM, config)


def llama(**changes: Any) -> Any:
    return _made(LlamaForCausalLM, LlamaConfig(**_SHAPE | changes, num_hidden_layers=2))


def mistral(**changes: Any) -> Any:
    """A window in every layer, and one mask for all."""
    return _made(MistralForCausalLM, MistralConfig(**_SHAPE | changes, num_hidden_layers=2, sliding_window=4))


def qwen3(**changes: Any) -> Any:
    config = Qwen3Config(
        **_SHAPE | changes,
        num_hidden_layers=2,
        head_dim=8,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
    )
    return _made(Qwen3ForCausalLM, config)


def gpt2(vocab_size: int = VOCABULARY) -> Any:
    """Learnt positions."""
    config = GPT2Config(
        vocab_size=vocab_size, n_positions=256, n_layer=2, n_embd=32, n_head=4, bos_token_id=2, eos_token_id=1
    )
    return _made(GPT2LMHeadModel, config)


KINDS: list[Callable[..., Any]] = [gemma3, llama, mistral, qwen3, gpt2]


def _made(kind: Any, config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config).eval()
        for name, weight in model.named_parameters():
            if weight.dim() > 1:  # far from uniform predictions, so that a wrong mask shows
                torch.nn.init.normal_(weight, std=0.2 if "embed" in name or "wte" in name else 0.25)
    return model


TEXTS = [
    "PersonX shears a sheep", "PersonX misses the bus to work", "PersonX bakes bread for PersonY",
    ", because PersonX wanted", ". As a result, PersonX feels", ". PersonX is seen as",
    "to save the wool", "to call a taxi", "tired and annoyed", "a good neighbour",
    "to eat the warm bread together", "hungry", "late again", "羊の毛を刈る",
]  # fmt: skip


def tokenizer() -> Any:
    """Byte-pair encoding as Gemma's: "▁" for a space, bytes for what has no token, a token for the beginning."""
    learnt = Tokenizer(models.BPE())
    learnt.normalizer = normalizers.Replace(" ", "▁")
    learnt.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    model = json.loads(learnt.to_str())["model"]
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    names = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *sorted(model["vocab"], key=model["vocab"].get)]
    vocabulary = {name: number for number, name in enumerate(names)}
    made = Tokenizer(
        models.BPE(vocabulary, [tuple(pair) for pair in model["merges"]], byte_fallback=True, unk_token="<unk>")
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    made.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    )
