"""The process of a private Neo4j: how it is told from others, and whether it answers.

A process is the server of a folder only if its command line names that folder and it belongs to the folder's owner,
since anybody can start a process with any command line. Its id alone, which the system gives to others later, is never
enough. Nothing is sent to a port on which another process listens.
"""

import os
import re
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from kg.errors import ServerError

HOST = "127.0.0.1"
MAIN_CLASS = "org.neo4j.server.CommunityEntryPoint"
HOME_FLAG = "--home-dir="
PORT_FLAG = "-Dkg.port="  # means nothing to Java; a running server tells its port by it

_PORT = re.compile(re.escape(PORT_FLAG) + r"([1-9][0-9]{0,4})")
_LOOPBACK = (HOST, f"::ffff:{HOST}")  # Java listens on IPv4's loopback by an IPv6 socket
_BOLT_5 = bytes.fromhex("6060B017 00080805 00000000 00000000 00000000")  # offers 5.0 to 5.8


def end_importers(report_flag: str) -> None:
    """End what is left of importers whose `kg` was killed, so that nothing writes into a store that is removed.

    Args:
        report_flag: an argument of the command line that only importers of this folder have.
    """
    left = []
    for process in psutil.process_iter(["cmdline"]):
        if report_flag in (process.info["cmdline"] or ()):
            with suppress(psutil.Error):
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=10)


@dataclass(frozen=True)
class Neo4jProcess:
    """A process that was seen to be the server of a folder."""

    process: psutil.Process
    port: int

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def uri(self) -> str:
        """The address at which the server answers, once it does."""
        return f"bolt://{HOST}:{self.port}"

    def is_alive(self) -> bool:
        """Tell whether the process has not ended yet."""
        try:
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def speaks_bolt(self) -> bool:
        """Tell whether a Bolt handshake with this very process succeeds, which it does once the databases are open."""
        if not self._listens():
            return False
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(_BOLT_5)
                return connection.recv(4).endswith(b"\x05")
        except OSError:
            return False

    def _listens(self) -> bool:
        """Tell whether the port is this process's; if not, whoever listens there would be sent the password."""
        try:
            sockets = self.process.net_connections("tcp")
        except psutil.Error:
            return False
        return any(
            one.status == psutil.CONN_LISTEN and one.laddr.port == self.port and one.laddr.ip in _LOOPBACK
            for one in sockets
        )

    def comes_up(self, seconds: float) -> bool:
        """Wait for the first answer; return False if the process ends before.

        Raises:
            TimeoutError: neither happened.
        """
        deadline = time.monotonic() + seconds
        while not self.speaks_bolt():
            if not self.is_alive():
                return False
            _sleep_until(deadline)
        return True

    def end(self, seconds: float) -> None:
        """Ask the process to end, and wait until it has.

        Raises:
            TimeoutError: the process did not end.
            ServerError: the process belongs to another user.
        """
        deadline = time.monotonic() + seconds
        try:
            self.process.terminate()
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied as error:
            raise ServerError(f"Neo4j (process {self.pid}) belongs to another user, who can stop it") from error
        while self.is_alive():
            _sleep_until(deadline)
        self.exit_status()

    def kill(self) -> None:
        """End the process at once; committed data are on the disk."""
        try:
            self.process.kill()
        except psutil.NoSuchProcess:
            return
        self.exit_status()

    def exit_status(self) -> int | None:
        """Reap the ended process and return its exit status, known only of a child of ours."""
        try:
            return self.process.wait(1)  # Java's first thread is a zombie a little before the rest has ended
        except psutil.TimeoutExpired:
            return None


def find_process(folder: Path, likely: psutil.Process | None) -> Neo4jProcess | None:
    """Return the server of a folder: the likely process, else any other that says to be it."""
    if not folder.exists():
        return None
    found = _as_server_of(folder, likely) if likely else None
    return found or next(filter(None, (_as_server_of(folder, process) for process in psutil.process_iter())), None)


def free_port(wanted: int | None) -> int:
    """Return the wanted port if it is free, else another, below those that systems give to outgoing connections."""
    port = wanted or _random_port()
    for _ in range(100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                port = _random_port()
            else:
                return port
    raise ServerError(f"none of a hundred ports of {HOST} can be listened on; is that forbidden here?")


def _random_port() -> int:
    return 20_000 + secrets.randbelow(10_000)


def _as_server_of(folder: Path, process: psutil.Process) -> Neo4jProcess | None:
    try:
        words = process.cmdline()
        ports = [int(found[1]) for word in words if (found := _PORT.fullmatch(word))]
        if ports and MAIN_CLASS in words and f"{HOME_FLAG}{folder}" in words and _is_trusted(folder, process):
            return Neo4jProcess(process, ports[0])
    except (psutil.Error, FileNotFoundError):
        pass
    return None


def _is_trusted(folder: Path, process: psutil.Process) -> bool:
    """Tell whether a process belongs to the folder's owner, or to the user who asks, wholly.

    Both can read the password anyway. A program that is set to another user's id has the id of its starter, too.
    """
    if not hasattr(process, "uids"):
        return process.username() == psutil.Process().username()
    return set(process.uids()) <= {folder.stat().st_uid, os.geteuid()}


def _sleep_until(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError
    time.sleep(0.05)
