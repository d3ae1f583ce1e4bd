"""The loop at a hundred million and a billion edges, on paper: bytes, hours, money, and what breaks first.

    python -m tests.benchmarks.paper [--edges N …] [--workers 64] [--memory-gb 64] [--usd-per-cpu-hour 0.05] …

Nothing is measured here. The rates are those of `rates.tsv`, each with what measured it and where. A rate of the graph
falls as the graph grows: rate(n) = rate(m) * (n / m) ** -a, m being the largest size measured. The exponent a is fitted
where two sizes were measured; a step with one size takes the mean of the fitted ones, and the least and the greatest
give its range. The rate is that at the full size, so hours are rather too many than too few. A rate of a model does
not fall; where it was measured several times, the least and the greatest give the range.

What is wide is divided by the workers; what Neo4j does is not, since one process writes, nor is a student's training.
Where the store outgrows the page cache, the rates of the graph fall once more, by what was measured with a page cache
of an eighth of the store.
"""

import argparse
import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

RATES = Path(__file__).with_name("rates.tsv")

# Per edge of ATOMIC-10X's shape, as `tests.benchmarks.graph` makes them.
PHRASES = 0.62  # distinct phrases
STORE_BYTES = 290  # of Neo4j's store, texts and indexes included; at 650,000 edges, 277 at 6.5 million
SNAPSHOT_BYTES = 52  # at 65,000 edges
VECTOR_BYTES = 2_090  # of a kept embedding of 384 numbers, its text included; 17,323 of `make distill`
PREDICTED = 0.09  # tails for the test events: a tenth of the events (39 edges each), 7 relations, 5 tails
TRAIN_TRIPLES = 1_000_000  # chosen by Cypher: one process trains
REPLY_BYTES = 300  # of a tail in the cache of replies, about

SIZES = (100_000_000, 1_000_000_000)
WORKERS, MEMORY_GB, TOKENS = 64, 64.0, 80.0

WIDE = {
    "teacher": (1.0, REPLY_BYTES), "embed": (PHRASES, VECTOR_BYTES), "score, full": (1.0, 0), "score, fast": (1.0, 0),
    "predict": (PREDICTED, 0),
}  # fmt: skip
"""Step to how many there are of it for each edge, and how many bytes each leaves; workers divide the work."""

GRAPH = {
    "load": (1.0, STORE_BYTES), "write scores": (1.0, 0), "export": (1.0, 0), "undo": (1.0, 0),
    "snapshot": (1.0, SNAPSHOT_BYTES), "bulk import": (1.0, STORE_BYTES),
}  # fmt: skip
"""The same of what Neo4j does, with one writer."""


class Prices(NamedTuple):
    """What things cost, in US dollars. The defaults are round numbers to reckon with, and no claims about anybody."""

    cpu_hour: float = 0.05
    gb_month: float = 0.1
    million_tokens: float = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """A rate: of a step at a number of edges (0 where that plays no part), a second, on so many processors."""

    step: str
    edges: int
    rate: float
    processors: int
    grows: bool


class Rate(NamedTuple):
    """A rate a second, and the least and greatest that it may be."""

    middle: float
    least: float
    greatest: float


class Cost(NamedTuple):
    """What a step costs: hours of the clock, the range of these, processor-hours, bytes that it leaves, US dollars."""

    step: str
    hours: float
    fewest: float
    most: float
    cpu_hours: float
    bytes_left: float
    usd: float


