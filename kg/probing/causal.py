"""A causal model before a blank: the probability of the whole sentence with each candidate, or of the next tokens.

The probability of a whole sentence, P(before, tail, after), is LAMA's question put to a model that reads from the
left: what stands after the blank counts, too. Sentences of a cloze differ from the blank on, so the beginning is read
once (`kg.language_model.packing`). A candidate cannot be likelier than its first token; where that alone is less
likely than the right tail with all that follows, the candidate's rank is below and nothing more of it is read. Ranks
are those of the plain computation.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from more_itertools import chunked

from kg.errors import InputError
from kg.language_model.packing import Sequence_, head_logits, pack
from kg.language_model.scoring import logprobs, tokens
from kg.probing.ranks import Array
from kg.probing.wording import Blank
from kg.threads import adapt

_ROWS = 16  # clozes whose first tokens are foretold at once, each a row of logits as wide as the vocabulary
_SLACK = 1e-3  # by which a bound may be off, computed in another order


class CausalProbe:
    """Asks one causal model.

    Attributes:
        candidates: the tails that are compared, each once.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        candidates: Sequence[str],
        *,
        next_only: bool = False,
    ) -> None:
        """Choose what is asked.

        Args:
            model: a causal language model of `transformers`, in evaluation mode.
            tokenizer: its tokenizer.
            candidates: tails, each once.
            next_only: whether a candidate's own tokens count alone, without what stands after the blank: cheap for very
                many candidates, as those of one token are all foretold at once.
        """
        self.candidates = list(candidates)
        self._model = model
        self._tokenizer = tokenizer
        self._next_only = next_only

    def scores(self, blanks: Sequence[Blank], tails: Sequence[str] | None = None) -> Iterator[Array]:
        """Yield, for each sentence, the log-probability of each candidate.

        What the sentences of a blank begin with is left out of it: it is the same for all candidates.

        Args:
            blanks: the sentences.
            tails: the right ones, candidates; if they are given, what is surely below them may be minus infinity.
        """
        for some in chunked(range(len(blanks)), _ROWS):
            rows = [self._sequences(blanks[one]) for one in some]
            if self._next_only:
                yield from self._following(rows)
            elif tails is None:
                yield from self._all(rows)
            else:
                yield from self._bounded(rows, [self.candidates.index(tails[one]) for one in some])

    def _following(self, rows: Sequence[Sequence[Sequence_]]) -> list[Array]:
        found = self._bounds(rows)
        longer = [(row, place) for row, own in enumerate(rows) for place, one in enumerate(own) if len(one[1]) > 1]
        exact = logprobs(self._model, [rows[row][place] for row, place in longer])
        for (row, place), value in zip(longer, exact, strict=True):
            found[row][place] = value
        return found

    def _all(self, rows: Sequence[Sequence[Sequence_]]) -> list[Array]:
        found = iter(logprobs(self._model, [one for row in rows for one in row]))
        return [np.array([next(found) for _ in row]) for row in rows]

    def _bounded(self, rows: Sequence[Sequence[Sequence_]], right: Sequence[int]) -> list[Array]:
        """Return exact values of the right candidate and of all that could be as likely; of others minus infinity."""
        bounds = self._bounds(rows)
        exact = logprobs(self._model, [row[place] for row, place in zip(rows, right, strict=True)])
        wanted = [
            (number, place)
            for number, (bound, value) in enumerate(zip(bounds, exact, strict=True))
            for place in np.flatnonzero(bound >= value - _SLACK).tolist()
            if place != right[number]
        ]
        values = logprobs(self._model, [rows[number][place] for number, place in wanted]) if wanted else []
        found = [np.full(len(row), -np.inf) for row in rows]
        for number, (place, value) in enumerate(zip(right, exact, strict=True)):
            found[number][place] = value
        for (number, place), value in zip(wanted, values, strict=True):
            found[number][place] = value
        return found

    def _bounds(self, rows: Sequence[Sequence[Sequence_]]) -> list[Array]:
        """Return the log-probability of the first token in which each sentence differs from the others of its row."""
        packed = pack([(row[0][0], row[0][1][:1]) for row in rows]).to(self._model.device)
        adapt()
        with torch.inference_mode():
            logits = head_logits(self._model, packed).double().log_softmax(-1)[packed.sources]  # (rows, V)
        firsts = [torch.tensor([tail[0] for _, tail in row], device=logits.device) for row in rows]
        return [one[first].cpu().numpy() for one, first in zip(logits, firsts, strict=True)]

    def _sequences(self, blank: Blank) -> list[Sequence_]:
        """Return the tokens that all sentences of a cloze begin with, and the rest of each, one token at least."""
        blank = Blank(blank.before, "") if self._next_only else blank
        cut = tokens(self._tokenizer, [blank.fill(tail) for tail in self.candidates])
        if cut[0][:1] != (first := self._beginning(),):
            cut = [(first, *one) for one in cut]
        shortest = min(map(len, cut))
        same = max(
            1, sum(1 for _ in takewhile(lambda place: len({one[place] for one in cut}) == 1, range(shortest - 1)))
        )
        return [(one[:same], one[same:]) for one in cut]

    def _beginning(self) -> int:
        """Return the token that stands before a text."""
        found = self._tokenizer.bos_token_id
        if found is None and (found := self._tokenizer.eos_token_id) is None:
            raise InputError("the model's tokenizer has no token to begin a text with")
        return int(found)
