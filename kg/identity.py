"""The identities that never change: keys of phrases, triples, judgements and tasks, and the splits that follow.

All are hashes of content, the same on every machine and in every run.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kg.model import Judgement, Split, Triple


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
    """Return a URI; empty where that is the URI which ConceptNet gives the text anyway."""
    return uri if uri and uri != concept_uri(text, lang) else ""


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


def head_id(triple: "Triple") -> str:
    """Return the key of the node that a triple leaves."""
    return phrase_id(triple.head, triple.lang, triple.head_uri)


def tail_id(triple: "Triple") -> str:
    """Return the key of the node that a triple reaches; the one node for no effect has the key `none`.

    >>> from kg.model import Triple
    >>> tail_id(Triple("PersonX sleeps", "oEffect", "none"))
    'none'
    """
    if triple.says_nothing:
        return triple.tail
    return phrase_id(triple.tail, triple.tail_lang or triple.lang, triple.tail_uri)


def triple_id(triple: "Triple") -> str:
    """Return a stable identity of a triple: 32 hex characters over its ends' keys and its relation."""
    return triple_key(head_id(triple), triple.relation, tail_id(triple))


def triple_key(head: str, relation: str, tail: str) -> str:
    """Return the identity of a triple whose ends have these keys."""
    return hashlib.blake2b(f"{head}\0{relation}\0{tail}".encode(), digest_size=16).hexdigest()


def judgement_id(judgement: "Judgement") -> str:
    """Return the key of a judgement, which is that of its triple and its annotator."""
    triple = judgement.triple
    return judgement_key(head_id(triple), triple.relation, tail_id(triple), judgement.annotator)


def judgement_key(head: str, relation: str, tail: str, annotator: str) -> str:
    """Return the key of a judgement on a triple whose ends have these keys."""
    content = f"{triple_key(head, relation, tail)}\0{annotator}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def task_key(run: str, head: str, relation: str, tail: str) -> str:
    """Return the key of a task, which is that of the run that drew it and of its triple."""
    content = f"{run}\0{triple_key(head, relation, tail)}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def split_of(event_id: str) -> "Split":
    """Return the split of an event, 80 / 10 / 10, from its key alone: the same on every machine."""
    bucket = int(event_id[:8], 16) % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"  # noqa: PLR2004 - tenths


def half_of(event_id: str) -> Literal[0, 1]:
    """Return one of two halves of the events, independent of `split_of`.

    The critic that filters learns from half 0, the critic that judges the student from half 1.
    """
    return 1 if int(event_id[8:16], 16) % 2 else 0


def unordered_hash(lines: Iterable[str]) -> str:
    """Return 32 hex characters over lines, whatever their order; equal lines count as often as they come."""
    total = 0
    for line in lines:
        total += int.from_bytes(hashlib.blake2b(line.encode(), digest_size=16).digest(), "big")
    return f"{total % (1 << 128):032x}"
