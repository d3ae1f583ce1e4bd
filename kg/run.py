"""A run: one invocation that asserted or changed something, and the evidence for what it asserted.

A run's id follows from its kind, model, data set and parameters, so that doing the same again after a kill
continues the same run, and doing it again later changes nothing.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from kg import __version__, strict_json
from kg.workspace import new_file

STUDENT_KIND = "predict"
"""The kind of run whose assertions are predictions."""

SAMPLE_KIND, JUDGE_KIND = "sample", "judge"
"""The kinds of run that draw tasks, and in which one annotator judges those of a batch, which its `dataset` names."""

CLOZE_KIND = "cloze"
"""The kind of run in which a language model fills blanks, and asserts what it filled in."""

PROBE_KIND = "probe"
"""The kind of run that asks a language model what it knows, and writes nothing into the graph but itself."""

VECTORS_KIND = "vectors"
"""The kind of run that gives phrases vectors."""

_CLOCK_SECONDS = 2  # by which the start of one process may differ when it is read twice


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as it is described before it begins.

    Attributes:
        kind: load, events, inferences, judgements, sample, judge, dedupe, train-critic, calibrate, score, use-critic,
            train-student, use-student, predict, evaluate, rules, probe, cloze or vectors.
        model: the model that works in the run: a teacher, a critic, a student.
        dataset: the data set that the run reads.
        licence: under which the data set comes.
        parameters: all else that determines the run's result; JSON values.
    """

    kind: str
    model: str | None = None
    dataset: str | None = None
    licence: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Key of the run: its kind and 12 hex characters over all the rest."""
        content = json.dumps([self.kind, self.model, self.dataset, dict(self.parameters)], sort_keys=True)
        return f"{self.kind}-{hashlib.blake2b(content.encode(), digest_size=6).hexdigest()}"

    def properties(self) -> dict[str, Any]:
        """Return the properties of the `Run` node."""
        return {
            "kind": self.kind,
            "model": self.model,
            "dataset": self.dataset,
            "licence": self.licence,
            "parameters": strict_json.write(dict(self.parameters), sort_keys=True),
            "version": __version__,
        }


def teachers_of(runs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return id to model of the runs that have one and are no student's: who wrote the edges of a run.

    Args:
        runs: as `KnowledgeGraph.runs` returns them.

    >>> teachers_of([{"id": "load-1", "kind": "load", "model": "gpt-4o"}, {"id": "load-2", "kind": "load"}])
    {'load-1': 'gpt-4o'}
    """
    return {run["id"]: run["model"] for run in runs if run.get("model") and run.get("kind") != STUDENT_KIND}


def round_of(run: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return which round of `kg student improve` a run is of, 0 for none, and the predictions' runs of those before.

    Args:
        run: as `KnowledgeGraph.run` returns it.

    >>> round_of({"parameters": '{"round": 2, "rounds": ["predict-1"]}'}), round_of({"parameters": "[]"})
    ((2, ['predict-1']), (0, []))
    """
    try:
        parameters = json.loads(run.get("parameters") or "{}")
    except ValueError:
        return 0, []
    found = parameters if isinstance(parameters, dict) else {}
    number, before = found.get("round"), found.get("rounds")
    return (number if isinstance(number, int) else 0), (before if isinstance(before, list) else [])


def this_process() -> dict[str, Any]:
    """Return a text that tells this process from any other, now and later, as it is kept on the `Run` node."""
    return {"host": platform.node(), "pid": os.getpid(), "process_started": psutil.Process().create_time()}


def is_lost(run: Mapping[str, Any]) -> bool:
    """Tell whether the process that worked on a run is gone; of another machine's, nobody here knows."""
    if run.get("pid") is None:
        return True  # an older version's, which said nothing
    if run["host"] != platform.node():
        return False
    try:
        return bool(abs(psutil.Process(run["pid"]).create_time() - run["process_started"]) > _CLOCK_SECONDS)
    except psutil.Error:
        return True


def write_record(folder: Path, run: Run, numbers: Mapping[str, Any]) -> None:
    """Write `run.json`, the run's own record in its folder: its description and its numbers."""
    content = {"id": run.id, **run.properties(), "parameters": dict(run.parameters), **numbers}
    with new_file(folder / "run.json") as draft:
        draft.write_text(strict_json.write(content, indent=2) + "\n", encoding="utf-8")
