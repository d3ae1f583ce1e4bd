"""What the API reads: the phrases of a URI, pages of edges, one edge, features, vectors.

A URI names its phrase by the phrase's key, and the senses below it by an index on their URIs. A text that no phrase has
to the letter stands for those that are equal in ConceptNet's normal form, which the full-text index finds.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kg.errors import InputError, NotFound
from kg.exchange.conceptnet import concept_parts, relation_name
from kg.exchange.normal_form import standard_text
from kg.identity import phrase_id
from kg.run import VECTORS_KIND
from kg.service.edges import Runs, edge, node, runs_below
from kg.service.uris import is_below, read_assertion
from kg.store.bolt import Row
from kg.vocabulary import Vocabulary
from kg.web.reading import Reading
from kg.web.searching import query_of

_SENSES = 1_000  # phrases that one URI stands for
_ALIKE = 200  # phrases among which one of the same normal form is looked for
_LONGEST = 500  # characters of a text that is looked for so; the index takes no word of 1,001, nor 1,025 words
_TERM = 4  # parts of /c/en/cat
_FURTHER = 10  # times more neighbours are looked at where a filter left too few
_NEIGHBOURS = 10_000
_LOOKED_AT = 20  # phrases of a URI, one of which should have a vector
_NO_VECTORS = "the graph has no vectors; kg vectors build makes some"


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which edges are asked for; what is empty leaves nothing out.

    Attributes:
        rel, start, end, node, other, source, dataset: URIs, of which the last six stand for all below them, too.
    """

    rel: str = ""
    start: str = ""
    end: str = ""
    node: str = ""
    other: str = ""
    source: str = ""
    dataset: str = ""


class Page(NamedTuple):
    """A page of edges.

    Attributes:
        edges: as `kg.service.edges.edge` makes them.
        following: where the next page begins, for `Lookups.page`; empty where the page is by weight, None at the end.
    """

    edges: list[dict[str, Any]]
    following: str | None


@dataclass(slots=True)
class Known:
    """The relations and runs of the graph, kept until it is written to.

    Attributes:
        watermark: number of writes that the graph had.
    """

    watermark: int = -1
    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary([]))
    runs: Runs = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, reading: Reading) -> None:
        """Read both again where the graph was written to."""
        with self.lock:
            if (now := reading.watermark()) != self.watermark:
                self.vocabulary = reading.graph.vocabulary()
                self.runs = {run["id"]: run for run in reading.graph.runs()}
                self.watermark = now


