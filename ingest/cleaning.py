"""Cleaning of what a teacher wrote: the same rules for a recorded and for a live one, counted one by one.

The rules are those of West et al. 2021 and its released code: keep what ended by itself, its first line only, without
the final full stop; map the prompt's first names back to PersonX and PersonY; drop what is too short, events with odd
characters, exact duplicates, and the least likely fifth of the events. Beyond the paper: what repeats the prompt,
replies in another language, and what a script has of its own: widths of letters, quotation marks, full stops.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from rich.cells import cell_len

from ingest.thinking import without_thinking
from kg.errors import InputError
from kg.languages import has_unspaced, language, one_width, primary, whole_word
from kg.model import clean_text

_MIN_CELLS = 3
"""Shortest tail, in columns of a terminal: three Latin letters, or two Japanese characters."""
_MIN_EVENT_CELLS = 7
_EVENT_CHARACTERS = re.compile(r"[\w',.\"\-\u2019$ ]+")
_LEAST_LIKELY = 0.2  # share of the events that is dropped
_LANGUAGE_CHARACTERS = 40  # below, a language cannot be told
_LANGUAGE_CERTAINTY = 0.9


class Completion(NamedTuple):
    """One text that a teacher wrote.

    Attributes:
        text: as the teacher wrote it.
        logprob: mean log-probability of its tokens, at most 0, where the teacher gave them.
        finish: why the text ended: stop, length, content_filter or what else the teacher says; None if it does not say.
        total: sum of the log-probabilities of its tokens.
    """

    text: str
    logprob: float | None = None
    finish: str | None = None
    total: float | None = None


@dataclass
class Cleaned:
    """The texts that were kept, each with its completion, and those that were dropped, each with the rule."""

    kept: dict[str, Completion] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rules(self) -> Counter[str]:
        """How many texts each rule dropped."""
        return Counter(rule for _, rule in self.dropped)


def clean_tails(
    completions: Iterable[Completion | str],
    names: Mapping[str, str] | None = None,
    *,
    event: str = "",
    prompt: str = "",
    lang: str | None = None,
) -> Cleaned:
    """Return the tails worth keeping of one event and relation, in their order, and the texts that rules dropped.

    Args:
        completions: the teacher's texts.
        names: first names that the prompt used, each with what it stands for (`{"Alex": "PersonX"}`).
        event: the event, so that a tail that only repeats it is known.
        prompt: the text that the teacher went on from: some models say its open end again, or its examples.
        lang: BCP 47 tag that the texts should have; None checks no language.

    >>> cleaned = clean_tails([" to rest.", "to rest", "ok", "to thank Alex"], {"Alex": "PersonX"})
    >>> list(cleaned.kept), cleaned.rules
    (['to rest', 'to thank PersonX'], Counter({'duplicate': 1, 'too short': 1}))
    """
    done = Cleaned()
    lines = {_plain(line) for line in prompt.splitlines()}
    open_end = prompt.rpartition("\n")[2]
    for completion in completions:
        one = Completion(completion) if isinstance(completion, str) else completion
        text, torn = _first_line(one, open_end)
        tail = take_names(_bare(text), names or {})
        if torn:
            done.dropped.append((tail, torn))
        elif cell_len(tail) < _MIN_CELLS:
            done.dropped.append((tail, "too short"))
        elif _plain(one.text.strip().partition("\n")[0]) in lines or (event and _plain(tail) == _plain(event)):
            done.dropped.append((tail, "repeats the prompt"))
        else:
            _keep(done, tail, one)
    return _in_language(done, lang)


def clean_events(completions: Iterable[Completion], *, persons: bool = True, lang: str = "en") -> Cleaned:
    """Return the events worth keeping, in their order, and the texts that rules dropped.

    Args:
        completions: what the teacher wrote.
        persons: whether an event must begin with the first person of the language, such as PersonX.
        lang: BCP 47 tag that the texts should have; English ones may have plain characters only.
    """
    done = Cleaned()
    first = language(lang).persons[0]
    for one in completions:
        text, torn = _first_line(one, "")
        event = _bare(text)
        if torn:
            done.dropped.append((event, torn))
        elif persons and not re.match(whole_word(first), event):
            done.dropped.append((event, f"does not begin with {first}"))
        elif lang == "en" and not _EVENT_CHARACTERS.fullmatch(event):
            done.dropped.append((event, "characters"))
        elif cell_len(event) < _MIN_EVENT_CELLS:
            done.dropped.append((event, "too short"))
        else:
            _keep(done, event, one)
    return _in_language(done, lang)


def take_names(text: str, names: Mapping[str, str]) -> str:
    """Return a text with its persons for names; in scripts with blanks only whole words are names.

    >>> take_names("Chris buys Alexander's gift at Christmas", {"Alex": "PersonX", "Chris": "PersonY"})
    "PersonY buys Alexander's gift at Christmas"
    >>> take_names("佐藤さんは鈴木と会う", {"佐藤さん": "X", "佐藤": "X", "鈴木さん": "Y", "鈴木": "Y"})
    'XはYと会う'
    """
    for name, person in names.items():
        text = re.sub(whole_word(name), person, text)
    return text


def least_likely(totals: Mapping[str, float | None]) -> set[str]:
    """Return the fifth of the texts with the lowest log-probability; none if any of them has none."""
    known = {text: total for text, total in totals.items() if total is not None}
    if not known or len(known) < len(totals):
        return set()
    ranked = sorted(known, key=lambda text: (known[text], text))
    return set(ranked[: math.floor(_LEAST_LIKELY * len(ranked))])


def _first_line(one: Completion, open_end: str) -> tuple[str, str | None]:
    """Return the first line of a completion, and the rule that drops it because of how it ended."""
    text = one.text.strip()
    if without_thinking(text) != text:  # what a live teacher thinks is gone by now; a recorded one is not read twice
        return text.partition("\n")[0], "thinking aloud"
    if open_end and text.startswith(open_end):
        text = text.removeprefix(open_end).strip()
    line, more, _ = text.partition("\n")
    if one.finish not in (None, "stop", "eos") and not (one.finish == "length" and more):
        return line.strip(), f"finish reason {one.finish}"
    return line.strip(), None


def _plain(text: str) -> str:
    """Return a text without what tells a line of a list from the same words elsewhere."""
    return re.sub(r"^\s*[\d.)\-*:]+\s+", "", text).strip(" .。").casefold()


def _bare(text: str) -> str:
    """Return a text in one width, without the final full stop and without East Asian quotation marks around it all."""
    text = one_width(text).strip() if has_unspaced(text) else text
    if not text.endswith(("..", "。。")):
        text = re.sub(r"[.。．｡]$", "", text).rstrip()  # noqa: RUF001
    quoted = re.fullmatch(r"「([^「」]+)」|『([^『』]+)』", text)
    return _bare(quoted[1] or quoted[2]) if quoted else text


def _keep(done: Cleaned, text: str, one: Completion) -> None:
    try:
        stored = clean_text(text)
    except InputError as error:
        done.dropped.append((text, str(error)))
        return
    if stored in done.kept:
        done.dropped.append((text, "duplicate"))
    else:
        done.kept[stored] = one


def _in_language(done: Cleaned, lang: str | None) -> Cleaned:
    if lang and done.kept and (other := other_language(list(done.kept), lang)):
        done.dropped.extend((text, f"language {other}") for text in done.kept)
        done.kept = {}
    return done


def other_language(texts: Sequence[str], lang: str) -> str | None:
    """Return the language of texts that belong together, if it surely is another than `lang`.

    >>> other_language(["appeler un taxi", "rentrer à pied", "attendre le prochain bus"], "en")
    'fr'
    """
    joined = " ".join(texts)
    wanted = primary(lang)
    if cell_len(joined) < _LANGUAGE_CHARACTERS or wanted not in _identifier().labels:
        return None
    found, certainty = _identifier().classify(joined)
    return str(found) if found != wanted and certainty >= _LANGUAGE_CERTAINTY else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - takes a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
