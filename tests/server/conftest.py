"""One private server for all the tests here: each brings it into the state that it needs."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from kg.server.server import Server


@pytest.fixture(scope="session", autouse=True)
def jars() -> None:
    """Fetch the jars on a new machine, in a process that may leave loopback."""
    subprocess.run([sys.executable, "-c", "from kg.server.jars import fetch_jars; fetch_jars()"], check=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, jars: None) -> Iterator[Server]:  # noqa: ARG001
    server = Server(tmp_path_factory.mktemp("a b") / "知識 #é=$x" / "server")
    try:
        yield server
    finally:
        server.stop()
