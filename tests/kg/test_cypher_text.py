"""What a statement's words give away: a table of attacks, one of legitimate statements, and any text at all."""

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kg.errors import UnsafeQuery
from kg.store import queries
from kg.store.cypher_text import ALLOWED_PROCEDURES, check_condition, check_reading, tokens

PAYLOADS = {
    "a file": "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "a file with headers": "LOAD CSV WITH HEADERS FROM 'file:///etc/passwd' AS l RETURN l",
    "an address": "LOAD CSV FROM 'http://127.0.0.1:1/?' + 'secret' AS l RETURN l",
    "a procedure": "CALL db.resampleOutdatedIndexes() RETURN 1",
    "an optional procedure": "OPTIONAL CALL dbms.listConfig() YIELD name RETURN name",
    "a procedure without brackets": "CALL dbms.components YIELD name RETURN name",
    "a function": "RETURN apoc.cypher.runFirstColumn('RETURN 1', {}) AS x",
    "transactions": "CALL () { RETURN 1 AS x } IN 2 CONCURRENT TRANSACTIONS OF 1 ROW RETURN x",
    "another graph": "USE system MATCH (n) RETURN n",
    "create": "CREATE (n) RETURN n",
    "create late": "MATCH (n) CREATE (m) RETURN m",
    "merge": "MERGE (n:Phrase {id: 'x'}) RETURN n",
    "set": "MATCH (n) SET n.text = 'x' RETURN n",
    "set label": "MATCH (n) SET n:Label RETURN n",
    "delete": "MATCH (n) DELETE (n)",
    "delete of an element": "MATCH (n) DELETE [n][0]",
    "detach": "MATCH (n) DETACH DELETE n",
    "nodetach": "MATCH (n) NODETACH DELETE n",
    "remove": "MATCH (n) REMOVE n.text RETURN n",
    "foreach": "FOREACH (x IN [1] | CREATE (:A)) RETURN 1",
    "insert": "INSERT (:A) RETURN 1",
    "a clause of tomorrow": "MATCH (n) FROBNICATE n RETURN n",
}
NESTINGS = {
    "plain": "{}",
    "after another": "MATCH (a) WITH a {}",
    "union": "RETURN 1 AS x UNION ALL {}",
    "second statement": "RETURN 1 AS x; {}",
    "collect": "RETURN COLLECT {{ {} }} AS x",
    "count in a list": "RETURN [x IN [1] | COUNT {{ {} }}] AS x",
    "exists in where": "MATCH (a) WHERE EXISTS {{ {} }} RETURN a",
    "case": "RETURN CASE WHEN EXISTS {{ {} }} THEN 1 ELSE 2 END AS x",
    "all": "RETURN all(x IN [1] WHERE EXISTS {{ {} }}) AS x",
    "reduce": "RETURN reduce(s = 0, x IN [1] | s + COUNT {{ {} }}) AS x",
    "call": "CALL {{ {} }} RETURN 1",
    "call with scope": "MATCH (a) CALL (a) {{ {} }} RETURN 1",
    "map": "RETURN {{a: {{b: COLLECT {{ {} }}}}}} AS x",
    "subquery in subquery": "RETURN COLLECT {{ MATCH (n) WHERE EXISTS {{ {} }} RETURN n }} AS x",
    "order": "MATCH (n) RETURN n ORDER BY COUNT {{ {} }}",
    "in quotes of a name": "WITH 1 AS `'` {} // '",
    "behind a false comment": "WITH '/*' AS x {} // */",
    "behind a quote in a comment": "WITH 1 AS x /* ' */ {} /* ' */",
    "behind a backslash": "WITH '\\\\' AS x {} // '",
}


def between(text: str, filling: str) -> str:
    """Put something in the place of each space outside of quotes."""
    return "".join(
        part if part[:1] in "'\"`" else part.replace(" ", filling) for part in re.split(r"('[^']*')", text) if part
    )


def escaped(text: str) -> str:
    return re.sub(
        r"\b(LOAD|CALL|CREATE|MERGE|SET|DELETE|USE|FROM)\b", lambda m: f"\\u{ord(m[1][0]):04x}{m[1][1:]}", text
    )


def quoted(text: str) -> str:
    return re.sub(r"\b(db|dbms|apoc)\.(\w+)", r"`\1` . /* . */ `\2`", text)


def is_refused(text: str) -> bool:
    try:
        check_reading(text)
    except UnsafeQuery:
        return True
    return False


