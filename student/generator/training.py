"""Training of the generator: only the tokens of the tail count (COMET, Bosselut et al. 2019).

What a model starts from says `student.generator.start`. What the tails of an event have in common is computed once
(`kg.language_model.packing`).

The work is bounded by the number of triples, never by the clock, and the random state follows from seed and step
alone. So the same arguments give the same model, and a training that was interrupted ends as if it had not been.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kg import __version__
from kg.errors import InputError
from kg.identity import unordered_hash
from kg.language_model import packing, scoring
from kg.language_model.packing import Sequence_
from kg.language_model.terms import derived
from kg.model import Triple
from kg.progress import Bar
from kg.threads import adapt
from kg.workspace import new_file
from student.generator import pairwise
from student.generator.model import OTHERS, Generator, device, encode
from student.generator.objectives import weighted_mean
from student.generator.soft import Losses, soft_losses
from student.generator.start import fresh, opened, tail_losses
from student.generator.tokens import MAX_TAIL_TOKENS, Codec
from student.interface import Recipe
from student.objective import Objective

WARM_UP = 0.05  # share of the steps
CLIP = 1.0
SAVES = 10  # how often the progress is written
_SEEDS = 2**63  # torch takes no larger one


class _Course(NamedTuple):
    """How a model is trained.

    Attributes:
        rate: the learning rate after the warm-up.
        triples: seen by default, in all epochs together; larger data is seen once.
        epochs: at most; a pre-trained model learns by heart what it sees again, and writes worse then.
        pairs: (event, relation) pairs in a batch.
        relations: of them of the same event.
    """

    rate: float
    triples: int
    epochs: int
    pairs: int
    relations: int


FROM_SCRATCH = _Course(1e-3, 60_000, 30, 8, 1)
OF_BASE = _Course(3e-4, 12_000, 3, 8, 2)


def train_generator(triples: Sequence[Triple], relations: Sequence[str], recipe: Recipe) -> Generator:
    """Train a generator, going on from the recipe's progress if a training with the same arguments left it.

    Args:
        triples: the triples to learn, at least one.
        relations: the relations that occur.
        recipe: all but the encoder is used. Without a base it starts from scratch; without epochs it sees as many
            triples as its course says, and every triple at least once.

    Raises:
        InputError: the base cannot be used, or every tail is too long.
        NotReady: the base is the language model from pip, which is not installed.
    """
    base, seed = recipe.base, recipe.seed
    course = OF_BASE if base else FROM_SCRATCH
    objective = recipe.objective
    objective.check()
    triples = sorted(set(triples))
    epochs = recipe.epochs or min(course.epochs, max(1, round(course.triples / len(triples))))
    started = time.monotonic()
    with torch.random.fork_rng():
        torch.manual_seed(seed % _SEEDS)
        asked = relations, recipe.phrases, recipe.form
        started_from = opened(base, triples, *asked) if base else fresh(triples, *asked)
        model, codec = started_from.model, started_from.codec
        pairs = [(triple, sequence) for triple in triples if (sequence := encode(codec, triple))[1]]
        if not pairs:
            raise InputError(f"every tail is longer than {MAX_TAIL_TOKENS} tokens; a generator needs phrases")
        events, sequences = [triple.head for triple, _ in pairs], [sequence for _, sequence in pairs]
        given_and_tail = sequences
        weights = _weights([triple for triple, _ in pairs], recipe)
        soft, origin = None, None
        if objective.soft:
            soft, origin = soft_losses(objective, codec, [triple for triple, _ in pairs], sequences)
        if objective.whole:
            if model.config.is_encoder_decoder:
                raise InputError(
                    "an encoder with a decoder foretells tails only; leave out the loss on whole sequences"
                )
            sequences = [(given[:1], (*given[1:], *tail)) for given, tail in sequences]
        plan = [
            packing.batches(given_and_tail, events, course.pairs, course.relations, seed * 1_000 + epoch)
            for epoch in range(epochs)
        ]
        identity = unordered_hash([repr((seed, epochs, __version__, started_from.digest)), *map(repr, pairs)])
        if objective != Objective():
            identity += repr((objective, weights))
        watch = _watch(codec, recipe)
        if watch:
            identity += repr(watch.sequences)
        loss_of = partial(_loss, sequences=sequences, weights=weights, soft=soft)
        losses = _fit(
            model.to(device()),
            sequences,
            plan,
            seed,
            course.rate,
            recipe.progress,
            identity,
            loss_of,
            watch,
            objective.schedule,
        )
    if base:
        model = model.merge_and_unload()
    generator = Generator(model.eval(), codec, _others(events, seed) if base else ())
    generator.derived_from = derived(started_from.derived_from, origin)
    generator.metrics = {
        "triples": len(sequences),
        "left_out": len(triples) - len(sequences),
        "epochs": epochs,
        "steps": sum(map(len, losses)),
        "loss": [round(float(np.mean(part)), 4) for part in losses],
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tail_tokens": epochs * sum(len(tail) for _, tail in given_and_tail),
        "base": base,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        **({"held_out_loss": [round(loss, 4) for loss in watch.losses], "best": watch.best} if watch else {}),
        **objective.described(),
    }
    return generator


def _others(events: Sequence[str], seed: int) -> list[str]:
    """Return the events that tails will be held against, and one more."""
    heads = sorted(set(events))
    random = np.random.default_rng(abs(seed))
    chosen: list[str] = random.choice(heads, min(OTHERS, len(heads) - 1), replace=False).tolist()
    return [*chosen, str(random.choice([head for head in heads if head not in chosen]))]


@dataclass
class _Watch:
    """Held-out tails by which a training is stopped.

    Attributes:
        sequences: their tokens.
        patience: passes without a better loss.
        losses: mean loss of a token of theirs after each pass.
        weights: those of the best pass.
    """

    sequences: Sequence[Sequence_]
    patience: int
    losses: list[float] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The number of the best pass, from 1; 0 before the first."""
        return self.losses.index(min(self.losses)) + 1 if self.losses else 0

    @property
    def is_over(self) -> bool:
        """Whether patience is at its end."""
        return len(self.losses) - self.best >= self.patience

    def look(self, model: Any, weights: Sequence[Tensor]) -> None:
        """Weigh the held-out tails after a pass, and keep the weights if it is the best."""
        score = pairwise.logprobs if model.config.is_encoder_decoder else scoring.logprobs
        self.losses.append(-sum(score(model, self.sequences)) / sum(len(tail) for _, tail in self.sequences))
        if self.best == len(self.losses):
            self.weights = [weight.detach().clone() for weight in weights]


