"""The critic's steps on a graph: train on its judgements, calibrate, score its edges."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from critic.acceptance import recall_of, threshold_intervals, thresholds_by_recall, thresholds_by_teacher
from critic.aspects import PLAUSIBLE, in_aspect
from critic.calibrated import calibrate, read_calibration
from critic.checkpoint import load_critic, train_role
from critic.interface import Critic, FastCritic
from critic.kinds import BLEND, KINDS
from critic.metrics import report
from critic.roles import FILTER, ROLES
from critic.unsupervised.training import models_of
from critic.verdicts import missing, split_in, split_verdicts, unseen_verdicts
from kg import __version__, strict_json
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.origins import origin_of_triples
from kg.graph.scoring import Question
from kg.identity import head_id, judgement_id, triple_id, unordered_hash
from kg.language_model.opening import DEFAULT, fingerprint, origin_of_model
from kg.language_model.terms import derived, derived_field, origin_of_name, write_notice
from kg.model import OVERALL, Acceptance, Judgement, Split, Triple
from kg.run import Run, teachers_of, write_record
from kg.wide import Spread, here
from kg.workspace import Workspace, new_file, new_folder

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainedCritic:
    """A critic that was trained: its id, its folder, the critic, and its report on the test events."""

    id: str
    folder: Path
    critic: Critic
    report: dict[str, Any]


def train_critic(
    graph: KnowledgeGraph,
    workspace: Workspace,
    encoder: Encoder,
    *,
    seed: int = 0,
    role: str = FILTER,
    kind: str = BLEND,
    base: str | None = None,
    lang: str | None = None,
    aspect: str = PLAUSIBLE,
) -> TrainedCritic:
    """Train a critic on the judgements in the graph; a critic that was trained on just these before is kept.

    Judgements of test events are read by the report alone, which follows them: what the critic is, its id
    and its scores do not depend on them. A filter's scores are calibrated by the verdicts on train and validation
    events that it did not learn from, where these ask for it.

    The filter becomes the graph's current critic. The judge, which learns from other events, does not: the judge only
    estimates how good a student is.

    Args:
        graph: where judgements and triples are.
        workspace: where the critic goes.
        encoder: the sentence encoder; it speaks the language.
        seed: of everything random.
        role: a name in `critic.roles`.
        kind: a name in `critic.kinds`.
        base: a pre-trained model for kinds that take one: to fine-tune, as `critic.finetuned.base` names it, or to ask,
            a folder or a name on a hub; None is the kind's own choice.
        lang: BCP 47 tag of the triples that it learns from and scores; None is the one in which there are judgements,
            or else training triples.
        aspect: what its scores are the probability of, a name in `critic.aspects.ASPECTS`.

    Raises:
        InputError: there are judgements, or training triples, in several languages, and none was chosen.
        NotReady: there are no judgements or triples to learn from, too few, or only good or only bad ones.
        InputError: a base for a kind that takes none, or one that cannot be used.
    """
    judgements = graph.judgements()
    if not judgements and KINDS[kind].needs_verdicts:
        raise NotReady("there are no judgements to learn from; run kg critic import-judgements FILE")
    lang, judgements, corpus = _in_one_language(graph, judgements, lang, needs_verdicts=KINDS[kind].needs_verdicts)
    judgements = in_aspect(judgements, aspect)
    splits = _splits(graph, judgements)
    encoder = encoder.speaking(lang)
    known = [
        judgement
        for judgement in judgements
        if KINDS[kind].needs_verdicts and split_in(judgement.triple, splits) != "test"
    ]
    annotators = sorted({judgement.annotator for judgement in known})
    models = models_of(base) if KINDS[kind].any_model else (DEFAULT,) if KINDS[kind].on_language_model else ()
    origins = list(map(origin_of_model, models))
    if KINDS[kind].takes_base:
        from critic.finetuned.base import base_named, digest_of, origin_of_base  # noqa: PLC0415 - torch takes seconds

        base = base_named(base)
        origins.append(origin_of_base(base))
    origin = derived(*origins, origin_of_triples(graph, corpus), *map(origin_of_name, annotators))
    parameters = {
        "role": role,
        "kind": kind,
        "encoder": encoder.description,
        "seed": seed,
        "version": __version__,
        "lang": lang,
        **({} if aspect == PLAUSIBLE else {"aspect": aspect}),
        **({} if KINDS[kind].format == 1 else {"format": KINDS[kind].format}),
        **({"base": base, "base_digest": digest_of(base)} if KINDS[kind].takes_base and base else {}),
        "judgements": unordered_hash(f"{judgement_id(judgement)} {judgement.value}" for judgement in known),
        "corpus": unordered_hash(map(triple_id, corpus)),
        **({"language_models": list(map(fingerprint, models))} if KINDS[kind].any_model else {}),
        **derived_field(origin),
    }
    run = Run("train-critic", model=role, parameters=parameters)
    critic_id = f"{role}-{run.id.removeprefix('train-critic-')}"
    folder = workspace.place("critics", critic_id)
    with graph.running(run):
        if not (folder / "manifest.json").is_file():
            progress = folder.with_name(f".{folder.name}.progress")
            critic = train_role(
                judgements, corpus, graph.vocabulary().in_language(lang), encoder.encode, seed=seed, role=role,
                kind=kind, splits=splits, base=base, progress=progress,
            )  # fmt: skip
            if ROLES[role].scores_edges:
                unseen = unseen_verdicts(judgements, role, splits, in_folds=KINDS[kind].in_folds)
                critic = calibrate(critic, unseen, seed)
            with new_folder(folder) as draft:
                critic.save(draft)
                write_notice(draft, origin)
                _write(draft / "manifest.json", parameters)
            progress.unlink(missing_ok=True)
        critic = load_critic(folder, encoder.encode)
        asked = unordered_hash(f"{judgement_id(one)} {one.value} {split_in(one.triple, splits)}" for one in judgements)
        measured = _read_report(folder, asked)
        if measured is None:
            measured = report(critic, judgements, splits, in_folds=KINDS[kind].in_folds)
            measured |= {"judgements": asked, "calibration": read_calibration(folder).method}
            with new_file(folder / "report.json") as draft:
                _write(draft, measured)
        if ROLES[role].scores_edges:
            graph.record_critic(
                critic_id, run=run.id, encoder=encoder.identity, metrics=measured, lang=lang, aspect=aspect
            )
        numbers = {"critic": critic_id, "offered": len(known)}
        graph.finish(run, **numbers)
    write_record(workspace.folder("runs", run.id), run, numbers)
    return TrainedCritic(critic_id, folder, critic, measured)


def open_critic(graph: KnowledgeGraph, workspace: Workspace) -> tuple[str, Critic]:
    """Return the graph's current critic and its id.

    Raises:
        NotReady: none has been trained, or it was trained in another workspace.
    """
    critic_id = str(graph.current_critic()["id"])
    folder = workspace.place("critics", critic_id)
    if not (folder / "manifest.json").is_file():
        raise NotReady(f"the current critic {critic_id} is not in {folder}; set KG_HOME, or run kg critic train")
    return critic_id, critic_in(workspace, critic_id)


def critic_in(workspace: Workspace, critic_id: str) -> Critic:
    """Return a critic that was trained in this workspace; no graph is needed."""
    return load_critic(workspace.place("critics", critic_id), _encoder_of(workspace, critic_id).encode)


def _encoder_of(workspace: Workspace, critic_id: str, spread: Spread = here) -> Encoder:
    text = (workspace.place("critics", critic_id) / "manifest.json").read_text(encoding="utf-8")
    return Encoder.described(json.loads(text)["encoder"], workspace.folder("embeddings"), spread)


def _about(graph: KnowledgeGraph, critic_id: str) -> Mapping[str, Any]:
    """Return what the graph says of a critic; `lang` and `aspect` are missing where an older version trained it."""
    return next((critic for critic in graph.critics() if critic["id"] == critic_id), {})


def _in_one_language(
    graph: KnowledgeGraph, judgements: list[Judgement], lang: str | None, *, needs_verdicts: bool
) -> tuple[str, list[Judgement], list[Triple]]:
    """Return the language that a critic is for, the judgements in it, and what teachers wrote about training events.

    Raises:
        InputError: there are several languages, and none was chosen.
        NotReady: there is nothing to learn from in the language.
    """
    every = [
        edge.triple for edge in graph.edges(split="train", where="NOT r.predicted") if not edge.triple.says_nothing
    ]
    if not every:
        raise NotReady(_no_training_triples(graph))
    found = sorted({triple.lang for triple in ([one.triple for one in judgements] or every)})
    if lang is None and len(found) > 1:
        raise InputError(f"a critic learns one language, and there are {', '.join(found)}; choose one by --lang")
    lang = lang or found[0]
    judged = [one for one in judgements if one.triple.lang == lang]
    corpus = [triple for triple in every if triple.lang == lang]
    if not corpus or (needs_verdicts and not judged):
        lacking = "judgement" if corpus else "training triple"
        raise NotReady(f"there is no {lacking} in language {lang}; load some, or choose another --lang")
    return lang, judged, corpus


def kinds_of(graph: KnowledgeGraph, workspace: Workspace) -> dict[str, str]:
    """Return id to kind of the graph's critics that were trained in this workspace."""
    found = {}
    for critic in graph.critics():
        try:
            text = (workspace.place("critics", str(critic["id"])) / "manifest.json").read_text(encoding="utf-8")
            found[str(critic["id"])] = str(json.loads(text).get("kind", BLEND))
        except (OSError, ValueError, AttributeError):
            continue
    return found


