"""ATOMIC with a teacher made wrong on purpose, and its students by COMET's protocol; a part of `payoff`.

What is wrong is known, so what a filter keeps of it is exact; and it is easier than a teacher's errors.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kg import strict_json
from kg.identity import head_id, phrase_id, split_of
from kg.model import NOTHING, Judgement, Split, Triple
from kg.vocabulary import Vocabulary
from student.evaluation import perplexity
from student.interface import Student
from student.metrics.answering import answer
from student.metrics.comet import novelty, sentence_bleu_2
from student.metrics.diversity import diversity
from student.metrics.files import Answer, format_output, match, read_outputs
from tests.benchmarks.lessons import (
    RAW,
    Class,
    Lesson,
    Measured,
    World,
    difference,
    filtered,
    legs,
    share,
    table_of_filter,
)

WRONG = 0.215  # of the paper's teacher, as its readers found
BEAMS = 10
NOTHINGS = 1 / 3  # of the references of a prefix that say "none", from which on COMET's protocol leaves it out

Pair = tuple[str, str]
Asked = Sequence[tuple[Pair, tuple[str, ...]]]
Outputs = tuple[list[Answer], float]
"""A student's answers, and its perplexity on the references."""


def read_atomic(path: Path) -> list[Triple]:
    """Return the triples of a file of ATOMIC in its order, those that say nothing included."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return list(
        dict.fromkeys(Triple(head.strip(), relation, tail.strip()) for head, relation, tail in rows if tail.strip())
    )


def corrupted(triples: Sequence[Triple], most: int, labels: int, seed: int = 0) -> World:
    """Return a teacher that is wrong at `WRONG`, and labels on some of what it wrote, drawn at random.

    A tenth of the events, by their key, is for validation: labels only. Students learn of the others.

    Args:
        triples: what is true.
        most: about how many to take, by whole events drawn at random.
        labels: how many; at most half of all.
        seed: of everything random.
    """
    chance = random.Random(seed)
    by_event: dict[str, list[Triple]] = defaultdict(list)
    for one in triples:
        if not one.says_nothing:
            by_event[one.head].append(one)
    events = sorted(by_event)
    chance.shuffle(events)
    taken: list[Triple] = []
    for event in events:
        if len(taken) >= most:
            break
        taken += by_event[event]
    splits: dict[str, Split] = {
        key: "validation" if split_of(key) == "validation" else "train" for key in map(head_id, taken)
    }
    whole, truth = set(triples), {}
    for one in taken:
        told = one
        if chance.random() < WRONG:
            other = chance.choice(taken)
            while other.head == one.head or other.relation == one.relation or _with(one, other) in whole:
                other = chance.choice(taken)
            told = _with(one, other)
        truth[told] = told is one
    drawn = chance.sample(sorted(truth), min(labels, len(truth) // 2))
    judgements = [Judgement(one, "corruption", 2 if truth[one] else -2) for one in drawn]
    mine = sorted(one for one in truth if splits[head_id(one)] == "train")
    return World(mine, {one: truth[one] for one in mine}, judgements, splits, Vocabulary.load("atomic"))


def _with(one: Triple, other: Triple) -> Triple:
    return Triple(one.head, one.relation, other.tail)


def prefixes(triples: Sequence[Triple], most: int) -> list[tuple[Pair, tuple[str, ...]]]:
    """Return prefixes with their references: of events in the order of their keys, which is any, up to a number."""
    found: dict[Pair, list[str]] = defaultdict(list)
    for one in triples:
        found[one.head, one.relation].append(one.tail)
    order = sorted(found, key=lambda pair: (phrase_id(pair[0]), pair))
    return [(pair, tuple(found[pair])) for pair in order[:most]]


def of_atomic(students: Class, world: World, asked: Asked, kind: str, encoder: str) -> str:
    """Train the students of a corrupted teacher, and return the tables."""
    found = filtered(students.folder, world, kind, students.encode, encoder)
    held_out = [Triple(*pair, tail) for pair, tails in asked for tail in tails]

    def write(student: Student) -> str:
        expected = perplexity(student, [one for one in held_out if not one.says_nothing])["per_token"]
        lines = [strict_json.read(format_output(one)) for one in answer(student, asked, BEAMS)]
        return "".join(strict_json.write(line | {"perplexity": expected}) + "\n" for line in lines)

    outputs: dict[str, list[Outputs]] = defaultdict(list)
    for lesson, _, path in legs(students, found.lessons, write, strict_json.write([BEAMS, *asked])):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        outputs[lesson.name].append((match(read_outputs(path), asked), strict_json.read(first)["perplexity"]))
    return f"{table_of_filter(found, world.truth)}\n\n{table_of_comet(found.lessons, outputs)}"


def table_of_comet(lessons: Sequence[Lesson], outputs: Mapping[str, Sequence[Outputs]]) -> str:
    """Return how near the students of each lesson come to ATOMIC: BLEU-2, what is new, distinct tails, perplexity."""
    lines = ["| learnt | triples | students | BLEU-2 | beside raw | new tails | distinct | perplexity |"]
    lines.append("|---|---:|---:|---|---|---:|---:|---:|")
    scored = {name: of_beams([answers for answers, _ in some]) for name, some in outputs.items()}
    for lesson in lessons:
        if lesson.name not in outputs:
            continue
        mean, (low, high) = share(scored[lesson.name])
        beside = ""
        if lesson.name != RAW and RAW in scored:
            moved, (below, above) = difference(scored[lesson.name], scored[RAW])
            beside = f"{100 * moved:+.2f} ({100 * below:+.2f} to {100 * above:+.2f})"
        learnt = [(one.head, one.relation, one.tail) for one in lesson.triples]
        mine = [answers for answers, _ in outputs[lesson.name]]
        lines.append(
            f"| {lesson.name} | {len(learnt):,} | {len(mine)} | {100 * mean:.2f} ({100 * low:.2f} to {100 * high:.2f}) "
            f"| {beside} | {np.mean([novelty(answers, learnt)['N/T o'] for answers in mine]):.1%} "
            f"| {np.mean([diversity(answers)['distinct'] for answers in mine]):.1%} "
            f"| {np.mean([expected for _, expected in outputs[lesson.name]]):.1f} |"
        )
    note = "BLEU-2 is the mean over beams, prefixes and then relations, times 100; in brackets 95 % intervals by event."
    return "\n".join([*lines, "", note])


def of_beams(students: Sequence[Sequence[Answer]]) -> Measured:
    """Return BLEU-2 of each prefix that COMET's protocol keeps, the mean over its beams, of all students together."""
    values, triples = [], []
    for one in (one for answers in students for one in answers):
        if sum(tail == NOTHING for tail in one.references) / len(one.references) <= NOTHINGS:
            tails = one.generations or (one.greedy,)
            values.append(sum(sentence_bleu_2(tail, one.references) for tail in tails) / len(tails))
            triples.append(Triple(one.head, one.relation, one.greedy))
    return Measured(values, triples, by_relation=True)
