"""The graph at the size of ATOMIC-10X: load, score, export, undo, hash, snapshot and bulk import.

    python -m tests.benchmarks.graph --edges 650000
    python -m tests.benchmarks.graph --edges 6500000

On a private server of its own, from the beginning. Beside each of the first four stands the usual way, on the same
server, in the same run, on a tenth of the edges (at most 65,000), since it takes so long: `MERGE` of nodes and edge for
each row in batches of 1,000; whole nodes and relationships returned; scores set by both keys; judgements deleted by
`CALL … IN TRANSACTIONS`. Rates are rows a second of the clock, and CPU-seconds are those of this process and of the
server: on a machine that others use, too, compare these. The server is the limit where its own are nearly all of the
time. Memory is the largest of this process so far.
"""

import argparse
import os
import random
import resource
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import neo4j
import psutil

from kg.exchange.parquet import write_parquet
from kg.graph.connection import open_graph
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, tail_id
from kg.model import JUDGEMENT_VALUES, Acceptance, Assertion, Judgement, Triple
from kg.run import Run
from kg.server.server import Address, Server
from kg.snapshot.bulk import import_privately
from kg.snapshot.folder import open_snapshot, write_snapshot
from kg.snapshot.hashing import hash_graph
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

RELATIONS = Vocabulary.load("skd")
_PER_EVENT = 39  # of ATOMIC-10X: 6.46 M triples of 165,783 events
_USUAL = 65_000
_BATCH = 1_000
_JUDGEMENTS = 28_721  # of CKBP that name phrases which only they need


def assertions(count: int, name: str, seed: int = 0) -> Iterator[Assertion]:
    """Yield edges of ATOMIC-10X's shape: many tails once, some very often."""
    rng = random.Random(f"{name} {seed}")
    for number in range(count):
        tail = int(rng.random() ** 3 * count * 2)
        yield Assertion(
            Triple(
                f"PersonX does what {name} number {number // _PER_EVENT} says, with PersonY",
                RELATIONS.names[number % len(RELATIONS)],
                f"to do a thing of the kind {tail} of {name}",
            ),
            logprob=-round(rng.random(), 6),
        )


def score(triples: Sequence[Triple]) -> Iterator[float]:
    """Yield a score of no meaning that costs next to nothing."""
    return (zlib.crc32(triple.tail.encode()) / 2**32 for triple in triples)


class Clock:
    """Times one stage after the other and prints them.

    Attributes:
        server: the server's process.
    """

    def __init__(self, server: psutil.Process) -> None:
        self.server = server
        self._costs: dict[str, tuple[float, float]] = {}

    def __call__(self, name: str, work: Callable[[], int], beside: str | None = None) -> None:
        """Print the rate of some work, which returns its number of rows, and its ratios to another's."""
        before = self._seconds()
        rows = work()
        seconds, ours, servers = (late - early for early, late in zip(before, self._seconds(), strict=True))
        self._costs[name] = seconds / rows, (ours + servers) / rows
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        ratio = ""
        if beside:
            by_clock, by_processor = (
                theirs / own for theirs, own in zip(self._costs[beside], self._costs[name], strict=True)
            )
            ratio = f"  {by_clock:.1f} times {beside}, {by_processor:.1f} times by CPU-seconds"
        print(
            f"{name:<22} {rows:>10,} rows {seconds:8.1f} s {rows / seconds:>10,.0f}/s  CPU {ours:6.1f} s and the "
            f"server's {servers:6.1f} s {memory:>6,} MB{ratio}",
            flush=True,
        )

    def _seconds(self) -> tuple[float, float, float]:
        """Return seconds until now: of the clock, of this process and those that it waited for, and of the server."""
        try:
            servers = sum(self.server.cpu_times()[:2])
        except psutil.NoSuchProcess:  # it was stopped
            servers = 0.0
        return time.monotonic(), sum(os.times()[:4]), servers


def judgements(count: int) -> Iterator[Judgement]:
    """Yield verdicts on triples that the graph does not have, as those of CKBP are, which share their heads only."""
    for number, one in enumerate(assertions(count, "judged")):
        yield Judgement(one.triple, f"annotator {number % 3}", JUDGEMENT_VALUES[number % len(JUDGEMENT_VALUES)])


