"""A masked model at a blank: the probability of each candidate's tokens where masks stand.

A candidate of several tokens is asked for with as many masks at once, and its score is the mean of their
log-probabilities, so that candidates of different lengths compare (as in the multilingual LAMA of Kassner et al. 2021).
With single tokens this is LAMA's own question.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from more_itertools import chunked

from kg.errors import InputError
from kg.language_model.packing import head_at
from kg.language_model.scoring import tokens
from kg.pretrained import open_model, open_tokenizer, without_bars
from kg.probing.ranks import Array
from kg.probing.wording import MASK, Blank
from kg.threads import adapt

PURPOSE = "masked language model"
_BATCH_TOKENS = 2_048  # places of one pass at most
_STREAM = 512  # clozes that are put in order of their length together


def is_masked(name: str) -> bool:
    """Tell by its configuration whether a model was trained to fill masks.

    Raises:
        InputError: there is no such model.
    """
    import transformers  # noqa: PLC0415 - takes seconds

    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"no language model {name[:200]}: {' '.join(str(error).split())[:200]}") from error
    return any(str(one).endswith("ForMaskedLM") for one in config.architectures or ())


def open_masked(name: str) -> tuple[Any, Any]:
    """Return a masked language model and its tokenizer, whole or not at all.

    Raises:
        InputError: there is none, weights are missing, or its tokenizer has no mask.
    """
    with without_bars():
        model = open_model("AutoModelForMaskedLM", name, PURPOSE, dtype=torch.float32)
        tokenizer = open_tokenizer(name, name)
    if tokenizer.mask_token_id is None:
        raise InputError(f"{name} is no {PURPOSE}: its tokenizer has no mask")
    return model, tokenizer


class MaskedProbe:
    """Asks one masked model.

    Attributes:
        candidates: the tails that are compared, each once.
    """

    def __init__(self, model: Any, tokenizer: Any, candidates: Sequence[str]) -> None:
        """Choose what is asked.

        Args:
            model: a masked language model of `transformers`, in evaluation mode.
            tokenizer: its tokenizer, which has a mask.
            candidates: tails, each once.
        """
        self.candidates = list(candidates)
        self._model = model
        self._tokenizer = tokenizer
        self._by_length = {spaced: self._tokens(spaced=spaced) for spaced in (True, False)}

    def scores(
        self,
        blanks: Sequence[Blank],
        tails: Sequence[str] | None = None,  # noqa: ARG002 - all candidates are foretold at once
    ) -> Iterator[Array]:
        """Yield, for each sentence, the mean log-probability of each candidate's tokens."""
        for some in chunked(blanks, _STREAM):
            yield from self._scores(some)

    def _scores(self, blanks: Sequence[Blank]) -> list[Array]:
        found = [np.full(len(self.candidates), -np.inf) for _ in blanks]
        asked: list[tuple[tuple[int, ...], int, int]] = []  # tokens with masks, the sentence, a candidate's tokens
        for number, blank in enumerate(blanks):
            lengths = list(self._by_length[_is_spaced(blank)])
            cut = self._tokenizer([self._with_masks(blank, length) for length in lengths])["input_ids"]
            asked += [(tuple(ids), number, length) for ids, length in zip(cut, lengths, strict=True)]
        asked.sort(key=lambda one: len(one[0]))
        size = max(1, _BATCH_TOKENS // max((len(ids) for ids, *_ in asked), default=1))
        for some in chunked(asked, size):
            for (_, number, length), logits in zip(some, self._at_masks([ids for ids, *_ in some]), strict=True):
                places, own = self._by_length[_is_spaced(blanks[number])][length]
                found[number][places] = logits[np.arange(length)[:, None], own].mean(0)
        return found

    def _with_masks(self, blank: Blank, length: int) -> str:
        """Return a sentence with masks in its blank, which comes again where the tail does; the first ones count."""
        mask = str(self._tokenizer.mask_token)
        first, *rest = (part.replace(mask, " ") for part in (blank.before, *blank.after.split(MASK)))
        return (mask * length).join([first, *rest])

    def _at_masks(self, rows: Sequence[Sequence[int]]) -> list[Array]:
        """Return the log-probabilities at the masks of each row: (masks, V) each."""
        longest, mask = max(map(len, rows)), self._tokenizer.mask_token_id
        ids = torch.full((len(rows), longest), self._tokenizer.pad_token_id or 0)
        seen = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            seen[number, : len(row)] = 1
        places = ((ids == mask) & seen.bool()).flatten().nonzero().squeeze(1)
        adapt()
        with torch.inference_mode(), head_at(self._model, places.to(self._model.device)):
            answer = self._model(input_ids=ids.to(self._model.device), attention_mask=seen.to(self._model.device))
        logits = answer.logits[0].double().log_softmax(-1).cpu().numpy()  # (masks of all rows, V)
        return np.split(logits, np.cumsum([row.count(mask) for row in rows])[:-1])

    def _tokens(self, *, spaced: bool) -> dict[int, tuple[Array, Array]]:
        """Return, for each number of tokens, the places of its candidates, and their tokens: (tokens, candidates)."""
        found = tokens(self._tokenizer, [" " * spaced + one for one in self.candidates], special=False)
        places: defaultdict[int, list[int]] = defaultdict(list)
        for place, cut in enumerate(found):
            if not cut or self._tokenizer.unk_token_id in cut:
                raise InputError(f"candidate {self.candidates[place][:80]!r} has no tokens of this model")
            places[len(cut)].append(place)
        return {length: (np.array(own), np.array([found[place] for place in own]).T) for length, own in places.items()}


def _is_spaced(blank: Blank) -> bool:
    return blank.before.endswith(" ")
