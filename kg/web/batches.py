"""Batches of tasks: draw some, see how far each is, and what its verdicts say."""

import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import InputError
from kg.graph import tasks
from kg.model import SPLITS
from kg.web import charts
from kg.web.pages import address, render
from kg.web.site import Site

_MOST = 10_000  # triples that a page draws
_MOST_PER_TRIPLE = 20
_MOST_NAME = 64
_WAIT_SECONDS = 4.0  # for what the verdicts say
_FRESH_SECONDS = 120  # after the last verdict, in which a page loads itself again
_AGAIN_SECONDS = 2, 10  # after which it does so: while it counts, and while somebody judges

READINGS = (
    (0.8, "They agree well enough to rely on what they come to."),
    (0.667, "They agree so far that what they come to is a first finding, and no more."),
    (-1.0, "They agree too little to rely on what they come to: say what the verdicts mean, and judge again."),
)
"""Smallest alpha on accepted or not, and what it means (Krippendorff 2004, s11.4.2)."""


def routes(site: Site) -> APIRouter:
    """Return the addresses of the pages."""
    router = APIRouter()
    judging = site.stages.judging

    @router.get("/batches")
    def show(request: Request) -> Response:
        graph = site.link.graph()
        found = [(run, tasks.progress(graph, run["id"])) for run in tasks.batches(graph)]
        return render(request, "batches", batches=found, ways=judging.ways, splits=SPLITS, most=_MOST)

    @router.post("/batches")
    def draw(request: Request) -> Response:
        form = request.state.form
        size, seed = (_number(form.get(name, ""), name) for name in ("size", "seed"))
        each, name = _number(form.get("each", "1"), "each"), form.get("name", "").strip()
        way, split = form.get("way", ""), form.get("split", "")
        if way not in judging.ways or split not in SPLITS or not 1 <= size <= _MOST:
            raise InputError(f"draw 1 to {_MOST:,} triples by {', '.join(judging.ways)} of {', '.join(SPLITS)}")
        if not 1 <= each <= _MOST_PER_TRIPLE or len(name) > _MOST_NAME or not name.isprintable():
            raise InputError(
                f"each triple is for 1 to {_MOST_PER_TRIPLE} annotators, and a name has up to {_MOST_NAME} characters "
                "that can be seen"
            )
        run = judging.draw(
            site.link.graph(), size=size, way=way, split=split, per_triple=each, controls="controls" in form, seed=seed,
            name=name or None,
        )  # fmt: skip
        return RedirectResponse(address("/batch", id=run), 303)

    @router.get("/batch")
    def show_one(request: Request) -> Response:
        graph = site.link.graph()
        run = tasks.find_batch(graph, request.query_params.get("id", ""))
        progress = tasks.progress(graph, run["id"], judging.owner)
        found = site.kept.get(
            f"batch {run['id']} {progress.done}", site.reading(), lambda own: judging.evidence(own.graph, run),
            wait=_WAIT_SECONDS,
        )  # fmt: skip
        said = found.value
        counting, judged_now = (
            (said is None and not found.failed) or found.is_old,
            said is not None and _fresh(said.last),
        )
        return render(
            request, "batch", run=run, progress=progress, found=found, said=said,
            drawn=[_course(said.course)] if said and len(said.course) > 1 else [], reading=_reading,
            reload_seconds=_AGAIN_SECONDS[0] if counting else _AGAIN_SECONDS[1] if judged_now else 0,
        )  # fmt: skip

    return router


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} {text[:40]!r} is not a whole number") from None


def _course(course: Any) -> charts.Chart:
    """Return the chart of an estimate as verdicts came."""
    series = {
        "share that is good": [(float(step.verdicts), step.share) for step in course],
        "not more than": [(float(step.verdicts), step.high) for step in course],
        "not less than": [(float(step.verdicts), step.low) for step in course],
    }
    return charts.lines(
        "The estimate as verdicts came", "verdicts", "share that is good, with its 95 % interval", series,
        x_ends=(0.0, float(course[-1].verdicts)),
    )  # fmt: skip


def _reading(alpha: float | None) -> str:
    """Return what an alpha on accepted or not means, in a sentence."""
    return "" if alpha is None else next(text for least, text in READINGS if alpha >= least)


def _fresh(at: str) -> bool:
    """Return whether a time, as runs have it, was a moment ago."""
    return bool(at) and time.time() - datetime.fromisoformat(at).astimezone(UTC).timestamp() < _FRESH_SECONDS
