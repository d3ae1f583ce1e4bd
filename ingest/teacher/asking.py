"""Asking: many requests at once, each paid for once, retried within bounds, inside a budget.

    requests ──▶ cache? ──▶ budget ──▶ room in flight ──▶ teacher ──▶ cache ──▶ outcomes

Requests are taken one by one as room becomes free, and outcomes are handed on as they come, so memory does not grow
with the queue. A provider that is busy halves the number in flight; replies raise it again.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_random_exponential

from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Reply, Request, Usage
from ingest.teacher.money import Budget
from ingest.teacher.openai import NotUnderstoodError, Teacher
from kg.errors import KGError, MalformedReply, RefusedReply, TeacherError, TeacherUnavailable

_ATTEMPTS_UNAVAILABLE = 8
_ATTEMPTS_MALFORMED = 3
_LONGEST_WAIT_SECONDS = 60.0
_HOPELESS = 20  # failures in a row, at least as many as are in flight, after which a run is given up
_CUT_SECONDS = 1.0  # replies that were in flight together count as one reason to slow down


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: a reply, or the reason why there is none."""

    request: Request
    reply: Reply | None
    failure: str | None = None


@dataclass
class Tally:
    """Numbers of a run so far.

    Attributes:
        asked: requests answered by the teacher now.
        kept: requests answered from the cache.
        failed: requests that were given up.
        retries: attempts beyond the first of each request.
        missing: requests that were to be answered from the cache alone, and are not there.
        tokens: of all replies used, paid for now or before.
        priced: the same, each token by its share of the price.
        models: models as the server reported them.
        stopped: why no more were asked, if that was so.
        needed: smallest budget, in US dollars, with which the next request can be asked, if money was why.
    """

    asked: int = 0
    kept: int = 0
    failed: int = 0
    retries: int = 0
    missing: int = 0
    tokens: Usage = field(default_factory=Usage)
    priced: Usage = field(default_factory=Usage)
    models: set[str] = field(default_factory=set)
    stopped: str | None = None
    needed: float = 0.0

    def count(self, reply: Reply, *, asked: bool) -> None:
        """Count a reply."""
        self.asked += asked
        self.kept += not asked
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
    kept_only: bool = False,
    progress: Callable[[Tally], object] = lambda _: None,
) -> Generator[Outcome]:
    """Yield the outcome of each request, in the order in which they come.

    When the budget is spent, what is in flight is awaited, and of the rest only what is paid for already is yielded;
    `tally.stopped` says so.

    Args:
        teacher: whom to ask.
        requests: taken one by one as there is room.
        cache: where replies are kept.
        run: id of the run that pays.
        budget: what may be spent.
        tally: numbers, kept up to date.
        in_flight: most requests at once.
        kept_only: ask nothing; `tally.missing` counts what is not in the cache.
        progress: called after each outcome.

    Raises:
        TeacherError: key, model or account are at fault, or nothing but failures came back.
    """
    with asyncio.Runner() as runner:
        asker = _Asker(teacher, iter(requests), cache, run, budget, tally, in_flight, kept_only)
        runner.run(asker.open())
        try:
            while outcome := runner.run(asker.next()):
                progress(tally)
                yield outcome
        finally:
            runner.run(asker.close())


