"""`kg serve` as a process: what it prints, what stops it, and what happens when the database goes away."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from kg.server.server import Server
from kg.web.running import hosts_of
from tests.conftest import Kg
from tests.repeats import only_thorough
from tests.server.test_server import pid_of

pytestmark = pytest.mark.timeout(900)
KG = [sys.executable, "-c", "from kg.cli import main; main()"]


class Serving:
    """A `kg serve` that runs, and a browser of its owner.

    Attributes:
        address: without the token.
        token: of the owner.
        process: the command.
        client: the browser, with a session.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        line = process.stdout.readline()
        found = re.fullmatch(r"Serving the graph at (http://127\.0\.0\.1:\d+)/\?token=([\w-]{43})\n", line)
        assert found, (line, process.stderr and process.stderr.read())
        self.address, self.token = found.groups()
        self.process = process
        self.client = httpx2.Client(base_url=self.address, follow_redirects=True, timeout=60, trust_env=False)
        assert self.client.get("/", params={"token": self.token}).status_code == 200

    def stop(self) -> tuple[int, str]:
        """The exit status and stderr after a Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def serving(environment: dict[str, str], folder: Path, *options: str) -> Iterator[Serving]:
    process = subprocess.Popen(
        [*KG, "serve", "--port", "0", *options], env=environment, cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        one = Serving(process)
        with closing(one.client):
            yield one
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("graph")
def test_ctrl_c_ends_it_with_one_line_and_each_start_has_another_token(
    environment: dict[str, str], tmp_path: Path
) -> None:
    tokens = set()
    for _ in range(2):
        with serving(environment, tmp_path) as one:
            tokens.add(one.token)
            status, err = one.stop()
            assert status == 0
            assert err.splitlines()[-1] == "Stopped serving."
            assert "Traceback" not in err
            assert one.token not in err
    assert len(tokens) == 2


@pytest.mark.usefixtures("graph")
def test_a_real_request_needs_token_and_name(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path) as one:
        assert one.client.get("/browse").status_code == 200
        assert httpx2.get(f"{one.address}/browse", trust_env=False).status_code == 403
        assert httpx2.get(f"{one.address}/?token=wrong", trust_env=False).status_code == 403
        assert one.client.get("/browse", headers={"host": "evil.example"}).status_code == 403
        assert "server" not in one.client.get("/browse").headers


def test_a_taken_port_is_one_sentence(kg: Kg) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = kg("serve", "--port", str(port), status=1)
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr
    assert "choose another --port" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 - refused
def test_other_machines_are_served_only_when_asked_for(host: str, kg: Kg) -> None:
    done = kg("serve", "--host", host, status=1)
    assert "--other-machines serves there all the same" in done.stderr


def test_a_host_that_is_not_this_machines_is_one_sentence(kg: Kg) -> None:
    done = kg("serve", "--host", "192.0.2.1", "--other-machines", status=1)
    assert "cannot serve at 192.0.2.1" in done.stderr.splitlines()[-1]


def test_all_names_of_this_machine_are_hosts_where_all_are_served() -> None:
    hosts = hosts_of("0.0.0.0", 80)  # noqa: S104 - not bound
    assert {"127.0.0.1:80", "localhost:80", f"{socket.gethostname().lower()}:80"} <= hosts
    assert "0.0.0.0:80" not in hosts
    assert hosts_of("::1", 8137) == {"[::1]:8137", "127.0.0.1:8137", "localhost:8137"}


def test_a_missing_extra_is_a_sentence_that_says_how_to_get_it(environment: dict[str, str], tmp_path: Path) -> None:
    for missing in ("fastapi", "uvicorn", "starlette"):
        script = f"import sys; sys.modules[{missing!r}] = None\nfrom kg.cli import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", script, "serve"], env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == "kg: the web application is not installed: pip install 'skd-graph[web]'\n"


@only_thorough
def test_neo4j_that_goes_away_is_a_sentence_on_the_page_and_comes_back(jars: None, tmp_path: Path) -> None:  # noqa: ARG001
    environment = os.environ | {"KG_HOME": str(tmp_path / "home")}
    server = Server(tmp_path / "home" / "server")
    try:
        with serving(environment, tmp_path) as one:
            assert one.client.get("/browse").status_code == 200
            for end in (server.stop, lambda: os.kill(pid_of(server), signal.SIGKILL)):
                end()
                begun = time.monotonic()
                answer = one.client.get("/browse")
                assert time.monotonic() - begun < 20
                assert answer.status_code == 503
                assert "Neo4j does not answer" in answer.text
                assert answer.headers["refresh"]
                assert answer.headers["content-security-policy"]
                for _ in range(120):
                    if (answer := one.client.get("/browse")).status_code == 200:
                        break
                    assert answer.status_code == 503
                    time.sleep(1)
                assert answer.status_code == 200
            status, err = one.stop()
            assert (status, "Traceback" in err) == (0, False)
    finally:
        server.stop()


@pytest.mark.usefixtures("graph")
@only_thorough
def test_pages_answer_while_a_load_writes(environment: dict[str, str], tmp_path: Path) -> None:
    rows = (f"PersonX sees thing {place}\txWant\tto do {place}" for place in range(60_000))
    (tmp_path / "many.tsv").write_text("\n".join(rows), encoding="utf-8")
    with serving(environment, tmp_path) as one:
        load = subprocess.Popen(
            [*KG, "ingest", "load", "many.tsv", "--format", "atomic2020"], env=environment, cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        seen = []
        while load.poll() is None:
            for path in ("/", "/browse", "/search?text=thing", "/tradeoff", "/models"):
                assert one.client.get(path).status_code == 200
            seen.append(len(re.findall("<tr>", one.client.get("/browse").text)))
        assert load.returncode == 0
        assert len(seen) > 1
        assert one.client.get("/browse/download?format=tsv").content.count(b"\n") == 60_000
        for _ in range(100):
            if "60,000" in (text := one.client.get("/").text):
                break
            time.sleep(0.5)
        assert "60,000" in text
