"""`kg init`: a folder to start one's own domain from, made of an example domain that works."""

import shlex
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from kg.errors import InputError
from kg.terminal import say
from kg.workspace import new_folder

DOMAINS = Path(str(resources.files("kg").joinpath("domains")))
"""The example domains, a folder each; what is in one says its README.md."""


def names_of_domains() -> list[str]:
    """Return the names of the example domains, sorted."""
    return sorted(path.name for path in DOMAINS.iterdir() if path.is_dir())


def init(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help=f"The example domain: {', '.join(names_of_domains())}.", show_default=False
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder to make; without it, one of the domain's name here.", show_default=False),
    ] = None,
) -> None:
    """Make a folder with an example domain, ready to run offline, to put your own in its place file by file."""
    target = folder or Path(name)
    make_domain(name, target)
    say(f"Made {target} with {', '.join(sorted(path.name for path in target.iterdir()))}")
    say(f"Next: cd {shlex.quote(str(target))} && kg distill . --kind ranker; README.md has the steps one by one")


def make_domain(name: str, target: Path) -> None:
    """Copy an example domain into a folder that is not there yet, or is empty.

    Raises:
        InputError: there is no such domain, or the folder holds something; nothing is written then.
    """
    names = names_of_domains()
    if name not in names:
        raise InputError(f"no example domain {name!r}; there is {', '.join(names)}: kg init {names[0]} FOLDER")
    if target.is_dir():
        if any(target.iterdir()):
            raise InputError(
                f"{target} is not empty, and nothing in it was touched; kg init {name} FOLDER makes another"
            )
    elif target.exists() or target.is_symlink():
        raise InputError(f"{target} is there already and no folder; kg init {name} FOLDER makes another")
    source = DOMAINS / name
    with nullcontext(target) if target.is_dir() else new_folder(target, shared=True) as draft:
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            place = draft / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
