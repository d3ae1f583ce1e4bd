"""`kg student publish`: a student with its card, into a folder or to a model hub."""

from pathlib import Path
from typing import Annotated

import typer

from kg.errors import InputError
from kg.terminal import say
from kg.workspace import Workspace


def publish(
    student: Annotated[
        str, typer.Argument(metavar="FOLDER|ID", help="The student's folder, or its id.", show_default=False)
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Repository on the model hub that HF_ENDPOINT and HF_TOKEN say."),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Only write what would be published.")] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the student, for its card, such as apache-2.0.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An evaluation for its card, as kg student evaluate writes it.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository that anybody may see.")] = False,
) -> None:
    """Publish a student: its folder as transformers opens it, with a card that says what it was made from."""
    from student.publishing import upload, write_published

    if (to is None) == (output is None):
        raise InputError("give --to OWNER/NAME to send the student to a model hub, or --output FOLDER to write it")
    folder = Path(student) if Path(student).is_dir() else Workspace.default().place("students", student)
    try:
        text = None if report is None else report.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(f"cannot read {report}: {error}") from error
    if output:
        write_published(folder, output, name=output.resolve().name, licence=licence, report=text)
        say(f"What is published of {folder.name} is in {output}; read README.md there before it goes anywhere")
    elif to:
        address = upload(folder, to, licence=licence, report=text, public=public)
        say(f"{folder.name} is at {address}")
