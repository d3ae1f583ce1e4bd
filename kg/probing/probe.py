"""A probe: the clozes of a file put to one model, with variants of them and beside what needs no model."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kg.probing.clozes import Cloze
from kg.probing.corrections import Correction, Probe, corrected
from kg.probing.ranks import Ranked, by_prior, most_frequent, rank, summary
from kg.probing.wording import Blank, misprime

_NAMED = {
    **dict.fromkeys(("P19", "P20", "place_of_birth", "place_of_death"), "city"),
    "P27": "country",
    **dict.fromkeys(("P103", "P1412"), "language"),
}
"""Relations whose tail the name of a person may give away, and what the tail is."""
_GUESSES = 3  # best candidates at a name, one of which gives the tail away


def ask(
    probe: Probe,
    rows: Sequence[Cloze],
    right: Mapping[Blank, Collection[str]],
    progress: Callable[[int], object] = lambda _: None,
    *,
    correction: Correction = "none",
    instead: Sequence[Blank] | None = None,
) -> list[Ranked]:
    """Return a model's answer to each cloze.

    Args:
        probe: the model.
        rows: clozes whose tails are candidates.
        right: all right tails of each sentence.
        progress: called with 1 whenever the model has answered at a blank.
        correction: what is taken off (`kg.probing.corrections`).
        instead: other sentences that are put to the model, one for each cloze.
    """
    blanks = [row.blank for row in rows] if instead is None else list(instead)
    return [
        rank(own, probe.candidates, row.triple.relation, row.triple.tail, right[row.blank])
        for row, own in zip(rows, corrected(probe, rows, blanks, correction, progress), strict=True)
    ]


def baselines(rows: Sequence[Cloze], right: Mapping[Blank, Collection[str]], candidates: int, seed: int) -> Any:
    """Return what the relation's most frequent tail, and its other facts' tails by their number, come to."""
    facts = [(row.triple.relation, row.triple.tail) for row in rows]
    frequent = [
        Ranked(relation, tail, rank_, rank_, "")
        for (relation, tail), hit in zip(facts, most_frequent(facts), strict=True)
        for rank_ in (1 if hit else candidates,)
    ]
    prior = by_prior(facts, [right[row.blank] for row in rows], candidates)
    found = {"most_frequent": summary(frequent, seed), "prior": summary(prior, seed)}
    for part in ("relations_mean", "facts_mean"):
        for kind in ("filtered", "raw"):
            own = found["most_frequent"][part][kind]
            found["most_frequent"][part][kind] = {"P@1": own["P@1"]}
    del found["most_frequent"]["relations"], found["prior"]["relations"]
    return found


def negated(
    probe: Probe,
    rows: Sequence[Cloze],
    right: Mapping[Blank, Collection[str]],
    affirmed: Sequence[Ranked],
    seed: int,
    correction: Correction,
) -> dict[str, Any]:
    """Return how a model answers the negations of clozes; knowing what "not" means, it would answer otherwise.

    Args:
        probe: the model.
        rows: the clozes.
        right: all right tails of each sentence.
        affirmed: the answers to the clozes themselves.
        seed: of the bootstrap.
        correction: what is taken off.

    Returns:
        `facts` that can be negated; of them the share with the `same` best candidate (Kassner and Schütze 2020), and
        the `summary` of the ranks that the tail has, which is wrong now.
    """
    pairs = [(row, one) for row, one in zip(rows, affirmed, strict=True) if row.negated]
    if not pairs:
        return {"facts": 0}
    some = [row for row, _ in pairs]
    found = ask(probe, some, right, correction=correction, instead=[row.negated for row in some if row.negated])
    same = [one.best == other.best for (_, one), other in zip(pairs, found, strict=True)]
    return {"facts": len(some), "same": float(np.mean(same)), "summary": summary(found, seed)}


def misprimed(
    probe: Probe, rows: Sequence[Cloze], right: Mapping[Blank, Collection[str]], seed: int, correction: Correction
) -> dict[str, Any]:
    """Return how a model answers clozes behind a wrong tail of the same relation, drawn at random.

    Returns:
        `facts` for which there is a wrong tail; of them the share whose best candidate is the wrong tail (`misled`),
        and the `summary` of the ranks.
    """
    known: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        known[row.triple.relation][row.triple.tail] += 1
    some: list[Cloze] = []
    wrong: list[str] = []
    for row in rows:
        if others := sorted(known[row.triple.relation].keys() - right[row.blank]):
            some.append(row)
            wrong.append(random.Random(f"{seed} {row.blank}").choice(others))  # noqa: S311 - no secret
    if not some:
        return {"facts": 0}
    primed = [misprime(row.blank, one) for row, one in zip(some, wrong, strict=True)]
    found = ask(probe, some, right, correction=correction, instead=primed)
    misled = [answer.best == one for answer, one in zip(found, wrong, strict=True)]
    return {"facts": len(some), "misled": float(np.mean(misled)), "summary": summary(found, seed)}


def unnamed(probe: Probe, rows: Sequence[Cloze], *, guessed: bool) -> list[Cloze]:
    """Return the clozes whose tail the head's name does not give away: LAMA-UHN (Poerner et al. 2020).

    Args:
        probe: the model that guesses from names.
        rows: the clozes.
        guessed: also leave out those whose tail is among the model's three best candidates for the first or the last
            part of the head's name, where the relation is about a person; else only those whose head spells the tail.
    """
    kept = [row for row in rows if row.triple.tail.casefold() not in row.triple.head.casefold()]
    if not guessed:
        return kept
    asked = [
        (number, replace(row, blank=Blank(f"{part} is a common name in the {_NAMED[row.triple.relation]} of ", ".")))
        for number, row in enumerate(kept)
        if row.triple.relation in _NAMED
        for part in dict.fromkeys((row.triple.head.split()[0], row.triple.head.split()[-1]))
    ]
    found = ask(probe, [row for _, row in asked], defaultdict(set))
    away = {number for (number, _), one in zip(asked, found, strict=True) if one.raw <= _GUESSES}
    return [row for number, row in enumerate(kept) if number not in away]
