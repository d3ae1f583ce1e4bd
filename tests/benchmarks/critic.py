"""Critics beside what a user would pick to score pairs of texts, on one thread: rates per CPU-second.

    python -m tests.benchmarks.critic [--pairs N]

The usual way is `sentence_transformers.CrossEncoder.predict`. Beside it stand the same weights as the fine-tuned critic
reads them, whole and in eight bits, and the fast part of the likelihood critic on phrases whose embeddings are kept.

The weights are those of the sentence encoder, fine-tuned to tell the starter's triples from those with another
relation; the AUC of both ways is on pairs that it was not fine-tuned on.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from more_itertools import chunked
from sentence_transformers import CrossEncoder
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from critic.features import PARTS
from critic.finetuned.reading import eight_bit, read
from critic.likelihood.model import Likelihood
from critic.likelihood.view import View
from critic.model import folds_of, vectors_of
from critic.roles import FILTER, ROLES
from critic.saved import FOLDS
from kg.encoder import Encoder
from kg.model import Triple
from kg.readings import STARTER
from kg.vocabulary import Vocabulary

SAME_GOAL, FAST_GOAL, LOSS_GOAL = 1.8, 100, 0.2

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return CPU-seconds and the result of some work."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    """Run the benchmark and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000)
    count = parser.parse_args().pairs
    torch.set_num_threads(1)
    triples, good = drawn(3 * count)
    with tempfile.TemporaryDirectory() as folder:
        usual, embed = same_weights(Path(folder), triples, good, count)
        fast(embed, triples[:count], usual)


def drawn(count: int) -> tuple[list[Triple], np.ndarray[Any, Any]]:
    """Return triples of the starter corpus, every second one with another relation, and which are whole."""
    rows = [json.loads(line) for line in (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [Triple(row["event"], row["relation"], tail) for row in rows for tail in row["tails"]]
    chosen = random.Random(0).sample(found, count)
    good = np.arange(count) % 2 == 0
    relations = sorted({one.relation for one in found})
    chance = random.Random(1)
    return [
        one
        if whole
        else Triple(one.head, chance.choice([name for name in relations if name != one.relation]), one.tail)
        for one, whole in zip(chosen, good, strict=True)
    ], good


def same_weights(folder: Path, triples: list[Triple], good: np.ndarray[Any, Any], count: int) -> tuple[float, Encoder]:
    """Compare readers of the same weights on the first `count` pairs; return the usual rate, and the encoder."""
    phrases = Vocabulary.load("skd")
    pairs = [(one.head, f"{phrases[one.relation].phrase} {one.tail}") for one in triples]
    encoder = Encoder(None, folder / "embeddings")
    model: Any = AutoModelForSequenceClassification.from_pretrained(encoder.name, num_labels=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder.name)
    cut = tokenizer([one for one, _ in pairs], [two for _, two in pairs], truncation=True)
    texts = [{name: cut[name][row] for name in ("input_ids", "token_type_ids")} for row in range(len(pairs))]
    fit(model, tokenizer, texts[count:], good[count:])
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    crossing = CrossEncoder(str(folder / "model"), device="cpu")
    crossing.predict(pairs[:32])
    seconds, expected = timed(lambda: np.asarray(crossing.predict(pairs[:count])))
    usual, base = count / seconds, 100 * float(roc_auc_score(good[:count], expected))
    print(f"CrossEncoder.predict: {usual:.0f} pairs a CPU-second, AUC {base:.1f}")
    for name, reader in (("whole", model), ("eight bits", eight_bit(model))):
        read(reader, texts[:32])
        seconds, found = timed(lambda reader=reader: read(reader, texts[:count]))  # type: ignore[misc]
        rate, auc = count / seconds, 100 * float(roc_auc_score(good[:count], found))
        print(
            f"same weights, {name}: {rate:.0f}, {rate / usual:.1f} times (goal {SAME_GOAL}); AUC {auc:.1f}, "
            f"{auc - base:+.2f} (goal -{LOSS_GOAL})",
            flush=True,
        )
        if name == "whole":
            np.testing.assert_allclose(1 / (1 + np.exp(-found)), expected, atol=1e-4)
    return usual, encoder


def fit(model: Any, tokenizer: Any, texts: list[dict[str, list[int]]], good: np.ndarray[Any, Any]) -> None:
    """Fine-tune the model for two passes over texts."""
    torch.manual_seed(0)
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for epoch in range(2):
        for rows in chunked(np.random.default_rng(epoch).permutation(len(texts)).tolist(), 32):
            batch = tokenizer.pad([texts[row] for row in rows], return_tensors="pt")
            logits = model(**batch).logits[:, 0]
            optimiser.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(
                logits, torch.tensor(good[rows], dtype=logits.dtype)
            ).backward()
            optimiser.step()
    model.eval()


def fast(encoder: Encoder, triples: list[Triple], usual: float) -> None:
    """Time the fast part of a likelihood critic whose numbers are drawn, on kept embeddings."""
    relations = sorted({one.relation for one in triples})
    rows, dealt = vectors_of(triples, relations, encoder.encode), folds_of(triples)
    chance = np.random.default_rng(0)
    parts = [[PARTS[part].fit(rows.of(dealt != fold), chance) for part in ROLES[FILTER].parts] for fold in range(FOLDS)]
    inputs = 3 + 3 + len(relations) + 2 * rows.tails.shape[1]
    weights = {"fast": chance.normal(size=(FOLDS, inputs + 1)), "mean": np.zeros(10), "deviation": np.ones(10)}
    ends = {"fast_scale": np.array([0.0, 1.0]), "full_scale": np.array([0.0, 1.0])}
    critic = Likelihood(FILTER, relations, parts, weights | ends, View({}, "none"), encoder.encode)
    many = triples * (20_000 // len(triples) + 1)
    critic.score_fast(many[:100])
    seconds, _ = timed(lambda: critic.score_fast(many))
    rate = len(many) / seconds
    print(f"fast critic on kept embeddings: {rate:.0f} pairs a CPU-second, {rate / usual:.0f} times (goal {FAST_GOAL})")


if __name__ == "__main__":
    main()
