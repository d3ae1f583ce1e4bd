"""A process that trains along, forked from one that has imported torch already."""

import os
import sys
from pathlib import Path

import torch

from student.generator import lesson, start, team, training
from student.together import environment
from tests.command import CONTEXT


def begin(meeting: Path, number: int = 1, processes: int = 2, *, steps: int | None = None) -> CONTEXT.Process:
    """Start process `number`; it dies after some steps, if told so."""
    process = CONTEXT.Process(target=be, args=(str(meeting), number, processes, steps))
    process.start()
    return process


def be(meeting: str, number: int, processes: int, steps: int | None) -> None:
    os.environ |= environment(number, processes)
    torch.set_num_threads(1)
    start.training_dtype = lambda _: torch.float32
    if steps is not None:
        real, left = training._loss, iter(range(steps))  # noqa: SLF001

        def dying(*arguments: object, **options: object) -> object:
            if next(left, None) is None:
                os._exit(9)
            return real(*arguments, **options)

        training._loss = dying  # noqa: SLF001
    with team.joined(Path(meeting), number, processes):
        fine = lesson.train_along(training.train_generator)
    sys.exit(0 if fine else 1)
