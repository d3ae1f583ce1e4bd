import random
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from more_itertools import chunked
from transformers import GenerationConfig

from kg.language_model import drawing, generation
from kg.language_model.generation import Tail, Writer
from kg.language_model.tree import Tree, cut_head
from tests.language_model import tiny
from tests.repeats import only_thorough, spread

PROMPTS = [event + phrase for event, phrase in product(tiny.TEXTS[:3], tiny.TEXTS[3:6])] + tiny.TEXTS[6:12]
ENDS = [1, *range(262, 462, 11)]
EXAMPLES = "PersonX bakes bread, because PersonX wanted to eat\nPersonX misses the bus, because PersonX wanted\n" * 6


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    return tiny.gemma3(vocab_size=len(tokenizer))


def generate(
    model: Any, prompt: list[int], ends: list[int] = ENDS, max_new_tokens: int = 9, **settings: Any
) -> list[tuple[list[int], float]]:
    """What `generate` writes behind a prompt by itself: tokens as they are, and their summed log-probability."""
    config = GenerationConfig(eos_token_id=ends, pad_token_id=0, max_new_tokens=max_new_tokens, **settings)
    inputs = torch.tensor([prompt])
    found = model.generate(inputs, attention_mask=torch.ones_like(inputs), generation_config=config)
    return [summed(model, prompt, row[len(prompt) :], ends) for row in found.tolist()]


def summed(model: Any, prompt: list[int], tokens: list[int], stops: list[int] = ENDS) -> tuple[list[int], float]:
    """Tokens up to the first end, and their log-probability in one pass."""
    ends = [place for place, token in enumerate(tokens) if token in stops]
    tokens = tokens[: ends[0] + 1] if ends else tokens
    with torch.inference_mode():
        scores = model(torch.tensor([prompt + tokens])).logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
    return tokens, float(scores[range(len(tokens)), tokens].sum())


def ids(tokenizer: Any, prompt: str) -> list[int]:
    found: list[int] = tokenizer(prompt)["input_ids"]
    return found


def check(tokenizer: Any, found: list[Tail], expected: list[tuple[list[int], float]], ends: list[int] = ENDS) -> int:
    """Return how many differ by a tie only; fail when one differs by more."""
    expected_texts = []
    for tokens, logprob in expected:
        kept = [token for token in tokens if token not in ends]
        text = tokenizer.decode(kept, skip_special_tokens=True).strip()
        if text and text not in [one for one, _, _ in expected_texts]:
            expected_texts.append((text, kept, logprob))
    assert len(found) == len(expected_texts)
    ties = 0
    for tail, (text, kept, logprob) in zip(found, expected_texts, strict=True):
        assert tail.logprob == pytest.approx(logprob, abs=1e-4)
        if list(tail.tokens) == kept:
            assert tail.text == text
        else:
            ties += 1
    return ties


@pytest.mark.parametrize("kind", [tiny.gemma3, tiny.llama, tiny.mistral, tiny.gpt2])
def test_greedy_tails_are_those_of_generate(kind: Callable[..., Any], tokenizer: Any) -> None:
    model = kind(vocab_size=len(tokenizer))
    found = Writer(model, tokenizer, ends=ENDS, max_tokens=9).greedy(PROMPTS)
    for prompt, tail in zip(PROMPTS, found, strict=True):
        ((tokens, logprob),) = generate(model, ids(tokenizer, prompt))
        assert list(tail.tokens) == [token for token in tokens if token not in ENDS]
        assert tail.logprob == pytest.approx(logprob, abs=1e-4)
        assert tail.ended == (tokens[-1] in ENDS)
    assert any(tail.ended for tail in found) or kind is tiny.mistral


