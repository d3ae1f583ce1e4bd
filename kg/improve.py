"""Rounds in which students teach students: what the critic accepts of a round's predictions joins the next training.

A round trains a student on the accepted triples of the training events, a teacher's and those that the rounds before
predicted and the critic accepted; it lets the student infer about the training events, and scores what is new with the
current critic. Held-out events are never asked about and never learnt from. Each step is an ordinary run whose id
follows from what it does: rounds that were cut short go on, and `kg runs undo` takes them back, the newest first.

That the critic accepts what a round adds is no gain, since the critic chose it. A gain is claimed by verdicts on it.
"""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from critic.estimating import Estimate, Who, estimate_in
from critic.estimators import Share
from critic.runs import score_edges
from kg.encoder import Encoder
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.progress import Bar
from kg.store import queries
from kg.workspace import Workspace
from student.objective import Objective
from student.runs import open_student, predict, train_student

VERDICTS = 200
"""Verdicts on what a round adds, from which on the round is judged; all of it where it adds less."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to.

    Attributes:
        number: from 1 on.
        student: id of the student that it trained.
        run: id of the run of its predictions.
        where: the Cypher condition of the edges that it added: predicted in it, and neither written by a teacher nor
            predicted in a round before.
        triples: what the student was trained on.
        new: how many edges it added.
        accepted: how many of these the current critic accepts.
        tails: how many distinct tails these edges have.
        judged: the estimate of the share of good ones among these edges; None where fewer than `VERDICTS` are judged.
    """

    number: int
    student: str
    run: str
    where: str
    triples: int
    new: int
    accepted: int
    tails: int
    judged: Estimate | None


def improve(
    graph: KnowledgeGraph,
    workspace: Workspace,
    kind: str,
    encoder: Encoder,
    *,
    rounds: int,
    count: int = 5,
    base: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    weight: str = "equal",
    say: Callable[[str], object] = lambda _: None,
) -> list[Round]:
    """Run just so many rounds, those that were run before included, and return what each came to.

    Args:
        graph: with a critic that has scored it and has thresholds.
        workspace: where the critic is, and the students go.
        kind: of the students, a name in `student.kinds`.
        encoder: the sentence encoder.
        rounds: how many, at least 1.
        count: tails for each training event and relation.
        base: as of `student.runs.train_student`, as are `epochs` and `seed`.
        epochs: passes over the data; None derives them from its size.
        seed: of everything random.
        weight: of a triple in the training, a name in `student.objective.WEIGHTS`.
        say: told what is being done, a line a step.

    Raises:
        NotReady: no critic with thresholds, nothing accepted, or the critic has not scored what is accepted.
        InputError: an option does not fit, or there is less than one round.
    """
    if rounds < 1:
        raise InputError(f"there is at least 1 round, not {rounds}")
    graph.current_acceptance(str(graph.current_critic()["id"]))
    trained: list[tuple[str, int]] = []
    runs: list[str] = []
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: train the {kind}")
        student = train_student(
            graph, workspace, kind, queries.load("rounds"), encoder, base=base, epochs=epochs, seed=seed,
            objective=Objective(weight=weight), rounds=runs,
        )  # fmt: skip
        say(f"round {number} of {rounds}: let {student.id} infer about the training events, and score that")
        student_id, model = open_student(graph, workspace, student.id)
        with Bar(unit="events", desc="predict", leave=False) as bar:
            run, _ = predict(graph, model, student_id, split="train", count=count, rounds=runs, progress=bar.update)
        with Bar(unit="edges", desc="score", leave=False) as bar:
            score_edges(graph, workspace, progress=bar.update)
        trained.append((student_id, student.triples))
        runs.append(run.id)
    return [_looked_at(graph, runs[: number + 1], *trained[number]) for number in range(rounds)]


def _looked_at(graph: KnowledgeGraph, runs: Sequence[str], student: str, triples: int) -> Round:
    """Return what the last of some rounds came to, as the graph is now."""
    *before, own = runs
    older = "".join(f' AND NOT "{run}" IN r.runs' for run in before)
    where = f'r.predicted AND "{own}" IN r.runs{older}'
    edges = list(graph.edges(split="train", where=where))
    judged = {one.triple for one in graph.judgements()}.intersection(edge.triple for edge in edges)
    return Round(
        len(runs), student, own, where, triples, len(edges), sum(edge.accepted is True for edge in edges),
        len({edge.triple.tail for edge in edges}), _estimate(graph, where, len(edges), len(judged)),
    )  # fmt: skip


def _estimate(graph: KnowledgeGraph, where: str, edges: int, judged: int) -> Estimate | None:
    """Return the estimate by people's verdicts, else by machines', where there are enough of them."""
    enough = min(VERDICTS, edges)
    sides: tuple[Who, ...] = ("people", "machines") if edges and judged >= enough else ()
    for who in sides:
        found, _ = estimate_in(graph, where=where, by=who)
        if (found.read if found.judged is None else found.used) >= enough:
            return found
    return None


def verdict(one: Round) -> str:
    """Return which share of what a round added is good by verdicts, with its 95 % interval; or "not judged"."""
    found = one.judged
    if found is None:
        return "not judged"
    if found.judged is None:
        return f"{found.good / found.read:.1%} of {found.read:,} that {found.who} judged, not drawn at random"
    low, high = found.judged.interval
    return f"{found.judged.value:.1%} ({100 * low:.1f} to {100 * high:.1f}), {found.used:,} by {found.who}"


def claims(rounds: Sequence[Round], command: str) -> list[str]:
    """Return lines that name the runs of the rounds, say how to judge them, and what they gained by verdicts.

    Args:
        rounds: at least one, the first first.
        command: the one that shows the rounds again.
    """
    lines = [f"Round {one.number}: student {one.student}, predictions {one.run}" for one in rounds]
    for one in rounds:
        if one.new and _share(one) is None:
            size = str(min(VERDICTS, one.new))
            draw = shlex.join(["kg", "critic", "sample", "--size", size, "--split", "train", "--where", one.where])
            lines.append(f"To judge round {one.number}: {draw}; then the command that this names; then {command}")
    students = " ".join(f"--student {one.student}" for one in rounds)
    lines.append(
        "Whether the students got better is another question, of test events: kg student predict for each, kg critic "
        f"score, kg student evaluate {students}"
    )
    if len(rounds) == 1:
        return lines
    first, last = _share(rounds[0]), _share(rounds[-1])
    if first is None or last is None:
        return [*lines, "No gain is claimed: it takes verdicts on the first round and on the last."]
    moved = last.value - first.value
    low = moved - math.hypot(last.value - last.interval[0], first.interval[1] - first.value)  # Newcombe 1998, method 10
    high = moved + math.hypot(last.interval[1] - last.value, first.value - first.interval[0])
    claim = "more" if low > 0 else "fewer" if high < 0 else "no difference is shown"
    lines.append(
        f"Of what round {rounds[-1].number} added {100 * moved:+.1f} points are good beside round 1 "
        f"({100 * low:+.1f} to {100 * high:+.1f}): {claim}."
    )
    return lines


def _share(one: Round) -> Share | None:
    return None if one.judged is None else one.judged.judged
