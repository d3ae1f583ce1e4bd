"""The whole loop, from what a teacher wrote to a report on the students that learnt it.

Every step is a run whose id follows from what it does. So a step that was done is not done again, one that was cut
short goes on, and killing the loop at any moment and running it again ends with the same graph.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from critic.judgements import import_judgements
from critic.kinds import BLEND, noisy_kind
from critic.kinds import KINDS as CRITICS
from critic.metrics import format_report as format_critic
from critic.runs import TrainedCritic, calibrate_critic, score_edges, train_critic
from ingest.load import load_file
from ingest.teacher.corpus import EVENTS, TAILS, write_corpus
from kg.encoder import Encoder
from kg.evaluate import evaluate
from kg.graph.knowledge import KnowledgeGraph
from kg.progress import Bar
from kg.recorded import LOCAL, NAMES, TEACHERS, RecordedTeacher, teacher_in
from kg.store import queries
from kg.store.queries import Query
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from student.data import RAW
from student.kinds import KINDS
from student.runs import accepted_in, base_named, open_student, predict, train_student

_ACCEPTED, _ALL = "what was accepted", "all"
_TAILS = 3  # that each student infers for an event and a relation
_OF_A_NOISY_TEACHER = 0.7  # of the usual seconds: as many steps, but with fewer tails of an event and relation
_VOCABULARY = "skd"  # of the starter corpus, whose verdicts teach the critic of what the local teacher writes
_WRITE = 0.4  # seconds for one tail of each relation of an event, its share of the event included


class Source(NamedTuple):
    """A teacher of the loop.

    Attributes:
        label: what its students learn from.
        recorded: None where the language model of this machine writes.
        is_noisy: as of a recorded teacher.
    """

    label: str
    recorded: RecordedTeacher | None
    is_noisy: bool


class Step(NamedTuple):
    """One step of the loop.

    Attributes:
        label: the step, in words.
        seconds: how long it takes on the starter corpus with two idle cores; for the estimate of the time left.
        do: the function that takes the step.
    """

    label: str
    seconds: float
    do: Callable[[], object]


def distill(
    graph: KnowledgeGraph,
    workspace: Workspace,
    encoder: Encoder,
    *,
    corpus: Path | None = None,
    teachers: Collection[str] = tuple(TEACHERS),
    vocabulary: str | None = None,
    kinds: Collection[str] = tuple(KINDS),
    recall: float = 0.8,
    base: str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    events: int = EVENTS,
    tails: int = TAILS,
    say: Callable[[str], object] = lambda _: None,
) -> tuple[str, Path]:
    """Run the loop; return the report and the folder with its `report.md` and `report.json`.

    Args:
        graph: where phrases, edges, judgements and scores go.
        workspace: where critics, students and the report go.
        encoder: the sentence encoder of critic and ranker.
        corpus: a folder with `completions.jsonl` and `judgements.tsv`, whose students learn from all that was accepted
            in the graph; None takes the starter corpus.
        teachers: names in `kg.recorded.NAMES`; each has students of its own, which learn from what it wrote alone: one
            of each kind from what was accepted; of a noisy teacher, two of the first kind, one from what was accepted
            and one from all. Nobody judged what the local teacher writes: the critic learns from the verdicts on the
            recorded ones then.
        vocabulary: of the relations in it, as `vocabulary_of` finds it, and with it the language of the corpus; None is
            SKD's.
        kinds: of the students to train.
        recall: share of the good triples that the thresholds keep, in (0, 1].
        base: of the students that can start from one, as `student.runs.base_named` takes it.
        seed: of everything random.
        epochs: of all students; None derives them from the data.
        events: how many the local teacher writes.
        tails: how many the local teacher is asked for, for each event and relation.
        say: told what is being done, a line a step.

    Raises:
        NotReady: the local teacher is asked for, and the language model is not installed.
    """
    lang = (Vocabulary.load(vocabulary).lang if vocabulary else None) or "en"
    students: list[str] = []
    reports: list[tuple[str, Path]] = []
    critics: list[TrainedCritic] = []
    sources = _sources(corpus, teachers)
    critic_kind = noisy_kind() if any(source.is_noisy for source in sources) else BLEND  # minutes, which must gain much
    lessons = [(source, *student) for source in sources for student in _students(source, kinds)]
    seconds = _seconds(critic_kind, len(sources), [kind for _, kind, _, _ in lessons])
    loaded: dict[str, str] = {}  # the run of each source
    learnt: list[str] = []

    def bring(source: Source) -> None:
        loaded[source.label] = (
            _load(graph, workspace, source.recorded, vocabulary, lang, say)
            if source.recorded
            else _write(graph, workspace, events, tails, seed)
        )

    def accept() -> None:
        calibrate_critic(graph, workspace, recall=recall)
        score()

    def score() -> None:
        with Bar(unit="edges", desc="score", leave=False) as bar:
            score_edges(graph, workspace, progress=bar.update)

    def learn(kind: str, source: Source, what: str) -> None:
        query = accepted_in(lang) if corpus else training_of([loaded[source.label]], raw=what == _ALL)
        start = base_named(kind, base) if KINDS[kind].takes_base else None
        trained = train_student(graph, workspace, kind, query, encoder, base=start, seed=seed, epochs=epochs)
        learnt.append(f"- {trained.id}: {trained.triples:,} triples, {what} of {source.label}")
        student_id, student = open_student(graph, workspace, trained.id)
        predict(graph, student, student_id, split="test", count=_TAILS)
        students.append(student_id)

    def judge() -> None:
        critics.append(train_critic(graph, workspace, encoder, seed=seed, kind=critic_kind, lang=lang))

    def report() -> None:
        reports.append(evaluate(graph, workspace, encoder, students, seed=seed))

    take([
        *(
            Step(f"load {source.label}, and the judgements", 10, partial(bring, source)) if source.recorded else
            Step(f"write {events:,} events and {source.label}", _WRITE * events * tails, partial(bring, source))
            for source in sources
        ),
        Step("train the critic on the judgements", seconds.train, judge),
        Step("choose thresholds and score every edge", seconds.score, accept),
        *(
            Step(f"train the {kind} on {what} of {source.label}, and let it infer", needed,
                 partial(learn, kind, source, what))
            for source, kind, what, needed in lessons
        ),
        Step("score what the students say", seconds.score_said, score),
        Step("evaluate", seconds.evaluate, report),
    ], say)  # fmt: skip
    text, folder = reports[-1]
    text += "\n\n## What the students learnt from\n\n" + "\n".join(learnt)
    return f"{text}\n\n## The critic that filtered\n\n{format_critic(critics[-1].report)}", folder


def training_of(runs: Sequence[str], *, raw: bool = False) -> Query:
    """Return the query of the triples that some runs wrote, whoever else did; the runs are its parameter.

    Args:
        runs: ids of teachers' runs.
        raw: whether all triples are wanted, or the accepted ones.
    """
    query = queries.load("training").where(f"{RAW if raw else 'r.accepted'} AND any(run IN r.runs WHERE run IN $runs)")
    return replace(query, defaults={"runs": [*runs]})


def vocabulary_of(corpus: Path) -> str | None:
    """Return the path of a corpus's own vocabulary; None if it has none.

    Raises:
        InputError: the folder lacks one of the files that a corpus must have.
    """
    teacher_in(corpus)
    vocabulary = corpus / "vocabulary.toml"
    return str(vocabulary) if vocabulary.is_file() else None


def _sources(corpus: Path | None, teachers: Collection[str]) -> list[Source]:
    """Return the teachers; a folder's students learn from the whole graph."""
    if corpus:
        return [Source("all tails", teacher_in(corpus), is_noisy=False)]
    found = []
    for name in sorted(set(teachers), key=NAMES.index):
        recorded = None if name == LOCAL else TEACHERS[name]
        found.append(Source(f"the {name} teacher's tails", recorded, is_noisy=recorded is None or recorded.is_noisy))
    return found


