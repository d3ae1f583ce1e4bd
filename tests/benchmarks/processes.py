"""Two processes with a thread each beside one process with two threads, and with one.

    python -m tests.benchmarks.processes [--steps N]

A small base of random weights without dropout is trained on the starter corpus in each way, in turns and twice, and
each comes to the same loss. Tail tokens are counted by second of the clock and by CPU-second of all processes, from the
first step to the last.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from kg.model import Triple
from kg.recorded import STRONG, TEACHERS
from kg.vocabulary import Vocabulary
from student.generator import training
from student.generator.tokens import Codec
from student.interface import Recipe
from student.together import together

WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, a thread each": (2, 1)}
LAYERS, WIDTH = 4, 384


def triples() -> list[Triple]:
    lines = TEACHERS[STRONG].completions.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Triple(row["event"], row["relation"], tail) for row in rows for tail in row["tails"]]


def make_base(folder: Path) -> None:
    """Write a base whose tokens are those of the corpus."""
    found = triples()
    phrases = {name: Vocabulary.load("skd")[name].phrase for name in sorted({one.relation for one in found})}
    codec = Codec.fit({text: None for one in found for text in (one.head, one.tail)}, sorted(phrases), phrases)
    codec.tokenizer.save_pretrained(folder)
    end = codec.tokenizer.eos_token_id
    still = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    torch.manual_seed(0)
    GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(codec), n_positions=256, n_layer=LAYERS, n_embd=WIDTH, n_head=6, bos_token_id=end,
            eos_token_id=end, **still,
        )
    ).save_pretrained(folder)  # fmt: skip


def used() -> float:
    """Return the CPU-seconds of this process and of those that train along."""
    everyone = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(one.cpu_times()[:2]) for one in everyone)


def be(base: Path, processes: int, steps: int) -> None:
    """Train, and print what it took as JSON."""
    found: dict[str, Any] = {}
    real = training.fit

    def timed(*arguments: Any, **options: Any) -> Any:
        plan = arguments[2]
        clock, busy = time.monotonic(), used()
        losses = real(*arguments, **options)
        tokens = sum(len(arguments[1][number][1]) for epoch in plan for batch in epoch for number in batch)
        loss = float(np.mean(losses[-1]))
        found.update(tokens=tokens, clock=time.monotonic() - clock, busy=used() - busy, loss=loss)
        return losses

    training.fit = timed
    some = triples()[: steps * 8 * 3]  # about three tails a pair
    phrases = {name: Vocabulary.load("skd")[name].phrase for name in {one.relation for one in some}}
    with together(processes), tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(lambda _: np.zeros((0, 1), np.float32), 0, 1, str(base), phrases, Path(folder) / "progress")
        training.train_generator(some, sorted(phrases), recipe)
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--be", nargs=2)
    given = parser.parse_args()
    if given.be:
        be(Path(given.be[0]), int(given.be[1]), given.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_base(Path(folder))
        for turn in (1, 2):
            for name, (processes, threads) in WAYS.items():
                command = [sys.executable, "-m", "tests.benchmarks.processes", "--steps", str(given.steps),
                           "--be", folder, str(processes)]  # fmt: skip
                own = os.environ | {"OMP_NUM_THREADS": str(threads)}
                done = subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{turn}. {name}: {found['tokens'] / found['clock']:.0f} tail tokens a second,"
                    f" {found['tokens'] / found['busy']:.0f} a CPU-second, loss {found['loss']:.5f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
