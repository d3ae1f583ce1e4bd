"""A session of judging in a terminal: one triple at a time, one key a verdict; the same from a pipe.

On a terminal each key counts as it is pressed, and keys that were pressed before a triple was shown do not. From a pipe
each character but blanks and line ends is a key; a note is the rest of its line. Whatever was said is in the graph
before the next triple is shown.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass

import typer

from critic.judging import NOTE_KEY, QUIT_KEY, SKIP_KEY, UNDO_KEY, VERDICTS, ask, format_progress
from kg.errors import InputError, KGError
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.tasks import give_verdict, next_task, progress, release, skip, take_back
from kg.graph.turns import Task
from kg.terminal import say
from kg.vocabulary import Vocabulary

_VALUES = {verdict.key: verdict for verdict in VERDICTS}
_VERDICTS = " · ".join(f"{verdict.key} {verdict.words}" for verdict in VERDICTS)
_OTHERS = f"{SKIP_KEY} skip · {UNDO_KEY} undo · {NOTE_KEY} note · {QUIT_KEY} quit"
_ESCAPE = "\x1b"  # what an arrow or a function key begins with; it stands for all of it
_END = ""


class Keys:
    """The keys that a person presses, or the characters of a pipe."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def next(self) -> str:
        """Return the next key, in lower case; nothing at the end."""
        if not sys.stdin.isatty():
            while (letter := sys.stdin.read(1)).isspace():
                pass
            return letter.lower()
        if not self._waiting:
            try:
                pressed = typer.getchar()
            except EOFError:
                return _END
            self._waiting = [_ESCAPE] if pressed.startswith(_ESCAPE) else list(pressed)
        return self._waiting.pop(0).lower() if self._waiting else _END

    def line(self) -> str:
        """Return the next line, without its end."""
        self._waiting.clear()
        return sys.stdin.readline().rstrip("\r\n")


def judge(graph: KnowledgeGraph, batch: str, annotator: str, keys: Keys) -> None:
    """Show the tasks of a batch one after the other and record what the annotator says, until they quit or all is done.

    Raises:
        NotReady: the batch was undone meanwhile.
    """
    session = _Session(graph, batch, annotator, keys, graph.vocabulary())
    say(f"{annotator} judges {batch}. {_OTHERS}")
    while session.judge_next():
        pass
    say("", session.done())


@dataclass
class _Session:
    """One annotator at one batch; `note` goes with the verdict that follows."""

    graph: KnowledgeGraph
    batch: str
    annotator: str
    keys: Keys
    vocabulary: Vocabulary
    note: str = ""

    def done(self) -> str:
        """Return how far all this is, as a line."""
        return format_progress(progress(self.graph, self.batch, self.annotator))

    def judge_next(self) -> bool:
        """Show the next task and record what is said; return whether to go on."""
        task = next_task(self.graph, self.batch, self.annotator)
        if task is None:
            return self._end()
        answered = False
        try:
            question = ask(task, self.vocabulary)
            asked = [f"  {question.question} {question.tail}"] if question.question else []
            say("", self.done(), f"  {question.sentence}", *asked, _VERDICTS)
            while not answered:
                key = self.keys.next()
                if key in (QUIT_KEY, _END):
                    return False
                answered = self._answer(task, key)
            return True
        finally:
            self.note = ""
            if not answered:
                with suppress(KGError):  # it is held for a while only
                    release(self.graph, task.id, self.annotator)

    def _answer(self, task: Task, key: str) -> bool:
        """Do what a key says; return whether another task is to be shown."""
        if key in _VALUES:
            try:
                give_verdict(self.graph, task.id, self.annotator, _VALUES[key].value, self.note)
            except InputError as error:  # the note is too long, or no text
                say(f"    {error}; once more")
                self.note = ""
                return False
            say(f"    {_VALUES[key].words}")
            return True
        if key == SKIP_KEY:
            skip(self.graph, task.id, self.annotator)
            say("    skipped")
            return True
        if key == UNDO_KEY:
            return self._take_back()
        if key == NOTE_KEY:
            say("Note, then the verdict:")
            self.note = self.keys.line()
        else:
            say(f"    no such key; {_VERDICTS} · {_OTHERS}")
        return False

    def _take_back(self) -> bool:
        taken = take_back(self.graph, self.batch, self.annotator)
        say("    taken back" if taken else "    nothing to undo")
        return taken is not None

    def _end(self) -> bool:
        """Say that nothing is left, and let the last be undone; return whether to go on."""
        found = progress(self.graph, self.batch, self.annotator)
        held = f"What is left is held for others at the moment: {found.left:,}"
        say("", held if found.left else "Nothing is left for you")
        if not found.mine + found.skipped:
            return False
        say(f"{UNDO_KEY} undo · {QUIT_KEY} quit")
        while (key := self.keys.next()) not in (QUIT_KEY, _END):
            if key == UNDO_KEY and self._take_back():
                return True
        return False
