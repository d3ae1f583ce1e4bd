"""The first page: what is in the graph, and what wants a person's attention."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg.store.bolt import Row
from kg.web import charts
from kg.web.pages import render
from kg.web.reading import Reading
from kg.web.site import Site

_COUNTING_SECONDS = 600.0  # that a count behind the page may take
_NEAR = 8  # unjudged predictions shown
_RUNS = 12  # runs shown
_UNDONE = ("running", "paused", "failed", "interrupted", "undoing")


def routes(site: Site) -> APIRouter:
    """Return the page's address."""
    router = APIRouter()

    @router.get("/")
    def show(request: Request) -> Response:
        reading = site.reading()
        runs = [row["run"] for row in reading.rows("graph/runs", id=None)]
        found = site.kept.get("home", reading, count)
        if found.value is None:
            return render(
                request, "home", found=found, counts=None, runs=runs, reload_seconds=1 + bool(found.failed) * 9
            )
        return render(
            request, "home", found=found, counts=found.value, runs=runs[:_RUNS], of_runs=len(runs),
            unfinished=[run for run in runs if run.get("status") in _UNDONE],
            weak=weak_critics(site.stages.critic_files()), chart=_chart(found.value["histogram"]), now=time.time(),
        )  # fmt: skip

    return router


def count(reading: Reading) -> dict[str, Any]:
    """Return what the page shows of the edges.

    Returns:
        `totals` and `relations` as of `KnowledgeGraph.statistics` and `graph/relation_statistics`, `runs` (id to
        `edges` and `accepted`), the `histogram` of scores by tenths, and unjudged predictions `near` the threshold.
    """

    def rows(name: str, **parameters: Any) -> list[Row]:
        return reading.rows(name, within=_COUNTING_SECONDS, **parameters)

    relations = rows("graph/relation_statistics")
    names = ("edges", "scored", "accepted", "predicted")
    return {
        "totals": rows("graph/statistics")[0] | {name: sum(row[name] for row in relations) for name in names},
        "relations": relations,
        "runs": {row["run"]: row for row in rows("web/run_edges")},
        "histogram": rows("score_histogram"),
        "near": rows("web/unjudged_near", count=_NEAR),
    }


def weak_critics(files: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the critics whose report does not show them better than the relation prior.

    That is so where the 95 % interval of the critic's AUC reaches down to the prior's. Of a report that measured
    nothing, nothing is said.

    Args:
        files: id to the critic's files, of which `report` counts.

    Returns:
        For each such critic its `id` and `role`, its `auc` with the ends `low` and `high`, and the `prior`'s.
    """
    return list(_weak(files))


def _weak(files: Mapping[str, Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for name, content in files.items():
        systems = content.get("report", {}).get("systems", {})
        own, prior = systems.get("critic"), systems.get("relation prior")
        if not own or not prior or own.get("average_precision") is None:
            continue
        low, high = own["auc_interval"]
        if low <= prior["auc"]:
            role = content["report"].get("role", "critic")
            yield {"id": name, "role": role, "auc": own["auc"], "low": low, "high": high, "prior": prior["auc"]}


def _chart(histogram: list[Row]) -> charts.Chart:
    by_tenth = {round(10 * row["from"]): row for row in histogram}
    rows = [
        (f".{place}", [by_tenth.get(place, {}).get("taught", 0), by_tenth.get(place, {}).get("predicted", 0)])
        for place in range(10)
    ]
    return charts.stacked_bars("Edges by score", "score, from", "edges", ["taught", "predicted"], rows)
