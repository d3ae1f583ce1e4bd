"""What is installed is what was meant to be."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
                 "kg/domains/shop/README.md", "kg/domains/shop/prompts/examples/usedWith.tsv",
                 "kg/vocabularies/skd.toml", "cypher/neighbourhood.cypher", "cypher/graph/edges.cypher"):  # fmt: skip
        assert data in names
    shop = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kg" / "domains").rglob("*") if path.is_file()}
    assert shop == {name for name in names if name.startswith("kg/domains/")}
