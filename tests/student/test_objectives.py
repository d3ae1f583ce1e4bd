"""What training makes small, beside numbers computed by hand."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.model import NOTHING, Assertion, Triple
from kg.run import Run
from kg.store import queries
from student.data import select
from student.generator import training
from student.generator.model import Generator
from student.generator.objectives import mixed, relative, softened, weighted_mean
from student.generator.soft import soft_losses
from student.generator.tokens import Codec
from student.interface import Student
from student.objective import Objective, frequencies
from student.runs import weights_of

Train = Callable[..., Student]
LN2, LN3 = torch.tensor(2.0).log(), torch.tensor(3.0).log()
WORDS = {"xWant": "and wants", "xReact": "and feels"}


def test_a_weight_counts_for_every_token_of_its_triple() -> None:
    each = torch.tensor([1.0, 2.0, 3.0])
    assert relative([1.0, 0.5], [2, 1]) == pytest.approx([1.2, 0.6])  # their mean over three tokens is 2.5 / 3
    assert float(weighted_mean(each, [2, 1], relative([1.0, 0.5], [2, 1]))) == pytest.approx((1 + 2 + 1.5) / 2.5)
    assert float(weighted_mean(each, [2, 1], relative([0.0, 0.2], [2, 1]))) == pytest.approx(3.0)


def test_a_batch_counts_by_what_its_triples_weigh() -> None:
    each = torch.tensor([1.0, 2.0, 3.0, 6.0])
    weights = relative([1.0, 0.5, 0.25], [2, 1, 1])  # their mean over four tokens is 2.75 / 4
    first = weighted_mean(each[:2], [2], weights[:1])
    second = weighted_mean(each[2:], [1, 1], weights[1:])
    assert float(first) == pytest.approx(1.5 * 4 / 2.75)
    assert float(second) == pytest.approx((1.5 + 1.5) / 2 * 4 / 2.75)
    assert float(first + second) / 2 == pytest.approx((1 + 2 + 1.5 + 1.5) / 2.75), "that of both at once"
    shares = weighted_mean(each[2:3], [1], weights[1:2], 2) + weighted_mean(each[3:], [1], weights[2:], 2)
    assert float(shares) == pytest.approx(float(second)), "that of two processes"


@pytest.mark.parametrize(
    ("student", "teacher", "temperature", "expected"),
    [
        ([0.0, 0.0], [LN3, 0.0], 1.0, 0.693147),  # wanted .75 and .25, said .5 and .5
        ([LN2, 0.0], [LN3, 0.0], 1.0, 0.578752),  # said 2/3 and 1/3: .75 ln 1.5 + .25 ln 3
        ([0.0, 0.0], [LN3, 0.0], 2.0, 2.772589),  # 2 x 2 x ln 2
        ([LN2 * 2, 0.0], [LN3 * 2, 0.0], 2.0, 2.315007),  # four times the second
        ([LN2, 0.0, 0.0], [-0.510826, -1.609438, -torch.inf], 1.0, 0.866434),  # .6 and .2 become .75 and .25
    ],
)
def test_softened_targets_are_a_cross_entropy_times_the_square_of_the_temperature(
    student: list[float], teacher: list[float], temperature: float, expected: float
) -> None:
    found = softened(torch.tensor([student]), torch.tensor([teacher]), temperature)
    assert found.tolist() == pytest.approx([expected], rel=1e-5)


def test_at_a_high_temperature_the_gradient_is_the_difference_of_logits_whatever_the_temperature() -> None:
    teacher = torch.tensor([[1.0, -2.0, 1.0]])
    for temperature in (300.0, 900.0):
        student = torch.tensor([[0.5, 0.5, -1.0]], requires_grad=True)
        softened(student, teacher, temperature).sum().backward()
        assert student.grad is not None
        torch.testing.assert_close(student.grad, (student.detach() - teacher) / 3, rtol=2e-2, atol=1e-2)


def test_softened_targets_have_their_share() -> None:
    assert mixed(torch.tensor([1.0]), torch.tensor([3.0]), 0.25).tolist() == [1.5]


@pytest.fixture
def codec(base: Path) -> Codec:
    return Codec(AutoTokenizer.from_pretrained(base), tuple(WORDS), WORDS)


def test_the_whole_sequence_counts_as_in_the_published_code(codec: Codec, base: Path, eight: list[Triple]) -> None:
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    given, tail = codec.given(eight[0].head, "xWant"), codec.tail(eight[0].tail)
    tokens = torch.tensor([[*given, *tail]])
    whole = [(given[:1], (*given[1:], *tail))]
    with torch.inference_mode():
        expected = float(model(input_ids=tokens, labels=tokens).loss)
        found = float(training._loss(model, [0], sequences=whole, weights=None, soft=None))  # noqa: SLF001
        apart = float(training._loss(model, [0], sequences=[(given, tail)], weights=None, soft=None))  # noqa: SLF001
    assert found == pytest.approx(expected, rel=1e-5)
    assert abs(found - apart) > 1e-3


def test_a_training_is_told_its_objective_and_the_metrics_say_so(train: Train, tmp_path: Path) -> None:
    losses = {}
    for name, objective in {"tail": Objective(), "whole": Objective(whole=True)}.items():
        student = train("generator", tmp_path / name, epochs=2, objective=objective)
        losses[name] = student.metrics
    assert losses["tail"]["tail_tokens"] == losses["whole"]["tail_tokens"]
    assert losses["tail"]["loss"] != losses["whole"]["loss"]
    assert "objective" not in losses["tail"]
    assert losses["whole"]["objective"]["whole"]


def test_a_teacher_that_is_asked_and_one_whose_probabilities_are_stored_give_the_same(
    codec: Codec, base: Path, eight: list[Triple], tmp_path: Path
) -> None:
    teacher = AutoModelForCausalLM.from_pretrained(base).eval()
    student = AutoModelForCausalLM.from_pretrained(base).eval()
    with torch.no_grad():
        student.transformer.h[0].mlp.c_fc.weight.mul_(3.0)
    triples = eight[:3]
    sequences = [(codec.given(one.head, one.relation), codec.tail(one.tail)) for one in triples]
    names = codec.tokenizer.convert_ids_to_tokens(range(len(codec)))
    rows, by_hand = [], []
    for triple, (given, tail) in zip(triples, sequences, strict=True):
        tokens = torch.tensor([[*given, *tail[:-1]]])
        with torch.inference_mode():
            wanted, said = (one(input_ids=tokens).logits[0, len(given) - 1 :] for one in (teacher, student))
        top = [dict(zip(names, place.tolist(), strict=True)) for place in wanted.log_softmax(-1)]
        rows.append({"head": triple.head, "relation": triple.relation, "tail": triple.tail, "top": top})
        hard = -said.log_softmax(-1)[range(len(tail)), list(tail)]
        soft = -((wanted / 2).softmax(-1) * (said / 2).log_softmax(-1)).sum(-1) * 4
        by_hand += (0.3 * hard + 0.7 * soft).tolist()
    (tmp_path / "stored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in (str(base), str(tmp_path / "stored.jsonl")):
        losses, origin = soft_losses(Objective(soft=name, temperature=2.0, share=0.7), codec, triples, sequences)
        with torch.inference_mode():
            assert losses(student, [0, 1, 2]).tolist() == pytest.approx(by_hand, rel=1e-4)
        assert origin is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"tail": "to rest", "top": [{"x": -1.0}]}, "nothing on .'PersonX misses the bus', xWant, 'to call a taxi'"),
        ({"tail": "to call a taxi", "top": [{"x": -1.0}]}, "has 1 places for"),
        ({"tail": "to call a taxi", "top": [{"x": 0.5}]}, "line 1: top has a place"),
        ({"tail": "to call a taxi"}, "line 1: not head, relation, tail, and top"),
    ],
)
def test_stored_probabilities_that_do_not_fit_are_refused(
    row: dict[str, object], reason: str, codec: Codec, eight: list[Triple], tmp_path: Path
) -> None:
    path = tmp_path / "stored.jsonl"
    path.write_text(json.dumps({"head": eight[0].head, "relation": "xWant"} | row) + "\n")
    sequences = [(codec.given(eight[0].head, "xWant"), codec.tail(eight[0].tail))]
    with pytest.raises(InputError, match=reason):
        soft_losses(Objective(soft=str(path)), codec, eight[:1], sequences)


def test_what_learns_from_gemmas_probabilities_is_derived_from_gemma(
    base: Path, train: Train, eight: list[Triple], tmp_path: Path
) -> None:
    codec = Codec(AutoTokenizer.from_pretrained(base), tuple(WORDS), WORDS)
    rows = [
        {"head": one.head, "relation": one.relation, "tail": one.tail, "model": "gemma-3-1b",
         "top": [{token: 0.0} for token in codec.tokenizer.convert_ids_to_tokens(codec.tail(one.tail))]}
        for one in eight
    ]  # fmt: skip
    (tmp_path / "stored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    objective = Objective(soft=str(tmp_path / "stored.jsonl"))
    student = train("generator", tmp_path / "s", base=str(base), epochs=1, objective=objective)
    assert student.manifest["derived_from"] == "gemma"


def test_weights_are_scores_or_how_often_the_teacher_said_so(graph: KnowledgeGraph, begun: Run) -> None:
    tails = {"to rest": ("a", "b", "c"), "to sleep": ()}
    triples = {tail: Triple("PersonX naps", "xWant", tail) for tail in tails}
    graph.add(
        [Assertion(triples[tail], split="train", sources=tails[tail], score=len(tail) / 10) for tail in tails], begun
    )
    data = select(graph, queries.load("training").where("true"))
    assert weights_of(graph, data, "equal") == {}
    assert weights_of(graph, data, "frequency") == {triples["to rest"]: 0.75, triples["to sleep"]: 0.25}
    assert weights_of(graph, data, "score") == {triples["to rest"]: 0.7, triples["to sleep"]: 0.8}


def test_a_triple_without_weight_teaches_nothing_and_one_that_lacks_it_is_named(
    train: Train, eight: list[Triple], tmp_path: Path
) -> None:
    objective = Objective(weight="score")
    weights = {triple: float(triple.relation == "xWant") for triple in eight}
    student = train("generator", tmp_path / "s", epochs=40, objective=objective, weights=weights)
    sums, tokens = student.logprobs(eight)
    means = {relation: [s / t for s, t, one in zip(sums, tokens, eight, strict=True) if one.relation == relation]
             for relation in ("xWant", "xReact")}  # fmt: skip
    assert min(means["xWant"]) > max(means["xReact"])
    lacking = {one: 1.0 for one in eight if one.relation == "xWant"}
    with pytest.raises(InputError, match="4 triples have no score"):
        train("generator", tmp_path / "t", objective=objective, weights=lacking)


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (Objective(weight="luck"), "no weight 'luck'; there are equal, score, frequency"),
        (Objective(soft="x", temperature=0.0), "a temperature is above 0"),
        (Objective(soft="x", share=1.5), "from 0 to 1"),
        (Objective(weight="score", nothing=True), "no critic scores the tail none"),
        (Objective(soft="x", whole=True), "softened targets are of tails"),
    ],
)
def test_an_objective_out_of_range_is_refused(objective: Objective, reason: str, train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        train("generator", tmp_path / "s", objective=objective)
    with pytest.raises(InputError, match="a ranker has one objective"):
        train("ranker", tmp_path / "s", objective=objective)


def test_nothing_is_learnt_where_it_is_wanted_and_said_by_a_search_alone(
    train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    events = sorted({one.head for one in eight})
    triples = [*eight, *(Triple(event, "xNeed", NOTHING) for event in events)]
    student = train("generator", tmp_path / "s", triples=triples, objective=Objective(nothing=True), epochs=40)
    assert set(student.relations) == {"xNeed", "xReact", "xWant"}
    assert isinstance(student, Generator)
    pairs = [(event, "xNeed") for event in events]
    assert [greedy for greedy, _ in student.search(pairs, 2)] == [NOTHING] * len(events)
    assert all(one.tail != NOTHING for some in student.predict(pairs, 3) for one in some)
    assert train("generator", tmp_path / "t", triples=triples, epochs=1).relations == ("xReact", "xWant")


def bigrams(rows: list[list[float]]) -> GPT2LMHeadModel:
    """A model without layers, whose next token follows from the last one: rows[last][next] are probabilities."""
    size = len(rows)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_positions=8, n_layer=0, n_embd=size, n_head=1, tie_word_embeddings=False,
                   embd_pdrop=0.0)
    )  # fmt: skip
    with torch.no_grad():
        model.transformer.wte.weight.copy_(torch.eye(size))
        model.transformer.wpe.weight.zero_()
        model.transformer.ln_f.weight.fill_(((1 - 1 / size) / size) ** 0.5)  # what it divides by
        model.transformer.ln_f.bias.fill_(1 / size)  # what it takes away
        model.lm_head.weight.copy_(torch.tensor(rows).log().T)
    return model


TABLE = [[0.125, 0.5, 0.25, 0.125], [0.25, 0.25, 0.25, 0.25], [0.125, 0.125, 0.25, 0.5], [0.25, 0.25, 0.25, 0.25]]
FIRST, SECOND = ((0,), (1, 3)), ((1, 0), (1, 1, 3))
"""Losses of their tails in ln 2, token by token: 1 and 2; 1, 2 and 2. The second one's 0 behind its 1 has 2."""
TOP = [{"b": -0.5108256, "c": -1.6094379}, {"b": -1.0, "end": -1.0}]
"""A teacher's two likeliest tokens of the first tail: .6 and .2, which become .75 and .25; and two alike."""


