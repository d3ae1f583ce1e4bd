"""Teaching: the part that events and inferences have in common, from opening a run to its last numbers."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest.cleaning import Cleaned
from ingest.teacher.account import Account, account_of
from ingest.teacher.asking import Outcome, Tally, ask_all
from ingest.teacher.lesson import Lesson
from ingest.teacher.messages import Request
from ingest.teacher.money import FREE, Budget
from ingest.teacher.plan import Plan
from kg import strict_json
from kg.graph.knowledge import KnowledgeGraph
from kg.run import write_record
from kg.wide import Spread, here
from kg.workspace import Workspace, naming, private_file


@dataclass(frozen=True, slots=True)
class Taught:
    """The result of a run of a live teacher.

    Attributes:
        run: id of the run.
        offered: events or triples that were left after cleaning.
        added: how many of them are new in the graph.
        tally: requests and tokens.
        rules: how many texts each cleaning rule dropped.
        account: what the run has cost so far.
        folder: where `dropped.jsonl` and `failures.jsonl` are.
        found: different events that came so far; for inferences 0.
        events: those that were written into the graph, in the order of the requests; for inferences none.
    """

    run: str
    offered: int
    added: int
    tally: Tally
    rules: Counter[str]
    account: Account
    folder: Path
    found: int = 0
    events: tuple[str, ...] = ()


class Teaching:
    """One run of a live teacher. Use it as a context manager; `ask`, `note`, then `finish`.

    Attributes:
        lesson: what is asked, whom, and in which words; open within the context.
        tally: numbers of the run so far.
    """

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        *,
        budget_usd: float | None = None,
        in_flight: int = 64,
        timeout_seconds: float = 120,
        cached_only: bool = False,
        spread: Spread = here,
        progress: Callable[[Tally, float | None], object] = lambda *_: None,
    ) -> None:
        """Describe a run; nothing is opened yet.

        Args:
            workspace: where replies are kept, and the run's folder is.
            plan: what is asked.
            budget_usd: US dollars that the run may cost in all; None if there is no limit.
            in_flight: most requests at once.
            timeout_seconds: of one request.
            cached_only: whether nothing is asked, because the replies came by batch.
            spread: what writes for a local teacher.
            progress: called after each outcome with the numbers and the US dollars spent, None without a price
                and for a local teacher.
        """
        self.tally = Tally()
        self._workspace = workspace
        self._plan = plan
        self._limit = budget_usd
        self._in_flight = in_flight
        self._timeout_seconds = timeout_seconds
        self._cached_only = cached_only
        self._spread = spread
        self._progress = progress
        self._rules: Counter[str] = Counter()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.lesson = stack.enter_context(
                Lesson.open(
                    self._workspace,
                    self._plan,
                    timeout_seconds=self._timeout_seconds,
                    in_flight=self._in_flight,
                    spread=self._spread,
                )
            )
            self.lesson.save()
            self._folder = self._workspace.folder("runs", self.lesson.run.id)
            self._price = self.lesson.price()
            self._budget = Budget(self._limit, self._price, self.lesson.cache.paid(self.lesson.run.id))
            self._note_dropped = stack.enter_context(listing(self._folder / "dropped.jsonl", "w"))
            mode = "a" if self._cached_only else "w"  # the failures of the batches are in it
            self._note_failure = stack.enter_context(listing(self._folder / "failures.jsonl", mode))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def ask(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """Yield the replies to requests as they come; failures are counted and listed."""
        outcomes = ask_all(
            self.lesson.teacher, requests, self.lesson.cache, self.lesson.run.id, self._budget, tally=self.tally,
            in_flight=self._in_flight, cached_only=self._cached_only, progress=self._tell,
        )  # fmt: skip
        self._stack.callback(outcomes.close)  # before the cache, also when whoever takes them fails
        for outcome in outcomes:
            if outcome.reply:
                yield outcome
            else:
                self._note_failure(request=outcome.request.id, reason=outcome.failure)

    def note(self, request_id: str, cleaned: Cleaned) -> None:
        """Count and list the texts that cleaning dropped."""
        self._rules.update(cleaned.rules)
        for text, rule in cleaned.dropped:
            self._note_dropped(request=request_id, text=text[:500], rule=rule)

    def finish(
        self, graph: KnowledgeGraph, offered: int, added: int, *, whole: bool | None = None, found: int = 0
    ) -> Taught:
        """Record the result of the run, which with failures, or without money, is incomplete unless it is `whole`.

        Args:
            graph: where the run is recorded.
            offered: events or triples left after cleaning.
            added: how many of them are new in the graph.
            whole: whether nothing is left to do; None to tell by the numbers.
            found: different events that came so far.
        """
        run, teacher = self.lesson.run, self.lesson.teacher
        account = account_of(self.lesson)
        numbers: dict[str, Any] = {
            "offered": offered,
            "requests": self.tally.asked + self.tally.cached,
            "failed": self.tally.failed,
            "prompt_tokens": int(self.tally.tokens.prompt_tokens),
            "completion_tokens": int(self.tally.tokens.completion_tokens),
            "reported_model": ", ".join(sorted(self.tally.models)) or None,
            "dialect": ", ".join(sorted(teacher.dialect)) or None,
            "dropped": strict_json.write(dict(sorted(self._rules.items()))),
        }
        if account.cost_usd is not None:
            numbers["cost_usd"] = account.cost_usd
        if whole is None:
            whole = not (self.tally.failed or self.tally.stopped or self.tally.missing)
        (graph.finish if whole else graph.pause)(run, **numbers)
        write_record(self._folder, run, numbers)
        return Taught(run.id, offered, added, self.tally, self._rules, account, self._folder, found)

    def _tell(self, tally: Tally) -> None:
        self._progress(tally, None if self._price in (None, FREE) else self._budget.spent)


@contextmanager
def listing(path: Path, mode: str) -> Iterator[Callable[..., None]]:
    """Yield what adds a JSON object, given by its fields, to a file of lines."""
    with naming(path):
        file = private_file(path).open(mode, encoding="utf-8", errors="backslashreplace")

    def add(**values: Any) -> None:
        with naming(path):
            file.write(strict_json.write(values) + "\n")

    try:
        yield add
    finally:
        with naming(path):
            file.close()
