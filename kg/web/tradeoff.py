"""The trade-off: how much passes at each recall, how good that is, and which edges another choice would change.

The table is table 4 of West et al. 2021, of this graph.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import InputError, NotReady
from kg.graph.rows import acceptance_of
from kg.graph.scores import thresholds_in
from kg.model import OVERALL, Acceptance, threshold_of
from kg.web import charts
from kg.web.kept import Found
from kg.web.pages import address, render
from kg.web.reading import Reading
from kg.web.site import Site

_EDGES = 20  # that would change sides, shown
_COUNTING_SECONDS = 600.0
_CHOOSING_SECONDS = 3.0  # that a page waits for thresholds which were never asked for
_DIGITS, _LEAST = 4, 0.0001  # of a recall or a score
_PATH = "/tradeoff"
_X = "recall; at 1 without a filter"


class Wish(NamedTuple):
    """What somebody would like to have.

    Attributes:
        kind: a "recall", or a "threshold", which is one smallest score for all.
        value: of it, in [0, 1].
        recall: the recall as the current acceptance has it; empty where it has no thresholds for that.
        is_now: whether it is what holds.
    """

    kind: Literal["recall", "threshold"]
    value: float
    recall: str = ""
    is_now: bool = False

    @property
    def text(self) -> str:
        """What it is, in words."""
        return f"{'recall' if self.kind == 'recall' else 'score'} {self.value:g}"

    @property
    def address(self) -> dict[str, str]:
        """It as parameters of an address, or fields of a form."""
        return {self.kind: f"{self.value:g}"}


def routes(site: Site) -> APIRouter:
    """Return the addresses of the page, of the question whether to use a recall, and of its answer."""
    router = APIRouter()

    @router.get(_PATH)
    def show(request: Request) -> Response:
        reading = site.reading()
        try:
            acceptance = current(reading)
        except NotReady as error:
            return render(request, "tradeoff", acceptance=None, why=str(error))
        wish = wished(acceptance, request.query_params)
        choice = _choice(site, reading, acceptance, wish)
        found, by_recall = site.kept.get("by recall", reading, lambda own: site.stages.by_recall(own.graph)), None
        shown: dict[str, Any] = {"counts": None, "edges": [], "thresholds": []}
        if choice.value is not None:
            then, recall = choice.value, wish.recall or f"{choice.value.recall:g}"
            names = [row["name"] for row in reading.rows("graph/relations")]
            rules = parameters_of(reading, then, recall, names)
            shown = {
                "edges": [] if wish.is_now else reading.rows("web/sides", count=_EDGES, **rules),
                "thresholds": _thresholds(acceptance, then, recall, names), "counts": None if wish.is_now else
                site.kept.get(
                    f"sides {then.id} {recall}", reading,
                    lambda own: own.rows("web/count_sides", within=_COUNTING_SECONDS, **rules)[0], wait=0.2,
                ),
            }  # fmt: skip
            if then is not acceptance:
                by_recall = site.kept.get(
                    f"by recall {then.id}", reading, lambda own: site.stages.by_recall(own.graph, then)
                )
            shown["recall"] = recall
        table = by_recall if by_recall is not None and by_recall.value is not None else found
        rows = table.value or []
        waits = [one for one in (found, by_recall, choice, shown["counts"]) if one is not None]
        return render(
            request, "tradeoff", acceptance=acceptance, wish=wish, choice=choice, now=f"{acceptance.recall:g}",
            recalls=sorted({*acceptance.thresholds}, key=float), found=table, rows=rows, drawn=_charts(rows),
            whole={row["origin"]: row["edges"] for row in rows if row["recall"] is None}, share=_share,
            said=_said(rows, shown.get("recall", ""), f"{acceptance.recall:g}"),
            done=request.query_params.get("done") == acceptance.id, **({"recall": ""} | shown),
            reload_seconds=2 if any(one.value is None and not one.failed for one in waits) else 0,
        )  # fmt: skip

    @router.get(f"{_PATH}/use")
    def ask(request: Request) -> Response:
        acceptance = current(site.reading())
        wish = wished(acceptance, request.query_params)
        what = (
            f"so that {100 * wish.value:.4g} % of the good triples are kept"
            if wish.kind == "recall"
            else f"so that whatever has a score of {wish.value:g} or more is accepted, whatever its relation"
        )
        text = (
            f"The thresholds of critic {acceptance.critic} are chosen anew on the verdicts on validation events, "
            f"{what}, and decide which edges are accepted. That is a run, which kg runs undo takes back."
        )
        return render(
            request, "confirm", title=f"Use {wish.text}?", text=text, action=f"{_PATH}/use", fields=wish.address,
            back=address(_PATH, **wish.address),
        )  # fmt: skip

    @router.post(f"{_PATH}/use")
    def use(request: Request) -> Response:
        wish = wished(current(site.reading()), request.state.form)
        done = (site.stages.calibrate if wish.kind == "recall" else site.stages.accept_from)(wish.value)
        return RedirectResponse(address(_PATH, done=done), 303)

    return router


def current(reading: Reading) -> Acceptance:
    """Return the current thresholds of the current critic.

    Raises:
        NotReady: there is no critic, or it has none.
    """
    critics = reading.rows("graph/current_critic")
    if not critics:
        raise NotReady("no critic has been trained; run kg critic import-judgements FILE, then kg critic train")
    found = reading.rows("graph/current_acceptance", critic=critics[0]["critic"]["id"])
    if not found:
        raise NotReady("the critic has no thresholds yet; run kg critic calibrate")
    return acceptance_of(found[0]["acceptance"])


def wished(acceptance: Acceptance, given: Mapping[str, str]) -> Wish:
    """Return what an address or a form wishes for: a `recall`, or one `threshold` for all; without one what is now.

    Raises:
        InputError: it is not a number, or out of its range.
    """
    text = given.get("threshold", "")
    if text:
        return Wish("threshold", round(_number(text, "score", 0), _DIGITS))
    text = given.get("recall", "")
    recall = round(_number(text, "recall", _LEAST), _DIGITS) if text else acceptance.recall
    name = f"{recall:g}"
    return Wish("recall", recall, name if name in acceptance.thresholds else "", name == f"{acceptance.recall:g}")


def _number(text: str, name: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= 1:
        raise InputError(f"{name} {text[:40]!r} is not a number from {least:g} to 1")
    return value


def _choice(site: Site, reading: Reading, acceptance: Acceptance, wish: Wish) -> Found:
    """Return the acceptance that a wish comes to, where a new one is to be chosen behind the page."""
    if wish.recall:
        return Found(acceptance, reading.watermark(), time.time())
    return site.kept.get(
        f"choice {acceptance.id} {wish.text}", reading,
        lambda own: site.stages.choose(own.graph, **{wish.kind: wish.value}), wait=_CHOOSING_SECONDS,
    )  # fmt: skip


def parameters_of(reading: Reading, acceptance: Acceptance, recall: str, names: Sequence[str]) -> dict[str, Any]:
    """Return what `web/sides` and `web/count_sides` want to know of the thresholds at a recall."""
    runs = [row["run"] for row in reading.rows("graph/runs", id=None)]
    rules = thresholds_in(acceptance, runs, recall)
    return {
        "critic": acceptance.critic,
        "thresholds": _by_name(rules.overall, names),
        "own": {run: _by_name(own, names) for run, own in rules.own.items()},
        "students": sorted(rules.students),
    }


def _by_name(thresholds: Mapping[str, float], names: Sequence[str]) -> dict[str, float | None]:
    return {name: threshold_of(thresholds, name) for name in names}


def _thresholds(
    acceptance: Acceptance, following: Acceptance, recall: str, names: Sequence[str]
) -> list[tuple[str, float | None, float | None]]:
    """Return for each relation, and all others, the overall threshold now, and that of another choice."""
    now, then = acceptance.by_relation(), following.by_relation(recall=recall)
    known = [name for name in names if name in now or name in then]
    rows = [(name, threshold_of(now, name), threshold_of(then, name)) for name in known]
    return [*rows, ("all others", threshold_of(now, OVERALL), threshold_of(then, OVERALL))]


def _said(rows: Sequence[Mapping[str, Any]], recall: str, now: str) -> list[dict[str, Any]]:
    """Return for each teacher its rows without a filter, now and at a recall, where all are counted.

    `tells` is whether the intervals of how good what passes is, now and then, do not meet.
    """
    found = []
    for origin in dict.fromkeys(row["origin"] for row in rows):
        own = {"" if row["recall"] is None else f"{row['recall']:g}": row for row in rows if row["origin"] == origin}
        if recall in own:
            one, other = own[recall], own.get(now)
            ends = (one["interval"], other["interval"]) if other and one["judged"] and other["judged"] else None
            tells = ends is not None and (ends[0][0] > ends[1][1] or ends[1][0] > ends[0][1])
            found.append({"origin": origin, "whole": own[""], "then": one, "now": other, "tells": tells})
    return found


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _charts(rows: Sequence[Mapping[str, Any]]) -> list[charts.Chart]:
    """Return how good what passes is by recall, where something is judged, and how much of all passes."""
    whole = {row["origin"]: row["edges"] for row in rows if row["recall"] is None}
    good: dict[str, list[tuple[float, float]]] = {}
    much: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        recall = 1.0 if row["recall"] is None else row["recall"]
        if row["judged"]:
            good.setdefault(row["origin"], []).append((recall, row["good"] / row["judged"]))
        if whole[row["origin"]]:
            much.setdefault(row["origin"], []).append((recall, row["edges"] / whole[row["origin"]]))
    ends = (0.5, 1.0)
    drawn = (
        charts.lines(
            "How good what passes is", _X, "share that is good, by verdicts on test events", good, x_ends=ends
        ),
        charts.lines("How much passes", _X, "share of all edges", much, x_ends=ends, x_parts=5),
    )
    return [chart for chart in drawn if chart.lines]