def calibrate_critic(
    graph: KnowledgeGraph,
    workspace: Workspace,
    *,
    recall: float = 0.8,
    threshold: float | None = None,
    progress: Progress = lambda _: None,
) -> Acceptance:
    """Choose the thresholds of the current critic on the judgements of validation events, and accept by them.

    There are some for each teacher with enough of these (`critic.acceptance`), and the overall ones.

    Args:
        graph: whose edges are accepted.
        workspace: where the critic is.
        recall: share of the good triples to keep, in (0, 1].
        threshold: as of `choose_acceptance`.
        progress: called with numbers of edges.

    Raises:
        NotReady: no critic, or no good triple among the judged ones of validation events.
        InputError: the threshold is out of [0, 1], or no good triple reaches it.
    """
    acceptance, run, rows = choose_acceptance(graph, workspace, recall=recall, threshold=threshold)
    with graph.running(run):
        graph.record_acceptance(acceptance, progress, run=run.id, rows=rows)
        graph.finish(run, offered=rows)
    write_record(workspace.folder("runs", run.id), run, {"offered": rows})
    return acceptance


def choose_acceptance(
    graph: KnowledgeGraph, workspace: Workspace, *, recall: float = 0.8, threshold: float | None = None
) -> tuple[Acceptance, Run, int]:
    """Return the acceptance that `calibrate_critic` would write, with its run and the number of verdicts behind it.

    Args:
        graph: whose judgements.
        workspace: where the critic is.
        recall: share of the good triples to keep, in (0, 1].
        threshold: one smallest score for all relations and teachers, in [0, 1], in place of those of a recall; the
            acceptance's recall is then the share of the good triples that reach it.

    Raises:
        NotReady, InputError: as `calibrate_critic`.
    """
    critic_id, critic = open_critic(graph, workspace)
    about = _about(graph, critic_id)
    known = [one for one in graph.judgements() if about.get("lang") in (None, one.triple.lang)]
    judgements = in_aspect(known, str(about.get("aspect", PLAUSIBLE)))
    splits = _splits(graph, judgements)
    verdicts = split_verdicts(judgements, "validation", splits)
    if not verdicts.triples:
        raise NotReady(
            "no triple of a validation event is judged, so no threshold can be chosen; "
            f"{missing(judgements, splits, 'validation')}"
        )
    scores = critic.score(verdicts.triples)
    if threshold is not None:
        recall = recall_of(scores, verdicts.good, threshold)
    judged = scores, verdicts.good, verdicts.relations
    thresholds = thresholds_by_recall(*judged, recall)
    teachers = thresholds_by_teacher(*judged, _writers(graph, verdicts.triples), recall)
    intervals = threshold_intervals(*judged, verdicts.events, recall) if threshold is None else {}
    parameters = {"recall": recall, "thresholds": thresholds, **({"teachers": teachers} if teachers else {})}
    if threshold is not None:
        parameters["threshold"] = threshold
        for own in (thresholds, *teachers.values()):
            own[f"{recall:g}"] = {OVERALL: threshold}
    run = Run("calibrate", model=critic_id, parameters=parameters)
    acceptance = Acceptance(
        f"acceptance-{run.id.removeprefix('calibrate-')}", critic_id, recall, thresholds, teachers, intervals
    )
    return acceptance, run, len(verdicts.triples)


