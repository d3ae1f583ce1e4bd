"""Corrections: what a model finds likely anyway is taken off, so that what it knows of the head is left.

| correction | a candidate's score |
|---|---|
| none | its log-probability: LAMA's own question |
| headless | less its log-probability in the sentence without the head: their mutual information |
| heads | less its mean over the sentences of the relation: no tail has to be known |
| posterior | `heads`, and the logarithm of how many *other* facts of the relation have that tail, and a half |

The last one is no question without examples any more: what it knows of tails is what the baseline of the most frequent
tail knows. Weights are 1; nothing is tuned.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import numpy as np

from kg.probing.clozes import Cloze
from kg.probing.ranks import Array
from kg.probing.wording import Blank

Correction = Literal["none", "headless", "heads", "posterior"]

_UNSEEN = 0.5  # of a fact, for a tail that never comes


class Probe(Protocol):
    """Asks one model: `kg.probing.causal.CausalProbe` or `kg.probing.masked.MaskedProbe`."""

    candidates: list[str]

    def scores(self, blanks: Sequence[Blank], tails: Sequence[str] | None = None) -> Iterator[Array]:
        """Yield the scores of all candidates at each blank; of those surely below a tail's, if given, maybe less."""


def corrected(
    probe: Probe,
    rows: Sequence[Cloze],
    blanks: Sequence[Blank],
    correction: Correction,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Array]:
    """Yield the scores of all candidates at each blank.

    Args:
        probe: the model.
        rows: the clozes.
        blanks: the sentences that are put to the model, one for each cloze.
        correction: see above.
        progress: called with 1 when the model has answered at a blank, which may be long before its scores are known.
    """
    if correction == "none":
        yield from _told(probe.scores(blanks, [row.triple.tail for row in rows]), progress)
    elif correction == "headless":
        distinct = list(dict.fromkeys(row.headless for row in rows))
        anyway = dict(zip(distinct, probe.scores(distinct), strict=True))
        for row, found in zip(rows, _told(probe.scores(blanks), progress), strict=True):
            yield found - anyway[row.headless]
    else:
        yield from _over_heads(probe, rows, _told(probe.scores(blanks), progress), posterior=correction == "posterior")


def _told(answers: Iterator[Array], progress: Callable[[int], object]) -> Iterator[Array]:
    for answer in answers:
        progress(1)
        yield answer


def _over_heads(probe: Probe, rows: Sequence[Cloze], answers: Iterator[Array], *, posterior: bool) -> Iterator[Array]:
    everything = [found.astype(np.float32) for found in answers]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.triple.relation].append(place)
    means = {name: np.mean([everything[place] for place in own], axis=0, dtype=float) for name, own in places.items()}
    number = {candidate: place for place, candidate in enumerate(probe.candidates)}
    counts = {name: Counter(number[rows[place].triple.tail] for place in own) for name, own in places.items()}
    for row, found in zip(rows, everything, strict=True):
        name = row.triple.relation
        values = found - means[name]
        if posterior:
            often = np.full(len(values), _UNSEEN)
            for place, count in counts[name].items():
                often[place] += count - (place == number[row.triple.tail])
            values += np.log(often)
        yield values
