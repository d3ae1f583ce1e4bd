"""The page of a phrase: what is inferred from it, who claimed that, how sure the critic is and why, who judged it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg import strict_json
from kg.errors import NotFound
from kg.graph.scores import ByCritic, read_thresholds
from kg.graph.turns import Turn, read_turns
from kg.store.bolt import Row
from kg.web import picture
from kg.web.history import Word, word_of, words_of
from kg.web.pages import render
from kg.web.reading import Reading
from kg.web.site import Site

_INFERENCES = 400  # edges shown of an event; ATOMIC has 10 to 60
_TOLD = 40  # events shown from which a phrase is inferred
_SECOND = 3  # edges of each neighbour, in each direction


def routes(site: Site) -> APIRouter:
    """Return the addresses of phrases and of raw replies."""
    router = APIRouter()
    words = words_of(site.stages.judging.verdicts)

    @router.get("/phrase/{key}")
    def show(request: Request, key: str) -> Response:
        reading = site.reading()
        phrase = phrase_of(reading, key)
        inferences = reading.rows("web/inferences", id=key, count=_INFERENCES)
        told = reading.rows("web/told", id=key, count=_TOLD)
        runs = {row["id"]: row for row in reading.rows("web/runs_of", ids=sorted(_runs_in(phrase, inferences)))}
        judged: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in reading.rows("web/judgements_on", id=key):
            judged[row["relation"], row["tail_id"]].append(row | {"said": _said(row, words)})
        thresholds = thresholds_of(reading)
        by_relation: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in inferences:
            verdicts = judged.get((row["relation"], row["tail_id"]), [])
            replies = [run for run in row["runs"] if site.stages.replies.has(run)]
            own = {"why": why(row, thresholds), "judged": verdicts, "replies": replies}
            by_relation[row["relation"]].append(row | own)
        return render(
            request, "phrase", phrase=phrase, by_relation=by_relation, told=told, runs=runs, most=_INFERENCES,
            drawn=_drawn(reading, phrase, inferences, told),
        )  # fmt: skip

    @router.get("/reply")
    def show_reply(request: Request, run: str = "", head: str = "", relation: str = "", tail: str = "") -> Response:
        reading = site.reading()
        texts = phrase_of(reading, head)["text"], phrase_of(reading, tail)["text"]
        found = site.stages.replies.find(run, texts[0], relation, texts[1])
        shown = {name: strict_json.write(found[name], indent=2) for name in ("request", "reply")}
        return render(request, "reply", run=run, head=head, relation=relation, texts=texts, at=found["at"], shown=shown)

    return router


def phrase_of(reading: Reading, key: str) -> Row:
    """Return the row of `web/phrase` of a key.

    Raises:
        NotFound: there is no such phrase.
    """
    rows = reading.rows("web/phrase", id=key)
    if not rows:
        raise NotFound("there is no such phrase in the graph; it may have been undone")
    return rows[0]


def thresholds_of(reading: Reading) -> ByCritic:
    """Return the current thresholds of each critic."""
    store = reading.graph.store

    def read(text: str, **parameters: Any) -> list[Row]:
        columns, rows = store.ask(text, parameters, limit_rows=None, timeout_seconds=10)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    return read_thresholds(read)


def why(row: Mapping[str, Any], by_critic: ByCritic) -> str:
    """Return why an edge is accepted, or not, in a sentence.

    Args:
        row: `relation`, `runs`, `score`, `critic` and `accepted` of the edge.
        by_critic: the current thresholds.
    """
    score, critic = row["score"], row["critic"]
    if score is None:
        return "No critic has scored this."
    thresholds = by_critic.get(critic or "")
    threshold = thresholds.of(row["relation"], row["runs"]) if thresholds else None
    if thresholds is None or threshold is None:
        return f"Critic {critic} says {score:.3f}, and has no threshold."
    own = any(run in thresholds.own for run in row["runs"] if run not in thresholds.students)
    whose = f"of {row['relation']} for who wrote it" if own else f"of {row['relation']}"
    reached = f"reaches {threshold:.3f}" if score >= threshold else f"is below {threshold:.3f}"
    return f"Critic {critic} says {score:.3f}; that {reached}, the threshold {whose}."


def _said(row: Row, words: Mapping[int, str]) -> list[Word]:
    """Return what the annotator of a judgement said, the word that holds first, then those before it, the newest first.

    Through tasks each word has its time and its note; a verdict that came from a file has neither.

    Args:
        row: of `web/judgements_on`.
        words: of each verdict's value.
    """
    turns = [turn for turn in read_turns(row["log"]) if turn.run in row["runs"]]
    turns.sort(key=lambda turn: turn.at, reverse=True)
    if not turns or row["runs"][-1] != turns[0].run:  # the last word came from a file
        turns.insert(0, Turn("", "", row["value"], str(row["value"]), ""))
    return [word_of(turn, words) for turn in turns]


def _runs_in(phrase: Row, inferences: list[Row]) -> set[str]:
    return {run for row in (phrase, *inferences) for run in row["runs"]}


def _drawn(reading: Reading, phrase: Row, inferences: list[Row], told: list[Row]) -> picture.Picture | None:
    """Return the picture of a phrase's neighbourhood; None where it has no neighbour."""
    first = picture.nearest(picture.ties_of(phrase["id"], inferences, told))
    if not first:
        return None
    rows = reading.rows("web/second_step", ids=[tie.key for tie in first], count=_SECOND)
    second = (picture.Tie(row["from_id"], row["to_id"], row["text"], row["relation"], row["is_out"], row["accepted"])
              for row in rows)  # fmt: skip
    return picture.draw(phrase["id"], phrase["text"], first, second)