@pytest.mark.parametrize(
    ("name", "in_ln2"),
    [
        ("tail", (1 + 2 + 1 + 2 + 2) / 5),
        ("whole", (1 + 2 + 2 + 1 + 2 + 2) / 6),
        ("score", (0.9 * 3 + 0.3 * 5) / (0.9 * 2 + 0.3 * 3)),
        ("frequency", (0.75 * 3 + 0.25 * 5) / (0.75 * 2 + 0.25 * 3)),
        ("soft", ((1 + 0.75 * 1 + 0.25 * 2) / 2 + 2) / 2),
        ("softer", ((1 + 4.490940 / 0.693147) / 2 + (2 + 4 * 2) / 2) / 2),  # 2 x 2 x 1.122735, by roots of .6 and .2
        ("soft alone", (0.75 * 1 + 0.25 * 2 + 2) / 2),
    ],
)
def test_each_objective_is_what_a_hand_computes(name: str, in_ln2: float, tmp_path: Path) -> None:
    model = bigrams(TABLE)
    sequences: list[Any] = [FIRST, SECOND]
    batch, weights, soft = [0, 1], None, None
    match name:
        case "whole":
            sequences = [(given[:1], (*given[1:], *tail)) for given, tail in sequences]
        case "score":
            weights = [0.9, 0.3]
        case "frequency":
            said = {Triple("naps", "xWant", "to nap"): 3, Triple("naps", "xWant", "to nap on"): 1}
            weights = list(frequencies(said).values())
        case "soft" | "softer" | "soft alone":
            batch, triple = [0], Triple("a", "xWant", "b")
            row = {"head": "a", "relation": "xWant", "tail": "b", "top": TOP}
            (tmp_path / "stored.jsonl").write_text(json.dumps(row) + "\n")
            numbers = {"a": 0, "b": 1, "c": 2, "end": 3}
            codec = SimpleNamespace(tokenizer=SimpleNamespace(get_vocab=lambda: numbers))
            objective = Objective(
                soft=str(tmp_path / "stored.jsonl"), temperature=2.0 if name == "softer" else 1.0,
                share=1.0 if name == "soft alone" else 0.5,
            )  # fmt: skip
            soft, _ = soft_losses(objective, codec, [triple], sequences[:1])  # type: ignore[arg-type]
    with torch.inference_mode():
        over_mean = weights and relative(weights, [2, 3])
        found = training._loss(model, batch, sequences=sequences, weights=over_mean, soft=soft)  # noqa: SLF001
    assert float(found) == pytest.approx(in_ln2 * math.log(2), rel=2e-4)  # the model divides by a little more
