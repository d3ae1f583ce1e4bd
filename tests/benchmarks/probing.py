"""A probe by whole sentences beside the usual way: sentences in file order, 32 at once, padded; on one thread.

    python -m tests.benchmarks.probing [--model FOLDER] [--file LAMA] [--templates FILE] [--facts N]

Without a file the facts are the starter corpus's: an event, a relation's phrase and a tail, among the tails of the
other events. Without a model it is that of `skd-graph[lm]`. Both ways must come to the same ranks; both rates and their
ratio are printed.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from more_itertools import chunked

from kg.errors import NotReady
from kg.language_model.opening import DEFAULT, open_language_model
from kg.probing.causal import CausalProbe
from kg.probing.clozes import read_clozes
from kg.probing.wording import Blank, read_templates
from kg.vocabulary import Vocabulary

TOGETHER = 32
TIE = 1e-3  # log-probabilities that are no further apart may change places


def starter(count: int) -> tuple[list[Blank], list[str]]:
    """Sentences and right tails of the starter corpus."""
    from tests.benchmarks.language_model import rows  # noqa: PLC0415 - imports much

    found = [(Blank(f"{event}{phrase} ", "."), tail) for event, phrase, tail in rows(0)]
    some = [found[place * len(found) // count] for place in range(count)]
    return [blank for blank, _ in some], [tail for _, tail in some]


def usual(model: Any, tokenizer: Any, sentences: Sequence[str]) -> list[float]:
    """Log-probabilities of whole sentences, as one would write it."""
    found: list[float] = []
    for some in chunked(sentences, TOGETHER):
        batch = tokenizer(list(some), return_tensors="pt", padding=True, padding_side="right")
        ids, mask = batch["input_ids"], batch["attention_mask"]
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
        each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
        found += (-each * mask[:, 1:]).sum(1).tolist()
    return found


def ranks(scores: Any, place: int) -> tuple[int, int]:
    """Return the least and the greatest rank that rounding allows."""
    others = np.delete(scores, place)
    return 1 + int((others > scores[place] + TIE).sum()), 1 + int((others > scores[place] - TIE).sum())


def main() -> None:
    """Measure on one thread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--facts", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        opened = open_language_model(options.model)
    except NotReady as error:
        print(f"no language model to measure: {error}")
        return
    if options.file:
        templates = read_templates(options.templates) if options.templates else {}
        read = read_clozes(options.file, Vocabulary.load("lama"), templates).rows
        some = [read[place * len(read) // options.facts] for place in range(options.facts)]
        blanks, right = [row.blank for row in some], [row.triple.tail for row in some]
        candidates = sorted({row.triple.tail for row in read})[:300]
        candidates = sorted({*candidates, *right})
    else:
        blanks, right = starter(options.facts)
        candidates = sorted(set(right))
    probe = CausalProbe(opened.model, opened.tokenizer, candidates)
    start = time.process_time()
    found = list(probe.scores(blanks, right))
    ours = time.process_time() - start
    sentences = [blank.fill(candidate) for blank in blanks for candidate in candidates]
    start = time.process_time()
    expected = np.array(usual(opened.model, opened.tokenizer, sentences)).reshape(len(blanks), -1)
    theirs = time.process_time() - start
    for own, other, tail in zip(found, expected, right, strict=True):
        place = candidates.index(tail)
        low, high = ranks(other, place)
        assert low <= 1 + int((np.delete(own, place) > own[place]).sum()) <= high
    print(
        f"whole sentences, {len(blanks)} facts, {len(candidates)} candidates: {len(sentences) / ours:,.0f} sentences a "
        f"CPU-second, {TOGETHER} at once {len(sentences) / theirs:,.0f}; ratio {theirs / ours:.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
