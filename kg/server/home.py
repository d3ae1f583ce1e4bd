"""The home folder of the private Neo4j: its configuration, its password, and the command that runs it.

server/
├── server.json     process id, start time and port of the last start (`kg.server.server` keeps it)
├── password        of the user `neo4j`, made before the first start; mode 0600
├── lock            held while a command starts or stops the server
├── conf, data, logs
├── import          empty: where LOAD CSV would look, were it allowed
└── neo4j.log       what the process printed since its last start
"""

import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from kg.errors import ServerError
from kg.server.jars import fetch_jars, find_java
from kg.server.process import HOME_FLAG, HOST, MAIN_CLASS, PORT_FLAG, end_importers
from kg.workspace import private_file, private_folder

_FIRST_BYTES = 1_000_000_000  # the jars, a store and its transaction logs
_LATER_BYTES = 200_000_000

# The paths that the server uses are below its home, so none has to be escaped. The last three lines are the wall behind
# `kg.store.adhoc`: no Cypher opens a file or an address.
CONFIGURATION = """\
server.default_listen_address={host}
server.bolt.listen_address={host}:{port}
server.bolt.advertised_address={host}:{port}
server.http.enabled=false
server.https.enabled=false
dbms.usage_report.enabled=false
server.memory.pagecache.size={page_cache}m
db.tx_log.preallocate=false
db.tx_log.rotation.size=16m
db.tx_log.rotation.retention_policy=keep_none
db.lock.acquisition.timeout=30s
internal.server.bolt.thread_pool_shutdown_wait_time=100ms
db.transaction.monitor.check.interval=500ms
dbms.security.allow_csv_import_from_file_urls=false
internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0
server.directories.import=import
"""

_CUT_LOG = "internal.dbms.tx_log.fail_on_corrupted_log_files=false\n"
_TORN = re.compile(r"recovery not possible.*?Failure to read transaction log file number (\d+)", re.DOTALL)
_START_OF_RUN = "Logging config in use"
_OUT_OF_MEMORY = "java.lang.OutOfMemoryError"

# All of the environment that the server sees: it runs for days, and keys and passwords have no place in it.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH")

_JVM_FLAGS = (
    "-Xms256m",
    "-XX:+UseParallelGC",  # loads 13 % faster than G1 on two cores
    "-XX:+ExitOnOutOfMemoryError",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)
_JAVA_25_FLAG = "--sun-misc-unsafe-memory-access=allow"


@dataclass(frozen=True)
class Command:
    """How to start the server, in its home folder."""

    arguments: list[str]
    environment: dict[str, str]


