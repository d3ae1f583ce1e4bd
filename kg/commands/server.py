"""`kg server`: the private Neo4j of the workspace."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from kg.terminal import say, say_json
from kg.workspace import Workspace

if TYPE_CHECKING:
    from kg.server.server import Server

app = typer.Typer(help="Start, stop and watch the private Neo4j.", no_args_is_help=True)


@app.command()
def start() -> None:
    """Start the private Neo4j; it runs until it is stopped."""
    if uri := _own_address():
        say(f"Nothing to start: NEO4J_URI is set, so your own server at {uri} is used")
        return
    server = _server()
    address = server.start()
    verb = "Started" if address.started else "Running already:"
    say(f"{verb} Neo4j at {address.uri}, user {address.username}, password in {server.password_file}")


@app.command()
def stop() -> None:
    """Stop the private Neo4j; the graph stays."""
    say("Stopped" if _server().stop() else "Not running")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Say whether the private Neo4j runs, and where."""
    from kg.server.jars import VERSION
    from kg.server.server import USERNAME

    server = _server()
    now = server.status()
    uri = _own_address()
    if as_json:
        facts = {
            "state": now.state,
            "uri": now.uri,
            "username": USERNAME,
            "password_file": str(server.password_file),
            "pid": now.pid,
            "since": now.since.isoformat(timespec="seconds") if now.since else None,
            "version": VERSION,
            "folder": str(server.folder),
            "log": str(server.log),
            "used_instead": uri,
        }
        say_json(facts)
        return
    if uri:
        say(f"NEO4J_URI is set: your own server at {uri} is used instead of the private one")
    if now.state == "stopped":
        say(f"Not running (its folder is {server.folder})")
    else:
        doing = "Running" if now.state == "running" else "Busy starting, recovering or stopping"
        say(f"{doing}: Neo4j {VERSION} at {now.uri}, process {now.pid}, since {now.since:%Y-%m-%d %H:%M} UTC")
        say(f"User {USERNAME}, password in {server.password_file}, log in {server.log}")


@app.command()
def console() -> None:
    """Run the private Neo4j in the foreground, with its log on stdout, until Ctrl-C."""
    _server().console()


def _own_address() -> str | None:
    """Return the address of the user's own server as it may be printed."""
    from kg.store.bolt import check_address, shown_address

    uri = os.environ.get("NEO4J_URI")
    if not uri:
        return None
    check_address(uri)
    return shown_address(uri)


def _server() -> "Server":
    from kg.server.server import Server

    return Server(Workspace.default().folder("server"))
