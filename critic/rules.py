"""Rules: named checks of triples, which flag and explain, and never delete.

| rule | flags a tail that |
|---|---|
| `repeats-head` | says what its head says |
| `empty` | has no content |
| `kind-of-tail` | is of another kind than the relation's tails (`critic.tail_kinds`) |
| `time` | says that it comes after what its relation puts it before, or the other way round |
| `contradicts` | is accepted for the same head by an opposite relation |

Which kinds of tail, time and opposites a relation has, its vocabulary says (`kg.vocabulary`); one that says nothing is
not checked for it. Words are English: triples in other languages are checked for repetition and contradiction alone,
and those in Japanese for tails that say there is nothing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import regex

from critic.tail_kinds import ACTION, AIM, EVENT, STATE, kinds_of
from critic.verdicts import Verdicts
from kg.languages import has_unspaced, one_width, primary
from kg.model import Triple
from kg.vocabulary import Relation, Vocabulary

_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][\p{L}\p{N}\p{M}]+)?")
_PEOPLE = frozenset({"personx", "persony", "personz", "personx's", "persony's", "personz's"})
_SMALL = _PEOPLE | frozenset({
    "a", "an", "the", "to", "of", "in", "on", "at", "by", "for", "with", "from", "and", "or", "but", "so", "as",
    "it", "its", "this", "that", "these", "those", "he", "she", "they", "them", "him", "her", "his", "their", "i",
    "me", "my", "you", "your", "we", "us", "our", "be", "is", "are", "was", "were", "been", "am", "do", "does",
    "did", "have", "has", "had", "will", "would", "can", "could",
})  # fmt: skip
_SAYS_NOTHING = frozenset({
    "none", "n/a", "na", "nil", "null", "nothing", "unknown", "something", "anything", "whatever", "idk", "etc",
    "blank", "なし", "特になし", "特にない", "何もない", "なにもない", "無し", "不明", "わからない", "同上",
})  # fmt: skip
_LATER = re.compile(
    r"\b(?:afterwards?|after that|after this|as a result|in the end|later on|from then on)\b", re.IGNORECASE
)
_EARLIER = re.compile(
    r"\b(?:beforehand|before that|before this|in advance|already|previously|first of all)\b", re.IGNORECASE
)
_FEWEST_WORDS = 2  # of a tail that repeats its head; one word may well be its point
_FEWEST_LETTERS = 5  # of one whose script puts no blank between words
_MARKS = regex.compile(r"[^\p{L}\p{N}\p{M}]+")
_ENDS = " .!。！．｡"  # noqa: RUF001
_ENDINGS = ("ing", "ed", "es", "s")
_SHORTEST_STEM = 3

Accepted = Mapping[tuple[str, str], Collection[str]]
"""Head and tail, as `key_of` has them, to the relations by which that is accepted."""


class Flag(NamedTuple):
    """What a rule holds against a triple."""

    triple: Triple
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checking:
    """What rules may look at besides a triple.

    Attributes:
        vocabulary: the relations that there may be.
        accepted: what is accepted, of the same heads.
        opposites: relation to those that it contradicts, by either's own account.
    """

    vocabulary: Vocabulary
    accepted: Accepted = field(default_factory=dict)
    opposites: Mapping[str, Collection[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, vocabulary: Vocabulary, accepted: Iterable[Triple] = ()) -> "Checking":
        """Return what rules look at, from the triples that are accepted."""
        by_ends: dict[tuple[str, str], set[str]] = defaultdict(set)
        for triple in accepted:
            by_ends[key_of(triple)].add(triple.relation)
        opposites: dict[str, set[str]] = defaultdict(set)
        for relation in vocabulary:
            for other in relation.opposite.split():
                opposites[relation.name].add(other)
                opposites[other].add(relation.name)
        return cls(vocabulary, by_ends, opposites)


def _repeats_head(triple: Triple, _relation: Relation, _given: Checking) -> str | None:
    head, tail = (_stems(text) for text in (triple.head, triple.tail))
    same = triple.head.casefold().split() == triple.tail.casefold().split() or _is_in(triple.tail, triple.head)
    if same or (len(tail) >= _FEWEST_WORDS and tail <= head):
        return "the tail says what the head says"
    return None


def _is_in(tail: str, head: str) -> bool:
    """Whether a tail without blanks between its words stands in its head, and is more than a word of it."""
    said = _MARKS.sub("", one_width(tail))
    return has_unspaced(said) and len(said) >= _FEWEST_LETTERS and said in _MARKS.sub("", one_width(head))


def _empty(triple: Triple, _relation: Relation, _given: Checking) -> str | None:
    words = _words(triple.tail)
    if not words or triple.tail.casefold().strip(_ENDS) in _SAYS_NOTHING:
        return "the tail has no content"
    if _is_english(triple) and not {*words} - _SMALL:
        return f"the tail has no words of content: {' '.join(words)}"
    return None


def _kind_of_tail(triple: Triple, relation: Relation, _given: Checking) -> str | None:
    if not relation.tail_kind or not _is_english(triple):
        return None
    kinds = kinds_of(triple.tail)
    wanted = relation.tail_kind.split()
    if not kinds or kinds & {*wanted}:
        return None
    wants, looks = (" or ".join(_KINDS[one] for one in some) for some in (wanted, sorted(kinds)))
    return f"{relation.name} wants {wants}, and this looks like {looks}"


def _time(triple: Triple, relation: Relation, _given: Checking) -> str | None:
    if not _is_english(triple):
        return None
    wrong = {"before": _LATER, "after": _EARLIER}.get(relation.tail_time)
    if wrong and (found := wrong.search(triple.tail)):
        return f"{relation.name} is about what comes {relation.tail_time} the event, and the tail says {found[0]!r}"
    return None


def _contradicts(triple: Triple, relation: Relation, given: Checking) -> str | None:
    opposed = set(given.opposites.get(relation.name, ())) & set(given.accepted.get(key_of(triple), ()))
    return f"the same tail is accepted as {', '.join(sorted(opposed))}" if opposed else None


_KINDS = {STATE: "a state", AIM: "an aim", ACTION: "an action", EVENT: "an event of its own"}

RULES: dict[str, Callable[[Triple, Relation, Checking], str | None]] = {
    "repeats-head": _repeats_head, "empty": _empty, "kind-of-tail": _kind_of_tail, "time": _time,
    "contradicts": _contradicts,
}  # fmt: skip
"""Name to check: a triple, its relation and what else there is to the reason why it is flagged; None if it is not."""


def key_of(triple: Triple) -> tuple[str, str]:
    """Return head and tail without what makes no difference: case, blanks, full stops, a tail's "to".

    >>> key_of(Triple("PersonX naps", "xWant", "To rest.")) == key_of(Triple("PersonX naps", "xNeed", "rest"))
    True
    """
    head, tail = (" ".join(text.casefold().rstrip(_ENDS).split()) for text in (triple.head, triple.tail))
    return f"{triple.lang} {head}", f"{triple.tail_lang or triple.lang} {tail.removeprefix('to ')}"


def check(triples: Iterable[Triple], given: Checking) -> Iterator[Flag]:
    """Yield what the rules hold against triples; of a relation that the vocabulary does not know, nothing."""
    for triple in triples:
        if triple.relation not in given.vocabulary or triple.says_nothing:
            continue
        relation = given.vocabulary[triple.relation]
        for name, rule in RULES.items():
            if (reason := rule(triple, relation, given)) is not None:
                yield Flag(triple, name, reason)


def measure(verdicts: Verdicts, given: Checking) -> list[dict[str, float | str | None]]:
    """Return how good each rule is at finding bad triples, and all of them together.

    Returns:
        For each `rule`: how many rows are `flagged`, how many of these are `bad`, `precision` (None where none is
        flagged) and `recall` (share of all bad rows), beside `base`, the share of bad rows among those of the relations
        in which the rule flags anything.
    """
    flags: dict[str, set[Triple]] = {name: set() for name in RULES}
    for flag in check(verdicts.triples, given):
        flags[flag.rule].add(flag.triple)
    bad = {triple for triple, good in zip(verdicts.triples, verdicts.good, strict=True) if not good}
    return [
        _quality(name, flagged, bad, verdicts.triples)
        for name, flagged in {**flags, "any of them": set().union(*flags.values())}.items()
    ]


def _quality(
    name: str, flagged: Collection[Triple], bad: Collection[Triple], triples: Sequence[Triple]
) -> dict[str, float | str | None]:
    relations = {triple.relation for triple in flagged}
    near = [triple in bad for triple in triples if triple.relation in relations]
    found = sum(triple in bad for triple in flagged)
    return {
        "rule": name, "flagged": len(flagged), "bad": found,
        "precision": found / len(flagged) if flagged else None,
        "recall": found / len(bad) if bad else None,
        "base": sum(near) / len(near) if near else None,
    }  # fmt: skip


def _is_english(triple: Triple) -> bool:
    return primary(triple.tail_lang or triple.lang) in ("en", "und")


def _words(text: str) -> list[str]:
    found: list[str] = _WORD.findall(text.casefold())
    return found


def _stems(text: str) -> set[str]:
    """Return the words of content of a text, roughly without endings."""
    found = set()
    for word in _words(text):
        if word not in _SMALL:
            ending = next((one for one in _ENDINGS if word.endswith(one)), "")
            stem = word.removesuffix(ending)
            found.add(stem if len(stem) >= _SHORTEST_STEM else word)
    return found