class Home:
    """The files of one private Neo4j.

    Attributes:
        folder: absolute path without symbolic links; created by the first start.
        password_file: holds the password of `neo4j`.
        log: what the process printed since its last start.
        data: the graph.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.password_file = self.folder / "password"
        self.log = self.folder / "neo4j.log"
        self.data = self.folder / "data"
        self._conf = self.folder / "conf" / "neo4j.conf"
        self._unborn = self.folder / "unborn"
        self._importing = self.folder / "importing"
        self._report_flag = f"--report-file={self.folder / 'import-report.txt'}"
        self._log_folder = self.data / "transactions" / "neo4j"

    def has_answered(self) -> bool:
        """Tell whether a server has answered from these data; until then nobody can have written data."""
        return (self.data / "databases").exists() and not self._unborn.exists()

    def confirm_answer(self) -> None:
        """Note that a server has answered from these data."""
        self._unborn.unlink(missing_ok=True)

    def is_configured(self, port: int) -> bool:
        """Tell whether the last start had the configuration that a start on this port would have now."""
        try:
            return self._conf.read_text(encoding="ascii").removesuffix(_CUT_LOG) == _configuration(port)
        except (OSError, UnicodeDecodeError):
            return False

    def prepare(self, port: int, *, cut_log: bool = False) -> Command:
        """Make the folder ready for a start on a port. Nothing may run in it.

        Args:
            port: where the server is to answer.
            cut_log: leave out what follows the last whole transaction of the log (see `has_torn_log`).

        Raises:
            ServerError: too little disk, no Java, a jar that cannot be had, or a lost password.
        """
        self.check_disk()
        java, major = find_java()
        jars = fetch_jars()
        heap, _ = _memory()
        conf = private_folder(self._conf.parent)
        private_folder(self.folder / "import")
        configuration = _configuration(port)
        if cut_log:
            configuration += _CUT_LOG
            shutil.copytree(self._log_folder, self.folder / "torn-log", dirs_exist_ok=True)
        private_file(self._conf).write_text(configuration, encoding="ascii")
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "CLASSPATH": os.pathsep.join(map(str, jars)),
            "LC_ALL": "C.UTF-8",  # in the C locale Java refuses paths that are not ASCII
            "NEO4J_HOME": str(self.folder),
            "NEO4J_CONF": str(conf),
        }
        if not self.has_answered():
            self._make_empty(java, environment)
        if self._importing.exists():
            end_importers(self._report_flag)
            self.empty_database()
        self.password()
        flags = [*_JVM_FLAGS, f"-Xmx{heap}m", f"{PORT_FLAG}{port}", *([_JAVA_25_FLAG] if major == 25 else [])]  # noqa: PLR2004
        paths = [f"{HOME_FLAG}{self.folder}", f"--config-dir={conf}"]
        return Command([str(java), *flags, MAIN_CLASS, *paths, "--console-mode"], environment)

    def import_offline(self, arguments: list[str]) -> None:
        """Fill the empty database from files. Nothing may run in the folder.

        Raises:
            ServerError: the importer failed; the database is empty again.
        """
        command = self.prepare(1)  # the port is not used
        java = command.arguments[: command.arguments.index(MAIN_CLASS)]
        tool = [*java, "org.neo4j.cli.AdminTool", "database", "import", "full", "neo4j",
                "--overwrite-destination=true", self._report_flag, *arguments]  # fmt: skip
        private_file(self._importing)
        with private_file(self.log).open("wb") as log:
            done = subprocess.run(  # noqa: S603
                tool, cwd=self.folder, env=command.environment, stdout=log, stderr=subprocess.STDOUT, check=False,
                stdin=subprocess.DEVNULL, umask=0o077,
            )  # fmt: skip
        if done.returncode:
            self.empty_database()
            raise ServerError(f"Neo4j's importer failed: {self.reason()} (log: {self.log})")
        self._importing.unlink()

    def empty_database(self) -> None:
        """Remove what an import left that did not finish; the server makes an empty database in its place."""
        for folder in (self.data / "databases" / "neo4j", self.data / "transactions" / "neo4j"):
            shutil.rmtree(folder, ignore_errors=True)
        self._importing.unlink(missing_ok=True)

    def password(self) -> str:
        """Return the password of `neo4j`.

        Raises:
            ServerError: its file is gone.
        """
        try:
            return self.password_file.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise ServerError(
                f"{self.password_file} is gone, and {self.data} does not open without it; put it back, or delete "
                f"{self.folder} to begin with an empty graph"
            ) from error

    def is_locked(self) -> bool:
        """Tell whether some process has the data open, which a second server would find out after 16 seconds."""
        import fcntl  # noqa: PLC0415 - exists on Unix only

        try:
            with (self.data / "databases" / "store_lock").open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def reason(self) -> str:
        """Return what the log says of a failure, in one line."""
        return _reason(self.log.read_text(encoding="utf-8", errors="replace"))

    def has_torn_log(self) -> bool:
        """Tell whether the database did not start because the end of its newest transaction log is torn.

        A disk that was full in the middle of a write leaves such an end, and Neo4j takes it for damage. What is torn
        was never acknowledged, since the database stops at once. Only the newest log ends so; damage of an older one
        is left to a person.
        """
        debug = self.folder / "logs" / "debug.log"
        text = debug.read_text(encoding="utf-8", errors="replace") if debug.exists() else ""
        found = _TORN.search(text[max(text.rfind(_START_OF_RUN), 0) :])
        logs = [int(path.suffix[1:]) for path in self._log_folder.glob("neostore.transaction.db.[0-9]*")]
        return found is not None and int(found[1]) == max(logs, default=-1)

    def why_it_ended(self) -> str | None:
        """Return why the process ended, as far as its log tells."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "it ran out of memory" if _OUT_OF_MEMORY in text else None

    def check_disk(self) -> None:
        """Check that there is room for a start.

        Raises:
            ServerError: there is not.
        """
        needed = _LATER_BYTES if self.has_answered() else _FIRST_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise ServerError(
                f"Neo4j needs {needed // 1_000_000:,} MB of free disk and {self.folder} has {free // 1_000_000:,} MB; "
                "make room, or choose a workspace on another disk"
            )

    def _make_empty(self, java: Path, environment: dict[str, str]) -> None:
        """Give a server that has never answered its password, and empty data to begin with.

        A first start that was killed leaves half a store that no later one can open. It is put aside, not deleted.
        """
        private_file(self._unborn)
        if self.data.exists():
            aside = self.folder / "data-of-interrupted-start"
            shutil.rmtree(aside, ignore_errors=True)
            self.data.rename(aside)
        if not self.password_file.exists():
            write_private(self.password_file, secrets.token_hex(16))
        # Passed as an argument file, so that no list of processes shows it.
        tool = [str(java), "org.neo4j.cli.AdminTool", "dbms", "set-initial-password", f"@{self.password_file.name}"]
        done = subprocess.run(  # noqa: S603
            tool, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, umask=0o077
        )
        if done.returncode:
            raise ServerError(f"cannot set the password of Neo4j: {_reason(done.stdout + done.stderr)}")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(f".{path.name}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    draft.replace(path)


def _memory() -> tuple[int, int]:
    """Return the largest heap and the page cache in MB: each an eighth of the machine, within bounds."""
    eighth = psutil.virtual_memory().total // 8 // 2**20
    return min(max(eighth, 512), 2048), min(max(eighth, 128), 2048)


def _configuration(port: int) -> str:
    return CONFIGURATION.format(host=HOST, port=port, page_cache=_memory()[1])


def _reason(log: str) -> str:
    r"""Return the end of a Java log that says what went wrong, in one line.

    >>> _reason("2026-11-25 INFO  Starting...\nCaused by: Locked: the store\n\tat Main\n2026-11-25 INFO  Stopped.")
    'Locked: the store'
    """
    lines = [line for line in log.splitlines() if line.strip() and not line[0].isspace() and " INFO " not in line]
    return "; ".join(line.removeprefix("Caused by: ")[:300] for line in lines[-2:]) or "it did not say why"
