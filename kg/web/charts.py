"""Charts as coordinates; `charts.html` draws them as SVG, in the colours of the style sheet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 260
"""Of every chart, in its own units."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 40
_GAP = 4  # between bars
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar: its rectangle, the number of its series, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: int
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its points as SVG has them, the number of its series, and its marks with what each stands for."""

    points: str
    series: int
    marks: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows, in a sentence.
        x_name: of the horizontal axis.
        y_name: of the vertical axis.
        series: names, in the order of their numbers.
        bars: its bars.
        lines: its lines.
        x_ticks: places and texts of the horizontal axis.
        y_ticks: of the vertical axis.
    """

    title: str
    x_name: str
    y_name: str
    series: Sequence[str]
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()


def stacked_bars(
    title: str, x_name: str, y_name: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[float]]]
) -> Chart:
    """Return a chart of bars, each of pieces that stand on one another.

    Args:
        title: what it shows.
        x_name: of the horizontal axis.
        y_name: of the vertical axis.
        series: names of the pieces.
        rows: for each bar the text below it, and the size of each piece.
    """
    tick = _round(max((sum(values) for _, values in rows), default=0) / _TICKS)
    most = tick * _TICKS
    across, up = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    step = across / max(1, len(rows))
    bars = []
    for place, (text, values) in enumerate(rows):
        height = 0.0
        for number, value in enumerate(values):
            own = up * value / most
            height += own
            x, y = _LEFT + place * step + _GAP / 2, HEIGHT - _BOTTOM - height
            bars.append(Bar(x, y, step - _GAP, own, number, f"{text}: {value:,} {series[number]}"))
    texts = [(_LEFT + (place + 0.5) * step, text) for place, (text, _) in enumerate(rows)]
    ticks = [tick * place for place in range(_TICKS + 1)]
    return Chart(
        title, x_name, y_name, series, bars=bars, x_ticks=texts,
        y_ticks=[(HEIGHT - _BOTTOM - up * one / most, _short(one)) for one in ticks],
    )  # fmt: skip


def lines(
    title: str,
    x_name: str,
    y_name: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_ends: tuple[float, float] = (0.0, 1.0),
    y_ends: tuple[float, float] = (0.0, 1.0),
    x_parts: int = _TICKS,
    marked: bool = True,
) -> Chart:
    """Return a chart of lines.

    Args:
        title: what it shows.
        x_name: of the horizontal axis.
        y_name: of the vertical axis.
        series: name to points.
        x_ends: of the horizontal axis; what is beyond them stands at the end.
        y_ends: of the vertical axis.
        x_parts: into which ticks part the horizontal axis.
        marked: whether points have marks.
    """

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * _share(value, *x_ends)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * _share(value, *y_ends)

    drawn = [
        Line(
            " ".join(f"{x(one):.1f},{y(other):.1f}" for one, other in points),
            number,
            [(x(one), y(other), f"{name}: {one:.3g}, {other:.3g}") for one, other in points] if marked else (),
        )
        for number, (name, points) in enumerate(series.items())
    ]
    across, up = (
        [low + (high - low) * place / parts for place in range(parts + 1)]
        for (low, high), parts in ((x_ends, x_parts), (y_ends, _TICKS))
    )
    return Chart(
        title, x_name, y_name, list(series), lines=drawn,
        x_ticks=[(x(value), f"{value:.3g}") for value in across], y_ticks=[(y(value), f"{value:.3g}") for value in up],
    )  # fmt: skip


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))


def _round(value: float) -> float:
    """Return the next number from a value on that people count by: 1, 2, 2.5 or 5, times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _short(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
