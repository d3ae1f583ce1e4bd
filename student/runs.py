"""The student's steps on a graph: train one on a part of it, open one again, let it infer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from more_itertools import chunked

from kg import __version__
from kg.encoder import Encoder
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.origins import origin_of_runs, origin_of_triples
from kg.identity import triple_id, unordered_hash
from kg.language_model.opening import DEFAULT
from kg.language_model.terms import FIELD, derived_field
from kg.language_model.weights import find_package
from kg.model import Assertion, Phrase, Split, Triple, clean_text
from kg.run import STUDENT_KIND, Run, write_record
from kg.store import queries
from kg.store.queries import Query
from kg.wide import Spread, here
from kg.workspace import Workspace
from student.checkpoint import load, train_checkpoint
from student.data import TrainingData, select
from student.files import read_manifest
from student.interface import Prediction, Student
from student.kinds import kind_named
from student.objective import Objective, frequencies

_KIND = "train-student"
_EVENTS = 50  # events answered at once; all relations of them are one batch of the model

Answer = Callable[[Sequence[tuple[str, str]]], list[list[Prediction]]]
"""Events and relations to tails."""


@dataclass(frozen=True, slots=True)
class TrainedStudent:
    """A student that was trained: its id, its checkpoint, and how many triples it has seen."""

    id: str
    folder: Path
    triples: int


def train_student(
    graph: KnowledgeGraph,
    workspace: Workspace,
    kind: str,
    query: Query,
    encoder: Encoder,
    *,
    base: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    form: str | None = None,
    objective: Objective = Objective(),  # noqa: B008 - nobody changes it
    rounds: Sequence[str] | None = None,
) -> TrainedStudent:
    """Train a student on the triples of a query; a student that was trained on just these before is kept.

    Args:
        graph: where the triples are.
        workspace: where the checkpoint goes.
        kind: a name in `student.kinds`.
        query: returns head, relation, tail and, if not English, lang; training events only.
        encoder: the sentence encoder.
        base: a pre-trained causal language model to fine-tune, for kinds that take one.
        epochs: passes over the data; None derives them from its size.
        seed: of everything random.
        form: in which a language model is asked, a name in `student.generator.forms.NAMES`; None is the usual one.
        objective: what a language model's training makes small.
        rounds: the runs of the predictions of the rounds before, where the student is one of a round (`kg.improve`);
            the parameter of the query `rounds`.

    Raises:
        InputError: the query or an option does not fit.
        NotReady: the query returns nothing, or is a shipped one and the current critic has not scored yet what another
            one accepted.
    """
    objective.check()
    data = select(graph, query, None if rounds is None else {"rounds": [*rounds]}, nothing=objective.nothing)
    lang = str(data.manifest["lang"])
    usual = (queries.load("training"), queries.load("training_nothing"))
    if query in (*usual, queries.load("rounds"), *(accepted_in(lang, one) for one in usual)):
        _check_scored(graph, lang)
    encoder = encoder.speaking(lang)
    weights = weights_of(graph, data, objective.weight)
    held_out = _held_out(graph, lang, nothing=objective.nothing) if objective.patience else []
    manifest = data.manifest | {
        "base": base,
        "epochs": epochs,
        "seed": seed,
        "version": __version__,
        "encoder": encoder.description,
        **({} if data.runs is None else {"runs": list(data.runs)}),
        **derived_field(_origin(graph, data)),
        **({} if form is None else {"form": form}),
        **objective.described(),
        **_round_of(rounds),
        **({"weights": unordered_hash(f"{triple_id(one)} {weights[one]:.9g}" for one in weights)} if weights else {}),
    }
    run = Run(_KIND, model=kind, parameters=manifest)
    student_id = f"{kind}-{run.id.removeprefix(f'{_KIND}-')}"
    folder = workspace.place("students", student_id)
    with graph.running(run):
        if not (folder / "student.json").is_file():
            train_checkpoint(
                kind, data.triples, graph.vocabulary(), folder, encode=encoder.encode, seed=seed, base=base,
                epochs=epochs, form=form, objective=objective, weights=weights,
                held_out=held_out,
                manifest=manifest | {"tails": data.tails} | _acceptance(graph, query.text, lang),
            )  # fmt: skip
        numbers = {"student": student_id, "offered": len(data.triples)}
        graph.record_student(student_id, run=run.id, kind=kind, triples=len(data.triples))
        graph.finish(run, **numbers)
    write_record(workspace.folder("runs", run.id), run, numbers)
    return TrainedStudent(student_id, folder, len(data.triples))


def _round_of(rounds: Sequence[str] | None) -> dict[str, Any]:
    """Return which round a run is, from 1 on, with the runs of the predictions before, for its parameters."""
    return {} if rounds is None else {"round": len(rounds) + 1, "rounds": [*rounds]}


def _origin(graph: KnowledgeGraph, data: TrainingData) -> str | None:
    """Return what a student of this data is derived from: by the runs that the query selects, where it says which."""
    return origin_of_triples(graph, data.triples) if data.runs is None else origin_of_runs(graph, data.runs)


def weights_of(graph: KnowledgeGraph, data: TrainingData, weight: str) -> dict[Triple, float]:
    """Return the weights of the triples, as an objective names them; none where all count alike.

    The critic's probability is the score, or the published one.
    A teacher said a tail as often as it has sources, or once.

    Raises:
        NotReady: a triple has no score.
    """
    if weight == "equal":
        return {}
    learnt = {(one.head, one.relation, one.tail): one for one in data.triples}
    found = {
        learnt[key]: edge
        for edge in graph.edges(split="train")
        if (key := (edge.triple.head, edge.triple.relation, edge.triple.tail)) in learnt
    }
    if weight == "frequency":
        return frequencies({triple: max(1, len(edge.sources)) for triple, edge in found.items()})
    scores = {one: edge.published if edge.score is None else edge.score for one, edge in found.items()}
    if lacking := [one for one, score in scores.items() if score is None]:
        raise NotReady(
            f"{len(lacking):,} triples have no score, the first {lacking[0].head[:80]!r}; run kg critic score"
        )
    return {one: score for one, score in scores.items() if score is not None}


def _held_out(graph: KnowledgeGraph, lang: str, *, nothing: bool) -> list[Triple]:
    """Return what teachers wrote about validation events: what is accepted of it, or all where nothing is.

    Tails that say that there is nothing count where they are learnt; no critic accepts or rejects them.

    Raises:
        NotReady: there is none.
    """
    edges = list(graph.edges(split="validation", where="NOT r.predicted"))
    phrases = [edge for edge in edges if not edge.triple.says_nothing]
    chosen = [edge for edge in phrases if edge.accepted] or phrases
    if nothing:
        chosen += [edge for edge in edges if edge.triple.says_nothing]
    found = [edge.triple for edge in chosen if edge.triple.lang == lang]
    if not found:
        raise NotReady(f"there is no triple of validation events in language {lang} to stop by; leave out --patience")
    return found


def accepted_in(lang: str, query: Query | None = None) -> Query:
    """Return a training query for the events of one language alone.

    Args:
        lang: BCP 47 tag, which becomes the query's parameter `lang`.
        query: the usual one, or one with another condition; None is the usual one.
    """
    chosen = query or queries.load("training")
    return replace(
        chosen, text=chosen.text.replace("WHERE (", "WHERE head.lang = $lang AND (", 1),
        defaults=chosen.defaults | {"lang": lang},
    )  # fmt: skip


def _acceptance(graph: KnowledgeGraph, text: str, lang: str) -> dict[str, Any]:
    """Return which critic a query relies on, for the manifest, with its recall and thresholds; nothing if on none."""
    if "r.accepted" not in text:
        return {}
    try:
        critic = _critic_of(graph, lang) or str(graph.current_critic()["id"])
        acceptance = graph.current_acceptance(critic)
    except NotReady:  # what is accepted came with the data
        return {}
    own = {teacher: dict(acceptance.by_relation(teacher)) for teacher in acceptance.teachers}
    told = {"id": critic, "recall": acceptance.recall, "thresholds": dict(acceptance.by_relation())}
    return {"critic": told | ({"teachers": own} if own else {})}


def base_named(kind: str, name: str | None = None) -> str | None:
    """Return the base of a name for a kind of student: "none" is None, from scratch.

    Args:
        kind: a name in `student.kinds`.
        name: None is the language model from pip where it is installed and the kind can start from one.
    """
    if name is None:
        return DEFAULT if kind_named(kind).takes_base and find_package() else None
    return None if name == "none" else name


def _critic_of(graph: KnowledgeGraph, lang: str) -> str | None:
    """Return the current critic, or the one that was current last among those of a language."""
    return next((critic["id"] for critic in graph.critics() if critic.get("lang", lang) == lang), None)


def _check_scored(graph: KnowledgeGraph, lang: str) -> None:
    """Refuse to train on what another critic accepted than the one that was current last for the language."""
    current = _critic_of(graph, lang)
    where = 'head.split = "train" AND head.lang = $lang AND r.accepted AND NOT r.predicted AND r.critic <> $critic'
    if current and next(graph.edges(where=where, parameters={"critic": current, "lang": lang}), None):
        raise NotReady(
            f"the current critic {current} has not scored all that is accepted; run kg critic score, or go back with "
            "kg critic use ID (kg critic list shows them)"
        )


def open_student(graph: KnowledgeGraph, workspace: Workspace, student_id: str | None = None) -> tuple[str, Student]:
    """Return a student of this workspace and its id; without an id the current one.

    Raises:
        NotReady: none has been trained.
        NotFound: there is none with this id.
    """
    if student_id is None:
        student_id = str(graph.current_student()["id"])
    return student_id, student_in(workspace, student_id)


def student_in(workspace: Workspace, student_id: str) -> Student:
    """Return a student of this workspace; no graph is needed.

    Raises:
        NotFound: there is none with this id.
    """
    folder = workspace.place("students", student_id)
    encoder = Encoder.described(read_manifest(folder)["encoder"], workspace.folder("embeddings"))
    return load(folder, encoder.encode)


def predict(
    graph: KnowledgeGraph,
    student: Student,
    student_id: str,
    *,
    split: Split = "test",
    count: int = 5,
    rounds: Sequence[str] | None = None,
    progress: Progress = lambda _: None,
    spread: Spread = here,
    workspace: Workspace | None = None,
) -> tuple[Run, int]:
    """Write a student's inferences about the events of a split as predicted edges of one run.

    What the same student, to the bit, has inferred about just these events is not inferred again.

    Args:
        graph: where the events are.
        student: any kind.
        student_id: its id, the model of the run.
        split: whose events.
        count: tails for each event and relation.
        rounds: as of `train_student`.
        progress: called with numbers of events.
        spread: what computes the tails, those of 50 events at a time.
        workspace: where other processes open the student for themselves; None hands it over as it is.

    Returns:
        The run, and the number of edges that are new.

    Raises:
        NotReady: the split has no event in the student's language.
    """
    lang = str(student.manifest.get("lang", "en"))
    events = [event for event in graph.events(split) if event.lang == lang]
    if not events:
        raise NotReady(f"there is no event of split {split} in language {lang}; load some, or choose another --split")
    asked = unordered_hash(event.id for event in events)
    parameters = {"split": split, "count": count, **derived_field(student.manifest.get(FIELD)), **_round_of(rounds)}
    if saved := student.manifest.get("saved"):
        parameters["saved"] = saved  # trained again elsewhere, a student of the same id says other things
    if rounds is not None:
        parameters["events"] = asked
    run = Run(STUDENT_KIND, model=student_id, parameters=parameters)
    done = [row.get("events") for row in graph.runs() if row["id"] == run.id and row["status"] == "finished"]
    if asked in done:
        return run, 0
    answer = partial(student.predict, count=count)
    if workspace and spread is not here:
        answer = partial(_answer, _Opening(workspace.root, student_id), count)
    with graph.running(run):
        offered, added = graph.add(_assertions(student, events, lang, answer, progress, spread), run)
        graph.finish(run, offered=offered, events=asked)
    return run, added


@dataclass
class _Opening:
    """A student that each process opens for itself: a large one travels by its name."""

    root: Path
    student_id: str

    @cached_property
    def student(self) -> Student:
        return student_in(Workspace(self.root), self.student_id)


def _answer(opening: _Opening, count: int, pairs: Sequence[tuple[str, str]]) -> list[list[Prediction]]:
    return opening.student.predict(pairs, count)


def _assertions(
    student: Student, events: list[Phrase], lang: str, answer: Answer, progress: Progress, spread: Spread
) -> Iterator[Assertion]:
    tails = student.manifest.get("tails") or {}  # of those whose text does not say which phrase they are
    pages = [
        [(event, relation) for event in batch for relation in student.relations] for batch in chunked(events, _EVENTS)
    ]
    asked = ([(event.text, relation) for event, relation in pairs] for pairs in pages)
    for pairs, answers in zip(pages, spread(asked, answer), strict=True):
        for (event, relation), predictions in zip(pairs, answers, strict=True):
            for prediction in predictions:
                tail_lang, tail_uri = tails.get(relation, {}).get(prediction.tail, (lang, ""))
                triple = Triple(
                    event.text, relation, clean_text(prediction.tail), lang, "" if tail_lang == lang else tail_lang,
                    event.uri, tail_uri,
                )  # fmt: skip
                yield Assertion(triple, logprob=prediction.logprob)
        progress(len(pairs) // len(student.relations))
