"""An account: what a run of a live teacher has cost so far, computed here for whatever prints it."""

from dataclasses import asdict, dataclass
from typing import Any

from ingest.teacher.batch_files import known_batches
from ingest.teacher.lesson import Lesson
from ingest.teacher.plan import has_plan, open_plan
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Lost:
    """Requests that brought nothing that can be used.

    Attributes:
        reason: what happened.
        requests: how many.
        cost_usd: US dollars; the most that it can be where it is not certain. None if the price is not known.
    """

    reason: str
    requests: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Account:
    """The cost of a run so far.

    Attributes:
        replies: paid for by this run; what other runs paid for costs it nothing.
        cost_usd: US dollars, losses included; None if the price is not known.
        unusable: requests that were paid for without a usable reply.
        perhaps_paid: requests that may have been paid for: no answer came, or the process ended before it.
    """

    replies: int
    cost_usd: float | None
    unusable: tuple[Lost, ...]
    perhaps_paid: tuple[Lost, ...]


def account_of(lesson: Lesson) -> Account:
    """Return the account of a run."""
    run, cache = lesson.run.id, lesson.cache
    price = lesson.price()
    losses = [
        (loss.certain, Lost(loss.reason, loss.requests, round(price.of(loss.usage), 6) if price else None))
        for loss in cache.losses(run)
    ]
    return Account(
        cache.number(run),
        round(price.of(cache.paid(run)), 6) if price else None,
        tuple(lost for certain, lost in losses if certain),
        tuple(lost for certain, lost in losses if not certain),
    )


def describe_run(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """Return plan, account and progress of a run of a live teacher, as the workspace knows them.

    Empty for any other run. The status is that of a run that is not in the graph yet.
    """
    if not has_plan(workspace, run_id):
        return {}
    plan = open_plan(workspace, run_id)
    with Lesson.open(workspace, plan) as lesson:
        account = account_of(lesson)
    begun = account.replies or account.perhaps_paid or known_batches(workspace.place("runs", run_id))
    hidden = {"kind", "model", "frozen"} | ({"base_url"} if plan.interface == "local" else set())
    shown = asdict(plan) | {"texts": len(plan.texts), "relations": [relation.name for relation in plan.relations]}
    described = {
        "id": run_id,
        "kind": plan.kind,
        "status": "asked, nothing written yet" if begun else "planned, nothing asked yet",
        "model": plan.model,
        "plan": {name: shown[name] for name in shown if name not in hidden},
        "replies": account.replies,
        "unusable": [asdict(lost) for lost in account.unusable],
        "perhaps_paid": [asdict(lost) for lost in account.perhaps_paid],
    }
    return described if account.cost_usd is None else described | {"cost_usd": account.cost_usd}
