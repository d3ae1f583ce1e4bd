"""The report of an evaluation, as its run's folder keeps it: returned again where the same was measured.

`report.json` names the evidence that it rests on. What is there is the report where graph, students, judges, readings
and software are as they were, to the bit; everything else is measured anew.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from critic.filtering import format_by_origin, format_by_recall
from kg import __version__, strict_json
from kg.entrants import Entrant
from kg.errors import GraphChanged, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import triple_id, unordered_hash
from kg.lines import file_hash
from kg.model import Triple
from kg.readings import Readings
from kg.run import Run, write_record
from kg.snapshot.hashing import hash_graph
from kg.workspace import new_file
from student.report import format_report

KIND = "evaluate"
"""The kind of an evaluation's run."""

_FILES = ("report.md", "sets.tsv", "report.json", "run.json")  # of a run, in the order in which they are written


def content_of(graph: KnowledgeGraph) -> str | None:
    """Return the content hash of the graph; None while it changes."""
    try:
        return hash_graph(graph)
    except GraphChanged:
        return None


def evidence_of(
    graph: KnowledgeGraph, content: str | None, entrants: Sequence[Entrant], judges: Sequence[Path], readings: Readings
) -> str | None:
    """Return a hash of all that an evaluation measures; None of a graph that changes.

    Args:
        graph: its runs, its current critic and what that accepts are hashed, too.
        content: its content hash.
        entrants: the students.
        judges: the folders of the judges.
        readings: those that come with the software.
    """
    if content is None:
        return None
    chosen: list[str] = []
    with suppress(NotReady):
        chosen.append(str(graph.current_critic()["id"]))
        chosen.append(graph.current_acceptance(chosen[0]).id)
    about = [__version__, content, readings.about, readings.agreement, *chosen]
    return unordered_hash([
        strict_json.write(about, sort_keys=True),
        *(f"{run['id']} {run['status']}" for run in graph.runs() if run["kind"] != KIND),
        *(strict_json.write(entrant.student.manifest, sort_keys=True) for entrant in entrants),
        *(f"{path.name} {file_hash(path)}" for folder in judges for path in folder.iterdir() if path.is_file()),
        *(f"{triple_id(triple)} {good}" for triple, good in readings.verdicts.items()),
        *(f"{name} {triple_id(triple)}" for name, sample in readings.sets.items() for triple in sample),
    ])  # fmt: skip


def known_report(graph: KnowledgeGraph, run: Run, folder: Path, evidence: str | None) -> str | None:
    """Return the report in a run's folder where it is about just this evidence; else None."""
    is_finished = any(row["id"] == run.id and row["status"] == "finished" for row in graph.runs())
    if evidence is None or not is_finished or not all((folder / name).is_file() for name in _FILES):
        return None
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):  # damaged: it is measured again
        content = strict_json.read((folder / "report.json").read_text(encoding="utf-8"))
        if content["evidence"] == evidence:
            return _text(content)
    return None


def write_report(
    graph: KnowledgeGraph,
    run: Run,
    folder: Path,
    content: Mapping[str, Any],
    sets: Mapping[str, Sequence[Triple]],
) -> str:
    """Write the report in its two forms, and what its sets hold, into a run's folder; return the text."""
    lines = ["set\thead\trelation\ttail"]
    lines += [f"{name}\t{t.head}\t{t.relation}\t{t.tail}" for name, triples in sets.items() for t in triples]
    text = _text(content)
    with graph.running(run):
        for name, body in zip(_FILES, (text, "\n".join(lines), strict_json.write(content, indent=1)), strict=False):
            with new_file(folder / name) as draft:
                draft.write_text(body + "\n", encoding="utf-8")
        graph.finish(run, offered=sum(row["rows"] for row in content["sets"]))
    write_record(folder, run, {"students": list(content["students"])})
    return text


def _text(content: Mapping[str, Any]) -> str:
    tables = format_by_recall(content["by_recall"]), format_by_origin(content["by_origin"])
    return format_report(content, [table for table in tables if table])
