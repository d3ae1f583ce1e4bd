"""The records that stages hand to one another.

Everything here is a value: equal by content, safe to hash, free of I/O. Their keys are made in `kg.identity`.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from kg.errors import InputError
from kg.identity import phrase_id

NOTHING = "none"
"""ATOMIC's literal tail for "no effect": a fact about an event, but no phrase."""

MAX_TEXT_BYTES = 16_384
"""Longest phrase stored, in bytes of UTF-8. Neo4j's text index ends at 32 kB; a phrase of that size is no phrase."""

OVERALL = "*"
"""Stands in thresholds for every relation that has none of its own; no relation can be called so."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

JUDGEMENT_VALUES = (2, 1, -1, -2, -9)
"""Always or often, sometimes or likely, farfetched or never, invalid, unfamiliar (West et al. 2021, s4.2)."""


CONTROLS = ("gold", "other")
"""What a planted control is: a triple that is judged good, or an event with the tail of another one."""

TURNS = ("skipped", "back")
"""What an annotator may say through a task besides a verdict: that there will be none, or that it is taken back."""


@dataclass(frozen=True, slots=True, order=True)
class Triple:
    """Head, relation, tail: the unit of knowledge.

    Attributes:
        head: text of the event.
        relation: a relation of the vocabulary.
        tail: text of the inference, or `NOTHING`.
        lang: BCP 47 tag of the head, and of the tail where that has none of its own.
        tail_lang: BCP 47 tag of a tail in another language; empty for the head's.
        head_uri: the URI that tells the head from a phrase of the same text, as ConceptNet's URI of a sense of it does;
            empty for the phrase itself, whose URI would be `concept_uri(head, lang)`.
        tail_uri: the URI that tells the tail from such a phrase.
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
        uri: the URI that tells the phrase from another of the same text; empty for nearly all.
        runs: ids of the runs that wrote the phrase as an event by itself.
        logprob: mean token log-probability, of the first of these runs that gives one.
        splits: the splits that runs published, each as `train run-id`, the first one first.
        statements: the properties that each of these runs gives, as on an edge.
    """

    text: str
    lang: str = "en"
    labels: tuple[str, ...] = ()
    split: Split | None = None
    uri: str = ""
    runs: tuple[str, ...] = ()
    logprob: float | None = None
    splits: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Key of its node."""
        return phrase_id(self.text, self.lang, self.uri)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A triple as one source states it.

    Attributes:
        triple: head, relation, tail.
        split: the split that the source publishes for the event; None leaves it to `split_of`.
        logprob: the teacher's mean token log-probability (at most 0), where it gave one.
        weight: the source's own weight, as ConceptNet has.
        sources: the source's own sources: ConceptNet's as JSON, ATOMIC's answers as `ROW.PLACE`.
        details: the source's other values, as a JSON object.
        score: a probability in [0, 1] that the source publishes, as SKD's release does; an edge's `published`.
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


def consensus(values: Sequence[int]) -> int:
    """Return the one verdict that several annotators' verdicts on a triple come to.

    Unfamiliar ones (-9) do not count, unless all are. The consensus is good if more than half of the others are good;
    then it is the median of the good ones, else of the bad ones, the milder of two.

    Args:
        values: at least one, each of `JUDGEMENT_VALUES`.

    >>> consensus([2, 2, -2]), consensus([2, -2]), consensus([2, 1, 1, -1]), consensus([-9, 1]), consensus([-9])
    (2, -2, 1, 1, -9)
    """
    known = [value for value in values if value in (2, 1, -1, -2)]
    if not known:
        return -9
    is_good = 2 * sum(value > 0 for value in known) > len(known)
    side = sorted((value for value in known if (value > 0) == is_good), key=abs)
    return side[(len(side) - 1) // 2]


@dataclass(frozen=True, slots=True)
class Edge:
    """A triple as the graph holds it, with all that is said about it.

    Attributes:
        triple: head, relation, tail.
        split: split of the event.
        runs: ids of the runs that asserted the edge, the first one first.
        predicted: whether only students have asserted the edge.
        logprob: mean token log-probability, of the first run that gives one, as all that is in `STATED`.
        score: the critic's probability in [0, 1] that the triple is acceptable.
        critic: id of the critic that gave the score.
        accepted: whether the score reached the current threshold of the relation.
        weight: the source's own weight.
        sources: the source's own sources, each once.
        details: the source's other values, as a JSON object.
        published: the probability in [0, 1] that a source publishes; a critic's is `score`.
        scores: the scores of other critics than `critic`, each as `0.25 critic-id`; empty where one has scored.
        statements: the properties that each run gives, as JSON objects (`kg.graph.statements`); empty where only the
            first run gives any.
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
    published: float | None = None
    scores: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def detail_map(self) -> dict[str, Any]:
        """The details as a map; empty where there are none, or no JSON object."""
        try:
            found = json.loads(self.details or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


FieldType = Literal["text", "number", "flag", "texts"]
_FIELD_TYPES: dict[Any, FieldType] = {
    str | None: "text", float | None: "number", bool: "flag", bool | None: "flag", tuple[str, ...]: "texts",
}  # fmt: skip
EDGE_FIELDS: dict[str, FieldType] = {
    name: _FIELD_TYPES[kind] for name, kind in get_type_hints(Edge).items() if name not in ("triple", "split")
}
"""The properties of an edge, those of the relationship in Neo4j, with their types, in the order of `Edge`'s fields."""

STATED = tuple({"score": "published"}.get(field.name, field.name) for field in fields(Assertion)[2:])
"""The properties that a run may state of an edge: the fields of `Assertion` after `split`."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Thresholds on the score of one critic.

    Attributes:
        id: key of the acceptance.
        critic: id of the critic.
        recall: the chosen recall, in (0, 1].
        thresholds: recall (as text, "0.8") to relation to threshold; `OVERALL` stands for all other relations.
        teachers: teacher (the model of its runs) to such thresholds, for those that have some of their own.
        intervals: relation to the 95 % interval of its overall threshold at the chosen recall; empty where an older
            version chose.
    """

    id: str
    critic: str
    recall: float
    thresholds: dict[str, dict[str, float]]
    teachers: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def by_relation(self, teacher: str | None = None, recall: str | None = None) -> Mapping[str, float]:
        """Return relation to threshold: a teacher's own or, where that has none, the overall ones.

        Args:
            teacher: the model that wrote an edge; None takes the overall ones.
            recall: as text; None takes the chosen one. Of a recall that was not calibrated for there are none.
        """
        return self.teachers.get(teacher or "", self.thresholds).get(recall or f"{self.recall:g}", {})

    def threshold(self, relation: str, teacher: str | None = None) -> float:
        """Return the smallest accepted score of a relation, of what a teacher wrote, at the chosen recall."""
        found = threshold_of(self.by_relation(teacher), relation)
        if found is None:
            raise InputError(f"acceptance {self.id} has no threshold for {relation}; calibrate the critic again")
        return found


def threshold_of(thresholds: Mapping[str, float], relation: str) -> float | None:
    """Return the threshold of a relation: its own, or the one of all others; None where there is neither.

    >>> threshold_of({"*": 0.5, "overall": 0.9}, "xWant"), threshold_of({"overall": 0.5}, "xWant")
    (0.5, 0.5)
    """
    return thresholds.get(relation, thresholds.get(OVERALL, thresholds.get("overall")))  # as it was called once


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
