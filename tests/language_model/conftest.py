"""Tiny language models, and a weights package of a few bytes."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kg.language_model import packaged, weights

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
         "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 128}  # fmt: skip
CONFIGS: dict[str, Callable[[int], transformers.PretrainedConfig]] = {
    "gemma3": lambda size: transformers.Gemma3TextConfig(
        vocab_size=size, sliding_window=4, layer_types=["sliding_attention", "full_attention"], **SMALL
    ),
    "llama": lambda size: transformers.LlamaConfig(vocab_size=size, **SMALL),
    "gpt2": lambda size: transformers.GPT2Config(vocab_size=size, n_positions=128, n_layer=2, n_embd=32, n_head=2),
}

TERMS_TEXT = "<html>Gemma Terms of Use … Prohibited Use Policy …</html>"

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Save a tiny causal model with its tokenizer, as bfloat16."""

    def make(kind: str, name: str = "model", rows: int | None = None) -> Path:
        folder = tmp_path / name
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<eos>"],
            show_progress=False,
        )  # fmt: skip
        bpe.train_from_iterator(["PersonX misses the bus", "to call a taxi"], trainer)
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>")
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = CONFIGS[kind](rows or len(tokenizer))
        config.eos_token_id = config.bos_token_id = config.pad_token_id = tokenizer.eos_token_id
        transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
        return folder

    return make


CONVERTER = """
import hashlib, os, pathlib, time

def convert(source, folder):  # in place of minutes of unpacking
    assert hashlib.sha256(source.read_bytes()).hexdigest() == os.environ["FAKE_SUM"]
    with open(os.environ["FAKE_LOG"], "a") as log:
        log.write(f"{os.getpid()}\\n")
    (folder / "config.json").write_text("{}")
    (folder / "half").write_text("half")
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    (folder / "model.safetensors").write_bytes(b"w" * int(os.environ.get("FAKE_BYTES", "1000")))
    (folder / "half").unlink()

def main(*arguments):
    from kg.language_model import conversion
    conversion.convert = convert
    conversion.main(*arguments)
"""


class FakePackage:
    """A weights package of a few bytes whose conversion takes no time.

    Attributes:
        site: where it is installed.
        log: has a line for each conversion that began.
        sum: the SHA-256 of its parts together.
    """

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.log = folder / "log"
        self.log.touch()
        name = weights.PACKAGE.replace("-", "_")
        self._install(name, {weights.TERMS: TERMS_TEXT.encode()})
        contents = [bytes([number]) * (1000 + number) for number in range(4)]
        for number, content in enumerate(contents):
            self._install(f"{name}_part{number + 1}", {f"{weights.FILE}.part{number:02}": content})
        self.sum = hashlib.sha256(b"".join(contents)).hexdigest()
        (self.site / "fake_conversion.py").write_text(CONVERTER, encoding="utf-8")

    def part(self, number: int) -> Path:
        name = weights.PACKAGE.replace("-", "_")
        return self.site / f"{name}_part{number}" / "data" / f"{weights.FILE}.part{number - 1:02}"

    @property
    def began(self) -> int:
        return len(self.log.read_text(encoding="ascii").splitlines())

    def _install(self, module: str, files: dict[str, bytes]) -> None:
        data = self.site / module / "data"
        data.mkdir(parents=True)
        (self.site / module / "__init__.py").write_text("raise AssertionError('the package was run')\n")
        for name, content in files.items():
            (data / name).write_bytes(content)
        about = self.site / f"{module}-1.0.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0.0\n")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePackage:
    """Install a fake package in front of a real one, with a cache of its own."""
    package = FakePackage(tmp_path)
    monkeypatch.syspath_prepend(str(package.site))
    monkeypatch.setattr(weights, "SHA256", package.sum)
    monkeypatch.setattr(packaged, "_PROGRAM", "from fake_conversion import main")
    monkeypatch.setattr(packaged, "_ROOM_BYTES", 0)
    for name, value in {"XDG_CACHE_HOME": tmp_path / "cache", "FAKE_SUM": package.sum, "FAKE_LOG": package.log}.items():
        monkeypatch.setenv(name, str(value))
    return package
