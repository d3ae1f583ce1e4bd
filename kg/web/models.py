"""Critics and students: what there is of them, which is current, and going back to another one."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kg.errors import NotFound
from kg.store.bolt import Row
from kg.web.home import weak_critics
from kg.web.pages import address, render
from kg.web.reading import Reading
from kg.web.site import Site

_PATH = "/models"
_KINDS: tuple[Literal["critic", "student"], ...] = ("critic", "student")


def routes(site: Site) -> APIRouter:
    """Return the addresses of the page, of the question whether to use another one, and of its answer."""
    router = APIRouter()

    @router.get(_PATH)
    def show(request: Request) -> Response:
        reading = site.reading()
        critics, students = records(reading, "critic"), records(reading, "student")
        recalls = {row["critic"]: row.get("recall") for row in records(reading, "acceptance") if row.get("current")}
        files = site.stages.critic_files()
        known = {critic["id"] for critic in critics}
        return render(
            request, "models", critics=critics, students=students, recalls=recalls,
            reports={critic["id"]: report_of(critic, files) for critic in critics},
            judges={name: own for name, own in files.items() if name not in known},
            weak={one["id"] for one in weak_critics(files)},
            done=_done(reading, request.query_params.get("done", ""), (*critics, *students)),
        )  # fmt: skip

    @router.get(f"{_PATH}/use")
    def ask(request: Request) -> Response:
        kind, name = _chosen(site.reading(), request.query_params)
        what = {
            "critic": "Its kept scores show on the edges, and its thresholds decide which are accepted; no model runs.",
            "student": "kg student predict and kg student evaluate take it when no other is named.",
        }
        return render(
            request, "confirm", title=f"Use {kind} {name}?",
            text=f"{what[kind]} That is a run, which kg runs undo takes back.",
            action=f"{_PATH}/use", fields={kind: name}, back=f"{_PATH}/{kind}/{name}",
        )  # fmt: skip

    @router.post(f"{_PATH}/use")
    def use(request: Request) -> Response:
        kind, name = _chosen(site.reading(), request.state.form)
        with site.link.opening() as graph:
            run = graph.use_critic(name) if kind == "critic" else graph.use_student(name)
        return RedirectResponse(address(_PATH, done=run), 303)

    return router


def records(reading: Reading, kind: str) -> list[Row]:
    """Return the critics, acceptances or students as maps, the current one first, then the newest."""
    rows = [row["properties"] for row in reading.rows("graph/records") if row["label"].lower() == kind]
    return sorted(rows, key=lambda row: (bool(row.get("current")), row.get("order") or 0), reverse=True)


def report_of(critic: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return a critic's report: that of its folder, else the one that the graph keeps; empty if there is none."""
    if report := files.get(critic["id"], {}).get("report"):
        return dict(report)
    try:
        found = json.loads(critic.get("metrics") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _done(reading: Reading, run: str, models: Iterable[Row]) -> str:
    """Return what a run did that made a critic or a student the current one; empty where an address made it up."""
    found = [row["run"] for row in reading.rows("graph/runs", id=run)] if run else []
    name = found[0].get("model") if found else None
    is_current = any(one["id"] == name and one.get("current") for one in models)
    return f"{name} is the current one, by run {run}" if is_current else ""


def _chosen(reading: Reading, given: Mapping[str, str]) -> tuple[Literal["critic", "student"], str]:
    """Return the kind and the id of what is to be used.

    Raises:
        NotFound: there is no such thing.
    """
    for kind in _KINDS:
        if name := given.get(kind, ""):
            if name not in {row["id"] for row in records(reading, kind)}:
                raise NotFound(f"there is no {kind} {name[:80]!r}")
            return kind, name
    raise NotFound("no critic and no student is named")
