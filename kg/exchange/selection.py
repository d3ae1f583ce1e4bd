"""A part of a graph, as one state of it, in every shape that a writer may take (`formats.Writing.takes`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.rows import EdgeRow, edge_of
from kg.model import Edge, Phrase, Split
from kg.store import adhoc, queries
from kg.store.bolt import Row
from kg.vocabulary import Vocabulary


class Selection:
    """The edges that some filters leave, with their phrases, relations and runs; each attribute reads the graph anew.

    Attributes:
        graph: where the edges are.
        filters: the filters that were given.
        progress: called with numbers of edges.
        notes: warnings about the condition (`kg.store.adhoc.check`), a line each.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        where: str | None = None,
        min_score: float | None = None,
        accepted: bool | None = None,
        split: Split | None = None,
        lang: str | None = None,
        mixed: bool = True,
        parameters: Mapping[str, Any] | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        """Choose edges; nothing is read yet.

        Args:
            graph: where they are.
            where: a Cypher condition over `head`, `r` and `tail`.
            min_score: the smallest score, in [0, 1].
            accepted: only edges that are accepted, or that are not.
            split: only edges of these events.
            lang: only edges whose heads are in this language, a BCP 47 tag.
            mixed: whether they may be in several languages.
            parameters: values of the condition's own parameters.
            progress: called with numbers of edges as they are read.

        Raises:
            UnsafeQuery: the condition does more than read.
            QueryError: the database does not accept it.
        """
        given = {"where": where, "min_score": min_score, "accepted": accepted, "split": split}
        self.graph = graph
        self.filters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self.progress = progress
        self._parameters = dict(parameters or {})
        self.notes = [] if where is None else _checked(graph, where, self._parameters)
        if lang is not None:
            self.filters["where"] = f"head.lang = $lang AND (\n{where}\n)" if where else "head.lang = $lang"
            self._parameters["lang"] = lang
        self._mixed = mixed
        self._watermark = graph.watermark()

    @property
    def pages(self) -> Iterator[list[EdgeRow]]:
        """Lists of edges as rows (`kg.graph.rows.EdgeRow`); an error at the end if the graph was written to."""
        parameters = {name: value for name, value in self.filters.items() if name != "where"}
        pages = self.graph.edge_pages(where=self.filters.get("where"), parameters=self._parameters | parameters)
        seen: set[str] = set()
        for page in self.graph.unchanged_since(self._watermark, pages):
            seen.update(row.lang for row in page)
            if len(seen) > 1 and not self._mixed:
                raise InputError(f"the edges are in {' and '.join(sorted(seen))}, which are not mixed here; add --lang")
            yield page
            self.progress(len(page))

    @property
    def edges(self) -> Iterator[Edge]:
        """Edges, one by one; an error at the end if the graph was written to."""
        return (edge_of(row) for page in self.pages for row in page)

    @property
    def phrases(self) -> Iterator[Phrase]:
        """The phrases of the edges, each once."""
        return self.graph.unchanged_since(self._watermark, self._found_phrases())

    @property
    def every_phrase(self) -> Iterator[Phrase]:
        """All phrases of the graph, with edges or without; where there are filters, those of the edges."""
        found = self._found_phrases() if self.filters else self.graph.phrases(every=True)
        return self.graph.unchanged_since(self._watermark, found)

    def _found_phrases(self) -> Iterator[Phrase]:
        return self.graph.phrases(parameters=self._parameters, **self.filters)

    @property
    def relations(self) -> Vocabulary:
        """The relations of the graph."""
        return self.graph.vocabulary()

    @property
    def runs(self) -> list[Row]:
        """The runs of the graph, each a map."""
        return self.graph.runs()


def _checked(graph: KnowledgeGraph, where: str, parameters: Mapping[str, Any]) -> list[str]:
    """Check that a condition does nothing but read, in both queries that it goes into; return the notes on it."""
    notes: list[str] = []
    for name in ("graph/edges", "graph/phrases"):
        query = queries.load(name).where(where)
        given: dict[str, Any] = dict.fromkeys(query.parameters)
        notes = adhoc.check(graph.store, query.text, given | dict(parameters))
    return adhoc.of_condition(notes, where)
