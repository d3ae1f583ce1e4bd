"""Prompts: text files that a template library renders, one for each relation and one for events.

    DIR/events.txt            seeds in, an open line for one more event out
    DIR/<relation>.txt        examples and an event in, an open end for the tail out
    DIR/examples/<relation>.tsv   optional: head and tail of each example, parted by a tab
    DIR/seeds.txt             optional: one event a line
    DIR/chat.txt              optional: the words around a prompt for a chat model
    DIR/settings.toml         optional: sampling parameters, in tables [events] and [inferences]

`paper` and `release` are shipped: the two structures of West et al. 2021 (app. A; the released notebooks), in our own
words. Templates, examples, seeds and the words around a prompt that a folder of the user's own lacks come from the
shipped ones, a template from `paper`. Sampling parameters do not: those of `paper` end a tail after 12 tokens of
English. Templates are Jinja's, in a sandbox (`ingest.teacher.rendering`): they include no files, and of Jinja's globals
have `range` only. They see `event`, `examples`, `seeds`, and first names for the persons: `query` for the event,
`pair(i)` for the i-th example, each with `x` and `y`; `text | named(pair)` puts them in. Names in the teacher's texts
are mapped to the persons of the language, such as PersonX and PersonY, as whole words only. A file that is a link out
of its folder, or no regular file, is refused.
"""

import hashlib
import math
import os
import random
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from ingest.teacher.messages import Prompt
from ingest.teacher.rendering import Pair, Renderer
from kg.errors import InputError
from kg.languages import language, whole_word
from kg.model import clean_text

_SHIPPED = Path(str(resources.files("ingest").joinpath("teacher/templates")))
SHIPPED = ("paper", "release")
_POOL = (
    "Ainsley", "Ariel", "Bailey", "Blair", "Casey", "Charlie", "Dakota", "Drew", "Ellis", "Emery",
    "Finley", "Harper", "Jesse", "Jordan", "Kai", "Kendall", "Lennon", "Marley", "Morgan", "Parker",
    "Peyton", "Quinn", "Reese", "River", "Robin", "Sage", "Skyler", "Tatum", "Taylor", "Toby",
)  # fmt: skip
_SEEDS_SHOWN = 10
_MOST_BYTES = 16 * 1024**2  # of one file of a folder of prompts
_MOST_TOKENS = 1_000_000
_DEFAULTS: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 24, "stop": ["\n\n"]}
_SETTINGS = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "max_tokens", "stop"})


