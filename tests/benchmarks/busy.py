"""How much slower the loop's heavy steps are beside processes that keep the processors busy.

    python -m tests.benchmarks.busy            # an epoch of each student on 3,000 triples, and 1,500 phrases embedded
    python -m tests.benchmarks.busy --small    # a tenth of that, to see that it runs

The goal is a ratio of at most 2.5 beside two busy processes on two processors, of which a fair share is 2.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kg.encoder import Encoder
from kg.model import Triple
from kg.readings import STARTER
from student.interface import Recipe
from student.kinds import KINDS

RELATIONS = ("xWant", "xReact", "xEffect")


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes busy with nothing."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def steps(share: float) -> dict[str, float]:
    """Return how many seconds each heavy step takes; the first time it runs, its libraries are imported before."""
    lines = (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    triples = [
        Triple(row["event"], row["relation"], tail)
        for row in rows
        if row["relation"] in RELATIONS
        for tail in row["tails"]
    ][: round(3_000 * share)]
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder(None, Path(folder))
        encoder.encode(["a first text loads the model"])
        phrases = sorted({triple.tail for triple in triples})[: round(1_500 * share)]
        started = time.monotonic()
        encoder.encode(phrases)
        seconds["embed"] = time.monotonic() - started
        encoder.encode([text for triple in triples for text in (triple.head, triple.tail)])
        for name, kind in KINDS.items():
            recipe = Recipe(encoder.encode, 0, 1, None, {}, Path(folder, name))
            started = time.monotonic()
            kind.train(triples, [name for name in RELATIONS if any(t.relation == name for t in triples)], recipe)
            seconds[name] = time.monotonic() - started
    return seconds


def main() -> None:
    """Print the seconds of each step, idle and busy, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the work")
    parser.add_argument("--processes", type=int, default=2, help="how many processes are busy")
    options = parser.parse_args()
    share = 0.1 if options.small else 1.0
    steps(share / 10)  # imports, and whatever is done once
    idle = steps(share)
    with busy(options.processes):
        time.sleep(6)  # the machine is looked at every five seconds
        beside = steps(share)
    print(f"{'step':12}{'idle':>8}{'busy':>8}{'ratio':>7}")
    for name, seconds in idle.items():
        print(f"{name:12}{seconds:8.1f}{beside[name]:8.1f}{beside[name] / seconds:7.2f}")
    total, slow = sum(idle.values()), sum(beside.values())
    print(f"{'all':12}{total:8.1f}{slow:8.1f}{slow / total:7.2f}")


if __name__ == "__main__":
    main()
