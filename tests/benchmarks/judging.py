"""Twenty annotators on the pages at once, a verdict every two seconds each: how long it takes, and whether one is lost.

    python -m tests.benchmarks.judging [--seconds 120] [--annotators 20]

A private Neo4j and `kg serve` as processes of their own, in a folder that goes away again; the goal is a 95th
percentile under 200 ms. A verdict is the POST and the page with the next triple to which it leads.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import numpy as np

from critic.annotators import add_annotator
from critic.batches import draw_batch
from kg.graph.connection import open_graph
from kg.graph.tasks import progress
from kg.model import Assertion, Triple
from kg.run import Run
from kg.server.server import Server
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

KG = [sys.executable, "-c", "from kg.cli import main; main()"]
PAUSE_SECONDS = 2.0
EVENTS = 2_000  # four tails each


def main() -> None:
    """Run the benchmark and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--annotators", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ["KG_HOME"] = str(home)
        workspace = Workspace(home)
        try:
            batch = _fill(workspace, round(options.annotators * (options.seconds / PAUSE_SECONDS + 5)))
            names = [f"annotator {number}" for number in range(options.annotators)]
            seconds, failed = _judge(workspace, batch, names, options.seconds)
            with open_graph(workspace) as graph:
                kept = progress(graph, batch).done
        finally:
            Server(workspace.folder("server")).stop()
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1_000
    said = f"{len(seconds):,} verdicts said, {kept:,} kept, {failed} failed"
    print(f"{options.annotators} annotators, {options.seconds:g} s: {said}")
    print(f"a verdict and the next triple: median {p50:.0f} ms, 95th percentile {p95:.0f} ms (goal 200)")


def _fill(workspace: Workspace, tasks: int) -> str:
    with open_graph(workspace) as graph:
        graph.add_vocabulary(Vocabulary.load("skd"))
        run = Run("load", model="teacher", dataset="benchmark")
        graph.begin(run)
        graph.add(
            [
                Assertion(Triple(f"PersonX does thing {number}", "xWant", f"to do {number} {place}"), split="test")
                for number in range(EVENTS) for place in range(4)
            ],
            run,
        )  # fmt: skip
        graph.finish(run, offered=4 * EVENTS)
        return draw_batch(graph, size=tasks).run


def _judge(workspace: Workspace, batch: str, names: list[str], seconds: float) -> tuple[list[float], int]:
    """Let annotators judge; return how long each verdict took, and how many requests failed."""
    tokens = [add_annotator(workspace, name) for name in names]
    serving = subprocess.Popen([*KG, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    took: list[float] = []
    failed = 0
    try:
        assert serving.stdout
        address = re.findall(r"http://[^/]+", serving.stdout.readline())[0]

        def judge(place: int) -> None:
            nonlocal failed
            with httpx2.Client(base_url=address, follow_redirects=True, timeout=60, trust_env=False) as client:
                page = client.get("/judge", params={"token": tokens[place]})
                page = _post(client, address, page, "/judge/next", batch=batch)
                due = time.monotonic() + PAUSE_SECONDS * place / len(names)
                end = time.monotonic() + seconds
                while (due := due + PAUSE_SECONDS) < end:
                    time.sleep(max(0.0, due - time.monotonic()))
                    task = str(page.url).rpartition("/")[2].partition("?")[0]
                    begun = time.monotonic()
                    answer = _post(client, address, page, "/judge/say", task=task, say="2", note="")
                    if answer.status_code != httpx2.codes.OK:
                        failed += 1
                        return
                    page = answer
                    took.append(time.monotonic() - begun)

        threads = [threading.Thread(target=judge, args=(place,)) for place in range(len(names))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        serving.terminate()
        serving.wait(60)
    return took, failed


def _post(client: httpx2.Client, address: str, page: httpx2.Response, path: str, **form: str) -> httpx2.Response:
    csrf = re.findall(r'name="csrf" content="([0-9a-f]+)"', page.text)[0]
    return client.post(path, data=form | {"csrf": csrf}, headers={"origin": address})


if __name__ == "__main__":
    main()
