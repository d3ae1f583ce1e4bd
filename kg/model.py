"""The records that stages hand to one another, and the identities that never change.

Everything here is a value: equal by content, safe to hash, free of I/O.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from kg.errors import InputError

NOTHING = "none"
"""ATOMIC's literal tail for "no effect": a fact about an event, but no phrase."""

MAX_TEXT_BYTES = 16_384
"""Longest phrase stored, in bytes of UTF-8. Neo4j's text index ends at 32 kB; a phrase of that size is no phrase."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

JUDGEMENT_VALUES = (2, 1, -1, -2, -9)
"""Always or often, sometimes or likely, farfetched or never, invalid, unfamiliar (West et al. 2021, s4.2)."""


@dataclass(frozen=True, slots=True, order=True)
class Triple:
    """Head, relation, tail: the unit of knowledge.

    Attributes:
        head: text of the event.
        relation: a relation of the vocabulary.
        tail: text of the inference, or `NOTHING`.
        lang: BCP 47 tag of the head, and of the tail where that has none of its own.
        tail_lang: BCP 47 tag of a tail in another language; empty for the head's.
        head_uri: what tells the head from a phrase of the same text, as ConceptNet's URI of a sense of it does;
            empty for the phrase itself, whose URI would be `concept_uri(head, lang)`.
        tail_uri: the same of the tail.
    """

    head: str
    relation: str
    tail: str
    lang: str = "en"
    tail_lang: str = ""
    head_uri: str = ""
    tail_uri: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether the tail is ATOMIC's "no effect", and not the word `none` (which has a URI)."""
        return self.tail == NOTHING and not self.tail_uri


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text of the graph.

    Attributes:
        text: the text, in NFC.
        lang: BCP 47 tag.
        labels: its labels besides `Phrase`: `Event`, `Inference`, `Concept` (one with a URI).
        split: split of an event; None for a phrase that never is a head.
        uri: what tells it from a phrase of the same text; empty for nearly all.
        runs: ids of the runs that wrote it as an event by itself.
        logprob: mean token log-probability given by the first of them.
    """

    text: str
    lang: str = "en"
    labels: tuple[str, ...] = ()
    split: Split | None = None
    uri: str = ""
    runs: tuple[str, ...] = ()
    logprob: float | None = None

    @property
    def id(self) -> str:
        """Key of its node."""
        return phrase_id(self.text, self.lang, self.uri)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A triple as one source states it.

    Attributes:
        triple: what is stated.
        split: the split that the source publishes for the event; None leaves it to `split_of`.
        logprob: the teacher's mean token log-probability (at most 0), where it gave one.
        weight: the source's own weight, as ConceptNet has.
        sources: the source's own sources: ConceptNet's as JSON, ATOMIC's answers as `ROW.PLACE`.
        details: what else the source says of it, as a JSON object.
        score: a probability in [0, 1] that the source publishes, as SKD's release does.
    """

    triple: Triple
    split: Split | None = None
    logprob: float | None = None
    weight: float | None = None
    sources: tuple[str, ...] = ()
    details: str | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One annotator's verdict on a triple; `value` is one of `JUDGEMENT_VALUES`."""

    triple: Triple
    annotator: str
    value: int

    @property
    def is_good(self) -> bool:
        """Whether the triple was accepted; -9 (unfamiliar) counts as not, as in West et al. 2021, app. A."""
        return self.value > 0


@dataclass(frozen=True, slots=True)
class Edge:
    """A triple as the graph holds it, with all that is said about it.

    Attributes:
        triple: head, relation, tail.
        split: split of the event.
        runs: ids of the runs that asserted it, the first one first.
        predicted: whether only students have asserted it.
        logprob: mean token log-probability given by the first run that asserted it.
        score: the critic's probability in [0, 1] that the triple is acceptable.
        critic: id of the critic that gave the score.
        accepted: whether the score reached the current threshold of the relation.
        weight: the source's own weight.
        sources: the source's own sources, each once.
        details: what else the source says of it, as a JSON object.
    """

    triple: Triple
    split: Split
    runs: tuple[str, ...]
    predicted: bool
    logprob: float | None = None
    score: float | None = None
    critic: str | None = None
    accepted: bool | None = None
    weight: float | None = None
    sources: tuple[str, ...] = ()
    details: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What `details` say, as a map; empty where there are none, or no JSON object."""
        try:
            found = json.loads(self.details or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Thresholds on the score of one critic.

    Attributes:
        id: key of the acceptance.
        critic: id of the critic.
        recall: the chosen recall, in (0, 1].
        thresholds: recall (as text, "0.8") to relation to threshold; "overall" stands for all other relations.
    """

    id: str
    critic: str
    recall: float
    thresholds: dict[str, dict[str, float]]

    def threshold(self, relation: str) -> float:
        """Return the smallest accepted score of a relation at the chosen recall."""
        chosen = self.thresholds[f"{self.recall:g}"]
        return chosen.get(relation, chosen["overall"])


