"""The pages on a graph of many edges: how long event, search and browse take.

    python -m tests.benchmarks.pages [--edges 650000] [--rounds 30]

A private Neo4j in a folder that goes away again, edges of ATOMIC-10X's shape with scores, and a student's on one event
in fifty; the goal is 100 ms. Each kind of page is asked for in turn, with other events and words in each round, by one
reader without pause, through the whole application but for the socket. The CPU-seconds are this process's and the
server's: on a machine that others use, too, compare these.
"""

import argparse
import os
import random
import tempfile
import time

import numpy as np
import psutil
from starlette.testclient import TestClient

from kg.graph.connection import open_graph
from kg.identity import phrase_id
from kg.model import Acceptance, Assertion, Triple
from kg.run import Run
from kg.serve import stages_of
from kg.server.server import Server
from kg.web.app import make_app
from kg.web.guard import OWNER
from kg.web.link import Link
from kg.web.site import Site
from kg.workspace import Workspace
from tests.benchmarks.graph import RELATIONS, assertions, score

HOST = "127.0.0.1:8137"
GOAL = 0.1
NAME = "pages"
EVERY = 50  # of the events a student has spoken about one
PER_EVENT = 39


def main() -> None:
    """Run the benchmark and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=650_000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KG_HOME"] = folder
        os.environ.pop("NEO4J_URI", None)
        workspace = Workspace.default()
        server = Server(workspace.folder("server"))
        try:
            run = fill(workspace, given.edges)
            measure(workspace, server.status().pid, given.edges, given.rounds, run)
        finally:
            server.stop()


def fill(workspace: Workspace, edges: int) -> str:
    """Load and score edges; return the student's run."""
    begun = time.monotonic()
    load, predict = Run("load", model="teacher", dataset=NAME), Run("predict", model="student")
    with open_graph(workspace) as graph:
        graph.add_vocabulary(RELATIONS)
        for run in (load, predict):
            graph.begin(run)
        graph.add(assertions(edges, NAME), load)
        heads = [event(number) for number in range(0, edges // PER_EVENT, EVERY)]
        graph.add((Assertion(Triple(head, "xWant", f"to say {head[-20:]}")) for head in heads), predict)
        graph.record_critic("critic")
        acceptance = Acceptance("acceptance", "critic", 0.8, {"0.8": dict.fromkeys(RELATIONS.names, 0.5) | {"*": 0.5}})
        graph.record_acceptance(acceptance)
        graph.record_scores("critic", score, acceptance)
        for run in (load, predict):
            graph.finish(run)
    print(f"{edges:,} edges loaded and scored in {time.monotonic() - begun:.0f} s", flush=True)
    return predict.id


def event(number: int) -> str:
    """Return the text of an event, as `tests.benchmarks.graph.assertions` has it."""
    return f"PersonX does what {NAME} number {number} says, with PersonY"


def measure(workspace: Workspace, pid: int | None, edges: int, rounds: int, run: str) -> None:
    """Ask for the pages and print how long each kind takes."""

    rng = random.Random(0)

    def some() -> int:
        return rng.randrange(edges // PER_EVENT)

    kinds = {
        "event": lambda: f"/phrase/{phrase_id(event(some()))}",
        "tail of many events": lambda: (
            f"/phrase/{phrase_id(f'to do a thing of the kind {rng.randrange(20)} of {NAME}')}"
        ),
        "search, rare word": lambda: f"/search?text={some()}",
        "search, words of all": lambda: "/search?text=does+what+says",
        "browse": lambda: "/browse",
        "browse, further on": lambda: f"/browse?head={rng.randrange(16**32):032x}&after=xNeed&tail=5",
        "browse, one relation, accepted": lambda: "/browse?relation=xNeed&accepted=yes&split=test",
        "browse, score .5 to .6": lambda: "/browse?low=0.5&high=0.6",
        "browse, predicted": lambda: "/browse?predicted=yes",
        "browse, a run": lambda: f"/browse?run={run}",
        "browse, rare word": lambda: f"/browse?text={some()}",
        "browse, words of all": lambda: "/browse?text=does+what",
        "browse, judged (none is)": lambda: "/browse?judged=yes",
    }
    processes = [psutil.Process(), *([psutil.Process(pid)] if pid else [])]
    with Link(lambda: open_graph(workspace)) as link:
        site = Site(link, stages_of(workspace))
        app = make_app(site, hosts={HOST}, who={"token": OWNER}.get)
        with TestClient(app, base_url=f"http://{HOST}") as client:
            assert client.get("/", params={"token": "token"}).status_code == 200
            print(f"{'':32} {'median':>8} {'p95':>8} {'CPU':>8}   ms")
            for name, address in kinds.items():
                seconds = []
                for number in range(rounds + 3):
                    if number == 3:  # the first make plans
                        before = cpu(processes)
                    begun = time.monotonic()
                    answer = client.get(address())
                    assert answer.status_code == 200, answer.text
                    seconds.append(time.monotonic() - begun)
                own = (cpu(processes) - before) / rounds
                middle, high = np.quantile(seconds[3:], [0.5, 0.95])
                slow = "" if middle < GOAL else "   over the goal"
                print(f"{name:32} {1000 * middle:8.0f} {1000 * high:8.0f} {1000 * own:8.0f}{slow}", flush=True)
        site.kept.close()


def cpu(processes: list[psutil.Process]) -> float:
    """Return the CPU-seconds of some processes until now."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


if __name__ == "__main__":
    main()
