"""Texts that a base model writes behind few-shot prompts; what the prompts begin with, its examples, is read once.

The common beginning of prompts is found in their tokens and ends with a line; its keys and values stay for the prompts
that come later. Every text is what the model would draw behind the whole prompt, in float32: with bfloat16, twice as
fast where there are units for it, what is drawn behind a prompt would depend on the prompts beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from ingest.cleaning import Completion
from ingest.thinking import without_thinking
from kg.errors import InputError, RefusedReply, TeacherError
from kg.language_model.generation import Tail, Writer
from kg.language_model.opening import open_language_model
from kg.language_model.scoring import tokens
from kg.language_model.tree import Tree

_BEGINNINGS = 32  # that stay: one for each relation, and the model's keys and values of some hundred tokens for each
_SHORTEST_BEGINNING = 16  # tokens; to read fewer again costs nothing
_MOST_TOKENS = 8_192  # of a prompt with what follows, whatever the model could read: masks grow with the square
_PROBE_ERROR = 1e-3  # of the largest logit

Tokens = tuple[int, ...]


class Settings(NamedTuple):
    """How texts are drawn, and where they end.

    Attributes:
        temperature: 0 takes the likeliest token.
        nucleus: draw from the likeliest tokens that together have this probability.
        max_tokens: of a text.
        stops: texts before which a text ends.
    """

    temperature: float
    nucleus: float
    max_tokens: int
    stops: tuple[str, ...]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Settings":
        """Return the settings in the body of a request."""
        stop = body.get("stop") or ()
        stops = [stop] if isinstance(stop, str) else stop
        return cls(body.get("temperature", 1.0), body.get("top_p", 1.0), body["max_tokens"], tuple(filter(None, stops)))


class Written(NamedTuple):
    """What was written behind one prompt: the texts, the prompt's tokens, and those of all texts."""

    completions: tuple[Completion, ...]
    prompt_tokens: int
    completion_tokens: int


