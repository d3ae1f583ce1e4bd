"""The workspace: everything a project makes, in one folder.

    .kg/                      or $KG_HOME; deleting it removes all trace
    ├── server/               the private Neo4j: data, log, password
    ├── embeddings/           one file per sentence encoder; what a judge asked the language model
    ├── sparql/               the graph as RDF, for kg sparql
    ├── critics/<id>/         one folder per critic
    ├── students/<id>/        one folder per student
    └── runs/<id>/            run.json, rejected.jsonl, report and other artefacts of one run

Files and folders appear by write-to-temporary-then-rename, never half-written. They are readable by their owner only,
whatever the umask: `_tighten` decides that. What a user exports has the user's umask.
"""

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kg.errors import InputError

STANDARD = Path("-")
"""Stands for stdin and stdout."""

_FOLDERS = ("server", "embeddings", "replies", "critics", "students", "runs", "sparql")
_ID = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,128}")


class Workspace:
    """The folder of one project.

    Attributes:
        root: absolute path; created on first use.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _tighten_workspace(self.root)
        except OSError as error:
            raise InputError(f"cannot make the workspace {self.root}: {error.strerror}; set KG_HOME") from error

    @classmethod
    def default(cls) -> "Workspace":
        """Return `$KG_HOME`, or `.kg` in the current directory."""
        return cls(Path(os.environ.get("KG_HOME") or ".kg"))

    def place(self, *parts: str) -> Path:
        """Return the path of a folder below the root, whether the folder is there or not.

        Raises:
            InputError: a part is no id, so that it could lead out of the workspace.
        """
        return self.root.joinpath(*map(check_id, parts))

    def folder(self, *parts: str) -> Path:
        """Return a folder below the root, created if it is absent; errors as of `place`."""
        return private_folder(self.place(*parts))


def cache_folder() -> Path:
    """Return the folder for what is derived from public packages: `skd-graph` in $XDG_CACHE_HOME, or in `~/.cache`."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (place if place.is_absolute() else Path("~/.cache").expanduser()) / "skd-graph"


def private_folder(path: Path) -> Path:
    """Return a folder that only its owner opens; it and the folders above it are created if they are absent."""
    if not path.is_dir():
        if path.parent != path:
            private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> Path:
    """Return a file that only its owner reads, made empty if it is absent; open it by its path then."""
    path.touch(mode=0o600)
    _tighten(path)
    return path


def check_id(name: object) -> str:
    """Return the id of a run, critic or student, which names its folder.

    Raises:
        InputError: the text is no id.

    >>> check_id("load-0123456789ab")
    'load-0123456789ab'
    """
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise InputError(f"{repr(name)[:80]} is no id: up to 128 letters, digits, _, - and ., not beginning with a dot")
    return name


@contextmanager
def new_folder(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` when the block ends well, and vanishes when it does not.

    An older folder at `path` is put aside first, and is gone only when the new one is in its place. Only the owner
    reads it and its files, unless it is `shared`: then the umask decides.
    """
    path = path.resolve()
    _make_parents(path, shared=shared)
    draft = _draft(path)
    draft.mkdir(mode=0o777 if shared else 0o700)
    try:
        with naming(path):
            yield draft
        if not shared:
            _tighten_all(draft)
        if path.exists():
            older = draft.with_name(f"{draft.name}.older")
            path.rename(older)
            draft.rename(path)
            shutil.rmtree(older)
        else:
            draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def is_stream(path: Path) -> bool:
    """Tell whether a path is a pipe, a device, or a name of what this process has open, such as `-` or /dev/stdout."""
    places = (str(path.absolute()), str(path.readlink()) if path.is_symlink() else "")
    is_open = any(place.startswith(("/dev/std", "/dev/fd/", "/proc/")) for place in places)
    return path == STANDARD or is_open or (path.exists() and not path.is_file() and not path.is_dir())


@contextmanager
def new_file(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path that becomes the file `path` when the block ends well, and vanishes when not.

    Only the owner reads it, unless it is `shared`: then the umask decides. A pipe or a device at `path`, such as
    /dev/stdout, stays what it is, and is sent what the file would hold.
    """
    if is_stream(path):
        with tempfile.TemporaryDirectory(prefix="kg-") as folder:
            draft = Path(folder, "draft")
            draft.touch()
            yield draft
            with draft.open("rb") as source, _opened(path) as target:
                shutil.copyfileobj(source, target)
        return
    _make_parents(path, shared=shared)
    draft = _draft(path)
    draft.touch(mode=0o666 if shared else 0o600, exist_ok=False)
    try:
        with naming(path):
            yield draft
        if not shared:
            _tighten(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _opened(stream: Path) -> BinaryIO:
    return open(1, "ab", closefd=False) if stream == STANDARD else stream.open("ab")


def _make_parents(path: Path, *, shared: bool) -> None:
    if shared:
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        private_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an error of the system the path that it is about: a full disk does not name one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _draft(path: Path) -> Path:
    """Return a new name beside a path, short enough wherever the path's own is."""
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}")


def _tighten(path: Path) -> None:
    """Take all rights from group and others; where that is not ours to do, or means nothing, leave the path alone."""
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & 0o077 and not path.is_symlink():
        with suppress(PermissionError, NotImplementedError):
            path.chmod(mode & ~0o077)


def _tighten_all(folder: Path) -> None:
    _tighten(folder)
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            with suppress(FileNotFoundError):  # a server or another command runs here
                _tighten(Path(root, name))


def _tighten_workspace(root: Path) -> None:
    """Tighten a workspace of an older version, once: what it has, and itself unless it holds other things, too."""
    root = root.resolve()
    own = [root / name for name in _FOLDERS] if _holds_others(root) else [root]
    for folder in own:
        if folder.is_dir() and folder.stat().st_mode & 0o077:
            _tighten_all(folder)


def _holds_others(root: Path) -> bool:
    """Tell whether a folder is also the user's home, the current one, one above these, or one that all may write to."""
    places = [Path(os.environ.get("HOME") or "/")]
    with suppress(FileNotFoundError):  # the current folder was deleted
        places.append(Path.cwd())
    return bool(root.stat().st_mode & stat.S_ISVTX) or any(place.is_relative_to(root) for place in places)
