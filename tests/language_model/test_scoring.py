import tracemalloc
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from kg.language_model import scoring
from kg.language_model.scoring import Question, read, weigh
from kg.languages import behind
from tests.language_model import tiny

EVENTS, PHRASES, TAILS = tiny.TEXTS[:3], tiny.TEXTS[3:6], tiny.TEXTS[6:]
QUESTIONS = [Question(*parts) for parts in product(EVENTS, PHRASES, TAILS)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    return tiny.gemma3(vocab_size=len(tokenizer))


def direct(model: Any, tokenizer: Any, given: str, tail: str, end: list[int]) -> float:
    """One pass for one tail."""
    before = tokenizer(given)["input_ids"]
    wanted = [*tokenizer(tail, add_special_tokens=False)["input_ids"], *end]
    with torch.inference_mode():
        chosen = model(torch.tensor([[*before, *wanted]])).logits[0].log_softmax(-1)[len(before) - 1 : -1]
    return float(chosen[range(len(wanted)), wanted].sum())


@pytest.mark.parametrize(("ending", "end"), [("", None), (".", None), ("", 1), (".", 1)])
def test_likelihoods_are_those_of_one_pass_a_triple(model: Any, tokenizer: Any, ending: str, end: int | None) -> None:
    found = list(weigh(model, tokenizer, iter(QUESTIONS), ending=ending, end=end))
    ends = [] if end is None else [end]
    assert len(found) == len(QUESTIONS)
    for question, one in zip(QUESTIONS, found, strict=True):
        tail = f"{behind(question.tail)}{ending}"
        after = direct(model, tokenizer, question.event + question.phrase, tail, ends)
        alone = direct(model, tokenizer, question.phrase.lstrip(",. "), tail, ends)
        assert one.conditional == pytest.approx(after, abs=1e-4)
        assert one.unconditional == pytest.approx(alone, abs=1e-4)
        assert one.gain == pytest.approx(after - alone, abs=2e-4)
        assert one.tokens == len(tokenizer(tail, add_special_tokens=False)["input_ids"]) + len(ends)
        assert one.conditional_mean == pytest.approx(after / one.tokens, abs=1e-4)
        assert one.unconditional_mean == pytest.approx(alone / one.tokens, abs=1e-4)
    assert max(one.gain for one in found) > 0.1 > -0.1 > min(one.gain for one in found)


def test_what_is_read_beside_the_likelihoods_are_the_mean_states_of_the_middle_layer(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_STREAM", 7)
    monkeypatch.setattr(scoring, "_PACK_TOKENS", 50)
    plain = list(weigh(model, tokenizer, QUESTIONS, ending="."))
    layer = model.config.num_hidden_layers // 2
    for question, one, (likelihood, state) in zip(
        QUESTIONS, plain, read(model, tokenizer, QUESTIONS, ending="."), strict=True
    ):
        assert likelihood.conditional == pytest.approx(one.conditional, abs=1e-4)
        assert likelihood.unconditional == pytest.approx(one.unconditional, abs=1e-4)
        before = tokenizer(question.event + question.phrase)["input_ids"]
        tail = tokenizer(f"{behind(question.tail)}.", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            states = model(torch.tensor([[*before, *tail]]), output_hidden_states=True).hidden_states[layer]
        np.testing.assert_allclose(state, states[0, len(before) - 1 : -1].mean(0).numpy(), atol=1e-4)


def test_small_rounds_and_passes_give_the_same(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(weigh(model, tokenizer, QUESTIONS))
    monkeypatch.setattr(scoring, "_STREAM", 7)
    monkeypatch.setattr(scoring, "_PACK_TOKENS", 50)
    parts = list(weigh(model, tokenizer, QUESTIONS))
    for one, other in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_events_and_relations_are_read_once(model: Any, tokenizer: Any) -> None:
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda _m, inputs, _o: read.append(inputs[0].numel()))
    list(weigh(model, tokenizer, QUESTIONS))
    hook.remove()
    alone = sum(len(tokenizer(q.event + q.phrase + " " + q.tail)["input_ids"]) for q in QUESTIONS)
    assert sum(read) < alone / 2


def test_memory_does_not_grow_with_the_questions(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_STREAM", 72)

    def questions(count: int) -> Iterator[Question]:
        for number in range(count):
            yield QUESTIONS[number % len(QUESTIONS)]._replace(tail=f"{number} loaves of bread " * 3)

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in weigh(model, tokenizer, questions(count)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(72)
    assert peak(72 * 8) < 1.3 * peak(72 * 2)


def test_a_special_token_in_a_text_is_text(model: Any, tokenizer: Any) -> None:
    spelt, plain = (Question(event, PHRASES[0], tail) for event, tail in (("PersonX <bos>", "<eos>"), ("PersonX", "")))
    found = list(weigh(model, tokenizer, [spelt, plain], end=1))
    assert found[0].tokens > found[1].tokens


def test_a_model_in_training_mode_is_weighed_without_dropout_and_stays_in_it(model: Any, tokenizer: Any) -> None:
    model.train()
    list(weigh(model, tokenizer, QUESTIONS[:2]))
    assert model.training
    model.eval()
