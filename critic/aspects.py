"""Aspects: what a critic's score is the probability of, so that an edge may have two, plausible and typical.

One verdict says both (West et al. 2021, s4.2): what is "always or often true" is typical, what is "sometimes or likely
true" plausible alone. So nobody judges twice, as for FolkScope (Yu et al. 2023, arXiv 2211.08316, s3.3), whose second
question was asked about what was plausible. A critic is of one aspect, and its id says whose score it is.
"""

from collections.abc import Iterable
from dataclasses import replace

from kg.model import Judgement

PLAUSIBLE = "plausible"
ASPECTS = {PLAUSIBLE: 1, "typical": 2}
"""Name to the smallest verdict that is good in this aspect, of 2 and 1."""

_NOT = -1


def in_aspect(judgements: Iterable[Judgement], aspect: str) -> list[Judgement]:
    """Return verdicts as they are about one aspect: a good one that does not reach it is a bad one.

    Args:
        judgements: as annotators gave them.
        aspect: a name in `ASPECTS`.
    """
    smallest = ASPECTS[aspect]
    return [replace(one, value=_NOT) if 0 < one.value < smallest else one for one in judgements]
