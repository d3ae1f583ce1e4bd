"""Annotators of the page: a name and a token each, of which only a hash is kept."""

import stat
import threading

import pytest

from critic.annotators import add_annotator, annotator_of, annotators, remove_annotator
from kg.errors import InputError, NotFound
from kg.workspace import Workspace
from tests.conftest import Kg


def test_a_token_names_its_annotator_and_no_other_text_does(workspace: Workspace) -> None:
    tokens = {name: add_annotator(workspace, name) for name in ("ann", "Bob B.", "雪")}
    assert len(set(tokens.values())) == 3
    assert min(map(len, tokens.values())) > 40
    for name, token in tokens.items():
        assert annotator_of(workspace, token) == name
    for other in ("", "ann", tokens["ann"][:-1], tokens["ann"] + "a", tokens["ann"].swapcase(), "\ud800"):
        assert annotator_of(workspace, other) is None
    assert [one.name for one in annotators(workspace)] == ["Bob B.", "ann", "雪"]


def test_only_a_hash_is_kept_where_only_the_owner_reads(workspace: Workspace) -> None:
    token = add_annotator(workspace, "ann")
    path = workspace.root / "annotators.json"
    assert token not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_removed_annotator_has_no_token_any_more(workspace: Workspace) -> None:
    token = add_annotator(workspace, "ann")
    remove_annotator(workspace, "ann")
    assert annotator_of(workspace, token) is None
    again = add_annotator(workspace, "ann")
    assert again != token
    assert annotator_of(workspace, token) is None
    with pytest.raises(NotFound):
        remove_annotator(workspace, "bob")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "\u202eann", "x" * 65, "a\0", "\ud800"])
def test_what_is_no_name_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(InputError):
        add_annotator(workspace, name)
    assert annotators(workspace) == []


def test_a_name_is_given_once(workspace: Workspace) -> None:
    token = add_annotator(workspace, "ann")
    with pytest.raises(InputError, match="there is an annotator 'ann'"):
        add_annotator(workspace, " ann ")
    assert annotator_of(workspace, token) == "ann"


def test_many_added_at_once_are_all_there(workspace: Workspace) -> None:
    tokens: dict[str, str] = {}

    def add(name: str) -> None:
        tokens[name] = add_annotator(workspace, name)

    threads = [threading.Thread(target=add, args=(f"ann{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {annotator_of(workspace, token) for token in tokens.values()} == {f"ann{number}" for number in range(8)}


@pytest.mark.parametrize("content", ["{", "[]", '{"ann": 1}', '{"ann": {"token": "x"}}'])
def test_a_damaged_file_is_named(workspace: Workspace, content: str) -> None:
    (workspace.root / "annotators.json").write_text(content)
    with pytest.raises(InputError, match=r"annotators\.json is damaged"):
        annotators(workspace)


def test_the_commands_add_list_and_remove(kg: Kg) -> None:
    token = kg("critic", "annotators", "add", "ann").stdout.split("?token=")[-1].strip()
    assert len(token) > 40
    assert "ann" in kg("critic", "annotators", "list").stdout
    assert token not in kg("critic", "annotators", "list").stdout
    kg("critic", "annotators", "remove", "ann")
    assert "ann" not in kg("critic", "annotators", "list").stdout
    assert "no annotator" in kg("critic", "annotators", "remove", "ann", status=1).stderr
