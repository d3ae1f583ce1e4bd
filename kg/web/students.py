"""One student, or two side by side: what each was trained on, and how its training went."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg.errors import NotFound
from kg.web import charts
from kg.web.models import records
from kg.web.pages import render
from kg.web.site import Site

_PATH = "/models"
_LETTERS = 80  # of a value that is shown


def routes(site: Site) -> APIRouter:
    """Return the address of a student."""
    router = APIRouter()

    @router.get(f"{_PATH}/student/{{name}}")
    def show_student(request: Request, name: str) -> Response:
        students = {row["id"]: row for row in records(site.reading(), "student")}
        if name not in students:
            raise NotFound(f"there is no student {name[:80]!r}")
        files = site.stages.student_files()
        other = request.query_params.get("other", "")
        if other and other not in students:
            raise NotFound(f"there is no student {other[:80]!r}")
        names = [name, *([other] if other else [])]
        return render(
            request, "student", name=name, other=other, student=students[name],
            others=[one for one in students if one != name],
            table=_side_by_side({one: files.get(one, {}) for one in names}),
            drawn=_losses({one: files.get(one, {}).get("metrics", {}) for one in names}),
        )  # fmt: skip

    return router


def _losses(metrics: Mapping[str, Mapping[str, Any]]) -> list[charts.Chart]:
    """Return the loss of each part of a training, or of each pass over the data, where one of them is kept."""
    series = {}
    for name, own in metrics.items():
        kept = [found for key in ("curve", "loss") if isinstance(found := own.get(key), list) and found]
        if kept:
            series[name] = [(100 * place / len(kept[0]), float(loss)) for place, loss in enumerate(kept[0], 1)]
    if not series:
        return []
    top = max(loss for points in series.values() for _, loss in points)
    return [charts.lines("Loss", "% of the training", "loss", series, x_ends=(0.0, 100.0), y_ends=(0.0, top * 1.1))]


def _side_by_side(files: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return a row for each plain value in the metrics and manifests of students, with the value of each."""
    flat = [{**own.get("manifest", {}), **own.get("metrics", {})} for own in files.values()]
    names = list(dict.fromkeys(name for one in flat for name, value in one.items() if _is_plain(value)))
    return [(name, [_shown(one.get(name)) for one in flat]) for name in names]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= _LETTERS


def _shown(value: Any) -> str:
    if not _is_plain(value):
        return ""
    return str(value) if isinstance(value, str | bool) else f"{value:,}"
