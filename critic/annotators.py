"""Annotators: who may judge through the page, each with a secret token.

The workspace keeps them in `annotators.json`, readable by its owner only; the graph knows their names alone, by what
they judged. Of a token only a hash is kept, so it is shown once, when it is made; one that is lost is replaced by
removing the annotator and adding them again, which touches no verdict.
"""

import hashlib
import hmac
import json
import secrets
from typing import Any, NamedTuple

import psutil
from filelock import FileLock

from kg import strict_json
from kg.errors import InputError, NotFound
from kg.graph.writing import now
from kg.model import clean_text
from kg.workspace import Workspace, new_file, private_file

MAX_NAME = 64
"""Longest name, in characters."""

_FILE = "annotators.json"
_TOKEN_BYTES = 32  # drawn at random, so that one round of SHA-256 is enough to hide it


class Annotator(NamedTuple):
    """An annotator: their name, and when they were added, in UTC as ISO 8601."""

    name: str
    added: str


def add_annotator(workspace: Workspace, name: str) -> str:
    """Add an annotator; return their token, which nobody can read again.

    Raises:
        InputError: it is no name, or there is an annotator of that name.
    """
    name = check_name(name)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with _locked(workspace):
        known = _read(workspace)
        if name in known:
            raise InputError(
                f"there is an annotator {name!r}; choose another name, or kg critic annotators remove them first, "
                "which ends their token and keeps their verdicts"
            )
        _write(workspace, known | {name: {"token": _hash(token), "added": now()}})
    return token


def remove_annotator(workspace: Workspace, name: str) -> None:
    """Remove an annotator, whose token is worth nothing from now on; their verdicts stay.

    Raises:
        NotFound: there is no such annotator.
    """
    with _locked(workspace):
        known = _read(workspace)
        if name not in known:
            raise NotFound(f"no annotator {name[:MAX_NAME]!r}; see kg critic annotators list")
        _write(workspace, {other: row for other, row in known.items() if other != name})


def annotators(workspace: Workspace) -> list[Annotator]:
    """Return the annotators, by name."""
    return [Annotator(name, row["added"]) for name, row in sorted(_read(workspace).items())]


def annotator_of(workspace: Workspace, token: str) -> str | None:
    """Return the name of the annotator with a token; None where it is no one's."""
    wanted, found = _hash(token), None
    for name, row in _read(workspace).items():  # all of them, so that the time tells nothing
        if hmac.compare_digest(row["token"], wanted):
            found = name
    return found


def user_name() -> str:
    """Return the name of this process's user.

    Raises:
        InputError: the system has none.
    """
    try:
        return check_name(psutil.Process().username())
    except (OSError, KeyError, psutil.Error, InputError) as error:
        raise InputError("this user has no name that can be used; say who judges: --annotator NAME") from error


def check_name(name: str) -> str:
    """Return a name without blanks around it.

    Raises:
        InputError: it is empty, too long, or has characters that cannot be seen.
    """
    name = clean_text(name).strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise InputError(f"{name[:MAX_NAME]!r} is no name: up to {MAX_NAME} characters, all of which can be seen")
    return name


def _read(workspace: Workspace) -> dict[str, dict[str, Any]]:
    path = workspace.root / _FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): {"token": str(row["token"]), "added": str(row["added"])} for name, row in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}; remove it, and add the annotators again") from error


def _write(workspace: Workspace, content: dict[str, dict[str, Any]]) -> None:
    with new_file(workspace.root / _FILE) as draft:
        draft.write_text(strict_json.write(content, indent=1) + "\n", encoding="utf-8")


def _locked(workspace: Workspace) -> FileLock:
    return FileLock(private_file(workspace.root / f"{_FILE}.lock"))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
