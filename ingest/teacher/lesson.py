"""A lesson: a plan with its teacher, its prompts and the cache of replies, opened together and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from more_itertools import chunked

from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Interface, Prompt, Reply, Request, Teacher
from ingest.teacher.money import FREE, Price, price_of
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.plan import Plan, save_plan
from ingest.teacher.prompts import Prompts
from kg.identity import phrase_id, unordered_hash
from kg.language_model.opening import origin_of_model
from kg.language_model.terms import derived_field
from kg.run import Run
from kg.wide import Spread, here
from kg.workspace import Workspace

_ALIKE = 64  # events about which a local teacher is asked for one relation, before it is for the next


class Lesson:
    """A plan that is open. Use `Lesson.open`.

    Attributes:
        plan: what is asked.
        teacher: who is asked.
        prompts: in which words.
        cache: where replies are kept.
        run: the run that asserts the events or inferences of the plan; its id follows from all that determines the
            requests.
        workspace: where the run's folder is.
    """

    def __init__(self, workspace: Workspace, plan: Plan, teacher: Teacher, cache: ReplyCache) -> None:
        self.workspace = workspace
        self.plan = plan
        self.teacher = teacher
        self.cache = cache
        self.prompts = Prompts(plan.prompts, frozen=plan.frozen, lang=plan.lang)
        self.run = self._run()

    @classmethod
    @contextmanager
    def open(
        cls,
        workspace: Workspace,
        plan: Plan,
        *,
        timeout_seconds: float = 120,
        in_flight: int = 64,
        spread: Spread = here,
    ) -> Iterator["Lesson"]:
        """Yield a plan with its teacher, its prompts and the cache opened; nothing is sent yet.

        Args:
            workspace: where replies are kept.
            plan: what is asked.
            timeout_seconds: of one request.
            in_flight: most requests at once.
            spread: what writes for a local teacher.

        Raises:
            TeacherError: the teacher's address or key is wrong.
            InputError: the prompts are not as described.
        """
        teacher = teacher_of(
            plan.model, plan.interface, plan.base_url, seed=plan.seed, older=plan.older,
            timeout_seconds=timeout_seconds, in_flight=in_flight, spread=spread,
        )  # fmt: skip
        with ReplyCache.open(workspace.folder("replies")) as cache:
            teacher.dialect = cache.dialect(teacher.server)
            yield cls(workspace, plan, teacher, cache)

    def save(self) -> None:
        """Keep the plan in the folder of its run, with all files of prompts that it needs."""
        folder = self.workspace.folder("runs", self.run.id)
        save_plan(self.plan, folder, self.prompts.files(self.plan.names))

    def price(self, *, batch: bool = False) -> Price | None:
        """Return the price of the model, `FREE` for a local teacher, or None if it is not known.

        Args:
            batch: whether by the batch interface.

        Raises:
            InputError: the price file is not as described.
        """
        if self.plan.interface == "local":
            return FREE
        return price_of(self.plan.model, self.workspace.root, batch=batch)

    def requests(self) -> Iterator[Request]:
        """Yield the requests for inferences, event by event; for a local teacher a relation of many events at once."""
        for some in chunked(self.plan.texts, _ALIKE if self.plan.alike else 1):
            for relation in self.plan.relations:
                for event in some:
                    yield self.inference_request(event, relation.name)

    def inference_request(self, event: str, relation: str) -> Request:
        """Return the request for the inferences of one event and relation."""
        prompt = self.prompts.for_inferences(event, relation, alike=self.plan.alike)
        name = f"{phrase_id(event, self.plan.lang)}-{relation}"
        return replace(self._request(name, prompt), event=event, relation=relation)

    def event_request(self, number: int) -> Request:
        """Return the `number`-th request for more events, from 0."""
        prompt = self.prompts.for_events(self.plan.texts, number, self.plan.seed)
        return replace(self._request(f"event-{number}", prompt), number=number)

    def first_requests(self) -> Iterator[Request]:
        """Yield the first request of each prompt, in the wording in which it is sent."""
        first = (
            [self.event_request(0)]
            if self.plan.kind == "events"
            else [self.inference_request(self.plan.texts[0], name) for name in self.plan.names]
        )
        yield from map(self.teacher.reword, first)

    def find(self, request: Request) -> tuple[Request, Reply] | None:
        """Return the reply to a request, with the wording that it answers; None if none was paid for."""
        for worded in self.teacher.wordings(request):
            if reply := self.cache.get(worded):
                return worded, reply
        return None

    def _request(self, name: str, prompt: Prompt) -> Request:
        """Return the request for texts that go on from a prompt, put as the teacher's interface wants it."""
        plan, settings = self.plan, self.prompts.settings(self.plan.kind)
        text = self.prompts.for_chat(prompt.text, plan.samples) if plan.interface == "chat" else prompt.text
        return replace(self.teacher.request(name, text, plan.samples, settings), kind=plan.kind, prompt=prompt)

    def _run(self) -> Run:
        plan, prompts = self.plan, self.prompts
        parameters: dict[str, Any] = {
            "server": self.teacher.server, "interface": plan.interface, "lang": plan.lang, "samples": plan.samples,
            "seed": plan.seed, "count": plan.count, "relations": sorted(plan.names),
            "prompts": {name: prompts.digest(name) for name in plan.names}, "settings": prompts.settings(plan.kind),
            "texts": unordered_hash(plan.texts), "number": len(plan.texts),
        }  # fmt: skip
        if plan.alike:
            parameters |= {"alike": True, **derived_field(origin_of_model(plan.model))}
        return Run(plan.kind, model=plan.model, parameters=parameters)


def teacher_of(
    model: str,
    interface: Interface,
    base_url: str | None,
    *,
    seed: int = 0,
    older: bool = False,
    timeout_seconds: float = 120,
    in_flight: int = 64,
    spread: Spread = here,
) -> Teacher:
    """Return the teacher that goes by a model's name, an interface and an address; nothing is sent yet.

    Args:
        model: its name at the provider; of a local teacher a folder, a hub's name, or `gemma`.
        interface: completions, chat or local.
        base_url: of the provider; None takes `OPENAI_BASE_URL`, else OpenAI's own.
        seed: of a local teacher.
        older: whether a local teacher is known as version 0.1.0 knew it.
        timeout_seconds: of one request.
        in_flight: most connections.
        spread: what writes for a local teacher.

    Raises:
        TeacherError: the teacher's address or key is wrong.
    """
    if interface == "local":
        from ingest.teacher.local import LocalTeacher  # noqa: PLC0415 - imports torch

        return LocalTeacher(model, seed=seed, older=older, spread=spread)
    return OpenAITeacher(model, interface, base_url=base_url, timeout_seconds=timeout_seconds, in_flight=in_flight)
