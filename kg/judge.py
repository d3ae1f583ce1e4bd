"""A language model as an annotator: it is asked about the tasks of a batch, and what it says is a machine's verdict.

Its verdicts are judgements of a run of kind `judge` that has a `model`, so it counts as a machine
(`critic.machines`). It takes no place of a task: each stays open for as many people as it is for. The model is a live
teacher (`ingest.teacher`), with its cache, budget and retries; an answer that is no verdict is asked for again a few
times, then counted as a failure, and never guessed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from critic.agreement import WithPeople, beside_people
from critic.annotators import check_name
from critic.judging import Question, ask
from critic.machines import machines_among
from ingest.teacher.asking import Outcome, Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.lesson import teacher_of
from ingest.teacher.messages import Interface, Prompt, Request, Teacher
from ingest.teacher.money import Budget, Estimate, estimate, price_of
from ingest.teacher.run import listing
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import batches, find_batch, tasks_of
from kg.judge_prompt import FORMAT, PROMPT_DIGEST, VerdictTeacher, render
from kg.language_model.opening import origin_of_model
from kg.language_model.terms import derived_field
from kg.model import Judgement, Triple, consensus
from kg.run import JUDGE_KIND, Run, write_record
from kg.workspace import Workspace

MAX_VOTES = 99
"""Most votes on a triple."""

_WRITTEN_TOGETHER = 50  # verdicts; those that a kill takes come back from the kept replies
_SETTINGS = {"max_tokens": 16, "stop": ["\n"]}  # of completions; a chat's message may have thinking before its verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of asking a model about a batch.

    Attributes:
        verdicts: triples that have a verdict now.
        tasks: triples of the batch.
        tally: requests and tokens.
        cost_usd: US dollars that the run has cost so far; None if the price is not known.
        with_people: the model beside people; None where no triple has its verdict and a majority of people.
        folder: where `failures.jsonl` is.
    """

    verdicts: int
    tasks: int
    tally: Tally
    cost_usd: float | None
    with_people: WithPeople | None
    folder: Path


