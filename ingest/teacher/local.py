"""A teacher in this process: a causal language model that goes on from few-shot prompts, with log-probabilities.

Requests that wait at the same moment are written together (`ingest.teacher.few_shot`). What each of them gets follows
from its seed and its prompt alone. Presence and frequency penalties are left out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ingest.teacher.messages import Interface, Reply, Request, Usage
from kg import strict_json
from kg.errors import InputError, KGError, RefusedReply, TeacherError
from kg.language_model.opening import DEFAULT, fingerprint
from kg.language_model.packaged import packaged_model
from kg.lines import file_hash
from kg.wide import Spread, here

if TYPE_CHECKING:
    from ingest.teacher.few_shot import FewShotWriter

_BATCH_SEQUENCES = 128  # written together: with 64 a tail takes a tenth more time, with more replies come late
_PAUSE_SECONDS = 0.01  # in which no further request came: those that wait are written


def make_ready(model: str) -> None:
    """Convert the model that comes with pip where that has to be done: before a run begins, so that it can be seen.

    Args:
        model: any; of another one there is nothing to do.

    Raises:
        NotReady: its package is not installed.
        InputError: it cannot be converted.
    """
    if model == DEFAULT:
        packaged_model()


class LocalTeacher:
    """A model of this machine, of the Hugging Face hub, or the one that comes with pip."""

    def __init__(self, model: str, *, seed: int = 0, older: bool = False, spread: Spread = here) -> None:
        """Describe the teacher; nothing is loaded yet.

        Args:
            model: a folder, a name on the hub, or `kg.language_model.opening.DEFAULT`.
            seed: of the sampling.
            older: whether the model is known as version 0.1.0 knew it, under whose name its replies are kept.
            spread: what writes the replies.
        """
        self.model = model
        self.interface: Interface = "local"
        self.dialect: set[str] = set()
        self.server = f"local:{_older_fingerprint(model) if older else fingerprint(model)}"
        self._seed = seed
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._spread = spread

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs: it opens the model itself, and nobody waits for its replies there."""
        left = {name: value for name, value in self.__dict__.items() if name != "_writer"}
        return left | {"_spread": here, "_waiting": [], "_running": None}

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True  # ends the writing, which no task can be torn from
        if self._running:
            self._running.cancel()
            self._running = None
        self._waiting.clear()

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text.

        Raises:
            InputError: a setting cannot be followed.
        """
        chosen = {key: settings[key] for key in ("temperature", "top_p", "max_tokens", "stop") if key in settings}
        if chosen.get("temperature", 0) < 0:
            raise InputError(f"a local teacher draws at a temperature of 0 or more, not {chosen['temperature']}")
        if not 0 <= chosen.get("top_p", 1) <= 1:
            raise InputError(f"top_p of a local teacher is from 0 to 1, not {chosen['top_p']}")
        return Request(name, self.server, {"prompt": text, "n": count, "seed": self._seed, **chosen}, count)

    def reword(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:  # noqa: ARG002 - no dialect
        """Return the request as it is."""
        return request

    def wordings(self, request: Request) -> list[Request]:
        """Return the request as it is."""
        return [request]

    async def ask(self, request: Request) -> Reply:
        """Return the reply, written together with the other requests that wait.

        Raises:
            TeacherError: the model cannot be loaded.
            NotReady: the model that comes with pip is not installed.
            RefusedReply: the prompt is too long, or nothing was written.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            number = 0
            while number != len(self._waiting):  # let the others queue up
                number = len(self._waiting)
                await asyncio.sleep(_PAUSE_SECONDS)
            batches = [self._next_batch()]
            while self._waiting and self._spread is not here:  # this process has one batch in hand, workers have all
                batches.append(self._next_batch())
            batch = [one for some in batches for one in some]
            try:
                replies = await asyncio.to_thread(
                    self._write_all, [[request for request, _ in some] for some in batches]
                )
            except Exception as error:  # noqa: BLE001 - whoever waits has to hear of it
                fault = error if isinstance(error, KGError) else TeacherError(f"{self.model} failed: {error}")
                replies = [fault] * len(batch)
            for (_, future), reply in zip(batch, replies, strict=True):
                if future.done():
                    continue
                if isinstance(reply, Reply):
                    future.set_result(reply)
                else:
                    future.set_exception(reply)

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Reply]]]:
        """Take the requests that are like the first one that waits, as many as are written together."""
        first = self._waiting[0][0]
        alike = [one for one in self._waiting if _likeness(one[0]) == _likeness(first)]
        batch = alike[: max(1, _BATCH_SEQUENCES // first.count)]
        taken = {id(future) for _, future in batch}
        self._waiting = [one for one in self._waiting if id(one[1]) not in taken]
        return batch

    @cached_property
    def _writer(self) -> "FewShotWriter":
        from ingest.teacher.few_shot import FewShotWriter  # noqa: PLC0415 - imports torch

        return FewShotWriter(self.model, check=self._check)

    def _check(self) -> None:
        if self._closed:
            raise TeacherError(f"{self.model} was called off")

    def _write_all(self, batches: Sequence[Sequence[Request]]) -> list[Reply | KGError]:
        return list(chain(*self._spread(batches, self._write)))

    def _write(self, requests: Sequence[Request]) -> list[Reply | KGError]:
        """Return the replies to requests that are alike, or why there is none."""
        from ingest.teacher.few_shot import Settings  # noqa: PLC0415 - imports torch

        body = requests[0].body
        found = self._writer.write(
            [request.body["prompt"] for request in requests], requests[0].count, Settings.of(body),
            kind=requests[0].relation, seed=body["seed"],
        )  # fmt: skip
        replies: list[Reply | KGError] = []
        for written in found:
            if isinstance(written, RefusedReply):
                replies.append(written)
                continue
            usage = Usage(written.prompt_tokens, written.completion_tokens)
            if any(one.text.strip() for one in written.completions):
                raw = strict_json.write({"model": self.model, "choices": written.completions})
                replies.append(Reply(written.completions, raw, self.model, usage))
            else:
                refusal = RefusedReply(f"{self.model} wrote nothing, thinking set aside")
                refusal.tokens = (usage.prompt_tokens, usage.completion_tokens)
                replies.append(refusal)
        return replies


def _older_fingerprint(model: str) -> str:
    """Return what version 0.1.0 knew a model by: the sum of its weights, or its name."""
    weights = Path(model, "model.safetensors")
    return file_hash(weights) if weights.is_file() else model


def _likeness(request: Request) -> tuple[str, str]:
    """Return what requests have in common that can be written together: relation, and all but the prompt."""
    return request.relation, strict_json.write({**request.body, "prompt": ""}, sort_keys=True)