@pytest.mark.parametrize("kind", spread((tiny.gemma3, tiny.llama, tiny.mistral, tiny.qwen3, tiny.gpt2), 3))
@pytest.mark.parametrize(
    ("width", "penalty", "stopping"),
    [(1, 0.5, False), (4, 1.0, False), (4, 1.0, True), (3, 0.0, False), (5, 2.0, False)],
)
def test_beams_are_those_of_generate(
    kind: Callable[..., Any], tokenizer: Any, width: int, penalty: float, stopping: bool
) -> None:
    model, settings = kind(vocab_size=len(tokenizer)), {"length_penalty": penalty, "early_stopping": stopping}
    found = Writer(model, tokenizer, ends=ENDS, max_tokens=9).beams(PROMPTS, width, **settings)
    if width == 1:  # which `generate` takes for greedy
        assert sum(len(tails) for tails in found) > 0.5 * len(PROMPTS)
        return
    ties = 0
    for prompt, tails in zip(PROMPTS, found, strict=True):
        expected = generate(model, ids(tokenizer, prompt), num_beams=width, num_return_sequences=width, **settings)
        ties += check(tokenizer, tails, expected)
    assert ties <= 0.01 * len(PROMPTS) * width


@pytest.mark.parametrize("stopping", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 3.0])
def test_beams_that_often_end_are_those_of_generate(tokenizer: Any, stopping: bool, penalty: float) -> None:
    ends = list(range(262, 462, 2))
    for kind in (tiny.gemma3, tiny.gpt2):
        model = kind(vocab_size=len(tokenizer))
        writer = Writer(model, tokenizer, ends=ends, max_tokens=7)
        found = writer.beams(PROMPTS, 3, length_penalty=penalty, early_stopping=stopping)
        for prompt, tails in zip(PROMPTS, found, strict=True):
            settings = {
                "num_beams": 3,
                "num_return_sequences": 3,
                "length_penalty": penalty,
                "early_stopping": stopping,
            }
            expected = generate(model, ids(tokenizer, prompt), ends, max_new_tokens=7, **settings)
            assert check(tokenizer, tails, expected, ends) == 0


@only_thorough
def test_beams_of_500_prompts_differ_from_those_of_generate_by_ties_only(model: Any, tokenizer: Any) -> None:
    rng = random.Random(0)
    words = [word for text in tiny.TEXTS[:-1] for word in text.split()]
    prompts = sorted({" ".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(700)})[:500]
    found = Writer(model, tokenizer, ends=ENDS, max_tokens=6).beams(prompts, 3)
    settings = GenerationConfig(
        eos_token_id=ENDS, pad_token_id=0, max_new_tokens=6, num_beams=3, num_return_sequences=3
    )
    ties = 0
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for number, prompt in enumerate(prompts):
        by_length[len(ids(tokenizer, prompt))].append(number)
    for length, numbers in by_length.items():
        inputs = torch.tensor([ids(tokenizer, prompts[number]) for number in numbers])
        made = model.generate(inputs, attention_mask=torch.ones_like(inputs), generation_config=settings)
        for number, rows in zip(numbers, chunked(made.tolist(), 3), strict=True):
            expected = [summed(model, ids(tokenizer, prompts[number]), row[length:]) for row in rows]
            ties += check(tokenizer, found[number], expected) > 0
    assert len(found) == 500
    assert ties <= 5


def test_early_stopping_stops_early(tokenizer: Any) -> None:
    found = []
    for stopping in (False, True):
        tails = []
        for kind in (tiny.gemma3, tiny.llama, tiny.gpt2):
            model = kind(vocab_size=len(tokenizer))
            tails += Writer(model, tokenizer, ends=range(262, 462, 2), max_tokens=9).beams(
                PROMPTS, 2, early_stopping=stopping
            )
        found.append(tails)
    assert found[0] != found[1]


def test_what_no_leaf_descends_from_is_forgotten_and_nothing_else(model: Any, tokenizer: Any) -> None:
    tree, prompts = Tree(model), [ids(tokenizer, prompt) for prompt in PROMPTS]
    with torch.inference_mode():
        tree.plant(prompts)
        planted = tree.trunk()[0][0].shape[2]
        path = prompts[4] + [300, 301, 302]
        tree.grow([4, 4], [300, 310])
        assert tree.trunk()[0][0].shape[2] == len(prompts[4]) + 2 < planted / 2
        tree.grow([0], [301])
        logits = tree.grow([0], [302])
        assert torch.allclose(logits[0], model(torch.tensor([path])).logits[0, -1], atol=1e-4)


