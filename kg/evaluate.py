"""How good students are: their predictions beside the teacher's and beside controls, estimated by a judge.

Each student is compared on its own terms: the query and the parameters of its manifest give the triples of its
training, which tell new tails from known ones and are those that retrieval draws on.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critic.roles import JUDGE
from critic.runs import TrainedCritic, train_critic
from critic.verdicts import split_in, verdicts_on
from kg import strict_json
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, judgement_id, unordered_hash
from kg.lines import file_hash
from kg.model import Edge, Judgement, Split, Triple
from kg.readings import Readings, load_readings
from kg.recorded import TEACHERS
from kg.run import STUDENT_KIND, Run, write_record
from kg.store.queries import Query
from kg.workspace import Workspace, new_file
from student import evaluation
from student.data import TrainingData, select
from student.interface import Student
from student.report import format_report
from student.runs import open_student


@dataclass(frozen=True, slots=True)
class _Entrant:
    """A student, the data of its training, and its predictions.

    Attributes:
        id: its key.
        student: the opened student.
        data: what its own query returns now.
        predicted: the edges of its newest predictions about the split.
    """

    id: str
    student: Student
    data: TrainingData
    predicted: list[Edge]

    @property
    def lang(self) -> str:
        """The language of the student's training data."""
        return str(self.student.manifest.get("lang", "en"))


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
        students: their ids, each once.
        split: whose events.
        verdicts: fresh judgements of the students' own predictions, with which the estimates are corrected.
        seed: of everything random.

    Raises:
        NotReady: a student has not predicted for this split, its training query returns nothing any more, or a judge
            cannot be trained.
        InputError: the students speak different languages, or not one of the verdicts is about a prediction.
    """
    entrants = [_entrant(graph, workspace, student_id, split) for student_id in dict.fromkeys(students)]
    lang = _language(entrants)
    judge = train_critic(graph, workspace, encoder, seed=seed, role=JUDGE)
    score = judge.critic.score
    taught = [
        edge
        for edge in graph.edges(split=split, where="NOT r.predicted")
        if not edge.triple.says_nothing and edge.triple.lang == lang
    ]
    held_out = [edge.triple for edge in taught]
    gold = {judgement.triple for judgement in graph.judgements() if judgement.is_good} & set(held_out)
    shared: dict[str, list[Triple]] = {
        "teacher, raw": held_out,
        "teacher, accepted": [edge.triple for edge in taught if edge.accepted],
        "gold: teacher, judged good": sorted(gold),
    }
    alike = len({entrant.data.manifest["content_hash"] for entrant in entrants}) == 1
    known = entrants[0].data.triples if alike else None
    controls = {e.id: evaluation.controls(held_out, e.data.triples, encoder.encode, seed) for e in entrants}
    readings = load_readings()
    read = _read(graph, readings, verdicts)

    def readers(triples: Sequence[Triple]) -> dict[str, Any]:
        return evaluation.read_share(triples, read, readings.of(triples))

    rows = evaluation.measure(shared, score, readers, known, seed)
    everything = dict(shared)
    details: dict[str, Any] = {}
    for entrant in entrants:
        sets = {"raw": [edge.triple for edge in entrant.predicted]}
        sets["accepted"] = [edge.triple for edge in entrant.predicted if edge.accepted]
        named = {f"{entrant.id}, {name}": triples for name, triples in sets.items()}
        rows += evaluation.measure(named, score, readers, entrant.data.triples, seed)
        everything |= named
        trained_with = entrant.student.manifest.get("content_hash")
        details[entrant.id] = {
            "kind": entrant.student.kind,
            "perplexity": evaluation.perplexity(entrant.student, held_out),
            "training_changed": trained_with not in (None, entrant.data.manifest["content_hash"]),
            "preference": evaluation.preference(entrant.student, _about(read, held_out)),
            "corrected": _corrected(sets["raw"], score, verdicts) if verdicts else None,
            "comparisons": {
                f"{name} against {control}": evaluation.compare(triples, others, score, seed)
                for name, triples in sets.items()
                for control, others in controls[entrant.id].items()
            },
        }
    for entrant in entrants[:1] if alike else entrants:
        own = controls[entrant.id]
        named = own if alike else {f"{name} (training of {entrant.id})": triples for name, triples in own.items()}
        rows += evaluation.measure(named, score, readers, entrant.data.triples, seed)
        everything |= named
    used = _used(graph, entrants, verdicts, split)
    if verdicts and not any(detail["corrected"] for detail in details.values()):
        raise InputError(
            f"fewer than two of the {len(verdicts)} verdicts are about predictions of these students; "
            f"{_left_out(used['left_out'])}; "
            f"draw some with kg query to_judge --param split={split} --param student={entrants[0].id} --json"
        )
    content = {
        "split": split,
        "judge": judge.report | {"sources": _sources(graph)},
        "sets": rows,
        "students": details,
        "verdicts": used,
        "judge_error": evaluation.judge_error(rows),
        "reference": _reference(readings),
    }
    return _write(graph, workspace, content, everything, judge, seed)


def _read(graph: KnowledgeGraph, readings: Readings, fresh: Sequence[Judgement]) -> dict[Triple, bool]:
    """Return every verdict: of the shipped readings, the graph's judgements and the fresh ones; the last counts."""
    found = dict(readings.verdicts)
    for judgements in (graph.judgements(), fresh):
        verdicts = verdicts_on(judgements)
        found |= dict(zip(verdicts.triples, verdicts.good.tolist(), strict=True))
    return found


