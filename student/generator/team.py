"""Several processes that train one generator: each has the whole model and computes a share of every batch.

What they found is added up, so that all of them take the same step, and the step is that of one process, up to
rounding. `accelerate` finds out who is who and which device is whose; gloo connects processes that compute on CPUs,
NCCL those on GPUs. Where no group was joined there is one process, and nothing here does anything.

Bytes that are told are never pickles. The members of a group trust one another's numbers, as torch does.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from kg import strict_json
from kg.errors import InputError, KGError, ProcessLost
from kg.language_model.packing import Sequence_

_PATIENCE = timedelta(days=1)  # a process that ends is noticed at once; the first one may wait for its graph
_SAID_BYTES = 2_048  # of what a process says when all have prepared
_WORDS = 400  # letters of an error among them

Result = TypeVar("Result")


@contextmanager
def joined(meeting: Path | None, number: int, processes: int) -> Iterator[None]:
    """Be a member of a group of processes.

    Args:
        meeting: a file in which they find one another; None where the environment says how, as `accelerate launch`
            leaves it.
        number: of this process, from 0.
        processes: how many they are.

    Raises:
        InputError: there are fewer GPUs than processes.
        ProcessLost: they do not find one another.
    """
    from accelerate import PartialState  # noqa: PLC0415 - takes a second

    options: dict[str, Any] = {"timeout": _PATIENCE}
    if meeting:
        if torch.cuda.is_available() and processes > torch.cuda.device_count():
            raise InputError(f"there are {torch.cuda.device_count()} GPUs here; --processes takes up to as many")
        options |= {"init_method": f"file://{meeting.resolve()}", "rank": number, "world_size": processes}
    _heard(lambda: PartialState(cpu=not torch.cuda.is_available(), **options))
    try:
        yield
    finally:
        with suppress(Exception):  # of a group whose other members have ended
            distributed.destroy_process_group()


def size() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def number() -> int:
    """Return the number of this process, from 0, which alone writes and shows anything."""
    return distributed.get_rank() if size() > 1 else 0


def told(content: bytes) -> bytes:
    """Return what the first process tells; every process has to ask for it.

    Args:
        content: of the first process; that of others counts for nothing.

    Raises:
        ProcessLost: a process has ended.
    """
    if size() == 1:
        return content
    length = torch.tensor([len(content)], device=_device())
    _heard(lambda: distributed.broadcast(length, 0))
    row = torch.empty(int(length), dtype=torch.uint8)
    if number() == 0 and content:
        row.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    row = row.to(_device())
    if len(row):
        _heard(lambda: distributed.broadcast(row, 0))
    return row.cpu().numpy().tobytes()


def added(parts: Sequence[Tensor]) -> list[Tensor]:
    """Return the sums of tensors over all processes, in float32 and to the bit the same everywhere.

    Raises:
        ProcessLost: a process has ended.
    """
    if size() == 1:
        return list(parts)
    whole = torch.cat([part.detach().float().reshape(-1) for part in parts])
    _heard(lambda: distributed.all_reduce(whole))
    found = torch.split(whole, [part.numel() for part in parts])
    return [one.view(part.shape) for one, part in zip(found, parts, strict=True)]


@contextmanager
def agreed() -> Iterator[list[str]]:
    """Prepare in every process, and go on only where all have come to the same.

    Yields:
        A list, to which is added what must be the same.

    Raises:
        InputError: another process could not prepare, or came to something else.
        ProcessLost: a process has ended.
    """
    same: list[str] = []
    try:
        yield same
    except KGError as error:
        _say({"error": str(error)[:_WORDS]})
        raise
    if size() == 1:
        return
    digest = hashlib.sha256(repr(same).encode()).hexdigest()
    for other, found in enumerate(_say({"same": digest}), 1):
        if "error" in found:
            raise InputError(f"process {other} of {size()}: {found['error']}")
        if found["same"] != digest:
            raise InputError(
                f"process {other} of {size()} starts from other weights, or has another version of this software or "
                "another kind of processor, than the first; train with equal ones"
            )


def shares(batch: Sequence[int], sequences: Sequence[Sequence_], count: int) -> list[list[int]]:
    """Return a batch in shares of about the same work, in its order; the tails of a pair are never parted.

    Args:
        batch: numbers of sequences.
        sequences: all of them; those with the same given tokens are one pair.
        count: of shares; some are empty where there are fewer pairs.

    >>> shares([0, 1, 2], [([5], [1, 2, 3]), ([5], [1]), ([7, 8], [1, 2])], 2)
    [[0, 1], [2]]
    """
    pairs = [list(pair) for _, pair in groupby(batch, key=lambda number: tuple(sequences[number][0]))]
    work = [len(sequences[pair[0]][0]) + sum(len(sequences[number][1]) for number in pair) for pair in pairs]
    found: list[list[int]] = [[] for _ in range(count)]
    before = 0.0
    for pair, own in zip(pairs, work, strict=True):
        found[int((before + own / 2) * count / sum(work))] += pair
        before += own
    return found


def _say(content: dict[str, str]) -> list[dict[str, str]]:
    """Say something short; return what each process says, in their order."""
    if size() == 1:
        return [content]
    text = strict_json.write(content).encode()
    row = torch.zeros(_SAID_BYTES, dtype=torch.uint8)
    row[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    row = row.to(_device())
    rows = [torch.empty_like(row) for _ in range(size())]
    _heard(lambda: distributed.all_gather(rows, row))
    return [strict_json.read(one.cpu().numpy().tobytes().rstrip(b"\0")) for one in rows]


def _device() -> torch.device:
    """Return where tensors are that the group exchanges."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def _heard(work: Callable[[], Result]) -> Result:
    """Return what others are needed for.

    Raises:
        ProcessLost: one of them is gone.
    """
    try:
        return work()
    except RuntimeError as error:  # whatever the backend makes of a closed connection
        raise ProcessLost(
            "a process that trains along has ended; the same command goes on from the last tenth that was kept"
        ) from error