class Prompts:
    """The prompts of one folder, and the shipped ones where the folder has none.

    Attributes:
        name: a shipped name, or the folder.
    """

    def __init__(self, name: str, *, frozen: bool = False, lang: str = "en") -> None:
        """Open a folder of prompts.

        Args:
            name: `paper`, `release`, or a folder.
            frozen: whether it is the copy that a run keeps, which has all templates of that run.
            lang: BCP 47 tag of the events: how persons are called there, and by which names prompts call them.

        Raises:
            InputError: there is no such folder.
        """
        self.name = name
        self._language = language(lang)
        self._folder = _SHIPPED / name if name in SHIPPED else Path(name)
        if not self._folder.is_dir():
            raise InputError(f"no prompts {name!r}: neither a folder nor one of {', '.join(SHIPPED)}")
        self._folders = (self._folder, _SHIPPED) if frozen else (self._folder, _SHIPPED / "paper", _SHIPPED)
        self._texts: dict[str, str | None] = {}

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """Return the files of the prompts of these names: a file's name in the folder to its text.

        Raises:
            InputError: a file cannot be read, or there is no such prompt.
        """
        wanted = ["chat.txt", "seeds.txt"]
        for name in names:
            self._source(f"{name}.txt")
            wanted += [f"{name}.txt", f"examples/{name}.tsv"]
        found = {name: self._text(name) for name in wanted} | {"settings.toml": self._own("settings.toml")}
        return {name: text for name, text in found.items() if text is not None}

    def borrowed(self, names: Iterable[str]) -> list[str]:
        """Return which of these prompts come from the shipped ones, because the folder has none of that name."""
        return [name for name in names if self._own(f"{name}.txt") is None and self._folder.parent != _SHIPPED]

    def settings(self, kind: str) -> dict[str, Any]:
        """Return the sampling parameters for `events` or `inferences`.

        Raises:
            InputError: `settings.toml` is not as described.
        """
        chosen = self._settings.get(kind, _DEFAULTS)
        if not isinstance(chosen, dict) or chosen.keys() - _SETTINGS:
            path = self._folder / "settings.toml"
            raise InputError(f"{path}: table [{kind}] may have {', '.join(sorted(_SETTINGS))}")
        if bad := next((name for name, value in chosen.items() if not _is_setting(name, value)), None):
            raise InputError(f"{self._folder / 'settings.toml'}: {bad} in table [{kind}] cannot be {chosen[bad]!r}")
        return {"max_tokens": _DEFAULTS["max_tokens"], **chosen}

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a prompt's source: its template with its examples, or the seeds.

        Raises:
            InputError: there is no such prompt.
        """
        parts = [self._source(f"{name}.txt"), self._source("chat.txt")]
        parts += self.seeds if name == "events" else ["\t".join(example) for example in self.examples(name)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @cached_property
    def _settings(self) -> dict[str, Any]:
        path = self._folder / "settings.toml"
        try:
            return tomllib.loads(self._own("settings.toml") or "")
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InputError(f"{path} is not valid TOML: {error}") from error

    @cached_property
    def seeds(self) -> list[str]:
        """The events that an events prompt takes its examples from."""
        return _events(self._text("seeds.txt") or "", self._place("seeds.txt"))

    def examples(self, relation: str) -> list[tuple[str, str]]:
        """Return head and tail of each example of a relation; the template may have its own instead."""
        name = f"examples/{relation}.tsv"
        rows = [line.split("\t") for line in (self._text(name) or "").splitlines() if line.strip()]
        if bad := next((number for number, row in enumerate(rows, 1) if len(row) != 2), None):  # noqa: PLR2004
            raise InputError(f"{self._place(name)}, example {bad}: head and tail, parted by one tab, are expected")
        return [(row[0], row[1]) for row in rows]

    def for_events(self, seeds: Sequence[str], number: int, seed: int) -> Prompt:
        """Render the prompt for more events; its ten seeds follow from `number` and `seed`."""
        chosen = random.Random(f"{seed} {number}").sample(list(seeds), min(_SEEDS_SHOWN, len(seeds)))  # noqa: S311
        return Prompt(self._render("events", seeds=chosen), {})

    def for_inferences(self, event: str, relation: str, *, alike: bool = False) -> Prompt:
        """Render the prompt for the tails of an event and a relation.

        Args:
            event: with persons as the language calls them, such as PersonX and PersonY.
            relation: its name.
            alike: whether the names in the examples follow from the relation, so that its prompts begin alike and a
                model of this machine reads the examples once, and not from the event.
        """
        own = self._language
        first, shuffled = own.names[:2], list(own.names[2:] if own.honorific else _POOL)
        random.Random(relation if alike else event).shuffle(shuffled)  # noqa: S311
        persons = own.persons[:2]
        free = [name for name in (*first, *shuffled) if not re.search(whole_word(self._short(name)), event)]
        query = Pair(free[0], free[1], *persons, own.honorific)
        rest = [name for name in shuffled if name not in (query.x, query.y)]
        half = len(rest) // 2
        pairs = zip(rest[:half], rest[half : 2 * half], strict=True)
        text = self._render(
            relation, query, [Pair(*names, *persons, own.honorific) for names in pairs],
            event=event, examples=self._examples[relation],
        )  # fmt: skip
        names = dict(zip((query.x, query.y), persons, strict=True))
        return Prompt(text, names | {self._short(name): person for name, person in names.items()})

    def _short(self, name: str) -> str:
        """Return a name without its honorific."""
        return name.removesuffix(self._language.honorific)

    def for_chat(self, prompt: str, count: int) -> str:
        """Return the message by which a chat model is asked for `count` texts."""
        return self._render("chat", prompt=prompt, count=count)

    @cached_property
    def _examples(self) -> "_Examples":
        return _Examples(self)

    def _source(self, name: str) -> str:
        if (found := self._text(name)) is None:
            place = self._folder / name if self.name not in SHIPPED else f"DIR/{name}, for --prompts DIR"
            raise InputError(f"prompts {self.name} have no {name}, and none is shipped: write {place}, or see kg init")
        return found

    def _text(self, name: str) -> str | None:
        """Return the text of a file of the folder, or else of the shipped ones; None if no folder has it."""
        if name not in self._texts:
            texts = (_own(folder, folder / name) for folder in self._folders)
            self._texts[name] = next((text for text in texts if text is not None), None)
        return self._texts[name]

    def _own(self, name: str) -> str | None:
        return _own(self._folder, self._folder / name)

    def _place(self, name: str) -> Path:
        """Return where the file is that `_text` reads."""
        return next((folder / name for folder in self._folders if (folder / name).is_file()), self._folder / name)

    def _render(self, name: str, query: Pair | None = None, pairs: Sequence[Pair] = (), **values: Any) -> str:
        file = f"{name}.txt"
        return _renderer().render(f"prompt {file} of {self.name}", self._source(file), values, query, pairs).strip("\n")


class _Examples(dict[str, list[tuple[str, str]]]):
    def __init__(self, prompts: Prompts) -> None:
        super().__init__()
        self._prompts = prompts

    def __missing__(self, relation: str) -> list[tuple[str, str]]:
        self[relation] = self._prompts.examples(relation)
        return self[relation]


def read_events(path: Path) -> list[str]:
    """Return the events of a text file, one a line, each once, as they are stored.

    Raises:
        InputError: the file cannot be read, is empty, or a line cannot be stored.
    """
    return _events(_text(path), path)


def _events(content: str, path: Path) -> list[str]:
    events: dict[str, None] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                events[clean_text(line.strip())] = None
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
    if not events:
        raise InputError(f"{path} has no event")
    return list(events)


def _is_setting(name: str, value: object) -> bool:
    """Return whether a sampling parameter is of the kind that every server takes."""
    if name == "stop":
        return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))
    if name == "max_tokens":
        return type(value) is int and 0 < value <= _MOST_TOKENS
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


@cache
def _renderer() -> Renderer:
    return Renderer()


def _own(folder: Path, path: Path) -> str | None:
    """Return the text of a folder's own file; None if there is no such file.

    Raises:
        InputError: it is no regular file, lies outside of the folder, or cannot be read.
    """
    if not os.path.lexists(path):
        return None
    try:
        real = path.resolve(strict=True)
        inside = real.is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # a link to nowhere, or to itself
        raise InputError(f"cannot read {path}: {error}") from error
    if not inside:
        raise InputError(f"{path} is a link out of its folder; copy the file there")
    if not real.is_file():
        raise InputError(f"{path} is not a regular file")
    if real.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} has {real.stat().st_size:,} bytes; a file of prompts may have {_MOST_BYTES:,}")
    return _text(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
