"""Two commands that write at once: each does what it would have done alone, or says in one line why not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kg.graph import KnowledgeGraph
from kg.model import Acceptance, Triple
from tests import command
from tests.conftest import Kg
from tests.faults.test_kills_of_commands import edges, in_small_steps

pytestmark = pytest.mark.timeout(600)
EVENTS, TAILS = 40, 10
ALL = EVENTS * TAILS
Start = Callable[..., Callable[[], tuple[int | None, str]]]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Start:
    """Start a command that writes in small transactions; what is returned waits for its exit status and errors."""

    def begin(*arguments: str) -> Callable[[], tuple[int | None, str]]:
        said = tmp_path / f".{'-'.join(arguments[:3]).replace('/', '')}.{len(list(tmp_path.iterdir()))}"
        said.touch()
        process = command.CONTEXT.Process(
            target=in_small_steps, args=(list(arguments), environment, str(tmp_path), str(said))
        )
        process.start()

        def end() -> tuple[int | None, str]:
            process.join(200)
            return process.exitcode, said.with_suffix(".err").read_text()

        return end

    return begin


def write(path: Path, events: range) -> set[Triple]:
    triples = [
        Triple(f"PersonX does thing {event}", "xWant", f"to go to place {tail}")
        for event in events for tail in range(TAILS)
    ]  # fmt: skip
    path.write_text("".join(f"{one.head}\t{one.relation}\t{one.tail}\n" for one in triples))
    return set(triples)


def load(name: str) -> list[str]:
    return ["ingest", "load", name, "--format", "atomic2020"]


def assert_well(status: int | None, errors: str) -> None:
    assert "Traceback" not in errors, errors
    assert status == 0 or errors.strip().splitlines()[-1].startswith("kg: "), errors
    assert status == 0, errors


def test_the_same_file_loaded_twice_at_once_is_loaded_once(start: Start, tmp_path: Path, graph: KnowledgeGraph) -> None:
    rows = write(tmp_path / "rows.tsv", range(EVENTS))
    for end in [start(*load("rows.tsv")) for _ in range(2)]:
        assert_well(*end())
    assert {edge.triple for edge in graph.edges()} == rows
    (run,) = graph.runs()
    assert (run["status"], run["added"], run["offered"]) == ("finished", ALL, ALL)


def test_two_files_that_overlap_keep_the_evidence_of_both(start: Start, tmp_path: Path, graph: KnowledgeGraph) -> None:
    one, two = write(tmp_path / "one.tsv", range(EVENTS)), write(tmp_path / "two.tsv", range(10, EVENTS + 10))
    for end in [start(*load("one.tsv")), start(*load("two.tsv"))]:
        assert_well(*end())
    runs = {run["dataset"]: run["id"] for run in graph.runs()}
    found = {edge.triple: set(edge.runs) for edge in graph.edges()}
    assert found == {
        triple: {runs[name] for name, rows in (("one.tsv", one), ("two.tsv", two)) if triple in rows}
        for triple in one | two
    }
    assert sum(run["added"] for run in graph.runs()) == len(one | two)


def test_a_load_during_an_undo_keeps_all_of_its_own(
    start: Start, kg: Kg, tmp_path: Path, graph: KnowledgeGraph
) -> None:
    write(tmp_path / "one.tsv", range(EVENTS))
    two = write(tmp_path / "two.tsv", range(10, EVENTS + 10))
    run = kg(*load("one.tsv")).stdout.split()[-1]
    undo, load_two = start("runs", "undo", run, "--yes"), start(*load("two.tsv"))
    assert_well(*undo())
    assert_well(*load_two())
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

    end = start(*load("rows.tsv"))
    scored = 0
    while edges(graph) < ALL:
        scored += graph.record_scores("critic-1", score, acceptance)
    assert_well(*end())
    scored += graph.record_scores("critic-1", score, acceptance)
    assert scored == ALL
    assert {edge.triple: (edge.score, edge.accepted) for edge in graph.edges()} == {
        triple: (score([triple])[0], score([triple])[0] >= 0.5) for triple in rows
    }
