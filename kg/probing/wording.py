"""Sentences with a blank: made of templates, turned into their negation, or led astray by a wrong tail.

A relation's template has `[X]` for the head and `[Y]` for the tail, a published sentence has `[MASK]` for the tail.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kg.errors import InputError
from kg.exchange.rows import json_object, text_of
from kg.lines import Rejected, read_lines
from kg.vocabulary import Relation

HEAD, TAIL, MASK = "[X]", "[Y]", "[MASK]"
_NO_PHRASE = {"date_of_birth": ("[X] (born [Y]).", "[X] (not born [Y]).")}
"""LAMA's templates of Google-RE that are not a phrase between head and tail, each with its negation."""

_AUXILIARY = re.compile(r"\b(?:is|are|was|were|am|can|could|will|would|should|must|may|might)\b")
_VERB = re.compile(r"(?<=\[X\] )([a-z]+?)(s)\b")
_STEMS = (("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("sses", "ss"), ("oes", "o"), ("has", "have"))


class Blank(NamedTuple):
    """A sentence with a blank: what stands before the blank, with its space, and after it.

    `[MASK]` in what stands after it is the same tail again.
    """

    before: str
    after: str

    def fill(self, tail: str) -> str:
        """Return the sentence with a tail in its blank."""
        return f"{self.before}{tail}{self.after.replace(MASK, tail)}"

    @property
    def is_last(self) -> bool:
        """Whether no word stands after the blank."""
        return not re.search(r"\w", self.after)


@dataclass(frozen=True, slots=True)
class Template:
    """How a relation is put into a sentence.

    Attributes:
        text: with `[X]` and `[Y]`.
        negated: the same with "not"; None where none is published and none can be made.
    """

    text: str
    negated: str | None

    @classmethod
    def of(cls, text: str, negated: str | None = None) -> "Template":
        """Return a template, with its negation made if it is not given.

        Raises:
            InputError: `[X]` or `[Y]` is not in the text exactly once.
        """
        for one in (text, *([negated] if negated else [])):
            if one.count(HEAD) != 1 or one.count(TAIL) != 1:
                raise InputError(f"template {one[:80]!r} must have {HEAD} and {TAIL} once each")
        return cls(text, negated or negate(text))

    @classmethod
    def of_relation(cls, relation: Relation) -> "Template":
        """Return the template of a vocabulary's phrase, or LAMA's where that is no phrase: "[X] is a kind of [Y]."."""
        if relation.name in _NO_PHRASE:
            return cls.of(*_NO_PHRASE[relation.name])
        return cls.of(f"{HEAD} {relation.phrase} {TAIL}.")


def read_templates(path: Path) -> dict[str, Template]:
    """Return the templates of a file of LAMA's form: a JSON object a line, with `relation` and `template`.

    A row may also have `template_negated`.

    Raises:
        InputError: the file or a row of it cannot be read.
    """
    found: dict[str, Template] = {}
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise InputError(f"{path}, line {line.line}: {line.reason}")
        try:
            row = json_object(line.text)
            negated = text_of(row, "template_negated") if row.get("template_negated") else None
            found[text_of(row, "relation").rpartition("/")[2]] = Template.of(text_of(row, "template"), negated)
        except InputError as error:
            raise InputError(f"{path}, line {line.number}: {error}") from None
    return found


def cut(sentence: str) -> Blank:
    """Return a sentence cut at its first `[MASK]`, without the spaces before its marks.

    Raises:
        InputError: there is no `[MASK]`.

    >>> cut("A cat is [MASK] .")
    Blank(before='A cat is ', after='.')
    """
    if MASK not in sentence:
        raise InputError(f"sentence {sentence[:80]!r} has no {MASK}")
    before, after = (re.sub(r"\s+([.,;:?!])(?=\s|$)", r"\1", part) for part in sentence.split(MASK, 1))
    return Blank(" ".join(before.split()) + " " * bool(re.search(r"\S\s$", before)), after.rstrip())


def render(template: str, head: str) -> Blank:
    """Return the sentence of a template about a head."""
    before, after = template.split(TAIL)
    blank = cut(f"{before}{MASK}{after}")
    return Blank(*(part.replace(HEAD, head) for part in blank))


def negate(sentence: str) -> str | None:
    """Return a sentence with "not" behind its first auxiliary, or at the verb behind `[X]`; None if it has neither.

    >>> negate("[X] was born in [Y] ."), negate("[X] plays [Y] ."), negate("[X] used to work in [Y] .")
    ('[X] was not born in [Y] .', '[X] does not play [Y] .', None)
    """
    if re.search(r"\bnot\b|n't\b", sentence):
        return None
    if _AUXILIARY.search(sentence):
        return _AUXILIARY.sub(lambda found: f"{found[0]} not", sentence, count=1)
    if _VERB.search(sentence):
        return _VERB.sub(lambda found: f"does not {_stem(found[0])}", sentence, count=1)
    return None


def misprime(blank: Blank, wrong: str) -> Blank:
    """Return a sentence behind a wrong tail as a question of one word (Kassner and Schütze 2020).

    >>> misprime(Blank("Birds can ", "."), "talk").fill("fly")
    'Talk? Birds can fly.'
    """
    return Blank(f"{wrong[:1].upper()}{wrong[1:]}? {blank.before}", blank.after)


def templates_for(relations: Iterable[Relation], published: Mapping[str, Template]) -> dict[str, Template]:
    """Return a template for each relation: the published one, else the vocabulary's phrase."""
    return {one.name: published.get(one.name) or Template.of_relation(one) for one in relations}


def _stem(verb: str) -> str:
    for end, stem in _STEMS:
        if verb.endswith(end):
            return verb.removesuffix(end) + stem
    return verb.removesuffix("s")
