"""The life of a private server, on a real Neo4j in a folder with a hostile name."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from neo4j import GraphDatabase

from kg.errors import ServerError, StoreUnavailable
from kg.server import home as neo4j_home
from kg.server import server as server_module
from kg.server.server import Address, Server
from kg.store.bolt import Store
from tests.repeats import only_thorough

START = (
    "import sys; import pathlib as p; from kg.server.server import Server; print(Server(p.Path(sys.argv[1])).start())"
)


def query(address: Address, text: str) -> list[object]:
    with GraphDatabase.driver(address.uri, auth=(address.username, address.password)) as driver:
        return [record[0] for record in driver.execute_query(text).records]


def pid_of(server: Server) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


@pytest.fixture
def stopped(server: Server) -> Server:
    """The shared server, which has run and runs no more."""
    if not server.password_file.exists():
        server.start()
    server.stop()
    return server


def starting_process(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_address_works_and_a_second_start_returns_the_same_one(server: Server) -> None:
    address = server.start()
    assert query(address, "RETURN 1") == [1]
    again = server.start()
    assert not again.started
    assert (again.uri, again.password) == (address.uri, address.password)


def test_it_listens_on_loopback_only(server: Server) -> None:
    server.start()
    listening = [c.laddr.ip for c in psutil.Process(pid_of(server)).net_connections("tcp") if c.status == "LISTEN"]
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_only_the_owner_reads_the_password_and_no_process_list_shows_it(server: Server) -> None:
    address = server.start()
    assert stat.S_IMODE(server.password_file.stat().st_mode) == 0o600
    assert address.password not in repr(address)
    assert address.password not in " ".join(psutil.Process(pid_of(server)).cmdline())
    data = server.folder / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


@only_thorough
def test_a_stop_keeps_the_graph_the_password_and_the_port_and_is_no_surprise_to_the_next_start(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    first = server.start()
    query(first, "CREATE (:Kept)")
    assert server.stop()
    assert server.status().state == "stopped"
    capsys.readouterr()
    second = server.start()
    assert capsys.readouterr().err == ""
    assert second.started
    assert (second.uri, second.password) == (first.uri, first.password)
    assert query(second, "MATCH (n:Kept) DELETE n RETURN count(*)") == [1]


def test_a_stop_of_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert not Server(tmp_path / "none").stop()
    assert not (tmp_path / "none").exists()


@only_thorough
def test_two_commands_at_the_same_moment_start_one_server_even_in_the_c_locale(server: Server) -> None:
    server.stop()
    starters = [starting_process(server.folder, LC_ALL="C", LANG="C") for _ in range(2)]
    answers = [starter.communicate(timeout=120) for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0], answers
    assert sorted("started=True" in out for out, _ in answers) == [False, True]
    assert len({out.split("uri=")[1].split(",")[0] for out, _ in answers}) == 1
    assert not server.start().started


@only_thorough
def test_a_killed_server_starts_again_with_all_that_was_committed(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    address = server.start()
    query(address, "CREATE (:Committed)")
    os.kill(pid_of(server), signal.SIGKILL)
    again = server.start()
    assert again.started
    assert query(again, "MATCH (n:Committed) DELETE n RETURN count(*)") == [1]
    assert "had ended without kg server stop; it is started again" in capsys.readouterr().err


@only_thorough
def test_a_server_that_a_statement_killed_comes_back_and_says_so(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    address = server.start()
    greedy = "RETURN size(reduce(s = 'xxxxxxxx', i IN range(1, 28) | s + s)) AS x"
    said = r"went away .* more memory .*; the next command starts it again"
    with (
        Store(address.uri, address.username, address.password, private=True) as store,
        pytest.raises(StoreUnavailable, match=said),
    ):
        store.ask(greedy, {}, limit_rows=1, timeout_seconds=120)
    assert query(server.start(), "RETURN 1") == [1]
    assert "ended without kg server stop (it ran out of memory); it is started again" in capsys.readouterr().err


def test_a_server_that_runs_with_an_older_configuration_is_named(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    capsys.readouterr()
    server.start()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(neo4j_home, "CONFIGURATION", neo4j_home.CONFIGURATION + "db.lock.acquisition.timeout=31s\n")
    assert not server.start().started
    assert "configuration of another version: kg server stop" in capsys.readouterr().err


def test_a_server_whose_record_was_lost_is_found_again(server: Server) -> None:
    address = server.start()
    (server.folder / "server.json").unlink()
    assert server.status().state == "running"
    again = server.start()
    assert (again.uri, again.started) == (address.uri, False)


def test_a_record_of_a_foreign_process_neither_misleads_nor_harms_it(server: Server) -> None:
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as foreign:
        record = {"pid": foreign.pid, "created": psutil.Process(foreign.pid).create_time(), "port": 20001}
        (server.folder / "server.json").write_text(json.dumps(record), encoding="utf-8")
        assert server.status().state == "stopped"
        assert not server.stop()
        assert foreign.poll() is None
        foreign.kill()


def impostor(
    folder: Path, port: int | str, *, listener: socket.socket | None = None, **rest: int
) -> subprocess.Popen[bytes]:
    """Start a process whose command line is that of the folder's server."""
    words = [f"-Dkg.port={port}", "org.neo4j.server.CommunityEntryPoint", f"--home-dir={folder}"]
    given = [listener.fileno()] if listener else []
    return subprocess.Popen(["/bin/sh", "-c", "sleep 600; :", *words], pass_fds=given, cwd="/", **rest)


