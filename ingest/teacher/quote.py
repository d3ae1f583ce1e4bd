"""A quote: the cost of a plan, before the first request."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.teacher.events import Rounds, due_requests
from ingest.teacher.lesson import Lesson
from ingest.teacher.messages import Request
from ingest.teacher.money import Estimate, estimate
from ingest.teacher.plan import Plan
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Quote:
    """The cost of a plan.

    Attributes:
        run: id of its run.
        estimate: of the requests that are not paid for; of events those of one round.
        cached: number of requests whose replies are there already.
        borrowed: names of prompts that the plan's folder has not, so that shipped ones are used.
        prompts: the first request of each prompt, as it would be sent.
    """

    run: str
    estimate: Estimate
    cached: int
    borrowed: tuple[str, ...]
    prompts: tuple[Request, ...]


def quote(workspace: Workspace, plan: Plan) -> Quote:
    """Return the cost of a plan, and keep the plan in the folder of its run.

    For events the cost is that of the first round that is not answered. That round is enough when its texts are as good
    and new as those before, or, where there are none before, when half of them are.

    Raises:
        TeacherError: the teacher's address or key is wrong.
        InputError: prompts or price file are not as described.
    """
    with Lesson.open(workspace, plan) as lesson:
        lesson.save()
        number = 0

        def due() -> Iterator[Request]:
            nonlocal number
            for request in lesson.requests():
                number += 1
                if not lesson.find(request):
                    yield request

        rounds = Rounds(plan)
        requests = due_requests(lesson, rounds) if plan.kind == "events" else due()
        needed = estimate(requests, lesson.price())
        cached = (rounds.asked if plan.kind == "events" else number) - needed.requests
        borrowed = () if plan.frozen else tuple(lesson.prompts.borrowed(plan.names))
        return Quote(lesson.run.id, needed, cached, borrowed, tuple(lesson.first_requests()))
