"""Ctrl-C: one line and exit status 130, at whatever moment it comes.

Imported before anything heavy, so that the seconds in which libraries are imported are covered, too.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType, ModuleType

STATUS = 130
_NATIVE = frozenset({"torch", "onnxruntime"})
"""Libraries whose native part ends the process with an abort, when an interrupt comes while it calls Python."""


@contextmanager
def at_once() -> Iterator[None]:
    """Let an interrupt end this process at once, while nothing has begun that would have to be put in order."""
    with _handled(_leave_on):
        yield


@contextmanager
def put_off(act: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Raise an interrupt at the end of the block, not within it; a second one ends this process at once.

    Args:
        act: called as soon as one comes, so that the block may end earlier.

    Raises:
        KeyboardInterrupt: one came.
    """
    came: list[int] = []

    def note(number: int, _: object) -> None:
        if came:
            leave()
        came.append(number)
        act()

    try:
        with _handled(note):
            yield
    finally:
        if came:
            raise KeyboardInterrupt


@contextmanager
def _handled(handler: "Callable[[int, FrameType | None], None]") -> Iterator[None]:
    """Handle interrupts so, where Python's own handler would; other threads and handlers are left alone."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if is_ours:
        signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def leave() -> NoReturn:
    """End this process now, without a traceback of whatever it was about to do."""
    os.write(2, b"kg: interrupted\n")
    os._exit(STATUS)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an error is an interrupt, or one that a library made of an interrupt."""
    seen: set[int] = set()
    following: list[BaseException | None] = [error]
    while following:
        one = following.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, KeyboardInterrupt) or _holds_one(one):
            return True
        seen.add(id(one))
        following += [one.__cause__, one.__context__]
    return False


def _holds_one(error: BaseException) -> bool:
    """Tell whether this is pydantic's error that has an interrupt as its last words, and nowhere else."""
    return type(error).__name__ == "SchemaError" and "KeyboardInterrupt" in str(error)


@contextmanager
def none_lost() -> Iterator[None]:
    """Interrupt once more where Python would only print an interrupt, as it came while an object was tidied up.

    Afterwards, at the very end of the process, such an interrupt ends it at once.
    """
    sys.unraisablehook = _again
    finder = _ImportedWhole()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.unraisablehook = _end


class _ImportedWhole:
    """Finds native libraries such that an interrupt waits until they are imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - as Python calls it
        found = PathFinder.find_spec(name, path) if name in _NATIVE else None
        if found is not None and found.loader is not None:
            found.loader.exec_module = _uninterrupted(found.loader.exec_module)  # type: ignore[assignment, method-assign]
        return found


def _uninterrupted(execute: "Callable[[ModuleType], None]") -> "Callable[[ModuleType], None]":
    def run(module: "ModuleType") -> None:
        with put_off():
            execute(module)

    return run


def _again(found: "sys.UnraisableHookArgs") -> None:
    if isinstance(found.exc_value, KeyboardInterrupt):  # a moment later, or this hook itself would be interrupted
        threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(found)


def _end(found: "sys.UnraisableHookArgs") -> None:
    if isinstance(found.exc_value, KeyboardInterrupt):
        leave()
    sys.__unraisablehook__(found)


def _leave_on(number: int, frame: "FrameType | None") -> None:  # noqa: ARG001 - as signal calls it
    leave()
