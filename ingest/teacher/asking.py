"""Asking: many requests at once, each paid for once, retried within bounds, inside a budget.

    requests ──▶ cache? ──▶ budget ──▶ room in flight ──▶ teacher ──▶ cache ──▶ outcomes

Requests are taken one by one as room becomes free, and outcomes are handed on as they come, so memory does not grow
with the queue. A provider that is busy halves the number in flight; replies raise it again.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_random_exponential

from ingest.teacher.cache import ReplyCache
from ingest.teacher.dialect import trials
from ingest.teacher.messages import NotUnderstoodError, Reply, Request, Teacher, Usage
from ingest.teacher.money import Budget
from kg.errors import KGError, MalformedReply, RefusedReply, TeacherError, TeacherUnavailable
from kg.interrupts import put_off

_T = TypeVar("_T")
_ATTEMPTS_UNAVAILABLE = 8
_ATTEMPTS_MALFORMED = 3
_LONGEST_WAIT_SECONDS = 60.0
_HOPELESS = 20  # failures in a row, at least as many as are in flight, after which a run is given up
_CUT_SECONDS = 1.0  # replies that were in flight together count as one reason to slow down


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a request: a reply, or the reason why there is none."""

    request: Request
    reply: Reply | None
    failure: str | None = None


@dataclass
class Tally:
    """Numbers of a run so far.

    Attributes:
        asked: requests answered by the teacher now.
        cached: requests answered from the cache.
        failed: requests that were given up.
        retries: attempts beyond the first of each request.
        missing: requests that were to be answered from the cache alone, and are not there.
        tokens: of all replies used, paid for now or before.
        priced: the same, each token by its share of the price.
        models: models as the server reported them.
        stopped: the reason why no more requests were asked, if there is one.
        unsure: attempts that brought no usable reply now and may have been paid for.
        needed: smallest budget, in US dollars, with which the next request can be asked, if money was the reason.
    """

    asked: int = 0
    cached: int = 0
    failed: int = 0
    retries: int = 0
    missing: int = 0
    tokens: Usage = field(default_factory=Usage)
    priced: Usage = field(default_factory=Usage)
    models: set[str] = field(default_factory=set)
    stopped: str | None = None
    unsure: int = 0
    needed: float = 0.0

    def count(self, reply: Reply, *, asked: bool) -> None:
        """Count a reply."""
        self.asked += asked
        self.cached += not asked
        self.tokens = self.tokens.plus(reply.usage)
        self.priced = self.priced.plus(reply.usage, reply.share)
        if reply.model:
            self.models.add(reply.model)


