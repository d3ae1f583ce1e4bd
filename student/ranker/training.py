"""Training of the ranker: one softmax over the tails of the relation, the event's own tails being right."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kg.model import Triple
from kg.progress import Bar
from kg.threads import adapt
from student.curve import in_parts
from student.interface import Recipe
from student.ranker.model import Ranker, Towers

BATCH_EVENTS = 128
CANDIDATES = 4_096  # tails in one softmax; with more known tails, a fresh random sample beside the right ones
RATE, SKIP_RATE = 3e-4, 3e-2  # the skip is one number of about 10
WARM_UP_STEPS = 50
EPOCHS = 30
STEPS = 700  # larger data is seen in so many steps, but at least `MIN_EPOCHS` times
MIN_EPOCHS = 3


def train_ranker(triples: Sequence[Triple], relations: Sequence[str], recipe: Recipe) -> Ranker:
    """Train a ranker on triples, at least one, of the given relations.

    Args:
        triples: the triples to learn; their tails are those that the ranker will rank.
        relations: the relations that occur.
        recipe: the encoder, the seed, and the passes over the (event, relation) pairs; it has no use for the rest.
    """
    started = time.monotonic()
    heads = sorted({triple.head for triple in triples})
    tails = sorted({triple.tail for triple in triples})
    head_numbers = {text: number for number, text in enumerate(heads)}
    tail_numbers = {text: number for number, text in enumerate(tails)}
    events = torch.from_numpy(recipe.encode(heads)).half().float()
    vectors = torch.from_numpy(recipe.encode(tails)).half()
    right: list[defaultdict[int, set[int]]] = [defaultdict(set) for _ in relations]
    for triple in triples:
        right[relations.index(triple.relation)][head_numbers[triple.head]].add(tail_numbers[triple.tail])
    known = [torch.tensor(sorted(set().union(*table.values()))) for table in right]
    pairs = sum(map(len, right))
    random = np.random.default_rng(recipe.seed)
    each = sum(-(-len(table) // BATCH_EVENTS) for table in right)
    epochs = recipe.epochs or min(EPOCHS, max(MIN_EPOCHS, round(STEPS / each)))
    losses: list[float] = []
    steps: list[float] = []
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        towers = Towers(vectors.shape[1], len(relations), events.mean(0), vectors.float().mean(0)).train()
        optimiser, schedule = _optimiser(towers, epochs * each)
        with Bar(total=epochs * each, desc="train the ranker", unit="steps") as bar:
            for _ in range(epochs):
                total = 0.0
                for relation, batch in _batches(right, random):
                    adapt()
                    own = [right[relation][head] for head in batch]
                    candidates, weights = _candidates(known[relation], own, random)
                    targets = _targets(candidates, own)
                    scores = towers(events[batch], relation, vectors[candidates].float()) + weights
                    loss = -(targets * scores.log_softmax(dim=1)).sum(1).mean()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
                    steps.append(loss.item())
                    total += steps[-1] * len(batch)
                    bar.learn(sum(map(len, own)), steps[-1], "tails")
                losses.append(round(total / pairs, 4))
    ranker = Ranker(towers.eval(), tails, vectors, dict(zip(relations, known, strict=True)), recipe.encode)
    ranker.metrics = {
        "triples": len(triples),
        "pairs": pairs,
        "tails": len(tails),
        "epochs": epochs,
        "loss": losses,
        "curve": in_parts(steps),
        "parameters": sum(weight.numel() for weight in towers.parameters()),
        "seed": recipe.seed,
        "seconds": round(time.monotonic() - started, 1),
    }
    return ranker


def _optimiser(towers: Towers, steps: int) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    others = [weight for name, weight in towers.named_parameters() if name != "skip"]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": [towers.skip], "lr": SKIP_RATE, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.01)
    share = lambda step: min((step + 1) / WARM_UP_STEPS, 1) * (1 - step / steps)  # noqa: E731
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, share)


def _batches(
    right: Sequence[defaultdict[int, set[int]]], random: np.random.Generator
) -> Iterator[tuple[int, list[int]]]:
    """Yield (relation, events) for every pair once, in random order, each batch of one relation."""
    batches = []
    for relation, table in enumerate(right):
        order = random.permutation(sorted(table)).tolist()
        batches += [(relation, order[start : start + BATCH_EVENTS]) for start in range(0, len(order), BATCH_EVENTS)]
    for number in random.permutation(len(batches)):
        yield batches[number]


def _candidates(known: Tensor, own: Sequence[set[int]], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the tails of one softmax and what is added to their scores, both (m,).

    With at most `CANDIDATES` known tails these are all of them. With more they are the right ones of the batch and a
    random sample of the others, each of which stands for several.
    """
    if len(known) <= CANDIDATES:
        return known, torch.zeros(len(known))
    needed = np.array(sorted(set().union(*own)))
    others = np.setdiff1d(known.numpy(), needed)
    sample = random.choice(others, min(CANDIDATES, len(others)), replace=False)
    weight = float(np.log(max(1, len(others)) / max(1, len(sample))))
    weights = torch.cat([torch.zeros(len(needed)), torch.full((len(sample),), weight)])
    return torch.from_numpy(np.concatenate([needed, sample])), weights


def _targets(candidates: Tensor, own: Sequence[set[int]]) -> Tensor:
    """Return (n, m): for each of n events the share of each candidate in its own tails."""
    places = {number: place for place, number in enumerate(candidates.tolist())}
    targets = torch.zeros(len(own), len(candidates))
    for row, numbers in enumerate(own):
        targets[row, [places[number] for number in numbers]] = 1 / len(numbers)
    return targets
