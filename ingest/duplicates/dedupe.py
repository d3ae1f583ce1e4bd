"""De-duplicate: find edges that say again what another one says; set them aside only when asked to.

Three rules, in this order, each applied to what the ones before have left: the same tail of the same event and relation
after normalising; soft uniqueness among the tails of an event and relation; near-duplicates across the whole graph,
where head and tail each are nearly those of the other edge (taken together, a long head would hide that the tails
differ). Of several edges the one with the highest score stays (the critic's, or else a published one), then the one
with the most evidence, then the first by its key.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest.duplicates.diversity import soft_duplicates
from ingest.duplicates.near import first_alike, may_say_the_same, near_pairs
from kg import strict_json
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import triple_id, unordered_hash
from kg.model import Edge, Triple
from kg.run import Run, write_record
from kg.workspace import Workspace, new_file


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An edge that is to go, the rule that says so, and the triple that says the same, where there is one."""

    edge: Edge
    rule: str
    like: str


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """The result of a de-duplication.

    Attributes:
        run: id of its run.
        edges: how many edges were compared.
        rules: how many duplicates each rule found.
        deleted: how many edges are gone.
        file: the list of the duplicates, as they were.
    """

    run: str
    edges: int
    rules: Counter[str]
    deleted: int
    file: Path


def dedupe(
    graph: KnowledgeGraph, workspace: Workspace, *, soft: bool = False, near: float | None = None, apply: bool = False
) -> Deduplicated:
    """Find duplicates, list them in the run's folder, and take them out of the graph if asked to.

    Args:
        graph: where the edges are.
        workspace: where the run's folder is.
        soft: also by soft uniqueness.
        near: also near-duplicates across the graph: heads and tails with this Jaccard index of three-letter shingles,
            in (0, 1].
        apply: take them out of the graph, until the run is undone.
    """
    edges = [edge for edge in graph.edges() if _is_plain(edge.triple)]
    edges.sort(key=lambda edge: (-_probability(edge), -len(edge.runs), edge.triple))
    found: list[Duplicate] = []
    for rule in _rules(soft=soft, near=near):
        gone = list(rule(edges))
        places = {id(duplicate.edge) for duplicate in gone}
        edges = [edge for edge in edges if id(edge) not in places]
        found += gone
    run = Run("dedupe", parameters={
        "soft": soft, "near": near, "edges": unordered_hash(triple_id(edge.triple) for edge in edges),
        "duplicates": unordered_hash(triple_id(duplicate.edge.triple) for duplicate in found),
    })  # fmt: skip
    folder = workspace.folder("runs", run.id)
    file = folder / "duplicates.jsonl"
    with new_file(file) as draft, draft.open("w", encoding="utf-8") as out:
        for duplicate in found:
            row = {"rule": duplicate.rule, "like": duplicate.like, **asdict(duplicate.edge)}
            out.write(strict_json.write(row) + "\n")
    deleted = 0
    if apply and found:
        with graph.running(run):
            deleted = graph.set_aside((duplicate.edge.triple for duplicate in found), run)
            graph.finish(run, offered=len(found), deleted=deleted)
        write_record(folder, run, {"offered": len(found), "deleted": deleted})
    rules = Counter(duplicate.rule for duplicate in found)
    return Deduplicated(run.id, len(edges) + len(found), rules, deleted, file)


def _probability(edge: Edge) -> float:
    """Return the critic's score, or else the one that its source published; 0 without either."""
    return (edge.published if edge.score is None else edge.score) or 0


def _rules(*, soft: bool, near: float | None) -> Iterator[Callable[[list[Edge]], Iterator[Duplicate]]]:
    yield _alike
    if soft:
        yield _soft
    if near is not None:
        yield lambda edges: _near(edges, near)


def _alike(edges: list[Edge]) -> Iterator[Duplicate]:
    first = first_alike([edge.triple.tail for edge in edges])
    best: dict[tuple[str, str, str, int], Edge] = {}
    for edge, alike in zip(edges, first.tolist(), strict=True):
        key = (edge.triple.head, edge.triple.relation, edge.triple.lang, alike)
        if key in best:
            yield Duplicate(edge, "the same after normalising", best[key].triple.tail)
        else:
            best[key] = edge


def _soft(edges: list[Edge]) -> Iterator[Duplicate]:
    for group in _grouped(edges):
        for place, score in soft_duplicates([edge.triple.tail for edge in group]):
            yield Duplicate(group[place], "not softly unique", f"BLEU-2 {score:.3f}")


def _near(edges: list[Edge], jaccard: float) -> Iterator[Duplicate]:
    """Yield edges whose head and whose tail are both the same as, or near, those of a better edge of the relation."""
    near: dict[tuple[str, str], list[str]] = {}
    for lang in sorted({edge.triple.lang for edge in edges}):
        triples = [edge.triple for edge in edges if edge.triple.lang == lang]
        texts = sorted({text for triple in triples for text in (triple.head, triple.tail)})
        near |= {(lang, text): [text] for text in texts}
        for left, right, _ in near_pairs(texts, jaccard):
            if not may_say_the_same(texts[left], texts[right]):
                continue
            near[lang, texts[left]].append(texts[right])
            near[lang, texts[right]].append(texts[left])
    best: set[Triple] = set()
    for edge in edges:
        triple = edge.triple
        others = (
            Triple(head, triple.relation, tail, triple.lang)
            for head in near[triple.lang, triple.head]
            for tail in near[triple.lang, triple.tail]
        )
        if like := next((other for other in others if other in best), None):
            yield Duplicate(edge, "near-duplicate", f"{like.head} | {like.tail}")
        else:
            best.add(triple)


def _grouped(edges: Iterable[Edge]) -> Iterator[list[Edge]]:
    groups: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    for edge in edges:
        groups[edge.triple.head, edge.triple.relation, edge.triple.lang].append(edge)
    yield from groups.values()


def _is_plain(triple: Triple) -> bool:
    """Whether its texts say all: senses of one word, and words of two languages, are no duplicates."""
    return not (triple.says_nothing or triple.tail_lang or triple.head_uri or triple.tail_uri)