def _watch(codec: Codec, recipe: Recipe) -> _Watch | None:
    """Return what a training is stopped by; None where it goes on to the end.

    Raises:
        InputError: there is nothing to stop by.
    """
    if not recipe.objective.patience:
        return None
    found = [sequence for triple in sorted(set(recipe.held_out)) if (sequence := encode(codec, triple))[1]]
    if not found:
        raise InputError("there is no held-out tail to stop by; leave out patience, or load validation events")
    return _Watch(found, recipe.objective.patience)


def _weights(triples: Sequence[Triple], recipe: Recipe) -> list[float] | None:
    """Return the weight of each triple; None where all count alike.

    Raises:
        InputError: a triple has no weight, a weight is below 0, or all are 0.
    """
    if recipe.objective.weight == "equal":
        return None
    lacking = [triple for triple in triples if triple not in recipe.weights]
    if lacking:
        raise InputError(
            f"{len(lacking):,} triples have no {recipe.objective.weight}, the first {lacking[0].head[:80]!r}"
        )
    weights = [recipe.weights[triple] for triple in triples]
    if min(weights) < 0 or not max(weights) > 0:
        raise InputError(f"weights are at least 0, and some are above; here from {min(weights)} to {max(weights)}")
    return weights


def _loss(
    model: Any,
    batch: Sequence[int],
    *,
    sequences: Sequence[Sequence_],
    weights: Sequence[float] | None,
    soft: Losses | None,
) -> Tensor:
    """Return the loss of a batch, the numbers of its sequences."""
    some = [sequences[number] for number in batch]
    each = soft(model, batch) if soft else tail_losses(model, some)
    own = None if weights is None else [weights[number] for number in batch]
    if own is None or not any(own):  # where nothing weighs, nothing is learnt
        return each.mean() if own is None else each.sum() * 0
    return weighted_mean(each, [len(tail) for _, tail in some], own)


