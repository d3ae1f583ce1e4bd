"""Texts in pictures and tables: how wide they are, where a line may break, and which way they run.

A column is the width of a Latin letter; an East Asian letter takes two. Scripts without blanks break between any two
letters. A text with letters that run from right to left is put apart from what stands beside it, or a number behind it
would move to its other side (Unicode Bidirectional Algorithm, UAX #9, 2.4).
"""

import re
import unicodedata

from rich.cells import cell_len, set_cell_size

from kg.languages import has_unspaced

_APART, _END = {"rtl": "\u2067", "ltr": "\u2066"}, "\u2069"  # isolates of a direction, and their end
_PERSON = re.compile(r"\bPerson[XYZ]\b")  # a placeholder, in texts of any script
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def direction(text: str) -> str:
    """Return which way a text runs, "rtl" or "ltr": that of its first letter that has one, persons' placeholders apart.

    >>> direction("PersonX קונה 3 לחמים"), direction("PersonX naps"), direction("3 שקלים"), direction("5")
    ('rtl', 'ltr', 'rtl', 'ltr')
    """
    ways = (unicodedata.bidirectional(letter) for letter in _PERSON.sub("", text))
    first = next((way for way in ways if way == "L" or way in _RIGHT_TO_LEFT), "L")
    return "rtl" if first in _RIGHT_TO_LEFT else "ltr"


def apart(text: str) -> str:
    """Return a text that runs its own way whatever stands beside it; unchanged where all runs from left to right.

    >>> [hex(ord(letter)) for letter in apart("שלום 5")[::7]], apart("PersonX naps")
    (['0x2067', '0x2069'], 'PersonX naps')
    """
    runs_left = any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text)
    return f"{_APART[direction(text)]}{text}{_END}" if runs_left else text


def cut(text: str, columns: int) -> str:
    """Return a text of at most so many columns, with an ellipsis where it was longer.

    >>> cut("傘を忘れる", 7), cut("to rest", 7)
    ('傘を忘…', 'to rest')
    """
    return text if cell_len(text) <= columns else set_cell_size(text, columns - 1).rstrip() + "…"


def folded(text: str, columns: int) -> list[str]:
    """Return the lines of a text, each of at most so many columns; one without a blank in it breaks anywhere.

    >>> folded("PersonX naps all day", 12), folded("Xが電車に傘を忘れる", 8), folded("", 8)
    (['PersonX naps', 'all day'], ['Xが電車', 'に傘を忘', 'れる'], [''])
    """
    lines = [""]
    for piece in re.findall(r"\s+|\S+", text):
        whole = cell_len(piece) <= columns and not has_unspaced(piece)
        for part in [piece] if whole else piece:
            if cell_len(lines[-1] + part) > columns and lines[-1].strip():
                lines[-1] = lines[-1].rstrip()
                lines.append("")
            lines[-1] += part if lines[-1] else part.lstrip()
    return [line.rstrip() for line in lines if line.strip()] or [text]
