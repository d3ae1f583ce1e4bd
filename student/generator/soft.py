"""Softened targets: what a teacher gives to every token, beside the token that stands in the tail.

Two teachers have one shape here: for the tokens of some tails, the losses of tails and of softened targets. A model is
asked while the student is trained; stored probabilities of likeliest tokens are looked up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kg.errors import InputError
from kg.language_model import packing
from kg.language_model.opening import open_language_model
from kg.language_model.packing import Sequence_
from kg.language_model.terms import derived, origin_of_name
from kg.languages import behind
from kg.model import Triple
from student.generator import pairwise
from student.generator.objectives import mixed, read_stored, softened
from student.generator.tokens import Codec
from student.objective import Objective

Losses = Callable[[Any, Sequence[int]], Tensor]
"""From a student's model and the numbers of some sequences to the loss of every token of their tails, (T,)."""

_COMPARED = 100  # tails of which is seen whether the teacher cuts them as the student does


def soft_losses(
    objective: Objective, codec: Codec, triples: Sequence[Triple], sequences: Sequence[Sequence_]
) -> tuple[Losses, str | None]:
    """Return the losses with a teacher's softened targets in them, and what they are derived from.

    Args:
        objective: with a teacher.
        codec: the student's.
        triples: all that are trained on.
        sequences: their tokens.

    Raises:
        InputError: the teacher cannot be opened or read, has other tokens, or lacks a triple.
    """
    name = str(objective.soft)
    if name.endswith(".jsonl"):
        stored, models = read_stored(Path(name))
        targets = _numbered(name, stored, codec, triples, sequences)
        origin = derived(*(origin_of_name(model) for model in sorted(models)))
        return lambda model, some: _of_stored(model, some, sequences, targets, objective), origin
    found = open_language_model(name, "teacher")
    numbers = _numbers(name, found.tokenizer, codec, triples, sequences)
    teacher = found.model.requires_grad_(requires_grad=False)
    return lambda model, some: _of_model(model, teacher, numbers, some, sequences, objective), found.derived_from


def _of_model(
    model: Any, teacher: Any, numbers: Tensor, some: Sequence[int], sequences: Sequence[Sequence_], objective: Objective
) -> Tensor:
    if model.config.is_encoder_decoder:
        raise InputError("an encoder with a decoder learns softened targets from a file, not from a model")
    packed = packing.pack([sequences[number] for number in some]).to(model.device)
    logits = packing.head_logits(model, packed).float()  # (N, V)
    with torch.no_grad():
        asked = replace(packed, tokens=numbers.to(model.device)[packed.tokens])
        given = packing.head_logits(teacher.to(model.device), asked).float()[:, numbers.to(model.device)]
    hard = logits.logsumexp(-1)[packed.sources] - logits[packed.sources, packed.targets]
    soft = softened(logits[:, : len(numbers)], given, objective.temperature)[packed.sources]
    return mixed(hard, soft, objective.share)


def _of_stored(
    model: Any,
    some: Sequence[int],
    sequences: Sequence[Sequence_],
    targets: Sequence[Sequence[Mapping[int, float]]],
    objective: Objective,
) -> Tensor:
    chosen = [sequences[number] for number in some]
    if model.config.is_encoder_decoder:
        logits, tokens = pairwise.head_logits(model, chosen)
    else:
        packed = packing.pack(chosen).to(model.device)
        logits, tokens = packing.head_logits(model, packed).float()[packed.sources], packed.targets
    given = torch.full_like(logits, -torch.inf)
    for place, known in enumerate(known for number in some for known in targets[number]):
        given[place, list(known)] = given.new_tensor(list(known.values()))
    hard = torch.nn.functional.cross_entropy(logits, tokens, reduction="none")
    return mixed(hard, softened(logits, given, objective.temperature), objective.share)


def _numbers(
    name: str, tokenizer: Any, codec: Codec, triples: Sequence[Triple], sequences: Sequence[Sequence_]
) -> Tensor:
    """Return, for each token of the student, its number in the teacher's vocabulary.

    Raises:
        InputError: the teacher lacks a token, or cuts tails in another way.
    """
    known, own = tokenizer.get_vocab(), codec.tokenizer.get_vocab()
    lacking = sorted(own.keys() - known.keys())
    if lacking:
        raise InputError(
            f"the teacher {name} lacks {len(lacking)} of the student's tokens, the first {lacking[0]!r}; softened "
            "targets need the same tokenizer, and a form without tokens of its own"
        )
    by_number = {number: known[token] for token, number in own.items()}
    numbers = torch.tensor([by_number[number] for number in range(len(own))])
    for triple, (_, tail) in islice(zip(triples, sequences, strict=True), _COMPARED):
        cut = tokenizer(behind(triple.tail), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if numbers[list(tail[:-1])].tolist() != cut:
            raise InputError(f"the teacher {name} cuts {triple.tail[:80]!r} into other tokens than the student")
    return numbers


def _numbered(
    name: str,
    stored: Mapping[Triple, Sequence[Mapping[str, float]]],
    codec: Codec,
    triples: Sequence[Triple],
    sequences: Sequence[Sequence_],
) -> list[list[dict[int, float]]]:
    """Return the stored log-probabilities of each tail's tokens by the numbers of the student's tokens.

    Raises:
        InputError: a triple is missing, has another number of tokens, or none that the student has.
    """
    vocabulary = codec.tokenizer.get_vocab()
    found = []
    for triple, (_, tail) in zip(triples, sequences, strict=True):
        told = f"({triple.head[:80]!r}, {triple.relation}, {triple.tail[:80]!r})"
        top = stored.get(Triple(triple.head, triple.relation, triple.tail))
        if top is None:
            raise InputError(f"{name} has nothing on {told}")
        if len(top) != len(tail):
            raise InputError(f"{name} has {len(top)} places for {told}, which has {len(tail)} tokens with its end")
        known = [{vocabulary[token]: value for token, value in place.items() if token in vocabulary} for place in top]
        if not all(known):
            raise InputError(f"{name} has a place for {told} without any token of the student")
        found.append(known)
    return found
