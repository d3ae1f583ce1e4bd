"""What a generator cannot start from is refused in a sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from kg.errors import InputError
from kg.vocabulary import Relation, Vocabulary
from student.interface import Student

Train = Callable[..., Student]


def test_a_base_that_cannot_be_opened_is_an_input_error(base: Path, train: Train, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(empty))
    half = tmp_path / "half"
    half.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (half / name).write_bytes((base / name).read_bytes())
    with pytest.raises(InputError, match=r"cannot make a causal language model of .*safetensors"):
        train("generator", tmp_path / "student", base=str(half))
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    (whole / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="no tokenizer of a pre-trained model at"):
        train("generator", tmp_path / "student", base=str(whole))


def test_a_base_that_reads_too_few_tokens_is_an_input_error(base: Path, train: Train, tmp_path: Path) -> None:
    short = tmp_path / "short"
    shutil.copytree(base, short)
    config = GPT2Config.from_pretrained(base)
    config.n_positions = 32
    GPT2LMHeadModel(config).save_pretrained(short)
    with pytest.raises(InputError, match="reads 32 tokens"):
        train("generator", tmp_path / "student", base=str(short))


SMALL = {"vocab_size": 300, "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
LLAMA = SMALL | {"intermediate_size": 32, "tie_word_embeddings": False, "num_key_value_heads": 2}
BERT = SMALL | {"intermediate_size": 32}

NO_GENERATORS = {
    "bert": (lambda: transformers.BertForMaskedLM(transformers.BertConfig(**BERT)), "depends on later ones .bert"),
    "bert, no head": (lambda: transformers.BertModel(transformers.BertConfig(**BERT)), "weights are missing"),
    "roberta": (lambda: transformers.RobertaForMaskedLM(transformers.RobertaConfig(**BERT)), "depends on later ones"),
    "llama, no head": (lambda: transformers.LlamaModel(transformers.LlamaConfig(**LLAMA)), "1 .* missing.* lm_head"),
}


@pytest.mark.parametrize("name", list(NO_GENERATORS))
def test_a_base_that_is_no_whole_causal_language_model_is_refused_in_a_sentence(
    name: str, base: Path, train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = NO_GENERATORS[name]
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    make().save_pretrained(folder)
    capfd.readouterr()
    with pytest.raises(InputError, match=rf"no causal language model: .*{reason}") as raised:
        train("generator", tmp_path / "student", base=str(folder))
    assert "\n" not in str(raised.value)
    assert "MISSING" not in capfd.readouterr().err  # the report of transformers


@pytest.mark.parametrize("lost", ["transformer.h.0.", "transformer.ln_f.weight", "transformer.wte.weight"])
def test_a_base_that_lacks_weights_is_refused(lost: str, base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(lost)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights are missing, the first"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_base_with_weights_of_another_shape_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.0.attn.c_attn.weight"] = torch.zeros(32, 48)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_pickle_and_code_of_its_own_are_refused(base: Path, train: Train, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(base, pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        train("generator", tmp_path / "student", base=str(pickled))
    coded = tmp_path / "coded"
    shutil.copytree(base, coded)
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "mine.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(coded))


def test_a_tokenizer_of_another_model_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    config = GPT2Config.from_pretrained(base)
    config.vocab_size = 50
    GPT2LMHeadModel(config).save_pretrained(folder)
    with pytest.raises(InputError, match="tokens and the model 50; they do not belong together"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_base_without_a_token_for_the_end_of_a_text_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "endless"
    shutil.copytree(base, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert AutoTokenizer.from_pretrained(folder).eos_token_id is None
    with pytest.raises(InputError, match=r"the tokenizer at .* has no token for the end of a text"):
        train("generator", tmp_path / "student", base=str(folder))


NEO = {"vocab_size": 300, "hidden_size": 32, "num_heads": 2, "num_layers": 1, "max_position_embeddings": 256}

UNPACKABLE = {
    "no position numbers": (
        lambda: transformers.BloomForCausalLM(transformers.BloomConfig(**SMALL)),
        "a bloom model cannot read sequences packed into trees",
    ),
    "a state in place of attention": (
        lambda: transformers.MambaForCausalLM(
            transformers.MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, state_size=4)
        ),
        "a mamba model cannot read sequences packed into trees",
    ),
    "a window over places": (
        lambda: transformers.GPTNeoForCausalLM(
            transformers.GPTNeoConfig(**NEO, attention_types=[[["local"], 1]], window_size=8)
        ),
        "it does not read texts that share a row as it reads each alone",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(UNPACKABLE))
def test_a_base_that_cannot_read_texts_that_share_a_row_is_refused(
    name: str, base: Path, train: Train, tmp_path: Path
) -> None:
    make, reason = UNPACKABLE[name]
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    model = make()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)  # far from uniform predictions
    model.save_pretrained(folder)
    with pytest.raises(InputError, match=f"cannot be trained here: {reason}$"):
        train("generator", tmp_path / "student", base=str(folder))
    assert not (tmp_path / "student").exists()


def test_a_base_that_has_no_room_for_a_long_phrase_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    wordy = Vocabulary([Relation("xWant", phrase="so that " * 60), Relation("xReact", phrase="feels")])
    with pytest.raises(InputError, match=r"reads 256 tokens; a generator needs \d+"):
        train("generator", tmp_path / "student", base=str(base), vocabulary=wordy)
