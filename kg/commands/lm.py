"""`kg lm`: the language model that comes with pip, and what is kept of it in the user's cache folder."""

from typing import Annotated

import typer

from kg.terminal import ask, say, say_json

app = typer.Typer(help="Show or remove what is kept of the language model that comes with pip.", no_args_is_help=True)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Say whether the language model is installed, under which terms, and whether it was converted."""
    from kg.language_model.packaged import look
    from kg.language_model.terms import ADDRESS
    from kg.language_model.weights import HOW_TO_GET, PACKAGE, SHA256, TITLE, find_package

    package, found = find_package(), look()
    if as_json:
        facts = {
            "model": TITLE,
            "package": PACKAGE,
            "version": package.version if package else None,
            "terms": ADDRESS,
            "terms_file": str(package.terms) if package else None,
            "sha256_of_package": SHA256,
            "folder": str(found.folder),
            "state": found.state,
            "bytes": found.size,
            "sha256": found.sums.get("model.safetensors"),
            "made": found.made or None,
        }
        say_json(facts)
        return
    if package:
        say(f"Installed: {TITLE}, package {PACKAGE} {package.version} (SHA-256 {SHA256})")
        say(f"Under Gemma's terms of use, {ADDRESS}; a copy is {package.terms}")
    else:
        say(f"Not installed: {TITLE}, package {PACKAGE}, under Gemma's terms of use ({ADDRESS}); {HOW_TO_GET}")
    if found.state == "whole":
        say(
            f"Converted: {found.size / 1e9:.2f} GB in {found.folder}, made {found.made}",
            f"SHA-256 of its weights {found.sums.get('model.safetensors')}; kg lm remove deletes it",
        )
    elif found.state == "damaged":
        say(f"Damaged: {found.size / 1e9:.2f} GB in {found.folder}; its next use makes it again")
    else:
        say(f"Not converted: its first use does that, in {found.folder} (0.6 GB, a minute or more)")


@app.command()
def remove(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete what was converted; the package stays, and the next use converts it again."""
    from kg.language_model.packaged import look
    from kg.language_model.packaged import remove as delete

    found = look()
    if found.state != "absent" and not yes:
        ask(f"Delete {found.size / 1e9:.2f} GB in {found.folder}?")
    size = delete()
    say(f"{size / 1e9:.2f} GB deleted in {found.folder.parent}" if size else f"Nothing there in {found.folder.parent}")
