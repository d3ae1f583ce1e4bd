"""The default language model: converted once from the weights package, and kept in the user's cache folder.

    $XDG_CACHE_HOME/skd-graph/       or ~/.cache/skd-graph; all workspaces share it, `kg lm remove` empties it
    ├── .lock                        held while one process converts; others wait
    └── gemma-3-270m-<sum>/          named by the sum of what it was made from
        ├── model.safetensors        bfloat16, the tied output matrix left out
        ├── config.json, generation_config.json, tokenizer.json, tokenizer_config.json
        ├── NOTICE, GEMMA_TERMS.html
        └── manifest.json            what it was made from, and size and SHA-256 of each file above

The folder appears whole or not at all. What a killed conversion leaves is removed by the next one. The files are
compared with their sums whenever the model is opened; a conversion that was damaged is made again.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from kg import __version__, strict_json
from kg.errors import InputError, NotReady
from kg.language_model import weights
from kg.language_model.conversion import FAULT
from kg.language_model.terms import GEMMA, derived_field, write_notice
from kg.language_model.weights import FILE, HOW_TO_GET, PACKAGE, TITLE, Package, find_package, join_parts
from kg.lines import file_hash
from kg.progress import showing
from kg.terminal import say
from kg.workspace import cache_folder, new_folder, private_folder

MANIFEST = "manifest.json"

_FORMAT = 1  # counts up when a conversion is made in another way
_ROOM_BYTES = 900_000_000  # the joined file, and what is made of it
_PROGRAM = "from kg.language_model.conversion import main"


@dataclass(frozen=True, slots=True)
class Conversion:
    """The converted model in the cache.

    Attributes:
        folder: where it is, or would be.
        state: "whole" as far as the sizes of its files tell, "damaged", or "absent".
        size: of its files in bytes; 0 where there are none.
        sums: name to SHA-256 of each file, as its manifest says.
        made: when it was made, as its manifest says.
    """

    folder: Path
    state: Literal["whole", "damaged", "absent"]
    size: int
    sums: Mapping[str, str]
    made: str


def conversion_folder() -> Path:
    """Return where the converted model is, or would be."""
    return cache_folder() / f"gemma-3-270m-{weights.SHA256[:12]}-{_FORMAT}"


def is_available() -> bool:
    """Tell whether the default language model can be opened: its package is installed."""
    return find_package() is not None


def look() -> Conversion:
    """Return what is known of the converted model without reading its weights."""
    folder = conversion_folder()
    if not folder.is_dir():
        return Conversion(folder, "absent", 0, {}, "")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        manifest = strict_json.read((folder / MANIFEST).read_bytes())
        sums = {str(name): str(about["sha256"]) for name, about in manifest["files"].items()}
        is_whole = manifest["source"] == weights.SHA256 and all(
            (folder / name).stat().st_size == about["bytes"] for name, about in manifest["files"].items()
        )
        made = str(manifest["made"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Conversion(folder, "damaged", size, {}, "")
    return Conversion(folder, "whole" if is_whole and sums else "damaged", size, sums, made)


def packaged_model() -> Conversion:
    """Return the converted model, all of its files compared with their sums; convert it first where it has to be.

    A line and a bar on stderr say so when that is done, or when another process does it and is waited for.

    Raises:
        NotReady: the weights package is not installed.
        InputError: the package is damaged, the disk is full, or the conversion fails.
    """
    package = find_package()
    if package is None:
        raise NotReady(f"the language model ({TITLE}, package {PACKAGE}) is not installed; {HOW_TO_GET}")
    if found := _sound():
        return found
    try:
        with _alone():
            if found := _sound():  # another process has made it meanwhile
                return found
            _convert(package)
    except OSError as error:
        raise InputError(_why(error)) from error
    return look()


def remove() -> int:
    """Delete the converted model, and what killed conversions have left; return how many bytes that was.

    Raises:
        InputError: it cannot be deleted.
    """
    if not cache_folder().is_dir():
        return 0
    try:
        with _alone():
            folders = [path for path in cache_folder().iterdir() if path.name.lstrip(".").startswith("gemma-3-270m-")]
            size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
            for folder in folders:
                shutil.rmtree(folder)
    except OSError as error:
        raise InputError(f"cannot delete {error.filename or cache_folder()}: {error.strerror}") from error
    return size


def _sound() -> Conversion | None:
    """Return the converted model if every file of it is what it was when it was made."""
    found = look()
    if found.state == "absent":
        return None
    is_sound = found.state == "whole" and all(
        file_hash(found.folder / name) == expected for name, expected in found.sums.items()
    )
    return found if is_sound else None


@contextmanager
def _alone() -> Iterator[None]:
    """Be the only process that changes the cache; say so if that means waiting."""
    lock = FileLock(private_folder(cache_folder()) / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with showing("Waiting for another process"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _convert(package: Package) -> None:
    folder = conversion_folder()
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
    again = " again, as it was damaged" if folder.exists() else " once"
    say(
        f"Converting {TITLE}{again}, into {folder} (0.6 GB): a minute on an idle machine, more on a busy one",
        err=True,
    )
    if (free := shutil.disk_usage(folder.parent).free) < _ROOM_BYTES:
        raise OSError(errno.ENOSPC, f"only {free / 1e9:.1f} GB are free where {_ROOM_BYTES / 1e9:.1f} GB are needed")
    with new_folder(folder) as draft, showing("Converting: join the parts") as show:
        joined = draft / FILE
        join_parts(package.parts, joined)
        _run(joined, draft, show)
        show("Converting: sum up the files")
        joined.unlink()
        write_notice(draft)
        files = {path.name: {"bytes": path.stat().st_size, "sha256": file_hash(path)} for path in draft.iterdir()}
        manifest: dict[str, Any] = {
            "title": TITLE,
            "package": f"{PACKAGE} {package.version}",
            "source": weights.SHA256,
            **derived_field(GEMMA),
            "version": __version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": dict(sorted(files.items())),
        }
        (draft / MANIFEST).write_text(strict_json.write(manifest, indent=1) + "\n", encoding="utf-8")


def _run(source: Path, folder: Path, show: Callable[[str], object]) -> None:
    """Run the conversion in a process of its own, which ends with this one."""
    code = f"import sys; sys.path[:] = {sys.path!r}; {_PROGRAM}; main(*sys.argv[1:])"
    command = [sys.executable, "-I", "-c", code, str(source), str(folder)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"}, start_new_session=True,
    )  # fmt: skip
    fault = ""
    with process:
        try:
            for line in process.stdout or ():
                if line.startswith(FAULT):
                    fault = line.removeprefix(FAULT).strip()
                else:
                    show(f"Converting: {line.strip()}")
        except BaseException:  # an interrupt
            process.kill()
            raise
    if "os error 28" in fault or os.strerror(errno.ENOSPC) in fault:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if process.returncode:
        raise InputError(
            f"cannot convert {TITLE}: {fault or f'its process ended with status {process.returncode}'}; it takes 4 GB "
            f"of memory and the packages of {HOW_TO_GET}"
        )


def _why(error: OSError) -> str:
    place = error.filename or cache_folder()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"cannot convert {TITLE} into {place}: {error.strerror}; make room there or set XDG_CACHE_HOME to another "
            "folder"
        )
    return f"cannot convert {TITLE} into {place}: {error.strerror}; set XDG_CACHE_HOME to a folder of yours"
