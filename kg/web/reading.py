"""How pages read the graph: as `kg query` does, behind both its walls, and never longer than a page may take.

A statement of `cypher/` is checked (`kg.store.adhoc`) when it is asked first; each runs in read mode, with a time
limit, and is not tried again: a page says that the database is gone rather than wait for it.
"""

from typing import Any

from kg.graph.knowledge import KnowledgeGraph
from kg.store import adhoc, queries
from kg.store.bolt import Row

PAGE_SECONDS = 10.0
"""Time limit of a statement behind a page."""


class Reading:
    """Statements on one graph.

    Attributes:
        graph: the graph.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._checked: set[str] = set()

    def rows(self, name: str, /, *, within: float = PAGE_SECONDS, **parameters: Any) -> list[Row]:
        """Return the rows of a statement of `cypher/`.

        Args:
            name: of the statement.
            within: seconds that it may take.
            parameters: values of its `$names`; those with a default may be left out.
        """
        query = queries.load(name)
        given = query.defaults | parameters
        if name not in self._checked:
            adhoc.check(self.graph.store, query.text, given)
            self._checked.add(name)
        columns, rows = self.graph.store.ask(query.text, given, limit_rows=None, timeout_seconds=within)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def watermark(self) -> int:
        """Return the number of writes so far (see `KnowledgeGraph.watermark`)."""
        return int(self.rows("graph/writes")[0]["writes"])