def _writers(graph: KnowledgeGraph, triples: Sequence[Triple]) -> list[set[str]]:
    """Return for each triple of a validation event the teachers that wrote it."""
    teachers = teachers_of(graph.runs())
    wrote = {
        edge.triple: {teachers[run] for run in edge.runs if run in teachers}
        for edge in graph.edges(split="validation", where="NOT r.predicted")
    }
    return [wrote.get(triple, set()) for triple in triples]


def score_edges(
    graph: KnowledgeGraph,
    workspace: Workspace,
    *,
    every: bool = False,
    full: bool = False,
    progress: Progress = lambda _: None,
    spread: Spread = here,
) -> int:
    """Score edges with the current critic and accept them by its thresholds; return how many were scored.

    A critic that has a fast critic leaves to it what teachers wrote about training events and nobody has judged. All
    edges of other events have full scores, judged or not: no score follows from whether a test event was judged.

    Args:
        graph: where the edges are.
        workspace: where the critic is.
        every: also edges that this critic scored before.
        full: give every edge a full score, scored before or not.
        progress: called with numbers of edges.
        spread: what computes the scores, and embeds what is not kept yet.

    Raises:
        NotReady: no critic has been trained and calibrated.
    """
    critic_id, critic = open_critic(graph, workspace)
    if spread is not here and KINDS[kinds_of(graph, workspace).get(critic_id, BLEND)].embeds:
        encoder = _encoder_of(workspace, critic_id, spread)
        critic = load_critic(workspace.place("critics", critic_id), encoder.encode)
        spread = partial(_spread_with_vectors, encoder, spread)
    acceptance = graph.current_acceptance(critic_id)
    run = Run("score", model=critic_id)
    with graph.running(run):
        scored = graph.record_scores(
            critic_id, critic.score, acceptance, fast=None if full else _fast(graph, critic), every=every or full,
            lang=_about(graph, critic_id).get("lang"), progress=progress, spread=spread,
        )  # fmt: skip
        graph.finish(run, offered=graph.statistics()["scored"])
    return scored


