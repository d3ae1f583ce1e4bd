"""Generate events: ten seeds at a time are shown to a live teacher, which goes on with more of their kind.

West et al. 2021, section 3.2 and the released notebook. How many requests it takes is not known beforehand: rounds are
asked until enough different events are left after cleaning.
"""

import math
from typing import Any

from ingest.cleaning import Cleaned, clean_events, least_likely
from ingest.teacher.messages import Completion
from ingest.teacher.plan import Plan
from ingest.teacher.run import Taught, Teaching
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Phrase
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

_FIRST_YIELD = 0.5  # different events of a text asked for, before anything is known
_LEAST_YIELD = 0.05
_MOST_TIMES = 6  # requests beyond what a perfect teacher needed, after which it only repeats itself


def generate_events(graph: KnowledgeGraph, workspace: Workspace, plan: Plan, **options: Any) -> Taught:
    """Ask a live teacher for events until there are as many as planned, and write them into the graph.

    Args:
        graph: where they go.
        workspace: where replies are kept, and the run's folder is.
        plan: what is asked.
        options: of `Teaching`: budget_usd, in_flight, timeout_seconds, progress.

    Raises:
        TeacherError: the teacher cannot be used.
    """
    with Teaching(workspace, plan, **options) as teaching:
        graph.add_vocabulary(Vocabulary(plan.relations))
        graph.begin(teaching.run)
        replies: dict[int, tuple[Completion, ...]] = {}
        asked, most = 0, most_requests(plan)
        kept = _kept(teaching, replies, final=False)
        while len(kept) < plan.count and asked < most and not (teaching.tally.stopped or teaching.tally.missing):
            rate = max(_LEAST_YIELD, len(kept) / (asked * plan.samples)) if asked else _FIRST_YIELD
            number = min(math.ceil((plan.count - len(kept)) / rate / plan.samples), most - asked)
            requests = (
                plan.event_request(teaching.teacher, teaching.prompts, place) for place in range(asked, asked + number)
            )
            for outcome in teaching.ask(requests):
                number_asked = int(outcome.request.id.removeprefix("event-"))
                replies[number_asked] = outcome.reply.completions if outcome.reply else ()
            asked += number
            kept = _kept(teaching, replies, final=False)
        kept = _kept(teaching, replies, final=True)
        chosen = list(kept.items())[: plan.count]
        tally = teaching.tally
        if len(chosen) < plan.count and (tally.stopped or tally.missing or tally.failed):
            return teaching.finish(graph, 0, 0)  # which are the least likely fifth is known when all are there
        added = graph.add_events(
            ((Phrase(text, plan.lang, ("Event",)), one.logprob) for text, one in chosen), teaching.run
        )
        return teaching.finish(graph, added.offered, added.added, whole=True)


def first_requests(plan: Plan) -> int:
    """Return how many requests the first round takes."""
    return math.ceil(plan.count / _FIRST_YIELD / plan.samples)


def most_requests(plan: Plan) -> int:
    """Return how many requests are made at most."""
    return _MOST_TIMES * first_requests(plan)


def _kept(teaching: Teaching, replies: dict[int, tuple[Completion, ...]], *, final: bool) -> dict[str, Completion]:
    """Return the events of all replies so far, in the order of the requests, whatever order the replies came in."""
    plan = teaching.plan
    persons = all(text.startswith("PersonX") for text in plan.texts)
    seeds = set(plan.texts)
    kept: dict[str, Completion] = {}
    for number in sorted(replies):
        cleaned = clean_events(replies[number], persons=persons, lang=plan.lang)
        for text in list(cleaned.kept):
            if text in kept or text in seeds:
                cleaned.dropped.append((text, "repeats a seed" if text in seeds else "duplicate"))
            else:
                kept[text] = cleaned.kept[text]
        if final:
            teaching.note(f"event-{number}", cleaned)
    unlikely = least_likely({text: one.total for text, one in kept.items()})
    if final and unlikely:
        teaching.note("all", Cleaned(dropped=[(text, "among the least likely fifth") for text in sorted(unlikely)]))
    return {text: one for text, one in kept.items() if text not in unlikely}
