"""A batch of tasks: triples of one split that are drawn to be judged, with planted controls, as one run."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from critic.sampling import (
    chance_of,
    draw_between_critics,
    draw_between_teacher_and_student,
    draw_random,
    draw_stratified,
    draw_uncertain,
    number_of,
)
from critic.verdicts import split_in, verdicts_on
from critic.ways import DEFAULT_SPLIT, WAYS
from kg.errors import InputError, NotFound, NotReady
from kg.exchange.selection import Selection
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.rows import EdgeRow
from kg.graph.scores import read_thresholds
from kg.graph.tasks import put_tasks
from kg.graph.turns import Drawn
from kg.identity import head_id, tail_id, triple_key, unordered_hash
from kg.model import NOTHING, Split
from kg.run import SAMPLE_KIND, Run
from kg.store import queries

_CONTROLS = 10  # a tenth as many as other tasks; half of them gold
_POOL = 20  # edges looked at for each control that is a tail of another event


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was drawn.

    Attributes:
        run: id of the run that drew it.
        way: how it was drawn.
        split: whose events.
        tasks: how many triples it has, controls among them.
        edges: how many edges it was drawn from; None where triples were chosen, not drawn.
        probabilities: the smallest and the largest probability of a task; None where triples were chosen.
        gold: how many controls are triples that are judged good.
        other: how many controls are tails of another event.
        new: whether it was not there before.
        notes: warnings about the condition, a line each.
    """

    run: str
    way: str
    split: Split
    tasks: int
    edges: int | None
    probabilities: tuple[float, float] | None
    gold: int
    other: int
    new: bool
    notes: tuple[str, ...]


def draw_batch(
    graph: KnowledgeGraph,
    *,
    size: int,
    way: str = "random",
    split: Split = DEFAULT_SPLIT,
    where: str | None = None,
    lang: str | None = None,
    per_triple: int = 1,
    controls: bool = False,
    critics: tuple[str, str] | None = None,
    seed: int = 0,
    name: str | None = None,
    progress: Progress = lambda _: None,
) -> Batch:
    """Draw a batch of tasks and write it; the same draw of the same graph again changes nothing.

    Args:
        graph: where the edges are; "no effect" is never judged.
        size: how many triples, controls apart; fewer where there are not as many.
        way: a name in `critic.ways`. Where triples are chosen and not drawn, those that anybody judged are left out.
        split: whose events.
        where: a Cypher condition over `head`, `r` and `tail` that edges must meet.
        lang: BCP 47 tag of the events; None takes all, if they are in one language.
        per_triple: by how many annotators each is to be judged.
        controls: whether to plant controls, a tenth as many: triples that are judged good, and tails of other events.
        critics: two critics whose scores are compared; None takes the two that were current last.
        seed: of everything random.
        name: by which the batch can be called.
        progress: called with numbers of edges read.

    Raises:
        NotReady: there is no such edge.
        NotFound: there is no such critic.
        InputError: critics are named for another way, or but one is; the edges are in several languages.
        UnsafeQuery: the condition does more than read.
        GraphChanged: something was written to the graph meanwhile.
    """
    if critics and way != "critics":
        raise InputError(f"two critics go with a draw from critics, not from {way}")
    part = Selection(graph, where=where, split=split, lang=lang, mixed=False, progress=progress)
    pair = _two_critics(graph, critics) if way == "critics" else None
    drawn, edges = _draw(graph, part, way, size, seed, pair)
    if not drawn:
        of = f"{split} event{' that meets the condition' if where else ''}"
        raise NotReady(f"there is no edge of a {of} {WAYS[way].nothing}")
    gold, other = _controls(graph, part, split, drawn, seed) if controls else ([], [])
    tasks = _planted(drawn, [*gold, *other], seed)
    lines = (f"{triple_key(*one.ends)} {one.probability} {one.control}" for one in tasks)
    parameters = {
        "size": size, "from": way, "split": split, "where": where, "per_triple": per_triple, "controls": controls,
        "seed": seed, "drawn": unordered_hash(lines), **({"critics": list(pair)} if pair else {}),
        **({"lang": lang} if lang else {}),
    }  # fmt: skip
    run = Run(SAMPLE_KIND, dataset=name, parameters=parameters)
    new = put_tasks(graph, run, tasks, wanted=per_triple, edges=edges)
    chances = [one.probability for one in drawn if one.probability is not None]
    return Batch(
        run.id, way, split, len(tasks), edges, (min(chances), max(chances)) if chances else None, len(gold),
        len(other), new, tuple(part.notes),
    )  # fmt: skip


