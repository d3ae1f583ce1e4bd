"""What an annotator said: their own verdicts, the newest first, with those that they replaced; each can be changed.

Nobody else's are looked at, so that an annotator stays blind for others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg.graph import tasks
from kg.graph.turns import Said, Turn
from kg.vocabulary import Vocabulary
from kg.web.judging import annotator_in
from kg.web.pages import address, render
from kg.web.site import Site

_TASKS = 50  # on a page


class Word(NamedTuple):
    """What was said once: its words, when (UTC, ISO 8601), the note, and whether it accepts (None if no verdict)."""

    words: str
    at: str
    note: str
    accepts: bool | None


def routes(site: Site) -> APIRouter:
    """Return the page's address."""
    router = APIRouter()
    judging = site.stages.judging
    words = words_of(judging.verdicts)

    @router.get("/judge/mine")
    def show(request: Request) -> Response:
        graph, name = site.link.graph(), annotator_in(request, judging.owner)
        before = request.query_params.get("before") or None
        found = tasks.turns_by(graph, name, before=before, count=_TASKS + 1)
        shown = found[:_TASKS]
        older = address("/judge/mine", before=shown[-1].turns[-1].at) if len(found) > _TASKS else None
        vocabulary = graph.vocabulary()
        return render(
            request, "mine", annotator=name, rows=[_row(one, judging, vocabulary, words) for one in shown],
            older=older, first=before is None,
        )  # fmt: skip

    return router


def words_of(verdicts: Sequence[Any]) -> dict[int, str]:
    """Return the words of each verdict's value, of verdicts as `Judging.verdicts` has them."""
    return {verdict.value: verdict.words for verdict in verdicts}


def word_of(turn: Turn, words: Mapping[int, str]) -> Word:
    """Return what was said once, in words."""
    if turn.value is None:
        said = {"back": "taken back"}.get(turn.what, turn.what)
        return Word(said, turn.at, turn.note, None)
    return Word(words.get(turn.value, turn.what), turn.at, turn.note, turn.value > 0)


def _row(said: Said, judging: Any, vocabulary: Vocabulary, words: Mapping[int, str]) -> dict[str, Any]:
    """Return a task as the page has it: the word that holds, and those before it, the newest first."""
    *before, last = (word_of(turn, words) for turn in said.turns)
    return {
        "asked": judging.ask(said.task, vocabulary), "head_id": said.ends[0], "last": last, "before": before[::-1],
        "edge": f"{said.task.triple.relation}-{said.ends[1]}",
    }  # fmt: skip
