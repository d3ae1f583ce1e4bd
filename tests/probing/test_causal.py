from typing import Any

import numpy as np
import pytest
import torch

from kg.probing import causal
from kg.probing.candidates import find_candidates
from kg.probing.causal import CausalProbe
from kg.probing.wording import Blank
from tests.language_model import tiny

TAILS = ["a taxi", "a", "tired", "late again", "PersonY", "羊の毛", "the wool"]
BLANKS = [Blank("PersonX misses ", "."), Blank("", " is late."), Blank("PersonX calls ", " to save [MASK]."),
          Blank("PersonX calls ", ""), Blank("misses ", ""),
          Blank("PersonX shears a sheep, because PersonX wanted ", " .")]  # fmt: skip
RIGHT = ["tired", "a taxi", "a", "a", "a", "late again"]


def sentence(model: Any, tokenizer: Any, text: str, begin: int | None = None) -> float:
    """One pass for one sentence, every token of it."""
    ids = [*([] if begin is None else [begin]), *tokenizer(text)["input_ids"]]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return float(logits[range(len(ids) - 1), ids[1:]].sum())


@pytest.fixture(scope="module", params=[tiny.gemma3, tiny.gpt2], ids=["gemma3", "gpt2"])
def model(request: pytest.FixtureRequest, tokenizer: Any) -> Any:
    return request.param(vocab_size=len(tokenizer))


def direct(model: Any, tokenizer: Any, blank: Blank) -> np.ndarray[Any, Any]:
    return np.array([sentence(model, tokenizer, blank.fill(tail)) for tail in TAILS])


def test_whole_sentences_rank_as_one_pass_a_sentence_ranks_them(model: Any, tokenizer: Any) -> None:
    probe = CausalProbe(model, tokenizer, TAILS)
    found = list(probe.scores(BLANKS, RIGHT))
    pruned = 0
    for blank, tail, own in zip(BLANKS, RIGHT, found, strict=True):
        expected, place = direct(model, tokenizer, blank), TAILS.index(tail)
        known = np.isfinite(own)
        pruned += (~known).sum()
        assert own[known] - own[place] == pytest.approx((expected - expected[place])[known], abs=1e-4)
        assert (expected[~known] < expected[place]).all()
        assert ((own > own[place]) == (expected > expected[place])).all()
    assert 0 < pruned < len(BLANKS) * (len(TAILS) - 1)


def test_without_a_right_tail_every_candidate_is_weighed(model: Any, tokenizer: Any) -> None:
    for blank, own in zip(BLANKS, CausalProbe(model, tokenizer, TAILS).scores(BLANKS), strict=True):
        expected = direct(model, tokenizer, blank)
        assert own - own[0] == pytest.approx(expected - expected[0], abs=1e-4)


def test_next_tokens_leave_out_what_follows(model: Any, tokenizer: Any) -> None:
    found = list(CausalProbe(model, tokenizer, TAILS, next_only=True).scores(BLANKS, RIGHT))
    for blank, own in zip(BLANKS, found, strict=True):
        expected = direct(model, tokenizer, Blank(blank.before, ""))
        assert own - own[0] == pytest.approx(expected - expected[0], abs=1e-4)


def test_small_rounds_give_the_same(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(CausalProbe(model, tokenizer, TAILS).scores(BLANKS, RIGHT))
    monkeypatch.setattr(causal, "_ROWS", 2)
    for one, other in zip(whole, CausalProbe(model, tokenizer, TAILS).scores(BLANKS, RIGHT), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_tokenizer_that_begins_with_nothing_gets_a_beginning(tokenizer: Any) -> None:
    class Plain:
        bos_token_id, eos_token_id = None, 1

        def __call__(self, texts: list[str], **options: Any) -> Any:
            return tokenizer(texts, **options | {"add_special_tokens": False})

    model = tiny.llama(vocab_size=len(tokenizer))
    (own,) = CausalProbe(model, Plain(), TAILS).scores([Blank("", " is late.")], ["tired"])

    def plain(text: str) -> float:
        return sentence(model, lambda one: tokenizer(one, add_special_tokens=False), text, 1)

    expected = np.array([plain(f"{tail} is late.") for tail in TAILS])
    known = np.isfinite(own)
    assert own[known] - own[2] == pytest.approx((expected - expected[2])[known], abs=1e-4)


def test_own_words_are_those_of_one_token(tokenizer: Any) -> None:
    words = find_candidates("own", [], tokenizer)
    assert len(words) == len(set(words)) > 5
    assert all(len(tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) == 1 for word in words)
    assert {"a", "Person"} <= set(words)
    assert not {"<eos>", ".", ","} & set(words)
