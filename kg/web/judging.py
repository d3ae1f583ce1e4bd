"""Judging: one triple at a time, blind, a key a verdict.

Whatever is said is in the graph before the next triple is shown. A page only shows: what holds a task for an annotator,
judges, skips or takes back is a form, which names its task, so that sending it twice says it once.
"""

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import InputError
from kg.graph import tasks
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.turns import Turn
from kg.web.guard import OWNER
from kg.web.pages import address, render
from kg.web.site import Site

_BATCHES = 20  # shown
_SKIP = "s"


def routes(site: Site) -> APIRouter:
    """Return the addresses of the pages for annotators."""
    router = APIRouter()
    judging = site.stages.judging
    values = {verdict.key: verdict.value for verdict in judging.verdicts}

    def who(request: Request) -> str:
        return annotator_in(request, judging.owner)

    @router.get("/judge")
    def show(request: Request) -> Response:
        graph, name = site.link.graph(), who(request)
        found = [(run, tasks.progress(graph, run["id"], name)) for run in tasks.batches(graph)[:_BATCHES]]
        return render(request, "judge", batches=found, annotator=name)

    @router.post("/judge/next")
    def go_on(request: Request) -> Response:
        return _next(site.link.graph(), _given(request, "batch"), who(request))

    @router.get("/judge/ask/{task}")
    def ask(request: Request, task: str) -> Response:
        graph, name = site.link.graph(), who(request)
        found = tasks.find_task(graph, task)
        return render(
            request, "ask", asked=judging.ask(found, graph.vocabulary()), verdicts=judging.verdicts,
            progress=tasks.progress(graph, found.batch, name), last=request.query_params.get("last", ""),
            most_note=tasks.MAX_NOTE, said=_last_said(graph, task, name) if "change" in request.query_params else None,
            words={verdict.value: verdict.words for verdict in judging.verdicts},
        )  # fmt: skip

    @router.post("/judge/say")
    def hear(request: Request) -> Response:
        graph, name, task, said = site.link.graph(), who(request), _given(request, "task"), _given(request, "say")
        batch = tasks.find_task(graph, task).batch
        _say(graph, task, name, said, request.state.form.get("note", ""), values)
        if "change" in request.state.form:
            return _see(f"/judge/mine#{quote(task, safe='')}")
        return _next(graph, batch, name, last=task)

    @router.post("/judge/back")
    def take_back(request: Request) -> Response:
        graph, name, batch = site.link.graph(), who(request), _given(request, "batch")
        last = request.state.form.get("last") or None
        task = tasks.take_back(graph, batch, name, last)
        return _see(f"/judge/ask/{quote(task.id, safe='')}") if task else _next(graph, batch, name)

    @router.get("/judge/done")
    def done(request: Request) -> Response:
        graph, name = site.link.graph(), who(request)
        run = tasks.find_batch(graph, request.query_params.get("batch", ""))
        return render(
            request, "judged", run=run, progress=tasks.progress(graph, run["id"], name),
            last=request.query_params.get("last", ""),
        )  # fmt: skip

    return router


def annotator_in(request: Request, owner: str) -> str:
    """Return by which name whoever asks judges.

    Args:
        request: theirs.
        owner: the name of whoever started the application.
    """
    named = str(request.state.who)
    return owner if named == OWNER else named


def _say(graph: KnowledgeGraph, task: str, name: str, said: str, note: str, values: Mapping[str, int]) -> None:
    """Record what an annotator said of a task.

    Raises:
        InputError: it is neither a verdict's key nor the skip.
    """
    if said == _SKIP:
        tasks.skip(graph, task, name)
    elif said in values:
        tasks.give_verdict(graph, task, name, values[said], note)
    else:
        raise InputError(f"{said[:40]!r} is none of the verdicts {', '.join(values)}, nor {_SKIP} to skip")


def _last_said(graph: KnowledgeGraph, task: str, name: str) -> Turn | None:
    """Return what an annotator said of a task last; None where they said nothing."""
    found = tasks.turns_by(graph, name, task=task, count=1)
    return found[0].turns[-1] if found else None


def _next(graph: KnowledgeGraph, batch: str, name: str, *, last: str = "") -> Response:
    """Hold the next task for an annotator, and lead there."""
    task = tasks.next_task(graph, batch, name)
    if task is None:
        return _see(address("/judge/done", batch=batch, last=last))
    return _see(address(f"/judge/ask/{quote(task.id, safe='')}", last=last))


def _see(path: str) -> Response:
    return RedirectResponse(path, 303)


def _given(request: Request, name: str) -> str:
    value = request.state.form.get(name, "")
    if not value:
        raise InputError(f"the form lacks {name}")
    return str(value)
