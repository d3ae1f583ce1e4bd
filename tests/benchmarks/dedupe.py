"""De-duplication beside what a user would pick: a plain-Python normaliser, and datasketch.

    python tests/benchmarks/dedupe.py [FILE] [--strings N]

FILE has head, relation and tail, parted by tabs (ATOMIC's train.tsv); without it the starter corpus's tails are varied.
Both sides run on the same texts in the same process. Near-duplicates are checked against the exact pairs of a sample.
"""

import argparse
import json
import random
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasketch import MinHash, MinHashLSH

from ingest.duplicates.near import first_alike, near_pairs, normalised
from kg.readings import STARTER

JACCARD = 0.7
SAMPLE = 4_000


def main() -> None:
    """Print rates, ratios, precision and recall."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--strings", type=int, default=100_000)
    options = parser.parse_args()
    texts = read(options.file, options.strings)
    normalised(texts[:10])
    list(near_pairs(texts[:10], JACCARD))

    ours, mine = timed(lambda: first_alike(texts))
    plain, theirs = timed(lambda: plain_first_alike(texts))
    assert mine.tolist() == theirs, "both find the same"
    rates = f"ours {len(texts) / ours:,.0f}/s, plain Python {len(texts) / plain:,.0f}/s, ratio {plain / ours:.1f}"
    print(f"exact duplicates after normalising among {len(texts):,} strings: {rates}")

    distinct = normalised(texts).unique(maintain_order=True).to_list()
    ours, found = timed(lambda: list(near_pairs(distinct, JACCARD)))
    some = distinct[: len(distinct) // 10]
    theirs, _ = timed(lambda: datasketch_pairs(some))
    rate, their_rate = len(distinct) / ours, len(some) / theirs
    print(f"near-duplicates of {len(distinct):,} distinct strings, {len(found):,} pairs: ours {rate:,.0f}/s, "
          f"datasketch {their_rate:,.0f}/s on a tenth of them, ratio {rate / their_rate:.1f}")  # fmt: skip

    sample = random.Random(0).sample(distinct, min(SAMPLE, len(distinct)))
    truth = exact_pairs(sample)
    for name, pairs in (
        ("ours", {(left, right) for left, right, _ in near_pairs(sample, JACCARD)}),
        ("datasketch", datasketch_pairs(sample)),
    ):
        right = len(pairs & truth)
        print(f"{name}: precision {right / max(1, len(pairs)):.3f}, recall {right / max(1, len(truth)):.3f} "
              f"of {len(truth):,} exact pairs among {len(sample):,} strings")  # fmt: skip


def read(file: Path | None, number: int) -> list[str]:
    """Texts with some variety: real ones where a file is given."""
    if file:
        texts = [cell for line in file.read_text(encoding="utf-8").splitlines() for cell in line.split("\t")[::2]]
    else:
        rows = map(json.loads, (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines())
        tails = [tail for row in rows for tail in row["tails"]]
        endings = ["", "!", " again", " at once", " now", " , too", " TODAY", " with PersonY"]
        texts = [tail + ending for ending in endings for tail in tails]
    random.Random(1).shuffle(texts)
    return texts[:number]


def plain_first_alike(texts: Sequence[str]) -> list[int]:
    """What one would write: NFKC, lower case, a regular expression, a dict."""
    odd = re.compile(r"[\W_]+")
    first: dict[str, int] = {}
    done = []
    for place, text in enumerate(texts):
        plain = odd.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip() or text
        done.append(first.setdefault(plain, place))
    return done


def shingles(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[place : place + 3] for place in range(len(padded) - 2)}


def datasketch_pairs(texts: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs by datasketch as its documentation shows, each verified exactly."""
    index = MinHashLSH(threshold=JACCARD, num_perm=128)
    sets = [shingles(text) for text in texts]
    pairs = set()
    for place, own in enumerate(sets):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([gram.encode() for gram in own])
        for other in index.query(sketch):
            if len(own & sets[other]) / len(own | sets[other]) >= JACCARD:
                pairs.add((other, place))
        index.insert(place, sketch)
    return pairs


def exact_pairs(texts: Sequence[str]) -> set[tuple[int, int]]:
    """All pairs, one by one."""
    sets = [shingles(text) for text in texts]
    return {
        (left, right)
        for right in range(len(sets))
        for left in range(right)
        if len(sets[left] & sets[right]) >= JACCARD * len(sets[left] | sets[right])
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
