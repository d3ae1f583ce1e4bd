"""The trade-off: how much passes at each recall, how good that is, and which edges another choice would change.

The table is table 4 of West et al. 2021, of this graph.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import InputError, NotReady
from kg.graph.rows import acceptance_of
from kg.graph.scores import thresholds_in
from kg.model import OVERALL, Acceptance, threshold_of
from kg.web import charts
from kg.web.pages import address, render
from kg.web.reading import Reading
from kg.web.site import Site

_EDGES = 20  # that would change sides, shown
_COUNTING_SECONDS = 600.0
_PATH = "/tradeoff"
_X = "recall; at 1 without a filter"


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
        wish = chosen(acceptance, request.query_params.get("recall"))
        names = [row["name"] for row in reading.rows("graph/relations")]
        rules = parameters_of(reading, acceptance, wish, names)
        found = site.kept.get("by recall", reading, lambda own: site.stages.by_recall(own.graph))
        counts = site.kept.get(
            f"sides {acceptance.id} {wish}", reading,
            lambda own: own.rows("web/count_sides", within=_COUNTING_SECONDS, **rules)[0], wait=0.2,
        )  # fmt: skip
        rows = found.value or []
        return render(
            request, "tradeoff", acceptance=acceptance, wish=wish, recalls=sorted(acceptance.thresholds, key=float),
            now=f"{acceptance.recall:g}", found=found, rows=rows, drawn=_charts(rows), counts=counts,
            whole={row["origin"]: row["edges"] for row in rows if row["recall"] is None}, share=_share,
            edges=reading.rows("web/sides", count=_EDGES, **rules),
            thresholds=_thresholds(acceptance, wish, names),
            done=request.query_params.get("done", ""),
            reload_seconds=2 if found.value is None and not found.failed else 0,
        )  # fmt: skip

    @router.get(f"{_PATH}/use")
    def ask(request: Request) -> Response:
        acceptance = current(site.reading())
        wish = chosen(acceptance, request.query_params.get("recall"))
        text = (
            f"The thresholds of critic {acceptance.critic} are chosen anew on the verdicts on validation events, so "
            f"that {float(wish):.0%} of the good triples are kept, and decide which edges are accepted. That is a "
            "run, which kg runs undo takes back."
        )
        return render(
            request, "confirm", title=f"Use recall {wish}?", text=text, action=f"{_PATH}/use", fields={"recall": wish},
            back=address(_PATH, recall=wish),
        )  # fmt: skip

    @router.post(f"{_PATH}/use")
    def use(request: Request) -> Response:
        wish = chosen(current(site.reading()), request.state.form.get("recall"))
        done = site.stages.calibrate(float(wish))
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


def chosen(acceptance: Acceptance, text: str | None) -> str:
    """Return a recall that was calibrated, as text; without one the current one.

    Raises:
        InputError: it was not calibrated.
    """
    if not text:
        return f"{acceptance.recall:g}"
    if text not in acceptance.thresholds:
        known = ", ".join(sorted(acceptance.thresholds, key=float))
        raise InputError(f"recall {text[:20]!r} is not one of {known}; kg critic calibrate --recall takes any")
    return text


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
    acceptance: Acceptance, recall: str, names: Sequence[str]
) -> list[tuple[str, float | None, float | None]]:
    """Return for each relation, and all others, the overall threshold now and at a recall."""
    now, then = acceptance.by_relation(), acceptance.by_relation(recall=recall)
    known = [name for name in names if name in now or name in then]
    rows = [(name, threshold_of(now, name), threshold_of(then, name)) for name in known]
    return [*rows, ("all others", threshold_of(now, OVERALL), threshold_of(then, OVERALL))]


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
