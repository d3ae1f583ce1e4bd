"""Near-duplicates: texts that are the same but for case and the end of a sentence, or share most of their letters.

Texts that look alike are found by MinHash and locality-sensitive hashing (Broder 1997; `rensa`), which proposes pairs,
and each pair is then verified exactly: by itself the sketch is right in 6 to 60 % of its proposals only. Everything is
done on whole columns, so that millions of texts take minutes.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.languages import has_unspaced
from kg.threads import adapt

if TYPE_CHECKING:
    import polars as pl

_BANDS = 10
_ROWS = 5  # of a band; a pair with Jaccard 0.7 is proposed with probability 0.84, 0.8 with 0.98, 0.4 with 0.10
_SEED = 1
_CHUNK_TEXTS = 50_000
_CHUNK_PAIRS = 200_000
_WIDEST = 50  # texts of one bucket that are compared with all others; of wider ones each with its neighbours
_LETTERS = 3  # of a shingle
_NUMERALS = "[\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2150-\u218f\u2460-\u24ff\u2776-\u2793]"
"""Raised, lowered, broken and circled digits, of which NFKC would make other numbers."""

_PLAIN = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-", "\u2012": "-",
          "\u2013": "-", "\u2014": "-", "\u2212": "-"}  # fmt: skip
_ENDS = ".!。\uff01…"
_TABLE = str.maketrans(_PLAIN)
_TELLING = re.compile(r"person[a-z]\b|\d+(?:[.,:/]\d+)*|[^\w\s.,;!?'\"-]|(?<!\w)-(?=[\d$€£])|[?]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_JAPANESE = r"\p{Han}\p{Hiragana}\p{Katakana}\u{3001}-\u{3011}"  # letters and marks, as Rust's patterns name them
_CARRIES = re.compile("[\u3005\u30a1-\u30fa\u4e00-\u9fff]")
"""Letters of Japanese that carry meaning, of which near-duplicates have the same ones in the same order."""
_INFLECTS = re.compile(
    "ない|なく|なかっ|なけれ|ませ|ずに|ぬ|れる|れた|れて|られ|させ|たい|たく|たが|(?<![a-z])[xyz](?:さん)?[がはをにとのから]?"
)
"""What turns a Japanese text around: denials, voices, wishes, and which part a person has."""

_DENIALS = frozenset({
    "no", "not", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "without", "cannot", "hardly",
    "barely", "nicht", "kein", "keine", "nie", "ohne", "pas", "jamais", "sans", "sin", "nunca",
})  # fmt: skip
_DENYING = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "anti", "de")
_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63], np.uint64
)
"""Odd numbers that spread sums of letters, and of a band's rows, over 64 bits."""


def normalised(texts: Sequence[str]) -> "pl.Series":
    """Return texts in one Unicode form and in lower case, blanks drawn together, without what ends a sentence.

    Nothing else may go: signs, digits and punctuation inside a text tell it from another one. Raised and lowered
    digits, fractions and numbers in circles stay what they are; typographic quotation marks, dashes and minus signs
    become plain.

    >>> normalised(["To  rest!", "TO REST .", "?!", "5!", "C++", "-5 °C", "1.5", ":)", "傘 を 持つ。"]).to_list()
    ['to rest', 'to rest', '?!', '5!', 'c++', '-5 °c', '1.5', ':)', '傘を持つ']
    """
    adapt()  # polars takes the number of its threads when it is imported
    import polars as pl  # noqa: PLC0415 - only where it is used

    column = pl.Series(texts, dtype=pl.String)
    odd = column.str.contains(r"[^\x00-\x7F]").arg_true()  # Unicode's forms leave ASCII alone, and are half of the work
    if len(odd):
        plain = column.gather(odd).str.normalize("NFC").str.replace_many(_PLAIN)
        whole = plain.str.contains(_NUMERALS)
        column = column.scatter(odd, plain.zip_with(whole, plain.str.normalize("NFKC")))
    column = column.str.to_lowercase()
    odd = column.str.contains(r"[^\S ]|  |^ | $").arg_true()
    if len(odd):
        column = column.scatter(odd, column.gather(odd).str.replace_all(r"\s+", " ").str.strip_chars(" "))
    odd = column.str.contains(rf"[{_JAPANESE}] [{_JAPANESE}]").arg_true()
    for _ in range(2 * bool(len(odd))):  # a letter may stand between two blanks
        closed = column.gather(odd).str.replace_all(rf"([{_JAPANESE}]) ([{_JAPANESE}])", "$1$2")
        column = column.scatter(odd, closed)
    for pattern in (rf"(\p{{L}}\p{{M}}*)[ {_ENDS}]+$", r"([^ .。…])[ .。…]+$"):  # "!" says something after a digit: 5!
        ends = column.str.contains(f"[{_ENDS}]$").arg_true()
        if len(ends):
            column = column.scatter(ends, column.gather(ends).str.replace(pattern, "$1"))
    return column


