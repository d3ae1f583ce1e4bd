"""Training of the generator: only the tokens of the tail count (COMET, Bosselut et al. 2019).

The work is bounded by the number of triples, never by the clock, and the random state follows from seed and step
alone. So the same arguments give the same model, and a training that was interrupted ends as if it had not been.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from more_itertools import chunked
from transformers import GPT2Config, GPT2LMHeadModel

from kg.errors import InputError
from kg.identity import unordered_hash
from kg.model import Triple
from kg.pretrained import check_causal, open_model
from kg.progress import Bar
from kg.threads import adapt
from kg.workspace import new_file
from student.generator.model import Generator, Row, device, encode_row, tail_losses
from student.generator.tokens import MAX_EVENT_TOKENS, MAX_TAIL_TOKENS, Codec
from student.interface import Recipe

LAYERS, WIDTH, HEADS = 3, 256, 4  # what two cores can train in minutes
LONGEST_ROW = MAX_EVENT_TOKENS + MAX_TAIL_TOKENS + 2
BATCH_ROWS = 64
SHARING = 8  # tails of one event in a batch: more saves more computing, fewer makes batches more various
POOL_PARTS = 200  # so many parts of events are sorted by the length of their tails, so that little is padded
RATE_FROM_SCRATCH, RATE_OF_BASE = 1e-3, 5e-5
WARM_UP = 0.05  # share of the steps
CLIP = 1.0
SAVES = 10  # how often the progress is written
TRIPLES_SEEN = 60_000  # by default, in all epochs together; larger data is seen once
MAX_EPOCHS = 30
_PURPOSE = "causal language model"


def train_generator(triples: Sequence[Triple], relations: Sequence[str], recipe: Recipe) -> Generator:
    """Train a generator, going on from the recipe's progress if a training with the same arguments left it.

    Args:
        triples: the triples to learn, at least one.
        relations: the relations that occur.
        recipe: all but the encoder is used. Without a base it starts from scratch; without epochs it sees about
            `TRIPLES_SEEN` triples, and every triple at least once.

    Raises:
        InputError: the base cannot be used, or every tail is too long.
    """
    base, seed = recipe.base, recipe.seed
    triples = sorted(set(triples))
    epochs = recipe.epochs or min(MAX_EPOCHS, max(1, round(TRIPLES_SEEN / len(triples))))
    identity = unordered_hash([repr((seed, base, epochs, tuple(relations))), *map(repr, triples)])
    started = time.monotonic()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        opened = _open_base(base) if base else None
        codec = _codec(triples, relations, base)
        model = (_fitted(opened, codec, base) if base else _fresh(codec)).to(device())
        rows = [row for row in (encode_row(codec, triple) for triple in triples) if row[1]]
        if not rows:
            raise InputError(f"every tail is longer than {MAX_TAIL_TOKENS} tokens; a generator needs phrases")
        losses = _fit(model, rows, epochs, seed, RATE_OF_BASE if base else RATE_FROM_SCRATCH, recipe.progress, identity)
    generator = Generator(model.eval(), codec)
    generator.metrics = {
        "triples": len(rows),
        "left_out": len(triples) - len(rows),
        "epochs": epochs,
        "steps": sum(map(len, losses)),
        "loss": [round(float(np.mean(part)), 4) for part in losses],
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "base": base,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
    }
    return generator


def _codec(triples: Sequence[Triple], relations: Sequence[str], base: str | None) -> Codec:
    """Return the tokens of a base, or those learnt from the triples.

    Raises:
        InputError: the base has no tokenizer.
    """
    if base is None:
        texts = dict.fromkeys(text for triple in triples for text in (triple.head, triple.tail))
        return Codec.fit(texts, relations)
    try:
        return Codec.of_base(base, relations)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"no tokenizer of a pre-trained model at {base!r}: {str(error)[:200]}") from error


def _fresh(codec: Codec) -> Any:
    """Return a small model without any training."""
    config = GPT2Config(
        vocab_size=len(codec),
        n_positions=LONGEST_ROW,
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        bos_token_id=codec.end,
        eos_token_id=codec.end,
    )
    return GPT2LMHeadModel(config)


def _open_base(base: str) -> Any:
    """Return the pre-trained model at `base`.

    Raises:
        InputError: it is not whole, no causal language model, or reads too few tokens.
    """
    model = open_model("AutoModelForCausalLM", base, _PURPOSE, dtype=torch.float32)
    check_causal(model, base, _PURPOSE)
    positions = getattr(model.config, "max_position_embeddings", None) or LONGEST_ROW
    if positions < LONGEST_ROW:
        raise InputError(f"the model at {base!r} reads {positions} tokens; a generator needs {LONGEST_ROW}")
    return model


def _fitted(model: Any, codec: Codec, base: str) -> Any:
    """Return a pre-trained model with a row of weights for each added token.

    Raises:
        InputError: the tokenizer has tokens that the model does not know, or the model has no cache to go on from.
    """
    rows = model.get_input_embeddings().num_embeddings
    if codec.pretrained > rows:
        raise InputError(
            f"the tokenizer at {base!r} has {codec.pretrained} tokens and the model {rows}; they do not belong together"
        )
    if len(codec) > rows:
        model.resize_token_embeddings(len(codec))
    try:
        with torch.inference_mode():
            tail_losses(model, [((0, 1), (*codec.question(codec.relations[0]), 0, codec.end))])
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{base} cannot be trained here: the model does not go on from what it has read "
            f"({' '.join(str(error).split())[:200]})"
        ) from error
    return model


def _fit(
    model: Any,
    rows: Sequence[Row],
    epochs: int,
    seed: int,
    rate: float,
    progress: Path,
    identity: str,
) -> list[list[float]]:
    """Train the model in place and return the mean loss per token of every step, epoch by epoch."""
    plan = [_batches(rows, np.random.default_rng((seed, epoch))) for epoch in range(epochs)]
    steps = sum(map(len, plan))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_share(step, steps))
    losses = _resume(progress, identity, model, optimiser, schedule)
    model.train()
    done, save_each = len(losses), max(1, steps // SAVES)
    with Bar(total=steps, initial=done, desc="train the generator", unit="steps") as bar:
        for step, batch in enumerate(batch for batches in plan for batch in batches):
            if step < done:
                continue
            adapt()
            torch.manual_seed(seed * 1_000_003 + step)  # dropout
            token_losses, counted = tail_losses(model, [rows[number] for number in batch])
            loss = token_losses.sum() / counted.sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            bar.update()
            if (step + 1) % save_each == 0:
                bar.set_postfix(loss=f"{np.mean(losses[-save_each:]):.3f}")
                _save(progress, identity, model, optimiser, schedule, losses)
    ends = np.cumsum([len(batches) for batches in plan])
    return [losses[end - len(batches) : end] for end, batches in zip(ends, plan, strict=True)]


def _batches(rows: Sequence[Row], random: np.random.Generator) -> list[list[int]]:
    """Return the rows' numbers in batches of events of equal length and tails of like length, in random order.

    Up to `SHARING` tails of an event stay together, as they share the computation of it.
    """
    events: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number in random.permutation(len(rows)).tolist():
        events[rows[number][0]].append(number)
    groups: defaultdict[int, list[list[int]]] = defaultdict(list)
    for event, numbers in events.items():
        numbers.sort(key=lambda number: len(rows[number][1]))
        parts = -(-len(numbers) // SHARING)
        groups[len(event)] += [part.tolist() for part in np.array_split(numbers, parts)]
    batches: list[list[int]] = []
    for group in groups.values():
        for order in chunked(random.permutation(len(group)).tolist(), POOL_PARTS):
            pool = sorted((group[number] for number in order), key=lambda part: len(rows[part[-1]][1]))
            batches += chunked([number for part in pool for number in part], BATCH_ROWS)
    return [batches[number] for number in random.permutation(len(batches))]


def _rate_share(step: int, steps: int) -> float:
    """Return the share of the full learning rate: a linear warm-up, then a linear decay to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def _save(progress: Path, identity: str, model: Any, optimiser: Any, schedule: Any, losses: list[float]) -> None:
    state = {
        "identity": identity,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "losses": losses,
    }
    with new_file(progress) as draft:
        torch.save(state, draft)


def _resume(progress: Path, identity: str, model: Any, optimiser: Any, schedule: Any) -> list[float]:
    """Bring the model to where an unfinished training with the same arguments left it; return its losses."""
    if not progress.is_file():
        return []
    try:
        state = torch.load(progress, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, training starts anew
        return []
    if state.get("identity") != identity:
        return []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    losses: list[float] = state["losses"]
    return losses
