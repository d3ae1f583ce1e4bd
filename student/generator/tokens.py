"""Texts to tokens and back, for the generator: an event, its relation, then the tail.

    PersonX misses the bus <xWant> [GEN] to call a taxi [EOS]

Relations, `[GEN]` and `[EOS]` are tokens of their own (COMET-ATOMIC 2020, app. C). The text of an event or a tail
never becomes one of them, even if it spells "<xWant>" or "[GEN]": texts are cut into tokens with the special ones
switched off, and sequences are put together from numbers, not from strings.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

transformers_logging.disable_progress_bar()  # bars for a tenth of a second, while ours show the training

GEN = "[GEN]"
EOS = "[EOS]"
VOCABULARY_SIZE = 6_000  # at ATOMIC's size 98 % of the words are one token; a larger one costs time in the softmax
QUESTION_TOKENS = 2  # relation and [GEN]
MAX_EVENT_TOKENS = 64  # ATOMIC's longest event has 20 words; a longer text keeps its beginning
MAX_TAIL_TOKENS = 48  # with the end; COMET allows 35. A longer tail is left out, as half a tail is no tail


class Codec:
    """A tokenizer together with the numbers of the tokens that build a sequence.

    Attributes:
        tokenizer: as transformers knows it.
        relations: the relations that have a token.
        pretrained: how many tokens there were before those that build a sequence.
    """

    def __init__(self, tokenizer: Any, relations: Sequence[str], pretrained: int = 0) -> None:
        self.tokenizer = tokenizer
        self.pretrained = pretrained
        self.relations = tuple(relations)
        self._markers = {name: self._id(f"<{name}>") for name in relations}
        self._gen = self._id(GEN)
        self.end: int = self._id(EOS)

    @classmethod
    def fit(cls, texts: Iterable[str], relations: Sequence[str]) -> "Codec":
        """Return a codec whose byte-level BPE is learnt from the texts; any text of any language has tokens."""
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
        return cls._extended(PreTrainedTokenizerFast(tokenizer_object=bpe), relations)

    @classmethod
    def of_base(cls, base: str, relations: Sequence[str]) -> "Codec":
        """Return a codec that adds the special tokens to a pre-trained tokenizer."""
        return cls._extended(AutoTokenizer.from_pretrained(base, use_fast=True, trust_remote_code=False), relations)

    @classmethod
    def load(cls, folder: Path, relations: Sequence[str]) -> "Codec":
        """Open a folder that `save` wrote."""
        return cls(AutoTokenizer.from_pretrained(folder, local_files_only=True), relations)

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into a folder."""
        self.tokenizer.save_pretrained(folder)

    def __len__(self) -> int:
        return len(self.tokenizer)

    @property
    def special(self) -> list[int]:
        """Numbers that a generated tail must not have: all special tokens but the end."""
        return sorted({*self.tokenizer.all_special_ids, *self._markers.values(), self._gen} - {self.end})

    def event(self, text: str) -> tuple[int, ...]:
        """Return the tokens of an event, at most `MAX_EVENT_TOKENS`."""
        return tuple(self._cut(text)[:MAX_EVENT_TOKENS])

    def question(self, relation: str) -> tuple[int, ...]:
        """Return the tokens between event and tail, `QUESTION_TOKENS` of them."""
        return self._markers[relation], self._gen

    def tail(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a tail with its end; none if it is longer than `MAX_TAIL_TOKENS`."""
        tokens = *self._cut(text), self.end
        return tokens if len(tokens) <= MAX_TAIL_TOKENS else ()

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of generated tokens, up to the end."""
        written = list(tokens)
        if self.end in written:
            written = written[: written.index(self.end)]
        text: str = self.tokenizer.decode(written, clean_up_tokenization_spaces=False)
        return text.strip()

    @classmethod
    def _extended(cls, tokenizer: Any, relations: Sequence[str]) -> "Codec":
        markers = [f"<{name}>" for name in relations]
        pretrained = len(tokenizer)
        tokenizer.add_special_tokens({"eos_token": EOS, "additional_special_tokens": [*markers, GEN]})
        return cls(tokenizer, relations, pretrained)

    def _cut(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(
            " " + text, add_special_tokens=False, split_special_tokens=True, truncation=False, verbose=False
        )["input_ids"]
        return tokens

    def _id(self, token: str) -> int:
        number: int = self.tokenizer.convert_tokens_to_ids(token)
        return number
