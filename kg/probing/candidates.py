"""Candidates: the tails that are compared at a blank.

| named | candidates |
|---|---|
| `tails` | those that are right for some fact of the file |
| `own` | the words that are one token of the model's |
| a file | a common vocabulary: a word or phrase a line |
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.exchange.rows import clean_part
from kg.language_model.scoring import tokens
from kg.lines import Rejected, read_lines

TAILS, OWN = "tails", "own"


def find_candidates(source: str, tails: Iterable[str], tokenizer: Any) -> list[str]:
    """Return the candidates that a source names, each once.

    Args:
        source: `tails`, `own`, or a file.
        tails: the right ones of the facts.
        tokenizer: the model's.

    Raises:
        InputError: there is no such file, a line of it is no text, or there are fewer than two candidates.
    """
    if source == TAILS:
        found = sorted(set(tails))
    elif source == OWN:
        found = own_words(tokenizer)
    else:
        found = list(dict.fromkeys(_lines(Path(source))))
    if len(found) < 2:  # noqa: PLR2004 - one candidate is always right
        raise InputError(f"candidates {source}: at least two are needed, and there are {len(found)}")
    return found


def own_words(tokenizer: Any) -> list[str]:
    """Return the words that are one token behind a space, in the order of the tokens: letters and hyphens only."""
    ids = sorted(set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids))
    words = [text.strip() for text in tokenizer.batch_decode([[one] for one in ids])]
    known = dict.fromkeys(word for word in words if word and all(part.isalpha() for part in word.split("-")))
    cut = tokens(tokenizer, [f" {word}" for word in known], special=False)
    unknown = tokenizer.unk_token_id
    return [word for word, own in zip(known, cut, strict=True) if len(own) == 1 and own[0] != unknown]


def _lines(path: Path) -> Iterable[str]:
    if not path.is_file():
        raise InputError(f"candidates: {path} is no file; {TAILS}, {OWN}, or a file with one a line")
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        yield clean_part(line.text.strip(), f"{path}, line {line.number}")
