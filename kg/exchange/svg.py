"""SVG: a picture of some edges, for documents and slides. Heads on the left, their relations, the tails on the right.

A line is solid where the edge is accepted, dotted where it is not, thin where no critic has scored it; a tail that only
students wrote stands in italics. The score stands behind its tail. Colours follow the reader's light or dark scheme.
"""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.cells import cell_len

from kg.errors import InputError
from kg.exchange.target import export_file
from kg.lettering import apart, folded
from kg.model import Edge
from kg.terminal import visible

MOST_EDGES = 60
"""More lines than this cannot be read in one picture."""

_ROW = 24  # pixels from one tail to the next
_GAP = 14  # more pixels between relations
_LETTER = 7.6  # pixels that a letter of 14 px needs on average
_WIDE_LETTER = 9.6  # in a wide font, so that no line begins inside a word
_HEAD_LETTERS = 24  # of a line of a head
_MARGIN = 16
_CURVE = 90  # pixels between two columns

_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .relation { fill: #0550ae } .predicted { font-style: italic }
.score { fill: #59636e; font-size: 12px } path { fill: none; stroke: #59636e }
.accepted { stroke: #1a7f37; stroke-width: 2 } .refused { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 3 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .relation { fill: #79c0ff } .score { fill: #9198a1 } path { stroke: #9198a1 }
  .accepted { stroke: #3fb950 } .refused { stroke: #f85149 }
}
"""


def write_svg(edges: Iterable[Edge], path: Path) -> int:
    """Draw edges; return their number.

    Args:
        edges: at most `MOST_EDGES`, in the order of `KnowledgeGraph.edges`: those of a head together, by relation.
        path: the file to make; an older one is replaced.

    Raises:
        InputError: there is no edge, there are too many, or the file cannot be written.
    """
    some = []
    for edge in edges:
        some.append(edge)
        if len(some) > MOST_EDGES:
            raise InputError(f"a picture of more than {MOST_EDGES} edges cannot be read; narrow it with --where")
    if not some:
        raise InputError("there is no edge to draw; look at --where, --split and --accepted")
    with export_file(path) as draft:
        ET.ElementTree(_drawn(some)).write(draft, encoding="utf-8", xml_declaration=True)
    return len(some)


def _drawn(edges: list[Edge]) -> ET.Element:
    relations = _MARGIN + _HEAD_LETTERS * _LETTER + _CURVE
    tails = relations + max(len(edge.triple.relation) for edge in edges) * _WIDE_LETTER + _CURVE
    width = tails + max(cell_len(edge.triple.tail) for edge in edges) * _LETTER + 50 + _MARGIN
    picture = ET.Element("svg", xmlns="http://www.w3.org/2000/svg")
    ET.SubElement(picture, "title").text = f"{len(edges)} edges of the graph"
    ET.SubElement(picture, "style").text = _STYLE
    lines, texts = ET.SubElement(picture, "g"), ET.SubElement(picture, "g")
    y = float(_MARGIN)
    for head, of_head in groupby(edges, key=lambda edge: (edge.triple.head, edge.triple.lang, edge.triple.head_uri)):
        places: list[tuple[str, list[tuple[Edge, float]]]] = []
        for relation, of_relation in groupby(of_head, key=lambda edge: edge.triple.relation):
            rows = [(edge, y + _ROW * (place + 0.5)) for place, edge in enumerate(of_relation)]
            places.append((relation, rows))
            y = rows[-1][1] + _ROW / 2 + _GAP
        first, last = places[0][1][0][1], places[-1][1][-1][1]
        parts = folded(head[0], _HEAD_LETTERS)
        middle = max((first + last) / 2, first + 9 * (len(parts) - 1))
        y = max(y, middle + 9 * len(parts) + _GAP)
        for place, part in enumerate(parts):
            _text(texts, _MARGIN, middle + 18 * (place - (len(parts) - 1) / 2), part, "head")
        for relation, rows in places:
            centre = (rows[0][1] + rows[-1][1]) / 2
            _line(lines, relations - _CURVE, middle, relations - 6, centre, "")
            _text(texts, relations, centre, relation, "relation")
            for edge, row in rows:
                kind = "" if edge.accepted is None else "accepted" if edge.accepted else "refused"
                _line(lines, relations + len(relation) * _WIDE_LETTER + 4, centre, tails - 6, row, kind)
                text = _text(texts, tails, row, edge.triple.tail, "predicted" if edge.predicted else "")
                if edge.score is not None:
                    score = ET.SubElement(text, "tspan", {"class": "score", "dx": "10"})
                    score.text = f"{edge.score:.2f}"
    picture.attrib |= {"viewBox": f"0 0 {width:.0f} {y:.0f}", "width": f"{width:.0f}", "height": f"{y:.0f}"}
    return picture


def _text(parent: ET.Element, x: float, y: float, text: str, kind: str) -> ET.Element:
    element = ET.SubElement(
        parent, "text", {"x": f"{x:.0f}", "y": f"{y:.0f}", "dy": "0.34em", **({"class": kind} if kind else {})}
    )
    element.text = apart(visible(text))
    return element


def _line(parent: ET.Element, x: float, y: float, to_x: float, to_y: float, kind: str) -> None:
    bend = (x + to_x) / 2
    path = f"M{x:.0f} {y:.1f}C{bend:.0f} {y:.1f} {bend:.0f} {to_y:.1f} {to_x:.0f} {to_y:.1f}"
    ET.SubElement(parent, "path", {"d": path, **({"class": kind} if kind else {})})
