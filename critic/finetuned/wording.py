"""A triple as a model with a classification head reads it: a pair of texts, with first names for persons.

The names are drawn anew for each pass (West et al. 2021, appendix A): no name is to say anything about a triple, and
the mean of several passes is a steadier score than one of them. A draw follows from triple and pass alone, so that a
score does not depend on what is scored beside.
"""

import numpy as np

from kg.identity import triple_id
from kg.languages import joined, language, persons
from kg.model import Triple

NAMES = (
    "Aisha", "Alex", "Ana", "Ben", "Chen", "Chris", "Dana", "Diego", "Elena", "Emma", "Fatima", "George",
    "Hannah", "Ivan", "James", "Julia", "Kofi", "Laura", "Liam", "Lucy", "Marco", "Maria", "Mei", "Nina",
    "Noah", "Oliver", "Omar", "Paul", "Priya", "Rosa", "Sam", "Sarah", "Tariq", "Tom", "Yuki", "Zoe",
)  # fmt: skip
"""First names, of women and men and of several languages."""


def worded(triple: Triple, phrase: str, number: int) -> tuple[str, str]:
    """Return the event, and the relation's phrase with the tail, both with the names of a pass.

    Args:
        triple: persons are as its language calls them; a text without one is the same in every pass.
        phrase: of the relation, as the vocabulary has it.
        number: of the pass; different persons have different names in it.

    >>> worded(Triple("a bus stops", "xWant", "to get off"), "so they want", 0)
    ('a bus stops', 'so they want to get off')
    """
    random = np.random.default_rng([int(triple_id(triple)[:16], 16), number])
    known = language(triple.lang)
    to_choose = known.names if known.honorific else NAMES
    chosen = random.choice(to_choose, len(known.persons), replace=False).tolist()
    names = dict(zip(known.persons, chosen, strict=True))
    second = joined(phrase.strip() or triple.relation, triple.tail)
    first, second = (persons(known).sub(lambda found: names[found[1]], text) for text in (triple.head, second))
    return first, second
