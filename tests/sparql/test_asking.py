"""Queries in a process of their own: forms, limits, and the wall behind the words."""

import json
import shutil
import socket
import time
from pathlib import Path

import pytest

from kg.errors import InputError, NotReady, QueryError, QueryTooLong, Unacceptable, UnsafeQuery
from kg.sparql import asking
from kg.sparql.asking import Answer, ask, ask_unchecked
from kg.sparql.forms import FORMS, TABLE
from tests.sparql.conftest import CONTENT_HASH
from tests.sparql.test_words import ASKING_OTHERS

SELECT = "SELECT ?p ?text { ?p skos:prefLabel ?text } ORDER BY ?text LIMIT 2"
CONSTRUCT = "CONSTRUCT { ?p skos:prefLabel ?text } WHERE { ?p skos:prefLabel ?text } LIMIT 2"


def said(answer: Answer) -> str:
    with answer.file as file:
        return file.read().decode()


def test_rows_come_as_a_table_and_in_every_form_of_rows(stored: Path) -> None:
    found = {name: said(ask(stored, SELECT, [name], timeout_seconds=60)) for name in ("json", "xml", "csv", "tsv")}
    row = json.loads(found["json"])["results"]["bindings"][0]
    assert row["p"]["value"] == "https://example.org/skd/phrase/000"
    assert "<literal>phrase 0</literal>" in found["xml"]
    assert found["csv"].splitlines()[1] == "https://example.org/skd/phrase/000,phrase 0"
    assert found["tsv"].splitlines()[1] == '<https://example.org/skd/phrase/000>\t"phrase 0"'
    answer = ask(stored, SELECT, ["ttl", TABLE], timeout_seconds=60, most_rows=1)
    assert (answer.form, answer.kept.content_hash) == (TABLE, CONTENT_HASH)
    assert json.loads(said(answer)) == {"columns": ["p", "text"], "rows": [["phrase:000", "phrase 0"]], "cut": True}


def test_triples_come_in_every_form_of_triples_and_a_truth_as_json_and_xml(stored: Path) -> None:
    found = {
        name: said(ask(stored, CONSTRUCT, [name], timeout_seconds=60))
        for name, form in FORMS.items()
        if form.of_triples
    }
    assert 'phrase:000 skos:prefLabel "phrase 0"' in found["ttl"]
    assert found["nt"].count(" .\n") == 2
    assert json.loads(found["jsonld"])[0]["@id"] == "https://example.org/skd/phrase/000"
    assert "<skos:prefLabel>phrase 0</skos:prefLabel>" in found["rdfxml"]
    assert json.loads(said(ask(stored, "ASK { ?s relation:xWant ?o }", ["json"], timeout_seconds=60)))["boolean"]
    assert "<boolean>false</boolean>" in said(ask(stored, "ASK { ?s relation:no ?o }", ["xml"], timeout_seconds=60))


def test_the_first_form_that_fits_the_kind_of_query_is_taken(stored: Path) -> None:
    assert said(ask(stored, SELECT, ["nt", "tsv", "json"], timeout_seconds=60)).startswith("?p\t?text\n")
    assert said(ask(stored, CONSTRUCT, ["json", "ttl", "nt"], timeout_seconds=60)).startswith("@prefix")
    with pytest.raises(Unacceptable, match="rows"):
        ask(stored, SELECT, ["nt", "ttl"], timeout_seconds=60)


@pytest.mark.parametrize("endless", [
    "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "SELECT (COUNT(*) AS ?n) { ?a (relation:xWant|^relation:xWant)* ?b . ?c (!relation:no)* ?d . ?e !relation:no ?f }",
])  # fmt: skip
def test_a_query_without_an_end_is_ended_at_its_limit(endless: str, stored: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(QueryTooLong, match="time limit of 1 s"):
        ask(stored, endless, ["json"], timeout_seconds=1)
    assert time.monotonic() - begun < 60


def test_the_first_rows_of_a_query_without_an_end_are_a_table(stored: Path) -> None:
    answer = ask(stored, "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }", [TABLE], timeout_seconds=60, most_rows=5)
    assert len(json.loads(said(answer))["rows"]) == 5


@pytest.mark.parametrize(("bound", "smaller", "query", "says"), [
    ("256 << 20", "1 << 16", "SELECT * { ?a ?b ?c . ?d ?e ?f }", "larger"),
    ("2 << 30", "1200 << 20", "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?a", "memory"),
])  # fmt: skip
def test_what_takes_too_much_room_or_memory_is_ended_and_harms_nothing(
    bound: str, smaller: str, query: str, says: str, stored: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = tmp_path / "child.py"
    small.write_text(asking._CHILD.read_text().replace(bound, smaller))  # noqa: SLF001
    monkeypatch.setattr(asking, "_CHILD", small)
    with pytest.raises(QueryError, match=says):
        ask(stored, query, ["csv"], timeout_seconds=60)
    assert said(ask(stored, SELECT, ["csv"], timeout_seconds=60)).startswith("p,text")


def test_what_is_no_sparql_is_said_with_its_place(stored: Path) -> None:
    with pytest.raises(InputError, match=r"not valid SPARQL: .*1:15:"):
        ask(stored, "SELECT * WHERE", ["json"], timeout_seconds=60)
    with pytest.raises(QueryError, match="cannot be answered"):
        ask(stored, "SELECT (<http://example.org/f>(1) AS ?x) {}", ["json"], timeout_seconds=60)


def test_no_query_reaches_another_machine_even_without_the_first_wall(stored: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        for query in (ASKING_OTHERS[0], ASKING_OTHERS[2], ASKING_OTHERS[7], ASKING_OTHERS[11]):
            with pytest.raises(UnsafeQuery):
                ask(stored, query, ["json"], timeout_seconds=60)
            try:
                said(ask_unchecked(stored, query.replace(":9/", f":{port}/"), ["json"], timeout_seconds=60))
            except QueryError as error:
                assert "not permitted" in str(error)  # noqa: PT017 - a silent service fails silently
        with pytest.raises(TimeoutError):
            listener.accept()


def test_without_a_store_or_when_it_was_replaced_the_answer_says_so_or_is_of_the_new_one(
    stored: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotReady):
        ask(tmp_path, SELECT, ["json"], timeout_seconds=60)
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "store-1")
    with pytest.raises(NotReady):
        ask(tmp_path, SELECT, ["json"], timeout_seconds=60)