def _about(read: Mapping[Triple, bool], held_out: Sequence[Triple]) -> dict[Triple, bool]:
    """Return the verdicts on held-out events."""
    heads = {head_id(triple) for triple in held_out}
    return {triple: good for triple, good in read.items() if head_id(triple) in heads}


def _reference(readings: Readings) -> dict[str, Any]:
    """Return what was read of the reference run: its `sets`, and `agreement`; empty without readings."""
    sets = {
        name: {"rows": readings.about[name]["rows"]} | evaluation.read_share([*sample], sample, None)
        for name, sample in readings.sets.items()
    }
    return {"sets": sets, "agreement": readings.agreement} if sets else {}


def _entrant(graph: KnowledgeGraph, workspace: Workspace, student_id: str, split: Split) -> _Entrant:
    _, student = open_student(graph, workspace, student_id)
    run = _prediction(graph, student_id, split)
    predicted = list(graph.edges(split=split, where="$run IN r.runs", parameters={"run": run}))
    if any(edge.score is None for edge in predicted):
        raise NotReady(f"some predictions of {student_id} have no score; run kg critic score")
    manifest = student.manifest
    query = Query(f"training of {student_id}", manifest["cypher"])
    try:
        data = select(graph, query, manifest.get("parameters"))
    except NotReady as error:
        raise NotReady(
            f"the query that {student_id} was trained with returns nothing any more, so that nothing can be compared "
            "with its training; train a student on what the graph has now"
        ) from error
    return _Entrant(student_id, student, data, predicted)


def _language(entrants: Sequence[_Entrant]) -> str:
    languages = {entrant.id: entrant.lang for entrant in entrants}
    if len(set(languages.values())) != 1:
        spoken = ", ".join(f"{student_id} ({lang})" for student_id, lang in languages.items())
        raise InputError(f"these students speak different languages: {spoken}; evaluate one language at a time")
    return entrants[0].lang


def _prediction(graph: KnowledgeGraph, student_id: str, split: Split) -> str:
    """Return the id of a student's newest run of predictions on a split."""
    for run in graph.runs():
        mine = run["kind"] == STUDENT_KIND and run["model"] == student_id and run["status"] == "finished"
        if mine and json.loads(run["parameters"])["split"] == split:
            return str(run["id"])
    raise NotReady(
        f"student {student_id} has not inferred anything about split {split}; "
        f"run kg student predict --student {student_id} --split {split}"
    )


