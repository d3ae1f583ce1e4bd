"""The pictures of a report on critics: drawn once, as a PNG file and as SVG that takes its colours from the page.

Colours are drawn as given here; in the SVG each becomes a variable of the page's style sheet, so that it is legible in
light and in dark.
"""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # takes a second
    from matplotlib.axes import Axes

from critic.report.choice import Calibration
from critic.report.evidence import BINS, Scored
from kg.terminal import visible

INK, QUIET, GRID = "#1f2329", "#59636f", "#d1d9e1"
SERIES = ("#0969db", "#bc4c01", "#1a7f38", "#8250e0", "#9a6701", "#bf3989")
"""Colours of critics, or of teachers, in their order; more of them begin again with other dashes."""

_VARIABLES = {INK: "--text", QUIET: "--quiet", GRID: "--edge"} | {
    colour: f"--series{number}" for number, colour in enumerate(SERIES)
}
_DASHES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT = 5.2, 3.6  # inches, at 72 points: about a phone's width, so that letters stay legible there
_DPI = 200
_NAME = 45  # letters of a name in a legend
_RELATIONS = 12  # shown of a histogram, those with the most edges
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "skd-graph", "font.size": 11, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": QUIET, "xtick.color": QUIET, "ytick.color": QUIET, "xtick.labelcolor": INK,
    "ytick.labelcolor": INK, "axes.grid": True, "grid.color": GRID, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "text.parse_math": False, "font.family": "DejaVu Sans",
}  # fmt: skip


class Picture(NamedTuple):
    """One picture: the name of its file without the ending, SVG for a page, and PNG with a white ground."""

    name: str
    svg: str
    png: bytes


def precision_recall(critics: Sequence[Scored]) -> Picture:
    """Draw the precision of each critic at each recall; critics whose judged triples are all alike are left out."""
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - takes a second

    def draw(axes: "Axes") -> None:
        for number, one in enumerate(critics):
            if 0 < one.verdicts.good.sum() < len(one.verdicts):
                precision, recall, _ = precision_recall_curve(one.verdicts.good, one.scores)
                axes.plot(recall[:-1], precision[:-1], label=_name(one.critic), **_line(number))
        axes.set(xlabel="recall: share of the good that is kept", ylabel="share of what is kept that is good",
                 xlim=(0, 1), ylim=(0, 1.02))  # fmt: skip
        _legend(axes)

    return _picture("precision-recall", draw)


def reliability(number: int, one: Scored, found: Calibration) -> Picture:
    """Draw how many triples of about a score are good, and where that would lie by chance were the scores shares."""

    def draw(axes: "Axes") -> None:
        score, good, low, high, _ = (np.array(column) for column in zip(*found.bins, strict=True))
        axes.plot([0, 1], [0, 1], color=QUIET, linestyle=":", label="scores as shares")
        axes.vlines(score, low, high, color=GRID, linewidth=7, label="95 % range if they were")
        axes.plot(score, good, marker="o", label=_name(one.critic), **_line(number))
        axes.set(xlabel="score", ylabel="share that is good", xlim=(0, 1), ylim=(0, 1.02))
        _legend(axes)

    return _picture(f"reliability-{number + 1}", draw)


def histogram(
    histograms: Mapping[str, Sequence[int]], thresholds: Mapping[str, float], overall: float | None, number: int = 0
) -> Picture:
    """Draw the scores of each relation's edges as a strip of bars, with a mark where its threshold is.

    The numbers of pictures of several critics differ.
    """
    chosen = sorted(histograms, key=lambda name: (-sum(histograms[name]), name))[:_RELATIONS]

    def draw(axes: "Axes") -> None:
        edges = np.arange(BINS) / BINS
        for row, name in enumerate(reversed(chosen)):
            heights = np.array(histograms[name]) / max(1, *histograms[name]) * 0.85
            axes.bar(edges, heights, width=0.9 / BINS, bottom=row, align="edge", color=SERIES[0])
            limit = thresholds.get(name, overall)
            if limit is not None:
                axes.vlines(limit, row, row + 0.9, color=SERIES[1], linewidth=2.5)
        axes.set(xlabel="score", xlim=(0, 1), ylim=(0, len(chosen)), yticks=np.arange(len(chosen)) + 0.35,
                 yticklabels=[_name(name) for name in reversed(chosen)])  # fmt: skip
        axes.grid(visible=False)

    return _picture(_numbered("histogram", number), draw, height=1.1 + 0.42 * len(chosen))


def trade_off(rows: Sequence[Mapping[str, Any]], number: int = 0) -> Picture:
    """Draw how good what each teacher's thresholds let pass is, by how much that is; a point a recall.

    The numbers of pictures of several critics differ.
    """
    whole = {row["origin"]: row["edges"] for row in rows if row["recall"] is None}

    def draw(axes: "Axes") -> None:
        for place, origin in enumerate(whole):
            mine = [row for row in rows if row["origin"] == origin and row["judged"] and whole[origin]]
            points = [(row["edges"] / whole[origin], row["good"] / row["judged"]) for row in mine]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=_name(origin), **_line(place))
            for (x, y), row in zip(points, mine, strict=True):
                text = "no filter" if row["recall"] is None else f"{row['recall']:g}"
                axes.annotate(text, (x, y), xytext=(4, 5), textcoords="offset points", fontsize=9, color=QUIET)
        axes.set(xlabel="share of the edges that passes", ylabel="share of these that is good", xlim=(0, 1.08),
                 ylim=(0, 1.05))  # fmt: skip
        _legend(axes)

    return _picture(_numbered("trade-off", number), draw)


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number + 1}" if number else name


def _line(number: int) -> dict[str, Any]:
    return {
        "color": SERIES[number % len(SERIES)], "linestyle": _DASHES[number // len(SERIES) % len(_DASHES)],
        "linewidth": 2,
    }  # fmt: skip


def _name(text: str) -> str:
    """Return a name for a legend: short, with escapes for what hides, and never one that matplotlib leaves out."""
    shown = visible(text)
    shown = f"{shown[: _NAME - 1]}…" if len(shown) > _NAME else shown
    return f" {shown}" if shown.startswith("_") else shown


def _legend(axes: "Axes") -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=9)


def _picture(name: str, draw: Any, height: float = _HEIGHT) -> Picture:
    import matplotlib as mpl  # noqa: PLC0415 - takes a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font does not have become boxes
        figure = Figure(figsize=(_WIDTH, height))
        draw(figure.add_subplot())
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        figure.savefig(svg, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    return Picture(name, _inline(svg.getvalue(), name), png.getvalue())


def _inline(svg: str, name: str) -> str:
    """Return SVG as a part of a page: its colours variables, its ids its own, nothing of another address in it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    start, rest = svg.split(">", 1)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", start) + ">" + rest
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'(\bid=")', rf"\g<1>{name}-", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
