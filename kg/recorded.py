"""Recorded teachers: what a language model wrote and readers judged, as two files.

Two come with the software, in the starter corpus (`starter/README.md` says who wrote and who judged); the folder of a
user's domain is a third. Beside them stands one that has no file yet: the language model of this machine.
"""

from pathlib import Path
from typing import NamedTuple

from kg.errors import InputError
from kg.readings import STARTER


class RecordedTeacher(NamedTuple):
    """What a teacher wrote, and verdicts on it.

    Attributes:
        completions: in the format `completions`.
        judgements: a TSV of verdicts.
        model: the name of the model that wrote the completions; terms that hold for its texts follow from the name.
        licence: of the completions; None where there is none to name.
        is_noisy: whether so much of what it wrote is bad that it matters whether a student learns all of it or what a
            critic accepts; then there is a student of each.
    """

    completions: Path
    judgements: Path
    model: str = "teacher"
    licence: str | None = None
    is_noisy: bool = False


STRONG = "strong"
"""The name of the teacher that writes well."""

TEACHERS: dict[str, RecordedTeacher] = {
    STRONG: RecordedTeacher(STARTER / "completions.jsonl", STARTER / "judgements.tsv", licence="CC0-1.0"),
    "weak": RecordedTeacher(
        STARTER / "weak-teacher.jsonl", STARTER / "weak-judgements.tsv", model="google/gemma-3-270m", is_noisy=True
    ),
}
"""The teachers of the starter corpus, in the order in which they are loaded: a large model, and a small base model."""


LOCAL = "local"
"""The name of the teacher that writes events and tails itself, on this machine: the language model from pip."""

NAMES = (*TEACHERS, LOCAL)
"""Names of the teachers to choose from, in the order in which they come into the graph."""


def teacher_in(folder: Path) -> RecordedTeacher:
    """Return the teacher of a domain's folder.

    Raises:
        InputError: the folder lacks one of the two files.
    """
    teacher = RecordedTeacher(folder / "completions.jsonl", folder / "judgements.tsv")
    if missing := [path.name for path in (teacher.completions, teacher.judgements) if not path.is_file()]:
        raise InputError(f"{folder} has no {' and no '.join(missing)}; kg init shop makes a folder that shows them")
    return teacher
