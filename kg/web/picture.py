"""A neighbourhood as a picture: a phrase, what it is tied to, and what these are tied to, in three columns.

Columns keep sixty texts readable where a drawing of forces would pile them up. networkx lays the columns out; within
them a phrase stands near those that it is tied to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

import networkx as nx
from rich.cells import cell_len

from kg.lettering import cut, folded

MOST = 60
"""Phrases in a picture."""

FIRST_STEP = 18
"""Most of them that stand beside the phrase in the middle."""

_ROW = 22  # units from one text to the next
_COLUMNS = (16, 250, 690)  # where the texts of a column begin
_LETTERS = (24, 44, 44)  # of a text in each column, as wide as Latin ones
_WIDTH = 1110
_MARGIN = 20
_LETTER = 7.0  # units that a letter takes


@dataclass(frozen=True, slots=True)
class Tie:
    """An edge of a picture: the key and text of the phrase that it leads to, from which, by what, and its verdict."""

    source: str
    key: str
    text: str
    relation: str
    is_out: bool
    accepted: bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """A phrase in a picture: its address, where its text begins, the lines of the text, and how it is tied."""

    href: str
    text: str
    x: float
    y: float
    lines: Sequence[str]
    says: str
    column: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its size, phrases, and paths with `yes`, `no` or nothing of whether the edge is accepted."""

    width: int
    height: int
    places: Sequence[Place]
    paths: Sequence[tuple[str, str]]


def nearest(rows: Sequence[Tie], count: int = FIRST_STEP) -> list[Tie]:
    """Return some ties, of each relation about alike many, in the order of relations; each phrase once."""
    by_relation: dict[tuple[bool, str], list[Tie]] = {}
    seen: set[str] = set()
    for tie in rows:
        if tie.key not in seen:
            seen.add(tie.key)
            by_relation.setdefault((tie.is_out, tie.relation), []).append(tie)
    chosen = list(_in_turn(by_relation.values()))[:count]
    order = list(by_relation)
    return sorted(chosen, key=lambda tie: order.index((tie.is_out, tie.relation)))


def draw(key: str, text: str, first: Sequence[Tie], second: Iterable[Tie]) -> Picture:
    """Return the picture of a phrase.

    Args:
        key: of the phrase.
        text: of the phrase.
        first: what it is tied to, each phrase once.
        second: what these are tied to; as many are drawn as there is room for.
    """
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node(key)
    ties: dict[str, Tie] = {tie.key: tie for tie in first}
    by_source: dict[str, list[Tie]] = {tie.key: [] for tie in first}
    extra: list[tuple[str, str, bool | None]] = [(key, tie.key, tie.accepted) for tie in first]
    for tie in second:
        if tie.key != key and tie.key not in by_source:
            by_source[tie.source].append(tie)
    for tie in _in_turn(by_source.values()):
        if tie.key not in ties and len(ties) < MOST - 1:
            ties[tie.key] = tie
        if tie.key in ties:
            extra.append((tie.source, tie.key, tie.accepted))
    rank = {tie.key: place for place, tie in enumerate(first)}
    last = sorted((one for one in ties if one not in rank), key=lambda one: rank[ties[one].source])
    columns = {0: [key], 1: list(rank), 2: last}
    graph.add_edges_from((one, other) for one, other, _ in extra)
    layout = nx.multipartite_layout(graph, subset_key={number: keys for number, keys in columns.items() if keys})
    most = max(map(len, columns.values()))
    up = [place[1] for place in layout.values()]
    span = (max(up) - min(up)) or 1.0
    places = {}
    for number, keys in columns.items():
        for one in keys:
            y = _MARGIN + (most - 1) * _ROW * float((layout[one][1] - min(up)) / span if most > 1 else 0.0)
            places[one] = _place(one, text if one == key else ties[one].text, y, number, ties.get(one))
    height = 2 * _MARGIN + max(most - 1, 2) * _ROW
    paths = [(_path(places[one], places[other]), _kind(accepted)) for one, other, accepted in extra]
    return Picture(_WIDTH, height, list(places.values()), paths)


