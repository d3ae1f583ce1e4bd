"""The page of a report on critics, and its pictures, as files of a folder.

FOLDER/
├── report.html     all of it, in one file that needs no other
└── *.png           the same pictures, for papers and slides
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from critic.aspects import PLAUSIBLE
from critic.metrics import measure
from critic.report import figures
from critic.report.choice import Choice, answer, calibration, calibration_words, choose
from critic.report.evidence import SPLIT, Evidence, Filter
from kg.exchange.target import export_folder
from kg.model import OVERALL, threshold_of
from kg.terminal import visible

PAGE = "report.html"

_LEGEND = (
    'Higher is better everywhere. "Ahead of all others" is the share of resampled sets of events in which no other '
    "critic has a higher AUC, on the triples that all compared critics scored."
)

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
_TEMPLATES.filters["shown"] = lambda value: visible(str(value))


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its caption, the heads of its columns, and rows of texts."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: sentences, pictures with their captions, tables."""

    title: str
    lines: Sequence[str] = ()
    pictures: Sequence[Mapping[str, str]] = ()
    tables: Sequence[Table] = field(default_factory=tuple)


def write_report(evidence: Evidence, folder: Path, seed: int = 0) -> list[str]:
    """Write the page and its pictures, and return what stands at its top, in sentences.

    Args:
        evidence: what is known of the critics.
        folder: to make; an older one is replaced.
        seed: of everything resampled.

    Raises:
        InputError: the folder cannot be made there, or the disk is full.
    """
    choice = choose(evidence.critics, seed)
    lines = [*answer(choice, evidence.current), *_can_be_read(evidence, choice, seed)]
    drawn: list[figures.Picture] = []
    sections = [
        section
        for section in (
            _beside(evidence, choice, drawn, seed),
            _reliability(evidence, choice, drawn, seed),
            *(
                part(found, number, drawn)
                for number, found in enumerate(evidence.filters)
                for part in (_trade_off, _histogram)
            ),
        )
        if section
    ]
    page = _TEMPLATES.get_template("page.html").render(answer=lines, basis=_basis(evidence, choice), sections=sections)
    with export_folder(folder) as draft:
        (draft / PAGE).write_text(page, encoding="utf-8")
        for picture in drawn:
            (draft / f"{picture.name}.png").write_bytes(picture.png)
    return lines


def _basis(evidence: Evidence, choice: Choice) -> str:
    others = (
        f" Scores are the probability that a triple is {evidence.aspect}; {evidence.others:,} of another aspect are "
        "left out, and stand here when one of them is the current critic (kg critic use ID)."
    )
    return (
        f"All figures on how good critics are rest on verdicts on {SPLIT} events: {evidence.judged:,} triples are "
        f"judged, {choice.rows:,} of {choice.events:,} events have a score of every critic compared, and "
        f"{choice.good:,} of these are good. Verdicts on test events are not looked at, so that they stay fresh."
        + (others if evidence.others or evidence.aspect != PLAUSIBLE else "")
    )


def _beside(evidence: Evidence, choice: Choice, drawn: list[figures.Picture], seed: int) -> Section | None:
    measured = [one for one in evidence.critics if 0 < one.verdicts.good.sum() < len(one.verdicts)]
    if not measured:
        return None
    ranks = {rank.critic: rank for rank in choice.ranks}
    rows = []
    for one in measured:
        found = measure(one.scores, one.verdicts, seed=seed)
        rank = ranks.get(one.critic)
        same = rank is not None and choice.rows == len(one.verdicts)  # then the answer has a range of the same triples
        low, high = rank.interval if rank and same else found["auc_interval"]
        rows.append([
            one.critic + (" (current)" if one.is_current else ""), one.kind or "not known here",
            f"{len(one.verdicts):,}", _percent(found["auc"]), f"{_percent(low)} to {_percent(high)}",
            _percent(found["relation_auc"]), _percent(found["average_precision"]),
            _percent(found["precision_at_recall"]["0.8"]), _percent(rank.best if rank else None),
        ])  # fmt: skip
    return Section(
        "The critics beside one another",
        [_LEGEND],
        [_drawn(drawn, figures.precision_recall(measured),
                f"Precision and recall of each critic, on judged triples of {SPLIT} events: what share is good of what "
                "is kept, if a threshold keeps this share of the good.")],
        [Table(f"Each critic on the judged triples of {SPLIT} events that it scored.",
               ["critic", "kind", "judged", "AUC", "95 % range", "AUC, mean by relation", "average precision",
                "precision at recall .8", "ahead of all others"], rows)],
    )  # fmt: skip


def _can_be_read(evidence: Evidence, choice: Choice, seed: int) -> list[str]:
    """Return whether the scores of the best critic are shares; nothing where none is best."""
    return [
        calibration_words(calibration(one.scores, one.verdicts.good, seed))
        for one in evidence.critics
        if choice.ranks and one.critic == choice.ranks[0].critic
    ]


