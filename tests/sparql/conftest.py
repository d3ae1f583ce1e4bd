"""A store filled by hand, which needs no database."""

import itertools
import json
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad, Store

from kg.exchange.rdf.names import BASE

CONTENT_HASH = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores, the current one of 400 phrases in a chain of relation xWant."""
    folder = tmp_path_factory.mktemp("sparql")
    (folder / "store-1").mkdir()
    (folder / "store-1" / "in-use").touch()
    store = Store(str(folder / "store-1" / "data"))
    phrases = [NamedNode(f"{BASE}phrase/{number:03}") for number in range(400)]
    label, wants = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel"), NamedNode(f"{BASE}relation/xWant")
    store.extend(Quad(one, label, Literal(f"phrase {number}")) for number, one in enumerate(phrases))
    store.extend(Quad(one, wants, other) for one, other in itertools.pairwise(phrases))
    store.flush()
    about = {"name": "store-1", "stamp": "by hand", "content_hash": CONTENT_HASH, "edges": 399}
    (folder / "current.json").write_text(json.dumps(about))
    return folder
