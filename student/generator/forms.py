"""The forms in which a generator is asked: words, tokens, and those of the published models.

    natural     PersonX misses the bus, and afterwards PersonX would like to call a taxi<eos>
    tokens      PersonX misses the bus <xWant> [GEN] to call a taxi [EOS]                         as from scratch
    skd         <head> PersonX misses the bus </head> <relation> xWant </relation> [GEN] to call a taxi<eos>
    comet2020   PersonX misses the bus xWant [GEN] to call a taxi [EOS]
    comet2019   PersonX misses the bus <xWant> to call a taxi <END>           with <blank> for ___

What a form adds are special tokens of the tokenizer, which goes with the model: a plain `tokenizer(prompt(…))` cuts the
text of a form as it was cut in training.

Sources: the released code of West et al. 2021; Hwang et al. 2021, appendix C; Bosselut et al. 2019, section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg.errors import InputError
from kg.languages import begun

NATURAL, TOKENS = "natural", "tokens"
GEN, EOS, PAD = "[GEN]", "[EOS]", "[PAD]"
_HEAD, _RELATION, _MARK = "{head}", "{relation}", "{mark}"


@dataclass(frozen=True, slots=True)
class Form:
    """A form made of special tokens, event and relation.

    Attributes:
        parts: of what is given: special tokens, `{head}`, `{relation}` for its name as text, `{mark}` for its token.
        mark: how the token of a relation is spelt, with `{}` for its name; empty where a relation has none.
        end: the token behind a tail; empty for the base's own, which an encoder-decoder always keeps.
        blank: the token for `___`; empty where that stays as it is.
    """

    parts: tuple[str, ...]
    mark: str = ""
    end: str = ""
    blank: str = ""

    def tokens(self, relations: Sequence[str]) -> list[str]:
        """Return the special tokens that the form needs beside its end, each once."""
        own = [part for part in self.parts if not part.startswith("{")]
        marks = [self.mark.format(name) for name in relations] if self.mark else []
        return list(dict.fromkeys([*marks, *own, *([self.blank] if self.blank else [])]))


FORMS: dict[str, Form] = {
    "skd": Form(("<head>", _HEAD, "</head>", "<relation>", _RELATION, "</relation>", GEN)),
    "comet2020": Form((_HEAD, _MARK, GEN), mark="{}", end=EOS),
    "comet2019": Form((_HEAD, _MARK), mark="<{}>", end="<END>", blank="<blank>"),
}
"""Name to form; `NATURAL`, and `TOKENS` of a model from scratch, are put together by `student.generator.tokens`."""

NAMES = (NATURAL, *FORMS)
"""The forms that can be asked for."""

WILDCARD = "___"


def form_named(name: str | None) -> Form | None:
    """Return a published form; None for one of the two others.

    Raises:
        InputError: there is no such form.
    """
    if name in (None, NATURAL, TOKENS):
        return None
    if name not in FORMS:
        raise InputError(f"no form {str(name)[:40]!r}; there are {', '.join(NAMES)}")
    return FORMS[str(name)]


def prompt(name: str | None, event: str, relation: str, phrases: Mapping[str, str]) -> str:
    """Return what is given, as text that the tokenizer of a student cuts as in training.

    Args:
        name: of the form; None is `NATURAL` where there are phrases, else `TOKENS`.
        event: of the usual length, without special tokens in it.
        relation: one that the student knows.
        phrases: relation to its words; empty where there are none.

    >>> prompt("skd", "PersonX naps", "xWant", {})
    '<head> PersonX naps </head> <relation> xWant </relation> [GEN]'
    >>> prompt("comet2019", "PersonX eats ___ slowly", "xWant", {})
    'PersonX eats <blank> slowly <xWant>'
    >>> prompt(None, "PersonX naps", "xWant", {"xWant": "and wants"})
    'PersonX naps, and wants'
    >>> prompt(None, "Xが寝る", "xWant", {"xWant": "。その後Xが望むのは、"})
    'Xが寝る。その後Xが望むのは、'
    """
    if (form := form_named(name)) is None:
        return begun(event, phrases[relation]) if phrases else f" {event}<{relation}>{GEN}"
    event = event.replace(WILDCARD, form.blank) if form.blank else event
    filled = {_HEAD: event, _RELATION: relation, _MARK: form.mark.format(relation)}
    return " ".join(filled.get(part, part) for part in form.parts)


def numbers(form: Form, relation: str, cut: Mapping[str, Sequence[int]], number: Mapping[str, int]) -> tuple[int, ...]:
    """Return the tokens of what is given, from those of its texts.

    Args:
        form: how it is put together.
        relation: the one that is asked for.
        cut: the tokens of `{head}` and `{relation}`.
        number: special token to number.
    """
    filled = {**cut, _MARK: [number[form.mark.format(relation)]] if form.mark else []}
    return tuple(token for part in form.parts for token in filled.get(part, [number.get(part, -1)]))


def add_tokens(tokenizer: Any, form: Form, relations: Sequence[str], *, keeps_end: bool) -> list[str]:
    """Add the special tokens of a form to a tokenizer, and return those that are new.

    Args:
        tokenizer: of `transformers`; changed in place.
        form: the form.
        relations: that can be asked for.
        keeps_end: whether the end of a tail stays the tokenizer's own, as an encoder-decoder's must.
    """
    from tokenizers import AddedToken  # noqa: PLC0415 - a help page shows the names of the forms

    known = tokenizer.get_vocab()
    wanted = form.tokens(relations)
    special: dict[str, Any] = {
        "additional_special_tokens": [AddedToken(name, lstrip=True, normalized=False, special=True) for name in wanted]
    }
    if form.end and not keeps_end:
        special["eos_token"] = AddedToken(form.end, lstrip=True, normalized=False, special=True)
        wanted = [*wanted, form.end]
    if tokenizer.pad_token_id is None:
        special["pad_token"] = AddedToken(PAD, normalized=False, special=True)
        wanted = [*wanted, PAD]
    tokenizer.add_special_tokens(special)
    return [name for name in wanted if name not in known]