def ask_all(
    teacher: Teacher,
    requests: Iterable[Request],
    cache: ReplyCache,
    run: str,
    budget: Budget,
    *,
    tally: Tally,
    in_flight: int = 64,
    cached_only: bool = False,
    progress: Callable[[Tally], object] = lambda _: None,
) -> Generator[Outcome]:
    """Yield the outcome of each request, in the order in which they come.

    When the budget is spent, requests in flight are awaited, and of the rest only those already paid for are yielded;
    `tally.stopped` says so.

    Args:
        teacher: whom to ask.
        requests: taken one by one as there is room.
        cache: where replies are kept.
        run: id of the run that pays.
        budget: what may be spent.
        tally: numbers, kept up to date.
        in_flight: most requests at once.
        cached_only: ask nothing; `tally.missing` counts the requests without a reply in the cache.
        progress: called after each outcome.

    Raises:
        TeacherError: key, model or account are at fault, or nothing but failures came back.
    """
    with _loop() as loop:
        asker = _Asker(teacher, iter(requests), cache, run, budget, tally, in_flight, cached_only)
        try:
            _run(loop, asker.open())
            while outcome := _run(loop, asker.next()):
                progress(tally)
                yield outcome
        finally:
            with put_off():
                loop.run_until_complete(asker.close())


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Open an event loop, which is closed whole even where an interrupt comes."""
    runner = asyncio.Runner()
    try:
        yield runner.get_loop()
    finally:
        with put_off():
            runner.close()


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T]) -> _T:
    """Run some work; an interrupt cancels it, and is raised here, where no task has half made a step.

    `asyncio.run` would raise it within any task that makes a step after the work is done, and the loop is lost then.
    """
    task = loop.create_task(work)
    with put_off(partial(loop.call_soon_threadsafe, task.cancel)):
        return loop.run_until_complete(task)


class _Pace:
    """How many requests may be in flight: halved when the provider is busy, raised a little by each reply."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._room = anyio.CapacityLimiter(most)
        self._open_at = 0.0
        self._cut_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for room in flight, and for the end of a pause."""
        async with self._room:
            while (wait := self._open_at - time.monotonic()) > 0:  # noqa: ASYNC110 - the end of a pause may move
                await anyio.sleep(wait)
            yield

    def pause(self, seconds: float | None) -> None:
        if seconds and seconds > 0:
            until = time.monotonic() + min(seconds, _LONGEST_WAIT_SECONDS)
            self._open_at = max(self._open_at, until)

    def slow_down(self) -> None:
        now = time.monotonic()
        if now - self._cut_at > _CUT_SECONDS:
            self._cut_at = now
            self._set(max(1.0, self._limit / 2))

    def speed_up(self) -> None:
        self._set(min(float(self._most), self._limit + 1 / self._limit))

    def _set(self, limit: float) -> None:
        self._limit = limit
        if self._room.total_tokens != (tokens := math.ceil(limit)):
            self._room.total_tokens = tokens


class _Asker:
    """Workers that share the requests; each asks for one at a time, and hands its outcome on."""

    def __init__(
        self, teacher: Teacher, requests: Iterator[Request], cache: ReplyCache, run: str, budget: Budget,
        tally: Tally, in_flight: int, cached_only: bool,
    ) -> None:  # fmt: skip
        self._teacher, self._requests, self._cache, self._run = teacher, requests, cache, run
        self._budget, self._tally, self._in_flight = budget, tally, in_flight
        self._cached_only = cached_only
        self._in_a_row = 0
        self._asking: dict[str, asyncio.Lock] = {}
        self._opened = AsyncExitStack()
        self._all: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._pace = _Pace(self._in_flight)
        self._settled = asyncio.Condition()
        self._trying = asyncio.Lock()
        self._inlet, self._outcomes = anyio.create_memory_object_stream[Outcome](self._in_flight)
        for stream in (self._inlet, self._outcomes):
            self._opened.callback(stream.close)
        await self._opened.enter_async_context(self._teacher)
        self._all = asyncio.create_task(self._work_all())

    async def next(self) -> Outcome | None:
        try:
            return await self._outcomes.receive()
        except anyio.EndOfStream:
            if self._all:
                await self._all
            return None

    async def close(self) -> None:
        if self._all:
            self._all.cancel()
            await asyncio.gather(self._all, return_exceptions=True)
        await self._opened.aclose()

    async def _work_all(self) -> None:
        try:
            async with self._inlet, anyio.create_task_group() as workers:
                for _ in range(self._in_flight):
                    workers.start_soon(self._work)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first one called the other workers off

    async def _work(self) -> None:
        for request in self._requests:
            if outcome := await self._outcome(request):
                await self._inlet.send(outcome)

    async def _outcome(self, request: Request) -> Outcome | None:
        """Return the outcome of a request, or None if it is not asked because the budget is spent."""
        words: frozenset[str] = frozenset()  # in which the server may understand it, beside those learnt
        while True:
            if reply := self._cached(request):
                return Outcome(request, reply)
            if self._cached_only or self._tally.stopped:
                self._tally.missing += self._cached_only
                return None
            known = frozenset(self._teacher.dialect)
            try:
                async with self._asking.setdefault(request.key, asyncio.Lock()):  # the same request is asked once
                    if self._cache.get(*self._teacher.wordings(request)) is None:
                        return await self._ask_in(request, words)
            except NotUnderstoodError as error:
                if not error.named:
                    return await self._try_words(request, words, error, known)
                words |= {error.words[0]}
            finally:
                self._asking.pop(request.key, None)

    def _cached(self, request: Request) -> Reply | None:
        if reply := self._cache.get(*self._teacher.wordings(request)):
            self._tally.count(reply, asked=False)
        return reply

    async def _ask_in(self, request: Request, words: frozenset[str]) -> Outcome | None:
        """Return the outcome of a request in further words of the dialect; learn them if a reply comes."""
        outcome = await self._ask(self._teacher.reword(request, words))
        if words and outcome and outcome.reply:
            self._teacher.dialect |= words
            self._cache.learn(self._teacher.server, words)
        return outcome

    async def _try_words(
        self, request: Request, words: frozenset[str], refusal: NotUnderstoodError, known: frozenset[str]
    ) -> Outcome | None:
        """Return the outcome of a request whose refusal names no parameter: further words are tried, fewest first.

        Args:
            request: as first made.
            words: in which it was refused, beside the known ones.
            refusal: of the request in these words.
            known: the dialect by then.
        """
        async with self._trying:  # one request tries; the others find what it learnt
            learnt = [frozenset[str]()] if self._teacher.dialect != known else []
            for more in (*learnt, *trials(refusal.words)):
                if reply := self._cached(request):
                    return Outcome(request, reply)
                try:
                    return await self._ask_in(request, words | more)
                except NotUnderstoodError as error:
                    refusal = error
        return self._failed(request, str(refusal))

    async def _ask(self, request: Request) -> Outcome | None:
        tally = self._tally
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(lambda error: isinstance(error, KGError) and error.retryable),
                stop=_given_up, wait=_wait, reraise=True,
            ):  # fmt: skip
                with attempt:
                    if not await self._reserved(request):
                        tally.stopped = (
                            f"the budget of ${self._budget.limit:g} is spent: ${self._budget.spent:,.4f} are, "
                            "and what is left is less than the next request may cost"
                        )
                        tally.needed = max(tally.needed, self._budget.needed(request))
                        return None
                    tally.retries += attempt.retry_state.attempt_number > 1
                    reply = await self._attempt(request)
        except (TeacherUnavailable, MalformedReply, RefusedReply) as error:
            return self._failed(request, str(error))
        self._in_a_row = 0
        tally.count(reply, asked=True)
        return Outcome(request, reply)

    def _failed(self, request: Request, reason: str) -> Outcome:
        self._tally.failed += 1
        self._in_a_row += 1
        if self._in_a_row >= max(_HOPELESS, self._in_flight):
            raise TeacherError(f"{self._in_a_row} requests in a row failed; the last: {reason}")
        return Outcome(request, None, reason)

    async def _reserved(self, request: Request) -> bool:
        """Reserve what a request may cost, as soon as what is in flight leaves room; False if it never will."""
        async with self._settled:
            while not self._budget.reserve(request):
                if not self._budget.reservations:
                    return False
                await self._settled.wait()
        return True

    async def _attempt(self, request: Request) -> Reply:
        """Send a request once; what it cost, or may have cost, is noted whatever comes of it."""
        usage = Usage()
        try:
            async with self._pace.turn():
                sent = self._cache.note_sent(request, self._run)  # an interrupt, or a full disk, leaves this note
                try:
                    reply = _reckoned(await self._teacher.ask(request), request)
                except (KGError, NotUnderstoodError) as error:
                    usage = self._lost(request, error)
                    self._cache.note_settled(sent)
                    raise
                self._cache.put(request, reply, self._run)  # before anything else is done with it
                self._cache.note_settled(sent)
                usage = reply.usage
                self._pace.speed_up()
                self._pace.pause(reply.wait_seconds)
                return reply
        finally:
            async with self._settled:
                self._budget.settle(request, usage)
                self._settled.notify_all()

    def _lost(self, request: Request, error: Exception) -> Usage:
        """Return what a request without a usable reply cost, or may have cost, and note that."""
        usage, certain = Usage(), True
        if isinstance(error, MalformedReply | RefusedReply):
            usage = Usage(*error.tokens)
        if isinstance(error, TeacherUnavailable):
            if error.busy:
                self._pace.slow_down()
            self._pace.pause(error.wait_seconds)
        nobody_knows = isinstance(error, MalformedReply) and usage == Usage()
        if nobody_knows or (isinstance(error, TeacherUnavailable) and error.billed):
            usage, certain = request.assumed_usage, False
        if usage != Usage():
            self._cache.note_loss(request, str(error), usage, self._run, certain=certain)
            self._tally.unsure += not certain
        return usage


def _reckoned(reply: Reply, request: Request) -> Reply:
    """Return a reply with the tokens that it is taken to have cost, where the server does not say."""
    return reply if reply.usage != Usage() else replace(reply, usage=request.assumed_usage)


_backoff = wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS)


def _wait(state: RetryCallState) -> float:
    """Return how long one request waits; a pause that the provider asks for holds for all of them (`_Pace.pause`)."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_seconds if isinstance(error, TeacherUnavailable) else None
    return 0.0 if asked and asked > 0 else float(_backoff(state))


def _given_up(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    most = _ATTEMPTS_MALFORMED if isinstance(error, MalformedReply) else _ATTEMPTS_UNAVAILABLE
    return state.attempt_number >= most
