"""Teaching: what generating events and generating inferences have in common, from opening a run to its last numbers."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest.cleaning import Cleaned
from ingest.teacher.asking import Outcome, Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Request
from ingest.teacher.money import Budget, price_of
from ingest.teacher.plan import Plan, open_teacher
from ingest.teacher.prompts import Prompts
from kg import strict_json
from kg.graph.knowledge import KnowledgeGraph
from kg.run import write_record
from kg.workspace import Workspace, private_file


@dataclass(frozen=True, slots=True)
class Taught:
    """What a run of a live teacher did.

    Attributes:
        run: its id.
        offered: events or triples that were kept after cleaning.
        added: how many of them are new in the graph.
        tally: requests and tokens.
        rules: how many texts each cleaning rule dropped.
        spent: US dollars that the run has cost so far, losses included; None if the price is not known.
        folder: where `dropped.jsonl` and `failures.jsonl` are.
    """

    run: str
    offered: int
    added: int
    tally: Tally
    rules: Counter[str]
    spent: float | None
    folder: Path


class Teaching:
    """One run of a live teacher. Use it as a context manager; `ask`, `note`, then `finish`.

    Attributes:
        plan: what is asked.
        teacher: whom.
        prompts: in which words.
        run: the run that asserts what comes of it.
    """

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        *,
        budget_usd: float | None = None,
        in_flight: int = 64,
        timeout_seconds: float = 120,
        kept_only: bool = False,
        progress: Callable[[Tally, float | None], object] = lambda *_: None,
    ) -> None:
        self.plan = plan
        self.prompts = Prompts(plan.prompts)
        self.teacher = open_teacher(plan, timeout_seconds=timeout_seconds, in_flight=in_flight)
        self.run = plan.run(self.teacher)
        self.tally = Tally()
        self._folder = workspace.folder("runs", self.run.id)
        self._workspace = workspace
        self._limit = budget_usd
        self._in_flight = in_flight
        self._kept_only = kept_only
        self._progress = progress
        self._rules: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.plan.save(self._folder)
        with ExitStack() as stack:
            self.cache = stack.enter_context(ReplyCache.open(self._workspace.folder("replies")))
            self._price = price_of(self.plan.model, self._workspace.root)
            self._budget = Budget(self._limit, self._price, self.cache.paid(self.run.id))
            modes = {"dropped.jsonl": "w", "failures.jsonl": "a" if self._kept_only else "w"}  # the batch's are there
            self._dropped, self._failures = (
                stack.enter_context(
                    private_file(self._folder / name).open(mode, encoding="utf-8", errors="backslashreplace")
                )
                for name, mode in modes.items()
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def ask(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """Yield the replies to requests as they come; failures are counted and listed."""
        outcomes = ask_all(
            self.teacher, requests, self.cache, self.run.id, self._budget, tally=self.tally,
            in_flight=self._in_flight, kept_only=self._kept_only, progress=self._tell,
        )  # fmt: skip
        self._stack.callback(outcomes.close)  # before the cache, also when whoever takes them fails
        for outcome in outcomes:
            if outcome.reply:
                yield outcome
            else:
                self._note(self._failures, request=outcome.request.id, reason=outcome.failure)

    def note(self, request_id: str, cleaned: Cleaned) -> None:
        """Count and list what cleaning dropped."""
        self._rules.update(cleaned.rules)
        for text, rule in cleaned.dropped:
            self._note(self._dropped, request=request_id, text=text[:500], rule=rule)

    def finish(self, graph: KnowledgeGraph, offered: int, added: int, *, whole: bool | None = None) -> Taught:
        """Record what came of the run; one with failures, or without money, is incomplete unless said to be whole."""
        numbers: dict[str, Any] = {
            "offered": offered,
            "requests": self.tally.asked + self.tally.kept,
            "failed": self.tally.failed,
            "prompt_tokens": int(self.tally.tokens.prompt_tokens),
            "completion_tokens": int(self.tally.tokens.completion_tokens),
            "reported_model": ", ".join(sorted(self.tally.models)) or None,
            "dialect": ", ".join(sorted(self.teacher.dialect)) or None,
            "dropped": strict_json.write(dict(sorted(self._rules.items()))),
        }
        if self._price:
            numbers["cost_usd"] = round(self._price.of(self.tally.priced), 6)
        if whole is None:
            whole = not (self.tally.failed or self.tally.stopped or self.tally.missing)
        (graph.finish if whole else graph.pause)(self.run, **numbers)
        write_record(self._folder, self.run, numbers)
        spent = self._budget.spent if self._price else None
        return Taught(self.run.id, offered, added, self.tally, self._rules, spent, self._folder)

    def _tell(self, tally: Tally) -> None:
        self._progress(tally, self._budget.spent if self._price else None)

    @staticmethod
    def _note(file: Any, **values: Any) -> None:
        file.write(strict_json.write(values) + "\n")
