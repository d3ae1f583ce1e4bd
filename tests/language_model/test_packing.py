import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from kg.errors import InputError
from kg.language_model.packing import batches, losses, pack, packs, sums, tail_loss
from tests.language_model import tiny

Sequences = list[tuple[list[int], list[int]]]


def events(count: int, relations: int, tails: int, seed: int = 0, longest: int = 9) -> Sequences:
    """Sequences as an event, its relations and their tails make them, in no order."""
    rng = random.Random(seed)

    def some(most: int) -> list[int]:
        return [rng.randrange(5, tiny.VOCABULARY) for _ in range(rng.randint(1, most))]

    phrases = [some(5) for _ in range(relations)]
    made = []
    for _, phrase in product(range(count), phrases):
        event = some(longest) if phrase is phrases[0] else event  # noqa: F821 - of the round before
        made += [([2, *event, *phrase], [*some(6), 1]) for _ in range(tails)]
    rng.shuffle(made)
    return made


def plain(model: Any, sequences: Sequences) -> list[torch.Tensor]:
    """Negative log-likelihoods of the tails, one row at a time, without any mask."""
    found = []
    for given, tail in sequences:
        logits = model(input_ids=torch.tensor([[*given, *tail]]), use_cache=False).logits[0]
        chosen = logits.float().log_softmax(-1)[len(given) - 1 : -1]
        found.append(-chosen[range(len(tail)), tail])
    return found


@pytest.mark.parametrize("kind", tiny.KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 8), (5, 3, 4), (9, 1, 2)])
def test_packed_losses_and_gradients_are_the_plain_ones(kind: Callable[[], Any], shape: tuple[int, int, int]) -> None:
    model, sequences = kind(), events(*shape)
    for row_tokens in (40, 10_000):
        packed = pack(sequences, row_tokens)
        expected = plain(model, sequences)
        each = losses(model, packed)
        assert torch.allclose(each, torch.cat(expected), atol=1e-5)
        assert torch.allclose(sums(packed, each), torch.stack([one.sum() for one in expected]), atol=1e-5)
        for by_triple, mean in (
            (False, torch.cat(expected).mean()),
            (True, torch.stack([one.mean() for one in expected]).mean()),
        ):
            loss = tail_loss(model, packed, by_triple=by_triple)
            assert abs(loss - mean) < 1e-5
            weights = list(model.parameters())
            theirs = torch.autograd.grad(mean, weights, allow_unused=True, retain_graph=True)
            ours = torch.autograd.grad(loss, weights, allow_unused=True)
            for one, other in zip(ours, theirs, strict=True):
                assert (one is None) == (other is None)
                assert one is None or torch.allclose(one, other, atol=1e-5)


def test_what_sequences_begin_with_is_read_once() -> None:
    packed = pack([([2, 5, 6], [7, 8, 1]), ([2, 5, 6], [7, 9, 1]), ([2, 5, 9], [7, 1]), ([2, 5, 6], [7, 8, 1])])
    assert sorted(packed.tokens[0].tolist()) == [2, 5, 6, 7, 7, 8, 9, 9]
    assert len(packed.heads) == 6
    assert packed.targets.tolist() == [7, 8, 1, 7, 9, 1, 7, 1, 7, 8, 1]
    assert packed.owners.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def test_the_head_sees_only_places_of_tails() -> None:
    model, sequences = tiny.gemma3(), events(3, 2, 3)
    packed = pack(sequences)
    rows: list[int] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _m, _i, made: rows.append(made.shape[1]))
    losses(model, packed)
    hook.remove()
    assert rows == [len(packed.heads)]
    assert rows[0] <= sum(len(tail) for _, tail in sequences) < packed.tokens.numel()
    assert model(input_ids=torch.tensor([[2, 5, 6]])).logits.shape[1] == 3  # as before


def test_rows_are_nearly_full_and_of_one_length() -> None:
    sequences = events(40, 7, 8, longest=12)
    packed = pack(sequences, 256)
    used = int((packed.visible.sum(2) > 1).sum()) + len(packed.tokens)  # all but roots see more than themselves
    assert used >= 0.9 * packed.tokens.numel()
    assert 180 < packed.tokens.shape[1] < 300
    assert len(pack(sequences[:20], 10_000).tokens) == 1


def test_eager_attention_and_training_mode_are_packed_too() -> None:
    model, sequences = tiny.gemma3(), events(4, 3, 3)
    expected = torch.cat(plain(model, sequences))
    model.set_attn_implementation("eager")
    model.train()
    assert torch.allclose(losses(model, pack(sequences)), expected, atol=1e-5)


def test_a_tail_may_be_missing_and_nothing_given_may_not() -> None:
    packed = pack([([2, 5], []), ([2, 5], [6, 1])])
    assert packed.sequences == 2
    assert packed.owners.tolist() == [1, 1]
    assert packed.tokens.flatten()[packed.last].tolist() == [5, 6]
    for bad in ([], [([], [5])]):
        with pytest.raises(ValueError, match="at least one"):
            pack(bad)


def test_a_model_without_attention_is_refused() -> None:
    config = MambaConfig(vocab_size=tiny.VOCABULARY, hidden_size=16, num_hidden_layers=1, state_size=4)
    with pytest.raises(InputError, match="mamba model cannot read"):
        losses(MambaForCausalLM(config), pack([([2], [5])]))


def test_many_sequences_make_packs_of_bounded_size() -> None:
    sequences = events(30, 7, 4)
    seen: list[int] = []
    for packed, numbers in packs(sequences, 200, 64):
        assert packed.tokens.numel() <= 400
        assert packed.sequences == len(numbers)
        seen += numbers
    assert sorted(seen) == list(range(len(sequences)))


@pytest.mark.parametrize("relations", [1, 3, 7])
def test_an_epoch_has_every_tail_once_and_parts_no_pair(relations: int) -> None:
    sequences = [([2, event, relation], [tail, 1]) for event, relation, tail in product(range(9), range(7), range(4))]
    owners = [given[1] for given, _ in sequences]
    epoch = batches(sequences, owners, 14, relations, seed=3)
    assert sorted(number for batch in epoch for number in batch) == list(range(len(sequences)))
    for batch in epoch:
        pairs = [tuple(sequences[number][0]) for number in batch]
        assert len(set(pairs)) <= 14
        assert all(pairs.count(pair) == 4 for pair in pairs)
        if relations == 7:
            assert len({owners[number] for number in batch}) * 7 == len(set(pairs))
    assert epoch == batches(sequences, owners, 14, relations, seed=3) != batches(sequences, owners, 14, relations, 4)