class _Seconds(NamedTuple):
    train: float
    score: float
    score_said: float
    evaluate: float


def _seconds(critic: str, sources: int, students: Sequence[str]) -> _Seconds:
    """Return how long the steps of a critic take, by its kind, the number of teachers and the kinds of the students."""
    if not CRITICS[critic].on_language_model:
        return _Seconds(50, 10, 5, 20)
    is_judged_by_it = any(not KINDS[kind].takes_base for kind in students)
    return _Seconds(250, 70 * sources, 25 * len(students), 20 + 450 * is_judged_by_it)


def _students(teacher: Source, kinds: Collection[str]) -> list[tuple[str, str, float]]:
    """Return the students of a teacher: kind, what they learn of its tails, and the seconds that it takes."""
    chosen = [(name, kind.seconds) for name, kind in KINDS.items() if name in kinds]
    if not teacher.is_noisy:
        return [(name, _ACCEPTED, seconds) for name, seconds in chosen]
    return [(name, what, _OF_A_NOISY_TEACHER * seconds) for name, seconds in chosen[:1] for what in (_ACCEPTED, _ALL)]


def _load(
    graph: KnowledgeGraph,
    workspace: Workspace,
    teacher: RecordedTeacher,
    vocabulary: str | None,
    lang: str,
    say: Callable[[str], object],
) -> str:
    """Load what a teacher wrote, and the verdicts on it; return the id of the run that loaded the texts."""
    loaded = load_file(
        graph, workspace, teacher.completions, "completions", vocabulary=vocabulary, model=teacher.model,
        licence=teacher.licence, lang=lang,
    )  # fmt: skip
    judged = import_judgements(graph, workspace, teacher.judgements, lang)
    for brought in (loaded, judged):
        if brought.rejected:
            say(f"{brought.rejected:,} rows rejected; see {brought.rejected_file}")
    return loaded.run


def _write(graph: KnowledgeGraph, workspace: Workspace, events: int, tails: int, seed: int) -> str:
    """Let the local teacher write, and bring the verdicts on the recorded ones; return the run of its tails."""
    relations = Vocabulary.load(_VOCABULARY)
    run = write_corpus(graph, workspace, relations, events=events, tails=tails, seed=seed)
    for teacher in TEACHERS.values():
        import_judgements(graph, workspace, teacher.judgements)
    return run


def take(steps: list[Step], say: Callable[[str], object]) -> None:
    """Take steps, and say at each how much time is left: by the usual costs, and by how fast the ones before were."""
    started = time.monotonic()
    expected = 0.0
    for number, step in enumerate(steps, start=1):
        pace = (time.monotonic() - started) / expected if expected else 1.0
        left = pace * sum(other.seconds for other in steps[number - 1 :])
        say(f"{number}/{len(steps)} {step.label} (about {_duration(left)} left)")
        step.do()
        expected += step.seconds


def _duration(seconds: float) -> str:
    """Return a duration in words, rounded as an estimate is.

    >>> _duration(8), _duration(61), _duration(200)
    ('10 seconds', '1 minute', '3 minutes')
    """
    if seconds < 55:  # noqa: PLR2004 - what would not be called a minute
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
