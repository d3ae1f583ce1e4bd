"""The reading half of the graph: rows of the store become records (`kg.model`), page by page.

Reads come in pages, the next of which is fetched while one is worked on, so that memory does not grow with the graph.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from kg.errors import GraphChanged, NotFound, NotReady
from kg.graph.rows import EdgeRow, acceptance_of, edge_of, read_ahead
from kg.model import Acceptance, Edge, Judgement, Phrase, Split, Triple
from kg.store import queries
from kg.store.bolt import Row, Store
from kg.vocabulary import Relation, Vocabulary

T = TypeVar("T")

_PAGE_EVENTS = 500  # events of one page when edges are read; ATOMIC has 10 to 60 edges an event
_PAGE_PHRASES = 10_000


class GraphReading:
    """Events, inferences and what was said about them, to be read.

    Attributes:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def watermark(self) -> int:
        """Return a number that grows with every transaction that writes, from whatever process."""
        return int(self._read("graph/writes")[0]["writes"])

    def unchanged_since(self, watermark: int, items: Iterable[T]) -> Iterator[T]:
        """Yield items that are read from the graph, then make sure that they were all of one state.

        Raises:
            GraphChanged: something was written since the watermark; raised after the last item.
        """
        yield from items
        self.check_unchanged(watermark)

    def check_unchanged(self, watermark: int) -> None:
        """Make sure that nothing was written since a watermark.

        Raises:
            GraphChanged: something was written.
        """
        if (now := self.watermark()) != watermark:
            raise GraphChanged(
                f"the graph was written to {now - watermark:,} times while it was read, so that this would mix old and "
                "new; repeat it when no run is writing (kg runs list)"
            )

    def vocabulary(self) -> Vocabulary:
        """Return the relations that were used so far.

        Raises:
            NotReady: nothing has been loaded yet.
        """
        rows = self._read("graph/relations")
        if not rows:
            raise NotReady("the graph is empty; load something first: kg distill, or kg ingest load FILE")
        return Vocabulary(Relation(**row) for row in rows)

    def runs(self) -> list[Row]:
        """Return all runs as maps, the newest first."""
        return [row["run"] for row in self._read("graph/runs", id=None)]

    def run(self, run_id: str) -> Row:
        """Return one run as a map.

        Raises:
            NotFound: there is no such run.
        """
        rows = self._read("graph/runs", id=run_id)
        if not rows:
            raise NotFound(f"no run {run_id!r}; see `kg runs list`")
        return dict(rows[0]["run"])

    def critics(self) -> list[Row]:
        """Return all critics as maps, the one that became current last first."""
        return self._records("Critic")

    def current_critic(self) -> Row:
        """Return the current critic as a map.

        Raises:
            NotReady: no critic has been trained.
        """
        rows = self._read("graph/current_critic")
        if not rows:
            raise NotReady("no critic has been trained; run kg critic import-judgements FILE, then kg critic train")
        return dict(rows[0]["critic"])

    def current_acceptance(self, critic: str) -> Acceptance:
        """Return the current thresholds of a critic.

        Raises:
            NotReady: the critic has not been calibrated.
        """
        rows = self._read("graph/current_acceptance", critic=critic)
        if not rows:
            raise NotReady("the critic has no thresholds yet; run kg critic calibrate")
        return acceptance_of(rows[0]["acceptance"])

    def students(self) -> list[Row]:
        """Return all students as maps, the one that became current last first."""
        return self._records("Student")

    def current_student(self) -> Row:
        """Return the current student as a map.

        Raises:
            NotReady: no student has been trained.
        """
        rows = self._read("graph/current_student")
        if not rows:
            raise NotReady("no student has been trained; run kg student train")
        return dict(rows[0]["student"])

    def edges(
        self,
        *,
        split: Split | None = None,
        min_score: float | None = None,
        accepted: bool | None = None,
        where: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Iterator[Edge]:
        """Yield edges in the order of heads' keys, relations and tails' keys.

        There is no snapshot: edges written meanwhile may or may not be among them.

        Args:
            split: only edges of these events.
            min_score: only edges with at least this score.
            accepted: only edges that are accepted, or that are not.
            where: a Cypher condition over `head`, `r` and `tail`; check a user's own with `kg.store.adhoc.check`.
            parameters: values of the condition's own parameters.
        """
        filters = {"split": split, "min_score": min_score, "accepted": accepted}
        for page in self.edge_pages(where=where, parameters=filters | dict(parameters or {})):
            yield from map(edge_of, page)

    def edge_pages(
        self, *, where: str | None = None, parameters: Mapping[str, Any] | None = None, after: str = ""
    ) -> Iterator[list[EdgeRow]]:
        """Yield pages of edges as rows (`kg.graph.rows.EdgeRow`), in the order of `edges`; all of an event on one page.

        Args:
            where: as for `edges`.
            parameters: likewise.
            after: the key of an event; edges of those up to it are left out.
        """
        text = queries.load("graph/edges").where(where).text
        filters = {"split": None, "min_score": None, "accepted": None, **(parameters or {})}
        pages = (
            self.store.read(text, last=last, until=until, **filters)[0]["rows"] for last, until in self.pages(after)
        )
        return ([EdgeRow._make(row) for row in page] for page in read_ahead(pages) if page)

    def pages(self, after: str = "") -> Iterator[tuple[str, str]]:
        """Yield pages of events after a key: the key after which each begins, and its last one."""
        last = after
        while until := self._read("graph/event_page", last=last, events=_PAGE_EVENTS)[0]["until"]:
            yield last, until
            last = until

    def phrases(
        self,
        *,
        split: Split | None = None,
        min_score: float | None = None,
        accepted: bool | None = None,
        where: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        every: bool = False,
    ) -> Iterator[Phrase]:
        """Yield the phrases that the edges with the same filters use, or `every` phrase, in the order of their keys."""
        text = queries.load("graph/phrases").where(where).text
        filters = {"split": split, "min_score": min_score, "accepted": accepted, "every": every, **(parameters or {})}

        def pages() -> Iterator[list[list[Any]]]:
            last = ""
            while rows := self.store.read(text, last=last, phrases=_PAGE_PHRASES, **filters)[0]["rows"]:
                yield rows
                last = rows[-1][0]

        for rows in read_ahead(pages()):
            for _, words, lang, labels, of_split, uri, runs, logprob, splits, texts in rows:
                yield Phrase(
                    words, lang, tuple(labels), of_split, uri, tuple(runs), logprob, tuple(splits), tuple(texts)
                )

    def events(self, split: Split | None = None) -> list[Phrase]:
        """Return the events of a split, in the order of their keys."""
        rows = self._read("graph/events", split=split)
        return [Phrase(row["text"], row["lang"], ("Event",), row["split"], row["uri"]) for row in rows]

    def splits_of(self, ids: Sequence[str]) -> dict[str, Split]:
        """Return the splits of those phrases that are events."""
        return {row["id"]: row["split"] for row in self._read("graph/splits_of", ids=list(ids))}

    def judgements(self) -> list[Judgement]:
        """Return all judgements, in the order of their keys."""
        return [
            Judgement(Triple(*list(row.values())[:7]), row["annotator"], row["value"])
            for row in self._read("graph/judgements")
        ]

    def annotators(self) -> dict[str, list[str]]:
        """Return each annotator's name with the ids of the runs that recorded judgements of this name."""
        return {row["annotator"]: row["runs"] for row in self._read("graph/annotators")}

    def drawn(self) -> dict[str, dict[Triple, float]]:
        """Return the runs that drew triples to be judged, each with the probability in (0, 1] of each triple."""
        found: dict[str, dict[Triple, float]] = {}
        for row in self._read("graph/drawn"):
            run, *triple, probability = row.values()
            found.setdefault(run, {})[Triple(*triple)] = probability
        return found

    def judgement_rows(self) -> list[Row]:
        """Return all judgements as they are kept, in the order of their keys."""
        return self._read("graph/judgement_rows")

    def task_rows(self, batch: str | None = None) -> list[Row]:
        """Return tasks as they are kept, in the order of their keys: those that a run drew, or all."""
        return self._read("graph/task_rows", batch=batch)

    def duplicate_rows(self) -> list[Row]:
        """Return the duplicates that were set aside, in the order of their keys: keys of head and tail, properties."""
        return self._read("graph/duplicates", ids=None, taken=None, run=None)

    def descriptions(self) -> dict[str, list[Row]]:
        """Return the properties of all relations, runs, critics, acceptances and students."""
        records = self._read("graph/records")
        by_label = {
            name: [row["properties"] for row in records if row["label"] == label]
            for name, label in (("critics", "Critic"), ("acceptances", "Acceptance"), ("students", "Student"))
        }
        return {"relations": self._read("graph/relations"), "runs": self.runs(), **by_label}

    def teacher_triples(self) -> dict[str, int]:
        """Return how many triples that are no predictions each split has."""
        return {row["split"]: row["triples"] for row in self._read("graph/teacher_triples")}

    def statistics(self) -> dict[str, Any]:
        """Return counts of phrases, events, inferences, edges, judgements and runs, and of edges by relation."""
        relations = self._read("graph/relation_statistics")
        totals = {name: sum(row[name] for row in relations) for name in ("edges", "scored", "accepted", "predicted")}
        by_name = {row["relation"]: row["edges"] for row in relations}
        return {**self._read("graph/statistics")[0], **totals, "relations": by_name}

    def _read(self, name: str, /, **parameters: Any) -> list[Row]:
        return self.store.read(queries.load(name).text, **parameters)

    def _records(self, label: str) -> list[Row]:
        rows = [row["properties"] for row in self._read("graph/records") if row["label"] == label]
        return sorted(rows, key=lambda row: (row.get("current", False), row.get("order") or 0), reverse=True)
