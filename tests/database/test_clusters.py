"""What a cluster does to a client: other members, broken connections, lost answers, statements that it refuses."""

import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kg.errors import StoreError, StoreUnavailable
from kg.graph.knowledge import KnowledgeGraph
from kg.model import Assertion, Judgement, Triple
from kg.run import Run
from kg.server.server import Address
from kg.snapshot.hashing import hash_graph
from kg.store import adhoc, queries
from kg.store.bolt import Store, check_address
from kg.vocabulary import Vocabulary
from tests.conftest import empty
from tests.database.proxies import Proxy, proxied
from tests.repeats import only_thorough

TRIPLES = [Triple(f"PersonX does thing {number}", "xWant", f"to rest {number % 7}") for number in range(300)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def proxy(address: Address) -> Iterator[Proxy]:
    with proxied(int(address.uri.rpartition(":")[2])) as found:
        yield found


@contextmanager
def through(proxy: Proxy, address: Address, scheme: str = "bolt") -> Iterator[Store]:
    uri = f"{scheme}://127.0.0.1:{proxy.port}"
    with Store(uri, address.username, address.password, retry_seconds=30) as store:
        store.verify()
        yield store


def work(graph: KnowledgeGraph, before_each: Any = lambda: None) -> None:
    """What runs do: a vocabulary, edges, verdicts, another run's evidence, an undo."""
    steps = (
        Run("load", model="teacher", dataset="first"),
        Run("judgements"),
        Run("load", model="other", dataset="second"),
    )
    load, judge, other = steps
    before_each()
    graph.add_vocabulary(Vocabulary.load("skd"))
    before_each()
    with graph.running(load):
        before_each()
        graph.add([Assertion(triple, logprob=-1.0) for triple in TRIPLES], load)
        before_each()
        graph.finish(load)
    with graph.running(judge):
        before_each()
        graph.record_judgements([Judgement(triple, "rater", 2) for triple in TRIPLES[:40]], judge)
        graph.finish(judge)
    with graph.running(other):
        before_each()
        graph.add([Assertion(triple) for triple in TRIPLES[:50]], other)
        graph.finish(other)
    before_each()
    graph.undo(other.id)


def outcome(graph: KnowledgeGraph) -> Any:
    """What must not depend on the connection: content, counts, and how much each run says that it added."""
    return hash_graph(graph), graph.statistics(), {run["id"]: (run["added"], run["status"]) for run in graph.runs()}


@pytest.fixture(scope="module")
def straight(store: Store) -> Any:
    """The outcome of the same work on an unharmed connection."""
    empty(store)
    graph = KnowledgeGraph(store)
    work(graph)
    return outcome(graph)


def test_every_scheme_of_the_driver_is_an_address_and_others_are_not() -> None:
    for scheme in ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"):
        for rest in ("graph.example", "graph.example:7687", "0123abcd.databases.neo4j.io", "[::1]:7687", "127.0.0.1:1"):
            check_address(f"{scheme}://{rest}")
    check_address("neo4j://graph.example:7687?policy=eu&region=a")
    for wrong in ("http://graph.example", "neo4j+x://graph.example", "graph.example:7687", "neo4j:/graph.example", ""):
        with pytest.raises(StoreError):
            check_address(wrong)


def test_a_routing_address_reads_what_it_wrote(address: Address, proxy: Proxy, straight: Any) -> None:
    with through(proxy, address, "neo4j") as store:
        empty(store)
        graph = KnowledgeGraph(store)
        graph.prepare()
        work(graph)
        assert outcome(graph) == straight
        answer = adhoc.run(store, "MATCH (r:Run) RETURN count(r) AS n", {}, limit_rows=9, timeout_seconds=30)
        assert answer.rows == [[3]]
    assert proxy.accepted


def test_all_sessions_of_a_store_share_one_manager_of_bookmarks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    session = store._driver.session  # noqa: SLF001

    def watched(**options: Any) -> Any:
        given.append(options["bookmark_manager"])
        return session(**options)

    monkeypatch.setattr(store._driver, "session", watched)  # noqa: SLF001
    before = set(store._bookmarks.get_bookmarks())  # noqa: SLF001
    store.write(lambda transaction: transaction.run("MERGE (n:Trial) SET n.at = timestamp()"))
    assert set(store._bookmarks.get_bookmarks()) != before  # noqa: SLF001
    store.read("RETURN 1 AS n")
    store.run("MATCH (n:Trial) DELETE n")
    store.ask("RETURN 1 AS n", {}, limit_rows=1, timeout_seconds=30)
    assert len(given) >= 4
    assert set(map(id, given)) == {id(store._bookmarks)}  # noqa: SLF001


@only_thorough
@pytest.mark.parametrize("every", [2, 3])
def test_connections_that_break_in_the_middle_change_nothing(
    every: int, address: Address, proxy: Proxy, straight: Any
) -> None:
    with through(proxy, address) as store:
        empty(store)
        graph = KnowledgeGraph(store)
        proxy.cut_every = every
        work(graph, proxy.cut_all)
        assert outcome(graph) == straight
    assert proxy.cut >= 2


def test_a_commit_whose_answer_is_lost_is_not_written_twice(address: Address, proxy: Proxy, straight: Any) -> None:
    with through(proxy, address) as store:
        empty(store)
        graph = KnowledgeGraph(store)

        def lose_the_next() -> None:
            proxy.lose_commits = 1

        work(graph, lose_the_next)
        assert outcome(graph) == straight
    assert proxy.lost >= 6


def verbs(store: Store) -> list[Callable[[], Any]]:
    return [
        lambda: store.read("RETURN 1 AS n"),
        lambda: store.write(lambda transaction: transaction.run("RETURN 1 AS n")),
        lambda: store.run("RETURN 1 AS n"),
        lambda: adhoc.run(store, "RETURN 1 AS n", {}, limit_rows=9, timeout_seconds=30),
    ]


def test_a_server_that_refuses_for_a_while_is_waited_for(address: Address, proxy: Proxy) -> None:
    with through(proxy, address) as store, ThreadPoolExecutor(4) as threads:
        proxy.cut_all()
        before, proxy.refuse = proxy.accepted, 9
        assert all(threads.map(lambda verb: verb(), verbs(store)))
        assert proxy.accepted > before + 9


def test_a_server_that_stays_away_is_an_error_in_the_end(address: Address, proxy: Proxy) -> None:
    uri = f"bolt://127.0.0.1:{proxy.port}"
    with Store(uri, address.username, address.password, retry_seconds=1) as store, ThreadPoolExecutor(4) as threads:
        store.verify()
        proxy.cut_all()
        proxy.refuse = math.inf
        for found in [threads.submit(verb) for verb in verbs(store)]:
            with pytest.raises(StoreUnavailable):
                found.result()


REFUSED = {
    r"USING\s+PERIODIC\s+COMMIT": "gone since Neo4j 5",
    r"\bCALL\s+dbms\.": "an administrator's, which Aura does not give",
    r"\bCALL\s+(apoc|gds|tx|jwt)\b": "of a plugin",
    r"\b(CREATE|DROP|ALTER|START|STOP)\s+(OR\s+REPLACE\s+)?(DATABASE|ALIAS|USER|ROLE|SERVER)\b": "of admins",
    r"\b(GRANT|DENY|REVOKE)\b": "of admins",
    r"\bSHOW\s+(SETTINGS?|SERVERS?|DATABASES?|USERS?|ROLES?|PRIVILEGES?)\b": "of admins",
    r"\bTERMINATE\b": "of admins",
    r"\bLOAD\s+CSV\b": "opens files of one member",
    r"^\s*USE\s": "leads to another database",
    r"\bIN\s+(\d+\s+)?(CONCURRENT\s+)?TRANSACTIONS\b": "only outside of a transaction, where no retry is",
    r"\bIS\s+(NODE|RELATIONSHIP)\s+KEY\b": "of Enterprise only",
}
"""What a cluster, Aura or the Community refuses, or what no retry makes whole, to why."""

IN_PYTHON = {
    "kg/store/adhoc.py": "asks for a setting, and goes on where that is refused; says what others do",
    "kg/store/cypher_text.py": "says what is refused",
}
"""Files that name such statements, to why they may."""

_CYPHER = re.compile(
    r"""["'](?=(?:MATCH|MERGE|CREATE|CALL|SHOW|UNWIND|DROP|USE|LOAD|GRANT|TERMINATE|START|STOP) )(.*?)["']"""
)


def shipped() -> dict[str, str]:
    texts = {f"cypher/{name}": queries.load(name).text for name in queries.all_names()}
    for name in ("constraints", *(path.stem for path in (ROOT / "cypher/schema").glob("*.cypher"))):
        texts[f"cypher/schema/{name}"] = ";\n".join(queries.schema(name))
    for folder in ("kg", "ingest", "critic", "student"):
        for path in (ROOT / folder).rglob("*.py"):
            if found := _CYPHER.findall(path.read_text(encoding="utf-8")):
                texts[str(path.relative_to(ROOT))] = "\n".join(found)
    return texts


def refused(text: str) -> list[str]:
    plain = re.sub(r"//[^\n]*", "", text)
    return [pattern for pattern in REFUSED if re.search(pattern, plain, re.IGNORECASE | re.MULTILINE)]


def test_no_shipped_statement_is_one_that_a_cluster_refuses() -> None:
    texts = shipped()
    assert len(texts) > 100
    found = {name: patterns for name, text in texts.items() if (patterns := refused(text))}
    assert sorted(found) == sorted(IN_PYTHON), found
    assert refused("MATCH (n) CALL (n) { DETACH DELETE n } IN 4 CONCURRENT TRANSACTIONS OF 100 ROWS")
    assert refused("CALL dbms.components()")
    assert refused("CREATE DATABASE x")
    assert not refused("CREATE INDEX x IF NOT EXISTS FOR (n:Trial) ON (n.user)")


def test_a_server_that_does_not_tell_its_settings_is_asked_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adhoc, "_FILE_URLS", ["no", "setting"])  # which the server refuses, as Aura does
    assert adhoc.run(store, "RETURN 1 AS n", {}, limit_rows=9, timeout_seconds=30).rows == [[1]]
