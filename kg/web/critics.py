"""One critic, by its report and its curves; and two critics side by side."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg.errors import InputError, NotFound
from kg.web import charts
from kg.web.models import records, report_of
from kg.web.pages import render
from kg.web.site import Site

_PATH = "/models"
_AGAIN_SECONDS = 2  # after which a page that waits for a count is loaded again


def routes(site: Site) -> APIRouter:
    """Return the addresses of one critic, and of two."""
    router = APIRouter()

    @router.get(f"{_PATH}/critic/{{name}}")
    def show_critic(request: Request, name: str) -> Response:
        reading = site.reading()
        files = site.stages.critic_files()
        critic = next((row for row in records(reading, "critic") if row["id"] == name), None)
        if critic is None and name not in files:
            raise NotFound(f"there is no critic {name[:80]!r}")
        found = site.kept.get(f"curves {name}", reading, lambda own: site.stages.curves(own.graph, name))
        return render(
            request, "critic", name=name, critic=critic, report=report_of(critic or {"id": name}, files),
            manifest=files.get(name, {}).get("manifest", {}), found=found, drawn=_curves(found.value or {}),
            others=[row["id"] for row in records(reading, "critic") if row["id"] != name],
            reload_seconds=_AGAIN_SECONDS if found.value is None and not found.failed else 0,
        )  # fmt: skip

    @router.get(f"{_PATH}/compare")
    def compare(request: Request, one: str = "", other: str = "") -> Response:
        reading = site.reading()
        known = [row["id"] for row in records(reading, "critic")]
        if unknown := [name for name in (one, other) if name not in known]:
            raise NotFound(f"there is no critic {unknown[0][:80]!r}")
        if one == other:
            raise InputError("choose two critics that are not the same")
        found = site.kept.get(f"compare {one} {other}", reading, lambda own: site.stages.compare(own.graph, one, other))
        return render(
            request, "compare", one=one, other=other, found=found, comparison=found.value,
            reload_seconds=_AGAIN_SECONDS if found.value is None and not found.failed else 0,
        )  # fmt: skip

    return router


def _curves(found: Mapping[str, Any]) -> list[charts.Chart]:
    if not found.get("judged"):
        return []
    bins = [(row["score"], row["good"]) for row in found["reliability"]]
    drawn = [charts.lines(
        "Reliability: of triples with about this score, how many are good", "score", "share that is good",
        {"the critic": bins, "as it would be if scores were shares": [(0.0, 0.0), (1.0, 1.0)]},
    )]  # fmt: skip
    if found["precision_recall"]:
        points = {"the critic": found["precision_recall"]}
        drawn.append(charts.lines("Precision and recall", "recall", "precision", points, marked=False))
    return drawn
