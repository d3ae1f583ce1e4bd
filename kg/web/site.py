"""What the pages of an application share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Task
from kg.model import Acceptance, Split
from kg.vocabulary import Vocabulary
from kg.web.kept import Kept
from kg.web.link import Link
from kg.web.reading import Reading


class Replies(Protocol):
    """Finds raw replies of teachers in the workspace."""

    def has(self, run: str) -> bool:
        """Return whether a run is one of a live teacher in this workspace."""

    def find(self, run: str, head: str, relation: str, tail: str) -> Mapping[str, Any]:
        """Return `at`, `key`, `request` and `reply` of the request that a triple came from.

        Raises:
            NotFound: the triple did not come from the run.
        """


class Judging(Protocol):
    """What judging on a page needs of the critic."""

    @property
    def owner(self) -> str:
        """The name by which whoever started the application judges."""

    @property
    def verdicts(self) -> Sequence[Any]:
        """The verdicts in their order, each with `key`, `value` and `words`."""

    @property
    def ways(self) -> Mapping[str, str]:
        """How a batch can be drawn: name to what it does."""

    def ask(self, task: Task, vocabulary: Vocabulary) -> Any:
        """Return a task as an annotator sees it: `head`, `question`, `tail` and `sentence`."""

    def draw(
        self,
        graph: KnowledgeGraph,
        *,
        size: int,
        way: str,
        split: Split,
        per_triple: int,
        controls: bool,
        seed: int,
        name: str | None,
    ) -> str:
        """Draw a batch of tasks; return the id of its run."""

    def evidence(self, graph: KnowledgeGraph, run: Mapping[str, Any]) -> Any:
        """Return what the verdicts on a batch say, as a `critic.evidence.Evidence`."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the pages need of the stages, which this package does not know; `kg.serve` hands it over.

    Attributes:
        by_recall: a graph, and an acceptance for another than the current one, to the rows of
            `critic.filtering.by_recall`, with `who` judged, and the 95 % `interval` of the share that is good.
        calibrate: chooses and writes the thresholds of the current critic for a recall; returns the acceptance's id.
        accept_from: the same for one smallest score.
        choose: a graph, and a `recall` or a `threshold`, to the acceptance that these two would write.
        compare: a graph and two critics to a `critic.comparison.Comparison`.
        curves: a graph and a critic to `critic.curves.curves`.
        critic_files: the `manifest` and `report` of each critic of this workspace, by id; judges are among them.
        student_files: the `manifest` and `metrics` of each student of this workspace, by id.
        replies: raw replies.
        judging: what judging needs.
        rdf: the folder where the graph is kept as RDF.
    """

    by_recall: Callable[..., Sequence[Mapping[str, Any]]]
    calibrate: Callable[[float], str]
    accept_from: Callable[[float], str]
    choose: Callable[..., Acceptance]
    compare: Callable[[KnowledgeGraph, str, str], Any]
    curves: Callable[[KnowledgeGraph, str], Mapping[str, Any]]
    critic_files: Callable[[], Mapping[str, Mapping[str, Any]]]
    student_files: Callable[[], Mapping[str, Mapping[str, Any]]]
    replies: Replies
    judging: Judging
    rdf: Path


@dataclass(slots=True)
class Site:
    """What the pages share.

    Attributes:
        link: the graph.
        stages: what the stages do.
        kept: what is counted behind the pages.
    """

    link: Link
    stages: Stages
    kept: Kept = field(default_factory=Kept)
    _reading: Reading | None = None

    def reading(self) -> Reading:
        """Return the graph as pages read it.

        Raises:
            StoreUnavailable, ServerError: the database is gone.
        """
        graph = self.link.graph()
        if self._reading is None or self._reading.graph is not graph:
            self._reading = Reading(graph)
        return self._reading
