"""One real Neo4j for each test process, emptied before each test that uses it."""

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.packaged import is_available
from kg.language_model.weights import HOW_TO_GET
from kg.run import Run
from kg.server import home
from kg.server.server import Address, Server
from kg.store.bolt import Store
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests import command

_KEPT_PLANS = "dbms.cypher.statistics_divergence_threshold=0.99\ndbms.cypher.min_replan_interval=1h\n"
"""A graph that is emptied before each test is no reason to plan each statement again."""

PUBLISHED = "KG_PUBLISHED_DATA"
"""Names a folder of published data, which the project does not ship; tests that need it skip without."""

Kg = Callable[..., subprocess.CompletedProcess[str]]

for name in [name for name in os.environ if name.startswith(("NEO4J_", "KG_HOME", "OPENAI_"))]:
    del os.environ[name]
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each new process would compile all of our modules again
os.environ["OMP_NUM_THREADS"] = "1"  # two test processes share the cores, and torch's threads would wait for each other

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script, where a shell ignores interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
settings.load_profile("ours")

gc.set_threshold(20_000, 20, 50)

LONGEST_FIRST = (
    "tests/faults/test_kills.py", "tests/faults", "tests/server/test_end.py", "tests/server", "tests/end_to_end",
    "tests/exchange/test_bulk.py", "tests/database", "tests/properties", "tests/student", "tests/teacher",
    "tests/exchange", "tests/critic",
)  # fmt: skip
"""Files and folders that take longest, so that no process waits for another at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        found = (place for place, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(name))
        return next(found, len(LONGEST_FIRST))

    items.sort(key=place)
    gc.freeze()  # libraries and tests are a million objects that stay: looking at them again took a fifth of the time


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # or modules in C complain at the end of what they think was lost


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport]:  # noqa: ARG001
    """With KG_TEST_REQUIRE_ALL set, fail where a test would skip, unless it cannot be root, or lacks big data or time.

    With KG_TEST_WITHOUT_LM set, too, it may also lack the language model that comes with pip; with
    KG_TEST_WITHOUT_BROWSER, a browser.
    """
    report = yield
    reason = str(report.longrepr)
    absent = {"KG_TEST_WITHOUT_LM": HOW_TO_GET, "KG_TEST_WITHOUT_BROWSER": "no Chromium"}
    allowed = ["root", PUBLISHED, "KG_TEST_THOROUGH", *(word for name, word in absent.items() if os.environ.get(name))]
    if report.skipped and os.environ.get("KG_TEST_REQUIRE_ALL") and not any(word in reason for word in allowed):
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse connections to other machines from the test process itself."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        if host not in {"127.0.0.1", "localhost", "::1"}:
            raise AssertionError(f"a test connects to {host}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def jars() -> None:
    """The private server's jars, fetched by a process that may reach the registries."""
    fetch = "from kg.server.jars import fetch_jars; fetch_jars()"
    subprocess.run([sys.executable, "-c", fetch], check=True, timeout=250)


@pytest.fixture(scope="session")
def gemma() -> Path:
    """The language model that comes with pip, converted into the user's cache by the first test that needs it."""
    if not is_available():
        pytest.skip(f"the language model is not installed: {HOW_TO_GET}")
    convert = "from kg.language_model.packaged import packaged_model; print(packaged_model().folder)"
    done = subprocess.run([sys.executable, "-c", convert], check=True, capture_output=True, text=True, timeout=850)
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def address(jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:  # noqa: ARG001
    server = Server(tmp_path_factory.mktemp("server"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "_JVM_FLAGS", home._JVM_FLAGS[:-1])  # noqa: SLF001 - it lives long: Java compiles well, too
        patch.setattr(home, "CONFIGURATION", home.CONFIGURATION + _KEPT_PLANS)
        started = server.start()
    try:
        yield started
    finally:
        server.stop()


@pytest.fixture(scope="session")
def store(address: Address) -> Iterator[Store]:
    with Store(address.uri, address.username, address.password) as opened:
        KnowledgeGraph(opened).prepare()
        yield opened


@pytest.fixture
def graph(store: Store) -> KnowledgeGraph:
    empty(store)
    graph = KnowledgeGraph(store)
    graph.add_vocabulary(Vocabulary.load("skd"))
    return graph


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def environment(address: Address, tmp_path: Path) -> dict[str, str]:
    """Environment of a `kg` command that uses the test's database and a workspace of its own."""
    return os.environ | {
        "NEO4J_URI": address.uri,
        "NEO4J_USERNAME": address.username,
        "NEO4J_PASSWORD": address.password,
        "KG_HOME": str(tmp_path / "home"),
        "COLUMNS": "160",
    }


def empty(store: Store) -> None:
    store.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS")


@pytest.fixture
def begun(graph: KnowledgeGraph) -> Run:
    """A run of a teacher that has begun."""
    run = Run("load", model="teacher", dataset="test")
    graph.begin(run)
    return run


@pytest.fixture
def kg(environment: dict[str, str], tmp_path: Path) -> Kg:
    """Run the `kg` command as a user would, in a folder of its own."""

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = command.run(arguments, environment, tmp_path, tmp_path / ".said")
        assert done.returncode == status, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run