def _spread_with_vectors(
    encoder: Encoder, spread: Spread, pages: Iterable[Question], compute: Callable[[Question], T]
) -> Iterator[T]:
    """Yield the result of each page; the vectors of its phrases go with it to whoever computes it.

    They are made here, page by page as one process makes them: workers would embed what two of them need twice, each
    beside other phrases, and so with other rounding.

    Args:
        encoder: of the critic in `compute`.
        spread: what computes.
        pages: triples.
        compute: scores them.
    """

    def lent() -> Iterator[tuple[Question, list[str], NDArray[np.float32]]]:
        for page in pages:
            heads, tails = ([getattr(one, part) for one in page.triples] for part in ("head", "tail"))
            vectors = np.concatenate([encoder.encode(heads), encoder.encode(tails)])
            rows = {text: row for row, text in enumerate([*heads, *tails])}
            yield page, list(rows), vectors[list(rows.values())]

    return spread(lent(), partial(_compute_with_vectors, encoder, compute))


def _compute_with_vectors(
    encoder: Encoder, compute: Callable[[Question], T], lent: tuple[Question, list[str], NDArray[np.float32]]
) -> T:
    page, texts, vectors = lent
    encoder.lend(texts, vectors)
    return compute(page)


def _read_report(folder: Path, judgements: str) -> dict[str, Any] | None:
    """Return the critic's report if it is on just these judgements, which are named by their hash."""
    try:
        found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_current = isinstance(found, dict) and "calibration" in found  # an older version's lacks some of the measures
    return found if is_current and found.get("judgements") == judgements else None


def _fast(graph: KnowledgeGraph, critic: Critic) -> Callable[[Sequence[Triple]], NDArray[np.float64]] | None:
    """Return what scores teachers' edges of training events: the fast critic, and the full one where it was judged."""
    if not isinstance(critic, FastCritic):
        return None
    judged = {judgement.triple for judgement in graph.judgements()}

    def score(triples: Sequence[Triple]) -> NDArray[np.float64]:
        found = critic.score_fast(triples)
        mine = [row for row, triple in enumerate(triples) if triple in judged]
        found[mine] = critic.score([triples[row] for row in mine])
        return found

    return score


def _no_training_triples(graph: KnowledgeGraph) -> str:
    """Return the message for a graph without a triple to learn from: how many triples each split has."""
    found = graph.teacher_triples()
    counts = ", ".join(f"{found.get(split, 0):,} of {split} events" for split in ("train", "validation", "test"))
    return (
        f"a critic learns from the teacher's triples of training events, and there are none: the graph has {counts}; "
        "load some with kg ingest load FILE --split train"
    )


def _splits(graph: KnowledgeGraph, judgements: list[Judgement]) -> dict[str, Split]:
    return graph.splits_of(sorted({head_id(judgement.triple) for judgement in judgements}))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(strict_json.write(content, indent=1) + "\n", encoding="utf-8")
