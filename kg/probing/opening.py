"""Opening what asks a model: a masked one by its configuration, any other as a causal one."""

from collections.abc import Sequence
from typing import Literal

from kg.errors import InputError
from kg.language_model.opening import DEFAULT, open_language_model
from kg.probing.candidates import find_candidates
from kg.probing.causal import CausalProbe
from kg.probing.corrections import Probe
from kg.probing.masked import MaskedProbe, is_masked, open_masked

Way = Literal["auto", "sentence", "next", "blank"]


def open_probe(model: str, candidates: str, tails: Sequence[str], way: Way) -> tuple[Probe, str]:
    """Return what asks a model, and the way in which it asks.

    Raises:
        InputError: the model or the candidates cannot be used, or the way is another kind of model's.
    """
    masked = model != DEFAULT and is_masked(model)
    if way != "auto" and masked != (way == "blank"):
        raise InputError(f"{model} is a {'masked' if masked else 'causal'} model, which cannot be asked by --way {way}")
    if masked:
        opened, tokenizer = open_masked(model)
        compared = find_candidates(candidates, tails, tokenizer)
        return MaskedProbe(opened, tokenizer, compared), "blank"
    causal = open_language_model(model, "causal language model")
    compared = find_candidates(candidates, tails, causal.tokenizer)
    used = "next" if way == "next" else "sentence"
    return CausalProbe(causal.model, causal.tokenizer, compared, next_only=used == "next"), used
