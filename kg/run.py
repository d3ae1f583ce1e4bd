"""A run: one invocation that asserted or changed something, and the evidence for what it asserted.

Its id follows from what it does (kind, model, data set, parameters), so that doing the same again after a kill
continues the same run, and doing it again later changes nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kg import __version__, strict_json
from kg.workspace import new_file

STUDENT_KIND = "predict"
"""The kind of run whose assertions are predictions."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is.

    Attributes:
        kind: load, judgements, train-critic, calibrate, score, train-student, predict or evaluate.
        model: the model that speaks through it: a teacher, a critic, a student.
        dataset: the data set that it reads.
        licence: under which the data set comes.
        parameters: all else that determines what it does; JSON values.
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
        """Return what is kept on the `Run` node."""
        return {
            "kind": self.kind,
            "model": self.model,
            "dataset": self.dataset,
            "licence": self.licence,
            "parameters": strict_json.write(dict(self.parameters), sort_keys=True),
            "version": __version__,
        }


def write_record(folder: Path, run: Run, numbers: Mapping[str, Any]) -> None:
    """Write `run.json`, the run's own record in its folder: what it is, and what came of it."""
    content = {"id": run.id, **run.properties(), "parameters": dict(run.parameters), **numbers}
    with new_file(folder / "run.json") as draft:
        draft.write_text(strict_json.write(content, indent=2) + "\n", encoding="utf-8")
