"""How good students are: their predictions beside their teacher's and beside controls, by verdicts and by a judge.

Each student is compared with its own teacher (`kg.entrants`) and with controls of its own training, which also tells
new tails from known ones. Verdicts come first: where they are on neither all of a set nor a random sample of it, how
good the set is stays between two bounds.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critic.filtering import by_origin, by_recall
from critic.interface import Critic
from critic.kinds import KINDS
from critic.machines import machines_among, people_first
from critic.roles import JUDGE
from critic.runs import train_critic
from critic.verdicts import split_in, verdicts_on
from kg.encoder import Encoder
from kg.entrants import Entrant, Group, find_entrant, groups_of, judging_kind, language_of, names_of_teachers
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, judgement_id, unordered_hash
from kg.lines import file_hash
from kg.model import Judgement, Split, Triple
from kg.readings import Readings, load_readings
from kg.recorded import TEACHERS
from kg.reports import KIND, content_of, evidence_of, known_report, write_report
from kg.run import Run
from kg.workspace import Workspace
from student import evaluation
from student.metrics.ranking import Ranks, link_prediction

_OF_LOSS = ("loss", "curve", "held_out_loss", "best")  # of a student's metrics


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

    A judge is a second critic, trained on judgements of other events than the current one, which filtered. Each student
    is judged by one that is built on another model than the student: a ranker of the sentence encoder's vectors by the
    language model's judge, where there is such a kind of critic and the language model is installed; all others by the
    sentence encoder's. What the same evaluation has measured of the same evidence is not measured again.

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
    before = content_of(graph)
    entrants = [find_entrant(graph, workspace, student_id, split) for student_id in dict.fromkeys(students)]
    lang = language_of(entrants)
    encoder = encoder.speaking(lang)
    judges = {
        name: train_critic(graph, workspace, encoder, seed=seed, role=JUDGE, kind=judging_kind(name), lang=lang)
        for name in sorted({entrant.judge for entrant in entrants})
    }
    used = _used(graph, entrants, verdicts, split)
    run = Run(KIND, model=", ".join(entrant.id for entrant in entrants), parameters={
        "split": split, "seed": seed, "judge": ", ".join(judge.id for judge in judges.values()),
        "verdicts": used["hash"],
    })  # fmt: skip
    folder, readings = workspace.folder("runs", run.id), load_readings()
    evidence = evidence_of(graph, before, entrants, [judge.folder for judge in judges.values()], readings)
    if (text := known_report(graph, run, folder, evidence)) is not None:
        return text, folder
    written = [edge for edge in graph.edges(split=split, where="NOT r.predicted") if edge.triple.lang == lang]
    taught = [edge for edge in written if not edge.triple.says_nothing]
    teachers = names_of_teachers(graph.runs())
    groups = groups_of(entrants, written, teachers)
    read = _read(graph, readings, verdicts)
    good = {judgement.triple for judgement in people_first(graph) if judgement.is_good}
    asked = {
        name: evaluation.remembering(partial(_score, judge.critic, judging_kind(name), workspace.folder("embeddings")))
        for name, judge in judges.items()
    }
    sets = _Sets(asked, read, readings, seed)
    details: dict[str, Any] = {}
    for group in groups:
        details |= _measure(group, sets, good, verdicts, encoder, alone=len(groups) == 1)
    rows, everything = sets.rows, sets.everything
    if verdicts and not any(detail["corrected"] for detail in details.values()):
        raise InputError(
            f"fewer than two of the {len(verdicts)} verdicts are about predictions of these students; "
            f"{_left_out(used['left_out'])}; "
            f"draw some with kg query to_judge --param split={split} --param student={entrants[0].id} --tsv"
        )
    about = _about(read, [edge.triple for edge in taught])
    names = {entrant.run: entrant.id for entrant in entrants} | teachers
    content: dict[str, Any] = {
        "split": split,
        "paid": [_paid(group, sets) for group in groups],
        "judged": len(about),
        "judges": {
            name: judge.report | {"sources": _sources(graph), "error": evaluation.judge_error(rows, name)}
            for name, judge in judges.items()
        },
        "sets": rows,
        "students": details,
        "verdicts": used,
        "reference": _reference(readings, {(edge.triple.lang, edge.triple.relation) for edge in taught}),
        "by_recall": by_recall(graph, about, teachers),
        "by_origin": by_origin(graph, about, names, split=split, seed=seed),
    }
    content["evidence"] = evidence if content_of(graph) == before else None
    return write_report(graph, run, folder, content, everything), folder


@dataclass(frozen=True)
class _Sets:
    """The sets that an evaluation measures.

    Attributes:
        judges: name to judge.
        read: every verdict.
        readings: those that come with the software.
        seed: of everything random.
        rows: what was measured of each set, as `evaluation.measure` returns it, with its `teacher`, and its `estimates`
            by judge.
        everything: name to triples.
    """

    judges: Mapping[str, evaluation.Judge]
    read: Mapping[Triple, bool]
    readings: Readings
    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    everything: dict[str, list[Triple]] = field(default_factory=dict)

    def known(self, triples: Sequence[Triple]) -> Mapping[Triple, bool]:
        """Return the verdicts on all of a set, or on a random sample of it; else none."""
        return evaluation.known_verdicts(triples, self.read, self.readings.of(triples)) if triples else {}

    def add(
        self,
        teacher: str,
        sets: Mapping[str, list[Triple]],
        training: Sequence[Triple] | None,
        *,
        judge: str | None = None,
        whole: Sequence[Triple] | None = None,
    ) -> None:
        """Measure sets.

        Args:
            teacher: whose tails, students and controls they are.
            sets: name to triples.
            training: the triples that tell new tails from known ones, if there is one training.
            judge: the only judge that may judge them; None takes all.
            whole: a set that each was chosen from without a look at verdicts, so that a random sample of that set has
                one of each; None where there is none.
        """
        for name, triples in sets.items():
            sample = self.known(triples if whole is None else whole)
            part = set(triples)
            mine = {triple: verdict for triple, verdict in sample.items() if triple in part}
            first, *others = [judge] if judge else self.judges
            readers = partial(evaluation.read_share, verdicts=self.read, sample=mine)
            (row,) = evaluation.measure({name: triples}, self.judges[first], readers, training, self.seed)
            estimates = {first: row["acceptance"]}
            for other in others:
                estimates[other] = float(self.judges[other](triples).mean()) if triples else None
            self.rows.append(row | {"teacher": teacher, "estimates": estimates})
            self.everything[name] = triples


def _measure(
    group: Group,
    sets: _Sets,
    good: Collection[Triple],
    verdicts: Sequence[Judgement],
    encoder: Encoder,
    *,
    alone: bool,
) -> dict[str, Any]:
    """Measure the sets of a teacher, of its students and of controls; return what else there is of each student.

    Args:
        group: the teacher and its students.
        sets: to which they are added.
        good: the triples that are judged good.
        verdicts: fresh ones.
        encoder: for the nearest training event.
        alone: whether there is no other teacher; otherwise controls are shown of the first student's training alone.
    """
    held_out, teacher = group.held_out, group.teacher
    trainings: dict[str, Entrant] = {}
    for entrant in group.entrants:
        trainings.setdefault(entrant.data.manifest["content_hash"], entrant)
    training = group.entrants[0].data.triples if len(trainings) == 1 else None
    passed = [edge.triple for edge in group.taught if edge.accepted]
    sets.add(teacher, {f"{teacher}, raw": held_out, f"{teacher}, accepted": passed}, training, whole=held_out)
    sets.add(teacher, {f"gold: {teacher}, judged good": sorted(set(good) & set(held_out))}, training)
    controls = {e.id: evaluation.controls(held_out, e.data.triples, encoder.encode, sets.seed) for e in group.entrants}
    details = {}
    for entrant in group.entrants:
        judge, raw = entrant.judge, [edge.triple for edge in entrant.predicted]
        own = {"raw": raw, "accepted": [edge.triple for edge in entrant.predicted if edge.accepted]}
        named = {f"{entrant.id}, {name}": triples for name, triples in own.items()}
        sets.add(teacher, named, entrant.data.triples, judge=judge, whole=raw)
        trained_with = entrant.student.manifest.get("content_hash")
        details[entrant.id] = {
            "kind": entrant.student.kind,
            "teacher": teacher,
            "learnt": entrant.learnt,
            "judge": judge,
            "perplexity": evaluation.perplexity(
                entrant.student, held_out + (group.nothing if entrant.learnt_nothing else [])
            ),
            "links": link_prediction(entrant.student, held_out, entrant.data.triples)
            if isinstance(entrant.student, Ranks)
            else None,
            "metrics": {name: entrant.student.metrics.get(name) for name in _OF_LOSS},
            "training_changed": trained_with not in (None, entrant.data.manifest["content_hash"]),
            "preference": evaluation.preference(entrant.student, _about(sets.read, held_out)),
            "corrected": _corrected(raw, sets.judges[judge], verdicts) if verdicts else None,
            "comparisons": {
                f"{name} against {control}": evaluation.compare(triples, others, sets.judges[judge], sets.seed)
                for name, triples in own.items()
                for control, others in controls[entrant.id].items()
            },
        }
    for entrant in list(trainings.values())[: None if alone else 1]:
        whose = f", {teacher}" if not alone else "" if training else f" (training of {entrant.id})"
        named = {f"{name}{whose}": triples for name, triples in controls[entrant.id].items()}
        sets.add(teacher, named, entrant.data.triples)
    return details


def _paid(group: Group, sets: _Sets) -> dict[str, Any]:
    """Return what verdicts say of a teacher's filter and students: whether the one and the others paid.

    `filter` compares what passes with all; each of `students` is compared with its `teacher`, and one of accepted tails
    with those of the same kind that learnt the `raw` tails. None where verdicts are on neither all of a set nor a
    random sample of it.
    """
    passes = {edge.triple for edge in group.taught if edge.accepted}
    raw = sets.known(group.held_out)
    said = {entrant.id: sets.known([edge.triple for edge in entrant.predicted]) for entrant in group.entrants}
    students = {}
    for one in group.entrants:
        others = [other for other in group.entrants if other.student.kind == one.student.kind and other.learnt == "raw"]
        students[one.id] = {
            "learnt": one.learnt,
            "teacher": evaluation.judged_difference(said[one.id], raw, sets.seed),
            "raw": {
                other.id: evaluation.judged_difference(said[one.id], said[other.id], sets.seed)
                for other in others
                if one.learnt == "accepted"
            },
        }
    return {
        "teacher": group.teacher,
        "rows": len(group.held_out),
        "filter": evaluation.judged_difference({t: raw[t] for t in raw if t in passes}, raw, sets.seed),
        "students": students,
    }


def _score(judge: Critic, kind: str, folder: Path, triples: Sequence[Triple]) -> NDArray[np.float64]:
    """Return a judge's scores; what it asks about is kept in a folder, for the next evaluation and after a kill.

    Scores in the graph keep nothing so: numbers move by rounding with what is asked beside, and these must not.
    """
    with KINDS[kind].share(folder):
        return judge.score(triples)


def _read(graph: KnowledgeGraph, readings: Readings, fresh: Sequence[Judgement]) -> dict[Triple, bool]:
    """Return every verdict: of the shipped readings, the graph's judgements and the fresh ones; the last counts.

    What people judged of the graph's triples, no machine's judgement counts on.
    """
    found = dict(readings.verdicts)
    for judgements in (people_first(graph), fresh):
        verdicts = verdicts_on(judgements)
        found |= dict(zip(verdicts.triples, verdicts.good.tolist(), strict=True))
    return found


def _about(read: Mapping[Triple, bool], held_out: Sequence[Triple]) -> dict[Triple, bool]:
    """Return the verdicts on held-out events."""
    heads = {head_id(triple) for triple in held_out}
    return {triple: good for triple, good in read.items() if head_id(triple) in heads}


def _reference(readings: Readings, known: Collection[tuple[str, str]]) -> dict[str, Any]:
    """Return what was read of the reference run: its `sets`, and `agreement`; empty without readings.

    Empty, too, where none of its languages and relations is known to the graph: it says nothing of another domain.
    """
    sets = {
        name: {"rows": readings.about[name]["rows"]} | evaluation.read_share([*sample], sample, None)
        for name, sample in readings.sets.items()
        if any((triple.lang, triple.relation) in known for triple in sample)
    }
    return {"sets": sets, "agreement": readings.agreement} if sets else {}


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
    graph: KnowledgeGraph, entrants: Sequence[Entrant], verdicts: Sequence[Judgement], split: Split
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
    judgements, machines = graph.judgements(), machines_among(graph)
    judged = {judgement.triple for judgement in judgements}
    people = len({judgement.triple for judgement in judgements if judgement.annotator not in machines})
    runs = [run for run in graph.runs() if run["kind"] == "judgements" and run["status"] == "finished"]
    shipped = {file_hash(teacher.judgements) for teacher in TEACHERS.values()}
    ours = sorted({run["dataset"] for run in runs if json.loads(run["parameters"]).get("sha256") in shipped})
    whose = f"{' and '.join(ours)} {'is' if len(ours) == 1 else 'are'} the starter corpus's"
    notes = [f"{whose}, whose annotators were language models"] if ours else []
    if people and machines:
        whole = f"{people:,} of the {len(judged):,} triples with verdicts"
        notes.append(f"People judged {whole}, and no machine's verdict counts on these")
    return {
        "annotators": sorted({judgement.annotator for judgement in judgements}),
        "datasets": sorted({run["dataset"] for run in runs if run.get("dataset")}),
        "notes": notes,
    }