class ModelJudge:
    """A model that judges a batch. Use `ModelJudge.open`.

    Attributes:
        run: in which it judges; its id follows from all that determines the requests.
        annotator: under which name.
        batch: id of the run that drew the tasks.
    """

    def __init__(
        self, graph: KnowledgeGraph, workspace: Workspace, teacher: Teacher, cache: ReplyCache, *,
        batch: str, annotator: str, votes: int, seed: int,
    ) -> None:  # fmt: skip
        self.annotator = annotator
        self.batch = batch
        self._graph, self._workspace, self._cache = graph, workspace, cache
        self._teacher = VerdictTeacher(teacher)
        self._votes, self._seed = votes, seed
        vocabulary = graph.vocabulary()
        self._asked = [(task.triple, ask(task, vocabulary)) for task in tasks_of(graph, batch)]
        parameters: dict[str, Any] = {
            "annotator": annotator, "server": teacher.server, "interface": teacher.interface, "votes": votes,
            "seed": seed, "prompt": PROMPT_DIGEST,
        }  # fmt: skip
        if teacher.interface == "local":
            parameters |= derived_field(origin_of_model(teacher.model))
        self.run = Run(JUDGE_KIND, model=teacher.model, dataset=batch, parameters=parameters)

    @classmethod
    @contextmanager
    def open(
        cls, graph: KnowledgeGraph, workspace: Workspace, model: str, *, interface: Interface = "chat",
        base_url: str | None = None, batch: str | None = None, annotator: str | None = None, votes: int = 3,
        seed: int = 0, timeout_seconds: float = 120, in_flight: int = 64,
    ) -> Iterator["ModelJudge"]:  # fmt: skip
        """Yield a model that judges a batch; nothing is sent yet.

        Args:
            graph: where the tasks are.
            workspace: where replies are kept, and the run's folder is.
            model: its name at the provider.
            interface: chat, completions or local.
            base_url: of the provider; None takes `OPENAI_BASE_URL`, else OpenAI's own.
            batch: id or name of the run that drew the tasks; None takes the newest.
            annotator: the name under which it judges; None takes the model's.
            votes: how often it is asked about each triple, an odd number up to `MAX_VOTES`.
            seed: of the first vote; each further one has the next.
            timeout_seconds: of one request.
            in_flight: most requests at once.

        Raises:
            InputError: the number of votes is even, or a person has judged under that name.
            NotFound: there is no such batch.
            NotReady: nothing was drawn.
            TeacherError: the address or the key is wrong.
        """
        if not 1 <= votes <= MAX_VOTES or votes % 2 == 0:
            raise InputError(
                f"--votes {votes}: an odd number from 1 to {MAX_VOTES} is wanted, so that no vote is a tie"
            )
        name = _name(graph, annotator or model)
        known = batches(graph)
        drawn = find_batch(graph, batch or (known[0]["id"] if known else None))["id"]
        teacher = teacher_of(
            model, interface, base_url, seed=seed, timeout_seconds=timeout_seconds, in_flight=in_flight
        )
        with ReplyCache.open(workspace.folder("replies")) as cache:
            teacher.dialect = cache.dialect(teacher.server)
            yield cls(graph, workspace, teacher, cache, batch=drawn, annotator=name, votes=votes, seed=seed)

    def requests(self) -> Iterator[Request]:
        """Yield the requests, triple by triple in the order of the batch, one a vote."""
        for triple, question in self._asked:
            for vote in range(self._votes):
                yield self._request(triple, question, vote)

    def first_requests(self) -> Iterator[Request]:
        """Yield the first request of each relation, in the wording in which it is sent."""
        first: dict[str, Request] = {}
        for triple, question in self._asked:
            if triple.relation not in first:
                first[triple.relation] = self._request(triple, question, 0)
        yield from map(self._teacher.reword, first.values())

    def quote(self) -> tuple[Estimate, int]:
        """Return what the requests will need that are not paid for, and how many are paid for already.

        Raises:
            InputError: the price file is not as described.
        """
        number = 0

        def due() -> Iterator[Request]:
            nonlocal number
            for request in self.requests():
                number += 1
                if not self._cache.get(*self._teacher.wordings(request)):
                    yield request

        needed = estimate(due(), price_of(self._teacher.model, self._workspace.root))
        return needed, number - needed.requests

    def judge(
        self,
        *,
        budget_usd: float | None = None,
        in_flight: int = 64,
        progress: Callable[[Tally, float | None], object] = lambda *_: None,
    ) -> Judged:
        """Ask about each triple of the batch, and record what the votes come to.

        A triple has a verdict when more than half of its votes can be used. Judging again asks for what failed alone.

        Args:
            budget_usd: US dollars that the run may cost in all; None if there is no limit.
            in_flight: most requests at once.
            progress: called after each outcome with the numbers and the US dollars spent, None without a price.

        Raises:
            TeacherError: key, model or account are at fault, or nothing but failures came back.
            NotReady: the run is being undone.
        """
        price = price_of(self._teacher.model, self._workspace.root)
        budget = Budget(budget_usd, price, self._cache.paid(self.run.id))
        folder, tally = self._workspace.folder("runs", self.run.id), Tally()
        with self._graph.running(self.run), listing(folder / "failures.jsonl", "w") as note_failure:
            outcomes = ask_all(
                self._teacher, self.requests(), self._cache, self.run.id, budget, tally=tally, in_flight=in_flight,
                progress=lambda now: progress(now, budget.spent if price else None),
            )  # fmt: skip
            with closing(outcomes):
                verdicts = self._record(outcomes, note_failure)
            cost = round(price.of(self._cache.paid(self.run.id)), 6) if price else None
            numbers: dict[str, Any] = {
                "offered": verdicts, "requests": tally.asked + tally.cached, "failed": tally.failed,
                "prompt_tokens": int(tally.tokens.prompt_tokens),
                "completion_tokens": int(tally.tokens.completion_tokens),
                "reported_model": ", ".join(sorted(tally.models)) or None,
                "dialect": ", ".join(sorted(self._teacher.dialect)) or None,
            }  # fmt: skip
            if cost is not None:
                numbers["cost_usd"] = cost
            whole = not (tally.failed or tally.stopped)
            (self._graph.finish if whole else self._graph.pause)(self.run, **numbers)
        write_record(folder, self.run, numbers)
        between = beside_people(self._graph, self.annotator)
        return Judged(verdicts, len(self._asked), tally, cost, between, folder)

    def _record(self, outcomes: Iterable[Outcome], note_failure: Callable[..., None]) -> int:
        """Record the verdict of each triple whose votes are all in; return how many have one."""
        votes: dict[str, list[int | None]] = defaultdict(list)
        waiting: list[Judgement] = []
        found = 0
        for outcome in outcomes:
            task = outcome.request.id.rpartition("-")[0]
            votes[task].append(self._teacher.value(outcome.reply) if outcome.reply else None)
            if not outcome.reply:
                note_failure(request=outcome.request.id, reason=outcome.failure)
            if len(votes[task]) < self._votes:
                continue
            usable = [one for one in votes.pop(task) if one is not None]
            if 2 * len(usable) > self._votes:
                waiting.append(Judgement(self._triples[task], self.annotator, consensus(usable)))
                found += 1
            if len(waiting) >= _WRITTEN_TOGETHER:
                self._graph.record_judgements(waiting, self.run)
                waiting = []
        self._graph.record_judgements(waiting, self.run)
        return found

    @cached_property
    def _triples(self) -> dict[str, Triple]:
        return {question.task: triple for triple, question in self._asked}

    def _request(self, triple: Triple, question: Question, vote: int) -> Request:
        """Return the request for one vote on a triple: each has a seed, and an order of the verdicts, of its own."""
        text = render(question, vote, chat=self._teacher.interface == "chat")
        temperature = 0.0 if self._votes == 1 else 1.0  # votes that are all alike would say nothing
        made = self._teacher.request(f"{question.task}-{vote}", text, 1, {"temperature": temperature, **_SETTINGS})
        body = {**made.body, "seed": self._seed + vote}
        if self._teacher.interface == "chat":
            body["response_format"] = FORMAT
        return replace(
            made, body=body, kind="verdicts", prompt=Prompt(text), event=triple.head, relation=triple.relation,
            number=vote,
        )  # fmt: skip


def _name(graph: KnowledgeGraph, wanted: str) -> str:
    """Return the name under which a model judges; no person's."""
    try:
        name = check_name(wanted)
    except InputError as error:
        raise InputError(f"{error}; say under which name the model judges: --annotator NAME") from None
    if name in graph.annotators() and name not in machines_among(graph):
        raise InputError(
            f"{name!r} has judged here, and nothing says that it is a machine; give the model a name of its own: "
            "--annotator NAME"
        )
    return name
