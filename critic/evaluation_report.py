"""What `kg critic evaluate` found, as text."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = {
    "AUC": ("auc", 12), "95 %": ("auc_interval", 14), "rel. 20+20": ("relation_auc_20", 12),
    "rel. 100": ("relation_auc_100", 12), "AP": ("average_precision", 12), "P@.5": ("0.5", 6), "P@.8": ("0.8", 6),
    "ECE": ("ece", 11), "if right": ("ece_if_perfect", 13), "F1": ("f1", 11),
}  # fmt: skip
"""Title to the name of a figure and the width of its column."""


def format_evaluation(found: Mapping[str, Any]) -> str:
    """Return an evaluation as a table in percentages, with a line on what was measured and one on what stands in it."""
    lines = [
        (
            f"{found['rows']:,} rows of {found['heads']:,} heads ({found['good'] / found['rows']:.1%} good)"
            + (f", in {found['legs']} folds" if found["legs"] > 1 else "")
            + (f"; learnt from {found['trained_rows']:,} of other heads" if found["trained_rows"] else "; unlabelled")
            + (f", which count as {found['trained_count']:,}" if found["trained_count"] < found["trained_rows"] else "")
            + (", learnt from the tested triples, without their labels" if found["transductive"] else "")
            + (f"; {found['left_out']:,} not learnt from, since their heads are tested" if found["left_out"] else "")
        ),
        "In %"
        + (f", means of {len(found['seeds'])} seeds and standard deviations:" if len(found["seeds"]) > 1 else ":"),
        f"{'':29}" + "".join(f"{title:>{width}}" for title, (_, width) in _COLUMNS.items()),
    ]
    for name, row in found["systems"].items():
        cells = [f"{_cell(row, key):>{width}}" for key, width in _COLUMNS.values()]
        lines.append(f"{name:29}{''.join(cells)}")
    chosen = {name: row["calibrations"] for name, row in found["systems"].items() if row.get("calibrations")}
    lines += [
        f"Calibration of {name}, chosen out of fold: " + ", ".join(f"{one} {count}x" for one, count in methods.items())
        for name, methods in chosen.items()
    ]
    lines += [
        "rel.: mean AUC over relations with 20 good and 20 bad rows, and with 100 rows. F1: of scores of at least .5.",
        "ECE: calibration error, 15 bins of equal size; if right: its 95 % range for these scores, were they right.",
    ]
    return "\n".join(lines)


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row["precision_at_recall"].get(key) if key[0].isdigit() else row[key]
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return f"{100 * value[0]:.1f} to {100 * value[1]:.1f}"
    spread = row.get("spread", {}).get(key)
    return f"{100 * value:.1f}" + (f" ±{100 * spread:.1f}" if spread is not None else "")
