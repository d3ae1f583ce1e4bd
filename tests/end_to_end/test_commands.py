"""The commands as a new user types them, on a real Neo4j."""

import csv
import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pyoxigraph
import pytest

from kg.graph.knowledge import KnowledgeGraph

pytestmark = pytest.mark.usefixtures("graph")
Kg = Callable[..., object]

ROWS = (
    "PersonX fires PersonY\txReact\tguilty\n"
    "PersonX fires PersonY\txWant\tto hire someone else\n"
    "PersonX fires PersonY\txEffect\tnone\n"
    "PersonX naps\txWant\tto rest\n"
)


@pytest.fixture
def loaded(kg: Kg, tmp_path: Path) -> str:
    """The id of a run that loaded four rows."""
    (tmp_path / "rows.tsv").write_text(ROWS)
    said = kg("ingest", "load", "rows.tsv", "--format", "atomic2020", "--model", "teacher").stdout
    assert "4 rows read, 4 edges added" in said
    return said.split()[-1]


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_loading_again_changes_nothing_and_says_so(kg: Kg, loaded: str) -> None:
    before = kg("runs", "list", "--json").stdout
    assert (
        "0 edges added (nothing new)"
        in kg("ingest", "load", "rows.tsv", "--format", "atomic2020", "--model", "teacher").stdout
    )
    assert kg("runs", "list", "--json").stdout == before
    assert loaded in before


