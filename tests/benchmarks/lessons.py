"""What students of one teacher learn from it, filtered or weighed by a critic, and trainings in legs; for `payoff`.

A leg is one student: it is trained, its outputs are written, and its weights are thrown away. The name of a leg's file
follows from all that determines it, so whatever ends a run, the next one goes on with the leg that has no file, and
within that leg with the progress that the training keeps beside it.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from critic.acceptance import RECALLS, choose_thresholds
from critic.calibrated import calibrate
from critic.checkpoint import train_role
from critic.kinds import KINDS
from critic.roles import FILTER
from critic.verdicts import Splits, split_verdicts, training_verdicts, unseen_verdicts
from kg import __version__
from kg.identity import head_id, triple_id, unordered_hash
from kg.model import OVERALL, Judgement, Triple
from kg.vocabulary import Vocabulary
from kg.workspace import new_file
from student import checkpoint
from student.files import read_json
from student.interface import Encode, Student
from student.objective import Objective

Floats = NDArray[np.float64]

RAW, WEIGHTED, CEILING = "raw", "weighted", "good ones (ceiling)"
_RESAMPLES = 2_000
_KIND = "generator"


class World(NamedTuple):
    """A teacher and what is known of it, nothing of it about test events.

    Attributes:
        triples: what the teacher wrote about training events.
        truth: whether a triple is good, of these as far as it is known; the critic sees it only in judgements.
        judgements: of training and validation events, for the critic.
        splits: of events that do not follow from their key.
        vocabulary: the relations.
    """

    triples: list[Triple]
    truth: Mapping[Triple, bool]
    judgements: list[Judgement]
    splits: Splits
    vocabulary: Vocabulary


class Lesson(NamedTuple):
    """Triples to learn from, by a name, with their weights in (0, 1]; no weights where all count alike."""

    name: str
    triples: list[Triple]
    weights: dict[Triple, float]


class Filtered(NamedTuple):
    """What a critic makes of a teacher.

    Attributes:
        lessons: raw, accepted at each recall from the highest on, the strictest of these weighted, all weighted, and
            the good ones.
        fresh: the triples with a known truth to which the critic's scores owe nothing.
    """

    lessons: list[Lesson]
    fresh: set[Triple]


class Class(NamedTuple):
    """How the students are trained: all but their lesson.

    Attributes:
        folder: where legs are kept.
        vocabulary: the relations.
        encode: the sentence encoder.
        base: a pre-trained model, or None for students from scratch.
        epochs: passes over the data; None derives them from its size.
        seeds: how many students of each lesson.
        only: the lessons that are trained; empty for all.
        train: whether legs without a file are trained, or left out.
    """

    folder: Path
    vocabulary: Vocabulary
    encode: Encode
    base: str | None
    epochs: int | None
    seeds: int
    only: Sequence[str] = ()
    train: bool = True


class Measured(NamedTuple):
    """Values of triples, each of an event and, where the mean is one over relations, of a relation."""

    values: Sequence[float]
    triples: Sequence[Triple]
    by_relation: bool = False


def filtered(folder: Path, world: World, kind: str, encode: Encode, encoder: str) -> Filtered:
    """Return the lessons of a teacher by a critic, which is trained once and whose scores are kept in a folder.

    Args:
        folder: where scores and thresholds are kept.
        world: the teacher.
        kind: of the critic, a name in `critic.kinds`.
        encode: the sentence encoder.
        encoder: what tells the encoder from others.
    """
    known = unordered_hash(f"{triple_id(one.triple)} {one.value}" for one in world.judgements)
    path = folder / f"critic-{_digest(kind, encoder, known, unordered_hash(map(triple_id, world.triples)))}.json"
    in_folds = KINDS[kind].in_folds
    if not path.is_file():
        critic = train_role(
            world.judgements, world.triples, world.vocabulary, encode, seed=0, role=FILTER, kind=kind,
            splits=world.splits, progress=path.with_suffix(".progress"),
        )  # fmt: skip
        critic = calibrate(critic, unseen_verdicts(world.judgements, FILTER, world.splits, in_folds=in_folds))
        held_out = split_verdicts(world.judgements, "validation", world.splits)
        judged = critic.score(held_out.triples), held_out.good, held_out.relations
        content = {
            "scores": critic.score(world.triples).tolist(),
            "thresholds": {str(recall): choose_thresholds(*judged, recall) for recall in RECALLS},
        }
        with new_file(path) as draft:
            draft.write_text(json.dumps(content), encoding="utf-8")
    kept = read_json(path)
    scores = dict(zip(world.triples, kept["scores"], strict=True))
    lessons = [Lesson(RAW, world.triples, {})]
    for recall in sorted(RECALLS, reverse=True):
        limits = kept["thresholds"][str(recall)]
        passed = [one for one in world.triples if scores[one] >= limits.get(one.relation, limits[OVERALL])]
        lessons.append(Lesson(f"accepted at recall {recall:g}", passed, {}))
    name, passed, _ = lessons[-1]
    lessons.append(Lesson(f"{name} and weighted", passed, {one: scores[one] for one in passed}))
    lessons.append(Lesson(WEIGHTED, world.triples, scores))
    lessons.append(Lesson(CEILING, [one for one in world.triples if world.truth.get(one)], {}))
    taught = () if in_folds else training_verdicts(world.judgements, FILTER, world.splits).triples
    return Filtered(lessons, set(world.truth) - set(taught))


def legs(
    students: Class, lessons: Sequence[Lesson], write: Callable[[Student], str], asked: str
) -> Iterator[tuple[Lesson, int, Path]]:
    """Train a student of each lesson and seed, and yield its lesson, its seed and the file with its outputs.

    Args:
        students: how.
        lessons: what is learnt; those without a triple are left out.
        write: from a student to the text of its outputs.
        asked: what tells these outputs from others of the same student.
    """
    for seed in range(students.seeds):
        for lesson in lessons:
            if not lesson.triples or (students.only and lesson.name not in students.only):
                continue
            learnt = unordered_hash(f"{triple_id(one)} {lesson.weights.get(one, 1):.6f}" for one in lesson.triples)
            key = _digest(learnt, asked, students.base, students.epochs, seed, __version__)
            path = students.folder / f"{re.sub(r'[^a-z0-9.]+', '-', lesson.name)}-{seed}-{key}.jsonl"
            if not path.is_file():
                if not students.train:
                    continue
                print(f"{lesson.name}, seed {seed}: {len(lesson.triples):,} triples", file=sys.stderr, flush=True)
                text = write(_learn(students, lesson, seed, path.with_suffix("")))
                with new_file(path) as draft:
                    draft.write_text(text, encoding="utf-8")
                shutil.rmtree(path.with_suffix(""))
            yield lesson, seed, path


def share(found: Measured) -> tuple[float, tuple[float, float]]:
    """Return the mean of some values, at least one, and its 95 % interval over resampled events."""
    events = sorted({head_id(one) for one in found.triples})
    return float(_means(found, events, np.ones((1, len(events))))[0]), _ends(_means(found, events, _drawn(len(events))))


def difference(ours: Measured, theirs: Measured) -> tuple[float, tuple[float, float]]:
    """Return by how much one mean is above another, and its 95 % interval over events resampled for both at once."""
    events = sorted({head_id(one) for one in (*ours.triples, *theirs.triples)})
    first, second = (
        _means(one, events, np.vstack([np.ones((1, len(events))), _drawn(len(events))])) for one in (ours, theirs)
    )
    moved = first - second
    return float(moved[0]), _ends(moved[1:])


def _drawn(count: int) -> Floats:
    """Return how often each of some events is drawn, (resamples, events)."""
    return np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), _RESAMPLES).astype(float)


def _means(found: Measured, events: Sequence[str], drawn: Floats) -> Floats:
    """Return the mean for each draw; over relations the mean of their means."""
    rows = {name: place for place, name in enumerate(events)}
    names = sorted({one.relation for one in found.triples}) if found.by_relation else [""]
    sums, sizes = np.zeros((2, len(events), len(names)))
    for value, one in zip(found.values, found.triples, strict=True):
        cell = rows[head_id(one)], names.index(one.relation) if found.by_relation else 0
        sums[cell] += value
        sizes[cell] += 1
    with np.errstate(invalid="ignore"):  # a relation of which no event was drawn
        each = (drawn @ sums) / (drawn @ sizes)
    means: Floats = np.nanmean(each, axis=1)
    return means


def _ends(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def table_of_filter(found: Filtered, truth: Mapping[Triple, bool]) -> str:
    """Return how many triples each lesson has, and how many of them are good: table 4 of West et al. (2021)."""
    lines = ["| learnt | triples | of all | distinct tails | good of them | good kept | bad kept |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    whole = found.lessons[0].triples
    good = sum(truth[one] for one in whole if one in found.fresh)
    bad = sum(one in found.fresh for one in whole) - good
    for lesson in found.lessons:
        if lesson.weights:
            continue
        fresh = [one for one in lesson.triples if one in found.fresh]
        passed = sum(truth[one] for one in fresh)
        told = "not known"
        if fresh:
            value, (low, high) = share(Measured([truth[one] for one in fresh], fresh))
            told = f"{value:.1%} ({100 * low:.1f} to {100 * high:.1f})"
        lines.append(
            f"| {lesson.name} | {len(lesson.triples):,} | {len(lesson.triples) / len(whole):.0%} "
            f"| {len({(one.relation, one.tail) for one in lesson.triples}):,} | {told} "
            f"| {passed / max(1, good):.1%} | {(len(fresh) - passed) / max(1, bad):.1%} |"
        )
    return "\n".join(lines)


def _learn(students: Class, lesson: Lesson, seed: int, folder: Path) -> Student:
    """Return the student of a leg, trained or opened again."""
    if (folder / "student.json").is_file():
        return checkpoint.load(folder, students.encode)
    objective = Objective(weight="score") if lesson.weights else Objective()
    manifest: dict[str, Any] = {"lang": "en", "lesson": lesson.name, "seed": seed, "base": students.base}
    return checkpoint.train_checkpoint(
        _KIND, lesson.triples, students.vocabulary, folder, encode=students.encode, seed=seed, base=students.base,
        epochs=students.epochs, objective=objective, weights=lesson.weights, manifest=manifest,
    )  # fmt: skip


def _digest(*parts: object) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=5).hexdigest()
