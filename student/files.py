"""The small JSON files of a checkpoint: written and read back, damage told in one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kg import strict_json
from kg.errors import InputError, NotFound

_SETTINGS, _MANIFEST = "student.json", "manifest.json"


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object that a person can read."""
    path.write_text(strict_json.write(content, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        InputError: the file cannot be read, or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); train the student again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (no JSON object); train the student again")
    return content


def write_settings(folder: Path, kind: str, relations: tuple[str, ...], **own: object) -> None:
    """Write a checkpoint's `student.json`: the kind of the student, its relations, and what is the kind's own."""
    write_json(folder / _SETTINGS, {"kind": kind, "relations": relations, **own})


def read_settings(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's `student.json`: `kind`, a text, and `relations`, a list of texts.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the file is damaged, or lacks the kind or the relations.
    """
    _check_there(folder)
    settings = read_json(folder / _SETTINGS)
    if not isinstance(settings.get("kind"), str):
        raise InputError(f"{folder / _SETTINGS} does not say which kind of student it is; train it again")
    relations = settings.get("relations")
    if not isinstance(relations, list) or not all(isinstance(name, str) for name in relations):
        raise InputError(f"{folder / _SETTINGS} lists no relations; train the student again")
    return settings


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest of a checkpoint, which describes the data of its training."""
    write_json(folder / _MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a checkpoint, without opening the model.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the manifest is damaged.
    """
    _check_there(folder)
    return read_json(folder / _MANIFEST)


def _check_there(folder: Path) -> None:
    if not (folder / _SETTINGS).is_file():
        raise NotFound(f"no student in {folder}; train one with `kg student train`")