def test_bad_rows_are_listed_and_the_exit_status_says_so(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_bytes(ROWS.encode() + b"one column\nPersonX naps\txWnat\tto rest\n\xff\txWant\tx\n")
    done = kg("ingest", "load", "bad.tsv", "--format", "atomic2020", status=1)
    assert "4 rows read, 4 edges added" in done.stdout
    (rejected,) = (tmp_path / "home" / "runs").glob("*/rejected.jsonl")
    assert str(rejected) in done.stderr
    assert [(row["line"], bool(row["reason"])) for row in lines(rejected.read_text())] == [
        (5, True),
        (6, True),
        (7, True),
    ]


MISTAKES = {
    "ingest load absent.tsv --format skd": "cannot read absent.tsv",
    "ingest load rows.tsv --format xml": "format 'xml' is not one of",
    "ingest load rows.tsv --format skd": "no row of rows.tsv can be read as skd; line 1",
    "ingest load rows.tsv --format atomic2020 --vocabulary skdd": "no vocabulary 'skdd'",
    "ingest events --count 5 --model m --base-url https://example.invalid/v1": "example.invalid wants a key",
    "ingest events --count 5 --model m --base-url nowhere": "is not an address",
    "ingest events --count 5 --model m --prompts papers": "no prompts 'papers'",
    "ingest events --count 5 --model m --seeds absent.txt": "cannot read absent.txt",
    "ingest events --count 5 --model m --interface telepathy": "is not one of chat, completions, local",
    "ingest inferences --model m --relations xWnat": "did you mean xWant",
    "ingest cloze --events 'my events.txt'": "there is no file my events.txt",
    "ingest inferences --model m --events 'MATCH (n) DETACH DELETE n'": "only reading statements",
    "ingest inferences --model m --events 'MATCH (e:Event) RETURN e.text AS text'": "column event",
    "ingest resume inferences-000000000000": "no plan of a run",
    "ingest batch status inferences-000000000000": "no plan of a run",
    "query neighborhood": "no query 'neighborhood'; there are",
    "query neighbourhood": "wants --param event",
    "query why --param event": "is not of the form",
    "query 'MATCH (n) DETACH DELETE n'": "only reading statements",
    "query absent.cypher": "cannot read",
    "query hubs --timeout inf": "--timeout inf is not between",
    "query hubs --timeout nan": "--timeout nan is not between",
    "query hubs --timeout 0": "--timeout 0 is not between",
    "query hubs --timeout=-1": "--timeout -1 is not between",
    "query hubs --timeout 1e300": "is not between",
    "query hubs --limit 0": "--limit 0 is not between",
    "query hubs --limit 9223372036854775807": "is not between 1 and",
    "query hubs --json --csv": "give one of them",
    "query hubs --param x=12345678901234567890123": "integer of 23 digits",
    "query hubs --param 'x=[{\"a\": 9223372036854775808}]'": "integer of 19 digits",
    "query hubs --param 'x=\"\\ud800\"'": "half of a surrogate pair",
    "query 'RETURN [x IN [1] | COLLECT { LOAD CSV FROM \"file:/etc/passwd\" AS l RETURN l }] AS x'": "LOAD CSV opens",
    "query 'RETURN 1 AS `a'": "has no end",
    "query hostile.cypher": "only reading statements",
    "export tsv out.tsv --where 'COUNT { LOAD CSV FROM \"file:///etc/passwd\" AS l RETURN l } > 0'": "LOAD CSV opens",
    "student train --where 'EXISTS { CALL db.ping() YIELD success RETURN success }'": "procedure db.ping",
    "student train --query hostile.cypher": "only reading statements",
    "ingest inferences --model m --events 'RETURN COLLECT { CALL db.info() YIELD id RETURN id } AS event'": "db.info",
    "export rdf out.xml": ".ttl",
    "export tsv out.tsv --where 'r.score >'": "does not accept",
    "export tsv out.tsv --where 'true) WITH head, r, tail SET r.score = 1 WITH * WHERE (true'": "only reading",
    "export tsv out.tsv --base http://localhost/": "rdf only",
    "runs undo load-000000000000 --yes": "no run 'load-000000000000'",
    "runs show load-000000000000": "no run 'load-000000000000'",
    "critic train": "judgements",
    "critic calibrate": "kg critic train",
    "critic score": "kg critic train",
    "student train": "--where",
    "student train --where true --query hubs": "not both",
    "student train --query hubs": "head, relation and tail",
    "student predict": "kg student train",
    "student improve": "kg critic train",
    "student evaluate": "kg student train",
}


def test_a_mistake_is_one_line(kg: Kg, loaded: str, environment: dict[str, str]) -> None:
    assert loaded
    Path(environment["KG_HOME"]).parent.joinpath("hostile.cypher").write_text(
        "// x.\nMATCH (n)\nRETURN CASE WHEN true THEN COLLECT { CALL db.stats.clear('x') RETURN 1 } END AS head"
    )
    for arguments, message in MISTAKES.items():
        done = kg(*shlex.split(arguments), status=1)
        assert message in done.stderr, (arguments, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, (arguments, done.stderr)


def test_a_wrong_option_is_a_usage_error(kg: Kg) -> None:
    assert "No such option" in kg("stats", "--colour", status=2).stderr


def test_the_users_own_server_is_used_and_its_faults_are_named(kg: Kg, environment: dict[str, str]) -> None:
    environment["NEO4J_PASSWORD"] = "wrong-password"  # noqa: S105
    assert "refuses the credentials" in kg("stats", status=1).stderr
    environment["NEO4J_PASSWORD"] = ""
    assert "NEO4J_PASSWORD is not set" in kg("stats", status=1).stderr
    environment |= {"NEO4J_PASSWORD": "x", "NEO4J_URI": "bolt://127.0.0.1:9"}
    assert "no answer from Neo4j at bolt://127.0.0.1:9" in kg("stats", status=1).stderr
    environment["NEO4J_URI"] = "http://127.0.0.1:9"
    assert "is not an address" in kg("stats", status=1).stderr


def test_statistics_are_numbers_for_machines_too(kg: Kg, loaded: str) -> None:
    counts = json.loads(kg("stats", "--json").stdout)
    assert {name: counts[name] for name in ("phrases", "events", "inferences", "edges", "accepted", "predicted",
            "judgements", "runs")} == {"phrases": 5, "events": 2, "inferences": 3, "edges": 4, "accepted": 0,
            "predicted": 0, "judgements": 0, "runs": 1}  # fmt: skip
    assert counts["relations"] == {"xWant": 2, "xEffect": 1, "xReact": 1}
    assert "phrases" in kg("stats").stdout
    (run,) = lines(kg("runs", "list", "--json").stdout)
    assert (run["id"], run["kind"], run["status"], run["model"], run["dataset"], run["offered"], run["added"]) == (
        loaded, "load", "finished", "teacher", "rows.tsv", 4, 4,
    )  # fmt: skip
    assert run["started"]
    assert run["finished"]
    assert json.loads(kg("runs", "show", loaded).stdout)["parameters"]["format"] == "atomic2020"


def test_questions_are_answered_as_table_and_as_json(kg: Kg, loaded: str) -> None:
    assert loaded
    asked = ["query", "neighbourhood", "--param", "event=PersonX fires"]
    assert [row["tail"] for row in lines(kg(*asked, "--json").stdout)] == ["none", "guilty", "to hire someone else"]
    assert "to hire someone else" in kg(*asked).stdout
    done = kg("query", "MATCH (e:Event) RETURN e.text AS event ORDER BY event", "--limit", "1", "--json")
    assert lines(done.stdout) == [{"event": "PersonX fires PersonY"}]
    assert done.stderr == ""  # as many as were asked for
    assert "Cut after 100 rows; there are more" in kg("query", "UNWIND range(1, 101) AS n RETURN n", "--json").stderr
    assert "hubs" in kg("query").stdout
    assert lines(kg("query", "MATCH (e:Event {text: 'PersonX naps'}) RETURN e", "--json").stdout)[0]["e"]["split"]


def test_rows_come_as_separated_values_and_as_valid_json(kg: Kg) -> None:
    text = "RETURN 'a, \"b\"\\t' AS `[/x]`, [1, 'é'] AS l, {k: null} AS m, 0.0 / 0.0 AS nan, null AS n, true AS t"
    (row,) = csv.DictReader(io.StringIO(kg("query", text, "--csv").stdout))
    expected = {"[/x]": 'a, "b"\t', "l": '[1, "é"]', "m": '{"k": null}', "nan": "nan", "n": "", "t": "true"}
    assert row == expected
    header, line = kg("query", text, "--tsv").stdout.splitlines()  # as every reader of the software reads it: no quotes
    assert dict(zip(header.split("\t"), line.split("\t"), strict=True)) == expected | {"[/x]": 'a, "b" '}
    odd = "RETURN [1.0 / 0, {a: -1.0 / 0}] AS x, duration('P1DT2S') AS d, date('2026-11-27') AS e, 0.0 / 0 AS `n\"`"
    (line,) = kg("query", odd, "--json").stdout.splitlines()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "x": [None, {"a": None}], "d": "P1DT2S", "e": "2026-11-27", 'n"': None,
    }  # fmt: skip


def test_names_and_values_are_no_markup(kg: Kg) -> None:
    said = kg("query", "RETURN '[bold]x[/bold]' AS `[/x]`, '[red]' AS `[bold]`").stdout
    assert said.split() == ["[/x]", "[bold]", "[bold]x[/bold]", "[red]"]


def test_a_misspelt_name_is_noted_but_not_in_shipped_queries(kg: Kg, loaded: str) -> None:
    assert loaded
    asked = kg("query", "MATCH ()-[r]->() WHERE r.accepted2 RETURN r.weight", "--json")
    assert asked.stdout == ""
    assert [line for line in asked.stderr.splitlines() if "`accepted2` does not exist" in line]
    exported = kg("export", "tsv", "none.tsv", "--where", "r.accepted2")
    assert [line.split()[3] for line in exported.stderr.splitlines() if "Note" in line] == ["`accepted2`"]
    assert "Note" not in kg("query", "acceptance").stderr


def test_a_query_file_has_parameters_with_defaults(kg: Kg, loaded: str, tmp_path: Path) -> None:
    assert loaded
    (tmp_path / "own.cypher").write_text(
        "// Events of a split.\n// $split  a split (default null)\n// -> event\n"
        "MATCH (e:Event) WHERE $split IS NULL OR e.split = $split RETURN e.text AS event"
    )
    assert len(lines(kg("query", "own.cypher", "--json").stdout)) == 2
    assert kg("query", "own.cypher", "--json", "--param", "split=none").stdout == ""


def test_two_forms_of_rdf_say_the_same(kg: Kg, loaded: str, tmp_path: Path) -> None:
    assert loaded
    for file in ("out.ttl", "out.nt"):
        assert f"4 edges written to {file}" in kg("export", "rdf", file).stdout
    turtle = set(pyoxigraph.parse(path=str(tmp_path / "out.ttl")))
    assert turtle == set(pyoxigraph.parse(path=str(tmp_path / "out.nt")))
    assert len(turtle) > 40


def test_exports_are_filtered_by_the_database(kg: Kg, loaded: str, tmp_path: Path) -> None:
    assert loaded
    assert "1 edges" in kg("export", "graphml", "one.graphml", "--where", "tail.text = 'to rest' // comment").stdout
    assert nx.read_graphml(tmp_path / "one.graphml").number_of_nodes() == 2
    assert "0 edges" in kg("export", "jsonl", "none.jsonl", "--accepted").stdout
    assert "0 edges" in kg("export", "jsonl", "none.jsonl", "--min-score", "0.5").stdout


def test_undo_asks_first_and_takes_everything_back(kg: Kg, loaded: str, graph: KnowledgeGraph) -> None:
    kg("runs", "undo", loaded, status=1)
    assert graph.statistics()["edges"] == 4
    assert "4 edges, 0 judgements and 5 phrases deleted" in kg("runs", "undo", loaded, "--yes").stdout
    assert graph.statistics()["phrases"] == 0
    assert "0 edges" in kg("runs", "undo", loaded, "--yes").stdout


def test_japanese_is_stored_without_a_special_case(kg: Kg, tmp_path: Path) -> None:
    row = {"event": "Xがパチンコ屋へ行く", "relation": "xWant", "tails": ["暇をつぶしたい", "お金が欲しい。"]}
    (tmp_path / "ja.jsonl").write_text(json.dumps(row, ensure_ascii=False))
    kg("ingest", "load", "ja.jsonl", "--format", "completions", "--lang", "ja")
    found = lines(kg("query", "MATCH (e:Event)-[r]->(t) RETURN e.lang AS lang, t.text AS tail", "--json").stdout)
    assert {(row["lang"], row["tail"]) for row in found} == {("ja", "暇をつぶしたい"), ("ja", "お金が欲しい")}
