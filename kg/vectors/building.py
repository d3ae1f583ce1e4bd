"""Vectors of a graph, as one run: its edges become a matrix, base vectors are retrofitted, all goes into the graph."""

import hashlib
import re
import time
from array import array
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import EdgeRow
from kg.model import NOTHING
from kg.run import VECTORS_KIND, Run, write_record
from kg.vectors import kept
from kg.vectors.base import Base, Phrase
from kg.vectors.retrofitting import SWEEPS, centre, neighbours, retrofit
from kg.workspace import Workspace

_NEGATIVE = re.compile(r"Not[A-Z]\w*|Antonym|DistinctFrom|ObstructedBy|HinderedBy")
_LICENCE = re.compile(r'"license": "([^"]*)"')

Say = Callable[[str], object]


def is_negative(relation: str) -> bool:
    """Tell whether a relation says that two terms do not go together, so that neither should pull the other.

    >>> is_negative("NotIsA"), is_negative("Antonym"), is_negative("xNotes"), is_negative("IsA")
    (True, True, False, False)
    """
    return _NEGATIVE.fullmatch(relation) is not None


@dataclass(slots=True)
class Matter:
    """Of a graph, what vectors are made of.

    Attributes:
        ids: keys of the phrases, in the order in which edges name them.
        phrases: the phrases themselves.
        heads, tails, weights: of the edges that pull, by place in `ids`.
        licences: what edges' own sources say of theirs.
        digest: of the edges and weights: the same edges, the same digest.
    """

    ids: dict[str, int] = field(default_factory=dict)
    phrases: list[Phrase] = field(default_factory=list)
    heads: "array[int]" = field(default_factory=lambda: array("i"))
    tails: "array[int]" = field(default_factory=lambda: array("i"))
    weights: "array[float]" = field(default_factory=lambda: array("f"))
    licences: set[str] = field(default_factory=set)
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def place(self, key: str, text: str, lang: str) -> int:
        """Return the place of a phrase, a new one if need be."""
        found = self.ids.setdefault(key, len(self.phrases))
        if found == len(self.phrases):
            self.phrases.append(Phrase(text, lang))
        return found


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Attributes:
        run: its id.
        terms: phrases that have a vector now.
        from_base: those of them that have a base vector.
        dimensions: of a vector.
        edges: that were gone along.
        seconds: by step: read, base, retrofit, write, index; empty where the same vectors stood already.
    """

    run: str
    terms: int
    from_base: int
    dimensions: int
    edges: int
    seconds: dict[str, float]


def weight_of(row: EdgeRow) -> float:
    """Return how much an edge weighs: its critic's score, else its source's weight, else 1; 0 if it is not accepted."""
    if row.accepted is False:
        return 0.0
    weight = row.score if row.score is not None else row.weight if row.weight is not None else 1.0
    return max(0.0, weight)


def gather(pages: Iterable[Iterable[EdgeRow]], without: Collection[str] = ()) -> Matter:
    """Return what vectors are made of: all phrases, and edges of relations that are neither negative nor left out.

    Args:
        pages: as of `KnowledgeGraph.edge_pages`.
        without: names of relations to leave out.
    """
    found = Matter()
    for page in pages:
        for row in page:
            if row.tail_id == NOTHING:
                continue
            head = found.place(row.head_id, row.head, row.lang)
            tail = found.place(row.tail_id, row.tail, row.tail_lang or row.lang)
            weight = 0.0 if is_negative(row.relation) or row.relation in without else weight_of(row)
            if weight:
                found.heads.append(head)
                found.tails.append(tail)
                found.weights.append(weight)
            found.digest.update(f"{row.head_id}{row.relation} {row.tail_id}{weight:.6g}\n".encode())
            if row.details:
                found.licences.update(_LICENCE.findall(row.details))
    return found


def build(
    graph: KnowledgeGraph,
    workspace: Workspace,
    base: Base,
    *,
    without: Collection[str] = (),
    sweeps: int = SWEEPS,
    say: Say = lambda _: None,
) -> Built:
    """Give the phrases of the graph vectors, in place of those that an earlier run gave.

    Args:
        graph: whose edges are gone along.
        workspace: has the run's own folder.
        base: the vectors to begin with.
        without: names of relations to leave out, besides the negative ones.
        sweeps: 0 only centres the base vectors.
        say: told what is done now.

    Raises:
        NotReady: there is nothing to go along.
        InputError: the base vectors cannot be read, or have none of the graph's phrases.
    """
    seconds: dict[str, float] = {}
    begun = time.monotonic()

    def lap(step: str) -> None:
        nonlocal begun
        seconds[step] = round(time.monotonic() - begun, 1)
        begun = time.monotonic()

    vocabulary = graph.vocabulary()
    unknown = [vocabulary[name].name for name in without]
    watermark = graph.watermark()
    say("Reading the edges")
    matter = gather(graph.edge_pages(), unknown)
    graph.check_unchanged(watermark)
    if not matter.phrases:
        raise NotReady("the graph has no edge to go along; load something first: kg ingest load FILE")
    lap("read")
    licences = sorted(matter.licences | {str(run["licence"]) for run in graph.runs() if _gives_licence(run)})
    run = Run(
        VECTORS_KIND, model=base.name, licence="; ".join(licences) or None,
        parameters={
            "base": base.sha256, "edges": matter.digest.hexdigest(), "sweeps": sweeps, "without": sorted(without),
        },
    )  # fmt: skip
    done = kept.find_standing(graph)
    if done and done["id"] == run.id:
        return Built(run.id, done["terms"], done["from_base"], done["dimensions"], done["edges"], {})
    before = [one for one in graph.runs() if one["kind"] == VECTORS_KIND and one.get("status") not in ("undone", "new")]
    say(f"Base vectors of {len(matter.phrases):,} phrases: {base.name}")
    vectors, known = base.find(matter.phrases)
    lap("base")
    say(f"{sweeps} sweeps over {len(matter.heads):,} edges")
    matrix = neighbours(len(matter.phrases), matter.heads, matter.tails, matter.weights)
    centre(vectors, known)
    vectors = retrofit(vectors, known, matrix, sweeps=sweeps)
    lap("retrofit")
    say("Writing")
    for one in before:
        graph.undo(one["id"])
    with graph.running(run):
        written = sum(kept.put(graph, list(matter.ids), vectors))
        lap("write")
        say("Neo4j's index")
        kept.index(graph)
        lap("index")
        numbers = {
            "terms": written, "from_base": int(np.count_nonzero(known)), "dimensions": vectors.shape[1],
            "edges": len(matter.heads),
        }  # fmt: skip
        graph.finish(run, **numbers)
    write_record(workspace.folder("runs", run.id), run, numbers | {"seconds": seconds})
    return Built(run.id, seconds=seconds, **numbers)


def _gives_licence(run: dict[str, Any]) -> bool:
    return bool(run.get("licence")) and run["kind"] != VECTORS_KIND and run.get("status") not in ("undone", "new")
