"""Stepping: a model is fitted to batches, and goes on where an earlier process left it.

The random state follows from seed and step alone, and everything else that a step needs is in the progress, so a
training that was interrupted ends as if it had not been. Where several processes train together (`team`) each
computes a share of every batch, and the first one alone writes and shows anything; the progress of one number of
processes is taken over by another.
"""

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kg.language_model import scoring
from kg.language_model.packing import Sequence_
from kg.progress import Bar
from kg.threads import adapt
from kg.workspace import new_file
from student.generator import pairwise, team

WARM_UP = 0.05  # share of the steps
CLIP = 1.0
SAVES = 10  # how often the progress is written
SEEDS = 2**63  # torch takes no larger one

Loss = Callable[..., Tensor]
"""From a model and a batch to its loss; with `share`, to the part of the loss that some of the batch has."""


@dataclass
class Watch:
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
        summed = sum(score(model, self.sequences[team.number() :: team.size()]))
        if team.size() > 1:
            (found,) = team.added([torch.tensor(summed, device=model.device)])
            summed = float(found)
        self.losses.append(-summed / sum(len(tail) for _, tail in self.sequences))
        if self.best == len(self.losses):
            self.weights = [weight.detach().clone() for weight in weights]


def fit(
    model: Any,
    sequences: Sequence[Sequence_],
    plan: Sequence[Sequence[Sequence[int]]],
    loss_of: Loss,
    *,
    given_and_tail: Sequence[Sequence_],
    seed: int,
    rate: float,
    schedule: str,
    progress: Path,
    identity: str,
    watch: Watch | None,
) -> list[list[float]]:
    """Train the model in place and return the loss of every step, epoch by epoch.

    Weights are stepped in float32, whatever numbers the model computes in.

    Args:
        model: those of its weights are trained that require a gradient.
        sequences: what counts as given and as tail.
        plan: the batches of each epoch, numbers of sequences.
        loss_of: the loss of a batch.
        given_and_tail: what the sequences were made of, by which pairs are told.
        seed: of the random state of each step.
        rate: the learning rate.
        schedule: a name in `student.objective.SCHEDULES`.
        progress: the file that keeps an unfinished training.
        identity: of the arguments; progress of others is no progress.
        watch: what the training is stopped by, if by anything.

    Raises:
        ProcessLost: a process that trains along has ended.
    """
    steps = sum(map(len, plan))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    exact = [torch.nn.Parameter(weight.detach().float().clone()) for weight in weights]
    optimiser = torch.optim.AdamW(exact, lr=rate, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_share(step, steps, schedule))
    halves = any(weight.dtype == torch.float16 for weight in weights)
    scaler = torch.amp.GradScaler(model.device.type, enabled=halves)  # small gradients would vanish
    losses = _resume(progress, identity, exact, optimiser, rates, scaler, watch)
    passes = set(np.cumsum([len(batches) for batches in plan]).tolist())
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if halves:  # whose first steps overflow, before the scale is found
        warnings.filterwarnings("ignore", r"Detected call of .lr_scheduler.step\(\)")
    model.train()
    done, save_each = len(losses), max(1, steps // SAVES)
    is_first = team.number() == 0
    with Bar(total=steps, initial=done, desc="train the generator", unit="steps", disable=not is_first) as bar:
        for step, batch in enumerate(batch for batches in plan for batch in batches):
            if step < done:
                continue
            if watch and watch.losses and watch.is_over:
                break
            adapt()
            torch.manual_seed((seed * 1_000_003 + step) % SEEDS)  # dropout
            _copy(exact, weights)
            share = team.shares(batch, given_and_tail, team.size())[team.number()] if team.size() > 1 else None
            loss = loss_of(inner, batch, share=share)
            found = torch.autograd.grad(scaler.scale(loss), weights, materialize_grads=True)
            *gradients, loss = team.added([*(one.float() for one in found), loss.detach()])
            for weight, gradient in zip(exact, gradients, strict=True):
                weight.grad = gradient
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(exact, CLIP)
            scaler.step(optimiser)  # which leaves a step out whose gradients overflowed
            scaler.update()
            rates.step()
            losses.append(loss.item())
            bar.learn(sum(len(sequences[number][1]) for number in batch), losses[-1])
            if watch and step + 1 in passes:
                _copy(exact, weights)
                watch.look(inner, exact)
            if (step + 1) % save_each == 0 and is_first:
                _save(progress, identity, exact, optimiser, rates, scaler, losses, watch)
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
    rates: Any,
    scaler: Any,
    losses: list[float],
    watch: Watch | None,
) -> None:
    state = {
        "identity": identity,
        "weights": [weight.detach() for weight in exact],
        "optimiser": optimiser.state_dict(),
        "schedule": rates.state_dict(),
        "losses": losses,
        "scaler": scaler.state_dict(),
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
    rates: Any,
    scaler: Any,
    watch: Watch | None,
) -> list[float]:
    """Bring the weights to where an unfinished training with the same arguments left them; return its losses.

    The file is the first process's; others may be on other machines.
    """
    kept = team.told(progress.read_bytes() if team.number() == 0 and progress.is_file() else b"")
    if not kept:
        return []
    try:
        state = torch.load(io.BytesIO(kept), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, training starts anew
        return []
    if state.get("identity") != identity:
        return []
    _copy(state["weights"], exact)
    optimiser.load_state_dict(state["optimiser"])
    rates.load_state_dict(state["schedule"])
    if scaler.is_enabled():
        scaler.load_state_dict(state["scaler"])
    losses: list[float] = state["losses"]
    if watch:
        watch.losses, watch.weights = state["held_out"], state["best"]
    return losses
