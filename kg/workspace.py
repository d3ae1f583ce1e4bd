"""The workspace: everything a project makes, in one folder.

    .kg/                      or $KG_HOME; deleting it removes all trace
    ├── server/               the private Neo4j: data, log, password
    ├── embeddings/           one file per sentence encoder
    ├── critics/<id>/         one folder per critic
    ├── students/<id>/        one folder per student
    └── runs/<id>/            run.json, rejected.jsonl, report and other artefacts of one run

Files and folders appear by write-to-temporary-then-rename, never half-written.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kg.errors import InputError


class Workspace:
    """The folder of one project.

    Attributes:
        root: absolute path; created on first use.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the workspace {self.root}: {error.strerror}; set KG_HOME") from error

    @classmethod
    def default(cls) -> "Workspace":
        """Return `$KG_HOME`, or `.kg` in the current directory."""
        return cls(Path(os.environ.get("KG_HOME") or ".kg"))

    def folder(self, *parts: str) -> Path:
        """Return a folder below the root, created if it is absent."""
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` when the block ends well, and vanishes when it does not.

    An older folder at `path` is put aside first, and is gone only when the new one is in its place.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield draft
        if path.exists():
            older = draft.with_name(f"{draft.name}.older")
            path.rename(older)
            draft.rename(path)
            shutil.rmtree(older)
        else:
            draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes the file `path` when the block ends well, and vanishes when not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
