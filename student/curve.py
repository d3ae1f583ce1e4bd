"""The loss of a training as a person sees it: a line of blocks, and the passes over the data as a table."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

PARTS = 24  # of a training that are told apart
_ROWS = 8  # passes that a table shows
_BLOCKS = "▁▂▃▄▅▆▇█"


def in_parts(losses: Sequence[float]) -> list[float]:
    """Return the mean losses of up to `PARTS` parts of a training, of steps as equal in number as can be.

    >>> in_parts([4.0, 2.0]), len(in_parts(range(1_000)))
    ([4.0, 2.0], 24)
    """
    count = min(PARTS, len(losses))
    ends = [len(losses) * number // count for number in range(count + 1)] if count else []
    return [round(sum(losses[start:end]) / (end - start), 4) for start, end in pairwise(ends)]


def blocks(values: Sequence[float]) -> str:
    """Return values as a line of blocks, from the smallest to the largest.

    >>> blocks([3.0, 2.0, 1.0]), blocks([1.0, 1.0])
    ('█▅▁', '▁▁')
    """
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in values)


def loss_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return Markdown on how the loss of a training went: its curve, and its passes where there are several.

    Args:
        metrics: of a student: `loss` of each pass, `curve` of parts, `held_out_loss` and `best` where it was stopped
            by held-out tails. Students of older versions lack some, or all: then there are no lines.
    """
    passes, curve = _numbers(metrics.get("loss")), _numbers(metrics.get("curve"))
    shown = curve if len(curve) > 1 else passes
    if len(shown) <= 1:
        return []
    lines = [f"Loss of the training: {shown[0]:.3f} {blocks(shown)} {shown[-1]:.3f}"]
    held = _numbers(metrics.get("held_out_loss"))
    if len(passes) == 1:
        return lines
    best = metrics.get("best")
    lines += ["", "| pass | loss |" + (" held-out loss |" if held else ""), "|---:|---:|" + ("---:|" if held else "")]
    for place in _some(len(passes), best):
        beside = f" {held[place]:.3f}{', the best' if place + 1 == best else ''} |" if place < len(held) else ""
        lines.append(f"| {place + 1} | {passes[place]:.3f} |{beside}")
    return lines


def _some(count: int, best: object) -> list[int]:
    """Return places of up to `_ROWS` of so many passes, the first and the last among them, and the best one's."""
    rows = min(_ROWS, count)
    places = {round(number * (count - 1) / (rows - 1)) for number in range(rows)}
    return sorted(places | ({best - 1} if isinstance(best, int) and 1 <= best <= count else set()))


def _numbers(found: object) -> list[float]:
    return [float(one) for one in found if isinstance(one, int | float)] if isinstance(found, list) else []
