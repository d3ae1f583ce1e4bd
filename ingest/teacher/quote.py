"""A quote: what a plan will cost, before the first request."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.teacher.cache import ReplyCache
from ingest.teacher.events import first_requests
from ingest.teacher.messages import Request
from ingest.teacher.money import Estimate, estimate, price_of
from ingest.teacher.plan import Plan, open_teacher
from ingest.teacher.prompts import Prompts
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan will need.

    Attributes:
        run: id of its run.
        estimate: of the requests that are not paid for.
        kept: number of requests whose replies are there already.
    """

    run: str
    estimate: Estimate
    kept: int


def quote(workspace: Workspace, plan: Plan, *, batch: bool = False) -> Quote:
    """Return what a plan will cost, and keep the plan in the folder of its run.

    For events it is the first round, which is enough when half of the texts are good and new.

    Raises:
        TeacherError: the teacher's address or key is wrong.
        InputError: prompts or price file are not as described.
    """
    teacher = open_teacher(plan)
    prompts = Prompts(plan.prompts)
    run = plan.run(teacher)
    plan.save(workspace.folder("runs", run.id))
    requests = (
        (plan.event_request(teacher, prompts, place) for place in range(first_requests(plan)))
        if plan.kind == "events"
        else plan.requests(teacher, prompts)
    )
    total = 0
    with ReplyCache.open(workspace.folder("replies")) as cache:
        teacher.dialect = cache.dialect(teacher.server)

        def missing() -> Iterator[Request]:
            nonlocal total
            for request in requests:
                total += 1
                if cache.get(*teacher.forms(request)) is None:
                    yield request

        needed = estimate(missing(), price_of(plan.model, workspace.root, batch=batch))
    return Quote(run.id, needed, total - needed.requests)