def _reliability(evidence: Evidence, choice: Choice, drawn: list[figures.Picture], seed: int) -> Section | None:
    if not evidence.critics:
        return None
    lines = _can_be_read(evidence, choice, seed)
    pictures, rows = [], []
    for number, one in enumerate(evidence.critics):
        found = calibration(one.scores, one.verdicts.good, seed)
        low, high = found.expected
        rows.append([one.critic, _percent(found.error), f"{_percent(low)} to {_percent(high)}", _percent(found.mean),
                     _percent(found.good)])  # fmt: skip
        pictures.append(_drawn(
            drawn, figures.reliability(number, one, found),
            f"Reliability of {one.critic}, on judged triples of {SPLIT} events: each point is a tenth of them; the bar "
            "is where it lies by chance in 95 of 100 cases if the scores are shares.",
        ))  # fmt: skip
    caption = (
        f"Calibration on judged triples of {SPLIT} events: 15 bins of equally many triples; the range is that of a "
        "perfectly calibrated critic with the same scores."
    )
    columns = ["critic", "calibration error", "95 % range if perfect", "mean score", "share good"]
    return Section("Can its scores be read as shares?", lines, pictures, [Table(caption, columns, rows)])


def _trade_off(found: Filter, number: int, drawn: list[figures.Picture]) -> Section | None:
    if not found.trade_off:
        line = (
            f"{found.critic} has scored no teacher's edge yet: kg critic score."
            if found.thresholds
            else f"{found.critic} has no thresholds yet, so nothing is accepted: kg critic calibrate chooses some."
        )
        return Section(_titled("How much passes, and how good it is", found, number), [line])
    whole = {row["origin"]: row["edges"] for row in found.trade_off if row["recall"] is None}
    rows = [
        [
            row["origin"], "no filter" if row["recall"] is None else f"{row['recall']:g}", f"{row['edges']:,}",
            _percent(row["edges"] / whole[row["origin"]] if whole[row["origin"]] else None), f"{row['distinct']:,}",
            f"{row['judged']:,}", _share(row["good"], row["judged"]), _percent(row["kept"]),
        ]
        for row in found.trade_off
    ]  # fmt: skip
    caption = (
        f"What the thresholds of {found.critic} let pass of each teacher's edges of all splits; how good that is, "
        f"by verdicts on {SPLIT} events."
    )
    columns = ["teacher", "recall", "accepted", "of all", "distinct tails", "judged", "good (95 % range)", "good kept"]
    line = (
        f"Its thresholds are to keep {_percent(found.recall)} of the good triples. These same verdicts chose "
        "them, so they fit a little too well; kg student evaluate has the table by verdicts on test events."
    )
    pictures = []
    if any(row["judged"] for row in found.trade_off):
        pictures = [_drawn(
            drawn, figures.trade_off(found.trade_off, number),
            f"The trade-off of {found.critic}, by verdicts on {SPLIT} events: the fewer edges pass, the better "
            "they should be. A point a recall.",
        )]  # fmt: skip
    return Section(
        _titled("How much passes, and how good it is", found, number), [line], pictures, [Table(caption, columns, rows)]
    )


def _histogram(found: Filter, number: int, drawn: list[figures.Picture]) -> Section | None:
    if not found.histograms:
        return None
    overall = threshold_of(found.thresholds, OVERALL)
    rows = []
    for name, bins in found.histograms.items():
        limit = threshold_of(found.thresholds, name)
        parts = [sum(bins[start : start + len(bins) // 4]) for start in range(0, len(bins), len(bins) // 4)]
        rows.append([name, f"{sum(bins):,}", *(_percent(part / sum(bins)) for part in parts),
                     "none" if limit is None else f"{limit:.3f}"])  # fmt: skip
    caption = f"Scores of {found.critic} on the edges of all splits, by relation; no verdict has a part in it."
    picture = _drawn(
        drawn, figures.histogram(found.histograms, found.thresholds, overall, number),
        f"{caption} Bars: edges with about this score; line: the threshold. Relations with the most edges.",
    )  # fmt: skip
    columns = ["relation", "edges", "score to .25", ".25 to .5", ".5 to .75", "above", "threshold"]
    return Section(_titled("The scores, by relation", found, number), [], [picture], [Table(caption, columns, rows)])


def _titled(title: str, found: Filter, number: int) -> str:
    """Return the title of a section on one critic, which is named but for the current one."""
    return f"{title}: {found.critic}" if number else title


def _drawn(drawn: list[figures.Picture], picture: figures.Picture, caption: str) -> dict[str, str]:
    drawn.append(picture)
    return {"svg": picture.svg, "caption": caption}


def _share(good: int, judged: int) -> str:
    """Return a share with its 95 % range (Wilson 1927)."""
    if not judged:
        return "not judged"
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a second

    found = binomtest(good, judged).proportion_ci(method="wilson")
    return f"{_percent(good / judged)} ({_percent(found.low)} to {_percent(found.high)})"


def _percent(share: Any) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