class FewShotWriter:
    """A causal language model, opened, with the beginnings of prompts that it has read."""

    def __init__(self, name: str, *, check: Callable[[], object] = lambda: None) -> None:
        """Open a model.

        Args:
            name: as `open_language_model` takes it.
            check: called before each token of each text; what it raises ends the writing.

        Raises:
            TeacherError: the model cannot be loaded, or cannot read prompts whose beginning is shared.
            NotReady: the model that comes with pip is not installed.
        """
        try:
            opened = open_language_model(name, "teacher")
            self._model, self._tokenizer = opened.model, opened.tokenizer
            if torch.cuda.is_available():
                self._model.to("cuda")
            _check_sharing(self._model, name)
        except (InputError, OSError, ValueError, KeyError) as error:
            raise TeacherError(f"cannot load the model {name}: {' '.join(str(error).split())[:300]}") from error
        self._name = name
        self._check = check
        self._writers: dict[tuple[Tokens, Settings], Writer] = {}
        self._before: dict[str, Tokens] = {}  # the last prompt of each kind
        positions = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._room = min(positions or _MOST_TOKENS, _MOST_TOKENS)

    def write(
        self, prompts: Sequence[str], count: int, settings: Settings, *, kind: str = "", seed: int = 0
    ) -> list[Written | RefusedReply]:
        """Return `count` texts behind each prompt, or why there are none.

        Args:
            prompts: the texts to go on from.
            count: of texts behind each; they may be equal.
            settings: of the draws.
            kind: the same for prompts that are likely to begin alike.
            seed: of the draws.
        """
        whole = tokens(self._tokenizer, prompts)
        refusals = [self._refusal(len(one), settings.max_tokens) for one in whole]
        accepted = [one for one, refusal in zip(whole, refusals, strict=True) if not refusal]
        tails: dict[Tokens, list[Tail]] = {}
        for beginning, members in self._by_beginning(accepted, settings, kind).items():
            writer = self._writer(beginning, settings)
            found = writer.samples(
                [one[len(beginning) :] for one in members], count if settings.temperature else 1,
                nucleus=settings.nucleus if settings.temperature else 0.0, temperature=settings.temperature or 1.0,
                seed=seed, distinct=False,
            )  # fmt: skip
            tails |= zip(members, found, strict=True)
        return [
            refusal or self._written(one, tails, count, settings) for one, refusal in zip(whole, refusals, strict=True)
        ]

    def _written(self, prompt: Tokens, tails: Mapping[Tokens, list[Tail]], count: int, settings: Settings) -> Written:
        drawn = tails[prompt] * (count // len(tails[prompt]))  # the likeliest is found once
        return Written(
            tuple(self._completion(tail, settings) for tail in drawn), len(prompt),
            sum(len(tail.logprobs) for tail in drawn),
        )  # fmt: skip

    def _refusal(self, length: int, max_tokens: int) -> RefusedReply | None:
        if not length:
            return RefusedReply(f"{self._name} has nothing to go on from: the prompt is empty")
        if length + max_tokens > self._room:
            return RefusedReply(
                f"{self._name} reads {self._room:,} tokens here at most: the prompt has {length:,}, and {max_tokens:,} "
                "more may follow; shorten the prompt or max_tokens"
            )
        return None

    def _by_beginning(self, prompts: Sequence[Tokens], settings: Settings, kind: str) -> dict[Tokens, list[Tokens]]:
        """Return the different prompts by the beginning that each shares with another one, or with an earlier one."""
        earlier = self._before.get(kind)
        order = sorted({*prompts, *([earlier] if earlier else [])})
        shared = [0, *(_common(left, right) for left, right in pairwise(order)), 0]
        known = sorted((beginning for beginning, others in self._writers if others == settings), key=len)
        found: dict[Tokens, list[Tokens]] = {}
        for place, prompt in enumerate(order):
            if prompt == earlier and prompt not in prompts:
                continue
            beginning = self._to_line_end(prompt[: max(shared[place], shared[place + 1])], len(prompt) - 1)
            longer = [one for one in known if len(beginning) <= len(one) < len(prompt) and prompt[: len(one)] == one]
            found.setdefault(longer[-1] if longer else beginning, []).append(prompt)
        if prompts:
            self._before.pop(kind, None)
            self._before[kind] = prompts[-1]
            _keep_newest(self._before)
        return found

    def _to_line_end(self, beginning: Tokens, most: int) -> Tokens:
        """Return a beginning up to its last line end; empty where that is not worth it."""
        for length in range(min(len(beginning), most), _SHORTEST_BEGINNING - 1, -1):
            if self._tokenizer.decode([beginning[length - 1]]).endswith("\n"):
                return beginning[:length]
        return ()

    def _writer(self, beginning: Tokens, settings: Settings) -> Writer:
        writer = self._writers.pop((beginning, settings), None)
        self._writers[beginning, settings] = writer or Writer(
            self._model, self._tokenizer, ends=self._ends, max_tokens=settings.max_tokens, examples=beginning,
            is_enough=lambda written: self._is_enough(written, settings),
        )  # fmt: skip
        _keep_newest(self._writers)
        return self._writers[beginning, settings]

    @cached_property
    def _ends(self) -> set[int]:
        """The tokens that end a text, by the tokenizer and by what the model says of generation."""
        said = getattr(getattr(self._model, "generation_config", None), "eos_token_id", None)
        ends = {self._tokenizer.eos_token_id, *(said if isinstance(said, list) else [said])}
        return {token for token in ends if token is not None}

    @cached_property
    def _thinks(self) -> bool:
        """Whether the tokenizer has a mark of thinking, so that the first line need not be the text."""
        names = (name for name in self._tokenizer.get_vocab() if name[:1] in "<[◁")
        return any(not without_thinking(f"a{name}b").startswith("a") for name in names)

    def _is_enough(self, written: Tokens, settings: Settings) -> bool:
        self._check()
        text, _ = self._spoken(written)
        return self._end(text, settings) < len(text)

    def _end(self, text: str, settings: Settings) -> int:
        """Return where a text ends: at a stop, or at the end of its first line, beyond which nothing is used."""
        places = [text.find(stop) for stop in settings.stops]
        if not self._thinks:
            places.append(text.find("\n", len(text) - len(text.lstrip())))
        return min((place for place in places if place >= 0), default=len(text))

    def _completion(self, tail: Tail, settings: Settings) -> Completion:
        """Return a text up to its end, with the log-probabilities of the tokens up to there."""
        text, thought = self._spoken(tail.tokens)
        end = self._end(text, settings)
        finish = "stop" if tail.ended or end < len(text) else "length"
        if thought:
            return Completion(text[:end], None, finish)
        used = tail.tokens
        if end < len(text):
            text = text[:end]
            while used and len(self._decoded(used[:-1])) >= len(text.rstrip()):
                used = used[:-1]
        values = tail.logprobs[: len(used)]
        mean, total = (sum(values) / len(values), sum(values)) if values else (None, None)
        return Completion(text, mean, finish, total)

    def _spoken(self, written: Tokens) -> tuple[str, bool]:
        """Return the text of tokens without thinking, and whether there was any."""
        spelt = self._decoded(written, skip=False)  # the marks of thinking may be tokens of their own
        text = without_thinking(spelt)
        if text == spelt:
            return self._decoded(written), False
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, "")
        return text, True

    def _decoded(self, written: Tokens, *, skip: bool = True) -> str:
        text: str = self._tokenizer.decode(written, skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        return text


def _check_sharing(model: Any, name: str) -> None:
    """Make sure that a model says of tokens whose beginning is shared what it says of them alone.

    Raises:
        InputError: the model does not.
    """
    rows = torch.tensor([[1, 2, 3, 5], [1, 2, 4, 5]], device=model.device)
    with torch.inference_mode():
        alone = torch.cat([model(input_ids=row[None]).logits[:, -1].float() for row in rows])
        try:
            tree = Tree(model)
            tree.plant(rows[:, :-1].tolist())
            shared = tree.grow([0, 1], rows[:, -1].tolist())
            agrees = bool((shared - alone).abs().max() <= _PROBE_ERROR * alone.abs().max())
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):  # of masks that it does not take
            agrees = False
    if not agrees:
        raise InputError(
            f"{name} is no teacher: a {model.config.model_type} model cannot read prompts whose beginning is shared"
        )


def _common(left: Tokens, right: Tokens) -> int:
    """Return how many tokens two prompts begin with in common."""
    most = min(len(left), len(right))
    return next((place for place in range(most) if left[place] != right[place]), most)


def _keep_newest(some: dict[Any, Any]) -> None:
    while len(some) > _BEGINNINGS:
        del some[next(iter(some))]