def _fit(
    model: Any,
    sequences: Sequence[Sequence_],
    plan: Sequence[Sequence[Sequence[int]]],
    seed: int,
    rate: float,
    progress: Path,
    identity: str,
    loss_of: Callable[[Any, Sequence[int]], Tensor],
    watch: _Watch | None,
    schedule_name: str,
) -> list[list[float]]:
    """Train the model in place and return the loss of every step, epoch by epoch.

    Weights are stepped in float32, whatever numbers the model computes in.
    """
    steps = sum(map(len, plan))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    identity += repr([(weight.dtype, tuple(weight.shape)) for weight in weights])
    exact = [torch.nn.Parameter(weight.detach().float().clone()) for weight in weights]
    optimiser = torch.optim.AdamW(exact, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_share(step, steps, schedule_name))
    losses = _resume(progress, identity, exact, optimiser, schedule, watch)
    passes = set(np.cumsum([len(batches) for batches in plan]).tolist())
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    model.train()
    done, save_each = len(losses), max(1, steps // SAVES)
    began, tokens = time.monotonic(), 0
    with Bar(total=steps, initial=done, desc="train the generator", unit="steps") as bar:
        for step, batch in enumerate(batch for batches in plan for batch in batches):
            if step < done:
                continue
            if watch and watch.losses and watch.is_over:
                break
            adapt()
            torch.manual_seed((seed * 1_000_003 + step) % _SEEDS)  # dropout
            _copy(exact, weights)
            loss = loss_of(inner, batch)
            tokens += sum(len(sequences[number][1]) for number in batch)
            for weight, found in zip(exact, torch.autograd.grad(loss, weights, materialize_grads=True), strict=True):
                weight.grad = found.float()
            torch.nn.utils.clip_grad_norm_(exact, CLIP)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            bar.update()
            if watch and step + 1 in passes:
                _copy(exact, weights)
                watch.look(inner, exact)
            if (step + 1) % save_each == 0:
                rate_now = tokens / max(time.monotonic() - began, 1e-9)
                mean = np.mean(losses[-save_each:])
                bar.set_postfix_str(f"{rate_now:,.0f} tokens/s, loss {mean:.3f}", refresh=False)
                _save(progress, identity, exact, optimiser, schedule, losses, watch)
    _copy(watch.weights if watch else exact, weights)
    ends = np.cumsum([len(batches) for batches in plan])
    parts = [losses[end - len(batches) : end] for end, batches in zip(ends, plan, strict=True)]
    return [part for part in parts if part]  # a training that stops early has none of its last passes


@torch.no_grad()
def _copy(exact: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Give the model the exact weights, rounded to the numbers it computes in."""
    for one, weight in zip(exact, weights, strict=True):
        weight.copy_(one)


def _rate_share(step: int, steps: int, schedule: str = "linear") -> float:
    """Return the share of the full learning rate: a linear warm-up, then a decay to zero, or none.

    >>> [round(_rate_share(step, 101, "cosine"), 2) for step in (4, 53, 101)], _rate_share(90, 101, "constant")
    ([1.0, 0.5, 0.0], 1.0)
    """
    warm_up = max(1, round(WARM_UP * steps))
    if schedule != "linear":
        passed = max(0.0, (step - warm_up) / max(1, steps - warm_up))
        decay = 1.0 if schedule == "constant" else (1 + math.cos(math.pi * passed)) / 2
        return min((step + 1) / warm_up, decay)
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def _save(
    progress: Path,
    identity: str,
    exact: Sequence[Tensor],
    optimiser: Any,
    schedule: Any,
    losses: list[float],
    watch: _Watch | None,
) -> None:
    state = {
        "identity": identity,
        "weights": [weight.detach() for weight in exact],
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "losses": losses,
    }
    if watch:
        state |= {"held_out": watch.losses, "best": watch.weights}
    with new_file(progress) as draft:
        torch.save(state, draft)


def _resume(
    progress: Path,
    identity: str,
    exact: Sequence[Tensor],
    optimiser: Any,
    schedule: Any,
    watch: _Watch | None,
) -> list[float]:
    """Bring the weights to where an unfinished training with the same arguments left them; return its losses."""
    if not progress.is_file():
        return []
    try:
        state = torch.load(progress, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, training starts anew
        return []
    if state.get("identity") != identity:
        return []
    _copy(state["weights"], exact)
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    losses: list[float] = state["losses"]
    if watch:
        watch.losses, watch.weights = state["held_out"], state["best"]
    return losses
