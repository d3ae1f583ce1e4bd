"""What can be said without training: the rows that stand beside every system that was measured."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
from more_itertools import chunked

from student.interface import Encode
from student.metrics.files import Answer

VOTERS = (50, 200)
BEAMS = 10  # candidates of a control, as a system has beams
_HEADS = 256  # compared at once with all training events

Triple = tuple[str, str, str]


def controls(answers: Sequence[Answer], training: Sequence[Triple], encode: Encode) -> dict[str, list[Answer]]:
    """Return what retrieval and guessing say to the prefixes that were answered.

    Args:
        answers: their prefixes, with references.
        training: head, relation, tail.
        encode: the sentence encoder, by whose cosine events are near.

    Returns:
        By name: the `most frequent tail` of the relation; the tails of the `nearest event` that has the relation; the
        most frequent tails among the 50 and the 200 nearest, `vote of 50` and `vote of 200`. Each has a greedy tail and
        up to 10 candidates; of equally frequent ones that of the nearer event comes first. A prefix of a relation that
        the training has not is answered by an empty tail.
    """
    heads = sorted({head for head, _, _ in training})
    numbers = {head: number for number, head in enumerate(heads)}
    tails: defaultdict[str, defaultdict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for head, relation, tail in training:
        tails[relation][numbers[head]].append(tail)
    near = _nearest(answers, {relation: sorted(table) for relation, table in tails.items()}, heads, encode)
    found: dict[str, list[Answer]] = {name: [] for name in ("most frequent tail", "nearest event", *map(_vote, VOTERS))}
    frequent = {relation: _ranked(tails[relation].values()) for relation in tails}
    for answer in answers:
        table: Mapping[int, list[str]] = tails.get(answer.relation, {})
        order = near.get((answer.head, answer.relation), [])
        said = {"most frequent tail": frequent.get(answer.relation, [])}
        said["nearest event"] = _ranked(table[number] for number in order[:1])
        for voters in VOTERS:
            said[_vote(voters)] = _ranked(table[number] for number in order[:voters])
        for name, candidates in said.items():
            found[name].append(_said(answer, candidates))
    return found


def gold_against_gold(answers: Sequence[Answer]) -> list[Answer]:
    """Return every reference as the output of a prefix whose references are the others; prefixes with one have none."""
    return [
        Answer(one.head, one.relation, tail, (tail,), (*one.references[:place], *one.references[place + 1 :]))
        for one in answers
        for place, tail in enumerate(one.references)
        if len(one.references) > 1 and tail
    ]


def _nearest(
    answers: Sequence[Answer], having: Mapping[str, Sequence[int]], heads: Sequence[str], encode: Encode
) -> dict[tuple[str, str], list[int]]:
    """Return for each (event, relation) the numbers of the nearest training events that have the relation."""
    asked: defaultdict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.relation in having:
            asked[answer.head].add(answer.relation)
    if not asked:
        return {}
    vectors = encode(heads)  # (events, d)
    places = {relation: np.array(numbers) for relation, numbers in having.items()}
    found: dict[tuple[str, str], list[int]] = {}
    for some in chunked(sorted(asked), _HEADS):
        table = encode(some) @ vectors.T  # (n, events)
        for head, row in zip(some, table, strict=True):
            for relation in asked[head]:
                mine = places[relation]
                order = np.argsort(-row[mine], kind="stable")[: max(VOTERS)]
                found[head, relation] = mine[order].tolist()
    return found


def _ranked(tails: Iterable[Sequence[str]]) -> list[str]:
    """Return the most frequent tails first, of equally frequent ones the one that was met first."""
    return [tail for tail, _ in Counter(chain.from_iterable(tails)).most_common(BEAMS)]


def _said(answer: Answer, candidates: Sequence[str]) -> Answer:
    greedy = candidates[0] if candidates else ""
    return Answer(answer.head, answer.relation, greedy, tuple(candidates), answer.references)


def _vote(voters: int) -> str:
    return f"vote of {voters}"
