"""The generator: a causal language model that writes new tails for an event and a relation (COMET).

The model is a `transformers` class, so that any pre-trained causal language model can take its place. Sequences
are batched by equal length of the event: events need no padding, tails are padded on the right, where a causal model
does not look, so neither masks nor position numbers are needed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from kg.errors import InputError
from kg.model import NOTHING, Triple
from kg.progress import Bar
from kg.threads import adapt
from student.files import read_settings, write_settings
from student.generator.tokens import MAX_TAIL_TOKENS, QUESTION_TOKENS, Codec
from student.interface import Encode, Prediction, check_request

BATCH_ROWS = 256  # sequences (or beams) at once; more gains nothing on a CPU
SPARE_BEAMS = 2  # for beams that turn out blank or equal when spelt out
IGNORED = -100  # a target that does not count, as torch's cross entropy has it

Key = TypeVar("Key")
Row = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens of an event, and of what follows: the relation, [GEN], the tail and its end."""


class Generator:
    """A language model with its tokens.

    Attributes:
        model: a causal language model of `transformers`.
        codec: texts to tokens and back.
        relations: the relations that it was trained on.
        metrics: figures of its training.
        manifest: description of its training data.
    """

    kind = "generator"

    def __init__(self, model: Any, codec: Codec) -> None:
        self.model = model
        self.codec = codec
        self.relations = codec.relations
        self.metrics: dict[str, Any] = {}
        self.manifest: dict[str, Any] = {}

    @classmethod
    def load(cls, folder: Path, _encode: Encode) -> "Generator":
        """Open a folder that `save` wrote.

        Raises:
            InputError: a weight is missing.
        """
        relations = read_settings(folder)["relations"]
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        if loading["missing_keys"]:
            raise InputError(f"the student in {folder} lacks weights; train it again")
        return cls(model.to(device()).eval(), Codec.load(folder, relations))

    def save(self, folder: Path) -> None:
        """Write weights, configuration and tokenizer into a folder."""
        self.model.save_pretrained(folder)
        self.codec.save(folder)
        write_settings(folder, self.kind, self.relations)

    @torch.inference_mode()
    def predict(self, pairs: Sequence[tuple[str, str]], count: int) -> list[list[Prediction]]:
        """Return up to `count` distinct tails for each (event, relation), found by beam search, best first.

        A log-probability is the mean over the tokens of the tail, as `logprobs` gives it: the same whichever
        search found the tail. Beams that spell nothing, "none" or broken characters are left out.

        Raises:
            InputError: a relation that the student was not trained on, or `count` below 1.
        """
        check_request(self, [relation for _, relation in pairs], count)
        prompts = {
            (event, relation): self.codec.event(event) + self.codec.question(relation)
            for event, relation in dict.fromkeys(pairs)
        }
        tails: dict[tuple[str, str], list[str]] = {}
        beams = count + SPARE_BEAMS
        for batch in _equal_lengths(prompts, max(1, BATCH_ROWS // beams), "write tails"):
            for pair, texts in zip(batch, self._search([prompts[pair] for pair in batch], beams), strict=True):
                tails[pair] = [text for text in dict.fromkeys(texts) if _is_phrase(text)]
        triples = [Triple(*pair, tail) for pair in prompts for tail in tails[pair]]
        sums, tokens = self.logprobs(triples)
        means = dict(zip(triples, (sums / np.maximum(tokens, 1)).tolist(), strict=True))
        scorable = {triple for triple, length in zip(triples, tokens, strict=True) if length}
        best: dict[tuple[str, str], list[Prediction]] = {}
        for pair in prompts:
            found = [Prediction(t.tail, means[t]) for tail in tails[pair] if (t := Triple(*pair, tail)) in scorable]
            best[pair] = sorted(found, key=lambda prediction: (-prediction.logprob, prediction.tail))[:count]
        return [list(best[pair]) for pair in pairs]

    @torch.inference_mode()
    def logprobs(self, triples: Sequence[Triple]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the summed log-probability of each tail and its tokens with the end, both (n,); 0 tokens if too long.

        Raises:
            InputError: a relation that the student was not trained on.
        """
        check_request(self, [triple.relation for triple in triples])
        sums, tokens = np.zeros(len(triples)), np.zeros(len(triples), dtype=np.int64)
        rows = {number: encode_row(self.codec, triple) for number, triple in enumerate(triples)}
        events = {number: event for number, (event, rest) in sorted(rows.items(), key=lambda row: row[1]) if rest}
        for batch in _equal_lengths(events, BATCH_ROWS, "weigh tails"):
            losses, counted = tail_losses(self.model, [rows[number] for number in batch])
            sums[batch], tokens[batch] = -losses.sum(1).double().cpu().numpy(), counted.sum(1).cpu().numpy()
        return sums, tokens

    def _search(self, prompts: list[tuple[int, ...]], beams: int) -> list[list[str]]:
        """Return, for prompts of one length, the texts of all their beams."""
        inputs = torch.tensor(prompts, device=self.model.device)  # (B, P)
        found = self.model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            generation_config=GenerationConfig(
                num_beams=beams,
                num_return_sequences=beams,
                max_new_tokens=MAX_TAIL_TOKENS,
                early_stopping=False,
                eos_token_id=self.codec.end,
                pad_token_id=self.codec.end,
                suppress_tokens=self.codec.special,
            ),
        )  # (B * beams, P + T)
        texts = [self.codec.text(row) for row in found[:, inputs.shape[1] :].tolist()]
        return [texts[start : start + beams] for start in range(0, len(texts), beams)]


def device() -> torch.device:
    """Return where a model runs: the first GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def encode_row(codec: Codec, triple: Triple) -> Row:
    """Return the tokens of a triple's event and tail; the tail has none if it is too long."""
    tail = codec.tail(triple.tail)
    return codec.event(triple.head), (*codec.question(triple.relation), *tail) if tail else ()


def tail_losses(model: Any, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Return the negative log-likelihood of every tail token, 0 where padded, and which tokens count, both (B, T).

    Rows of the same event share its computation: the model reads each event once, and the tails go on from copies of
    its keys and values. In a causal model that is exact, and half the work where events have ten tails.

    Args:
        model: a causal language model.
        rows: B rows whose events have the same number of tokens.
    """
    events = list(dict.fromkeys(event for event, _ in rows))
    owners = torch.tensor([events.index(event) for event, _ in rows], device=model.device)
    longest = max(len(rest) for _, rest in rows) - QUESTION_TOKENS
    inputs = torch.zeros(len(rows), QUESTION_TOKENS + longest - 1, dtype=torch.long)
    targets = torch.full((len(rows), longest), IGNORED)
    for number, (_, rest) in enumerate(rows):
        inputs[number, : len(rest) - 1] = torch.tensor(rest[:-1])
        targets[number, : len(rest) - QUESTION_TOKENS] = torch.tensor(rest[QUESTION_TOKENS:])
    targets = targets.to(model.device)
    read = model(input_ids=torch.tensor(events, device=model.device), use_cache=True, logits_to_keep=1)
    name = "cache" if "cache" in read else "past_key_values"  # as earlier releases of transformers 5 call it
    read[name].batch_select_indices(owners)
    answer = model(input_ids=inputs.to(model.device), **{name: read[name]}, logits_to_keep=longest)
    logits = answer.logits  # (B, T, V)
    losses = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view_as(targets), targets != IGNORED


def _is_phrase(text: str) -> bool:
    return bool(text) and text != NOTHING and "\ufffd" not in text and "\0" not in text


def _equal_lengths(prompts: Mapping[Key, Sequence[int]], rows: int, label: str) -> Iterator[list[Key]]:
    """Yield batches of at most `rows` keys whose tokens are equally many."""
    groups: defaultdict[int, list[Key]] = defaultdict(list)
    for key, prompt in prompts.items():
        groups[len(prompt)].append(key)
    with Bar(total=len(prompts), desc=label, leave=False) as bar:
        for group in groups.values():
            for batch in chunked(group, rows):
                adapt()
                yield batch
                bar.update(len(batch))