def first_alike(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return for each text the place of the first one that is the same after normalising: (n,).

    >>> first_alike(["to rest", "to eat", "To rest."]).tolist()
    [0, 1, 0]
    """
    adapt()  # polars takes the number of its threads when it is imported
    import polars as pl  # noqa: PLC0415 - only where it is used

    frame = pl.DataFrame({"text": normalised(texts)}).with_row_index("place")
    return frame.select(pl.col("place").min().over("text").cast(pl.Int64)).to_series().to_numpy()


def may_say_the_same(one: str, other: str) -> bool:
    """Tell whether nothing but spelling, word forms or small words may part two near-duplicates.

    False if they differ in persons, numbers or signs, in the order of the same words, or in a denial. The denials that
    are known are English, Japanese, and a few of German, French and Spanish. Japanese texts have the same Chinese and
    katakana letters, voices and wishes, too.

    >>> may_say_the_same("右手を挙げる", "左手を挙げる"), may_say_the_same("傘を忘れてしまう", "傘を忘れてしまった")
    (False, True)
    >>> may_say_the_same("PersonX likes PersonY", "PersonY likes PersonX"), may_say_the_same("to rest", "to rests")
    (False, True)
    """
    left, right = _told(one), _told(other)
    if left.telling != right.telling or left.denials != right.denials:
        return False
    if left.words == right.words:
        return True
    if sorted(left.words) == sorted(right.words):
        return False
    mine, theirs = {*left.words} - {*right.words}, {*right.words} - {*left.words}
    return not any(
        long == prefix + short
        for first, second in ((mine, theirs), (theirs, mine))
        for short in first
        for long in second
        for prefix in _DENYING
    )


class _Told(NamedTuple):
    telling: Sequence[str]
    words: list[str]
    denials: int


@lru_cache(maxsize=100_000)
def _told(text: str) -> _Told:
    plain = unicodedata.normalize("NFC", text).translate(_TABLE).lower()
    words = _WORD.findall(plain)
    denials = sum(word in _DENIALS or word.endswith("n't") for word in words)
    telling = _TELLING.findall(plain)
    if has_unspaced(plain):
        telling += [*_CARRIES.findall(plain), *_INFLECTS.findall(plain)]
    return _Told(telling, words, denials)


def near_pairs(texts: Sequence[str], jaccard: float) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of texts whose sets of three-letter shingles have at least a Jaccard index, each pair once.

    Args:
        texts: distinct ones.
        jaccard: smallest index, in (0, 1].

    Yields:
        Rows of two texts, the smaller first, and the exact index.
    """
    from scipy import sparse  # noqa: PLC0415 - takes a moment

    if len(texts) < 2:  # noqa: PLR2004 - a pair
        return
    hashes, offsets = _shingles(texts)
    columns = (hashes >> np.uint64(1)).astype(np.int64)
    sets = sparse.csr_array(
        (np.ones(len(columns), dtype=np.float32), columns, offsets.copy()), shape=(len(texts), np.iinfo(np.int64).max)
    )
    sets.sum_duplicates()  # in place, hence the copy
    sets.data[:] = 1
    sizes = np.diff(sets.indptr)
    pairs = _proposals(hashes, offsets)
    for start in range(0, len(pairs), _CHUNK_PAIRS):
        left, right = pairs[start : start + _CHUNK_PAIRS].T
        smaller, larger = np.minimum(sizes[left], sizes[right]), np.maximum(sizes[left], sizes[right])
        possible = smaller >= jaccard * larger
        left, right = left[possible], right[possible]
        shared = np.asarray(sets[left].multiply(sets[right]).sum(axis=1)).ravel()
        index = shared / (sizes[left] + sizes[right] - shared)
        for place in np.flatnonzero(index >= jaccard):
            yield int(left[place]), int(right[place]), float(index[place])


def _shingles(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of all texts' shingles, one after the other, and where each text's begin: (n + 1,)."""
    padded = [f" {text} " for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    grams = letters[:-2] * _FACTORS[0] + letters[1:-1] * _FACTORS[1] + letters[2:] * _FACTORS[2]
    grams ^= grams >> np.uint64(29)
    ends = np.cumsum(lengths)
    inside = np.ones(len(letters), dtype=bool)
    inside[ends - 1] = inside[ends - 2] = False  # a shingle does not reach into the next text
    return grams[inside[:-2]], np.concatenate([[0], np.cumsum(lengths - _LETTERS + 1)])


def _proposals(hashes: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return pairs of rows that share a band of their sketches: (pairs, 2), the smaller first, each once."""
    import rensa  # noqa: PLC0415 - only where it is used

    count = len(offsets) - 1
    bands = np.empty((_BANDS, count), dtype=np.uint64)
    for start in range(0, count, _CHUNK_TEXTS):
        part = offsets[start : start + _CHUNK_TEXTS + 1]
        sketch = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
            hashes[part[0] : part[-1]], (part - part[0]).astype(np.uint64), _BANDS * _ROWS, _SEED
        )
        flat = np.fromiter(chain.from_iterable(sketch.to_rows()), np.uint64, count=(len(part) - 1) * _BANDS * _ROWS)
        rows = flat.reshape(-1, _BANDS, _ROWS)
        bands[:, start : start + len(rows)] = (rows * _FACTORS).sum(axis=2, dtype=np.uint64).T
    found = [np.empty(0, dtype=np.int64)]
    for band in bands:
        order = np.argsort(band, kind="stable")
        same = band[order][1:] == band[order][:-1]
        order = order[np.concatenate([[False], same]) | np.concatenate([same, [False]])]  # those in company
        bucket = np.cumsum(np.concatenate([[True], band[order][1:] != band[order][:-1]])) if len(order) else order
        width = np.bincount(bucket)[bucket]
        for step in range(1, _WIDEST):
            pair = (bucket[step:] == bucket[:-step]) & ((width[step:] <= _WIDEST) | (step == 1))
            if not pair.any():
                break
            one, other = order[:-step][pair], order[step:][pair]
            found.append(np.minimum(one, other) * count + np.maximum(one, other))
    keys = np.unique(np.concatenate(found))
    return np.stack([keys // count, keys % count], axis=1)
