"""The generator: a language model that writes new tails for an event and a relation (COMET).

The model is a `transformers` class, so that any pre-trained one can take its place: a causal language model, or an
encoder with a decoder (`student.generator.pairwise`). What prompts and
tails have in common is read once (`kg.language_model`).
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from kg.errors import InputError
from kg.language_model import scoring
from kg.language_model.generation import Tail, Writer
from kg.language_model.packing import Sequence_
from kg.language_model.precision import fast_dtype
from kg.model import NOTHING, Triple
from kg.pretrained import without_bars
from student.files import read_settings, write_settings
from student.generator import pairwise
from student.generator.choice import choose
from student.generator.tokens import MAX_TAIL_TOKENS, Codec
from student.interface import Encode, Prediction, check_request

SPARE_BEAMS = 5  # more beams than tails asked for, to choose among
SAMPLES = 6  # drawn beside the beams, which are too much alike
DRAWS = ((0.6, 1.0), (0.9, 1.0), (1.0, 1.0), (1.0, 2.0))  # nucleus, temperature; a next one only where tails lack
MORE = 4  # times as many then
GAIN_WEIGHT = 0.5  # of how much likelier the event makes a tail than other events do, beside its own likelihood
OTHERS = 3  # training events that a tail is held against; one more is kept, for when one of them is asked about


class Generator:
    """A language model with its tokens.

    Attributes:
        model: a causal language model of `transformers`, or an encoder with a decoder.
        codec: texts to tokens and back.
        others: training events that a tail is held against, so that what fits any event comes last; may be empty.
        relations: the relations that it was trained on.
        metrics: figures of its training.
        manifest: description of its training data.
        derived_from: what its base is derived from, as `kg.language_model.terms` has it.
    """

    kind = "generator"

    def __init__(self, model: Any, codec: Codec, others: Sequence[str] = ()) -> None:
        self.model = model
        self.codec = codec
        self.others = tuple(others)
        self.relations = codec.relations
        self.metrics: dict[str, Any] = {}
        self.manifest: dict[str, Any] = {}
        self.derived_from: str | None = None

    @classmethod
    def load(cls, folder: Path, _encode: Encode) -> "Generator":
        """Open a folder that `save` wrote.

        Raises:
            InputError: a weight is missing, or `student.json` is damaged.
        """
        settings = read_settings(folder)
        phrases, others = settings.get("phrases", {}), settings.get("others", [])  # version 0.1 had neither
        if not _are_phrases(phrases, settings["relations"]):
            raise InputError(f"{folder} does not say by which words its student is asked; train the student again")
        if not isinstance(others, list) or not all(isinstance(event, str) for event in others):
            raise InputError(f"{folder} does not say which events tails are held against; train the student again")
        form = settings.get("form")
        if form is not None and not isinstance(form, str):
            raise InputError(f"{folder} does not say in which form its student is asked; train the student again")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        opening = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        with without_bars():
            model, loading = opening.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype="auto", output_loading_info=True
            )
        if loading["missing_keys"]:
            raise InputError(f"the student in {folder} lacks weights; train it again")
        if model.dtype != torch.float32:
            model = model.to(fast_dtype())
        return cls(model.to(device()).eval(), Codec.load(folder, settings["relations"], phrases, form), others)

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer into a folder."""
        with without_bars():
            self.model.save_pretrained(folder)
        self.codec.save(folder)
        own = {} if self.codec.form is None else {"form": self.codec.form}
        write_settings(folder, self.kind, self.relations, phrases=self.codec.phrases, others=self.others, **own)

    def predict(self, pairs: Sequence[tuple[str, str]], count: int) -> list[list[Prediction]]:
        """Return `count` distinct tails for each (event, relation), best first; fewer where it has no more to say.

        Beams and samples are put in order by their mean log-probability and by how much likelier the event makes them
        than the `others` do. One that says nearly the same as a better one is taken only where there are too few that
        do not. Tails that spell nothing, "none", or have line ends, controls or broken characters, are left out.

        A log-probability is the mean over the tokens of the tail, as `logprobs` gives it, whichever search found it.

        Raises:
            InputError: a relation that the student was not trained on, or `count` below 1.
        """
        check_request(self, [relation for _, relation in pairs], count)
        distinct = list(dict.fromkeys(pairs))
        written = dict(zip(distinct, self._write([self.codec.given(*pair) for pair in distinct], count), strict=True))
        triples = [Triple(*pair, tail) for pair, tails in written.items() for tail in tails]
        sums, tokens = self.logprobs(triples)
        means = sums / tokens
        values = means.copy()
        most = min(OTHERS, len(self.others) - 1)
        if most > 0:
            rivals = {event: [other for other in self.others if other != event] for event, _ in distinct}
            elsewhere = [
                self.logprobs([Triple(rivals[one.head][number], one.relation, one.tail) for one in triples])[0] / tokens
                for number in range(most)
            ]
            values += GAIN_WEIGHT * (means - np.mean(elsewhere, axis=0))
        best: dict[tuple[str, str], list[Prediction]] = {}
        start = 0
        for pair, tails in written.items():
            own = slice(start, start + len(tails))
            start += len(tails)
            chosen = choose(tails, values[own].tolist(), count)
            best[pair] = [Prediction(tails[place], float(means[own][place])) for place in chosen]
        return [list(best[pair]) for pair in pairs]

    def search(self, pairs: Sequence[tuple[str, str]], beams: int) -> list[tuple[str, list[str]]]:
        """Return the greedy tail for each (event, relation), and up to `beams` of a beam search, best first.

        These are the tails of plain searches, as published systems are measured by, and not chosen as `predict` does;
        one may be empty, or cut at `MAX_TAIL_TOKENS`. Beams are compared by their probability, not by its mean over
        the tokens, which would prefer long ones.

        Raises:
            InputError: a relation that the student was not trained on, or `beams` below 1.
        """
        check_request(self, [relation for _, relation in pairs], beams)
        prompts = [self.codec.given(*pair) for pair in pairs]
        writer, most = self._writer()
        found = writer.beams(prompts, min(beams, most), length_penalty=0.0)
        return [
            (greedy.text, [tail.text for tail in tails])
            for greedy, tails in zip(writer.greedy(prompts), found, strict=True)
        ]

    def logprobs(self, triples: Sequence[Triple]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the summed log-probability of each tail and its tokens with the end, both (n,); 0 tokens if too long.

        Raises:
            InputError: a relation that the student was not trained on.
        """
        check_request(self, [triple.relation for triple in triples])
        sequences = [encode(self.codec, triple) for triple in triples]
        known = [place for place, (_, tail) in enumerate(sequences) if tail]
        sums = np.zeros(len(triples))
        asked = [sequences[place] for place in known]
        sums[known] = (pairwise if self.model.config.is_encoder_decoder else scoring).logprobs(self.model, asked)
        return sums, np.array([len(tail) for _, tail in sequences], dtype=np.int64)

    def _write(self, prompts: Sequence[tuple[int, ...]], count: int) -> list[list[str]]:
        """Return the candidates behind each prompt: beams, then samples, each text once."""
        writer, most = self._writer()
        width = min(count + SPARE_BEAMS, most)
        found = [self._phrases(tails) for tails in writer.beams(prompts, width)]
        for number, (nucleus, temperature) in enumerate(DRAWS):
            wanting = [place for place, tails in enumerate(found) if len(tails) < count or number == 0]
            asked = [prompts[place] for place in wanting]
            draws = max(count, SAMPLES) * (MORE if number else 1)
            drawn = writer.samples(asked, draws, nucleus=nucleus, temperature=temperature)
            for place, tails in zip(wanting, drawn, strict=True):
                found[place] |= self._phrases(tails)
        return [list(tails) for tails in found]

    def _writer(self) -> tuple[Writer | pairwise.PairWriter, int]:
        """Return what writes tails, and the most beams that its tokens are enough for."""
        rows = self.model.get_input_embeddings().num_embeddings
        barred = {*self.codec.special, *range(len(self.codec), rows)}  # some models have rows without a token
        kind = pairwise.PairWriter if self.model.config.is_encoder_decoder else Writer
        writer = kind(
            self.model, self.codec.tokenizer, ends=[self.codec.end], max_tokens=MAX_TAIL_TOKENS, suppressed=barred
        )
        return writer, max(1, (rows - len(barred)) // 2)

    def _phrases(self, tails: Iterable[Tail]) -> dict[str, None]:
        """Return the texts of tails that can be given, as they will be stored, each once."""
        texts = (unicodedata.normalize("NFC", tail.text) for tail in tails if tail.ended)
        return dict.fromkeys(text for text in texts if _is_phrase(text) and self.codec.tail(text))


def device() -> torch.device:
    """Return where a model runs: the first GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def encode(codec: Codec, triple: Triple) -> Sequence_:
    """Return the tokens of what is given and of the tail, which has none if it is too long."""
    return codec.given(triple.head, triple.relation), codec.tail(triple.tail)


def _is_phrase(text: str) -> bool:
    unwanted = {"\ufffd"} | {letter for letter in text if unicodedata.category(letter) in ("Cc", "Zl", "Zp")}
    return bool(text) and text != NOTHING and not unwanted & set(text)


def _are_phrases(found: object, relations: Sequence[str]) -> bool:
    """Return whether a mapping has a text for each relation, or for none."""
    return isinstance(found, Mapping) and (not found or all(isinstance(found.get(name), str) for name in relations))
