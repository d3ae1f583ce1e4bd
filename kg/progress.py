"""Progress of long steps: a bar on a terminal, and otherwise a line every quarter of a minute.

So a log, a pipe or a notebook shows that something goes on and how long it takes. A step that is over sooner says
nothing there.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from kg.terminal import say, visible

_LINE_SECONDS = 15.0
_REDRAW_SECONDS = 0.5
_FORGETS = 0.05  # of the mean loss, at each step: what is shown is of about the last twenty
_UP = "\x1b[A"  # what tqdm moves the cursor with when one bar stands below another


class Bar(tqdm):  # type: ignore[type-arg] # its stubs are generic, the class is not
    """A bar of tqdm, which becomes lines where stderr is no terminal.

    Args:
        arguments: of tqdm: what to go through, if anything.
        unit: what is counted, a plural such as "edges".
        options: of tqdm.
    """

    _lines = False
    _said: tuple[Any, ...] | None = None  # by the last line, its times left out
    _learnt = 0.0  # tokens, in all steps of a training that were seen
    _loss: float | None = None

    def __init__(self, *arguments: Any, unit: str = "steps", **options: Any) -> None:
        if options.get("desc"):
            options["desc"] = visible(options["desc"])
        options["unit"] = unit
        if sys.stderr.isatty():
            options["unit"] = f" {unit}"
        else:
            self._lines = True
            counts = bool(arguments or options.get("total"))
            options |= {
                "file": _Lines(),
                "mininterval": _LINE_SECONDS,
                "maxinterval": _LINE_SECONDS,
                "delay": _LINE_SECONDS,
                "bar_format": "{desc}: {n_fmt}"
                + (
                    " of {total_fmt} {unit}, {elapsed} passed, {remaining} left"
                    if counts
                    else " {unit}, {elapsed} passed"
                )
                + "{postfix}",
            }
        self._began = time.monotonic()
        super().__init__(*arguments, **options)

    def learn(self, count: float, loss: float, counted: str = "tokens") -> None:
        """Go on by a step of a training, and show how fast it learns and with which loss.

        Args:
            count: tokens of the step, or whatever else is counted.
            loss: of the step; shown is its mean over the last steps.
            counted: what is counted, a plural.
        """
        self._learnt += count
        self._loss = loss if self._loss is None else self._loss + _FORGETS * (loss - self._loss)
        rate = self._learnt / max(time.monotonic() - self._began, 1e-9)
        self.set_postfix_str(f"{rate:,.0f} {counted}/s, loss {self._loss:.3f}", refresh=False)
        self.update()

    def display(self, *arguments: Any, **options: Any) -> Any:
        """Draw the bar, or say the line."""
        self._said = self._state()
        return super().display(*arguments, **options)

    def close(self) -> None:
        """End the bar; what the last line said is not said again."""
        if self._lines and not self.disable and self._said == self._state():
            self.leave = False
        super().close()

    def _state(self) -> tuple[Any, ...]:
        return self.n, self.total, self.desc, self.postfix


@contextmanager
def showing(doing: str) -> Iterator[Callable[[str], object]]:
    """Show what is being done and for how long: now, and as long as it goes on, though nothing can be counted.

    Args:
        doing: in words.

    Yields:
        What changes the words.
    """
    over = threading.Event()
    with Bar(unit="steps") as bar:
        bar.bar_format = "{desc}, {elapsed} passed"
        bar.set_description_str(visible(doing))

        def tick() -> None:
            while not over.wait(_REDRAW_SECONDS if sys.stderr.isatty() else _LINE_SECONDS):
                bar.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield lambda words: bar.set_description_str(visible(words))
        finally:
            over.set()
            thread.join()


class _Lines:
    """Writes to stderr what a bar would draw in place, each state a line."""

    def write(self, text: str) -> None:
        """Write a state of the bar; moves of the cursor are left out."""
        if state := text.replace(_UP, "").strip():
            say(state, err=True)

    def flush(self) -> None:
        """Hand over what was written."""
        sys.stderr.flush()
