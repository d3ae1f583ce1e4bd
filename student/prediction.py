"""Predictions of a student become predicted edges."""

from collections.abc import Iterator
from itertools import islice

from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.model import Assertion, Split, Triple, clean_text
from kg.run import STUDENT_KIND, Run
from student.interface import Student

_EVENTS = 50  # events answered at once; all relations of them are one batch of the model


def predict(
    graph: KnowledgeGraph,
    student: Student,
    student_id: str,
    *,
    split: Split = "test",
    count: int = 5,
    progress: Progress = lambda _: None,
) -> tuple[Run, int]:
    """Write what a student infers about the events of a split as predicted edges of one run.

    Args:
        graph: where the events are.
        student: any kind.
        student_id: its id, the model of the run.
        split: whose events.
        count: tails for each event and relation.
        progress: called with numbers of events.

    Returns:
        The run, and the number of edges that are new.

    Raises:
        NotReady: the split has no event in the student's language.
    """
    lang = str(student.manifest.get("lang", "en"))
    events = [event.text for event in graph.events(split) if event.lang == lang]
    if not events:
        raise NotReady(f"there is no event of split {split} in language {lang}; load some, or choose another --split")
    run = Run(STUDENT_KIND, model=student_id, parameters={"split": split, "count": count})
    graph.begin(run)
    offered, added = graph.add(_assertions(student, events, lang, count, progress), run)
    graph.finish(run, offered=offered)
    return run, added


def _assertions(student: Student, events: list[str], lang: str, count: int, progress: Progress) -> Iterator[Assertion]:
    remaining = iter(events)
    while batch := list(islice(remaining, _EVENTS)):
        pairs = [(event, relation) for event in batch for relation in student.relations]
        for (event, relation), predictions in zip(pairs, student.predict(pairs, count), strict=True):
            for prediction in predictions:
                triple = Triple(event, relation, clean_text(prediction.tail), lang)
                yield Assertion(triple, logprob=prediction.logprob)
        progress(len(batch))
