"""Two workers of Ray beside one process, one thread each: scoring with kept embeddings, and by asking a model.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.wide [--triples 20000] [--asked 2000]

Critics are of the kind likelihood with drawn weights; the fast one reads kept embeddings, the full one asks the
language model of `skd-graph[lm]` about each triple. Triples are the starter corpus's. Rates are triples a second of the
clock, so they mean something only where two processors are free; the CPU-seconds of this process and of all that it
started stand beside them. What starts a cluster, and opens models the first time, is not counted. Both ways are checked
to score alike, byte for byte.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from more_itertools import chunked

from critic.features import PARTS
from critic.likelihood.model import Likelihood
from critic.likelihood.view import View, opened
from critic.model import FOLDS, folds_of, vectors_of
from critic.roles import FILTER, ROLES
from kg.encoder import Encoder
from kg.language_model.opening import DEFAULT
from kg.language_model.weights import find_package
from kg.model import Triple
from kg.readings import STARTER
from kg.vocabulary import Vocabulary
from kg.wide import LOCAL, Spread, here, workers
from kg.workspace import Workspace

_LEARNT = 2_000  # triples that the cheap scores are fitted on


def drawn_critic(encoder: Encoder, triples: Sequence[Triple], digest: str) -> Likelihood:
    """Return a likelihood critic whose weights mean nothing."""
    vocabulary = Vocabulary.load("skd")
    relations = sorted({one.relation for one in triples})
    learnt = triples[:: max(1, len(triples) // _LEARNT)]
    rows, dealt = vectors_of(learnt, relations, encoder.encode), folds_of(learnt)
    chance = np.random.default_rng(0)
    parts = [[PARTS[part].fit(rows.of(dealt != fold), chance) for part in ROLES[FILTER].parts] for fold in range(FOLDS)]
    mean, deviation = np.zeros(10), np.ones(10)
    fast, full = (_inputs(count, len(relations), rows.tails.shape[1]) for count in (3, 10))
    arrays = {
        "fast": chance.normal(size=(FOLDS, fast + 1)) / 30, "full": chance.normal(size=(FOLDS, full + 1)) / 30,
        "mean": mean, "deviation": deviation, "fast_scale": np.array([0.0, 1.0]), "full_scale": np.array([0.0, 1.0]),
    }  # fmt: skip
    phrases = {name: vocabulary[name].phrase for name in relations}
    return Likelihood(FILTER, relations, parts, arrays, View(phrases, digest), encoder.encode)


def _inputs(scores: int, relations: int, size: int) -> int:
    """Return how many inputs the regression has: scores, their products, relations, tails, heads times tails."""
    return scores + scores * (scores - 1) // 2 + relations + 2 * size


def timed(
    spread: Spread, pages: Sequence[list[Triple]], score: Callable[[list[Triple]], Any]
) -> tuple[Any, float, float]:
    """Return the scores of all pages, seconds of the clock, and CPU-seconds of this process and its children."""
    start, before = time.monotonic(), _used()
    found = np.concatenate(list(spread(pages, score)))
    return found, time.monotonic() - start, _used() - before


def _used() -> float:
    return sum(sum(one.cpu_times()[:2]) for one in [psutil.Process(), *psutil.Process().children(recursive=True)])


def compare(name: str, spread: Spread, triples: list[Triple], page: int, score: Callable[[list[Triple]], Any]) -> None:
    """Print both ways' rates on the same pages."""
    pages = list(chunked(triples, page))
    list(spread(pages[:1] * 4, score))  # both workers open what they need
    score(pages[0][:10])
    plain, plain_seconds, plain_used = timed(here, pages, score)
    wide, wide_seconds, wide_used = timed(spread, pages, score)
    np.testing.assert_array_equal(plain, wide)
    print(
        f"{name}: {len(triples):,} triples in {len(pages)} pages: one process {len(triples) / plain_seconds:,.0f} a "
        f"second ({plain_used:.1f} CPU-seconds), two workers {len(triples) / wide_seconds:,.0f} ({wide_used:.1f}), "
        f"{plain_seconds / wide_seconds:.2f} times; the same bytes",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--triples", type=int, default=20_000)
    parser.add_argument("--asked", type=int, default=2_000)
    parser.add_argument("--embeddings", type=Path, help="a folder with kept embeddings; without it all are made")
    given = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: workers have one thread each")
    rows = [json.loads(line) for line in (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    triples = [Triple(row["event"], row["relation"], tail) for row in rows for tail in row["tails"]][: given.triples]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder, "home"))
        encoder = Encoder(None, given.embeddings or workspace.folder("embeddings"))
        encoder.encode([text for one in triples for text in (one.head, one.tail)])
        critic = drawn_critic(encoder, triples, opened(DEFAULT).digest if find_package() else "none")
        with workers(LOCAL, workspace) as spread:
            compare("kept embeddings", spread, triples, 5_000, critic.score_fast)
            if find_package():
                compare("language model", spread, triples[: given.asked], max(1, given.asked // 8), critic.score)


if __name__ == "__main__":
    main()
