"""Scoring again: interrupted at any page and taken up there; a run that ends late overwrites nothing that is newer."""

import os
import signal
from collections.abc import Callable, Sequence

import pytest

import kg.graph.reading
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.scores import read_scores
from kg.model import OVERALL, Acceptance, Assertion, Triple
from kg.run import Run
from kg.server.server import Address
from kg.store.bolt import Store
from tests import command

EVENTS = 8
Score = Callable[[Sequence[Triple]], list[float]]


@pytest.fixture
def scored(graph: KnowledgeGraph, begun: Run, monkeypatch: pytest.MonkeyPatch) -> KnowledgeGraph:
    """Edges of some events, a page each; two critics with thresholds."""
    monkeypatch.setattr(kg.graph.reading, "_PAGE_EVENTS", 1)
    graph.add([Assertion(Triple(f"PersonX does {n}", "xWant", f"to rest {n}")) for n in range(EVENTS)], begun)
    for name in ("critic-1", "critic-2"):
        graph.record_critic(name)
        graph.record_acceptance(thresholds(name))
    return graph


def thresholds(critic: str, overall: float = 0.5) -> Acceptance:
    return Acceptance(f"{critic} from {overall}", critic, 0.8, {"0.8": {OVERALL: overall}})


def constant(value: float, at: dict[int, Callable[[], object]] | None = None) -> Score:
    """Score everything alike; before some pages, numbered from 1, do something else."""
    pages = 0

    def score(triples: Sequence[Triple]) -> list[float]:
        nonlocal pages
        pages += 1
        (at or {}).get(pages, int)()
        return [value] * len(triples)

    return score


def shown(graph: KnowledgeGraph) -> list[tuple[str | None, float | None, bool | None, dict[str, float]]]:
    return [
        (edge.critic, edge.score, edge.accepted, read_scores(edge.score, edge.critic, edge.scores))
        for edge in graph.edges()
    ]


def test_a_run_that_ends_late_leaves_what_a_newer_critic_scored_meanwhile(scored: KnowledgeGraph) -> None:
    other = KnowledgeGraph(scored.store)
    newer = {3: lambda: other.record_scores("critic-2", constant(0.9), thresholds("critic-2"))}
    assert scored.record_scores("critic-1", constant(0.2, newer), thresholds("critic-1")) == EVENTS
    assert shown(scored) == [("critic-2", 0.9, True, {"critic-1": 0.2, "critic-2": 0.9})] * EVENTS


def test_going_back_to_a_critic_meanwhile_counts_as_newer(scored: KnowledgeGraph) -> None:
    scored.record_scores("critic-2", constant(0.9), thresholds("critic-2"))
    other = KnowledgeGraph(scored.store)
    back = {3: lambda: other.use_critic("critic-2")}
    scored.record_scores("critic-1", constant(0.2, back), thresholds("critic-1"))
    assert shown(scored) == [("critic-2", 0.9, True, {"critic-1": 0.2, "critic-2": 0.9})] * EVENTS


def test_two_commands_with_one_critic_end_in_the_later_ones_scores(scored: KnowledgeGraph) -> None:
    other = KnowledgeGraph(scored.store)
    newer = {3: lambda: other.record_scores("critic-1", constant(0.9), thresholds("critic-1"), every=True)}
    with pytest.raises(NotReady, match="another command has begun to score with critic-1"):
        scored.record_scores("critic-1", constant(0.2, newer), thresholds("critic-1"), every=True)
    assert [row[:3] for row in shown(scored)] == [("critic-1", 0.9, True)] * EVENTS


def test_thresholds_that_change_while_edges_are_scored_hold_for_all_of_them(scored: KnowledgeGraph) -> None:
    other = KnowledgeGraph(scored.store)
    stricter = {3: lambda: other.record_acceptance(thresholds("critic-1", 0.7))}
    scored.record_scores("critic-1", constant(0.6, stricter), thresholds("critic-1"))
    assert [row[:3] for row in shown(scored)] == [("critic-1", 0.6, False)] * EVENTS


def test_scoring_all_again_goes_on_where_it_was_interrupted(scored: KnowledgeGraph, begun: Run) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    scored.record_scores("critic-1", constant(0.2), thresholds("critic-1"))
    with pytest.raises(KeyboardInterrupt), scored.running(Run("score", model="critic-1")):
        scored.record_scores("critic-1", constant(0.9, {6: interrupt}), thresholds("critic-1"), every=True)
    assert sorted(row[1] for row in shown(scored) if row[1]) == [0.2] * 3 + [0.9] * 5
    late = [Assertion(Triple(f"PersonX does {n}", "xNeed", "a bed")) for n in range(EVENTS)]
    scored.add(late, begun)
    calls: list[int] = []
    counting = constant(0.9, dict.fromkeys(range(1, 99), lambda: calls.append(1)))
    assert scored.record_scores("critic-1", counting, thresholds("critic-1"), every=True) == 11
    assert len(calls) == 8  # three events with two edges each, and five edges that came to the others meanwhile
    assert {row[:3] for row in shown(scored)} == {("critic-1", 0.9, True)}
    assert scored.record_scores("critic-1", constant(0.7), thresholds("critic-1"), every=True) == 2 * EVENTS


def test_an_interrupted_run_of_another_kind_is_not_taken_up(scored: KnowledgeGraph) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scored.running(Run("score", model="critic-1")):
        scored.record_scores(
            "critic-1", constant(0.3), thresholds("critic-1"), fast=constant(0.2, {4: interrupt}), every=True
        )
    assert scored.record_scores("critic-1", constant(0.9), thresholds("critic-1"), every=True) == EVENTS
    assert {row[1] for row in shown(scored)} == {0.9}


def score_and_die(uri: str, username: str, password: str, page: int) -> None:
    """Score all edges again, and be killed in the middle."""
    kg.graph.reading._PAGE_EVENTS = 1  # noqa: SLF001
    kill = {page: lambda: os.kill(os.getpid(), signal.SIGKILL)}
    with Store(uri, username, password) as store:
        graph = KnowledgeGraph(store)
        graph.end_lost_runs()
        graph.record_scores("critic-1", constant(0.9, kill), thresholds("critic-1"), every=True)


def test_scoring_that_is_killed_is_completed_by_the_next_and_never_done_twice(
    scored: KnowledgeGraph, address: Address
) -> None:
    run = Run("score", model="critic-1")
    with scored.running(run):
        scored.record_scores("critic-1", constant(0.2), thresholds("critic-1"))
        scored.finish(run)
    done = 0
    for page in (4, 3):
        arguments = (address.uri, address.username, address.password, page)
        process = command.CONTEXT.Process(target=score_and_die, args=arguments)
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        now = sum(row[1] == 0.9 for row in shown(scored))
        assert done < now < EVENTS
        done = now
    scored.end_lost_runs()
    assert scored.record_scores("critic-1", constant(0.9), thresholds("critic-1"), every=True) == EVENTS - done
    assert shown(scored) == [("critic-1", 0.9, True, {"critic-1": 0.9})] * EVENTS
