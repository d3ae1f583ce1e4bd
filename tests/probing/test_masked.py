from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kg.errors import InputError
from kg.probing import masked
from kg.probing.masked import MaskedProbe, is_masked, open_masked
from kg.probing.wording import Blank

TAILS = ["bus", "taxi", "late", "to call", "misses", "tired"]
BLANKS = [Blank("he misses the ", "."), Blank("", " is late."), Blank("the bus is the ", " to call a taxi, he said."),
          Blank("he said [MASK] to ", "."), Blank("the ", " is late to [MASK]?")]  # fmt: skip


@pytest.fixture(scope="module")
def opened(masked_folder: Path) -> tuple[Any, Any]:
    return open_masked(str(masked_folder))


def direct(model: Any, tokenizer: Any, blank: Blank) -> np.ndarray[Any, Any]:
    """One pass for each candidate."""
    found = []
    for tail in TAILS:
        own = tokenizer(tail, add_special_tokens=False)["input_ids"]
        masks = "[MASK]" * len(own)
        text = f"{blank.before.replace('[MASK]', '')}{masks}{blank.after.replace('[MASK]', masks)}"
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0].double().log_softmax(-1)
        places = (ids[0] == tokenizer.mask_token_id).nonzero().squeeze(1)[: len(own)]
        found.append(float(logits[places, torch.tensor(own)].mean()))
    return np.array(found)


@pytest.mark.parametrize("size", [2_048, 20])
def test_scores_are_those_of_one_pass_a_candidate(
    opened: tuple[Any, Any], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked, "_BATCH_TOKENS", size)
    for blank, own in zip(BLANKS, MaskedProbe(*opened, TAILS).scores(BLANKS, TAILS), strict=True):
        assert own == pytest.approx(direct(*opened, blank), abs=1e-5)


def test_a_candidate_without_tokens_is_refused_by_name(opened: tuple[Any, Any]) -> None:
    with pytest.raises(InputError, match="'猫' has no tokens"):
        MaskedProbe(*opened, ["bus", "猫"])


def test_models_are_told_apart_by_their_configuration(masked_folder: Path, causal_folder: Path) -> None:
    assert is_masked(str(masked_folder))
    assert not is_masked(str(causal_folder))
    with pytest.raises(InputError, match="no language model"):
        is_masked(str(masked_folder / "absent"))


def test_a_masked_model_without_a_weight_or_a_mask_is_refused(causal_folder: Path) -> None:
    with pytest.raises(InputError, match="masked language model"):
        open_masked(str(causal_folder))
