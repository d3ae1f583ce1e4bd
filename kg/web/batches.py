"""Batches of tasks: draw some, see how far each is, and what its verdicts say."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import InputError
from kg.graph import tasks
from kg.model import SPLITS
from kg.web.pages import address, render
from kg.web.site import Site

_MOST = 10_000  # triples that a page draws


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
        way, split = form.get("way", ""), form.get("split", "")
        if way not in judging.ways or split not in SPLITS or not 1 <= size <= _MOST:
            raise InputError(f"draw 1 to {_MOST:,} triples by {', '.join(judging.ways)} of {', '.join(SPLITS)}")
        run = judging.draw(site.link.graph(), size=size, way=way, split=split, controls="controls" in form, seed=seed)
        return RedirectResponse(address("/batch", id=run), 303)

    @router.get("/batch")
    def show_one(request: Request) -> Response:
        graph = site.link.graph()
        run = tasks.find_batch(graph, request.query_params.get("id", ""))
        evidence = judging.evidence(graph, run)
        return render(request, "batch", run=run, progress=tasks.progress(graph, run["id"]), evidence=evidence)

    return router


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} {text[:40]!r} is not a whole number") from None
