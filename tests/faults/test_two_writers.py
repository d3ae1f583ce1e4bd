"""Two commands that write at once: each does what it would have done alone, or says in one line why not."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from kg.model import Acceptance, Triple
from tests import command
from tests.conftest import Kg
from tests.faults.test_kills_of_commands import in_small_steps
from tests.repeats import only_thorough

pytestmark = pytest.mark.timeout(600)
EVENTS, TAILS = 40, 10
ALL = EVENTS * TAILS
COUNTS = "MATCH (run:Run) OPTIONAL MATCH (:Event)-[r]->() WHERE run.id IN r.runs RETURN run.id AS id, count(r) AS n"


class Writer:
    """A command that writes in small transactions, with leave for each."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path, said: Path) -> None:
        self.said = said
        self.leave = command.CONTEXT.Semaphore(0)
        self.process = command.CONTEXT.Process(
            target=in_small_steps, args=(arguments, environment, str(folder), str(said), self.leave)
        )
        self.process.start()

    @property
    def waits(self) -> bool:
        """Whether the last leave is taken."""
        return self.leave.get_value() == 0

    def end(self) -> None:
        """Let it go on, and wait for it; it ends well."""
        for _ in range(10_000):
            self.leave.release()
        self.process.join(200)
        errors = self.said.with_suffix(".err").read_text()
        assert self.process.exitcode == 0, errors
        assert "Traceback" not in errors, errors


Start = Callable[..., Writer]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Start:
    numbers = itertools.count()
    return lambda *arguments: Writer(list(arguments), environment, tmp_path, tmp_path / f".said{next(numbers)}")


def end_together(graph: KnowledgeGraph, one: Writer, two: Writer) -> None:
    """Lead both through steps in turn, and make sure that they wrote at once: the edges of each were seen to change.

    Where one waits for the other, the other gets leave alone, after a while.
    """
    seen: dict[str, set[int]] = {}
    patience = 0.0
    while one.process.is_alive() and two.process.is_alive():
        for row in graph.store.read(COUNTS):
            seen.setdefault(row["id"], set()).add(row["n"])
        waiting = [writer for writer in (one, two) if writer.waits]
        if len(waiting) == 2 or time.monotonic() > patience:
            for writer in waiting:
                writer.leave.release()
            patience = time.monotonic() + 0.2
        time.sleep(0.002)
    one.end()
    two.end()
    assert seen
    assert {run for run, counts in seen.items() if len(counts) > 2} == set(seen), "they wrote one after the other"


def write(path: Path, events: range) -> set[Triple]:
    triples = [
        Triple(f"PersonX does thing {event}", "xWant", f"to go to place {tail}")
        for event in events for tail in range(TAILS)
    ]  # fmt: skip
    path.write_text("".join(f"{one.head}\t{one.relation}\t{one.tail}\n" for one in triples))
    return set(triples)


def load(name: str) -> list[str]:
    return ["ingest", "load", name, "--format", "atomic2020"]


@only_thorough
def test_the_same_file_loaded_twice_at_once_is_loaded_once(start: Start, tmp_path: Path, graph: KnowledgeGraph) -> None:
    rows = write(tmp_path / "rows.tsv", range(EVENTS))
    end_together(graph, start(*load("rows.tsv")), start(*load("rows.tsv")))
    assert {edge.triple for edge in graph.edges()} == rows
    (run,) = graph.runs()
    assert (run["status"], run["added"], run["offered"]) == ("finished", ALL, ALL)


@only_thorough
def test_two_files_that_overlap_keep_the_evidence_of_both(start: Start, tmp_path: Path, graph: KnowledgeGraph) -> None:
    one, two = write(tmp_path / "one.tsv", range(EVENTS)), write(tmp_path / "two.tsv", range(10, EVENTS + 10))
    end_together(graph, start(*load("one.tsv")), start(*load("two.tsv")))
    runs = {run["dataset"]: run["id"] for run in graph.runs()}
    found = {edge.triple: set(edge.runs) for edge in graph.edges()}
    assert found == {
        triple: {runs[name] for name, rows in (("one.tsv", one), ("two.tsv", two)) if triple in rows}
        for triple in one | two
    }
    assert sum(run["added"] for run in graph.runs()) == len(one | two)


@only_thorough
def test_a_load_during_an_undo_keeps_all_of_its_own(
    start: Start, kg: Kg, tmp_path: Path, graph: KnowledgeGraph
) -> None:
    write(tmp_path / "one.tsv", range(EVENTS))
    two = write(tmp_path / "two.tsv", range(10, EVENTS + 10))
    run = kg(*load("one.tsv")).stdout.split()[-1]
    end_together(graph, start("runs", "undo", run, "--yes"), start(*load("two.tsv")))
    (other,) = [one["id"] for one in graph.runs() if one["id"] != run]
    assert {edge.triple: edge.runs for edge in graph.edges()} == dict.fromkeys(two, (other,))
    texts = {text for triple in two for text in (triple.head, triple.tail)}
    assert {phrase.text for phrase in graph.phrases(every=True)} == texts
    kg("runs", "undo", other, "--yes")
    assert graph.statistics()["phrases"] == 0


def test_a_scoring_during_a_load_scores_right_and_the_next_one_the_rest(
    start: Start, tmp_path: Path, graph: KnowledgeGraph
) -> None:
    rows = write(tmp_path / "rows.tsv", range(EVENTS))
    acceptance = Acceptance("acceptance-1", "critic-1", 0.8, {"0.8": {"overall": 0.5}})

    def score(triples: list[Triple]) -> list[float]:
        return [int(triple.tail.rpartition(" ")[2]) / TAILS for triple in triples]

    writer = start(*load("rows.tsv"))
    scored = rounds = 0
    while writer.process.is_alive():
        if writer.waits:
            writer.leave.release()
        found = graph.record_scores("critic-1", score, acceptance)
        rounds += 0 < found < ALL
        scored += found
    writer.end()
    assert rounds > 1, "it scored while the other loaded"
    scored += graph.record_scores("critic-1", score, acceptance)
    assert scored == ALL
    assert {edge.triple: (edge.score, edge.accepted) for edge in graph.edges()} == {
        triple: (score([triple])[0], score([triple])[0] >= 0.5) for triple in rows
    }