def test_suppressed_tokens_keep_their_probability(model: Any, tokenizer: Any) -> None:
    usual = Writer(model, tokenizer, ends=ENDS, max_tokens=9).beams(PROMPTS, 3)
    barred = sorted({tails[0].tokens[0] for tails in usual if tails[0].tokens})
    found = Writer(model, tokenizer, ends=ENDS, max_tokens=9, suppressed=barred).beams(PROMPTS, 3)
    for prompt, tails in zip(PROMPTS, found, strict=True):
        settings = {"num_beams": 3, "num_return_sequences": 3, "suppress_tokens": barred}
        check(tokenizer, tails, generate(model, ids(tokenizer, prompt), **settings))
        assert not any(set(tail.tokens) & set(barred) for tail in tails)


def test_allowed_tokens_share_all_probability(model: Any, tokenizer: Any) -> None:
    allowed = range(260, len(tokenizer), 2)
    writer = Writer(model, tokenizer, ends=ENDS, max_tokens=9, allowed=allowed)
    kept = sorted({*allowed, *ENDS})
    for tails in writer.beams(PROMPTS, 3):
        assert all(set(tail.tokens) <= set(allowed) for tail in tails)
    for prompt, tail in zip(PROMPTS, writer.greedy(PROMPTS), strict=True):
        tokens, total = ids(tokenizer, prompt), 0.0
        while len(tokens) < len(ids(tokenizer, prompt)) + 9:
            with torch.inference_mode():
                best, place = model(torch.tensor([tokens])).logits[0, -1, kept].log_softmax(-1).max(-1)
            tokens.append(kept[int(place)])
            total += float(best)
            if tokens[-1] in ENDS:
                break
        assert list(tail.tokens) == [token for token in tokens[len(ids(tokenizer, prompt)) :] if token not in ENDS]
        assert tail.logprob == pytest.approx(total, abs=1e-4)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_failure_under_a_cut_head_puts_the_head_back(model: Any) -> None:
    head = model.get_output_embeddings()
    with cut_head(model, [3, 1]) as kept:
        assert kept == [1, 3]
        assert model(torch.tensor([[2]])).logits.shape[-1] == 2
    with pytest.raises(IndexError), cut_head(model, [3]):
        model(torch.tensor([[10_000]]))
    assert model.get_output_embeddings() is head


@pytest.mark.parametrize("nucleus", [1e-9, 0.5, 0.9, 1.0])
def test_samples_have_their_log_probability_and_no_text_twice(model: Any, tokenizer: Any, nucleus: float) -> None:
    writer = Writer(model, tokenizer, ends=ENDS, max_tokens=9)
    found = writer.samples(PROMPTS, 4, nucleus=nucleus, temperature=0.8, seed=1)
    for prompt, tails in zip(PROMPTS, found, strict=True):
        assert len({tail.text for tail in tails}) == len(tails) <= (1 if nucleus < 0.1 else 4)
        for tail in tails:
            tokens = summed(model, ids(tokenizer, prompt), [*tail.tokens])[0]
            assert tokens == [*tail.tokens]
            if not tail.ended:
                assert tail.logprob == pytest.approx(summed(model, ids(tokenizer, prompt), tokens)[1], abs=1e-4)
    assert sum(map(len, found)) > 0.7 * len(found) * (1 if nucleus < 0.1 else 4)
    if nucleus < 0.1:
        assert [tails[0].tokens for tails in found if tails] == [
            one.tokens for one in writer.greedy(PROMPTS) if one.text
        ]