class Lookups:
    """Reads one graph for one request."""

    def __init__(self, reading: Reading, known: Known) -> None:
        known.refresh(reading)
        self._reading, self._known = reading, known

    def phrases(self, uri: str) -> list[str]:
        """Return the keys of the phrases that a URI of a term stands for, the one that has it first; none, if none has.

        Raises:
            InputError: the text is no URI of a term.
        """
        text, lang, own = concept_parts(uri, "term")
        ids = [phrase_id(text, lang, own)]
        rows = self._reading.rows("service/terms", ids=ids, prefix=f"{uri}/", count=_SENSES)
        same = standard_text(text, lang)
        if not rows and not own and len(same) <= _LONGEST and (query := query_of(same)):
            rows = [
                row for row in self._reading.rows("service/alike", query=query, lang=lang, count=_ALIKE)
                if standard_text(row["text"], lang) == same
            ]  # fmt: skip
        return sorted((row["id"] for row in rows), key=lambda key: key not in ids)

    def has(self, uri: str) -> bool:
        """Tell whether a phrase has this URI to the letter."""
        text, lang, own = concept_parts(uri, "term")
        return bool(self._reading.rows("service/terms", ids=[phrase_id(text, lang, own)], prefix=f"{uri}/", count=1))

    def page(self, asked: Criteria, *, offset: int, count: int, after: str = "") -> Page:
        """Return a page of the edges that are asked for.

        Around a term, they come by weight, then by score; otherwise in the order of keys.

        Args:
            asked: which.
            offset: edges before the page; without meaning with `after`.
            count: most edges of the page.
            after: where a page not around a term begins, as the page before said.
        """
        ends = {name: self._end(getattr(asked, name)) for name in ("start", "end", "node", "other")}
        filters: dict[str, Any] = ends | {
            "relation": self.relation(asked.rel) if asked.rel else None,
            "source": self._source(asked.source),
            "dataset": self._dataset(asked.dataset),
            "count": count + 1,
        }
        following: str | None
        around, ids = next(
            ((name, end["ids"]) for name, end in ends.items() if end and end["ids"] is not None), ("", [])
        )
        if around:
            rows = self._reading.rows(
                "service/around", ids=ids, leaving=around != "end", reaching=around != "start",
                offset=offset, **filters,
            )  # fmt: skip
            following = "" if len(rows) > count else None
        else:
            head, relation, tail = _cursor(after)
            rows = self._reading.rows(
                "service/along", head=head, after=relation, tail=tail, offset=0 if after else offset, **filters
            )
            last = rows[count - 1] if len(rows) > count else {}
            following = ".".join(last[name] for name in ("head_id", "relation", "tail_id")) if last else None
        return Page([edge(row, self._known.runs) for row in rows[:count]], following)

    def features(self, uri: str, *, count: int) -> list[tuple[dict[str, str], bool, int, list[dict[str, Any]]]]:
        """Return the edges around a term by feature: the feature, whether it is symmetric, how many edges, the first.

        Raises:
            NotFound: no edge leaves or reaches the term.
        """
        symmetric = [relation.name for relation in self._known.vocabulary if relation.symmetric]
        ids = self.phrases(uri)
        rows = self._reading.rows("service/features", ids=ids, symmetric=symmetric, count=count)
        if not rows:
            raise NotFound(f"{uri} is not a term of this graph")
        found = []
        for row in rows:
            end = "node" if row["leaving"] is None else "start" if row["leaving"] else "end"
            edges = [edge(one, self._known.runs) for one in row["edges"]]
            found.append(({"rel": edges[0]["rel"]["@id"], end: uri}, end == "node", row["total"], edges))
        return found

    def assertion(self, uri: str) -> dict[str, Any]:
        """Return one edge by the URI of its assertion.

        Raises:
            NotFound: there is no such edge.
        """
        rel, start, end = read_assertion(uri)
        names = [relation.name for relation in self._known.vocabulary]
        if relation_name(rel) in names:
            found = self.page(Criteria(rel=rel, start=start, end=end), offset=0, count=_SENSES)
            for one in found.edges:  # the very senses, before those that stand below them
                if one["@id"] == uri or (one["start"]["@id"], one["end"]["@id"]) == (start, end):
                    return one
        raise NotFound(f"{uri[:500]} is not an edge of this graph")

    def relation(self, uri: str) -> str:
        """Return the name of a relation by its URI.

        Raises:
            InputError: the text is no URI of a relation.
            NotFound: the graph has no such relation.
        """
        if not uri.startswith("/r/"):
            raise InputError(f"{uri[:200]} is not the URI of a relation, like /r/IsA")
        name = relation_name(uri)
        if name not in self._known.vocabulary.names:
            raise NotFound(f"{uri[:200]} is not a relation of this graph")
        return name

    def related(self, terms: Mapping[str, float], *, within: str, count: int) -> list[dict[str, Any]]:
        """Return the terms whose vectors are nearest to a weighted sum of some terms' vectors, those left out.

        Args:
            terms: URI to weight.
            within: a URI below which all of them stand; empty for all.
            count: most of them; fewer come where of the `_NEIGHBOURS` nearest fewer stand there.

        Raises:
            InputError: a URI is no term's, `within` is no URI, or the weighted sum is nothing.
            NotFound: none of the terms has a vector.
        """
        if within and not within.startswith("/c/"):
            raise InputError(f"filter {within[:200]} is not a URI like /c/en")
        ids: set[str] = set()
        parts = []
        for uri, weight in terms.items():
            found = self.phrases(_term(uri))
            ids.update(found)
            vector = self._vector(found)
            if vector:
                parts.append([weight * value for value in vector])
        total = [math.fsum(values) for values in zip(*parts, strict=True)]
        if not any(total):
            self._check_vectors()
            if parts:
                raise InputError("the weights leave nothing of the terms' vectors")
            raise NotFound(f"{', '.join(terms)[:500]} has no vector in this graph")
        wanted = count + len(ids)
        while True:
            rows = self._reading.rows("vectors/near", vector=total, count=wanted)
            near = [
                {"@id": node(row["text"], row["lang"], row["uri"])["@id"], "weight": round(2 * row["score"] - 1, 3)}
                for row in rows if row["id"] not in ids
            ]  # fmt: skip
            near = [one for one in near if not within or is_below(str(one["@id"]), within)]
            if len(near) >= count or len(rows) < wanted or wanted == _NEIGHBOURS:
                return near[:count]
            wanted = min(_NEIGHBOURS, wanted * _FURTHER)

    def relatedness(self, one: str, other: str) -> float:
        """Return the cosine of two terms' vectors, to three digits.

        Raises:
            InputError: one is no URI of a term.
            NotFound: one of them has none.
        """
        vectors = []
        for uri in (one, other):
            vector = self._vector(self.phrases(_term(uri)))
            if not vector:
                self._check_vectors()
                raise NotFound(f"{uri[:500]} has no vector in this graph")
            vectors.append(vector)
        return round(_dot(*vectors), 3)

    def _vector(self, ids: Sequence[str]) -> list[float]:
        """Return the vector, of length 1, of the first of some phrases that has one; empty where none has."""
        rows = self._reading.rows("vectors/of", ids=list(ids[:_LOOKED_AT])) if ids else []
        by_id = {row["id"]: row["vector"] for row in rows}
        return next((list(by_id[key]) for key in ids if key in by_id), [])

    def _check_vectors(self) -> None:
        kinds = {run["kind"] for run in self._known.runs.values() if run.get("status") == "finished"}
        if VECTORS_KIND not in kinds:
            raise NotFound(_NO_VECTORS)

    def _end(self, uri: str) -> Row:
        """Return what the statements take for a URI of a term or of a language; all, where it is empty."""
        parts = uri.split("/")
        is_language = uri.startswith("/c/") and len(parts) < _TERM
        return {
            "all": not uri,
            "ids": self.phrases(uri) if uri and not is_language else None,
            "lang": parts[2] if is_language else None,
        }

    def _source(self, uri: str) -> Row | None:
        if not uri:
            return None
        runs = runs_below(uri, self._known.runs.values())
        return {"runs": runs, "uri": uri, "text": f'"{uri}"', "below": f'"{uri}/'}

    def _dataset(self, uri: str) -> Row | None:
        if not uri:
            return None
        runs = runs_below(uri, self._known.runs.values(), dataset=True)
        stated = '"dataset": "'
        return {"runs": runs, "text": f'{stated}{uri}"', "below": f"{stated}{uri}/", "any": stated}


def _term(uri: str) -> str:
    if uri.startswith("/c/") and len(uri.split("/")) < _TERM:
        raise InputError(f"{uri[:200]} is a language, not a term like /c/en/cat")
    return uri


def _cursor(after: str) -> tuple[str, str, str]:
    if not after:
        return "", "", ""
    parts = after.split(".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004
        raise InputError("after is not what a nextPage has there")
    return parts[0], parts[1], parts[2]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))
