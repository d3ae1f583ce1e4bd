"""Training of the generator: only the tokens of the tail count (COMET, Bosselut et al. 2019).

What a model starts from says `student.generator.start`. What the tails of an event have in common is computed once
(`kg.language_model.packing`).

The work is bounded by the number of triples, never by the clock, and the random state follows from seed and step
alone. So the same arguments give the same model, and a training that was interrupted ends as if it had not been.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kg import __version__
from kg.errors import InputError
from kg.identity import unordered_hash
from kg.language_model import packing
from kg.language_model.packing import Sequence_
from kg.language_model.terms import derived
from kg.model import Triple
from student.curve import in_parts
from student.generator import lesson, team
from student.generator.fitting import SEEDS, Watch, fit
from student.generator.model import OTHERS, Generator, device, encode
from student.generator.objectives import relative, weighted_mean
from student.generator.rows import Batches, Rows
from student.generator.soft import Losses, soft_losses
from student.generator.start import fresh, opened, tail_losses
from student.generator.tokens import MAX_TAIL_TOKENS, Codec
from student.interface import Recipe
from student.objective import Objective


class _Course(NamedTuple):
    """How a model is trained.

    Attributes:
        rate: the learning rate after the warm-up.
        triples: seen by default, in all epochs together; larger data is seen once.
        epochs: at most; a pre-trained model learns by heart what it sees again, and writes worse then.
        pairs: (event, relation) pairs in a batch of an epoch of at most `_STEPS`.
        relations: of them of the same event.
    """

    rate: float
    triples: int
    epochs: int
    pairs: int
    relations: int


FROM_SCRATCH = _Course(1e-3, 60_000, 30, 8, 1)
OF_BASE = _Course(3e-4, 12_000, 3, 8, 2)
_STEPS = 4_000  # of an epoch, beyond which batches grow: a processor reads four small ones in twice the time of one
_GROWTH = 4  # of a batch, at most


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
    lesson.teach(triples, relations, recipe)
    with torch.random.fork_rng():
        torch.manual_seed(seed % SEEDS)
        with team.agreed() as same:
            asked = relations, recipe.phrases, recipe.form
            started_from = opened(base, triples, *asked) if base else fresh(triples, *asked)
            model, codec = started_from.model, started_from.codec
            kept: list[Triple] = []
            given_and_tail = Rows(_encoded(codec, triples, kept))
            if not kept:
                raise InputError(f"every tail is longer than {MAX_TAIL_TOKENS} tokens; a generator needs phrases")
            events, sequences = [triple.head for triple in kept], given_and_tail
            weights = _weights(kept, recipe)
            soft, origin = None, None
            if objective.soft:
                soft, origin = soft_losses(objective, codec, kept, sequences)
            if objective.whole:
                if model.config.is_encoder_decoder:
                    raise InputError(
                        "an encoder with a decoder foretells tails only; leave out the loss on whole sequences"
                    )
                sequences = Rows((given[:1], (*given[1:], *tail)) for given, tail in given_and_tail)
            if weights:
                weights = relative(weights, [len(tail) for _, tail in sequences])
            size = _batch_pairs(course, len({(triple.head, triple.relation) for triple in kept}))
            plan = [
                Batches(packing.batches(given_and_tail, events, size, course.relations, seed * 1_000 + epoch))
                for epoch in range(epochs)
            ]
            arguments = repr((seed, epochs, size, __version__, started_from.digest))
            identity = unordered_hash(chain([arguments], map(repr, zip(kept, given_and_tail, strict=True))))
            if objective != Objective():
                identity += repr((objective, weights))
            watch = _watch(codec, recipe)
            if watch:
                identity += repr(watch.sequences)
            learning = [weight for weight in model.parameters() if weight.requires_grad]
            identity += repr([(weight.dtype, tuple(weight.shape)) for weight in learning])
            same.append(identity)
        losses = fit(
            model.to(device()),
            sequences,
            plan,
            partial(_loss, sequences=sequences, weights=weights, soft=soft),
            given_and_tail=given_and_tail,
            seed=seed,
            rate=course.rate,
            schedule=objective.schedule,
            progress=recipe.progress,
            identity=identity,
            watch=watch,
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
        "curve": in_parts([loss for part in losses for loss in part]),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tail_tokens": epochs * sum(len(tail) for _, tail in given_and_tail),
        "base": base,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        **({"processes": team.size()} if team.size() > 1 else {}),
        **({"held_out_loss": [round(loss, 4) for loss in watch.losses], "best": watch.best} if watch else {}),
        **objective.described(),
    }
    return generator


def _batch_pairs(course: _Course, pairs: int) -> int:
    """Return how many (event, relation) pairs a batch has, by how many there are in all."""
    return min(_GROWTH * course.pairs, max(course.pairs, pairs // _STEPS))


def _encoded(codec: Codec, triples: Iterable[Triple], kept: list[Triple]) -> Iterator[Sequence_]:
    """Yield the tokens of triples whose tail is not too long, and keep these triples."""
    for triple in triples:
        sequence = encode(codec, triple)
        if sequence[1]:
            kept.append(triple)
            yield sequence


def _others(events: Sequence[str], seed: int) -> list[str]:
    """Return the events that tails will be held against, and one more."""
    heads = sorted(set(events))
    random = np.random.default_rng(abs(seed))
    chosen: list[str] = random.choice(heads, min(OTHERS, len(heads) - 1), replace=False).tolist()
    return [*chosen, str(random.choice([head for head in heads if head not in chosen]))]


def _watch(codec: Codec, recipe: Recipe) -> Watch | None:
    """Return what a training is stopped by; None where it goes on to the end.

    Raises:
        InputError: there is nothing to stop by.
    """
    if not recipe.objective.patience:
        return None
    found = [sequence for triple in sorted(set(recipe.held_out)) if (sequence := encode(codec, triple))[1]]
    if not found:
        raise InputError("there is no held-out tail to stop by; leave out patience, or load validation events")
    return Watch(found, recipe.objective.patience)


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
    share: Sequence[int] | None = None,
) -> Tensor:
    """Return the loss of a batch, the numbers of its sequences.

    Args:
        model: the student.
        batch: what is stepped on.
        sequences: tokens.
        weights: of the sequences, over their mean; None where all count alike.
        soft: losses of tokens with softened targets; None without.
        share: what this process has of the batch, whose part of the loss is wanted; None is all.
    """
    mine = batch if share is None else share
    if not mine:
        return torch.zeros((), device=model.device, requires_grad=True)
    some = [sequences[number] for number in mine]
    each = soft(model, mine) if soft else tail_losses(model, some)
    if weights is None and share is None:
        return each.mean()
    own = [1.0 if weights is None else weights[number] for number in mine]
    return weighted_mean(each, [len(tail) for _, tail in some], own, sum(len(sequences[one][1]) for one in batch))