class _Flight:
    """How many requests may be in flight: halved when the provider is busy, raised a little by each reply."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._active = 0
        self._changed = asyncio.Condition()
        self._open_at = 0.0
        self._cut_at = 0.0

    async def enter(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._active < self._limit)
            self._active += 1
        while (wait := self._open_at - time.monotonic()) > 0:  # noqa: ASYNC110 - the end of a pause may move
            await asyncio.sleep(wait)

    async def leave(self) -> None:
        async with self._changed:
            self._active -= 1
            self._changed.notify(2)

    def rest(self, seconds: float | None) -> None:
        if seconds and seconds > 0:
            until = time.monotonic() + min(seconds, _LONGEST_WAIT_SECONDS)
            self._open_at = max(self._open_at, until)

    def slow_down(self) -> None:
        now = time.monotonic()
        if now - self._cut_at > _CUT_SECONDS:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)

    def speed_up(self) -> None:
        self._limit = min(float(self._most), self._limit + 1 / self._limit)


class _Asker:
    def __init__(
        self, teacher: Teacher, requests: Iterator[Request], cache: ReplyCache, run: str, budget: Budget,
        tally: Tally, in_flight: int, kept_only: bool,
    ) -> None:  # fmt: skip
        self._teacher, self._requests, self._cache, self._run = teacher, requests, cache, run
        self._budget, self._tally, self._in_flight = budget, tally, in_flight
        self._kept_only = kept_only
        self._in_a_row = 0
        self._asking: dict[str, asyncio.Lock] = {}
        self._error: BaseException | None = None

    async def open(self) -> None:
        self._flight = _Flight(self._in_flight)
        self._settled = asyncio.Condition()
        self._outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue(maxsize=self._in_flight)
        self._teacher.dialect = self._cache.dialect(self._teacher.server)
        await self._teacher.__aenter__()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._in_flight)]
        self._all = asyncio.create_task(self._finish())

    async def close(self) -> None:
        for task in (*self._workers, self._all):
            task.cancel()
        await asyncio.gather(*self._workers, self._all, return_exceptions=True)
        await self._teacher.__aexit__(None, None, None)

    async def next(self) -> Outcome | None:
        outcome = await self._outcomes.get()
        if self._error:
            raise self._error
        return outcome

    async def _finish(self) -> None:
        ended = await asyncio.gather(*self._workers, return_exceptions=True)
        faults = [error for error in ended if isinstance(error, Exception)]
        self._error = self._error or (faults[0] if faults else None)
        await self._outcomes.put(None)

    async def _work(self) -> None:
        try:
            for request in self._requests:
                if outcome := await self._outcome(request):
                    await self._outcomes.put(outcome)
        except Exception as error:
            self._error = self._error or error  # the first one counts; the others are called off
            for other in self._workers:
                if other is not asyncio.current_task():
                    other.cancel()
            raise

    async def _outcome(self, request: Request) -> Outcome | None:
        """Return the outcome of a request, or None if it is not asked because the budget is spent."""
        words: set[str] = set()  # in which the server may understand it, beside those that it is known to
        while True:
            if reply := self._cache.get(*self._teacher.forms(request)):
                self._tally.count(reply, asked=False)
                return Outcome(request, reply)
            if self._kept_only or self._tally.stopped:
                self._tally.missing += self._kept_only
                return None
            try:
                async with self._asking.setdefault(request.key, asyncio.Lock()):  # the same request is asked once
                    if self._cache.get(*self._teacher.forms(request)) is None:
                        outcome = await self._ask(self._teacher.speak(request, words))
                        if words and outcome and outcome.reply:
                            self._teacher.dialect |= words
                            self._cache.learn(self._teacher.server, words)
                        return outcome
            except NotUnderstoodError as error:
                words.add(error.word)
            finally:
                self._asking.pop(request.key, None)

    async def _ask(self, request: Request) -> Outcome | None:
        tally = self._tally
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(lambda error: isinstance(error, KGError) and error.retryable),
                stop=_given_up, wait=_wait, reraise=True,
            ):  # fmt: skip
                with attempt:
                    if not await self._held(request):
                        tally.stopped = (
                            f"the budget of ${self._budget.limit:g} is spent: ${self._budget.spent:,.4f} are, "
                            "and what is left is less than the next request may cost"
                        )
                        tally.needed = max(tally.needed, self._budget.needed(request))
                        return None
                    tally.retries += attempt.retry_state.attempt_number > 1
                    reply = await self._send(request)
        except (TeacherUnavailable, MalformedReply, RefusedReply) as error:
            tally.failed += 1
            self._in_a_row += 1
            if self._in_a_row >= max(_HOPELESS, self._in_flight):
                raise TeacherError(f"{self._in_a_row} requests in a row failed; the last: {error}") from error
            return Outcome(request, None, str(error))
        self._in_a_row = 0
        tally.count(reply, asked=True)
        return Outcome(request, reply)

    async def _held(self, request: Request) -> bool:
        """Hold back what a request may cost, as soon as what is in flight leaves room; False if it never will."""
        async with self._settled:
            while not self._budget.hold(request):
                if not self._budget.holding:
                    return False
                await self._settled.wait()
        return True

    async def _send(self, request: Request) -> Reply:
        usage, lost = Usage(), None
        await self._flight.enter()
        flight: int | None = self._cache.send(request, self._run)
        try:
            reply = _reckoned(await self._teacher.ask(request), request)
            usage = reply.usage
            self._cache.put(request, reply, self._run)  # before anything else is done with it
            self._flight.speed_up()
            self._flight.rest(reply.wait_seconds)
        except (MalformedReply, RefusedReply) as error:
            usage, lost = Usage(*error.tokens), str(error)
            if isinstance(error, MalformedReply) and usage == Usage():
                usage = request.assumed_usage
            raise
        except TeacherUnavailable as error:
            if error.billed:
                usage, lost = request.assumed_usage, str(error)
            if error.busy:
                self._flight.slow_down()
            self._flight.rest(error.wait_seconds)
            raise
        except asyncio.CancelledError:
            flight = None  # it may be answered, and paid for, when nobody listens any more
            raise
        else:
            return reply
        finally:
            if flight is not None:
                self._cache.land(flight)
            if lost is not None and usage != Usage():
                self._cache.lose(request, lost, usage, self._run)
            async with self._settled:
                self._budget.settle(request, usage)
                self._settled.notify_all()
            await self._flight.leave()


def _reckoned(reply: Reply, request: Request) -> Reply:
    """Return a reply with what it is taken to have cost, where the server does not say."""
    return reply if reply.usage != Usage() else replace(reply, usage=request.assumed_usage)


_backoff = wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS)


def _wait(state: RetryCallState) -> float:
    """Return how long one request waits; a pause that the provider asks for holds for all of them (`_Flight.rest`)."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_seconds if isinstance(error, TeacherUnavailable) else None
    return 0.0 if asked and asked > 0 else float(_backoff(state))


def _given_up(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    most = _ATTEMPTS_MALFORMED if isinstance(error, MalformedReply) else _ATTEMPTS_UNAVAILABLE
    return state.attempt_number >= most
