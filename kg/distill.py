"""The whole loop, from what a teacher wrote to a report on the students that learnt it.

Every step is a run whose id follows from what it does. So a step that was done is not done again, one that was cut
short goes on, and killing this at any moment and running it again ends with the same graph.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from critic.judgements import import_judgements
from critic.metrics import format_report as format_critic
from critic.runs import calibrate_critic, score_edges, train_critic
from ingest.load import load_file
from kg import strict_json
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Judgement, Split, Triple
from kg.run import STUDENT_KIND, Run, write_record
from kg.store import queries
from kg.workspace import Workspace, new_file
from student import evaluation
from student.data import select
from student.kinds import KINDS
from student.report import format_report
from student.runs import open_student, predict, train_student

STARTER = Path(str(resources.files("kg").joinpath("starter")))
"""The starter corpus: the recorded teacher's completions, and judgements of some of them."""

_TAILS = 5  # that each student infers for an event and a relation


def distill(
    graph: KnowledgeGraph,
    workspace: Workspace,
    encoder: Encoder,
    *,
    corpus: Path = STARTER,
    recall: float = 0.8,
    seed: int = 0,
    epochs: int | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> tuple[str, Path]:
    """Run the loop; return the report and the folder with its `report.md` and `report.json`.

    Args:
        graph: where everything goes.
        workspace: where critics, students and the report go.
        encoder: the sentence encoder of critic and ranker.
        corpus: a folder with `completions.jsonl` and `judgements.tsv`.
        recall: share of the good triples that the thresholds keep, in (0, 1].
        seed: of everything random.
        epochs: of both students; None derives them from the data.
        say: told what is being done.
    """
    say("1/7 load what the teacher wrote, and the judgements")
    load_file(graph, workspace, corpus / "completions.jsonl", "completions", model="teacher", licence="CC0-1.0")
    import_judgements(graph, workspace, corpus / "judgements.tsv")
    say("2/7 train the critic on the judgements")
    critic = train_critic(graph, workspace, encoder, seed=seed)
    say("3/7 choose thresholds and score every edge")
    calibrate_critic(graph, workspace, recall=recall)
    score_edges(graph, workspace)
    students = []
    for step, kind in enumerate(KINDS, start=4):
        say(f"{step}/7 train the {kind} on what was accepted, and let it infer")
        query = queries.load("training")
        trained = train_student(graph, workspace, kind, query, encoder, seed=seed, epochs=epochs)
        student_id, student = open_student(graph, workspace, trained.id)
        predict(graph, student, student_id, split="test", count=_TAILS)
        students.append(student_id)
    say("6/7 score what the students say")
    score_edges(graph, workspace)
    say("7/7 evaluate")
    report, folder = evaluate(graph, workspace, encoder, students, seed=seed)
    return f"{format_critic(critic.report)}\n\n{report}", folder


def evaluate(
    graph: KnowledgeGraph,
    workspace: Workspace,
    encoder: Encoder,
    students: Sequence[str],
    *,
    split: Split = "test",
    verdicts: Sequence[Judgement] = (),
    seed: int = 0,
) -> tuple[str, Path]:
    """Evaluate students on held-out events; return the report and the folder with `report.md` and `report.json`.

    The judge is a second critic, trained on judgements of other events than the current one, which filtered.

    Args:
        graph: where their predictions are.
        workspace: where the students are, and where the report goes.
        encoder: the judge's sentence encoder, also for the nearest training event.
        students: their ids.
        split: whose events.
        verdicts: fresh judgements of the students' own predictions, with which the estimates are corrected.
        seed: of everything random.

    Raises:
        NotReady: a student has not predicted for this split, or a judge cannot be trained.
        InputError: not one of the verdicts is about a prediction.
    """
    judge = train_critic(graph, workspace, encoder, seed=seed, role="judge")
    taught = [edge for edge in graph.edges(split=split, where="NOT r.predicted") if not edge.triple.says_nothing]
    held_out = [edge.triple for edge in taught]
    gold = {judgement.triple for judgement in graph.judgements() if judgement.is_good} & set(held_out)
    sets: dict[str, list[Triple]] = {
        "teacher, raw": held_out,
        "teacher, accepted": [edge.triple for edge in taught if edge.accepted],
        "gold: teacher, judged good": sorted(gold),
    }
    training = select(graph, queries.load("training")).triples
    details: dict[str, Any] = {}
    for student_id in students:
        predicted = list(
            graph.edges(split=split, where="$run IN r.runs", parameters={"run": _prediction(graph, student_id, split)})
        )
        if any(edge.score is None for edge in predicted):
            raise NotReady(f"some predictions of {student_id} have no score; run kg critic score")
        kind = student_id.partition("-")[0]
        sets[f"{kind}, raw"] = raw = [edge.triple for edge in predicted]
        sets[f"{kind}, accepted"] = [edge.triple for edge in predicted if edge.accepted]
        _, student = open_student(graph, workspace, student_id)
        details[kind] = {"student": student_id, "perplexity": evaluation.perplexity(student, held_out)}
        if verdicts:
            details[kind]["corrected"] = _corrected(raw, judge.critic.score, verdicts)
    if verdicts and not any(detail["corrected"] for detail in details.values()):
        raise InputError("fewer than two of the verdicts are about predictions of these students; judge some of them")
    controls = evaluation.controls(held_out, training, encoder.encode, seed)
    for kind, detail in details.items():
        detail["comparisons"] = {
            f"{name} against {control}": evaluation.compare(sets[f"{kind}, {name}"], triples, judge.critic.score, seed)
            for name in ("raw", "accepted")
            for control, triples in controls.items()
        }
    rows = evaluation.measure(sets | controls, judge.critic.score, training, seed)
    run = Run("evaluate", model=", ".join(students), parameters={
        "split": split, "seed": seed, "judge": judge.id, "verdicts": len(verdicts),
    })  # fmt: skip
    content = {"split": split, "judge": judge.report, "sets": rows, "students": details}
    text = format_report(content)
    folder = workspace.folder("runs", run.id)
    graph.begin(run)
    for name, body in (("report.md", text), ("report.json", strict_json.write(content, indent=1))):
        with new_file(folder / name) as draft:
            draft.write_text(body + "\n", encoding="utf-8")
    graph.finish(run, offered=sum(len(triples) for triples in sets.values()))
    write_record(folder, run, {"students": list(students)})
    return text, folder


def _prediction(graph: KnowledgeGraph, student_id: str, split: Split) -> str:
    """Return the id of a student's newest run of predictions on a split."""
    for run in graph.runs():
        mine = run["kind"] == STUDENT_KIND and run["model"] == student_id and run["status"] == "finished"
        if mine and json.loads(run["parameters"])["split"] == split:
            return str(run["id"])
    raise NotReady(f"student {student_id} has not inferred anything about split {split}; run kg student predict")


def _corrected(
    raw: Sequence[Triple], score: evaluation.Judge, verdicts: Sequence[Judgement]
) -> Mapping[str, Any] | None:
    places = {triple: place for place, triple in enumerate(raw)}
    mine = [judgement for judgement in verdicts if judgement.triple in places]
    if len(mine) < 2:  # noqa: PLR2004 - a variance needs two
        return None
    judged = [places[judgement.triple] for judgement in mine]
    return evaluation.correct_with_judgements(score(raw), judged, [judgement.is_good for judgement in mine])
