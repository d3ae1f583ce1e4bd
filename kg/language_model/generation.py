"""Tails that a language model writes behind prompts: the likeliest, beams, or samples.

All prompts of a call grow in one tree (`tree`), so that what they share is read once. A search that is over leaves the
tree at once, and other prompts take its place, so that every pass of the model is about as large. Beams follow
`transformers`' `generate` to the letter, its length penalty and its early stopping included; only products are summed
in another order, so that a tie may fall the other way.

With `examples`, one and the same text stands before all prompts (a base model that is shown how it is done): it is read
once, and its keys and values serve every prompt. Where a prompt is cut into examples and rest changes no sample.
"""

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kg.language_model.drawing import draw, largest
from kg.language_model.scoring import tokens
from kg.language_model.tree import Tree, Trunk, cut_head
from kg.threads import adapt

MAX_TOKENS = 48  # of a tail, with its end
_LEAVES = 64  # tokens of one pass: half as many are a tenth slower on a CPU, more gain little
_ATTEMPTS = 4  # to draw as many different tails as are asked for


class Tail(NamedTuple):
    """A tail that was written.

    Attributes:
        text: without the space before it.
        logprob: summed log-probability of its tokens, of the end, too, if it ended.
        tokens: without the end.
        ended: whether one of the ends stands behind it.
        logprobs: of each token, and of the end.
    """

    text: str
    logprob: float
    tokens: tuple[int, ...]
    ended: bool
    logprobs: tuple[float, ...]


@dataclass
class _Growing:
    """A tail that still grows.

    Attributes:
        tokens: those it has.
        logprob: their sum.
        logprobs: of each of them.
        leaf: from which its next token goes on.
        draw: number of a sample.
        chance: its random numbers.
    """

    tokens: tuple[int, ...] = ()
    logprob: float = 0.0
    logprobs: tuple[float, ...] = ()
    leaf: int = 0
    draw: int = 0
    chance: random.Random | None = None


class _Whole(NamedTuple):
    """A tail that is over: the value by which it is ordered, its tokens with its end, their log-probabilities."""

    value: float
    tokens: tuple[int, ...]
    logprob: float
    logprobs: tuple[float, ...]


@dataclass
class _Search:
    """What grows behind one prompt, and what is whole."""

    prompt: tuple[int, ...]
    growing: list[_Growing] = field(default_factory=lambda: [_Growing()])
    whole: list[_Whole] = field(default_factory=list)


Prompt = str | Sequence[int]
"""A text, or its tokens."""

_Step = Callable[[Sequence[_Search], Tensor, int], None]
"""Goes on with searches by one token: takes what follows their leaves, (rows, tokens), and the first row's leaf."""


