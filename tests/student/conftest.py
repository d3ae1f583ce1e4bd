"""Eight triples, a fake sentence encoder, and students that know the triples by heart."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from kg.model import Triple
from kg.vocabulary import Vocabulary
from student import checkpoint
from student.generator import model as generator_model
from student.generator import start as generator_start
from student.interface import Encode, Student
from student.kinds import KINDS

MANIFEST = {"cypher": "RETURN 1", "parameters": {"floor": 0.5}, "lang": "en", "triples": 8, "seed": 7}

EPOCHS = {"generator": 90, "ranker": 150}
"""Kinds that learn by passes over the data, with the passes after which they know the eight triples by heart."""

Train = Callable[..., Student]


def fake_encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return vectors of length 1 that follow from the texts' hashes: equal texts are equal, others far apart."""
    rows = np.zeros((len(texts), 32), dtype=np.float32)
    for number, text in enumerate(texts):
        key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        row = np.random.default_rng(key).normal(size=32)
        rows[number] = row / np.linalg.norm(row)
    return rows


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: models this small only wait for one another on more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def encode() -> Encode:
    return fake_encode


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.load("skd")


@pytest.fixture(scope="session")
def eight() -> list[Triple]:
    return [
        Triple("PersonX misses the bus", "xWant", "to call a taxi"),
        Triple("PersonX misses the bus", "xReact", "annoyed"),
        Triple("PersonX wins the race", "xWant", "to celebrate"),
        Triple("PersonX wins the race", "xReact", "proud and happy"),
        Triple("PersonX loses the dog", "xWant", "to put up posters"),
        Triple("PersonX loses the dog", "xReact", "sad"),
        Triple("PersonX paints the wall", "xWant", "to clean the brush"),
        Triple("PersonX paints the wall", "xReact", "satisfied"),
    ]


@pytest.fixture(scope="session")
def memorised(
    tmp_path_factory: pytest.TempPathFactory, eight: list[Triple], vocabulary: Vocabulary
) -> dict[str, tuple[Student, Path]]:
    """Each kind, trained on the eight triples, until it knows them if it learns by passes; with its folder."""
    students: dict[str, tuple[Student, Path]] = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("memorised") / kind
        student = checkpoint.train_checkpoint(
            kind, eight, vocabulary, folder, encode=fake_encode, seed=7, epochs=EPOCHS.get(kind), manifest=MANIFEST
        )
        students[kind] = student, folder
    return students


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make generators that are too small to be good, but quick to train."""
    monkeypatch.setattr(generator_start, "LAYERS", 1)
    monkeypatch.setattr(generator_start, "WIDTH", 32)
    return


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let generators compute in float32, whatever this machine is fast in."""
    use_dtype(monkeypatch, torch.float32)


def use_dtype(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setattr(generator_start, "training_dtype", lambda _: dtype)
    monkeypatch.setattr(generator_model, "fast_dtype", lambda: dtype)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 with its tokenizer, as a user might have on disk."""
    folder = tmp_path_factory.mktemp("base")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    bpe.train_from_iterator(["PersonX misses the bus", "to call a taxi"], trainer)
    names = dict.fromkeys(("eos_token", "bos_token", "unk_token"), "<|endoftext|>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, **names)
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_layer=1, n_embd=32, n_head=2, bos_token_id=end, eos_token_id=end
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def train(small: None, eight: list[Triple], vocabulary: Vocabulary) -> Train:
    """Train a small student: `train(kind, folder)`, with other arguments as wanted."""
    assert small is None

    def call(kind: str, folder: Path, **changed: object) -> Student:
        options: dict[str, object] = {"encode": fake_encode, "seed": 3, "epochs": 3, "manifest": {"lang": "en"}}
        options |= changed
        triples = options.pop("triples", eight)
        return checkpoint.train_checkpoint(kind, triples, options.pop("vocabulary", vocabulary), folder, **options)

    return call
