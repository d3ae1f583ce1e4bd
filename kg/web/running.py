"""The server: a port of this machine, the hosts that it goes by, and its end."""

import ipaddress
import socket
import webbrowser
from collections.abc import Callable, Iterable
from contextlib import closing, suppress

import psutil
import uvicorn
from starlette.types import ASGIApp

from kg.errors import InputError
from kg.terminal import say

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LEAVE_SECONDS = 3  # for answers that are under way at the end


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: a name or address of this machine.
        port: 0 takes a free one.

    Raises:
        InputError: the port is taken, or the host is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(found[0], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(found[4])
            listening.listen(128)
        except OSError:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"cannot serve at {host}, port {port}: {why}; choose another --port") from error
    return listening


def hosts_of(host: str, port: int) -> set[str]:
    """Return the values of a Host header by which a server at a host and port is asked for, in lower case."""
    names: Iterable[str] = [_bracketed(host)]
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:  # all of this machine's
            names = [socket.gethostname(), *_addresses()]
    return {f"{name.lower()}:{port}" for name in (*names, *LOOPBACK)}


def serve(
    make: Callable[[int], ASGIApp], listening: socket.socket, host: str, token: str, *, browser: bool = False
) -> None:
    """Serve an application until Ctrl-C.

    Args:
        make: the port to the application.
        listening: as of `listen`.
        host: for the printed address.
        token: of the owner.
        browser: whether to open the address in a browser.
    """
    with closing(listening):
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            make(port), log_config=None, log_level="critical", access_log=False, server_header=False, date_header=False,
            proxy_headers=False, timeout_graceful_shutdown=_LEAVE_SECONDS, ws="none",
        )  # fmt: skip
        named = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else _bracketed(host)  # noqa: S104 - compared, not bound
        address = f"http://{named}:{port}/?token={token}"
        say(f"Serving the graph at {address}")
        say("Whoever has this address may see and change all; Ctrl-C ends it.", err=True)
        if browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    say("Stopped serving.", err=True)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _addresses() -> Iterable[str]:
    for of_interface in psutil.net_if_addrs().values():
        for one in of_interface:
            if one.family in (socket.AF_INET, socket.AF_INET6):
                yield _bracketed(one.address.partition("%")[0])
