"""In which numbers a model computes on which device."""

import pytest
import torch

from kg.language_model import precision
from kg.language_model.precision import dtype_on

HALF, WHOLE, BRAIN = torch.float16, torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("device", "has_bfloat16", "model_type", "expected"),
    [
        ("cuda", True, None, BRAIN),
        ("cuda", True, "gpt2", BRAIN),
        ("cuda", True, "gemma3_text", BRAIN),
        ("cuda", False, None, WHOLE),  # nothing is scaled
        ("cuda", False, "gpt2", HALF),
        ("cuda", False, "llama", HALF),
        ("cuda", False, "gemma3_text", WHOLE),  # its activations overflow, whatever the loss is scaled by
        ("cuda", False, "gemma", WHOLE),
        ("cuda", False, "t5", WHOLE),
        ("cuda", False, "mt5", WHOLE),
        ("cuda", False, "bart", HALF),
        ("cpu", True, None, BRAIN),
        ("cpu", True, "gpt2", BRAIN),
        ("cpu", False, None, WHOLE),
        ("cpu", False, "gpt2", WHOLE),  # no CPU has units for float16 alone
    ],
)
def test_a_device_computes_in_the_fastest_numbers_that_do_not_overflow(
    device: str, has_bfloat16: bool, model_type: str | None, expected: torch.dtype
) -> None:
    assert dtype_on(device, has_bfloat16, model_type=model_type) == expected


@pytest.mark.parametrize(("gpu", "brain"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_device_of_this_process_is_the_gpu_where_there_is_one(
    gpu: bool, brain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: brain and not including_emulation
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": brain})
    assert precision.fast_dtype() == (BRAIN if brain else WHOLE)
    assert precision.training_dtype("gpt2") == (BRAIN if brain else HALF if gpu else WHOLE)
