"""The first wall: what the words of a query say, whichever way they are read."""

import pytest

from kg.errors import UnsafeQuery
from kg.sparql.words import MOST_LETTERS, check_reading

AT = "<http://127.0.0.1:9/>"

ASKING_OTHERS = (
    f"SELECT * {{ SERVICE {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ service {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ SERVICE SILENT {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ SERVICESILENT{AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ ?x ?y 1SERVICE{AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ ?x ?y 1e5SERVICE{AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ ?x ?y 'a'SERVICE{AT} {{ ?s ?p ?o }} }}",
    "PREFIX : <http://127.0.0.1:9/> SELECT * { SERVICE:x { ?s ?p ?o } }",
    f"SELECT * {{ BIND({AT} AS ?g) SERVICE ?g {{ ?s ?p ?o }} }}",
    "SELECT * { VALUES ?g { <http://127.0.0.1:9/> } SERVICE?g{?s ?p ?o}}",
    f"SELECT * {{ {{ SELECT * {{ {{ SERVICE {AT} {{ ?s ?p ?o }} }} UNION {{}} }} }} }}",
    f"SELECT * {{ FILTER EXISTS {{ SERVICE {AT} {{ ?s ?p ?o }} }} }}",
    f"SELECT * {{ FILTER(NOT EXISTS {{ MINUS {{ SERVICE {AT} {{ ?s ?p ?o }} }} }}) }}",
    f"SELECT (EXISTS {{ SERVICE {AT} {{ ?s ?p ?o }} }} AS ?x) {{}}",
    f"SELECT * {{ OPTIONAL {{ GRAPH ?g {{ SERVICE {AT} {{ ?s ?p ?o }} }} }} }}",
    f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ SERVICE {AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ # nothing\nSERVICE # here\n{AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ # nothing\rSERVICE {AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ ?s ?p '''#''' SERVICE {AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ ?s ?p '\\'' SERVICE {AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ ?s ?p '''a\\'''' SERVICE {AT} {{ ?s ?p ?o }} }}",
    'ASK { ?s ?p "" "" SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }',
    # less-than, not an address: what follows # is a comment, what stands on the next line is not
    "PREFIX a:<http://127.0.0.1:9/> SELECT * { VALUES ?v {1} FILTER(?v<a:b)SERVICE a:x#>\n{ ?s ?p ?o } }",
    'SELECT * { VALUES ?v {1} FILTER(?v<a:b#>"""\n) SERVICE <http://127.0.0.1:9/> {?s ?p ?o} } #"""',
    "SELECT * { ?s <x'''> ?o FILTER(?v<a:b#>\"\"\"\n) SERVICE <http://127.0.0.1:9/> {?s ?p ?o} } #\"\"\"\n<'''>",
    "SELECT * { FILTER(?v<a:b#>\"\"\"\n) ?s <x#> '''\n''' . SERVICE <http://127.0.0.1:9/> {} } # \"\"\" '''",
    # escapes, whoever decodes them
    f"SELECT * {{ \\u0053ERVICE {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ \\U00000053ERVICE {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ SER\\u0056ICE {AT} {{ ?s ?p ?o }} }}",
    f"ASK {{ ?s ?p '\\u0027 . SERVICE {AT} {{ ?s ?p ?o }} # ' }}",
    f"ASK {{ ?s <a\\u003E> ?o . SERVICE {AT} {{ ?s ?p ?o }} }}",
    # letters that are equal to ASCII's in another case
    f"SELECT * {{ \u017fERVICE {AT} {{ ?s ?p ?o }} }}",
    f"SELECT * {{ SERV\u0131CE {AT} {{ ?s ?p ?o }} }}",
)
OTHER = (
    "SELECT * FROM <file:///etc/passwd> { ?s ?p ?o }",
    "SELECT * FROM NAMED <http://127.0.0.1:9/> { GRAPH ?g { ?s ?p ?o } }",
    "SELECT * FROMNAMED<http://127.0.0.1:9/> { GRAPH ?g { ?s ?p ?o } }",
    "SELECT * from<file:///etc/passwd> { ?s ?p ?o }",
    "LOAD <file:///etc/passwd>", "LOAD SILENT <http://127.0.0.1:9/> INTO GRAPH <a:b>",
    "INSERT DATA { <a:b> <a:b> <a:b> }", "DELETE WHERE { ?s ?p ?o }", "CLEAR ALL", "DROP DEFAULT", "CREATE GRAPH <a:b>",
    "COPY DEFAULT TO <a:b>", "MOVE DEFAULT TO <a:b>", "ADD DEFAULT TO <a:b>",
    "WITH <a:b> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }", "SELECT * {} ; DROP ALL",
    "", " \n ", "SELECT '\ud800' {}", "SELECT * {} #" + "x" * MOST_LETTERS,
)  # fmt: skip
READING = (
    "SELECT * { ?s ?p ?o }",
    'SELECT ?service ?from { ?service rdfs:label "room SERVICE" ; skos:prefLabel "away from home"@en }',
    "SELECT * { ?s ?p ?o } # SERVICE <http://127.0.0.1:9/>",
    "# SERVICE\nASK { ?s skd:service 'from' }",
    'SELECT * { ?s ?p """to ask "the" service\nand drop it""" }',
    "SELECT * { ?s <http://example.org/service/from#load> ?o }",
    "SELECT * { ?s ?p ?o FILTER(?a < 3 && ?b >= 4) FILTER(?a <= ?b) }",
    "SELECT * { ?s ?p 'caf\\u00e9' , 'a\\\\b', 'a\\'b' }",
    "SELECT (COUNT(*) AS ?n) { ?a (relation:xWant|^relation:xNeed)+ ?b } GROUP BY ?a HAVING (COUNT(*) > 3)",
    "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 3",
    "DESCRIBE skd:nothing",
)


@pytest.mark.parametrize("query", [*ASKING_OTHERS, *OTHER], ids=lambda query: ascii(query[:60]))
def test_what_may_do_more_than_read_this_graph_is_refused(query: str) -> None:
    with pytest.raises(UnsafeQuery):
        check_reading(query)


@pytest.mark.parametrize("query", READING, ids=lambda query: ascii(query[:60]))
def test_a_query_that_only_reads_passes(query: str) -> None:
    check_reading(query)


def test_a_long_query_of_many_ways_to_read_it_is_checked_in_no_time() -> None:
    for piece in ("<a#'", "<'''", '"" <b> ', "?a<?b "):
        text = (piece * MOST_LETTERS)[:MOST_LETTERS]
        check_reading(text)
