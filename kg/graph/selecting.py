"""Which critic, thresholds and student are current, and whose scores show: those made or used last.

Critics, acceptances and students have a number (`order`) that grows with each that becomes current; a run that scores
or uses one has a number, too. So undoing such a run leaves current the critic, thresholds and student that would be
current without that run.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kg.store import queries
from kg.store.bolt import Row, Transaction


class Selections(NamedTuple):
    """The current critic, student and acceptances.

    Attributes:
        critic: id of the current critic.
        student: id of the current student.
        acceptances: critic to the id of its current acceptance.
        scoring: critics in the order in which their scores show, the first one before all others.
        numbers: the numbers (`order`) of the runs that score or use one, by their ids.
    """

    critic: str | None
    student: str | None
    acceptances: dict[str, str]
    scoring: list[str]
    numbers: dict[str, int | None]


def next_order(transaction: Transaction) -> int:
    """Return the number of the next thing that becomes current."""
    return int(transaction.run(queries.load("graph/next_order").text)[0]["number"])


def select(rows: Iterable[Row]) -> Selections:
    """Return the current critic, student and acceptances, from the rows of `graph/selections`."""
    rows = sorted(rows, key=_place)
    critics = {row["id"]: row for row in rows if row["label"] == "Critic"}
    students = {row["id"]: row for row in rows if row["label"] == "Student"}
    by_use = [row for row in rows if row["label"] in ("Critic", "use-critic") and (row["of"] or row["id"]) in critics]
    by_student = [row for row in rows if row["label"] in ("Student", "use-student")]
    taught = [row["of"] or row["id"] for row in by_student if (row["of"] or row["id"]) in students]
    scoring = [row["of"] for row in rows if row["label"] in ("score", "use-critic")]
    return Selections(
        (by_use[-1]["of"] or by_use[-1]["id"]) if by_use else None,
        taught[-1] if taught else None,
        {row["of"]: row["id"] for row in rows if row["label"] == "Acceptance"},
        list(dict.fromkeys(reversed(scoring))),
        {row["id"]: row["order"] for row in rows if row["label"] in ("score", "use-critic", "use-student")},
    )


def selections(read: Callable[..., list[Row]]) -> Selections:
    """Return the current critic, student and acceptances.

    Args:
        read: runs a statement: a store's `read`, or a transaction's `run`.
    """
    return select(read(queries.load("graph/selections").text))


def settle(transaction: Transaction) -> Selections:
    """Write down which critic, acceptances and student are current, and return them.

    Those that an older version made have no number yet, and get one before all others.
    """
    rows = transaction.run(queries.load("graph/selections").text)
    nodes = [row for row in rows if row["label"] in ("Critic", "Acceptance", "Student")]
    older = sorted((row for row in nodes if row["order"] is None), key=_place)
    first = min((row["order"] for row in nodes if row["order"] is not None), default=1)
    for number, row in enumerate(older, first - len(older)):
        row["order"] = number
    found = select(rows)
    current = {found.critic, found.student, *found.acceptances.values()}
    changes = [{"id": row["id"], "order": row["order"], "current": row["id"] in current} for row in nodes]
    transaction.run(queries.load("graph/set_current").text, rows=changes)
    return found


def _place(row: Row) -> tuple[float, bool, str, str]:
    order = row["order"]
    return (-float("inf") if order is None else order, row["current"], row["at"] or "", row["id"])
