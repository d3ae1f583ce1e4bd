"""Rules: what each flags, how its reason reads, and that a graph keeps every edge."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from critic.flagging import flag_edges
from critic.rules import RULES, Checking, Flag, check, measure
from critic.tail_kinds import kinds_of
from critic.verdicts import verdicts_on
from kg.cli import app
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import head_id, split_of
from kg.model import OVERALL, Acceptance, Assertion, Judgement, Triple
from kg.run import Run
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace

SKD = Vocabulary.load("skd")
HEAD = "PersonX shears the sheep"


def flags(relation: str, tail: str, *accepted: Triple, head: str = HEAD, lang: str = "en") -> dict[str, str]:
    found = check([Triple(head, relation, tail, lang)], Checking.of(SKD, accepted))
    return {flag.rule: flag.reason for flag in found}


@pytest.mark.parametrize(
    ("relation", "tail", "rule"),
    [
        ("xEffect", "PersonX shears the sheep", "repeats-head"), ("xEffect", "sheared a sheep", "repeats-head"),
        ("xWant", "to shear sheep", "repeats-head"), ("xWant", "N/A", "empty"), ("xWant", "...", "empty"),
        ("xWant", "to be", "empty"), ("xWant", "PersonY", "empty"), ("xReact", "unknown", "empty"),
        ("xAttr", "to be kind", "kind-of-tail"), ("xReact", "PersonY is angry", "kind-of-tail"),
        ("xAttr", "gets a rest", "kind-of-tail"), ("xWant", "helpful", "kind-of-tail"),
        ("xIntent", "is praised for the wool", "kind-of-tail"), ("xNeed", "he has a pair of shears", "kind-of-tail"),
        ("xEffect", "to get the wool", "kind-of-tail"), ("HinderedBy", "to run away", "kind-of-tail"),
        ("HinderedBy", "nervous", "kind-of-tail"), ("xNeed", "to rest afterwards", "time"),
        ("xIntent", "to be warm as a result", "time"), ("xEffect", "gets the shears beforehand", "time"),
        ("xReact", "tired already", "time"),
    ],
)  # fmt: skip
def test_a_rule_flags_what_it_is_for_and_no_other_does(relation: str, tail: str, rule: str) -> None:
    assert list(flags(relation, tail)) == [rule]


@pytest.mark.parametrize(
    ("relation", "tail"),
    [
        ("xAttr", "tired"), ("xAttr", "a good friend"), ("xAttr", "someone without a calendar"), ("xReact", "at ease"),
        ("xReact", "worried about the sheep"), ("xWant", "to rest"), ("xWant", "rest"), ("xWant", "leave"),
        ("xIntent", "to be warm"), ("xNeed", "to catch the sheep"), ("xEffect", "gets wool"), ("xEffect", "tired"),
        ("xEffect", "the sheep is cold"), ("HinderedBy", "the jar breaks in the bag"), ("HinderedBy", "PersonX is ill"),
        ("HinderedBy", "no shears at hand"), ("xWant", "to sell the sheep"), ("xWant", "to rest after the work"),
    ],
)  # fmt: skip
def test_what_is_right_or_cannot_be_told_is_left_alone(relation: str, tail: str) -> None:
    assert flags(relation, tail) == {}


def test_a_reason_says_what_was_wanted_and_what_was_found() -> None:
    assert flags("xReact", "PersonY is angry") == {
        "kind-of-tail": "xReact wants a state, and this looks like an event of its own"
    }
    assert flags("xNeed", "to rest afterwards") == {
        "time": "xNeed is about what comes before the event, and the tail says 'afterwards'"
    }


def test_a_tail_contradicts_an_accepted_one_of_an_opposite_relation_whichever_names_the_other() -> None:
    wanted, needed = Triple(HEAD, "xWant", "to wash the wool."), Triple(HEAD.upper(), "xNeed", "Wash the wool")
    assert flags("xNeed", "to wash the wool", wanted) == {"contradicts": "the same tail is accepted as xWant"}
    assert flags("xWant", "to wash the wool", needed) == {"contradicts": "the same tail is accepted as xNeed"}
    assert not flags("xIntent", "to wash the wool", wanted)
    assert not flags("xNeed", "to wash the wool")
    assert not flags("xNeed", "to wash the wool", Triple("PersonX naps", "xWant", "to wash the wool"))
    conceptnet = Checking.of(Vocabulary.load("conceptnet"), [Triple("bird", "CapableOf", "fly")])
    assert [flag.rule for flag in check([Triple("bird", "NotCapableOf", "fly")], conceptnet)] == ["contradicts"]


def test_other_languages_are_checked_for_what_needs_no_english() -> None:
    assert flags("xReact", "PersonY is angry", lang="de") == {}
    assert list(flags("xWant", "…", lang="ja", head="人が寝る")) == ["empty"]
    assert flags("xWant", "もう一度寝る", lang="ja", head="人が寝る") == {}
    assert list(flags("xEffect", "人が寝る", lang="ja", head="人が寝る")) == ["repeats-head"]
    assert flags("xEffect", "काल की बात", lang="hi", head="कील का बात") == {}, "vowel signs tell words apart"
    assert list(flags("xEffect", "काल की बात", lang="hi", head="की बात काल")) == ["repeats-head"]


def test_a_users_vocabulary_says_what_its_relations_want(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        '[mayBuy]\nphrase = "may buy"\ntail_kind = ["state", "event"]\ntail_time = "after"\nopposite = ["mayReturn"]\n'
        '[mayReturn]\nphrase = "may return"\n'
    )
    own = Vocabulary.load(str(path))
    given = Checking.of(own, [Triple("a", "mayReturn", "a hat")])
    found = check([Triple("a", "mayBuy", tail) for tail in ("a hat", "to sleep", "a coat already")], given)
    assert [(flag.triple.tail, flag.rule) for flag in found] == [
        ("a hat", "contradicts"), ("to sleep", "kind-of-tail"), ("a coat already", "time"),
    ]  # fmt: skip
    assert not list(check([Triple("a", "mayReturn", "to sleep already")], given))
    assert not list(check([Triple("a", "unknown", "none")], given))


@pytest.mark.parametrize(
    "line",
    ['tail_kind = "mood"', "tail_kind = 3", 'tail_time = ["before", "after"]', 'opposite = ["a-b"]', "opposite = [1]"],
)  # fmt: skip
def test_a_vocabulary_that_states_nonsense_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(f'[mayBuy]\nphrase = "may buy"\n{line}\n')
    with pytest.raises(InputError, match=r"tail_kind|tail_time|opposite"):
        Vocabulary.load(str(tmp_path / "own.toml"))


def test_kinds_are_told_only_where_there_is_no_doubt() -> None:
    assert kinds_of("") == kinds_of("to") == kinds_of("PersonX") == kinds_of("give away") == frozenset()
    assert kinds_of("the idea turns out to be bad") == {"state", "event"}


def test_how_good_a_rule_is_stands_beside_what_is_bad_anyway() -> None:
    rows = [("PersonX is sad", -1), ("he is sad", 2), ("tired", -1), ("glad", 2), ("happy", 2)]
    verdicts = verdicts_on([Judgement(Triple(HEAD, "xReact", tail), "me", value) for tail, value in rows])
    found = {row["rule"]: row for row in measure(verdicts, Checking.of(SKD))}
    assert found["kind-of-tail"] == {
        "rule": "kind-of-tail", "flagged": 2, "bad": 1, "precision": 0.5, "recall": 0.5, "base": 0.4
    }  # fmt: skip
    assert found["time"] == {
        "rule": "time", "flagged": 0, "bad": 0, "precision": None, "recall": 0.0, "base": None
    }  # fmt: skip
    assert list(found) == [*RULES, "any of them"]


def test_the_command_measures_on_files_and_leaves_test_events_out(tmp_path: Path) -> None:
    heads = [f"PersonX does {number}" for number in range(40)]
    kept = [head for head in heads if split_of(head_id(Triple(head, "xReact", "a"))) != "test"]
    rows = "".join(
        f"{head}\txReact\tPersonY is sad\t{-1 if number % 2 else 2}\tme\n" for number, head in enumerate(heads)
    )
    (tmp_path / "f").write_text(f"head\trelation\ttail\tvalue\tannotator\n{rows}")
    done = CliRunner().invoke(app, ["critic", "rules", "--judgements", str(tmp_path / "f"), "--json"])
    found = json.loads(done.stdout)
    assert 0 < len(kept) < len(heads)
    assert found["rows"] == len(kept) == found["rules"][2]["flagged"]
    shown = CliRunner().invoke(app, ["critic", "rules", "--judgements", str(tmp_path / "f")]).stdout.splitlines()
    assert [line.split("  ")[0] for line in shown[2:8]] == [*RULES, "any of them"]
    (tmp_path / "f").write_text("head\trelation\ttail\tvalue\tannotator\n")
    assert "no judged triple" in str(
        CliRunner().invoke(app, ["critic", "rules", "--judgements", str(tmp_path / "f")]).exception
    )


def test_a_run_lists_what_is_flagged_keeps_every_edge_and_can_be_undone(
    graph: KnowledgeGraph, begun: Run, workspace: Workspace
) -> None:
    own = Vocabulary([Relation("mayBuy", "may buy", tail_kind="state", tail_time="after", opposite="xWant")])
    graph.add_vocabulary(own)
    assert graph.vocabulary()["mayBuy"] == own["mayBuy"]
    assert graph.vocabulary()["xNeed"] == SKD["xNeed"]
    wrong, fine, contradicted = (
        Triple(HEAD, "xReact", "to rest"), Triple(HEAD, "xReact", "tired"), Triple(HEAD, "mayBuy", "a hat")
    )  # fmt: skip
    graph.add([Assertion(one) for one in (wrong, fine, contradicted, Triple(HEAD, "xWant", "a hat"))], begun)
    graph.record_critic("critic-1")
    rule = Acceptance("one", "critic-1", 0.8, {"0.8": {OVERALL: 0.5}})
    graph.record_acceptance(rule)
    graph.record_scores("critic-1", lambda some: [0.1 if one == wrong else 0.9 for one in some], rule)
    before = list(graph.edges())
    found = flag_edges(graph, workspace)
    assert (found.edges, found.flagged) == (4, 3)
    listed = [json.loads(line) for line in found.path.read_text(encoding="utf-8").splitlines()]
    assert {(row["relation"], row["tail"], row["rule"]) for row in listed} == {
        ("xReact", "to rest", "kind-of-tail"), ("mayBuy", "a hat", "contradicts"), ("xWant", "a hat", "contradicts"),
        ("xWant", "a hat", "kind-of-tail"),
    }  # fmt: skip
    assert all(isinstance(flag, Flag) and flag.reason for flag in found.first)
    assert list(graph.edges()) == before
    assert (graph.run(found.run)["status"], graph.run(found.run)["flagged"]) == ("finished", 3)
    assert flag_edges(graph, workspace, accepted_only=True).flagged == 2
    graph.undo(found.run)
    assert list(graph.edges()) == before
    assert graph.run(found.run)["status"] == "undone"
