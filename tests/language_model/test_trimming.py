import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from kg.errors import InputError
from kg.language_model.trimming import trim
from tests.language_model import tiny

NEEDED = ["PersonX shears a sheep, because PersonX wanted to save the wool", "hungry"]
JAPANESE = "羊の毛を刈る人は、疲れている。"


def byte_level() -> Any:
    """Byte-pair encoding as GPT-2's, with its end behind all other tokens, and RoBERTa's frame around texts."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        tiny.TEXTS * 3, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    bpe.add_special_tokens(["<s>", "</s>"])
    ends = [("</s>", bpe.token_to_id("</s>")), ("<s>", bpe.token_to_id("<s>"))]
    bpe.post_processor = processors.RobertaProcessing(*ends)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", bos_token="<s>", pad_token="</s>")


def made(kind: str) -> tuple[Any, Any]:
    if kind == "gemma3":
        tokenizer = tiny.tokenizer()
        return tiny.gemma3(vocab_size=len(tokenizer)), tokenizer
    tokenizer = byte_level()
    model = (tiny.gpt2 if kind == "gpt2" else tiny.llama)(vocab_size=len(tokenizer))
    for settings in (model.config, model.generation_config):
        settings.eos_token_id, settings.bos_token_id, settings.pad_token_id = (
            tokenizer.eos_token_id,
            tokenizer.bos_token_id,
            None,
        )
    return model, tokenizer


KINDS = ["gemma3", "gpt2", "llama"]


@pytest.fixture(params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Any, Any, Any]:
    """A model and its tokenizer, and the trimmed ones as plain `transformers` opens them."""
    model, tokenizer = made(request.param)
    trimmed_model, old = made(request.param)
    trimmed = trim(trimmed_model, old, NEEDED, everyday=0)
    trimmed_model.save_pretrained(tmp_path)
    trimmed.save_pretrained(tmp_path)
    return model, tokenizer, AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)


def test_the_given_texts_have_the_same_tokens(saved: tuple[Any, Any, Any, Any]) -> None:
    _, tokenizer, model, trimmed = saved
    assert len(trimmed) < len(tokenizer) - 20
    assert model.get_input_embeddings().weight.shape[0] == model.config.vocab_size == len(trimmed)
    for text in [*NEEDED, NEEDED[0][:22], NEEDED[0][9:]]:
        assert trimmed(text).tokens() == tokenizer(text).tokens()
        assert max(trimmed(text)["input_ids"]) < len(trimmed)


def test_kept_tokens_share_the_probability_of_those_that_are_gone(saved: tuple[Any, Any, Any, Any]) -> None:
    model, tokenizer, cut, trimmed = saved
    names = trimmed.convert_ids_to_tokens(range(len(trimmed)))
    rows = tokenizer.convert_tokens_to_ids(names)
    assert None not in rows
    for text in NEEDED:
        with torch.inference_mode():
            whole = model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits[0][:, rows]
            ours = cut(**trimmed(text, return_tensors="pt", return_token_type_ids=False)).logits[0]
        assert torch.allclose(whole.log_softmax(-1), ours.log_softmax(-1), atol=1e-5)


@pytest.mark.parametrize("text", [JAPANESE, "naïve café 🐑 \n\t", "an unforeseen zebra's $5", "<bos> </s>", "İ ﬁ"])
def test_any_text_can_still_be_spelt(saved: tuple[Any, Any, Any, Any], text: str) -> None:
    _, tokenizer, _, trimmed = saved
    ids = trimmed(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert trimmed.unk_token_id is None or trimmed.unk_token_id not in ids
    assert trimmed.decode(ids, clean_up_tokenization_spaces=False) == text
    assert len(ids) >= len(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def test_special_tokens_and_settings_have_their_new_numbers(saved: tuple[Any, Any, Any, Any]) -> None:
    _, tokenizer, model, trimmed = saved
    assert trimmed.eos_token == tokenizer.eos_token
    assert trimmed.all_special_tokens == tokenizer.all_special_tokens
    for settings in (model.config, model.generation_config):
        assert settings.eos_token_id == trimmed.eos_token_id
        assert settings.bos_token_id == trimmed.bos_token_id
    framed = trimmed("hungry")["input_ids"]
    assert framed[0] == trimmed.bos_token_id
    assert (framed[-1] == trimmed.eos_token_id) == (tokenizer("hungry")["input_ids"][-1] == tokenizer.eos_token_id)


def test_the_trimmed_model_trains_and_writes(saved: tuple[Any, Any, Any, Any]) -> None:
    _, _, model, trimmed = saved
    inputs = trimmed(NEEDED[0], return_tensors="pt", return_token_type_ids=False)
    model(**inputs, labels=inputs["input_ids"]).loss.backward()
    rows = model.get_input_embeddings().weight.grad.abs().sum(1) > 0
    assert rows[inputs["input_ids"][0][0]]
    written = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert written.max() < len(trimmed)


def test_everyday_words_are_kept_and_other_scripts_are_not() -> None:
    model, tokenizer = made("gemma3")
    trimmed = trim(model, tokenizer, ["hungry"], everyday=len(tokenizer))
    words = {name for name in tokenizer.get_vocab() if name.lstrip("▁").isascii()}
    assert words <= trimmed.get_vocab().keys()
    assert "羊" in tokenizer.get_vocab()
    assert "羊" not in trimmed.get_vocab()
    assert trimmed(" sheep hungry").tokens() == tokenizer(" sheep hungry").tokens()


def test_merges_are_kept_where_both_parts_and_the_result_are() -> None:
    model, tokenizer = made("gemma3")
    before = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    after = json.loads(trim(model, tokenizer, NEEDED, everyday=0).backend_tokenizer.to_str())["model"]
    kept = after["vocab"].keys()
    assert after["merges"] == [[left, right] for left, right in before["merges"] if {left, right, left + right} <= kept]
    assert 0 < len(after["merges"]) < len(before["merges"])


def test_other_kinds_of_vocabulary_are_refused() -> None:
    word = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(InputError, match="WordLevel cannot be trimmed"):
        trim(tiny.llama(), PreTrainedTokenizerFast(tokenizer_object=word, unk_token="[UNK]"), ["a"])
    bpe = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    with pytest.raises(InputError, match="every byte"):
        trim(tiny.llama(), PreTrainedTokenizerFast(tokenizer_object=bpe), ["ab"])
