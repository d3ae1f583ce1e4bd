"""The walls around ad-hoc Cypher, on a real Neo4j: what the software refuses, what the server refuses behind it."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from kg.errors import QueryError, StoreError, UnsafeQuery
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Triple
from kg.run import Run
from kg.server.server import Address
from kg.store import adhoc, queries
from kg.store import bolt as store_module
from kg.store.bolt import Store
from student.data import select
from tests.repeats import only_thorough

NESTINGS = (
    "{}",
    "RETURN COLLECT {{ {} }} AS x",
    "RETURN [x IN [1] | COLLECT {{ {} }}] AS x",
    "UNWIND [1] AS a CALL (a) {{ {} }} RETURN 1 AS x",
    "UNWIND [1] AS a WITH a WHERE EXISTS {{ {} }} RETURN a",
    "RETURN CASE WHEN COUNT {{ {} }} > 0 THEN 1 END AS x",
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket on loopback that must hear nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def ask(store: Store, text: str, timeout_seconds: float = 20) -> list[list[object]]:
    """Ask without the first wall."""
    return store.ask(text, {}, limit_rows=9, timeout_seconds=timeout_seconds)[1]


@pytest.mark.parametrize("nesting", NESTINGS)
def test_the_server_opens_no_address_even_without_the_first_wall(
    store: Store, nesting: str, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"):  # noqa: S104 - an address to ask
        for scheme in ("http", "https", "ftp"):
            load = f"LOAD CSV FROM '{scheme}://{host}:{port}/?leak=' + toString(1) AS l RETURN l"
            with pytest.raises(QueryError, match=r"(?i)cannot load from URL"):
                ask(store, nesting.format(load))


@pytest.mark.parametrize("nesting", NESTINGS)
def test_the_server_opens_no_file_even_without_the_first_wall(store: Store, nesting: str) -> None:
    for address in ("file:///etc/passwd", "file:///password", "file:/server.json", "file:////proc/self/environ"):
        with pytest.raises(QueryError, match=r"(?i)cannot load from URL"):
            ask(store, nesting.format(f"LOAD CSV FROM '{address}' AS l RETURN l"))


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("payload", [
    "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "CALL db.resampleOutdatedIndexes() RETURN 1 AS l",
    "CALL db.stats.retrieve('GRAPH COUNTS') YIELD data RETURN data",
    "CALL dbms.listConfig() YIELD name RETURN name",
])  # fmt: skip
def test_the_first_wall_stands_before_the_server_is_asked(
    store: Store, nesting: str, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "explain", lambda *_, **__: pytest.fail("the server was asked"))
    with pytest.raises(UnsafeQuery):
        adhoc.check(store, nesting.format(payload), {})


def test_a_condition_passes_the_same_wall(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to rest"))], begun)
    leak = "COUNT { LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l } >= 0"
    for query in (queries.load("training"), queries.load("graph/edges")):
        with pytest.raises(UnsafeQuery):
            adhoc.check(graph.store, query.where(leak).text, dict.fromkeys(query.parameters))
    with pytest.raises(UnsafeQuery):
        select(graph, queries.load("training").where(leak))


@pytest.mark.parametrize("text", [
    "MATCH (start:Phrase)-[r]->(stop) WHERE r.runs IS NOT NULL RETURN start.id, {set: 1, call: stop.text} AS x",
    ("MATCH (a:Phrase) CALL (a) { MATCH (a)-->(b) RETURN count(b) AS n } RETURN a.text, n UNION RETURN 'LOAD "
     "CSV' AS `a.text`, 0 AS n"),
    "RETURN [(a:Event)-->(b) | b.text] AS x, COLLECT { MATCH (n:Event) RETURN n.text } AS y",
    "CALL db.labels() YIELD label RETURN label",
    "RETURN x IS :: INTEGER NOT NULL AS x",
])  # fmt: skip
def test_statements_that_only_read_run(store: Store, text: str) -> None:
    if text.startswith("RETURN x"):
        text = "WITH 1 AS x " + text
    if text.startswith("RETURN [("):
        text = "MATCH (a:Event) " + text
    assert adhoc.run(store, text, {}, limit_rows=5, timeout_seconds=60).columns


def test_a_misspelt_name_is_said(graph: KnowledgeGraph, begun: Run) -> None:
    graph.add([Assertion(Triple("PersonX naps", "xWant", "to rest"), score=0.5)], begun)
    notes = adhoc.check(graph.store, "MATCH (:Event2)-[r:xWant2]->() WHERE r.accepted2 RETURN r.published", {})
    assert [name for note in notes for name in ("Event2", "xWant2", "accepted2") if f"`{name}`" in note] == [
        "xWant2", "Event2", "accepted2",
    ]  # fmt: skip
    assert len(notes) == 3
    assert adhoc.check(graph.store, "MATCH (:Event)-[r:xWant]->() RETURN r.published", {}) == []
    assert adhoc.of_condition(
        ["The property `a` does not exist.", "The property `b` does not exist."], "r.b > r.ab"
    ) == ["The property `b` does not exist."]


def test_an_open_server_of_the_users_own_is_warned_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert adhoc.check(store, "RETURN 1", {}) == []
    monkeypatch.setattr(adhoc, "_FILE_URLS", "db.memory.pagecache.warmup.enable")  # is true
    assert [note for note in adhoc.check(store, "RETURN 1", {}) if "neo4j.conf" in note]
    monkeypatch.setattr(store, "private", True)
    assert adhoc.check(store, "RETURN 1", {}) == []


def test_an_own_server_that_hides_its_settings_is_not_complained_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*_: object, **__: object) -> None:
        raise QueryError("not allowed")

    monkeypatch.setattr(store, "read", hidden)
    assert adhoc.check(store, "RETURN 1", {}) == []


@only_thorough
def test_too_much_memory_is_said_in_a_line(store: Store) -> None:
    with pytest.raises(QueryError, match="more memory than the server gives"):
        ask(store, "UNWIND range(1, 100000000) AS x RETURN size(collect(toString(x) + 'aaaaaaaaaaaaaaaaaa'))", 120)


@pytest.fixture
def expendable(address: Address, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Store]:
    monkeypatch.setattr(store_module, "_GRACE_SECONDS", 1.0)
    return lambda private: Store(address.uri, address.username, address.password, private=private)


@pytest.mark.parametrize(("private", "way"), [(True, "`kg server stop` ends it"), (False, "TERMINATE TRANSACTION")])
def test_a_statement_that_the_server_cannot_end_is_given_up(
    expendable: Callable[[bool], Store], private: bool, way: str
) -> None:
    slow = f"RETURN '{'a' * 26}' =~ '(a+)+(\\\\1)?b' AS x"
    before = time.monotonic()
    with (
        expendable(private) as store,
        pytest.raises(QueryError, match=r"still busy .* time limit of 0.2 s; ") as raised,
    ):
        adhoc.run(store, slow, {}, limit_rows=1, timeout_seconds=0.2)
    assert way in str(raised.value)
    assert time.monotonic() - before < 60, "it takes longer than anybody waits"


def test_a_server_that_is_gone_says_what_brings_it_back() -> None:
    with (
        Store("bolt://127.0.0.1:9", "neo4j", "x", private=True) as store,
        pytest.raises(StoreError, match="next command"),
    ):
        ask(store, "RETURN 1", 5)