def _corrected(
    raw: Sequence[Triple], score: evaluation.Judge, judgements: Sequence[Judgement]
) -> Mapping[str, Any] | None:
    places = {triple: place for place, triple in enumerate(raw)}
    mine = verdicts_on([judgement for judgement in judgements if judgement.triple in places])
    if len(mine) < 2:  # noqa: PLR2004 - a variance needs two
        return None
    judged = [places[triple] for triple in mine.triples]
    return evaluation.correct_with_judgements(score(raw), judged, mine.good.tolist())


def _used(
    graph: KnowledgeGraph, entrants: Sequence[_Entrant], verdicts: Sequence[Judgement], split: Split
) -> dict[str, Any]:
    """Return how many of the fresh verdicts count, `used`, and how many do not by reason, `left_out`; their `hash`."""
    predicted = {edge.triple for entrant in entrants for edge in entrant.predicted}
    others = [verdict.triple for verdict in verdicts if verdict.triple not in predicted]
    splits = graph.splits_of(sorted({head_id(triple) for triple in others}))
    reasons: Counter[str] = Counter()
    for triple in others:
        of = split_in(triple, splits)
        if head_id(triple) not in splits:
            reasons["about events that the graph does not have"] += 1
        elif of != split:
            reasons[f"about {of} events, while this is about {split} events"] += 1
        else:
            reasons["about triples that none of these students predicted last"] += 1
    own = unordered_hash(f"{judgement_id(verdict)} {verdict.value}" for verdict in verdicts)
    return {"used": len(verdicts) - len(others), "left_out": dict(reasons), "hash": own}


def _left_out(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} are {reason}" for reason, count in reasons.items()) or "it takes two of one student"


def _sources(graph: KnowledgeGraph) -> dict[str, list[str]]:
    """Return where the judgements in the graph come from: `annotators`, `datasets`, and `notes` on these."""
    runs = [run for run in graph.runs() if run["kind"] == "judgements" and run["status"] == "finished"]
    shipped = {file_hash(teacher.judgements) for teacher in TEACHERS.values()}
    ours = {run["dataset"] for run in runs if json.loads(run["parameters"]).get("sha256") in shipped}
    return {
        "annotators": sorted({judgement.annotator for judgement in graph.judgements()}),
        "datasets": sorted({run["dataset"] for run in runs if run.get("dataset")}),
        "notes": [f"{name} is the starter corpus's, whose annotators were language models" for name in sorted(ours)],
    }


def _write(
    graph: KnowledgeGraph,
    workspace: Workspace,
    content: Mapping[str, Any],
    sets: Mapping[str, Sequence[Triple]],
    judge: TrainedCritic,
    seed: int,
) -> tuple[str, Path]:
    """Write the report in its two forms, and what its sets hold, as a run; return the text and the run's folder."""
    lines = ["set\thead\trelation\ttail"]
    lines += [f"{name}\t{t.head}\t{t.relation}\t{t.tail}" for name, triples in sets.items() for t in triples]
    students = list(content["students"])
    verdicts = content["verdicts"]
    run = Run("evaluate", model=", ".join(students), parameters={
        "split": content["split"], "seed": seed, "judge": judge.id, "verdicts": verdicts["hash"],
    })  # fmt: skip
    text = format_report(content)
    folder = workspace.folder("runs", run.id)
    with graph.running(run):
        for name, body in (
            ("report.md", text), ("report.json", strict_json.write(content, indent=1)), ("sets.tsv", "\n".join(lines)),
        ):  # fmt: skip
            with new_file(folder / name) as draft:
                draft.write_text(body + "\n", encoding="utf-8")
        graph.finish(run, offered=sum(row["rows"] for row in content["sets"]))
    write_record(folder, run, {"students": students})
    return text, folder
