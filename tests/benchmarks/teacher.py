"""Asking a provider that takes a second for each reply, beside the SDK as it comes with `asyncio.gather`.

    python tests/benchmarks/teacher.py [--requests N] [--queue N]

The provider is a process of its own on loopback. Printed: the share of the ideal rate (requests in flight for each
second of a reply), CPU seconds for 1,000 requests of this process, failures; and the memory for a long queue.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openai

from ingest.teacher.asking import Tally, ask_all
from ingest.teacher.cache import ReplyCache
from ingest.teacher.messages import Usage
from ingest.teacher.money import Budget, Price
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.prompts import Prompts

SECONDS = 1.0
COUNT = 5


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=20, help="times the number in flight")
    parser.add_argument("--queue", type=int, default=100_000)
    options = parser.parse_args()
    for in_flight in (64, 256):
        number = options.requests * in_flight
        with_provider(
            SECONDS, lambda url, n=number, f=in_flight: show(f"ours, {f} in flight", n, f, lambda: ours(url, n, f))
        )
        with_provider(
            SECONDS, lambda url, n=number, f=in_flight: show(f"SDK, {f} in flight", n, f, lambda: sdk(url, n, f))
        )
    before = peak()
    with_provider(0.0, lambda url: show("a long queue", options.queue, 0, lambda: ours(url, options.queue, 64)))
    print(f"peak memory: {before:,.0f} MB before, {peak():,.0f} MB after a queue of {options.queue:,} prompts")


def with_provider(seconds: float, work: Callable[[str], None]) -> None:
    """Run something beside a fresh provider."""
    command = [sys.executable, "tests/teacher/provider.py", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        work(process.stdout.readline().strip())
        process.stdin.close()


def show(name: str, number: int, in_flight: int, work: Callable[[], int]) -> None:
    wall, cpu = time.monotonic(), time.process_time()
    failed = work()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    share = f"{number / wall / (in_flight / SECONDS):.1%} of the ideal rate, " if in_flight else ""
    print(
        f"{name}: {number / wall:,.0f} requests/s, {share}{1000 * cpu / number:.2f} CPU-s for 1,000, {failed} failed",
        flush=True,
    )


def ours(url: str, number: int, in_flight: int) -> int:
    """Ask through `ask_all`, with cache and budget."""
    teacher = OpenAITeacher("m", "chat", base_url=url, in_flight=in_flight)
    prompts = Prompts("paper")
    settings = prompts.settings("inferences")
    text = prompts.for_chat(prompts.for_inferences("PersonX naps", "xWant").text, COUNT)
    requests = (teacher.request(str(place), f"{text} {place}", COUNT, settings) for place in range(number))
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, ReplyCache.open(Path(folder)) as cache:
        budget = Budget(1e6, Price(1, 1, "a benchmark"), Usage())
        outcomes = ask_all(teacher, requests, cache, "run", budget, tally=tally, in_flight=in_flight)
        assert sum(1 for _ in outcomes) == number
    return tally.failed


def sdk(url: str, number: int, in_flight: int) -> int:
    """Ask with the SDK's defaults, a semaphore and `asyncio.gather`."""
    prompts = Prompts("paper")
    text = prompts.for_chat(prompts.for_inferences("PersonX naps", "xWant").text, COUNT)

    async def run() -> int:
        client = openai.AsyncOpenAI(api_key="none", base_url=url)
        room = asyncio.Semaphore(in_flight)

        async def ask(place: int) -> str | None:
            async with room:
                messages = [{"role": "user", "content": f"{text} {place}"}]
                reply = await client.chat.completions.create(model="m", messages=messages, max_tokens=632)
                return reply.choices[0].message.content

        replies = await asyncio.gather(*(ask(place) for place in range(number)), return_exceptions=True)
        await client.close()
        return sum(isinstance(reply, BaseException) for reply in replies)

    return asyncio.run(run())


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
