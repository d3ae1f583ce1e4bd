"""In which numbers a language model computes fastest without overflowing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_OVERFLOWING = ("gemma", "t5", "mt5", "umt5", "longt5")  # beginnings of model types whose activations pass 65,504


def fast_dtype() -> "torch.dtype":
    """Return bfloat16 where the GPU or the CPU has units for it, else float32.

    With such units a training step is two to four times as fast and its loss the same to three digits; without them it
    is up to 40 times slower.
    """
    return dtype_on(*_here())


def training_dtype(model_type: str) -> "torch.dtype":
    """Return the numbers that a model is trained in here, where losses are scaled if these are float16."""
    return dtype_on(*_here(), model_type=model_type)


def dtype_on(device: str, has_bfloat16: bool, *, model_type: str | None = None) -> "torch.dtype":
    """Return the fastest numbers of a device.

    Args:
        device: cpu, or cuda for a GPU.
        has_bfloat16: whether it has units for that.
        model_type: of a model that is trained with a scaled loss, so that a GPU may compute in float16, which has small
            gradients vanish otherwise; None where nothing is scaled.

    >>> dtype_on("cuda", False, model_type="gpt2"), dtype_on("cuda", False, model_type="gemma3_text")
    (torch.float16, torch.float32)
    """
    import torch  # noqa: PLC0415 - takes seconds

    if has_bfloat16:
        return torch.bfloat16
    scaled = device == "cuda" and model_type is not None and not model_type.startswith(_OVERFLOWING)
    return torch.float16 if scaled else torch.float32


def _here() -> tuple[str, bool]:
    """Return this process's device, and whether it has units for bfloat16."""
    import torch  # noqa: PLC0415 - takes seconds

    if torch.cuda.is_available():
        return "cuda", torch.cuda.is_bf16_supported(including_emulation=False)
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # of recent releases
    return "cpu", bool(found.get("avx512_bf16") or found.get("amx_bf16"))
