"""Generate events: ten seeds at a time are shown to a live teacher, which goes on with more of their kind.

West et al. 2021, section 3.2 and the released notebook. How many requests it takes is not known beforehand: rounds are
asked until enough different events are left after cleaning. How large a round is follows from the replies before it, so
that a run which was interrupted, or goes by batch, finds its rounds again from the cache.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ingest.cleaning import Cleaned, Completion, clean_events, least_likely
from ingest.teacher.lesson import Lesson
from ingest.teacher.messages import Reply, Request
from ingest.teacher.plan import Plan
from ingest.teacher.run import Taught, Teaching
from kg.graph.knowledge import KnowledgeGraph
from kg.languages import language, whole_word
from kg.model import Phrase
from kg.vocabulary import Vocabulary

_FIRST_YIELD = 0.5  # different events of a text asked for, before anything is known
_LEAST_YIELD = 0.05
_MOST_TIMES = 6  # times as many requests as the first round has, after which the teacher only repeats itself


class Rounds:
    """The rounds of requests for events: which numbers come next, as the replies so far have it.

    Attributes:
        number: of the round that was handed out last, from 1.
        asked: how many requests were handed out.
    """

    def __init__(self, plan: Plan) -> None:
        self.number = 0
        self.asked = 0
        self._plan = plan
        self._replies: dict[int, tuple[Completion, ...]] = {}

    def next(self) -> range:
        """Return the numbers of the next round's requests; none if there are enough events, or enough was asked."""
        plan, events = self._plan, len(self.events())
        if events >= plan.count:
            return range(0)
        first = math.ceil(plan.count / _FIRST_YIELD / plan.samples)
        rate = max(_LEAST_YIELD, events / (self.asked * plan.samples)) if self.asked else _FIRST_YIELD
        size = min(math.ceil((plan.count - events) / rate / plan.samples), _MOST_TIMES * first - self.asked)
        numbers = range(self.asked, self.asked + size)
        self.asked += size
        self.number += bool(numbers)
        return numbers

    def note(self, number: int, reply: Reply | None) -> None:
        """Note the reply to a request; None where there is none."""
        self._replies[number] = reply.completions if reply else ()

    def events(self, teaching: Teaching | None = None) -> dict[str, Completion]:
        """Return the events of all replies so far, in the order of the requests, whatever order the replies came in.

        Args:
            teaching: where to list what was dropped, at the end of a run.
        """
        plan, dropped = self._plan, []
        first = re.compile(whole_word(language(plan.lang).persons[0]))
        persons = all(map(first.match, plan.texts))
        seeds = set(plan.texts)
        found: dict[str, Completion] = {}
        for number in sorted(self._replies):
            cleaned = clean_events(self._replies[number], persons=persons, lang=plan.lang)
            for text in list(cleaned.kept):
                if text in found or text in seeds:
                    cleaned.dropped.append((text, "repeats a seed" if text in seeds else "duplicate"))
                else:
                    found[text] = cleaned.kept[text]
            dropped.append((f"event-{number}", cleaned))
        unlikely = least_likely({text: one.total for text, one in found.items()})
        if unlikely:
            cleaned = Cleaned(dropped=[(text, "among the least likely fifth") for text in sorted(unlikely)])
            dropped.append(("all", cleaned))
        if teaching:
            for name, cleaned in dropped:
                teaching.note(name, cleaned)
        return {text: one for text, one in found.items() if text not in unlikely}


def generate_events(graph: KnowledgeGraph, teaching: Teaching) -> Taught:
    """Ask a live teacher for events until there are as many as planned, and write them into the graph.

    Args:
        graph: where the events go.
        teaching: of a plan for events; opened and closed here.

    Raises:
        TeacherError: the teacher cannot be used.
    """
    with teaching:
        lesson, tally, plan = teaching.lesson, teaching.tally, teaching.lesson.plan
        graph.add_vocabulary(Vocabulary(plan.relations))
        graph.begin(lesson.run)
        rounds = Rounds(plan)
        while not tally.stopped and (numbers := rounds.next()):
            answered = tally.asked + tally.cached
            for outcome in teaching.ask(map(lesson.event_request, numbers)):
                rounds.note(outcome.request.number, outcome.reply)
            if tally.missing and tally.asked + tally.cached == answered:
                break  # by batch: this round was not sent yet, or is on its way
        events = rounds.events(teaching)
        chosen = list(events.items())[: plan.count]
        if len(chosen) < plan.count and (tally.stopped or tally.missing or tally.failed):
            # which events are the least likely fifth is known when all are there
            return teaching.finish(graph, 0, 0, found=len(events))
        added = graph.add_events(
            ((Phrase(text, plan.lang, ("Event",)), one.logprob) for text, one in chosen), lesson.run
        )
        taught = teaching.finish(graph, added.offered, added.added, whole=True, found=len(events))
        return replace(taught, events=tuple(text for text, _ in chosen))


def due_requests(
    lesson: Lesson, rounds: Rounds, is_open: Callable[[Request], bool] = lambda _: True
) -> Iterator[Request]:
    """Yield the requests without a reply, round by round, up to the first round that waits for one.

    Args:
        lesson: what is asked.
        rounds: new ones; they have the number of that round afterwards.
        is_open: whether a round waits for a request without a reply; for none that was sent and failed.
    """
    waiting = False
    while not waiting and (numbers := rounds.next()):
        for request in map(lesson.event_request, numbers):
            found = lesson.find(request)
            rounds.note(request.number, found[1] if found else None)
            if not found:
                waiting = waiting or is_open(request)
                yield request
