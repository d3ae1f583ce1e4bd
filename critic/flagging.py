"""The rules on the edges of a graph: a run that lists what they flag, and changes no edge.

The list is the run's `flags.jsonl`: head, relation, tail, the rule and its reason, a line each. Undoing the run leaves
the graph as it is, too, and says that the list no longer counts.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from critic.rules import RULES, Checking, Flag, check
from kg import strict_json
from kg.graph.knowledge import KnowledgeGraph, Progress
from kg.graph.rows import triple_of
from kg.run import Run, write_record
from kg.workspace import Workspace, new_file

_SHOWN = 20  # flags that are kept to be shown at once


@dataclass(frozen=True, slots=True)
class Flagged:
    """What the rules found in a graph.

    Attributes:
        run: its id.
        path: the file that lists the flags.
        edges: how many edges were checked.
        flagged: how many of them have a flag.
        counts: rule to its number of flags, of each rule.
        first: the first flags.
    """

    run: str
    path: Path
    edges: int
    flagged: int
    counts: dict[str, int]
    first: list[Flag]


def flag_edges(
    graph: KnowledgeGraph, workspace: Workspace, *, accepted_only: bool = False, progress: Progress = lambda _: None
) -> Flagged:
    """Check the edges of a graph by its vocabulary, as one run; doing it again writes the list anew.

    Args:
        graph: whose edges are checked, and accepted edges of the same event contradict.
        workspace: where the list goes.
        accepted_only: leave out edges that are not accepted.
        progress: called with numbers of edges.
    """
    vocabulary = graph.vocabulary()
    parameters = {"rules": list(RULES), "accepted_only": accepted_only}
    run = Run("rules", parameters=parameters)
    folder = workspace.folder("runs", run.id)
    path = folder / "flags.jsonl"
    counts, first, edges, flagged = Counter(dict.fromkeys(RULES, 0)), list[Flag](), 0, 0
    with graph.running(run):
        with new_file(path) as draft, draft.open("w", encoding="utf-8") as file:
            for page in graph.edge_pages():  # all edges of an event are on one page
                given = Checking.of(vocabulary, (triple_of(row) for row in page if row.accepted))
                checked = [triple_of(row) for row in page if row.accepted or not accepted_only]
                edges += len(checked)
                found = list(check(checked, given))
                flagged += len({flag.triple for flag in found})
                for flag in found:
                    counts[flag.rule] += 1
                    row = asdict(flag.triple) | {"rule": flag.rule, "reason": flag.reason}
                    file.write(strict_json.write({name: value for name, value in row.items() if value}) + "\n")
                first += found[: _SHOWN - len(first)]
                progress(len(page))
        numbers = {"offered": edges, "flagged": flagged, "flags": counts.total()}
        graph.finish(run, **numbers)
    write_record(folder, run, {**numbers, "counts": dict(counts)})
    return Flagged(run.id, path, edges, flagged, dict(counts), first)
