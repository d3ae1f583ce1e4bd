"""Base vectors: those of the sentence encoder, or word vectors of a file.

A file is text as word2vec and GloVe write it, plain or gzip: `term number number …` a line, perhaps after
a line `terms dimensions`; or what `kg vectors export` wrote as safetensors. A term is a ConceptNet URI, or a
word of one language, with `_` for blanks.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.encoder import Encoder
from kg.errors import InputError
from kg.exchange.conceptnet import concept_parts
from kg.exchange.normal_form import standard_text
from kg.lines import Rejected, file_hash, read_lines
from kg.vectors.retrofitting import unit
from kg.wide import Spread, here

ENCODER = "encoder"
"""What stands for the sentence encoder where a file may stand."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_MOST_DIMENSIONS = 4_096  # of Neo4j's vector index


class Phrase(NamedTuple):
    """A phrase that may have a base vector."""

    text: str
    lang: str


class Base(NamedTuple):
    """Base vectors, by what they are called.

    Attributes:
        name: of the encoder or the file.
        sha256: of the weights or the file.
        find: phrases to their unit vectors (phrases, dimensions), and which of them have one.
    """

    name: str
    sha256: str
    find: Callable[[Sequence[Phrase]], tuple[NDArray[np.float32], NDArray[np.bool_]]]


def open_base(name: str, embeddings: Path, lang: str = "en", spread: Spread = here) -> Base:
    """Return the base vectors of a file, or of the encoder.

    Args:
        name: path of a file, or `ENCODER`.
        embeddings: the folder where the encoder keeps its vectors.
        lang: language of the words of a file that are no URIs.
        spread: what embeds, where the encoder does.

    Raises:
        InputError: there is no such file.
    """
    if name == ENCODER:
        encoder = Encoder(None, embeddings, spread)

        def embed(phrases: Sequence[Phrase]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
            return encoder.encode([phrase.text for phrase in phrases]), np.ones(len(phrases), dtype=np.bool_)

        return Base(encoder.name if "/" not in encoder.name else Path(encoder.name).name, encoder.identity, embed)
    path = Path(name)
    if not path.is_file():
        raise InputError(f"no base vectors {name}: neither a file nor {ENCODER!r}")

    def look_up(phrases: Sequence[Phrase]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return _look_up(path, phrases, lang)

    return Base(path.name, file_hash(path), look_up)


def _look_up(path: Path, phrases: Sequence[Phrase], lang: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors of phrases in a file; a term as it is goes before one that is alike in normal form."""
    exact: dict[Phrase, list[int]] = {}
    alike: dict[Phrase, list[int]] = {}
    for place, phrase in enumerate(phrases):
        exact.setdefault(phrase, []).append(place)
        alike.setdefault(Phrase(standard_text(phrase.text, phrase.lang), phrase.lang), []).append(place)
    result = np.zeros((0, 0), dtype=np.float32)
    known = np.zeros(len(phrases), dtype=np.int8)  # 1 by the normal form, 2 to the letter
    for term, vector in _rows(path):
        if not len(result):
            result = np.zeros((len(phrases), len(vector)), dtype=np.float32)
        phrase = _phrase(term, lang)
        for places, sure in ((exact.get(phrase), 2), (alike.get(_standard(phrase)), 1)):
            for place in places or ():
                if known[place] < sure:
                    result[place], known[place] = vector, sure
    if not known.any():
        raise InputError(f"{path} has no vector of any phrase of the graph; are its words in language {lang!r}?")
    return unit(result), known > 0


def _standard(phrase: Phrase) -> Phrase:
    return Phrase(standard_text(phrase.text, phrase.lang), phrase.lang)


def _phrase(term: str, lang: str) -> Phrase:
    if term.startswith("/c/"):
        text, own, _ = concept_parts(term, "term")
        return Phrase(text, own)
    return Phrase(term.replace("_", " "), lang)


def _rows(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if path.suffix == ".safetensors":
        yield from _safetensors(path)
        return
    dimensions = 0
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        parts = line.text.rstrip(" ").split(" ")
        place = max(1, len(parts) - dimensions) if dimensions else 1  # a term of GloVe's may have blanks
        if place > 1 and _NUMBER.fullmatch(parts[place - 1]):
            place = 1  # a number too many
        term, values = " ".join(parts[:place]), parts[place:]
        if line.number == 1 and len(values) == 1 and term.isdecimal():
            continue  # terms, dimensions
        try:
            vector = np.array(values, dtype=np.float32)
        except ValueError as error:
            raise InputError(f"{path}, line {line.number}: not a term with numbers after it") from error
        dimensions = dimensions or len(vector)
        if not 1 <= len(vector) <= _MOST_DIMENSIONS or len(vector) != dimensions or not np.isfinite(vector).all():
            raise InputError(
                f"{path}, line {line.number}: {len(vector)} numbers where {dimensions} are expected, each finite, "
                f"at most {_MOST_DIMENSIONS:,}"
            )
        yield term, vector


def _safetensors(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(path, framework="numpy") as file:
            vectors, terms = file.get_tensor("vectors"), (file.metadata() or {})["terms"].split("\n")
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(f"{path} is no file of kg vectors export: {error}") from error
    yield from zip(terms, vectors.astype(np.float32), strict=True)
