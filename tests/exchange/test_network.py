from dataclasses import replace

import pytest

from kg.errors import InputError
from kg.model import NOTHING, Edge, Triple
from kg.network import to_networkx


def test_a_triple_is_an_edge_keyed_by_its_relation(edges: list[Edge]) -> None:
    graph = to_networkx(edges)
    head = "PersonX lends PersonY an umbrella"
    assert set(graph[head]["to stay dry"]) == {"xWant", "xEffect"}
    assert graph.edges[head, "to stay dry", "xWant"] == {
        "split": "train",
        "runs": ("teacher-1", "student-1"),
        "predicted": False,
        "logprob": -0.25,
        "score": 0.75,
        "critic": "critic-1",
        "accepted": True,
        "sources": (),
    }
    assert graph.nodes["傘"] == {"lang": "ja"}
    assert graph.nodes[NOTHING] == {}
    assert graph.number_of_edges() == len(edges)


@pytest.mark.parametrize(
    ("triple", "message"),
    [
        (Triple("傘", "IsA", "thing"), r"'傘' is two nodes .*\(ja, en\)"),
        (Triple("none", "IsA", "word"), r"'none' is two nodes .*\(no effect, en\)"),
        (Triple("thing", "IsA", "傘", "zh"), r"'傘' is two nodes .*\(ja, zh\)"),
    ],
)
def test_a_text_that_is_two_nodes_is_refused(edges: list[Edge], triple: Triple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_networkx([*edges, replace(edges[0], triple=triple)])