def clean_text(text: str) -> str:
    """Return a text as it is stored: in Unicode's form NFC, otherwise verbatim.

    Raises:
        InputError: the text is blank, longer than `MAX_TEXT_BYTES`, or has a NUL or a lone surrogate.

    >>> clean_text("to lose one's nerve")
    "to lose one's nerve"
    """
    if not text.strip():
        raise InputError("the text is empty")
    if "\0" in text:
        raise InputError("the text has a NUL character")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError("the text has a lone surrogate, so it is not valid Unicode") from error
    if size > MAX_TEXT_BYTES:
        raise InputError(f"the text has {size:,} bytes; at most {MAX_TEXT_BYTES:,} are stored")
    return unicodedata.normalize("NFC", text)


def concept_uri(text: str, lang: str) -> str:
    """Return the URI that ConceptNet gives to a text.

    >>> concept_uri("hard questions", "en")
    '/c/en/hard_questions'
    """
    return f"/c/{lang}/{text.replace(' ', '_')}"


def read_concept_uri(uri: str) -> tuple[str, str]:
    """Return text and language of a ConceptNet URI; any other URI is its own text, of undetermined language.

    >>> read_concept_uri("/c/en/hard_questions/n")
    ('hard questions', 'en')
    >>> read_concept_uri("http://example.org/x")
    ('http://example.org/x', 'und')
    """
    parts = uri.split("/")
    if len(parts) > 3 and parts[0] == "" and parts[1] in ("c", "x") and parts[2] and parts[3]:  # noqa: PLR2004
        return parts[3].replace("_", " "), parts[2]
    return uri, "und"


def own_uri(text: str, lang: str, uri: str) -> str:
    """Return a URI, or nothing where it is the one that its text has anyway."""
    return "" if uri == concept_uri(text, lang) else uri


@lru_cache(maxsize=65_536)
def phrase_id(text: str, lang: str = "en", uri: str = "") -> str:
    """Return the key of a phrase: 32 hex characters, the 128-bit BLAKE2b of language, NUL and the NFC text.

    A URI of its own, other than the one its text would have, follows after another NUL.

    >>> phrase_id("PersonX fires PersonY")
    '2623335b4bee5d47a27f93101cff05ea'
    """
    content = f"{lang}\0{unicodedata.normalize('NFC', text)}"
    if own := own_uri(text, lang, uri):
        content += f"\0{own}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def head_id(triple: Triple) -> str:
    """Return the key of the node that a triple leaves."""
    return phrase_id(triple.head, triple.lang, triple.head_uri)


def tail_id(triple: Triple) -> str:
    """Return the key of the node that a triple reaches; the one node for no effect has the key `NOTHING`.

    >>> tail_id(Triple("PersonX sleeps", "oEffect", "none"))
    'none'
    """
    if triple.says_nothing:
        return NOTHING
    return phrase_id(triple.tail, triple.tail_lang or triple.lang, triple.tail_uri)


def triple_id(triple: Triple) -> str:
    """Return a stable identity of a triple: 32 hex characters over its ends' keys and its relation."""
    return triple_key(head_id(triple), triple.relation, tail_id(triple))


def triple_key(head: str, relation: str, tail: str) -> str:
    """Return the identity of a triple whose ends have these keys."""
    return hashlib.blake2b(f"{head}\0{relation}\0{tail}".encode(), digest_size=16).hexdigest()


def judgement_id(judgement: Judgement) -> str:
    """Return the key of a judgement, which is that of its triple and its annotator."""
    triple = judgement.triple
    return judgement_key(head_id(triple), triple.relation, tail_id(triple), judgement.annotator)


def judgement_key(head: str, relation: str, tail: str, annotator: str) -> str:
    """Return the key of a judgement on a triple whose ends have these keys."""
    content = f"{triple_key(head, relation, tail)}\0{annotator}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def split_of(event_id: str) -> Split:
    """Return the split of an event, 80 / 10 / 10, from its key alone: the same on every machine."""
    bucket = int(event_id[:8], 16) % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"  # noqa: PLR2004 - tenths


def half_of(event_id: str) -> Literal[0, 1]:
    """Return one of two halves of the events, independent of `split_of`.

    The critic that filters learns from half 0, the critic that judges the student from half 1.
    """
    return 1 if int(event_id[8:16], 16) % 2 else 0


def content_hash(lines: Iterable[str]) -> str:
    """Return 32 hex characters over lines, whatever their order; equal lines count as often as they come."""
    total = 0
    for line in lines:
        total += int.from_bytes(hashlib.blake2b(line.encode(), digest_size=16).digest(), "big")
    return f"{total % (1 << 128):032x}"