class Writer:
    """Writes tails with one model as it is now, one set of ends and limits, and one text before all prompts."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        ends: Collection[int] | None = None,
        max_tokens: int = MAX_TOKENS,
        suppressed: Collection[int] = (),
        allowed: Iterable[int] | None = None,
        examples: Prompt = "",
        is_enough: Callable[[tuple[int, ...]], bool] = lambda _: False,
    ) -> None:
        """Choose what tails may be.

        Args:
            model: a causal language model of `transformers`, in evaluation mode.
            tokenizer: its tokenizer.
            ends: tokens that end a tail; None is the tokenizer's own.
            max_tokens: of a tail, with its end.
            suppressed: tokens that are never written, though they keep their probability.
            allowed: the only tokens that may be written beside the ends: probabilities are theirs alone, and the head
                is computed for them alone.
            examples: before every prompt. Prompts are cut into tokens by themselves, so let a text end with a line.
            is_enough: whether a tail of these tokens is over, though no end stands behind it.
        """
        self._model = model
        self._tokenizer = tokenizer
        self._ends = frozenset([tokenizer.eos_token_id] if ends is None else ends)
        self._max_tokens = max_tokens
        self._suppressed = frozenset(suppressed)
        self._allowed = None if allowed is None else {*allowed, *self._ends}
        self._examples = examples
        self._is_enough = is_enough
        self._names: list[int] | None = None  # of the tokens that the head foretells now; None is all

    def greedy(self, prompts: Sequence[Prompt]) -> list[Tail]:
        """Return the tail behind each prompt whose every token is the likeliest."""

        def step(searches: Sequence[_Search], scores: Tensor, first: int) -> None:
            best, tokens = scores.max(-1)
            for search in searches:
                row = search.growing[0].leaf - first
                self._append(search, [(search.growing[0], int(tokens[row]), float(best[row]))])

        searches = [_Search(ids) for ids in self._prompts(prompts)]
        self._drive(searches, 1, step)
        return [self._tail(search.whole[0]) for search in searches]

    def beams(
        self, prompts: Sequence[Prompt], width: int, *, length_penalty: float = 1.0, early_stopping: bool = False
    ) -> list[list[Tail]]:
        """Return up to `width` tails behind each prompt, found by beam search, best first, no text twice.

        Args:
            prompts: texts, or their tokens.
            width: number of beams.
            length_penalty: beams are compared by their log-probability over their length to this power.
            early_stopping: stop when `width` beams have ended; else when no growing one is better by its present value
                than the worst of these. Both as in `generate`.
        """
        if width < 1:
            raise ValueError("a beam search has at least one beam")

        def step(searches: Sequence[_Search], scores: Tensor, _first: int) -> None:
            each, tokens = len(searches[0].growing), scores.shape[1]
            totals = torch.tensor([[one.logprob for one in search.growing] for search in searches])
            sums = (scores.view(len(searches), each, tokens) + totals[..., None].to(scores)).flatten(1)
            candidates = max(2, 1 + len(self._ends)) * width
            if tokens < candidates:
                raise ValueError(f"{width} beams have to choose among at least {candidates} tokens")
            best, places = largest(sums, candidates)
            for search, values, found in zip(searches, best.tolist(), places.tolist(), strict=True):
                grown = [
                    self._grown(parent, place % tokens, value - parent.logprob, value)
                    for value, place in zip(values, found, strict=True)
                    for parent in (search.growing[place // tokens],)
                ]
                self._choose(search, grown, width, length_penalty, early_stopping=early_stopping)

        searches = [_Search(ids) for ids in self._prompts(prompts)]
        self._drive(searches, width, step)
        return [self._distinct(search.whole) for search in searches]

    def samples(
        self,
        prompts: Sequence[Prompt],
        count: int,
        *,
        nucleus: float = 0.9,
        temperature: float = 1.0,
        seed: int = 0,
        distinct: bool = True,
    ) -> list[list[Tail]]:
        """Return up to `count` tails behind each prompt, drawn at random, in the order of their draws.

        What is drawn behind a prompt follows from the seed and the prompt, not from the prompts beside it.

        Args:
            prompts: texts, or their tokens.
            count: of tails.
            nucleus: draw from the likeliest tokens that together have this probability (Holtzman et al. 2020).
            temperature: of the softmax that is drawn from; log-probabilities are those of temperature 1.
            seed: of the draws.
            distinct: draws that repeat an earlier one, or are blank, are drawn again, up to four times, and are left
                out at last; otherwise all draws are returned as they come.
        """

        def step(searches: Sequence[_Search], scores: Tensor, first: int) -> None:
            growing = [one for search in searches for one in search.growing]
            own = scores[[one.leaf - first for one in growing]]
            tokens = draw(own, temperature, nucleus, [one.chance.random() for one in growing if one.chance])
            logprobs = own.gather(1, tokens[:, None]).squeeze(1).tolist()
            drawn = iter(zip(growing, tokens.tolist(), logprobs, strict=True))
            for search in searches:
                self._append(search, list(islice(drawn, len(search.growing))))

        ids = self._prompts(prompts)
        whole: list[list[_Whole]] = [[] for _ in prompts]
        found: list[list[Tail]] = [[] for _ in prompts]
        for attempt in range(_ATTEMPTS if distinct else 1):
            searches = {}
            for number, tails in enumerate(found):
                if lacking := count - len(tails):
                    named = (*self._before, *ids[number])
                    chances = [random.Random(f"{seed} {attempt} {draw} {named}") for draw in range(lacking)]  # noqa: S311
                    growing = [_Growing(draw=draw, chance=chance) for draw, chance in enumerate(chances)]
                    searches[number] = _Search(ids[number], growing)
            self._drive(list(searches.values()), count, step)
            for number, search in searches.items():
                whole[number] += sorted(search.whole)
                found[number] = (
                    self._distinct(whole[number]) if distinct else [self._tail(one) for one in whole[number]]
                )
        return found

    def _drive(self, searches: Sequence[_Search], width: int, step: _Step) -> None:
        """Carry searches, each of at most `width` growing tails, to their ends."""
        with torch.inference_mode(), cut_head(self._model, self._allowed) as self._names:
            waiting = deque(sorted(searches, key=lambda search: search.prompt))  # alike ones together
            tree, active = Tree(self._model, self._trunk), list[_Search]()
            while waiting or active:
                adapt()
                room = _LEAVES - sum(len(search.growing) for search in active)
                if waiting and 2 * room >= _LEAVES:
                    first = tree.leaves
                    planted = [waiting.popleft() for _ in range(min(len(waiting), max(1, room // width)))]
                    logits = tree.plant([search.prompt for search in planted])
                    for leaf, search in enumerate(planted, first):
                        for one in search.growing:
                            one.leaf = leaf
                    step(planted, self._logprobs(logits), first)
                    active += planted
                else:
                    growing = [one for search in active for one in search.growing]
                    logits = tree.grow([one.leaf for one in growing], [one.tokens[-1] for one in growing])
                    for leaf, one in enumerate(growing):
                        one.leaf = leaf
                    step(active, self._logprobs(logits), 0)
                active = [search for search in active if search.growing]

    def _logprobs(self, logits: Tensor) -> Tensor:
        """Return log-probabilities, of suppressed tokens minus infinity."""
        scores = logits.log_softmax(-1)
        if self._suppressed:
            scores[:, self._barred()] = -torch.inf
        return scores

    def _barred(self) -> list[int]:
        """Return the places of suppressed tokens in what the head foretells."""
        if self._names is None:
            return sorted(self._suppressed)
        return [place for place, name in enumerate(self._names) if name in self._suppressed]

    def _append(self, search: _Search, chosen: Sequence[tuple[_Growing, int, float]]) -> None:
        """Put a token and its log-probability behind each growing tail of a search, for better or worse."""
        search.growing = []
        for one, place, logprob in chosen:
            grown = self._grown(one, place, logprob, one.logprob + logprob)
            if self._is_over(grown):
                search.whole.append(_Whole(grown.draw, grown.tokens, grown.logprob, grown.logprobs))
            else:
                search.growing.append(grown)

    def _choose(
        self, search: _Search, grown: Sequence[_Growing], width: int, penalty: float, *, early_stopping: bool
    ) -> None:
        """Choose the beams of a search from candidates, best first: those that are over, and those that grow on."""
        length = len(grown[0].tokens) ** penalty
        over = [one for one in grown[:width] if self._is_over(one)]
        search.whole += [_Whole(one.logprob / length, one.tokens, one.logprob, one.logprobs) for one in over]
        search.whole = sorted(search.whole, key=lambda one: -one.value)[:width]
        search.growing = [one for one in grown if not self._is_over(one)][:width]
        if search.growing and len(search.whole) == width:
            best = search.growing[0].logprob / length
            if early_stopping or best <= search.whole[-1].value:
                search.growing = []

    def _is_over(self, one: _Growing) -> bool:
        return one.tokens[-1] in self._ends or len(one.tokens) == self._max_tokens or self._is_enough(one.tokens)

    def _grown(self, one: _Growing, place: int, logprob: float, total: float) -> _Growing:
        """Return a tail with one more token, by its place in what the head foretells, its log-probability, the sum."""
        tokens, logprobs = (*one.tokens, self._named(place)), (*one.logprobs, logprob)
        return replace(one, tokens=tokens, logprob=total, logprobs=logprobs)

    def _named(self, place: int) -> int:
        """Return the token of a place in what the head foretells."""
        return place if self._names is None else self._names[place]

    def _distinct(self, whole: Iterable[_Whole]) -> list[Tail]:
        found: dict[str, Tail] = {}
        for tail in map(self._tail, whole):
            if tail.text:
                found.setdefault(tail.text, tail)
        return list(found.values())

    def _tail(self, whole: _Whole) -> Tail:
        ended = whole.tokens[-1] in self._ends
        tokens = whole.tokens[:-1] if ended else whole.tokens
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Tail(text.strip(), whole.logprob, tokens, ended, whole.logprobs)

    def _prompts(self, prompts: Sequence[Prompt]) -> list[tuple[int, ...]]:
        texts = [prompt for prompt in prompts if isinstance(prompt, str)]
        cut = iter(tokens(self._tokenizer, texts, special=not self._examples) if texts else [])
        return [next(cut) if isinstance(prompt, str) else tuple(prompt) for prompt in prompts]

    @cached_property
    def _before(self) -> tuple[int, ...]:
        """The tokens of the examples."""
        examples = self._examples
        return tokens(self._tokenizer, [examples])[0] if isinstance(examples, str) and examples else tuple(examples)  # type: ignore[arg-type]

    @cached_property
    def _trunk(self) -> Trunk:
        if not self._examples:
            return []
        tree = Tree(self._model)
        tree.plant([self._before])
        return tree.trunk()
