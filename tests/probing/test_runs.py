import json
from pathlib import Path
from typing import Any

import pytest

from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.probing.clozes import Clozes, read_clozes
from kg.probing.report import format_probe
from kg.probing.runs import run_probe
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

ROWS = [
    {"sub_label": head, "pred": "AtLocation", "obj_label": tail, "masked_sentences": [f"the {head} is late to [MASK]."]}
    for head, tail in (("bus", "call"), ("taxi", "taxi"), ("bus", "miss"), ("late", "tired"), ("bus call", "bus"))
] + [{"sub_label": "Squad", "obj_label": "late", "masked_sentences": ["to [MASK] the bus"]}]


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


@pytest.fixture
def clozes(facts: Path) -> Clozes:
    return read_clozes(facts, Vocabulary.load("lama"), {})


def test_a_probe_is_a_run_that_writes_nothing_else_and_can_be_undone(
    graph: KnowledgeGraph, workspace: Workspace, facts: Path, clozes: Clozes, masked_folder: Path
) -> None:
    before = graph.statistics()
    told: list[int] = []
    probed = run_probe(
        graph, workspace, facts, clozes, model=str(masked_folder), variants=("negated", "misprimed"),
        progress=lambda done, total: told.append(done / total),
    )  # fmt: skip
    run = graph.run(probed.run)
    assert (run["kind"], run["status"], run["model"], run["offered"]) == ("probe", "finished", str(masked_folder), 6)
    assert graph.statistics() | {"runs": 0} == before | {"runs": 0}
    assert sum(told) == pytest.approx(1)
    found = probed.found
    assert json.loads((probed.folder / "report.json").read_text()) == found
    answers = [json.loads(line) for line in (probed.folder / "answers.jsonl").read_text().splitlines()]
    first = sum(one["filtered"] == 1 for one in answers) / 6
    assert found["summary"]["facts_mean"]["filtered"]["P@1"][0] == pytest.approx(first) == run["precision_at_1"]
    assert found["baselines"]["most_frequent"]["facts_mean"]["raw"]["P@1"][0] == pytest.approx(2 / 6)
    assert (found["negated"]["facts"], found["misprimed"]["facts"]) == (5, 5)
    text = "\n".join(format_probe(found))
    assert "6 candidates, the file's own tails" in text
    assert "mean over relations" in text
    assert "Negated: 5 facts" in text
    again = run_probe(graph, workspace, facts, clozes, model=str(masked_folder), variants=("misprimed", "negated"))
    assert again == probed
    assert graph.undo(probed.run) == 0
    assert graph.run(probed.run)["status"] == "undone"


def test_other_right_tails_do_not_count_against_a_tail(
    graph: KnowledgeGraph, workspace: Workspace, facts: Path, clozes: Clozes, causal_folder: Path
) -> None:
    probed = run_probe(graph, workspace, facts, clozes, model=str(causal_folder))
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (probed.folder / "answers.jsonl").read_text().splitlines()
    ]
    two = [row for row in rows if row["head"] == "bus"]
    assert {row["raw"] - row["filtered"] for row in two} == {0, 1}
    assert all(row["raw"] == row["filtered"] for row in rows if row["head"] != "bus")


def test_what_cannot_be_asked_is_left_out_and_said(
    graph: KnowledgeGraph, workspace: Workspace, facts: Path, clozes: Clozes, causal_folder: Path, tmp_path: Path
) -> None:
    few = tmp_path / "words.txt"
    few.write_text("call\ntired\nlate\nbus\n", encoding="utf-8")
    probed = run_probe(
        graph, workspace, facts, clozes, model=str(causal_folder), candidates=str(few), way="next", names="spelled"
    )
    assert probed.found["facts"] == 2
    assert probed.found["left_out"] == {
        "their tail is no candidate": 2, "words stand after the blank": 1, "the head's name gives the tail away": 1,
    }  # fmt: skip
    assert "1 facts left out: the head's name gives the tail away" in format_probe(probed.found)
    few.write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(InputError, match="is left to ask about"):
        run_probe(graph, workspace, facts, clozes, model=str(causal_folder), candidates=str(few))
    assert sorted(run["status"] for run in graph.runs()) == ["failed", "finished"]


def test_a_way_of_the_other_kind_of_model_is_refused(
    graph: KnowledgeGraph, workspace: Workspace, facts: Path, clozes: Clozes, causal_folder: Path, masked_folder: Path
) -> None:
    with pytest.raises(InputError, match="is a causal model, which cannot be asked by --way blank"):
        run_probe(graph, workspace, facts, clozes, model=str(causal_folder), way="blank")
    with pytest.raises(InputError, match="is a masked model, which cannot be asked by --way next"):
        run_probe(graph, workspace, facts, clozes, model=str(masked_folder), way="next")


def test_a_sample_is_spread_over_the_file(
    graph: KnowledgeGraph, workspace: Workspace, facts: Path, clozes: Clozes, masked_folder: Path
) -> None:
    probed = run_probe(graph, workspace, facts, clozes, model=str(masked_folder), sample=2)
    answers = (probed.folder / "answers.jsonl").read_text().splitlines()
    assert [json.loads(line)["tail"] for line in answers] == ["call", "tired"]