def describe(batch: Batch) -> list[str]:
    """Return lines that say what was drawn, from what, and what can be learnt from it."""
    planted = f", {batch.gold} judged good and {batch.other} tails of other events planted among them"
    known = "" if batch.new else " (nothing new)"
    told = "" if batch.split == DEFAULT_SPLIT else f" with split {batch.split}"
    lines = [
        f"{batch.tasks:,} tasks{planted if batch.gold or batch.other else ''}, in batch {batch.run}{known}",
        f"All are about {batch.split} events, as is what kg student evaluate and kg query to_judge take{told}.",
    ]
    if batch.probabilities is None:
        return [
            *lines,
            f"They were chosen ({batch.way}), not drawn: no unbiased estimate of all edges follows from them.",
        ]
    low, high = batch.probabilities
    chance = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return [*lines, f"They were drawn ({batch.way}) from {batch.edges:,} edges, each with a probability of {chance}."]


def _draw(
    graph: KnowledgeGraph, part: Selection, way: str, size: int, seed: int, critics: tuple[str, str] | None
) -> tuple[list[Drawn], int | None]:
    """Return what is drawn, and from how many edges; None where triples are chosen."""
    if way == "random":
        return draw_random(_edges(part), size, seed)
    if way == "stratified":
        return draw_stratified(lambda: _edges(part), size, seed)
    judged = {triple_key(row["head"], row["relation"], row["tail"]) for row in graph.judgement_rows()}
    rows = (
        row for row in _edges(part) if not judged or triple_key(row.head_id, row.relation, row.tail_id) not in judged
    )
    if way == "uncertain":
        return draw_uncertain(rows, size, read_thresholds(graph.store.read)), None
    if critics:
        return draw_between_critics(rows, size, critics), None
    return draw_between_teacher_and_student(rows, size), None


def _edges(part: Selection) -> Iterator[EdgeRow]:
    return (row for page in part.pages for row in page if row.tail_id != NOTHING)


def _two_critics(graph: KnowledgeGraph, named: tuple[str, str] | None) -> tuple[str, str]:
    known = [str(critic["id"]) for critic in graph.critics()]
    if named is None:
        if len(known) < 2:  # noqa: PLR2004 - two to compare
            raise NotReady("two critics can disagree where two have been trained; run kg critic train --kind KIND")
        return known[0], known[1]
    if unknown := [critic for critic in named if critic not in known]:
        raise NotFound(f"no critic {unknown[0]!r}; see kg critic list")
    if named[0] == named[1]:
        raise InputError(f"{named[0]} cannot disagree with itself; name two critics")
    return named


def _controls(
    graph: KnowledgeGraph, part: Selection, split: Split, drawn: Sequence[Drawn], seed: int
) -> tuple[list[Drawn], list[Drawn]]:
    """Return controls that are judged good, and those that are tails of other events; as many as there may be."""
    wanted = max(1, len(drawn) // (2 * _CONTROLS))
    pool = heapq.nsmallest(_POOL * wanted, _edges(part), key=lambda row: number_of(row, ~seed))
    langs = {row.lang for row in pool}
    judgements = [judgement for judgement in graph.judgements() if judgement.triple.lang in langs]
    splits = graph.splits_of(sorted({head_id(judgement.triple) for judgement in judgements}))
    verdicts = verdicts_on([judgement for judgement in judgements if split_in(judgement.triple, splits) == split])
    good = {
        (head_id(triple), triple.relation, tail_id(triple))
        for triple, is_good in zip(verdicts.triples, verdicts.good, strict=True)
        if is_good
    }
    taken = {one.ends for one in drawn}
    free = sorted(good - taken)
    chosen = chance_of(seed).permutation(len(free))[:wanted]
    gold = [Drawn(*free[int(place)], None, "gold") for place in chosen]
    other: list[Drawn] = []
    for head, relation, tail in _crossed(pool):
        if len(other) == wanted:
            break
        if (head, relation, tail) in good | taken | {one.ends for one in other}:
            continue
        text = queries.load("graph/has_edge").of(graph.vocabulary()[relation]).text
        if not graph.store.read(text, head=head, tail=tail):
            other.append(Drawn(head, relation, tail, control="other"))
    return gold, other


def _crossed(pool: Sequence[EdgeRow]) -> Iterator[tuple[str, str, str]]:
    """Yield events of a pool of edges with a relation and a tail that another event of the same language has there."""
    for place, row in enumerate(pool):
        for another in (*pool[place + 1 :], *pool[:place]):
            same = (another.relation, another.lang, another.tail_lang) == (row.relation, row.lang, row.tail_lang)
            if same and another.head_id != row.head_id and row.head_id != another.tail_id != row.tail_id:
                yield row.head_id, row.relation, another.tail_id
                break


def _planted(drawn: Sequence[Drawn], controls: Iterable[Drawn], seed: int) -> list[Drawn]:
    """Return tasks in their order, with controls at random places among them."""
    tasks, chance = list(drawn), chance_of(seed)
    for one in controls:
        tasks.insert(int(chance.integers(len(tasks) + 1)), one)
    return tasks
