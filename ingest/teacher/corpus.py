"""A corpus from nothing: a teacher of this machine writes events, and then tails for each event and relation.

Both are runs as `kg ingest events` and `kg ingest inferences` make them: each reply is kept before it is used, so the
same call goes on wherever the one before ended, and ends with the graph of one that was not stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ingest.teacher.events import generate_events
from ingest.teacher.inferences import generate_inferences
from ingest.teacher.plan import Plan
from ingest.teacher.prompts import Prompts
from ingest.teacher.run import Taught, Teaching
from kg.errors import TeacherError
from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.opening import DEFAULT
from kg.progress import Bar
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

EVENTS = 250
TAILS = 8
"""For each event and relation. With `EVENTS`, what Gemma 3 270M writes in a quarter of an hour on two idle cores."""

_PROMPTS = "paper"
_EVENTS_ASKED = 20  # in one request
_MOST_FAILURES = 0.05  # share of requests that may fail, as `kg ingest` has it


def write_corpus(
    graph: KnowledgeGraph,
    workspace: Workspace,
    vocabulary: Vocabulary,
    *,
    events: int = EVENTS,
    tails: int = TAILS,
    seed: int = 0,
) -> str:
    """Let the language model that comes with pip write events and their tails; return the id of the run of the tails.

    Args:
        graph: where events and tails go.
        workspace: where replies are kept, and the folders of both runs are.
        vocabulary: of the relations that tails are written for.
        events: how many to write, like the seeds of the shipped prompts.
        tails: how many to ask for, for each event and relation; cleaning leaves fewer.
        seed: of everything random.

    Raises:
        NotReady: the language model is not installed.
        TeacherError: it cannot be used, or wrote no event, or too many requests failed.
    """
    relations = tuple(vocabulary)
    seeds = tuple(Prompts(_PROMPTS).seeds)
    about_events = Plan(
        "events", DEFAULT, "local", None, _PROMPTS, "en", _EVENTS_ASKED, seeds, seed=seed, count=events,
        relations=relations,
    )  # fmt: skip
    with _bar("write events") as tell:
        written = generate_events(graph, Teaching(workspace, about_events, progress=tell))
    _check(written)
    if not written.events:
        raise TeacherError(f"{DEFAULT} wrote too few events to go on with; see what was dropped in {written.folder}")
    about_tails = Plan(
        "inferences", DEFAULT, "local", None, _PROMPTS, "en", tails, written.events, seed=seed, relations=relations
    )
    with _bar("write tails", len(written.events) * len(relations)) as tell:
        taught = generate_inferences(graph, Teaching(workspace, about_tails, progress=tell))
    _check(taught)
    return taught.run


def _check(taught: Taught) -> None:
    """Refuse what is missing too much."""
    tally = taught.tally
    if tally.failed > _MOST_FAILURES * (tally.asked + tally.cached + tally.failed):
        raise TeacherError(
            f"{tally.failed:,} requests to {DEFAULT} failed; {taught.folder / 'failures.jsonl'} says why, and the same "
            "command asks again"
        )


@contextmanager
def _bar(doing: str, total: int | None = None) -> Iterator[Callable[..., Any]]:
    """Yield what counts the replies of a run."""
    with Bar(total=total, unit="replies", desc=doing, leave=False) as bar:
        yield lambda tally, _: bar.update(tally.asked + tally.cached + tally.failed - bar.n)
