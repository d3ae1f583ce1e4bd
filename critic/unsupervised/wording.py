"""A triple in words: the sentences that it can make, by the templates of its relation and the grammar of its phrases.

A template has head and tail in it ("{head} is usually found in {tail}"). A phrase may be put in as it is, or as
English would have it there: with an article, or its verb as a gerund. Nothing here knows which of these is right; the
causal model that ranks the sentences does (`critic.unsupervised.likelihoods`).
"""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from kg.languages import behind, has_unspaced, joined, language, named
from kg.model import Triple
from kg.vocabulary import Relation

ARTICLES = frozenset({"a", "an", "the"})
"""Words that say nothing of a phrase: they are never asked for."""

_NAMES = language("en").names
_SLOT = re.compile(r"\{(?:head|tail)\}")
_LONG = 5  # words from which on a phrase is taken as it is: it has its grammar already
_FIXED = ARTICLES | {
    "all", "any", "be", "each", "every", "he", "her", "his", "i", "in", "it", "its", "many", "more", "my", "no", "not",
    "of", "on", "one", "our", "people", "she", "some", "someone", "something", "that", "their", "these", "they", "this",
    "those", "to", "two", "very", "we", "you", "your",
}  # fmt: skip
_VOWELS = "aeiou"
_OPENING = "([\"'$€£#&-"  # a piece that begins so has a space before it
_ENDS = (".", "!", "?", "。")


class Wording(NamedTuple):
    """A sentence in five pieces: its two phrases, and what stands before, between and after them.

    Attributes:
        before: may be empty.
        first: the phrase that comes first.
        between: what stands between both; may be empty.
        second: the other phrase.
        after: with the full stop.
        begins_with_tail: whether `first` is the tail.
    """

    before: str
    first: str
    between: str
    second: str
    after: str
    begins_with_tail: bool

    @property
    def pieces(self) -> tuple[str, str, str, str, str]:
        """The pieces with the spaces before them: joined they are the sentence."""
        spaced = [
            behind(piece) if piece and (piece[0].isalnum() or piece[0] in _OPENING) else piece for piece in self[:5]
        ]
        first = next(place for place, piece in enumerate(spaced) if piece)
        spaced[first] = spaced[first].lstrip(" ")
        before, one, between, other, after = spaced
        return before, one, between, other, after

    @property
    def text(self) -> str:
        """The sentence."""
        return "".join(self.pieces)


def templates_of(relation: Relation) -> tuple[str, ...]:
    """Return the sentence that the relation's phrase makes, and the templates that its vocabulary states.

    >>> templates_of(Relation("UsedFor", "is used to", templates=("{head} is for {tail}",)))
    ('{head} is used to {tail}', '{head} is for {tail}')
    """
    own = joined("{head}", relation.phrase.strip() or relation.name, "{tail}")
    return tuple(dict.fromkeys([own, *relation.templates]))


def wordings(triple: Triple, templates: Sequence[str]) -> list[Wording]:
    """Return the sentences that a triple can make, each once, those with its phrases as they are first.

    >>> templates = ["{head} is in {tail}", "in {tail} you find {head}"]
    >>> [one.text for one in wordings(Triple("ferret", "AtLocation", "the shop"), templates)][:2]
    ['ferret is in the shop.', 'in the shop you find ferret.']
    """
    heads, tails = (variants(named(text, triple.lang)) for text in (triple.head, triple.tail))
    pairs = sorted(product(range(len(heads)), range(len(tails))), key=sum)
    found = [
        _filled(named(template, triple.lang), {"{head}": heads[head], "{tail}": tails[tail]})
        for head, tail in pairs
        for template in templates
    ]
    return list(dict.fromkeys(found))


def variants(text: str) -> list[str]:
    """Return the ways to put a phrase into a sentence, as it is first.

    >>> variants("open book")
    ['open book', 'an open book', 'opening book']
    >>> variants("to rest"), variants("寝る")
    (['to rest'], ['寝る'])
    """
    text = " ".join(text.split()).rstrip(".。") or text
    if has_unspaced(text):
        return [text]  # the grammar here is English
    words = text.split()
    if len(words) >= _LONG or not words or words[0].lower() in _FIXED or words[0] in _NAMES:
        return [text]
    if not words[0].isalpha():
        return [text]
    article = "an" if words[0][0].lower() in _VOWELS else "a"
    return [text, f"{article} {text}", " ".join([gerund(words[0]), *words[1:]])]


def gerund(verb: str) -> str:
    """Return the gerund of an English verb, by rules that are right for most.

    >>> [gerund(verb) for verb in ("open", "make", "run", "lie", "see", "play", "visit", "singing")]
    ['opening', 'making', 'running', 'lying', 'seeing', 'playing', 'visiting', 'singing']
    """
    if verb.endswith("ing"):
        return verb
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:  # noqa: PLR2004 - "be"
        return f"{verb[:-1]}ing"
    if re.fullmatch(rf"[^{_VOWELS}]*[{_VOWELS}][^{_VOWELS}wxy]", verb):  # one syllable that ends in one consonant
        return f"{verb}{verb[-1]}ing"
    return f"{verb}ing"


def _filled(template: str, phrases: Mapping[str, str]) -> Wording:
    slots = _SLOT.findall(template)
    before, between, after = (part.strip() for part in _SLOT.split(template))
    first, second = (phrases[slot] for slot in slots)
    stop = "" if after.endswith(_ENDS) else "。" if has_unspaced(second) else "."
    return Wording(before, first, between, second, after + stop, slots[0] == "{tail}")