def read_rates(path: Path = RATES) -> list[Measured]:
    """Return the rates of a table."""
    with path.open(encoding="utf-8") as lines:
        return [
            Measured(row["step"], int(row["edges"]), float(row["rate"]), int(row["processors"]), row["grows"] == "yes")
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """Return a of rate = c * edges ** -a by least squares of the logarithms; points have two sizes or more.

    >>> round(exponent([(1_000, 50.0), (10_000, 25.0), (100_000, 12.5)]), 3)
    0.301
    """
    sizes, rates = zip(*[(math.log(edges), math.log(rate)) for edges, rate in points], strict=True)
    size, rate = sum(sizes) / len(sizes), sum(rates) / len(rates)
    above = sum((one - size) * (other - rate) for one, other in zip(sizes, rates, strict=True))
    return -above / sum((one - size) ** 2 for one in sizes)


def exponents(rates: Sequence[Measured]) -> dict[str, float]:
    """Return the exponent of each step of the graph that was measured at two sizes or more."""
    by_step: dict[str, list[tuple[float, float]]] = {}
    for one in rates:
        if one.grows:
            by_step.setdefault(one.step, []).append((one.edges, one.rate))
    return {step: exponent(points) for step, points in by_step.items() if len({size for size, _ in points}) > 1}


def rate_of(step: str, edges: int, rates: Sequence[Measured]) -> Rate:
    """Return the rate of a step at a number of edges."""
    mine = [one for one in rates if one.step == step]
    if not mine[0].grows:
        return Rate(mine[0].rate, min(one.rate for one in mine), max(one.rate for one in mine))
    last = max(mine, key=lambda one: one.edges)
    fitted = exponents(rates)
    mean = sum(fitted.values()) / len(fitted)
    steep, flat = max(fitted.values()), min(fitted.values())
    middle = fitted.get(step, mean)
    return Rate(*(last.rate * (edges / last.edges) ** -a for a in (middle, steep, flat)))


def slowdown(rates: Sequence[Measured]) -> float:
    """Return how many times slower the graph is with a page cache that is small beside the store."""
    found = {one.step: one.rate for one in rates}
    return found["page cache of the store's size"] / found["page cache of an eighth"]


def room(memory_gb: float) -> int:
    """Return how many edges have a store that fits into memory, the page cache having all of it."""
    return int(memory_gb * 1e9 / STORE_BYTES)


def costs(
    edges: int, rates: Sequence[Measured], *, workers: int, memory_gb: float, train_triples: int, prices: Prices
) -> list[Cost]:
    """Return what each step costs at a number of edges."""
    found = []
    learnt = {"train": (min(train_triples, edges) / edges, 0)}
    for step, (each, leaves) in {**WIDE, **learnt, **GRAPH}.items():
        rate = rate_of(step, edges, rates)
        divided = workers if step in WIDE else 1
        slower = slowdown(rates) if step in GRAPH and edges > room(memory_gb) else 1.0
        hours, most, fewest = (each * edges * slower / one / divided / 3_600 for one in rate)
        processors = next(one.processors for one in rates if one.step == step)
        cpu_hours, left = hours * divided * processors, each * edges * leaves
        usd = cpu_hours * prices.cpu_hour + left / 1e9 * prices.gb_month
        found.append(Cost(step, hours, fewest, most, cpu_hours, left, usd))
    return found


def bottleneck(found: Sequence[Cost]) -> Cost:
    """Return the step that takes longest and that more workers do not shorten."""
    return max((one for one in found if one.step not in WIDE), key=lambda one: one.hours)


def tokens_usd(edges: int, tokens: float, prices: Prices) -> float:
    """Return what a provider's tokens for all edges cost."""
    return edges * tokens * prices.million_tokens / 1e6


def table(found: Sequence[Cost]) -> list[str]:
    """Return costs as the lines of a Markdown table."""
    lines = ["| step | hours | range | CPU-hours | GB left | USD |", "|---|---:|---:|---:|---:|---:|"]
    for one in found:
        ends = one.hours, (one.fewest, one.most), one.cpu_hours, one.bytes_left / 1e9, one.usd
        cells = [" to ".join(map(_short, cell)) if isinstance(cell, tuple) else _short(cell) for cell in ends]
        lines += [f"| {one.step} | {' | '.join(cells)} |"]
    return lines


def report(
    sizes: Sequence[int],
    rates: Sequence[Measured],
    *,
    workers: int,
    memory_gb: float,
    train_triples: int,
    prices: Prices,
    tokens: float,
) -> str:
    """Return the whole page."""
    fits = room(memory_gb)
    lines = []
    for edges in sizes:
        found = costs(
            edges, rates, workers=workers, memory_gb=memory_gb, train_triples=train_triples, prices=prices
        )  # fmt: skip
        first = bottleneck(found)
        lines += [f"{edges:,} edges, {workers} workers, {memory_gb:g} GB of memory for Neo4j:", "", *table(found), ""]
        lines += [
            f"A provider in the teacher's place would cost ${_short(tokens_usd(edges, tokens, prices))} "
            f"({tokens:g} tokens a tail). "
            + (
                f"The store has {edges * STORE_BYTES / 1e9:,.0f} GB and outgrows its memory at {fits:,} edges: this "
                f"breaks first, and makes Neo4j's steps {slowdown(rates):.1f} times slower. "
                if edges > fits
                else f"The store has {edges * STORE_BYTES / 1e9:,.0f} GB and fits into its memory. "
            )
            + f"Of what workers do not shorten, {first.step} takes longest: {_short(first.hours)} hours.",
            "",
        ]
    return "\n".join(lines).rstrip()


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--edges", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rates", type=Path, default=RATES)
    parser.add_argument("--workers", type=int, default=WORKERS, help="for what is wide, a processor each")
    parser.add_argument("--memory-gb", type=float, default=MEMORY_GB, help="of Neo4j's page cache")
    parser.add_argument("--train-triples", type=int, default=TRAIN_TRIPLES, help="that the student learns from")
    parser.add_argument("--usd-per-cpu-hour", type=float, default=Prices().cpu_hour)
    parser.add_argument("--usd-per-gb-month", type=float, default=Prices().gb_month, help="one month is counted")
    parser.add_argument("--usd-per-million-tokens", type=float, default=Prices().million_tokens)
    parser.add_argument(
        "--tokens-per-tail", type=float, default=TOKENS, help="of a provider: the tail's, and of its prompt"
    )
    given = parser.parse_args()
    prices = Prices(given.usd_per_cpu_hour, given.usd_per_gb_month, given.usd_per_million_tokens)
    print(
        report(
            given.edges, read_rates(given.rates), workers=given.workers, memory_gb=given.memory_gb,
            train_triples=given.train_triples, prices=prices, tokens=given.tokens_per_tail,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
