"""Texts to tokens and back, for the generator: what is given, an event and a relation, then the tail.

A generator that starts from a pre-trained model is asked in words, with the relation's phrase of the vocabulary:

    PersonX misses the bus, and afterwards PersonX would like to call a taxi<eos>

One that is trained from scratch has a token for each relation (COMET-ATOMIC 2020, app. C):

    PersonX misses the bus <xWant> [GEN] to call a taxi [EOS]

The forms of published models are in `student.generator.forms`.

The text of an event or a tail never becomes a special token, even if it spells "<xWant>" or "[GEN]": texts are cut into
tokens with the special ones switched off, and sequences are put together from numbers, not from strings.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from kg.languages import begun, behind
from student.generator import forms
from student.generator.forms import EOS, GEN, WILDCARD, form_named

VOCABULARY_SIZE = 6_000  # at ATOMIC's size 98 % of the words are one token; a larger one costs time in the softmax
MAX_EVENT_TOKENS = 64  # ATOMIC's longest event has 20 words; a longer text keeps its beginning
_SEAM = 8  # tokens more that a cut event may have when it is cut into tokens again, with what follows
MAX_TAIL_TOKENS = 48  # with the end; COMET allows 35. A longer tail is left out, as half a tail is no tail


class Codec:
    """A tokenizer, and how an event, a relation and a tail become one sequence of tokens.

    Attributes:
        tokenizer: as transformers knows it.
        relations: the relations that can be asked for.
        phrases: relation to the words that ask for it; empty where a relation is a token.
        end: the token behind a tail.
        form: a name in `student.generator.forms.FORMS`; None is words where there are phrases, else tokens.
    """

    def __init__(
        self, tokenizer: Any, relations: Sequence[str], phrases: Mapping[str, str], form: str | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.relations = tuple(relations)
        self.phrases = dict(phrases)
        self.form = form
        self._form = form_named(form)
        self._special: dict[str, int] = {}
        self._markers: dict[str, tuple[int, int]] = {}
        if self._form:
            self._special = {name: self._id(name) for name in self._form.tokens(relations)}
            self.end: int = tokenizer.eos_token_id
        else:
            self.end = tokenizer.eos_token_id if phrases else self._id(EOS)
            self._markers = {} if phrases else {name: (self._id(f"<{name}>"), self._id(GEN)) for name in relations}
        self._around: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        relations: Sequence[str],
        phrases: Mapping[str, str] | None = None,
        form: str | None = None,
    ) -> "Codec":
        """Return a codec whose byte-level BPE is learnt from the texts; any text of any language has tokens.

        Args:
            texts: events and tails.
            relations: that can be asked for.
            phrases: their words, of the natural form alone.
            form: as `form`, the attribute.
        """
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE,
            min_frequency=2,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        bpe.train_from_iterator((" " + text for text in texts), trainer)
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe)
        if phrases or form:
            tokenizer.add_special_tokens({"eos_token": EOS})
            if published := form_named(form):
                forms.add_tokens(tokenizer, published, relations, keeps_end=False)
            return cls(tokenizer, relations, phrases or {}, form)
        markers = [f"<{name}>" for name in relations]
        tokenizer.add_special_tokens({"eos_token": EOS, "additional_special_tokens": [*markers, GEN]})
        return cls(tokenizer, relations, {})

    @classmethod
    def load(
        cls, folder: Path, relations: Sequence[str], phrases: Mapping[str, str], form: str | None = None
    ) -> "Codec":
        """Open the tokenizer that `save` wrote."""
        return cls(AutoTokenizer.from_pretrained(folder, local_files_only=True), relations, phrases, form)

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into a folder."""
        self.tokenizer.save_pretrained(folder)

    def __len__(self) -> int:
        return len(self.tokenizer)

    @property
    def special(self) -> list[int]:
        """Numbers that a generated tail must not have: all special tokens but the end."""
        markers = {number for marker in self._markers.values() for number in marker}
        return sorted({*self.tokenizer.all_special_ids, *markers, *self._special.values()} - {self.end})

    @property
    def longest(self) -> int:
        """How many tokens an event, a relation and a tail have together at most."""
        asking = max(len(self.given("", relation)) for relation in self.relations)
        return MAX_EVENT_TOKENS + _SEAM + asking + MAX_TAIL_TOKENS

    def prompt(self, event: str, relation: str) -> str:
        """Return what is given, in words; of an event about `MAX_EVENT_TOKENS` tokens."""
        cut = self._cut(event)
        if len(cut) > MAX_EVENT_TOKENS:
            event = self.tokenizer.decode(cut[:MAX_EVENT_TOKENS], clean_up_tokenization_spaces=False)
            event = event.rstrip("\ufffd")  # half a character
        return begun(event, self.phrases[relation])

    def given(self, event: str, relation: str) -> tuple[int, ...]:
        """Return the tokens before a tail; of an event about `MAX_EVENT_TOKENS`."""
        if self._form:
            begins = self._form.parts[0] == "{head}"
            head = self._with_blanks(event if begins else f" {event}")[:MAX_EVENT_TOKENS]
            asked = forms.numbers(
                self._form, relation, {"{head}": head, "{relation}": self._cut(f" {relation}")}, self._special
            )
            before, after = self._surroundings()
            return *before, *asked, *after
        if self.phrases:
            return tuple(self._cut(self.prompt(event, relation), special=True))
        return *self._cut(" " + event)[:MAX_EVENT_TOKENS], *self._markers[relation]

    def tail(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a tail with its end; none if it is longer than `MAX_TAIL_TOKENS`."""
        tokens = *self._with_blanks(behind(text)), self.end
        return tokens if len(tokens) <= MAX_TAIL_TOKENS else ()

    def _with_blanks(self, text: str) -> list[int]:
        """Return the tokens of a text, with the form's own for a wildcard where it has one."""
        if not (self._form and self._form.blank and WILDCARD in text):
            return self._cut(text)
        first, *others = text.split(WILDCARD)
        blank = self._special[self._form.blank]
        tokens = self._cut(first.rstrip()) if first.strip() else []
        for other in others:
            tokens += [blank, *(self._cut(other.rstrip() if other is not others[-1] else other) if other else [])]
        return tokens

    def _surroundings(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what the tokenizer puts before and behind every text."""
        if self._around is None:
            probe = self._cut("a")
            whole = self._cut("a", special=True)
            starts = range(len(whole) - len(probe) + 1)
            start = next((at for at in starts if whole[at : at + len(probe)] == probe), 0)
            self._around = tuple(whole[:start]), tuple(whole[start + len(probe) :])
        return self._around

    def _cut(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of a text, with those that the tokenizer puts around every text where `special`."""
        tokens: list[int] = self.tokenizer(
            text, add_special_tokens=special, split_special_tokens=True, truncation=False, verbose=False
        )["input_ids"]
        return tokens

    def _id(self, token: str) -> int:
        number: int = self.tokenizer.convert_tokens_to_ids(token)
        return number
