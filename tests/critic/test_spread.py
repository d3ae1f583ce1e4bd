"""Scores that workers compute are those of one process: a page takes the vectors of its phrases with it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from critic.kinds import KINDS, MEAN_NLL, NLL
from critic.runs import _spread_with_vectors
from kg.encoder import Encoder
from kg.graph.scoring import Question
from kg.model import Triple
from kg.wide import here
from tests.apart import apart

PAGES = [
    Question(False, [Triple("PersonX naps", "xWant", "to wake"), Triple("PersonX naps", "xNeed", "a bed")]),
    Question(True, [Triple("to wake", "xWant", "a bed"), Triple("PersonX naps", "xWant", "to wake")]),
]


class Scorer:
    """Scores by the vectors of head and tail, as critics do."""

    def __init__(self, encoder: Encoder) -> None:
        self.encode = encoder.encode

    def __call__(self, page: Question) -> list[float]:
        heads, tails = (self.encode([getattr(one, part) for one in page.triples]) for part in ("head", "tail"))
        return [float(one) for one in (heads * [2, 3] - tails).sum(axis=1)]


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """Return an encoder whose vectors follow from the text and from what is embedded beside it, as rounding does."""

    def embed(self: Encoder, texts: Sequence[str]) -> Iterator[tuple[list[str], np.ndarray[Any, Any]]]:
        if not texts:
            return
        if self._cache_folder.name != "here":
            raise AssertionError("a worker embeds by itself")
        rows = [[len(text), len(texts) / 1_000] for text in texts]
        yield list(texts), np.array(rows, dtype=np.float32)

    monkeypatch.setattr(Encoder, "_embed", embed)
    monkeypatch.setattr(Encoder, "_dimension", lambda *_: 2)
    return Encoder(None, tmp_path / "here")


def test_workers_score_as_one_process_does_though_vectors_depend_on_what_is_embedded_beside(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = list(here(PAGES, Scorer(encoder)))
    another = Encoder(None, tmp_path / "again" / "here")
    scorer = Scorer(another)
    monkeypatch.setattr(Encoder, "__setstate__", _without_files, raising=False)
    assert list(_spread_with_vectors(another, apart, PAGES, scorer)) == alone
    with pytest.raises(AssertionError, match="by itself"):  # what it would come to without the vectors
        list(apart(PAGES, scorer))


def _without_files(self: Encoder, state: dict[str, Any]) -> None:
    """Give an encoder that comes to a worker another folder, as on another machine."""
    self.__dict__ |= state | {"_cache_folder": Path(state["_cache_folder"]).with_name("there")}


def test_vectors_that_are_lent_are_used_only_where_all_are_there(encoder: Encoder) -> None:
    encoder.lend(["a", "bb"], np.array([[7, 7], [8, 8]], dtype=np.float32))
    assert encoder.encode(["bb", "a", "bb"]).tolist() == [[8, 8], [7, 7], [8, 8]]
    assert encoder.encode(["a", "ccc"])[:, 0].tolist() == [1, 3]
    encoder.lend(["ccc"], np.array([[9, 9]], dtype=np.float32))
    assert encoder.encode(["ccc"]).tolist() == [[9, 9]]
    assert encoder.encode(["a"])[:, 0].tolist() == [1]


def test_kinds_that_look_at_no_vector_embed_nothing() -> None:
    assert [name for name, kind in KINDS.items() if not kind.embeds] == [NLL, MEAN_NLL]
