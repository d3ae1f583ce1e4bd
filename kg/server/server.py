"""A private Neo4j Community that the software brings up by itself and keeps in one folder.

It listens on loopback only, in a process of its own that outlives the command which started it. Nothing here knows of
the graph. `kg.server.home` draws the folder, `kg.server.process` knows the process, `kg.server.jars` has its Java and
its jars.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

import psutil
from filelock import FileLock, Timeout

from kg import strict_json
from kg.errors import ServerError
from kg.server.home import Home, write_private
from kg.server.jars import VERSION
from kg.server.process import Neo4jProcess, find_process, free_port
from kg.terminal import say
from kg.workspace import private_file, private_folder

USERNAME = "neo4j"

_PORTS = range(1024, 2**16)
_START_SECONDS = 90
_STOP_SECONDS = 60
_RELEASE_SECONDS = 5  # a killed process may keep the store's lock for a moment


@dataclass(frozen=True)
class Address:
    """Where the server answers, and to whom.

    Attributes:
        pid: the process.
        started: whether this call started it.
    """

    pid: int
    uri: str
    username: str
    password: str = field(repr=False)
    started: bool


@dataclass(frozen=True)
class Status:
    """The state of the server.

    Attributes:
        state: "busy" while the process lives but does not answer: it starts, recovers or stops.
    """

    state: Literal["stopped", "busy", "running"]
    uri: str | None = None
    pid: int | None = None
    since: datetime | None = None


class Server:
    """The private Neo4j of a folder.

    Attributes:
        password_file: holds the password of `neo4j`.
        log: what the process printed since its last start.
    """

    def __init__(self, folder: Path) -> None:
        self._home = Home(folder)
        self.folder = self._home.folder
        self.password_file = self._home.password_file
        self.log = self._home.log
        self._record_file = self.folder / "server.json"

    def start(self) -> Address:
        """Return the address of the server once the server answers there; start the server if it does not run.

        Raises:
            ServerError: the server cannot be brought up. The data are as they were.
        """
        with self._locked():
            found = self._process()
            if found and self._comes_up(found):
                if not self._home.is_configured(found.port):
                    say(
                        "The private Neo4j runs with the configuration of another version: kg server stop, and the "
                        "next command starts it with this one's",
                        err=True,
                    )
                return self._address(found, started=False)
            if "pid" in self._last():
                why = self._home.why_it_ended()
                reason = f" ({why})" if why else ""
                say(f"The private Neo4j had ended without kg server stop{reason}; it is started again", err=True)
            return self._address(self._bring_up(), started=True)

    def restart(self, broken: Address) -> Address:
        """Start a server whose database has stopped by itself again; it is killed, since it would not end in time.

        Args:
            broken: the server that was seen to be broken; one that another command has started since is left alone.

        Raises:
            ServerError: there is too little disk still, or it cannot be brought up.
        """
        with self._locked():
            found = self._process()
            if found and found.pid != broken.pid and self._comes_up(found):
                return self._address(found, started=False)
            self._home.check_disk()
            if found:
                found.kill()
            cut_log = self._home.has_torn_log()
            if cut_log:
                say(
                    "The private Neo4j was cut off in the middle of a write, as on a full disk; that write, which was "
                    f"never confirmed, is left out (the log as it was: {self.folder / 'torn-log'}).",
                    err=True,
                )
            return self._address(self._bring_up(cut_log=cut_log), started=True)

    def fault(self) -> str:
        """Return, for a server that does not serve, a sentence for a person: the fault, and the remedy."""
        again = "run the same command again, which starts it again"
        try:
            self._home.check_disk()
        except ServerError as error:
            return f"the disk of the private Neo4j is full: {error}, then {again}"
        if self.status().state == "stopped":
            why = self._home.why_it_ended()
            return f"the private Neo4j ended in the middle of this command{f': {why}' if why else ''}; {again}"
        return f"the private Neo4j does not serve any more (log: {self.log}); {again}"

    def stop(self) -> bool:
        """End the server and return whether it ran.

        Raises:
            ServerError: the server has not ended after a minute.
        """
        if not self.folder.exists():
            return False
        with self._locked():
            found = self._process()
            if found:
                self._end(found)
            return found is not None

    def import_offline(self, arguments: list[str]) -> None:
        """Fill the empty database from files, with Neo4j's own importer; a running server is stopped before.

        An import that fails or is killed leaves an empty database, which the next start makes.

        Args:
            arguments: those of `neo4j-admin database import full neo4j`, from the input type on.

        Raises:
            ServerError: the importer does not accept the files.
        """
        with self._locked():
            if found := self._process():
                self._end(found)
            elif not self._home.has_answered():
                self._end(self._bring_up())
            self._home.import_offline(arguments)

    def empty(self) -> None:
        """Stop the server and remove what an import filled its database with; the next start makes an empty one."""
        with self._locked():
            if found := self._process():
                self._end(found)
            self._home.empty_database()

    def status(self) -> Status:
        """Return the state of the server, and change nothing."""
        found = self._process()
        if found is None:
            return Status("stopped")
        since = datetime.fromtimestamp(found.process.create_time(), UTC)
        return Status("running" if found.speaks_bolt() else "busy", found.uri, found.pid, since)

    def console(self) -> NoReturn:
        """Become the server: this process runs it in the foreground, with its log on stdout, until Ctrl-C.

        Raises:
            ServerError: the server runs already, or cannot be brought up.
        """
        with self._locked():
            if found := self._process():
                raise ServerError(f"Neo4j runs already (process {found.pid}, log {self.log}); stop it first")
            if not self._home.has_answered():
                self._end(self._bring_up())
            port = self._choose_port()
            command = self._home.prepare(port)
            server = self._record(os.getpid(), port)
            say(f"Neo4j {VERSION} at {server.uri}, user {USERNAME}, password in {self.password_file}", err=True)
            os.chdir(self.folder)
            os.umask(0o077)
            # No descriptor of the lock is inherited, so this ends it as well.
            os.execve(command.arguments[0], command.arguments, command.environment)  # noqa: S606

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            private_folder(self.folder)
            lock = FileLock(private_file(self.folder / "lock"))
            try:
                lock.acquire(timeout=2)
            except Timeout:
                say("Waiting for another command that starts or stops the private Neo4j", err=True)
                lock.acquire()
            try:
                yield
            finally:
                lock.release()
        except OSError as error:
            raise ServerError(
                f"cannot use {error.filename or self.folder} for the private Neo4j: {error.strerror or error}; "
                "give it room and write permission, or choose another workspace"
            ) from error

    def _address(self, server: Neo4jProcess, *, started: bool) -> Address:
        return Address(server.pid, server.uri, USERNAME, self._home.password(), started=started)

    def _bring_up(self, *, cut_log: bool = False) -> Neo4jProcess:
        launched = self._launch(cut_log=cut_log)
        if not self._comes_up(launched):
            raise ServerError(
                f"Neo4j ended while starting, with exit status {launched.exit_status()}: {self._home.reason()} "
                f"(log: {self.log})"
            )
        return launched

    def _end(self, server: Neo4jProcess) -> None:
        try:
            server.end(_STOP_SECONDS)
        except TimeoutError as error:
            raise ServerError(
                f"Neo4j (process {server.pid}) still runs {_STOP_SECONDS} s after it was told to stop; wait, or "
                f"`kill -9 {server.pid}`, which loses nothing that was committed (log: {self.log})"
            ) from error
        write_private(
            self._record_file, strict_json.write({"port": server.port})
        )  # it was stopped, and did not just end

    def _comes_up(self, server: Neo4jProcess) -> bool:
        try:
            answers = server.comes_up(_START_SECONDS)
        except TimeoutError as error:
            raise ServerError(
                f"Neo4j (process {server.pid}) does not answer after {_START_SECONDS} s; run the command again to wait "
                f"on, or `kg server stop` to give up (log: {self.log})"
            ) from error
        if answers:
            self._home.confirm_answer()
        return answers

    def _launch(self, *, cut_log: bool) -> Neo4jProcess:
        port = self._choose_port()
        command = self._home.prepare(port, cut_log=cut_log)
        with private_file(self.log).open("wb") as log:
            child = subprocess.Popen(  # noqa: S603
                command.arguments,
                cwd=self.folder,
                env=command.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        child.returncode = 0  # Popen warns of a child that outlives it; this one is meant to
        return self._record(child.pid, port)

    def _choose_port(self) -> int:
        deadline = time.monotonic() + _RELEASE_SECONDS
        while self._home.is_locked():
            if time.monotonic() > deadline:
                holder = self._recorded()
                raise ServerError(
                    f"{self._home.data} is in use by another Neo4j{f' (process {holder.pid})' if holder else ''}, "
                    "started by other means or before the folder was moved; stop that one first"
                )
            time.sleep(0.05)
        port = self._last().get("port")
        return free_port(port if type(port) is int and port in _PORTS else None)

    def _process(self) -> Neo4jProcess | None:
        return find_process(self.folder, self._recorded())

    def _recorded(self) -> psutil.Process | None:
        record = self._last()
        try:
            process = psutil.Process(record["pid"])
            return process if abs(process.create_time() - record["created"]) < 1 else None
        except (KeyError, TypeError, ValueError, OverflowError, psutil.Error):
            return None

    def _last(self) -> dict[str, Any]:
        try:
            record = json.loads(self._record_file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def _record(self, pid: int, port: int) -> Neo4jProcess:
        process = psutil.Process(pid)
        record = {"pid": pid, "created": process.create_time(), "port": port}
        write_private(self._record_file, strict_json.write(record))
        return Neo4jProcess(process, port)
