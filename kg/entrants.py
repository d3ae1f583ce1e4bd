"""Students that are to be evaluated, and who taught them.

Each student goes by its own terms: the query and the parameters of its manifest give the triples of its training, and
the manifest's runs say who its teacher is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from critic.interface import ABOUT
from critic.kinds import BLEND, KINDS
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.opening import DEFAULT
from kg.language_model.weights import find_package
from kg.lines import file_hash
from kg.model import Edge, Split, Triple
from kg.recorded import LOCAL, TEACHERS
from kg.run import CLOZE_KIND, STUDENT_KIND
from kg.store.queries import Query
from kg.workspace import Workspace
from student.data import RAW, TrainingData, select
from student.interface import Student
from student.kinds import kind_named
from student.runs import open_student

_ENCODER, _LANGUAGE_MODEL = "sentence encoder", "language model"


def judging_kind(model: str) -> str:
    """Return the kind of critic that judges by a model; the sentence encoder's where there is none."""
    if model == _ENCODER or not find_package():
        return BLEND
    return next((name for name, kind in KINDS.items() if kind.on_language_model), BLEND)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A student, the data of its training, and its predictions.

    Attributes:
        id: its key.
        student: the opened student.
        run: id of the run of its newest predictions about the split.
        data: what its own query returns now.
        predicted: the edges of its newest predictions about the split.
        filter_kind: the kind of the critic that scored these.
    """

    id: str
    student: Student
    run: str
    data: TrainingData
    predicted: list[Edge]
    filter_kind: str

    @property
    def learnt_from(self) -> set[str]:
        """The runs that wrote its training triples; empty where an older version did not say."""
        manifest = self.student.manifest
        return set(manifest.get("runs") or (manifest.get("parameters") or {}).get("runs") or ())

    @property
    def learnt(self) -> str:
        """Which of its teacher's tails it learnt, by its query: the accepted ones, the raw ones, or some."""
        cypher = self.student.manifest["cypher"]
        return "accepted" if "r.accepted" in cypher else "raw" if RAW in cypher else "chosen"

    @property
    def learnt_nothing(self) -> bool:
        """Whether it learnt, too, where its teacher said that there is nothing."""
        return bool((self.student.manifest.get("objective") or {}).get("nothing"))

    @property
    def judge(self) -> str:
        """The model that the student's judge goes by, which is not the student's own.

        A judge on the language model takes minutes, so there is one only where the filter goes by that model, too.
        """
        if kind_named(self.student.kind).takes_base or not KINDS[self.filter_kind].on_language_model:
            return _ENCODER
        return _ENCODER if judging_kind(_LANGUAGE_MODEL) == BLEND else _LANGUAGE_MODEL

    @property
    def lang(self) -> str:
        """The language of the student's training data."""
        return str(self.student.manifest.get("lang", "en"))


@dataclass(frozen=True, slots=True)
class Group:
    """A teacher, or several that the same students learnt from.

    Attributes:
        teacher: its name.
        taught: the phrases that it wrote about the held-out events.
        nothing: the triples by which it said that there is nothing.
        entrants: its students.
    """

    teacher: str
    taught: list[Edge]
    nothing: list[Triple]
    entrants: list[Entrant]

    @property
    def held_out(self) -> list[Triple]:
        """The triples that it wrote about the held-out events."""
        return [edge.triple for edge in self.taught]


def names_of_teachers(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return id to name of whose texts a run is: of a shipped teacher, else its model, else "data" of no model."""
    shipped = {file_hash(teacher.completions): f"{name} teacher" for name, teacher in TEACHERS.items()}
    names: dict[str, str] = {}
    for run in runs:
        if run["kind"] in ("load", "events", "inferences", CLOZE_KIND):
            parameters = json.loads(run["parameters"])
            is_local = run.get("model") == DEFAULT and parameters.get("interface") == "local"
            recorded = f"{LOCAL} teacher" if is_local else shipped.get(parameters.get("sha256"))
            names[run["id"]] = recorded or run.get("model") or "data"
    return names


def groups_of(entrants: Sequence[Entrant], written: Sequence[Edge], teachers: Mapping[str, str]) -> list[Group]:
    """Return the students by their teachers; those whose teachers wrote nothing here, or are not known, by all."""
    found: dict[str, Group] = {}
    taught = [edge for edge in written if not edge.triple.says_nothing]
    present = {teachers[run] for edge in taught for run in edge.runs if run in teachers}
    for entrant in entrants:
        own = {teachers[run] for run in entrant.learnt_from if run in teachers} & present or present
        name = " and ".join(sorted(own)) or "teacher"
        mine = [edge for edge in written if own & {teachers.get(run) for run in edge.runs}]
        phrases = [edge for edge in mine if not edge.triple.says_nothing]
        nothing = [edge.triple for edge in mine if edge.triple.says_nothing]
        found.setdefault(name, Group(name, phrases, nothing, [])).entrants.append(entrant)
    return list(found.values())


def find_entrant(graph: KnowledgeGraph, workspace: Workspace, student_id: str, split: Split) -> Entrant:
    """Return a student with its training and its newest predictions about a split.

    Raises:
        NotReady: there are no predictions, or some without a score; or its query returns nothing any more.
    """
    _, student = open_student(graph, workspace, student_id)
    run = _newest_prediction(graph, student_id, split)
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
    return Entrant(student_id, student, run, data, predicted, _filter_kind(workspace, predicted))


def _filter_kind(workspace: Workspace, predicted: Sequence[Edge]) -> str:
    """Return the kind of the critic that scored edges; a blend where that critic is of another workspace."""
    about = workspace.place("critics", predicted[0].critic or "none") / ABOUT if predicted else None
    if about is None or not about.is_file():
        return BLEND
    kind = json.loads(about.read_text(encoding="utf-8")).get("kind")
    return kind if kind in KINDS else BLEND


def language_of(entrants: Sequence[Entrant]) -> str:
    """Return the language that students speak.

    Raises:
        InputError: they speak several.
    """
    languages = {entrant.id: entrant.lang for entrant in entrants}
    if len(set(languages.values())) != 1:
        spoken = ", ".join(f"{student_id} ({lang})" for student_id, lang in languages.items())
        raise InputError(f"these students speak different languages: {spoken}; evaluate one language at a time")
    return entrants[0].lang


def _newest_prediction(graph: KnowledgeGraph, student_id: str, split: Split) -> str:
    """Return the id of a student's newest run of predictions on a split."""
    for run in graph.runs():
        mine = run["kind"] == STUDENT_KIND and run["model"] == student_id and run["status"] == "finished"
        if mine and json.loads(run["parameters"])["split"] == split:
            return str(run["id"])
    raise NotReady(
        f"student {student_id} has not inferred anything about split {split}; "
        f"run kg student predict --student {student_id} --split {split}"
    )
