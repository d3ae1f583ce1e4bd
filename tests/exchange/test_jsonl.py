import json
from pathlib import Path

from kg.exchange.skd import RECALLS, write_jsonl
from kg.model import OVERALL, Edge

THRESHOLDS = {
    "0.5": {"xWant": 0.9, OVERALL: 0.1},
    "0.6": {"xWant": 0.75, OVERALL: 0.1},
    "0.7": {OVERALL: 0.8},
    "0.8": {OVERALL: 0.5},
    "0.9": {"xEffect": 0.5},
}


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_fields_are_those_of_the_release_in_their_order(edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.jsonl"
    assert write_jsonl(edges, path, thresholds=THRESHOLDS, verdicts={edges[0].triple: -9}) == len(edges)
    rows = rows_of(path)
    assert list(rows[0].items()) == [
        ("head", "PersonX lends PersonY an umbrella"),
        ("relation", "xWant"),
        ("tail", "to stay dry"),
        ("inference", "to stay dry"),
        ("split", "train"),
        ("rec_0.5", False),  # its relation's own threshold
        ("rec_0.6", True),  # reached exactly
        ("rec_0.7", False),  # the overall one
        ("rec_0.8", True),
        ("rec_0.9", None),  # neither is known
        ("p_valid_model", 0.75),
        ("valid", -9),
    ]
    assert [row["split"] for row in rows] == ["train", "train", "train", "val", "test"]


def test_what_is_not_known_is_null(edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.jsonl"
    write_jsonl(edges[1:2], path, thresholds=THRESHOLDS, verdicts={})
    (row,) = rows_of(path)
    assert {row[name] for name in (*(f"rec_{recall}" for recall in RECALLS), "p_valid_model", "valid")} == {None}


def test_verdicts_may_be_looked_up_by_a_function(edges: list[Edge], folder: Path) -> None:
    path = folder / "graph.jsonl"
    write_jsonl(edges, path, thresholds={}, verdicts=lambda triple: 2 if triple.relation == "IsA" else None)
    assert [row["valid"] for row in rows_of(path)] == [None, None, None, None, 2]