def nobody_called(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def gone(process: subprocess.Popen[bytes]) -> None:
    for child in psutil.Process(process.pid).children():
        child.kill()
    process.kill()
    process.wait()


@only_thorough
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process of another user")
def test_a_process_of_another_user_is_not_the_server_whatever_it_says(stopped: Server) -> None:
    server = stopped
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fake = impostor(server.folder, listener.getsockname()[1], listener=listener, user=65534)
        try:
            record = {"pid": fake.pid, "created": psutil.Process(fake.pid).create_time(), "port": 20001}
            (server.folder / "server.json").write_text(json.dumps(record), encoding="utf-8")
            assert server.status().state == "stopped"
            address = server.start()
            assert address.started
            assert query(address, "RETURN 1") == [1]
            assert nobody_called(listener), "neither a handshake nor the password is sent there"
            assert server.stop()
            assert fake.poll() is None
        finally:
            gone(fake)


@only_thorough
def test_a_taken_port_makes_it_choose_another(stopped: Server) -> None:
    port = json.loads((stopped.folder / "server.json").read_bytes())["port"]
    with socket.create_server(("127.0.0.1", port)):
        address = stopped.start()
        assert address.uri != f"bolt://127.0.0.1:{port}"
        assert query(address, "RETURN 1") == [1]
    assert stopped.stop()


@pytest.mark.parametrize("is_its_own", [True, False])
def test_a_port_on_which_another_process_listens_is_not_spoken_to(tmp_path: Path, is_its_own: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = impostor(tmp_path, listener.getsockname()[1], listener=listener if is_its_own else None)
        try:
            assert Server(tmp_path).status().pid == process.pid
            assert nobody_called(listener) is not is_its_own
        finally:
            gone(process)


def test_a_port_that_is_no_number_is_no_server(tmp_path: Path) -> None:
    for port in ("", "x", "-1", "70000000", "7.5", "٣"):
        process = impostor(tmp_path, port)
        try:
            assert Server(tmp_path).status().state == "stopped"
        finally:
            gone(process)


ODD_RECORDS = (
    '{"pid": 999999999, "created": 1.0, "port": 20001}', "{", "[]", '{"pid": 1}', '"text"', "null", "7", "",
    '{"pid": "1", "created": "1.0", "port": "20001"}', '{"pid": -1, "created": 1.0, "port": -1}',
    '{"pid": 1e400, "created": 1.0}', '{"pid": 1, "created": null}', '{"pid": 1, "created": [1]}',
    '{"pid": 1, "created": 1e400}', '{"pid": null, "created": 1}', '{"pid": 1.5, "created": 1}', '{"pid": true}',
    f'{{"pid": {10**30}, "created": 1.0, "port": {10**30}}}', f'{{"pid": 1, "created": {10**400}}}',
    '{"pid": {}, "created": 1}', "[" * 100_000, "\0\0\0", '{"pid": NaN, "created": NaN}', "9" * 5_000,
)  # fmt: skip


@pytest.mark.parametrize("record", [*(record.encode() for record in ODD_RECORDS), b"\xff\xfe\x00{", None])
def test_a_stale_or_odd_record_means_stopped(tmp_path: Path, record: bytes | None) -> None:
    path = tmp_path / "server.json"
    path.mkdir() if record is None else path.write_bytes(record)
    assert Server(tmp_path).status().state == "stopped"
    assert not Server(tmp_path).stop()


@pytest.mark.parametrize("port", ["7", -1, 0, 70_000, 10**30, None, [], True, 1.5])
def test_an_odd_port_of_the_last_start_is_not_taken(server: Server, port: object) -> None:
    (server.folder / "server.json").parent.mkdir(parents=True, exist_ok=True)
    (server.folder / "server.json").write_text(json.dumps({"port": port}), encoding="utf-8")
    assert 20_000 <= server._choose_port() < 30_000  # noqa: SLF001 - a start of each takes minutes


@only_thorough
def test_data_in_use_by_another_server_are_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_RELEASE_SECONDS", 0)
    address = server.start()
    pid = pid_of(server)
    moved = server.folder.rename(server.folder.with_name("moved"))
    try:
        with pytest.raises(ServerError, match=rf"data is in use by another Neo4j \(process {pid}\), .* stop that one"):
            Server(moved).start()
        assert not Server(moved).stop()
    finally:
        moved.rename(server.folder)
    assert query(address, "RETURN 1") == [1]


def test_a_server_that_dies_while_starting_says_why(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    with monkeypatch.context() as patch:
        patch.setattr(neo4j_home, "CONFIGURATION", neo4j_home.CONFIGURATION + "server.bolt.nonsense=1\n")
        with pytest.raises(
            ServerError, match=r"exit status 1: .*server\.bolt\.nonsense.* \(log: .*neo4j\.log\)"
        ) as caught:
            server.start()
    assert "\n" not in str(caught.value)
    with monkeypatch.context() as patch:
        patch.setattr(neo4j_home, "_memory", lambda: (1, 128))
        with pytest.raises(ServerError, match=r"exit status 1: Error .* initialization of VM; .*maximum heap"):
            server.start()


@only_thorough
def test_a_server_that_does_not_answer_in_time_is_waited_for_by_the_next_command(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    with monkeypatch.context() as patch:
        patch.setattr(server_module, "_START_SECONDS", 0)
        with pytest.raises(ServerError, match="does not answer after 0 s; run the command again"):
            server.start()
    assert server.status().state == "busy"
    assert not server.start().started


def test_too_little_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil gives
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(ServerError, match=r"needs 1,000 MB of free disk and .* has 1 MB; make room"):
        Server(tmp_path).start()
    assert {path.name for path in tmp_path.iterdir()} <= {"lock"}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match=r"cannot use .*file.* write permission") as caught:
        Server(tmp_path / "file" / "server").start()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ServerError, match="Permission denied"):
        Server(tmp_path).start()


@only_thorough
def test_a_lost_password_is_said_and_the_graph_stays(server: Server) -> None:
    server.start()
    server.stop()
    hidden = server.password_file.rename(server.folder / "hidden")
    try:
        with pytest.raises(ServerError, match=r"password is gone.*put it back"):
            server.start()
        assert (server.folder / "data" / "databases").exists()
    finally:
        hidden.rename(server.password_file)


@only_thorough
def test_a_first_start_that_was_killed_is_completed_by_the_next_one(tmp_path: Path) -> None:
    server = Server(tmp_path)
    starter = starting_process(tmp_path)
    try:
        while not (tmp_path / "data" / "databases" / "system").exists():
            assert starter.poll() is None, starter.communicate()
            time.sleep(0.01)
        starter.kill()
        starter.communicate()
        os.kill(pid_of(server), signal.SIGKILL)
        assert query(server.start(), "RETURN 1") == [1]
        assert (tmp_path / "data-of-interrupted-start").exists()
    finally:
        server.stop()