class Usual:
    """The way that most notebooks do it."""

    def __init__(self, address: Address, count: int) -> None:
        self.driver = neo4j.GraphDatabase.driver(address.uri, auth=(address.username, address.password))
        self.rows = [
            {
                "head": head_id(one.triple), "tail": tail_id(one.triple), "relation": one.triple.relation,
                "head_text": one.triple.head, "tail_text": one.triple.tail, "logprob": one.logprob,
            }
            for one in assertions(count, "the usual way")
        ]  # fmt: skip

    def load(self) -> int:
        """Merge nodes and edge of each row."""
        return self._write(
            "UNWIND $rows AS row "
            "MERGE (h:Phrase {id: row.head}) SET h:Event, h.text = row.head_text, h.lang = 'en', h.split = 'train' "
            "MERGE (t:Phrase {id: row.tail}) SET t:Inference, t.text = row.tail_text, t.lang = 'en' "
            "MERGE (h)-[r:RELATION]->(t) SET r.logprob = row.logprob, r.runs = ['usual'], r.predicted = false"
        )

    def update(self) -> int:
        """Set scores by both keys."""
        return self._write(
            "UNWIND $rows AS row MATCH (h:Phrase {id: row.head})-[r:RELATION]->(t:Phrase {id: row.tail}) "
            "SET r.score = 0.5, r.critic = 'usual', r.accepted = true"
        )

    def export(self) -> int:
        """Read nodes and relationships."""
        count = 0
        with self.driver.session() as session:
            text = "MATCH (h:Event)-[r]->(t:Phrase) WHERE r.score >= 0.4 RETURN h, r, t LIMIT $limit"
            for record in session.run(text, limit=len(self.rows)):
                _ = {**record["h"], **record["r"], "relation": record["r"].type, "tail": record["t"]["text"]}
                count += 1
        return count

    def delete(self, run: str) -> int:
        """Delete the judgements of a run, and then what is left without a relationship."""
        with self.driver.session() as session:
            text = (
                "MATCH (j:Judgement) WHERE $run IN j.runs "
                "CALL (j) { DETACH DELETE j } IN TRANSACTIONS OF 1000 ROWS RETURN count(*) AS gone"
            )
            gone = session.run(text, run=run).single(strict=True)["gone"]
            text = "MATCH (p:Phrase) WHERE NOT (p)--() CALL (p) { DELETE p } IN TRANSACTIONS OF 1000 ROWS"
            session.run(text).consume()
        return int(gone)

    def _write(self, text: str) -> int:
        for relation in RELATIONS.names:
            rows = iter([row for row in self.rows if row["relation"] == relation])
            with self.driver.session() as session:
                while batch := list(islice(rows, _BATCH)):
                    session.run(text.replace("RELATION", relation), rows=batch).consume()  # type: ignore[arg-type]
        return len(self.rows)


def print_sizes(store: Path, snapshot: Path, edges: int) -> None:
    """Print how many bytes an edge takes, nodes, texts and indexes included; the store has some judgements, too."""
    for name, folder in (("store", store), ("snapshot", snapshot)):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"The {name} has {size / edges:,.0f} bytes an edge.", flush=True)


def begin(graph: KnowledgeGraph, name: str) -> Run:
    """Return a run that has begun."""
    run = Run("load", dataset=name)
    graph.begin(run)
    return run


def add(graph: KnowledgeGraph, items: Iterable[Assertion], run: Run) -> int:
    """Return how many assertions were written."""
    return graph.add(items, run).offered


def measure(folder: Path, count: int) -> None:
    """Run all stages."""
    home = Workspace(folder / "one")
    server = Server(home.folder("server"))
    address = server.start()
    clock = Clock(psutil.Process(address.pid))
    with open_graph(home) as graph:
        graph.add_vocabulary(RELATIONS)
        warm = begin(graph, "warm")
        add(graph, assertions(40_000, "warm"), warm)
        add(graph, assertions(40_000, "warm"), warm)
        graph.undo(warm.id)

        usual = Usual(address, min(count // 10, _USUAL))
        clock("usual first load", usual.load)
        clock("usual load again", usual.load)
        late = count // 13  # 500,000 of 6.5 M
        main, undone = begin(graph, "main"), begin(graph, "late")
        clock("first load", lambda: add(graph, assertions(count - late, "main"), main), "usual first load")
        clock(
            "load again",
            lambda: add(graph, islice(assertions(count - late, "main"), 650_000), main),
            "usual load again",
        )
        add(graph, assertions(late, "late"), undone)

        clock("usual score update", usual.update)
        acceptance = Acceptance("acceptance", "critic", 0.8, {"0.8": {"overall": 0.4}})
        clock("score update", lambda: graph.record_scores("critic", score, acceptance), "usual score update")
        clock("usual export", usual.export)
        path = folder / "accepted.parquet"
        clock(
            "filtered export",
            lambda: write_parquet(graph.edge_pages(parameters={"min_score": 0.4}), path),
            "usual export",
        )
        path.unlink()
        clock("undo", lambda: graph.undo(undone.id))
        for name, work in (("usual undo of verdicts", usual.delete), ("undo of verdicts", graph.undo)):
            verdicts = Run("judgements", dataset=name)
            graph.begin(verdicts)
            graph.record_judgements(judgements(_JUDGEMENTS), verdicts)
            clock(name, partial(work, verdicts.id), "usual undo of verdicts" if work == graph.undo else None)
        clock("hash", lambda: (hash_graph(graph), graph.statistics()["edges"])[1])
        clock("snapshot", lambda: int(write_snapshot(graph, folder / "snapshot").manifest["counts"]["edges"]))
        usual.driver.close()
    server.stop()
    snapshot = open_snapshot(folder / "snapshot")
    print_sizes(home.folder("server") / "data" / "databases", folder / "snapshot", snapshot.manifest["counts"]["edges"])
    other = Workspace(folder / "two")

    def bulk() -> int:
        import_privately(other, snapshot)
        return int(snapshot.manifest["counts"]["edges"])

    try:
        with open_graph(other):  # a first start makes the store of users, which takes its time
            pass
        clock("bulk import", bulk, "first load")
        with open_graph(other) as graph:
            assert hash_graph(graph) == snapshot.manifest["content_hash"]
        print("The content hash after the bulk import is that of the snapshot.")
    finally:
        Server(other.folder("server")).stop()


def main() -> None:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--edges", type=int, default=650_000)
    count = parser.parse_args().edges
    for name in [name for name in os.environ if name.startswith("NEO4J_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            measure(Path(folder), count)
        finally:
            Server(Path(folder) / "one" / "server").stop()


if __name__ == "__main__":
    main()