DISGUISES = {
    "none": lambda text: text,
    "lower case": str.lower,
    "mixed case": lambda text: "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(text)),
    "comments": lambda text: between(text, "/* ' ` \" */"),
    "line comments": lambda text: between(text, " // it's */ {\n"),
    "carriage returns": lambda text: between(text, "//x\r"),
    "no-break spaces": lambda text: between(text, "\u00a0"),
    "odd spaces": lambda text: between(text, "\u2028\x1c\u3000\u1680"),
    "escapes": escaped,
    "backticks": quoted,
    "no spaces": lambda text: text.replace(") ", ")").replace("' ", "'"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("nesting", NESTINGS)
def test_what_does_more_than_read_is_refused_however_it_is_nested_and_disguised(nesting: str, disguise: str) -> None:
    for name, payload in PAYLOADS.items():
        text = NESTINGS[nesting].format(DISGUISES[disguise](payload))
        assert is_refused(text), f"{name} passed: {text!r}"


def test_every_nesting_passes_with_a_harmless_filling() -> None:
    for nesting, disguise in itertools.product(NESTINGS.values(), DISGUISES):
        if disguise != "escapes":
            check_reading(nesting.format(DISGUISES[disguise]("MATCH (n) RETURN n")))


@pytest.mark.parametrize("text", [
    "EXPLAIN RETURN 1", "profile RETURN 1", "CYPHER 5 RETURN 1", "/* x */ EXPLAIN RETURN 1", "// x\nPROFILE RETURN 1",
    "CYPHER runtime=slotted RETURN 1", "RETURN 1; EXPLAIN RETURN 1", "\\u0045XPLAIN RETURN 1",
    "SHOW USERS", "SHOW SETTINGS", "TERMINATE TRANSACTIONS 'x'", "ALTER CURRENT USER SET PASSWORD FROM 'a' TO 'b'",
    "DROP CONSTRAINT phrase_id", "GRANT ROLE a TO b", "STOP DATABASE neo4j", "START DATABASE neo4j", "DENY x",
    "REVOKE x", "RENAME USER a TO b", "ENABLE SERVER 'x'", "DEALLOCATE DATABASES FROM SERVER 'x'",
    "CREATE INDEX hostile FOR (n:Phrase) ON (n.text)", "USING PERIODIC COMMIT 5 RETURN 1", "(n)", "{", "FINISH",
    "RETURN 1 AS x UNION CREATE (n)", "", "  ", "// nothing", "/**/",
])  # fmt: skip
def test_a_statement_begins_as_a_reading_one(text: str) -> None:
    with pytest.raises(UnsafeQuery):
        check_reading(text)


@pytest.mark.parametrize("text", [
    "RETURN 'open", 'RETURN "open', "RETURN `open", "RETURN 1 /* open", "RETURN 'a\\'", "RETURN 'a' 'b",
    "RETURN 1 # 2", "RETURN \\u0031", "RETURN a\\b", "RETURN 'a\\u0027", "RETURN 'a\\u005c'", 'RETURN "\\u0022"',
    "RETURN '\\u12'", "RETURN '\\u+041'",
    "RETURN '\\uuuu0041'", "RETURN 1 // \\u000aCALL x()", "RETURN 1 /* \\u002a\\u002f */",
    "RETURN `a\\u0060`", "RETURN 1a", "RETURN x\u200by",
    "RETURN \ufeff1", "RETURN '\ud800'", "RETURN 😀", "RETURN 1\x00",
    "/* \\u0041 CALL x() // */ RETURN 1",
])  # fmt: skip
def test_what_cannot_be_read_for_certain_is_refused(text: str) -> None:
    with pytest.raises(UnsafeQuery) as refused:
        check_reading(text)
    assert str(refused.value).isprintable()


LEGITIMATE = [
    "MATCH (n) RETURN n",
    "match (n) return n;",
    "OPTIONAL MATCH (n:Phrase) WITH n UNWIND labels(n) AS label RETURN DISTINCT label ORDER BY label SKIP 1 LIMIT 2",
    ("MATCH (n:Create)-[r:SET]->(m:`LOAD CSV` {set: 1, call: 2}) RETURN n.set, r.delete, m.load, {merge: 1, "
     "use: n.create}"),
    "MATCH (start)-[*1..3]->(stop) WHERE start.text STARTS WITH 'LOAD CSV' AND stop.text ENDS WITH 'CALL x()' RETURN 1",
    "RETURN 'it\\'s CREATE (n)', \"say \\\"DELETE\\\"\", 'C:\\\\users', 'caf\\u00e9', '// no comment', '/*'",
    "RETURN $set, $call, `set`, $`load`",
    "RETURN `a``b CREATE (n)` // CREATE (n)\n/* DELETE n */",
    "MATCH (a) RETURN [(a)-[r]->(b) WHERE b.text <> 'x' | b.text][0..2], [x IN range(0, 3) WHERE x % 2 = 0 | x ^ 2]",
    "MATCH (a) WHERE any(x IN a.runs WHERE x = $run) AND NOT EXISTS { (a)-->(:Phrase) } RETURN COUNT { (a)--() } AS n",
    "MATCH (a) CALL (a) { MATCH (a)-->(b) RETURN collect(b.text) AS found } RETURN a.text, found",
    "CALL { MATCH (a) RETURN a LIMIT 1 } RETURN a",
    "RETURN 1 AS x UNION RETURN 2 AS x UNION ALL RETURN 3 AS x",
    "CALL db.index.fulltext.queryNodes('phrases', 'sleep') YIELD node, score WHERE score > 1 RETURN node.text AS text",
    "CALL db.labels", "CALL `db`.`labels`() YIELD label RETURN label", "CALL db /**/ . labels()",
    "RETURN date(), date.truncate('day', datetime()), duration.between(date(), date()), point.distance($a, $b)",
    "RETURN vector.similarity.cosine([1.0], [0.5e-3]), 0x1F, 0o17, 1_000, .5, 1..2",
    "MATCH p = shortestPath((a)-[*..5]-(b)) RETURN length(p), [n IN nodes(p) | n.text]",
    "MATCH p = ANY SHORTEST (a)-[:X|Y]->+(b) RETURN p",
    "MATCH (a:A&!B|(C&%)) RETURN a{.text, .*, n: 1} AS a",
    ("RETURN x IS NOT NULL, x IS :: INTEGER NOT NULL, y IS :: LIST<LOCAL TIME> NOT NULL, z IS NFC NORMALIZED, "
     "q =~ 'a.*'"),
    "RETURN CASE x WHEN 1 THEN 'a' ELSE 'b' END AS case_, reduce(s = 0, n IN [1] | s + n) AS total",
    "MATCH (n) USING INDEX n:Phrase(id) WHERE n.id = 'x' RETURN trim(BOTH 'x' FROM n.text)",
    "MATCH (n) RETURN\u00a0n.\u2003text",
    "MATCH (名前) RETURN 名前.本文, 'Xがパチンコ屋へ行く 😀'",
]  # fmt: skip


@pytest.mark.parametrize("text", [*LEGITIMATE, *(queries.load(name).text for name in queries.named())])
def test_what_only_reads_passes(text: str) -> None:
    check_reading(text)


def test_the_refusal_names_the_word_and_the_way_out() -> None:
    with pytest.raises(UnsafeQuery, match=r"SET does not only read \(a name set goes into backticks\)"):
        check_reading("MATCH (set) RETURN set")
    check_reading("MATCH (`set`) RETURN `set`")
    with pytest.raises(UnsafeQuery, match=r"procedure db\.resampleIndex is not on the list"):
        check_reading("CALL db.resampleIndex('x')")
    with pytest.raises(UnsafeQuery, match=r"function apoc\.text\.join is not on the list"):
        check_reading("RETURN apoc.text.join(['a'], '')")
    assert "db.labels" in ALLOWED_PROCEDURES


@pytest.mark.parametrize("condition", [
    "true) RETURN 1 //", "true) WITH head, r, tail SET r.score = 1 WITH * WHERE (true", ")(",
    "(true", "[1", "{", "true]",
    "(true]", "true; RETURN 1", "true /*", "true //\\u000a) RETURN (1", "'a", "true RETURN 1", "true WITH head",
    "true UNION MATCH (n)", "r.score > 0 CALL db.labels()", "",
    "// nothing", "true MATCH (n)", "\\u0029 RETURN \\u0028",
    "true\\", "true ORDER BY r.score",
])  # fmt: skip
def test_a_condition_cannot_leave_its_brackets(condition: str) -> None:
    with pytest.raises(UnsafeQuery):
        check_condition(condition)
    with pytest.raises(UnsafeQuery):
        queries.load("graph/edges").where(condition)


@pytest.mark.parametrize("condition", [
    "true", "r.score > 0.9 // sure",
    "tail.text CONTAINS ')' AND head.text STARTS WITH '('", "any(x IN r.runs WHERE x = 'a')",
    "EXISTS { MATCH (head)-[:xWant]->(t) WHERE t.text = tail.text RETURN t }", "NOT tail:Nothing", "r.match = 1",
    "type(r) IN ['xWant', \"xNeed\"] /* two */", "COUNT { (tail)-->() } > 1",
    "head.text ENDS WITH 'x'", "{return: 1}.return = 1",
])  # fmt: skip
def test_a_condition_that_stays_in_its_brackets_passes(condition: str) -> None:
    check_condition(condition)
    check_reading(queries.load("graph/edges").where(condition).text)
    check_reading(queries.load("graph/phrases").where(condition).text)


PIECES = st.sampled_from([
    "LOAD", "CSV", "call", "db.labels", "()", " ", "\n", "'",
    '"', "`", "\\", "\\u", "\\u0027", "//", "/*", "*/", "{", "}",
    "(", ")", "[", "]", ":", ".", "..", ",", ";", "|", "$", "1", "0x", "1e", "\u00a0", "\u200b", "😀", "\ud800", "é",
])  # fmt: skip


@settings(deadline=None)
@given(text=st.one_of(st.text(), st.lists(PIECES).map("".join)))
@example("(" * 5000)
@example("." * 5000)
@example("x." * 5000 + "(")
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for check in (check_reading, check_condition, tokens):
        try:
            check(text)
        except UnsafeQuery as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017 - any other error is the failure