def _place(key: str, text: str, y: float, column: int, tie: Tie | None) -> Place:
    letters = _LETTERS[column]
    says = "" if tie is None else f"{'→' if tie.is_out else '←'} {tie.relation}"
    room = letters - len(says)
    lines = folded(text, letters)[:5] if column == 0 else [cut(text, room)]
    return Place(f"/phrase/{key}", text, _COLUMNS[column], y, lines, says, column)


def _path(one: Place, other: Place) -> str:
    left, right = sorted((one, other), key=lambda place: place.column)
    if left.column == right.column:
        x, bend = left.x - 6, left.x - 40
        return f"M{x:.0f} {left.y:.1f}C{bend:.0f} {left.y:.1f} {bend:.0f} {right.y:.1f} {x:.0f} {right.y:.1f}"
    letters = max(map(cell_len, left.lines)) + (len(left.says) + 1 if left.says else 0)
    end = right.x - 6
    begin = left.x + min(letters * _LETTER + 8, end - left.x - 30)
    bend = (begin + end) / 2
    return f"M{begin:.0f} {left.y:.1f}C{bend:.0f} {left.y:.1f} {bend:.0f} {right.y:.1f} {end:.0f} {right.y:.1f}"


def _kind(accepted: bool | None) -> str:
    return "" if accepted is None else "yes" if accepted else "no"


def _in_turn(groups: Iterable[Sequence[Tie]]) -> Iterator[Tie]:
    """Yield the first of each group, then the second of each, and so on."""
    for row in zip_longest(*groups):
        yield from (tie for tie in row if tie is not None)


def ties_of(key: str, inferences: Iterable[Mapping[str, Any]], told: Iterable[Mapping[str, Any]]) -> list[Tie]:
    """Return the ties of a phrase, from the rows of `web/inferences` and of `web/told`; "nothing" is no phrase."""
    out = [Tie(key, row["tail_id"], row["tail"], row["relation"], is_out=True, accepted=row["accepted"])
           for row in inferences if row["tail_id"] != "none"]  # fmt: skip
    back = [
        Tie(key, row["head_id"], row["head"], row["relation"], is_out=False, accepted=row["accepted"]) for row in told
    ]
    return [tie for tie in (*out, *back) if tie.key != key]


def draw_edges(edges: Sequence[tuple[str, str, str]]) -> Picture:
    """Return a picture of triples: heads on the left, the other texts on the right, with the relations before them.

    Args:
        edges: head, relation, tail; those with a text beyond the first sixty are left out.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    for head, relation, tail in edges:
        if len({*graph, head, tail}) <= MOST:
            names: list[str] = graph.edges[head, tail]["names"] if graph.has_edge(head, tail) else []
            graph.add_edge(head, tail, names=[*names, *([relation] if relation not in names else [])])
    heads = [text for text in graph if graph.out_degree(text)]
    tails = [text for text in graph if not graph.out_degree(text)]
    order = (heads, tails)
    most = max(map(len, order), default=1)
    places: dict[str, Place] = {}
    for column, texts in enumerate(order):
        for number, text in enumerate(texts):
            into = [name for head in graph.predecessors(text) for name in graph.edges[head, text]["names"]]
            says = f"→ {', '.join(dict.fromkeys(into))}" if column else ""
            y = _MARGIN + _ROW * (number + 0.5) * most / len(texts)
            shown = cut(text, _LETTERS[1])
            x = _COLUMNS[0] if column == 0 else _COLUMNS[2] - 180
            places[text] = Place(f"/search?{urlencode({'text': text})}", text, x, y, [shown], says, 1 + column)
    paths = [(_path(places[one], places[other]), "") for one, other in graph.edges]
    return Picture(_WIDTH, 2 * _MARGIN + most * _ROW, list(places.values()), paths)