def test_samples_follow_from_seed_and_prompt_alone(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(model, tokenizer, ends=ENDS, max_tokens=9)
    whole = writer.samples(PROMPTS, 3, seed=5)
    monkeypatch.setattr(generation, "_LEAVES", 4)
    assert [[tail.text for tail in tails] for tails in writer.samples(PROMPTS[::-1], 3, seed=5)[::-1]] == [
        [tail.text for tail in tails] for tails in whole
    ]
    assert writer.samples(PROMPTS, 3, seed=6) != whole


def test_samples_come_as_often_as_they_are_likely(model: Any, tokenizer: Any) -> None:
    prompt = torch.tensor([ids(tokenizer, PROMPTS[0])])
    with torch.inference_mode():
        shares = (model(prompt).logits[0, -1].log_softmax(-1) / 0.5).softmax(-1)
    best, places = shares.topk(3)
    writer = Writer(model, tokenizer, ends=[], max_tokens=1)
    count = 400
    drawn = [
        tails[0].tokens[0]
        for seed in range(count // 20)
        for tails in writer.samples([PROMPTS[0]] * 1, 1, nucleus=1.0, temperature=0.5, seed=seed)
    ]
    assert len(drawn) == 20
    scores = model(prompt).logits[0, -1].log_softmax(-1).expand(count, -1)
    chances = [(number + 0.5) / count for number in range(count)]
    tokens = drawing.draw(scores, 0.5, 1.0, chances)
    for likely in (1, 2, 16):
        assert torch.equal(drawing.draw(scores, 0.5, 1.0, chances, likely), tokens)
    for share, place in zip(best.tolist(), places.tolist(), strict=True):
        assert int((tokens == place).sum()) / count == pytest.approx(share, abs=1 / count)
    half = drawing.draw(scores, 0.5, float(best[:2].sum()) - 1e-6, chances)
    assert set(half.tolist()) == set(places[:2].tolist())


@pytest.mark.parametrize("kind", [tiny.gemma3, tiny.llama])
def test_examples_are_read_once_and_tails_are_those_of_the_whole_prompts(
    kind: Callable[..., Any], tokenizer: Any
) -> None:
    model = kind(vocab_size=len(tokenizer))
    writer = Writer(model, tokenizer, ends=ENDS, max_tokens=9, examples=EXAMPLES)
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda _m, inputs, _o: read.append(inputs[0].numel()))
    greedy, beams = writer.greedy(PROMPTS), writer.beams(PROMPTS, 3)
    hook.remove()
    examples = ids(tokenizer, EXAMPLES)
    assert read[0] == len(examples)
    assert sum(read) < len(examples) * len(PROMPTS)
    for prompt, tail, tails in zip(PROMPTS, greedy, beams, strict=True):
        whole = examples + tokenizer(prompt, add_special_tokens=False)["input_ids"]
        check(tokenizer, [tail] if tail.text else [], generate(model, whole))
        check(tokenizer, tails, generate(model, whole, num_beams=3, num_return_sequences=3))


def test_few_leaves_give_the_same_beams(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(model, tokenizer, ends=ENDS, max_tokens=9)
    whole = writer.beams(PROMPTS, 3)
    monkeypatch.setattr(generation, "_LEAVES", 2)
    for one, other in zip(whole, writer.beams(PROMPTS, 3), strict=True):
        assert [tail.tokens for tail in one] == [tail.tokens for tail in other]


def test_what_is_over_leaves_the_passes(model: Any, tokenizer: Any) -> None:
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda _m, inputs, _o: read.append(inputs[0].numel()))
    found = Writer(model, tokenizer, ends=ENDS, max_tokens=9).greedy(PROMPTS)
    hook.remove()
    assert sum(read[1:]) == sum(len(tail.tokens) - (not tail.ended) for tail in found)


def test_no_prompts_no_tails_and_no_beams_no_search(model: Any, tokenizer: Any) -> None:
    writer = Writer(model, tokenizer)
    assert writer.greedy([]) == writer.beams([], 3) == writer.samples([], 3) == []
    with pytest.raises(ValueError, match="at least one beam"):
        writer.beams(PROMPTS, 0)
    with pytest.raises(ValueError, match="at least 6 tokens"):
        Writer(model, tokenizer, allowed=[300, 301]).beams(PROMPTS, 3)


@pytest.mark.parametrize("columns", [3, 64, 700, 5000])
def test_the_largest_numbers_are_found(columns: int) -> None:
    scores = torch.randn(5, columns, generator=torch.Generator().manual_seed(columns))
    values, places = drawing.largest(scores, 3)
    expected = scores.topk(3)
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)


def test_places_stay_inside_where_nearly_all_is_barred() -> None:
    scores = torch.full((1, 700), -torch.inf)
    scores[0, 5] = 0.0
    values, places = drawing.largest(scores, 3)
    assert places[0, 0] == 5
    assert places.max() < 700
    assert values[0].tolist() == [0.0, -torch.inf, -torch.inf]
